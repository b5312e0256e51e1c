/* SPDX-License-Identifier: MIT
 *
 * lars (You et al., arXiv 1708.03888, algorithm 1): SGD with a rate of its own for each tensor,
 * ratio = trust |w| / (|g| + weight_decay |w| + eps), v = momentum v + lr ratio (g + weight_decay
 * w), w -= v.  norm=joint (optax): the norm of g + weight_decay w below.  lr_inside=0, clip=1
 * (LARC: ratio at most lr) and always=0 (only tensors with weight decay have a ratio) as timm. */
#include "common.h"

enum { MOMENTUM, NESTEROV, WEIGHT_DECAY, TRUST, EPS, NORM, LR_INSIDE, CLIP, ALWAYS };
static const char *const norms[] = {"separate", "joint", 0};
static const lehr_param params[] = {
    BETA_PARAM("momentum", 0.9, "share of the last step that is kept"),
    LEHR_BOOLP("nesterov", 0, "look ahead along the velocity"),
    LEHR_SCHEDULABLEP("weight_decay", 0, 0, LEHR_ANY, LEHR_P_LOG, "added to the gradient"),
    LEHR_SCHEDULABLEP("trust", 0.001, 0, LEHR_ANY, 0, "the ratio's coefficient"),
    EPS_PARAM(0),
    LEHR_CHOICEP("norm", 0, norms,
                 "below: separate: |g| + weight_decay |w|; joint: |g + "
                 "weight_decay w|"),
    LEHR_BOOLP("lr_inside", 1, "lr inside the velocity"),
    LEHR_BOOLP("clip", 0, "rate of a tensor at most lr (LARC)"),
    LEHR_BOOLP("always", 1, "a ratio without weight decay too")};
static const lehr_slot slots[] = {LEHR_SLOT_WHEN("velocity", "momentum", "running step")};
static const lehr_reduce norms_of[] = {
    {"w_square", "w * w", LEHR_SUM, LEHR_PER_TENSOR},
    {"g_square", "norm != 0 ? (g + weight_decay * w) * (g + weight_decay * w) : g * g", LEHR_SUM,
     LEHR_PER_TENSOR}};
static const lehr_pass passes[] = {
    LEHR_PASS_R("", LEHR_TABLE(norms_of)),
    LEHR_PASS("real top = sqrt(w_square), bottom = sqrt(g_square);\n"
              "real ratio = trust * top / (bottom + (norm != 0 ? 0 : weight_decay * top) + eps);\n"
              "ratio = top > 0 && bottom > 0 ? ratio : 1;\n"
              "ratio = clip != 0 ? fmin(ratio / lr, 1) : ratio;\n"
              "ratio = always != 0 || weight_decay != 0 ? ratio : 1;\n"
              "real d = ratio * (g + weight_decay * w);\n"
              "d = lr_inside != 0 ? lr * d : d;\n"
              "velocity = momentum * velocity + d;\n"
              "d = nesterov != 0 ? d + momentum * velocity : velocity;\n"
              "w -= lr_inside != 0 ? d : lr * d;\n")};
static const lehr_preset presets[] = {
    {"optax", "norm=joint", "optax.lars"},
    {"timm", "lr=1, momentum=0, eps=1e-8, lr_inside=0, always=0", "timm.optim.Lars"},
    {"paper", "lr=2, momentum=0.9, weight_decay=5e-4, trust=0.001",
     "arXiv 1708.03888, section 5; lr of its AlexNet with batch 512 before scaling"}};

static const lehr_optimizer lars = {
    .size = sizeof lars,
    .name = "lars",
    .doc = "v = momentum v + lr trust |w| / |g| g, w -= v; norms of each tensor",
    .params = LEHR_TABLE(params),
    .slots = LEHR_TABLE(slots),
    .passes = LEHR_TABLE(passes),
    .presets = LEHR_TABLE(presets),
    .lr = 1};
LEHR_OPTIMIZER_PLUGIN("org.lehr.lars", "1.0", lars)
