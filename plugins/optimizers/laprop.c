/* SPDX-License-Identifier: MIT
 *
 * laprop (Ziyin et al., arXiv 2002.04839, algorithm 1): momentum of normalised gradients, m = beta1
 * m
 * + (1 - beta1) lr g / (sqrt(vhat) + eps), w -= m lr / c, c the same average of lr: lr is inside m,
 * so that c is lr (1 - beta1^t) while lr is constant.  after=1 (timm, pytorch_optimizer) applies
 * decoupled weight decay to the weight after the step. */
#include "common.h"

enum { BETA1, BETA2, EPS, WEIGHT_DECAY, DECAY, AFTER };
static const lehr_param params[] = {
    BETA_PARAM("beta1", 0.9, "decay of the average of normalised gradients"),
    BETA2_PARAM(0.999),
    EPS_PARAM(1e-15),
    WEIGHT_DECAY_PARAM(0),
    DECAY_PARAM(DECAY_DECOUPLED),
    LEHR_BOOLP("after", 0, "weight decay after the step")};
static const lehr_slot slots[] = {LEHR_SLOT("m", "average of normalised gradients"),
                                  LEHR_SLOT("v", "average of squared gradients")};
static const lehr_var state[] = {LEHR_VAR("rate", 0, "average of lr / base lr, as m")};
enum { SHARE1, SHARE2, STEP, CORRECT2, SHRINK };
static const char *const scalars[] = {"share1", "share2", "step", "correct2", "shrink"};
static const lehr_pass passes[] = {
    LEHR_PASS("real d = decay == 0 ? g + weight_decay * w : g;\n"
              "w = after != 0 ? w : w - shrink * w;\n"
              "v = beta2 * v + share2 * d * d;\n"
              "m = beta1 * m + share1 * d / (sqrt(v) * correct2 + eps);\n"
              "w -= step * m;\n"
              "w = after != 0 ? w - shrink * w : w;\n")};
static const lehr_preset presets[] = {
    {"timm", "lr=4e-4, after=1", "timm.optim.LaProp"},
    {"paper", "lr=4e-4, beta1=0.9, beta2=0.999, eps=1e-15", "arXiv 2002.04839, and its code"}};

/* The learning rate with 1 for the base: the same in all groups that follow the run's schedule. */
static double multiplier(const lehr_update *u)
{
    return u->base_lr > 0 ? u->lr / u->base_lr : 0;
}

static lehr_status advance(const lehr_update *u, double *s)
{
    s[0] = u->p[BETA1] * s[0] + (1 - u->p[BETA1]) * multiplier(u);
    return LEHR_OK;
}

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    out[SHARE1] = (1 - u->p[BETA1]) * u->lr;
    out[SHARE2] = 1 - u->p[BETA2];
    out[STEP] = s[0] > 0 ? multiplier(u) / s[0] : 0;
    out[CORRECT2] = 1 / sqrt(1 - pow(u->p[BETA2], (double)u->t));
    out[SHRINK] = decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
    return LEHR_OK;
}

static const lehr_optimizer laprop = {.size = sizeof laprop,
                                      .name = "laprop",
                                      .doc = "m average of lr g / (sqrt(vhat) + eps); w -= mhat",
                                      .params = LEHR_TABLE(params),
                                      .slots = LEHR_TABLE(slots),
                                      .state = LEHR_TABLE(state),
                                      .scalars = LEHR_TABLE(scalars),
                                      .passes = LEHR_TABLE(passes),
                                      .presets = LEHR_TABLE(presets),
                                      .advance = advance,
                                      .scalar = scalar,
                                      .lr = 4e-4};
LEHR_OPTIMIZER_PLUGIN("org.lehr.laprop", "1.0", laprop)
