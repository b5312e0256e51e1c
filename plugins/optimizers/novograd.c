/* SPDX-License-Identifier: MIT
 *
 * novograd (Ginsburg et al., arXiv 1905.11286, algorithm 1): the second moment is one number of
 * each tensor, n = beta2 n + (1 - beta2) |g|^2 (the first n is |g|^2), m = beta1 m + g / (sqrt(n) +
 * eps) + weight_decay w, w -= lr m.  averaging=1 puts 1 - beta1 before what enters m. */
#include "common.h"

enum { BETA1, BETA2, EPS, WEIGHT_DECAY, DECAY, AVERAGING };
static const char *const choices[] = {"inside", "decoupled", "scheduled", "independent", 0};
static const lehr_param params[] = {
    BETA_PARAM("beta1", 0.95, "share of m that is kept"),
    BETA_PARAM("beta2", 0.98, "decay of the average of squared norms"),
    EPS_PARAM(1e-8),
    WEIGHT_DECAY_PARAM(0),
    LEHR_CHOICEP("decay", 0, choices, "how weight decay acts: inside: in m; the others beside it"),
    LEHR_BOOLP("averaging", 0, "m is an average")};
static const lehr_slot slots[] = {
    LEHR_SLOT("m", "momentum of normalised gradients"),
    LEHR_SLOT("n", "average of the tensor's squared norm, the same for all its weights")};
enum { ENTER, KEEP2, SHARE2, SHRINK };
static const char *const scalars[] = {"enter", "keep2", "share2", "shrink"};
static const lehr_reduce norm[] = {{"g_square", "g * g", LEHR_SUM, LEHR_PER_TENSOR}};
static const lehr_pass passes[] = {LEHR_PASS_R("", LEHR_TABLE(norm)),
                                   LEHR_PASS("n = keep2 * n + share2 * g_square;\n"
                                             "real bottom = sqrt(n) + eps;\n"
                                             "real d = bottom > 0 ? g / bottom : g;\n"
                                             "d += decay == 0 ? weight_decay * w : 0;\n"
                                             "w -= shrink * w;\n"
                                             "m = beta1 * m + enter * d;\n"
                                             "w -= lr * m;\n")};
static const lehr_preset presets[] = {
    {"optax", "beta1=0.9, beta2=0.25, eps=1e-6", "optax.novograd"},
    {"timm", "lr=0.001, beta1=0.95, beta2=0.98", "timm.optim.NvNovoGrad"},
    {"paper", "lr=0.01, beta1=0.95, beta2=0.98", "arXiv 1905.11286, section 4"}};

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    (void)s;
    out[ENTER] = u->p[AVERAGING] != 0 ? 1 - u->p[BETA1] : 1;
    out[KEEP2] = u->t == 1 ? 0 : u->p[BETA2];
    out[SHARE2] = u->t == 1 ? 1 : 1 - u->p[BETA2];
    out[SHRINK] = decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]); /* inside: 0, as l2 */
    return LEHR_OK;
}

static const lehr_optimizer novograd = {
    .size = sizeof novograd,
    .name = "novograd",
    .doc = "m = beta1 m + g / (sqrt(n) + eps); w -= lr m; n average of |g|^2 of each tensor",
    .params = LEHR_TABLE(params),
    .slots = LEHR_TABLE(slots),
    .scalars = LEHR_TABLE(scalars),
    .passes = LEHR_TABLE(passes),
    .presets = LEHR_TABLE(presets),
    .scalar = scalar,
    .lr = 0.001};
LEHR_OPTIMIZER_PLUGIN("org.lehr.novograd", "1.0", novograd)
