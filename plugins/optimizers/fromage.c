/* SPDX-License-Identifier: MIT
 *
 * fromage (Bernstein et al., arXiv 2002.03432, algorithm 1): each tensor turns by the angle lr, w =
 * (w - lr |w| / |g| g) / sqrt(1 + lr^2).  Norms count as at least min_norm (optax). */
#include "common.h"

static const lehr_param params[] = {
    LEHR_SCHEDULABLEP("min_norm", 1e-6, 0, LEHR_ANY, LEHR_P_OPEN_MIN, "least norm of a tensor")};
static const char *const scalars[] = {"shorter"};
static const lehr_reduce norms[] = {{"w_square", "w * w", LEHR_SUM, LEHR_PER_TENSOR},
                                    {"g_square", "g * g", LEHR_SUM, LEHR_PER_TENSOR}};
static const lehr_pass passes[] = {
    LEHR_PASS_R("", LEHR_TABLE(norms)),
    LEHR_PASS(
        "real top = fmax(sqrt(w_square), min_norm), bottom = fmax(sqrt(g_square), min_norm);\n"
        "w = shorter * (w - lr * (top / bottom) * g);\n")};
static const lehr_preset presets[] = {
    {"optax", "min_norm=1e-6", "optax.fromage"},
    {"paper", "lr=0.01", "arXiv 2002.03432, section 6 (without a least norm there)"}};

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    (void)s;
    out[0] = 1 / sqrt(1 + u->lr * u->lr);
    return LEHR_OK;
}

static const lehr_optimizer fromage = {
    .size = sizeof fromage,
    .name = "fromage",
    .doc = "w = (w - lr |w| / |g| g) / sqrt(1 + lr^2); norms of each tensor",
    .params = LEHR_TABLE(params),
    .scalars = LEHR_TABLE(scalars),
    .passes = LEHR_TABLE(passes),
    .presets = LEHR_TABLE(presets),
    .scalar = scalar,
    .lr = 0.01};
LEHR_OPTIMIZER_PLUGIN("org.lehr.fromage", "1.0", fromage)
