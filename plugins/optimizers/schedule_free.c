/* SPDX-License-Identifier: MIT
 *
 * Schedule-Free learning (Defazio et al., arXiv 2405.15682, algorithm 1, and its code): gradients
 * at y = (1 - beta) z + beta x, z -= lr u, x = (1 - c) x + c z with c = lr_max^power / its sum.  w
 * is y in training and x in evaluation; x is not stored.  u is g + weight_decay y
 * (schedule_free_sgd) or g / (sqrt(vhat) + eps) + weight_decay y (schedule_free_adamw).  Meant for
 * a constant lr after a warmup. Keras: power=0 (c = 1 / t), its weight decay acts on y alone. */
#include "common.h"

#define FREE_PARAMS(BETA)                                                                          \
    BETA_PARAM(BETA, 0.9, "where between z and x the gradients are taken"),                        \
        LEHR_SCHEDULABLEP("weight_decay", 0, 0, LEHR_ANY, LEHR_P_LOG,                              \
                          "added to u: z -= lr weight_decay y"),                                   \
        LEHR_REALP("power", 2, 0, LEHR_ANY,                                                        \
                   "weight of an update in the mean: its lr to this power"),                       \
        LEHR_REALP("r", 0, 0, LEHR_ANY, "and its number to this power"),                           \
        LEHR_INTP("warmup", 0, 0, 1e15, "updates of linear warmup, from lr / warmup")
enum { BETA, WEIGHT_DECAY, POWER, R_POWER, WARMUP, BETA2, EPS };
static const lehr_param sgd_params[] = {FREE_PARAMS("momentum")};
static const lehr_param adamw_params[] = {FREE_PARAMS("beta1"), BETA2_PARAM(0.999),
                                          EPS_PARAM(1e-8)};
#define Z_SLOT                                                                                     \
    {                                                                                              \
        "z", "where plain steps lead", 0, LEHR_SLOT_STATE, LEHR_SLOT_FROM_WEIGHT, 0, 0             \
    }
static const lehr_slot sgd_slots[] = {Z_SLOT};
static const lehr_slot adamw_slots[] = {Z_SLOT, LEHR_SLOT("v", "average of squared gradients")};
enum { HIGHEST, SUM, C };
static const lehr_var state[] = {LEHR_VAR("highest", 0, "largest lr so far"),
                                 LEHR_VAR("sum", 0, "sum of the weights of updates"),
                                 LEHR_VAR("c", 0, "weight of this update in the mean")};
enum { MIX, RATE, Y_RATE, SHARE2, CORRECT2 };
static const char *const scalars[] = {"mix", "rate", "y_rate", "share2", "correct2"};
#define MOVE_CODE                                                                                  \
    "w += mix * (z - w) - y_rate * d;\n"                                                           \
    "z -= rate * d;\n"
static const lehr_pass sgd_passes[] = {LEHR_PASS("real d = g + weight_decay * w;\n" MOVE_CODE)};
static const lehr_pass adamw_passes[] = {
    LEHR_PASS("v = beta2 * v + share2 * g * g;\n"
              "real d = g / (sqrt(v) * correct2 + eps) + weight_decay * w;\n" MOVE_CODE)};
#define X_CODE(BETA) BETA " > 0 ? z + (w - z) / " BETA " : z;\n"
static const lehr_preset sgd_presets[] = {
    {"optax", "lr=1", "optax.contrib.schedule_free_sgd"},
    {"paper", "lr=1", "arXiv 2405.15682, and its code (schedulefree.SGDScheduleFree)"}};
static const lehr_preset adamw_presets[] = {
    {"keras3", "lr=0.0025, power=0", "keras.optimizers.ScheduleFreeAdamW"},
    {"optax", "lr=0.0025", "optax.contrib.schedule_free_adamw"},
    {"paper", "lr=0.0025", "arXiv 2405.15682, and its code (schedulefree.AdamWScheduleFree)"}};

static double warm(const lehr_update *u)
{
    double t = (double)u->t;
    return t < u->p[WARMUP] ? t / u->p[WARMUP] : 1;
}

static lehr_status advance(const lehr_update *u, double *s)
{
    s[HIGHEST] = fmax(s[HIGHEST], u->lr * warm(u));
    double weight = pow((double)u->t, u->p[R_POWER]) * pow(s[HIGHEST], u->p[POWER]);
    s[SUM] += weight;
    s[C] = s[SUM] > 0 ? weight / s[SUM] : 0;
    return LEHR_OK;
}

static void move(const lehr_update *u, const double *s, double *out)
{
    out[MIX] = s[C];
    out[RATE] = u->lr * warm(u);
    out[Y_RATE] = out[RATE] * (1 - u->p[BETA] * (1 - s[C]));
}

static lehr_status sgd_scalar(const lehr_update *u, const double *s, double *out)
{
    move(u, s, out);
    return LEHR_OK;
}

static lehr_status adamw_scalar(const lehr_update *u, const double *s, double *out)
{
    move(u, s, out);
    out[SHARE2] = 1 - u->p[BETA2];
    out[CORRECT2] = u->t > 0 ? 1 / sqrt(1 - pow(u->p[BETA2], (double)u->t)) : 1;
    return LEHR_OK;
}

static const lehr_optimizer schedule_free_sgd = {
    .size = sizeof schedule_free_sgd,
    .name = "schedule_free_sgd",
    .doc = "z -= lr g; x mean of z; gradients at y between them, evaluated at x",
    .params = LEHR_TABLE(sgd_params),
    .slots = LEHR_TABLE(sgd_slots),
    .state = LEHR_TABLE(state),
    .scalars = {scalars, 3, sizeof *scalars},
    .passes = LEHR_TABLE(sgd_passes),
    .presets = LEHR_TABLE(sgd_presets),
    .advance = advance,
    .scalar = sgd_scalar,
    .enter_eval = "w = " X_CODE("momentum"),
    .lr = 0.1};
static const lehr_optimizer schedule_free_adamw = {
    .size = sizeof schedule_free_adamw,
    .name = "schedule_free_adamw",
    .doc =
        "z -= lr g / (sqrt(vhat) + eps); x mean of z; gradients at y between them, evaluated at x",
    .params = LEHR_TABLE(adamw_params),
    .slots = LEHR_TABLE(adamw_slots),
    .state = LEHR_TABLE(state),
    .scalars = LEHR_TABLE(scalars),
    .passes = LEHR_TABLE(adamw_passes),
    .presets = LEHR_TABLE(adamw_presets),
    .advance = advance,
    .scalar = adamw_scalar,
    .enter_eval = "w = " X_CODE("beta1"),
    .lr = 0.0025};

const lehr_plugin *lehr_plugin_v1(void)
{
    static const lehr_optimizer *const all[] = {&schedule_free_sgd, &schedule_free_adamw};
    static const lehr_plugin self = {.size = sizeof self,
                                     .abi = LEHR_ABI,
                                     .id = "org.lehr.schedule_free",
                                     .version = "1.0",
                                     .optimizers = all,
                                     .optimizer_count = 2};
    return &self;
}
