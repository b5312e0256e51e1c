/* SPDX-License-Identifier: MIT
 *
 * adabelief (Zhuang et al., arXiv 2010.07468, algorithm 2): Adam with the average of (g - m)^2 for
 * v: s = beta2 s + (1 - beta2) (g - m)^2 + eps_root, w -= lr mhat / (sqrt(shat) + eps).  rectify=1
 * is the authors' later form: RAdam's start and factor, eps beside the uncorrected root. */
#include "common.h"

enum { BETA1, BETA2, EPS, EPS_ROOT, RECTIFY, WEIGHT_DECAY, DECAY };
static const lehr_param params[] = {
    BETA1_PARAM(0.9),
    BETA_PARAM("beta2", 0.999, "decay of the average of (g - m)^2"),
    EPS_PARAM(1e-16),
    LEHR_SCHEDULABLEP("eps_root", 1e-16, 0, LEHR_ANY, 0, "added to the average at every update"),
    LEHR_BOOLP("rectify", 0, "RAdam's start and factor"),
    WEIGHT_DECAY_PARAM(0),
    DECAY_PARAM(DECAY_L2)};
static const lehr_slot slots[] = {LEHR_SLOT("m", "average of gradients"),
                                  LEHR_SLOT("s", "average of (g - m)^2")};
enum { SHARE1, SHARE2, CORRECT1, CORRECT2, EPS_T, FACTOR, SHRINK };
static const char *const scalars[] = {"share1", "share2", "correct1", "correct2",
                                      "eps_t",  "factor", "shrink"};
static const lehr_pass passes[] = {LEHR_PASS(
    DECAY_CODE
    "m = beta1 * m + share1 * d;\n"
    "s = beta2 * s + share2 * (d - m) * (d - m) + eps_root;\n"
    "w -= lr * correct1 * (factor != 0 ? factor * m / (sqrt(s) * correct2 + eps_t) : m);\n")};
static const lehr_preset presets[] = {
    {"optax", "eps=1e-16, eps_root=1e-16", "optax.adabelief"},
    {"timm", "lr=0.001, rectify=1, decay=decoupled", "timm.optim.AdaBelief"},
    {"paper", "lr=0.001, eps=1e-8, eps_root=1e-8", "arXiv 2010.07468, algorithm 2"}};

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    (void)s;
    rectified_scalars((double)u->t, u->p[BETA1], u->p[BETA2], u->p[EPS], u->p[RECTIFY] != 0,
                      u->p[RECTIFY] != 0, out + SHARE1);
    out[SHRINK] = decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
    return LEHR_OK;
}

static const lehr_optimizer adabelief = {
    .size = sizeof adabelief,
    .name = "adabelief",
    .doc = "s average of (g - m)^2; w -= lr mhat / (sqrt(shat) + eps)",
    .params = LEHR_TABLE(params),
    .slots = LEHR_TABLE(slots),
    .scalars = LEHR_TABLE(scalars),
    .passes = LEHR_TABLE(passes),
    .presets = LEHR_TABLE(presets),
    .scalar = scalar,
    .lr = 0.001};
LEHR_OPTIMIZER_PLUGIN("org.lehr.adabelief", "1.0", adabelief)
