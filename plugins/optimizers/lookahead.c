/* SPDX-License-Identifier: MIT
 *
 * Lookahead (Zhang et al., arXiv 1907.08610, algorithm 1) around sgd, adamw and radam (Ranger):
 * after every k updates slow += alpha (w - slow), w = slow.  The slow weights start at the initial
 * ones, as in the paper and optax; timm starts them after the first k updates. */
#include "common.h"

#define LOOKAHEAD_PARAMS(K)                                                                        \
    LEHR_INTP("k", K, 1, 1e15, "updates between two meetings"),                                    \
        LEHR_SCHEDULABLEP("alpha", 0.5, 0, 1, 0, "share of the way that the slow weights go")
#define ADAM_PARAMS(BETA1, EPS, WEIGHT_DECAY, DECAY)                                               \
    BETA1_PARAM(BETA1), BETA2_PARAM(0.999), EPS_PARAM(EPS), WEIGHT_DECAY_PARAM(WEIGHT_DECAY),      \
        DECAY_PARAM(DECAY)
#define SLOW_SLOT                                                                                  \
    {                                                                                              \
        "slow", "slow weights", 0, LEHR_SLOT_STATE, LEHR_SLOT_FROM_WEIGHT, 0, 0                    \
    }
#define LOOKAHEAD_CODE                                                                             \
    "slow = meet != 0 ? slow + alpha * (w - slow) : slow;\n"                                       \
    "w = meet != 0 ? slow : w;\n"

enum { K, ALPHA };
static int meets(const lehr_update *u)
{
    return fmod((double)u->t, u->p[K]) == 0;
}

/* ---- sgd ---- */

enum { MOMENTUM = ALPHA + 1, NESTEROV, SGD_WEIGHT_DECAY, SGD_DECAY };
static const lehr_param sgd_params[] = {
    LOOKAHEAD_PARAMS(5), BETA_PARAM("momentum", 0.9, "share of the last step that is kept"),
    LEHR_BOOLP("nesterov", 0, "look ahead along the velocity"), WEIGHT_DECAY_PARAM(0),
    DECAY_PARAM(DECAY_L2)};
static const lehr_slot sgd_slots[] = {LEHR_SLOT_WHEN("velocity", "momentum", "running step"),
                                      SLOW_SLOT};
static const char *const sgd_scalars[] = {"meet", "shrink"};
static const lehr_pass sgd_passes[] = {LEHR_PASS(
    DECAY_CODE "velocity = momentum * velocity + d;\n"
               "w -= lr * (nesterov != 0 ? d + momentum * velocity : velocity);\n" LOOKAHEAD_CODE)};
static const lehr_preset sgd_presets[] = {
    {"paper", "lr=0.1, k=5, alpha=0.8", "arXiv 1907.08610, section 5.1 (CIFAR)"}};

static lehr_status sgd_scalar(const lehr_update *u, const double *s, double *out)
{
    (void)s;
    out[0] = meets(u);
    out[1] = decay_shrink(u, u->p[SGD_WEIGHT_DECAY], u->p[SGD_DECAY]);
    return LEHR_OK;
}

static const lehr_optimizer lookahead_sgd = {
    .size = sizeof lookahead_sgd,
    .name = "lookahead_sgd",
    .doc = "sgd; every k updates slow += alpha (w - slow), w = slow",
    .params = LEHR_TABLE(sgd_params),
    .slots = LEHR_TABLE(sgd_slots),
    .scalars = LEHR_TABLE(sgd_scalars),
    .passes = LEHR_TABLE(sgd_passes),
    .presets = LEHR_TABLE(sgd_presets),
    .scalar = sgd_scalar,
    .lr = 0.1};

/* ---- adamw, radam ---- */

enum { BETA1 = ALPHA + 1, BETA2, EPS, WEIGHT_DECAY, DECAY };
static const lehr_param adamw_params[] = {LOOKAHEAD_PARAMS(5),
                                          ADAM_PARAMS(0.9, 1e-8, 0.01, DECAY_DECOUPLED)};
static const lehr_param ranger_params[] = {LOOKAHEAD_PARAMS(6),
                                           ADAM_PARAMS(0.95, 1e-5, 0, DECAY_DECOUPLED)};
static const lehr_slot slots[] = {LEHR_SLOT("m", "average of gradients"),
                                  LEHR_SLOT("v", "average of squared gradients"), SLOW_SLOT};
enum { MEET, SHARE1, SHARE2, CORRECT1, CORRECT2, EPS_T, RECTIFY, SHRINK };
static const char *const scalars[] = {"meet",     "share1", "share2",  "correct1",
                                      "correct2", "eps_t",  "rectify", "shrink"};
static const lehr_pass passes[] = {
    LEHR_PASS(DECAY_CODE "m = beta1 * m + share1 * d;\n"
                         "v = beta2 * v + share2 * d * d;\n"
                         "w -= lr * correct1 * (rectify != 0 ? rectify * m / (sqrt(v) * correct2 + "
                         "eps_t) : m);\n" LOOKAHEAD_CODE)};
static const lehr_preset adamw_presets[] = {
    {"paper", "lr=0.001, k=5, alpha=0.5", "arXiv 1907.08610, section 5"}};
static const lehr_preset ranger_presets[] = {
    {"paper", "lr=0.001, k=6, alpha=0.5, beta1=0.95, eps=1e-5", "the code of Ranger (L. Wright)"}};

static lehr_status adamw_scalar(const lehr_update *u, const double *s, double *out)
{
    double t = (double)u->t;
    (void)s;
    out[MEET] = meets(u);
    out[SHARE1] = 1 - u->p[BETA1];
    out[SHARE2] = 1 - u->p[BETA2];
    out[CORRECT1] = 1 / (1 - pow(u->p[BETA1], t));
    out[CORRECT2] = 1 / sqrt(1 - pow(u->p[BETA2], t));
    out[EPS_T] = u->p[EPS];
    out[RECTIFY] = 1;
    out[SHRINK] = decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
    return LEHR_OK;
}

static lehr_status ranger_scalar(const lehr_update *u, const double *s, double *out)
{
    lehr_status st = adamw_scalar(u, s, out);
    out[EPS_T] = u->p[EPS] * out[CORRECT2];
    out[RECTIFY] = rectification(u->p[BETA2], (double)u->t);
    return st;
}

static const lehr_optimizer lookahead_adamw = {
    .size = sizeof lookahead_adamw,
    .name = "lookahead_adamw",
    .doc = "adamw; every k updates slow += alpha (w - slow), w = slow",
    .params = LEHR_TABLE(adamw_params),
    .slots = LEHR_TABLE(slots),
    .scalars = LEHR_TABLE(scalars),
    .passes = LEHR_TABLE(passes),
    .presets = LEHR_TABLE(adamw_presets),
    .scalar = adamw_scalar,
    .lr = 0.001};
static const lehr_optimizer ranger = {
    .size = sizeof ranger,
    .name = "ranger",
    .doc = "radam; every k updates slow += alpha (w - slow), w = slow",
    .params = LEHR_TABLE(ranger_params),
    .slots = LEHR_TABLE(slots),
    .scalars = LEHR_TABLE(scalars),
    .passes = LEHR_TABLE(passes),
    .presets = LEHR_TABLE(ranger_presets),
    .scalar = ranger_scalar,
    .lr = 0.001};

const lehr_plugin *lehr_plugin_v1(void)
{
    static const lehr_optimizer *const all[] = {&lookahead_sgd, &lookahead_adamw, &ranger};
    static const lehr_plugin self = {.size = sizeof self,
                                     .abi = LEHR_ABI,
                                     .id = "org.lehr.lookahead",
                                     .version = "1.0",
                                     .optimizers = all,
                                     .optimizer_count = 3};
    return &self;
}
