/* SPDX-License-Identifier: MIT
 *
 * adopt (Taniguchi et al., arXiv 2411.02853, algorithm 2): Adam that divides by the v before this
 * gradient entered it, m = beta1 m + (1 - beta1) clip(g / max(sqrt(v), eps)), w -= lr m, then v.
 * The first update sets v = g^2 and leaves the weights.  The clip at update t is (t -
 * 1)^clip_power: 1/4 in the paper and optax, timm has 0.333; clip=0: none. */
#include "common.h"
#include <stdbool.h>

enum { BETA1, BETA2, EPS, CLIP, CLIP_POWER, WEIGHT_DECAY, DECAY };
static const lehr_param params[] = {
    BETA1_PARAM(0.9),
    BETA2_PARAM(0.9999),
    EPS_PARAM(1e-6),
    LEHR_BOOLP("clip", 1, "limit normalised gradients to (t - 1)^clip_power"),
    LEHR_SCHEDULABLEP("clip_power", 0.25, 0, LEHR_ANY, 0, "growth of the limit"),
    WEIGHT_DECAY_PARAM(0),
    DECAY_PARAM(DECAY_L2)};
static const lehr_slot slots[] = {LEHR_SLOT("m", "average of normalised gradients"),
                                  LEHR_SLOT("v", "average of squared gradients")};
enum { SHARE1, KEEP2, SHARE2, LIMIT, FIRST, SHRINK };
static const char *const scalars[] = {"share1", "keep2", "share2", "limit", "first", "shrink"};
static const lehr_pass passes[] = {
    LEHR_PASS(DECAY_CODE "real q = d / fmax(sqrt(v), eps);\n"
                         "q = clip != 0 ? (q > limit ? limit : q < -limit ? -limit : q) : q;\n"
                         "m = first != 0 ? m : beta1 * m + share1 * q;\n"
                         "w -= lr * m;\n"
                         "v = keep2 * v + share2 * d * d;\n")};
static const lehr_preset presets[] = {
    {"optax", "eps=1e-6, clip_power=0.25", "optax.contrib.adopt"},
    {"timm", "lr=0.001, clip_power=0.333", "timm.optim.Adopt"},
    {"paper", "lr=0.001, beta1=0.9, beta2=0.9999, eps=1e-6", "arXiv 2411.02853, algorithm 2"}};

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    bool first = u->t == 1;
    (void)s;
    out[SHARE1] = 1 - u->p[BETA1];
    out[KEEP2] = first ? 0 : u->p[BETA2];
    out[SHARE2] = first ? 1 : 1 - u->p[BETA2];
    out[LIMIT] = pow((double)(u->t - 1), u->p[CLIP_POWER]);
    out[FIRST] = first;
    out[SHRINK] = first ? 0 : decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
    return LEHR_OK;
}

static const lehr_optimizer adopt = {
    .size = sizeof adopt,
    .name = "adopt",
    .doc = "m average of clip(g / max(sqrt(v before), eps)); w -= lr m; v average of g^2",
    .params = LEHR_TABLE(params),
    .slots = LEHR_TABLE(slots),
    .scalars = LEHR_TABLE(scalars),
    .passes = LEHR_TABLE(passes),
    .presets = LEHR_TABLE(presets),
    .scalar = scalar,
    .lr = 0.001};
LEHR_OPTIMIZER_PLUGIN("org.lehr.adopt", "1.0", adopt)
