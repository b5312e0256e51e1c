/* SPDX-License-Identifier: MIT
 *
 * dog (Ivgi, Hinder & Carmon, arXiv 2302.12022, section 2): distance over gradients, w -= lr r /
 * sqrt(G
 * + eps) g, r the largest distance from the start so far and G the sum of |g|^2; r starts at r_eps
 * (1
 * + |w0|).  dowg (Khaled et al., arXiv 2305.16284, algorithm 1): G weighted by r^2, w -= lr r^2 /
 * (sqrt(sum of r^2 |g|^2) + eps) g, r^2 starting at r_square.  lr is a factor, normally 1. */
#include "common.h"

#define L2_PARAM                                                                                   \
    LEHR_SCHEDULABLEP("weight_decay", 0, 0, LEHR_ANY, LEHR_P_LOG, "added to the gradient")
#define DECAYED "(g + weight_decay * w)"

enum { START, EPS, WEIGHT_DECAY };
static const lehr_param dog_params[] = {{"r_eps", "first distance, relative to 1 + |w0|", 1e-6, 0,
                                         LEHR_ANY, LEHR_REAL, LEHR_P_OPEN_MIN | LEHR_P_LOG, 0, 0},
                                        EPS_PARAM(1e-8),
                                        L2_PARAM};
static const lehr_param dowg_params[] = {{"r_square", "first squared distance", 1e-4, 0, LEHR_ANY,
                                          LEHR_REAL, LEHR_P_OPEN_MIN | LEHR_P_LOG, 0, 0},
                                         EPS_PARAM(1e-4),
                                         L2_PARAM};
static const lehr_slot slots[] = {
    {"start", "the weight at the start", 0, LEHR_SLOT_STATE, LEHR_SLOT_FROM_WEIGHT, 0, 0}};
enum { R, SUM, RATE };
static const lehr_var state[] = {LEHR_VAR("r", 0, "largest distance, squared in dowg"),
                                 LEHR_VAR("sum", 0, "sum of squared gradients"),
                                 LEHR_VAR("rate", 0, "rate of the update")};
static const char *const scalars[] = {"rate"};
static const lehr_reduce sums[] = {
    {"moved", "(w - start) * (w - start)", LEHR_SUM, LEHR_OVER_ALL_TO_HOST},
    {"g_square", DECAYED " * " DECAYED, LEHR_SUM, LEHR_OVER_ALL_TO_HOST},
    {"size", "start * start", LEHR_SUM, LEHR_OVER_ALL_TO_HOST}};
static const lehr_pass passes[] = {LEHR_PASS_R("", LEHR_TABLE(sums)),
                                   LEHR_PASS("w -= rate * " DECAYED ";\n")};
static const lehr_preset dog_presets[] = {
    {"optax", "lr=1, r_eps=1e-6", "optax.contrib.dog"},
    {"paper", "lr=1, r_eps=1e-6", "arXiv 2302.12022, section 4"}};
static const lehr_preset dowg_presets[] = {
    {"optax", "lr=1, eps=1e-4", "optax.contrib.dowg"},
    {"paper", "lr=1, eps=1e-4", "arXiv 2305.16284, algorithm 1, and its code"}};

static lehr_status dog_advance(const lehr_update *u, double *s)
{
    if (u->pass == 0) return LEHR_OK;
    if (u->t == 1) s[R] = u->p[START] * (1 + sqrt(u->all[2]));
    s[R] = fmax(s[R], sqrt(u->all[0]));
    s[SUM] += u->all[1];
    s[RATE] = s[SUM] + u->p[EPS] > 0 ? s[R] / sqrt(s[SUM] + u->p[EPS]) : 0;
    return LEHR_OK;
}

static lehr_status dowg_advance(const lehr_update *u, double *s)
{
    if (u->pass == 0) return LEHR_OK;
    if (u->t == 1) s[R] = u->p[START];
    s[R] = fmax(s[R], u->all[0]);
    s[SUM] += s[R] * u->all[1];
    double bottom = sqrt(s[SUM]) + u->p[EPS];
    s[RATE] = bottom > 0 ? s[R] / bottom : 0;
    return LEHR_OK;
}

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    out[0] = u->lr * s[RATE];
    return LEHR_OK;
}

#define OPTIMIZER(NAME, DOC)                                                                       \
    {                                                                                              \
        .size = sizeof(lehr_optimizer), .name = #NAME, .doc = DOC,                                 \
        .params = LEHR_TABLE(NAME##_params), .slots = LEHR_TABLE(slots),                           \
        .state = LEHR_TABLE(state), .scalars = LEHR_TABLE(scalars), .passes = LEHR_TABLE(passes),  \
        .presets = LEHR_TABLE(NAME##_presets), .advance = NAME##_advance, .scalar = scalar,        \
        .lr = 1                                                                                    \
    }
static const lehr_optimizer dog =
    OPTIMIZER(dog, "w -= lr max |w - w0| / sqrt(sum of |g|^2) g, over all weights");
static const lehr_optimizer dowg =
    OPTIMIZER(dowg, "r = max |w - w0|; w -= lr r^2 / sqrt(sum of r^2 |g|^2) g, over all weights");

const lehr_plugin *lehr_plugin_v1(void)
{
    static const lehr_optimizer *const all[] = {&dog, &dowg};
    static const lehr_plugin self = {.size = sizeof self,
                                     .abi = LEHR_ABI,
                                     .id = "org.lehr.dog",
                                     .version = "1.0",
                                     .optimizers = all,
                                     .optimizer_count = 2};
    return &self;
}
