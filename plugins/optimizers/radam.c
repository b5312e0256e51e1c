/* SPDX-License-Identifier: MIT
 *
 * radam (Liu et al., arXiv 1908.03265, algorithm 2): w -= lr mhat while the variance of 1 / sqrt(v)
 * is intractable (the first few updates), then w -= lr r mhat / (sqrt(vhat) + eps).  eps_hat=1
 * (PyTorch, timm): lr r sqrt(1 - beta2^t) mhat / (sqrt(v) + eps). */
#include "common.h"

enum { BETA1, BETA2, EPS, EPS_HAT, WEIGHT_DECAY, DECAY };
static const lehr_param params[] = {
    BETA1_PARAM(0.9),      BETA2_PARAM(0.999),
    EPS_PARAM(1e-8),       LEHR_BOOLP("eps_hat", 1, "eps beside the uncorrected root"),
    WEIGHT_DECAY_PARAM(0), DECAY_PARAM(DECAY_L2)};
static const lehr_slot slots[] = {LEHR_SLOT("m", "average of gradients"),
                                  LEHR_SLOT("v", "average of squared gradients")};
enum { SHARE1, SHARE2, CORRECT1, CORRECT2, EPS_T, RECTIFY, SHRINK };
static const char *const scalars[] = {"share1", "share2",  "correct1", "correct2",
                                      "eps_t",  "rectify", "shrink"};
static const lehr_pass passes[] = {LEHR_PASS(
    DECAY_CODE
    "m = beta1 * m + share1 * d;\n"
    "v = beta2 * v + share2 * d * d;\n"
    "w -= lr * correct1 * (rectify != 0 ? rectify * m / (sqrt(v) * correct2 + eps_t) : m);\n")};
static const lehr_preset presets[] = {
    {"torch", "lr=0.001", "torch.optim.RAdam"},
    {"optax", "eps_hat=0", "optax.radam"},
    {"timm", "lr=0.001, decay=decoupled", "timm.optim.RAdam"},
    {"paper", "lr=0.001, eps=0", "arXiv 1908.03265, algorithm 2"}};

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    (void)s;
    rectified_scalars((double)u->t, u->p[BETA1], u->p[BETA2], u->p[EPS], u->p[EPS_HAT] != 0, 1,
                      out + SHARE1);
    out[SHRINK] = decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
    return LEHR_OK;
}

static const lehr_optimizer radam = {
    .size = sizeof radam,
    .name = "radam",
    .doc = "w -= lr r mhat / (sqrt(vhat) + eps), at first w -= lr mhat; r rectifies the variance",
    .params = LEHR_TABLE(params),
    .slots = LEHR_TABLE(slots),
    .scalars = LEHR_TABLE(scalars),
    .passes = LEHR_TABLE(passes),
    .presets = LEHR_TABLE(presets),
    .scalar = scalar,
    .lr = 0.001};
LEHR_OPTIMIZER_PLUGIN("org.lehr.radam", "1.0", radam)
