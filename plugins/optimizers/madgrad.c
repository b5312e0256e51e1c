/* SPDX-License-Identifier: MIT
 *
 * madgrad (Defazio & Jelassi, arXiv 2101.11075, algorithm 1): dual averaging from the start w0,
 * rate = (lr + eps) sqrt(t), square += rate g^2, sum += rate g, z = w0 - sum / (cbrt(square) +
 * eps), w = momentum w + (1 - momentum) z. */
#include "common.h"

enum { MOMENTUM, EPS, WEIGHT_DECAY, DECAY };
static const lehr_param params[] = {BETA_PARAM("momentum", 0.9, "share of the weight that is kept"),
                                    EPS_PARAM(1e-6), WEIGHT_DECAY_PARAM(0), DECAY_PARAM(DECAY_L2)};
static const lehr_slot slots[] = {
    LEHR_SLOT("sum", "sum of gradients"),
    LEHR_SLOT("square", "sum of squared gradients"),
    {"start", "the weight at the start", 0, LEHR_SLOT_STATE, LEHR_SLOT_FROM_WEIGHT, 0, 0}};
enum { RATE, SHARE, SHRINK };
static const char *const scalars[] = {"rate", "share", "shrink"};
static const lehr_pass passes[] = {
    LEHR_PASS(DECAY_CODE "square += rate * d * d;\n"
                         "sum += rate * d;\n"
                         "w = momentum * w + share * (start - sum / (cbrt(square) + eps));\n")};
static const lehr_preset presets[] = {
    {"optax", "momentum=0.9, eps=1e-6", "optax.contrib.madgrad"},
    {"timm", "lr=0.01", "timm.optim.MADGRAD"},
    {"paper", "lr=0.01, momentum=0.9, eps=1e-6", "arXiv 2101.11075, and its code"}};

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    (void)s;
    out[RATE] = (u->lr + u->p[EPS]) * sqrt((double)u->t);
    out[SHARE] = 1 - u->p[MOMENTUM];
    out[SHRINK] = decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
    return LEHR_OK;
}

static const lehr_optimizer madgrad = {
    .size = sizeof madgrad,
    .name = "madgrad",
    .doc = "z = w0 - sum / (cbrt(square) + eps); w = momentum w + (1 - momentum) z",
    .params = LEHR_TABLE(params),
    .slots = LEHR_TABLE(slots),
    .scalars = LEHR_TABLE(scalars),
    .passes = LEHR_TABLE(passes),
    .presets = LEHR_TABLE(presets),
    .scalar = scalar,
    .lr = 0.01};
LEHR_OPTIMIZER_PLUGIN("org.lehr.madgrad", "1.0", madgrad)
