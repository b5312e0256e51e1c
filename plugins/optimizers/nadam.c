/* SPDX-License-Identifier: MIT
 *
 * nadam (Dozat, ICLR workshop 2016, algorithm 2): Adam with Nesterov's momentum, w -= lr mbar /
 * (sqrt(vhat) + eps).  correction says how mbar is made:
 * schedule  mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2), P = mu_1 ... mu_t, mbar = mu_(t+1) m /
 *           (1 - P mu_(t+1)) + (1 - mu_t) g / (1 - P)          (Dozat, PyTorch, Keras)
 * next      mbar = beta1 m / (1 - beta1^(t+1)) + (1 - beta1) g / (1 - beta1^t)            (optax)
 * same      mbar = (beta1 m + (1 - beta1) g) / (1 - beta1^t)                   (timm, AlgoPerf)
 * nadamw: weight decay beside the averages. */
#include "common.h"

enum { BETA1, BETA2, EPS, MOMENTUM_DECAY, WEIGHT_DECAY, DECAY, CORRECTION };
enum { SCHEDULE, NEXT, SAME };
static const char *const corrections[] = {"schedule", "next", "same", 0};
#define PARAMS(WEIGHT_DECAY_DEF, DECAY_DEF)                                                        \
    {                                                                                              \
        BETA1_PARAM(0.9), BETA2_PARAM(0.999), EPS_PARAM(1e-8),                                     \
            LEHR_REALP("momentum_decay", 0.004, 0, LEHR_ANY, "speed at which mu_t reaches beta1"), \
            WEIGHT_DECAY_PARAM(WEIGHT_DECAY_DEF), DECAY_PARAM(DECAY_DEF),                          \
            LEHR_CHOICEP(                                                                          \
                "correction", SCHEDULE, corrections,                                               \
                "how the average is corrected: schedule: by the product of mu_t; next: m by 1 - "  \
                "beta1^(t+1); same: m and g by 1 - beta1^t")                                       \
    }
static const lehr_param nadam_params[] = PARAMS(0, DECAY_L2);
static const lehr_param nadamw_params[] = PARAMS(0.01, DECAY_DECOUPLED);
static const lehr_slot slots[] = {LEHR_SLOT("m", "average of gradients"),
                                  LEHR_SLOT("v", "average of squared gradients")};
static const lehr_var state[] = {LEHR_VAR("product", 1, "mu_1 ... mu_t")};
enum { SHARE1, SHARE2, FROM_M, FROM_G, CORRECT2, SHRINK };
static const char *const scalars[] = {"share1", "share2", "from_m", "from_g", "correct2", "shrink"};
static const lehr_pass passes[] = {
    LEHR_PASS(DECAY_CODE "m = beta1 * m + share1 * d;\n"
                         "v = beta2 * v + share2 * d * d;\n"
                         "w -= lr * (from_m * m + from_g * d) / (sqrt(v) * correct2 + eps);\n")};
static const lehr_preset nadam_presets[] = {
    {"torch", "lr=0.002, momentum_decay=0.004", "torch.optim.NAdam"},
    {"keras3", "lr=0.001, eps=1e-7, momentum_decay=1, decay=decoupled",
     "keras.optimizers.Nadam (Keras 3, tf.keras)"},
    {"keras2017", "lr=0.002, momentum_decay=0.004", "keras.optimizers.Nadam (Keras 2.0)"},
    {"optax", "correction=next", "optax.nadam"},
    {"paper", "lr=0.002, beta1=0.99, momentum_decay=0.004",
     "Dozat 2016, section 3; beta1 of its experiments"}};
static const lehr_preset nadamw_presets[] = {
    {"torch", "lr=0.002, weight_decay=0", "torch.optim.NAdam(decoupled_weight_decay=True)"},
    {"optax", "weight_decay=1e-4, correction=next", "optax.nadamw"},
    {"timm", "lr=0.001, correction=same", "timm.optim.NAdamW, as in AlgoPerf"}};

static double mu(const lehr_update *u, double t)
{
    if (u->p[CORRECTION] != SCHEDULE) return u->p[BETA1];
    return u->p[BETA1] * (1 - 0.5 * pow(0.96, t * u->p[MOMENTUM_DECAY]));
}

static lehr_status advance(const lehr_update *u, double *s)
{
    s[0] *= mu(u, (double)u->t);
    return LEHR_OK;
}

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    double t = (double)u->t, next = mu(u, t + 1);
    out[SHARE1] = 1 - u->p[BETA1];
    out[SHARE2] = 1 - u->p[BETA2];
    out[FROM_M] = next / (1 - (u->p[CORRECTION] == SAME ? s[0] : s[0] * next));
    out[FROM_G] = (1 - mu(u, t)) / (1 - s[0]);
    out[CORRECT2] = 1 / sqrt(1 - pow(u->p[BETA2], t));
    out[SHRINK] = decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
    return LEHR_OK;
}

#define OPTIMIZER(NAME, DOC)                                                                       \
    {                                                                                              \
        .size = sizeof(lehr_optimizer), .name = #NAME, .doc = DOC,                                 \
        .params = LEHR_TABLE(NAME##_params), .slots = LEHR_TABLE(slots),                           \
        .state = LEHR_TABLE(state), .scalars = LEHR_TABLE(scalars), .passes = LEHR_TABLE(passes),  \
        .presets = LEHR_TABLE(NAME##_presets), .advance = advance, .scalar = scalar, .lr = 0.002   \
    }
static const lehr_optimizer nadam =
    OPTIMIZER(nadam, "adam with mbar = mu' m / (1 - P mu') + (1 - mu) g / (1 - P) for mhat");
static const lehr_optimizer nadamw =
    OPTIMIZER(nadamw, "nadam, and w -= lr weight_decay w beside the averages");

const lehr_plugin *lehr_plugin_v1(void)
{
    static const lehr_optimizer *const all[] = {&nadam, &nadamw};
    static const lehr_plugin self = {.size = sizeof self,
                                     .abi = LEHR_ABI,
                                     .id = "org.lehr.nadam",
                                     .version = "1.0",
                                     .optimizers = all,
                                     .optimizer_count = 2};
    return &self;
}
