/* SPDX-License-Identifier: MIT
 *
 * polyak_sgd (Loizou et al., arXiv 2002.10542, SPSmax): the rate follows from the loss f, w -= lr
 * min((f
 * - f_min) / (c |g|^2 + eps), max_rate) g.  lr is a factor, normally 1.  optax applies its factor
 * before the norm: the same at 1.  positive=1: a loss below f_min makes no step backwards.  The
 * host waits for the loss at every update. */
#include "common.h"

enum { F_MIN, MAX_RATE, EPS, C, POSITIVE };
static const lehr_param params[] = {
    LEHR_SCHEDULABLEP("f_min", 0, -LEHR_ANY, LEHR_ANY, 0, "the least loss"),
    LEHR_SCHEDULABLEP("max_rate", 1, 0, LEHR_ANY, LEHR_P_OPEN_MIN, "largest rate"), EPS_PARAM(0),
    LEHR_SCHEDULABLEP("c", 1, 0, LEHR_ANY, LEHR_P_OPEN_MIN, "factor of the squared gradient"),
    LEHR_BOOLP("positive", 0, "no rate below 0")};
static const char *const scalars[] = {"gap"};
static const lehr_reduce norm[] = {{"g_square", "g * g", LEHR_SUM, LEHR_OVER_ALL}};
static const lehr_pass passes[] = {
    LEHR_PASS_R("", LEHR_TABLE(norm)),
    LEHR_PASS("real bottom = c * g_square + eps;\n"
              "w -= bottom > 2.2204460e-16 ? lr * fmin(gap / bottom, max_rate) * g : 0;\n")};
static const lehr_preset presets[] = {
    {"optax", "lr=1, max_rate=1, f_min=0", "optax.polyak_sgd"},
    {"paper", "lr=1, c=0.5, max_rate=1", "arXiv 2002.10542, section 4"}};

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    (void)s;
    out[0] = u->loss - u->p[F_MIN];
    if (u->p[POSITIVE] != 0 && out[0] < 0) out[0] = 0;
    return LEHR_OK;
}

static const lehr_optimizer polyak_sgd = {
    .size = sizeof polyak_sgd,
    .flags = LEHR_O_NEEDS_LOSS,
    .name = "polyak_sgd",
    .doc = "w -= lr min((loss - f_min) / |g|^2, max_rate) g; |g| over all weights",
    .params = LEHR_TABLE(params),
    .scalars = LEHR_TABLE(scalars),
    .passes = LEHR_TABLE(passes),
    .presets = LEHR_TABLE(presets),
    .scalar = scalar,
    .lr = 1};
LEHR_OPTIMIZER_PLUGIN("org.lehr.polyak_sgd", "1.0", polyak_sgd)
