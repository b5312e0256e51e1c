/* SPDX-License-Identifier: MIT
 *
 * ftrl (McMahan et al., KDD 2013, "Ad click prediction", algorithm 1): follow the regularised
 * leader, n += g^2, z += g - (n^q - before^q) / lr w, w = (clip(z, -l1, l1) - z) / ((beta + n^q) /
 * lr + 2 l2), q = -lr_power.  Weights below l1's reach become exactly 0.  Keras starts with z = 0,
 * which forgets the initial weights at the first update; keep=1 starts z where w is its solution.
 */
#include "common.h"

enum { LR_POWER, INIT, L1, L2, L2_SHRINKAGE, BETA, KEEP, WEIGHT_DECAY, DECAY };
static const lehr_param params[] = {
    LEHR_REALP("lr_power", -0.5, -LEHR_ANY, 0, "the rate falls as n^lr_power"),
    LEHR_REALP("init", 0.1, 0, LEHR_ANY, "start of the sum of squares"),
    LEHR_SCHEDULABLEP("l1", 0, 0, LEHR_ANY, 0, "strength of the L1 term"),
    LEHR_SCHEDULABLEP("l2", 0, 0, LEHR_ANY, 0, "strength of the L2 term"),
    LEHR_SCHEDULABLEP("l2_shrinkage", 0, 0, LEHR_ANY, 0,
                      "adds 2 l2_shrinkage w to the gradient in z"),
    LEHR_SCHEDULABLEP("beta", 0, 0, LEHR_ANY, 0, "the paper's beta"),
    LEHR_BOOLP("keep", 1, "start from the initial weights"),
    WEIGHT_DECAY_PARAM(0),
    DECAY_PARAM(DECAY_DECOUPLED)};
static const lehr_slot slots[] = {
    {"n", "sum of squared gradients", 0, LEHR_SLOT_STATE, 0, 0, "init"},
    LEHR_SLOT("z", "sum of gradients less regularisation")};
enum { FIRST, SHRINK };
static const char *const scalars[] = {"first", "shrink"};
static const lehr_pass passes[] = {LEHR_PASS(
    "if (lr == 0) break; /* stands still */\n" DECAY_CODE "real before = pow(n, -lr_power);\n"
    "real bottom = (beta + before) / lr + 2 * l2;\n"
    "z = keep != 0 && first != 0 ? (w > 0 ? -l1 : w < 0 ? l1 : 0) - bottom * w : z;\n"
    "n += d * d;\n"
    "real after = pow(n, -lr_power);\n"
    "z += d + 2 * l2_shrinkage * w - (after - before) / lr * w;\n"
    "bottom = (beta + after) / lr + 2 * l2;\n"
    "w = ((z > l1 ? l1 : z < -l1 ? -l1 : z) - z) / bottom;\n")};
static const lehr_preset presets[] = {
    {"keras3", "lr=0.001, keep=0", "keras.optimizers.Ftrl (Keras 3, tf.keras)"},
    {"paper", "lr=0.1, init=0, beta=1, keep=0", "McMahan et al. 2013, section 3"}};

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    (void)s;
    out[FIRST] = u->t == 1;
    out[SHRINK] = decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
    return LEHR_OK;
}

static const lehr_optimizer ftrl = {
    .size = sizeof ftrl,
    .name = "ftrl",
    .doc =
        "n += g^2; z += g - (sqrt(n) - sqrt(before)) / lr w; w = (clip(z, l1) - z) / (sqrt(n) / lr "
        "+ 2 l2)",
    .params = LEHR_TABLE(params),
    .slots = LEHR_TABLE(slots),
    .scalars = LEHR_TABLE(scalars),
    .passes = LEHR_TABLE(passes),
    .presets = LEHR_TABLE(presets),
    .scalar = scalar,
    .lr = 0.001};
LEHR_OPTIMIZER_PLUGIN("org.lehr.ftrl", "1.0", ftrl)
