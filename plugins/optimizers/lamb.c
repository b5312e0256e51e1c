/* SPDX-License-Identifier: MIT
 *
 * lamb (You et al., arXiv 1904.00962, algorithm 2): Adam's step scaled to each tensor's size, u =
 * mhat / (sqrt(vhat) + eps) + weight_decay w, w -= lr |w| / |u| u.  decay=inside is that; Keras has
 * its decoupled decay before and outside the ratio.  always=0 (timm): a ratio only where there is
 * weight decay; clip=1 (timm's trust_clip): a ratio of at most 1.  timm also clips the gradients'
 * global norm to 1: that is --clip-norm 1 here. */
#include "common.h"

enum { BETA1, BETA2, EPS, WEIGHT_DECAY, DECAY, ALWAYS, CLIP, CORRECTION };
static const char *const choices[] = {"inside", "decoupled", "scheduled", "independent", 0};
static const lehr_param params[] = {
    BETA1_PARAM(0.9),
    BETA2_PARAM(0.999),
    EPS_PARAM(1e-6),
    WEIGHT_DECAY_PARAM(0),
    LEHR_CHOICEP("decay", 0, choices,
                 "how weight decay acts: inside: in u, before the ratio; the "
                 "others outside"),
    LEHR_BOOLP("always", 1, "a ratio without weight decay too"),
    LEHR_BOOLP("clip", 0, "a ratio of at most 1"),
    LEHR_BOOLP("correction", 1, "correct the averages for their start at 0")};
static const lehr_slot slots[] = {LEHR_SLOT("m", "average of gradients"),
                                  LEHR_SLOT("v", "average of squared gradients"),
                                  LEHR_SCRATCH("step", "Adam's step")};
enum { SHARE1, SHARE2, CORRECT1, CORRECT2, SHRINK };
static const char *const scalars[] = {"share1", "share2", "correct1", "correct2", "shrink"};
static const lehr_reduce norms[] = {{"w_square", "w * w", LEHR_SUM, LEHR_PER_TENSOR},
                                    {"step_square", "step * step", LEHR_SUM, LEHR_PER_TENSOR}};
static const lehr_pass passes[] = {
    LEHR_PASS_R("w -= shrink * w;\n"
                "m = beta1 * m + share1 * g;\n"
                "v = beta2 * v + share2 * g * g;\n"
                "step = correct1 * m / (sqrt(v) * correct2 + eps);\n"
                "step += decay == 0 ? weight_decay * w : 0;\n",
                LEHR_TABLE(norms)),
    LEHR_PASS("real top = sqrt(w_square), bottom = sqrt(step_square);\n"
              "real ratio = top > 0 && bottom > 0 ? top / bottom : 1;\n"
              "ratio = clip != 0 ? fmin(ratio, 1) : ratio;\n"
              "w -= lr * (always != 0 || weight_decay != 0 ? ratio : 1) * step;\n")};
static const lehr_preset presets[] = {
    {"keras3", "lr=0.001, eps=1e-7, decay=decoupled", "keras.optimizers.Lamb (Keras 3)"},
    {"optax", "eps=1e-6", "optax.lamb"},
    {"timm", "lr=0.001, weight_decay=0.01, always=0", "timm.optim.Lamb(max_grad_norm=None)"},
    {"paper", "lr=0.001, eps=1e-6, weight_decay=0.01", "arXiv 1904.00962, section 4"}};

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    double t = (double)u->t;
    (void)s;
    out[SHARE1] = 1 - u->p[BETA1];
    out[SHARE2] = 1 - u->p[BETA2];
    out[CORRECT1] = u->p[CORRECTION] != 0 ? 1 / (1 - pow(u->p[BETA1], t)) : 1;
    out[CORRECT2] = u->p[CORRECTION] != 0 ? 1 / sqrt(1 - pow(u->p[BETA2], t)) : 1;
    out[SHRINK] = decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]); /* inside: 0, as l2 */
    return LEHR_OK;
}

static const lehr_optimizer lamb = {
    .size = sizeof lamb,
    .name = "lamb",
    .doc =
        "u = mhat / (sqrt(vhat) + eps) + weight_decay w; w -= lr |w| / |u| u; norms of each tensor",
    .params = LEHR_TABLE(params),
    .slots = LEHR_TABLE(slots),
    .scalars = LEHR_TABLE(scalars),
    .passes = LEHR_TABLE(passes),
    .presets = LEHR_TABLE(presets),
    .scalar = scalar,
    .lr = 0.001};
LEHR_OPTIMIZER_PLUGIN("org.lehr.lamb", "1.0", lamb)
