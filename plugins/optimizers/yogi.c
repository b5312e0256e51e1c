/* SPDX-License-Identifier: MIT
 *
 * yogi (Zaheer et al., NeurIPS 2018, algorithm 2): Adam whose second moment moves by a difference
 * that does not depend on its size, v -= (1 - beta2) sign(v - g^2) g^2.  v starts at init; optax
 * starts m there too (init_m). */
#include "common.h"

enum { BETA1, BETA2, EPS, INIT, INIT_M, WEIGHT_DECAY, DECAY, CORRECTION };
static const lehr_param params[] = {
    BETA1_PARAM(0.9),
    BETA2_PARAM(0.999),
    EPS_PARAM(1e-3),
    LEHR_REALP("init", 1e-6, 0, LEHR_ANY, "start of v"),
    LEHR_REALP("init_m", 0, 0, LEHR_ANY, "start of m"),
    WEIGHT_DECAY_PARAM(0),
    DECAY_PARAM(DECAY_L2),
    LEHR_BOOLP("correction", 1, "correct the averages for their start")};
static const lehr_slot slots[] = {{"m", "average of gradients", 0, LEHR_SLOT_STATE, 0, 0, "init_m"},
                                  {"v", "second moment", 0, LEHR_SLOT_STATE, 0, 0, "init"}};
enum { SHARE1, SHARE2, CORRECT1, CORRECT2, SHRINK };
static const char *const scalars[] = {"share1", "share2", "correct1", "correct2", "shrink"};
static const lehr_pass passes[] = {
    LEHR_PASS(DECAY_CODE "m = beta1 * m + share1 * d;\n"
                         "v -= share2 * sign(v - d * d) * d * d;\n"
                         "w -= lr * correct1 * m / (sqrt(v) * correct2 + eps);\n")};
static const lehr_preset presets[] = {
    {"optax", "init=1e-6, init_m=1e-6", "optax.yogi"},
    {"paper", "lr=0.01, eps=1e-3, correction=0", "Zaheer et al. 2018, algorithm 2"}};

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    double t = (double)u->t;
    (void)s;
    out[SHARE1] = 1 - u->p[BETA1];
    out[SHARE2] = 1 - u->p[BETA2];
    out[CORRECT1] = u->p[CORRECTION] != 0 ? 1 / (1 - pow(u->p[BETA1], t)) : 1;
    out[CORRECT2] = u->p[CORRECTION] != 0 ? 1 / sqrt(1 - pow(u->p[BETA2], t)) : 1;
    out[SHRINK] = decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
    return LEHR_OK;
}

static const lehr_optimizer yogi = {
    .size = sizeof yogi,
    .name = "yogi",
    .doc = "v -= (1 - beta2) sign(v - g^2) g^2; w -= lr mhat / (sqrt(vhat) + eps)",
    .params = LEHR_TABLE(params),
    .slots = LEHR_TABLE(slots),
    .scalars = LEHR_TABLE(scalars),
    .passes = LEHR_TABLE(passes),
    .presets = LEHR_TABLE(presets),
    .scalar = scalar,
    .lr = 0.01};
LEHR_OPTIMIZER_PLUGIN("org.lehr.yogi", "1.0", yogi)
