/* SPDX-License-Identifier: MIT
 *
 * lion (Chen et al., arXiv 2302.06675, algorithm 2): w -= lr (sign(beta1 m + (1 - beta1) g) +
 * weight_decay w), m = beta2 m + (1 - beta2) g.  Its lr is 3 to 10 times smaller than AdamW's. */
#include <lehr/plugin.h>

static const lehr_param params[] = {
    LEHR_SCHEDULABLEP("beta1", 0.9, 0, 1, 0, "share of the average in the step"),
    LEHR_SCHEDULABLEP("beta2", 0.99, 0, 1, 0, "decay of the average"),
    LEHR_SCHEDULABLEP("weight_decay", 0, 0, LEHR_ANY, 0, "decoupled: w -= lr weight_decay w")};
static const lehr_slot slots[] = {LEHR_SLOT("m", "average of gradients")};
static const lehr_pass passes[] = {
    LEHR_PASS("w -= lr * (sign(beta1 * m + (1 - beta1) * g) + weight_decay * w);\n"
              "m = beta2 * m + (1 - beta2) * g;\n")};
static const lehr_preset presets[] = {
    {"keras3", "lr=0.001", "keras.optimizers.Lion"}, {"optax", "weight_decay=1e-3", "optax.lion"},
    {"timm", "lr=1e-4", "timm.optim.Lion"}, {"paper", "lr=1e-4", "arXiv 2302.06675"}};
static const lehr_optimizer lion = {
    .size = sizeof lion, .name = "lion", .doc = "w -= lr sign(beta1 m + (1 - beta1) g)",
    .params = LEHR_TABLE(params), .slots = LEHR_TABLE(slots), .passes = LEHR_TABLE(passes),
    .presets = LEHR_TABLE(presets), .lr = 1e-4};
LEHR_OPTIMIZER_PLUGIN("org.lehr.lion", "1.0", lion)
