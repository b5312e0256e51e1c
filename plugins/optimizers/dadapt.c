/* SPDX-License-Identifier: MIT
 *
 * D-Adaptation (Defazio & Mishchenko, arXiv 2301.07733): the rate d is a lower bound of the
 * distance to the solution that grows as gradients line up.  lr is a factor, normally 1.
 * dadapt_adam  algorithm 5: s, m sums of d lr g, r = q r + (1 - q) d lr <g, s / (sqrt(v) + eps)>, q
 * = sqrt(beta2), d = max(d, r / ((1 - q) |s|_1)), w -= m / (sqrt(v) + eps) dadapt_sgd   algorithm
 * 4: s += d lr g / |g of the first update|, d = max(d, 2 r / |s|), w moves to w0 - s by 1 -
 * momentum */
#include "common.h"

/* In both rules d starts the state and the parameters d0, growth begin at the same place. */
enum { D };
#define D0_PARAM                                                                                   \
    {                                                                                              \
        "d0", "first estimate of d", 1e-6, 0, LEHR_ANY, LEHR_REAL, LEHR_P_OPEN_MIN | LEHR_P_LOG,   \
            0, 0                                                                                   \
    }
#define GROWTH_PARAM                                                                               \
    LEHR_REALP("growth", LEHR_ANY, 1, LEHR_ANY, "most by which d grows in an update")

static void grow(double *d, double estimate, double growth)
{
    if (growth < LEHR_ANY) estimate = fmin(estimate, *d * growth);
    if (estimate > *d) *d = estimate;
}

/* ---- adam ---- */

enum { BETA1, BETA2, EPS, D0, GROWTH, WEIGHT_DECAY, DECAY, CORRECTION };
static const lehr_param adam_params[] = {BETA1_PARAM(0.9),
                                         BETA2_PARAM(0.999),
                                         EPS_PARAM(1e-8),
                                         D0_PARAM,
                                         GROWTH_PARAM,
                                         WEIGHT_DECAY_PARAM(0),
                                         DECAY_PARAM(DECAY_DECOUPLED),
                                         LEHR_BOOLP("correction", 0,
                                                    "Adam's bias "
                                                    "correction")};
static const lehr_slot adam_slots[] = {
    LEHR_SLOT("m", "average of steps"), LEHR_SLOT("v", "average of squared gradients"),
    LEHR_SLOT("s", "slow average of steps"), LEHR_SCRATCH("pull", "a weight's share of r")};
enum { TOP = D + 1, BEFORE };
static const lehr_var adam_state[] = {LEHR_VAR("d", 0, "estimated distance"), LEHR_VAR("r", 0, "r"),
                                      LEHR_VAR("before", 0, "d of the step")};
enum { ENTER1, SHARE2, KEEP_S, ENTER_S, SHRINK };
static const char *const adam_scalars[] = {"enter1", "share2", "keep_s", "enter_s", "shrink"};
static const lehr_reduce adam_sums[] = {{"gain", "pull", LEHR_SUM, LEHR_OVER_ALL_TO_HOST},
                                        {"size", "fabs(s)", LEHR_SUM, LEHR_OVER_ALL_TO_HOST}};
static const lehr_pass adam_passes[] = {LEHR_PASS_R(DECAY_CODE
                                                    "real bottom = sqrt(v) + eps;\n"
                                                    "pull = bottom > 0 ? lr * d * s / bottom : 0;\n"
                                                    "m = beta1 * m + enter1 * d;\n"
                                                    "v = beta2 * v + share2 * d * d;\n"
                                                    "s = keep_s * s + enter_s * d;\n"
                                                    "bottom = sqrt(v) + eps;\n"
                                                    "w -= bottom > 0 ? m / bottom : 0;\n",
                                                    LEHR_TABLE(adam_sums)),
                                        LEHR_PASS("")};
static const lehr_preset adam_presets[] = {
    {"optax", "lr=1, correction=1", "optax.contrib.dadapt_adamw"},
    {"paper", "lr=1, d0=1e-6", "arXiv 2301.07733, and its code (dadaptation)"}};

static double corrected(const lehr_update *u)
{
    double t = (double)u->t;
    if (u->p[CORRECTION] == 0) return 1;
    return sqrt(1 - pow(u->p[BETA2], t)) / (1 - pow(u->p[BETA1], t));
}

static lehr_status adam_advance(const lehr_update *u, double *s)
{
    double q = sqrt(u->p[BETA2]);
    if (u->pass == 0) {
        if (u->t == 1) s[D] = u->p[D0];
        s[BEFORE] = s[D];
        return LEHR_OK;
    }
    s[TOP] = q * s[TOP] + (1 - q) * s[D] * corrected(u) * u->all[0];
    if (u->all[1] > 0 && u->lr > 0) grow(&s[D], s[TOP] / ((1 - q) * u->all[1]), u->p[GROWTH]);
    return LEHR_OK;
}

static lehr_status adam_scalar(const lehr_update *u, const double *s, double *out)
{
    double q = sqrt(u->p[BETA2]), rate = s[BEFORE] * u->lr * corrected(u);
    out[ENTER1] = (1 - u->p[BETA1]) * rate;
    out[SHARE2] = 1 - u->p[BETA2];
    out[KEEP_S] = q;
    out[ENTER_S] = (1 - q) * rate;
    out[SHRINK] = u->p[DECAY] == DECAY_DECOUPLED ? rate * u->p[WEIGHT_DECAY]
                                                 : decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
    return LEHR_OK;
}

static const lehr_optimizer dadapt_adam = {
    .size = sizeof dadapt_adam,
    .name = "dadapt_adam",
    .doc =
        "adam with the rate d lr; d = max(d, r / |s|_1), a bound of the distance to the solution",
    .params = LEHR_TABLE(adam_params),
    .slots = LEHR_TABLE(adam_slots),
    .state = LEHR_TABLE(adam_state),
    .scalars = LEHR_TABLE(adam_scalars),
    .passes = LEHR_TABLE(adam_passes),
    .presets = LEHR_TABLE(adam_presets),
    .advance = adam_advance,
    .scalar = adam_scalar,
    .lr = 1};

/* ---- sgd ---- */

enum { MOMENTUM, SGD_WEIGHT_DECAY, SGD_D0, SGD_GROWTH };
static const lehr_param sgd_params[] = {
    BETA_PARAM("momentum", 0.9, "share of the weight that is kept"),
    LEHR_SCHEDULABLEP("weight_decay", 0, 0, LEHR_ANY, LEHR_P_LOG, "added to the gradient"),
    D0_PARAM, GROWTH_PARAM};
static const lehr_slot sgd_slots[] = {
    LEHR_SLOT("s", "sum of steps"),
    {"start", "the weight at the start", 0, LEHR_SLOT_STATE, LEHR_SLOT_FROM_WEIGHT, 0, 0}};
enum { SGD_TOP = D + 1, FIRST, SGD_BEFORE };
static const lehr_var sgd_state[] = {LEHR_VAR("d", 0, "estimated distance"), LEHR_VAR("r", 0, "r"),
                                     LEHR_VAR("first", 0, "norm of the first gradient"),
                                     LEHR_VAR("before", 0, "d of the step")};
static const char *const sgd_scalars[] = {"rate", "share"};
static const lehr_reduce sgd_first[] = {
    {"g_square", "g * g", LEHR_SUM, LEHR_OVER_ALL_TO_HOST},
    {"gain", "lr * (g + weight_decay * w) * s", LEHR_SUM, LEHR_OVER_ALL_TO_HOST}};
static const lehr_reduce sgd_second[] = {{"s_square", "s * s", LEHR_SUM, LEHR_OVER_ALL_TO_HOST}};
static const lehr_pass sgd_passes[] = {LEHR_PASS_R("", LEHR_TABLE(sgd_first)),
                                       LEHR_PASS_R("s += rate * (g + weight_decay * w);\n"
                                                   "w = momentum * w + share * (start - s);\n",
                                                   LEHR_TABLE(sgd_second)),
                                       LEHR_PASS("")};
static const lehr_preset sgd_presets[] = {
    {"paper", "lr=1, d0=1e-6", "arXiv 2301.07733, and its code (dadaptation)"}};

static lehr_status sgd_advance(const lehr_update *u, double *s)
{
    if (u->pass == 0 && u->t == 1) s[D] = u->p[SGD_D0];
    if (u->pass == 1) {
        if (!(s[FIRST] > 0)) s[FIRST] = sqrt(u->all[0]);
        if (s[FIRST] > 0) s[SGD_TOP] += s[D] / s[FIRST] * u->all[1];
        s[SGD_BEFORE] = s[D];
    }
    if (u->pass == 2 && u->all[2] > 0 && u->lr > 0)
        grow(&s[D], 2 * s[SGD_TOP] / sqrt(u->all[2]), u->p[SGD_GROWTH]);
    return LEHR_OK;
}

static lehr_status sgd_scalar(const lehr_update *u, const double *s, double *out)
{
    out[0] = s[FIRST] > 0 ? s[SGD_BEFORE] * u->lr / s[FIRST] : 0;
    out[1] = 1 - u->p[MOMENTUM];
    return LEHR_OK;
}

static const lehr_optimizer dadapt_sgd = {
    .size = sizeof dadapt_sgd,
    .name = "dadapt_sgd",
    .doc = "s += d lr g / |g_1|; w = momentum w + (1 - momentum) (w0 - s); d = max(d, 2 r / |s|)",
    .params = LEHR_TABLE(sgd_params),
    .slots = LEHR_TABLE(sgd_slots),
    .state = LEHR_TABLE(sgd_state),
    .scalars = LEHR_TABLE(sgd_scalars),
    .passes = LEHR_TABLE(sgd_passes),
    .presets = LEHR_TABLE(sgd_presets),
    .advance = sgd_advance,
    .scalar = sgd_scalar,
    .lr = 1};

const lehr_plugin *lehr_plugin_v1(void)
{
    static const lehr_optimizer *const all[] = {&dadapt_adam, &dadapt_sgd};
    static const lehr_plugin self = {.size = sizeof self,
                                     .abi = LEHR_ABI,
                                     .id = "org.lehr.dadapt",
                                     .version = "1.0",
                                     .optimizers = all,
                                     .optimizer_count = 2};
    return &self;
}
