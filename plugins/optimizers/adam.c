/* SPDX-License-Identifier: MIT
 *
 * adam (Kingma & Ba, arXiv 1412.6980, algorithm 1): m, v averages of g and g^2 corrected for their
 * start at 0, w -= lr mhat / (sqrt(vhat) + eps).  eps_hat=1 is Keras' form of section 2's last
 * paragraph, lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + eps): eps then acts larger early
 * on.  amsgrad (Reddi et al., arXiv 1904.09237, algorithm 2): the largest v so far in place of v.
 * adamw (Loshchilov & Hutter, arXiv 1711.05101, algorithm 2): weight decay beside the averages. */
#include "common.h"

enum { BETA1, BETA2, EPS, AMSGRAD, WEIGHT_DECAY, EPS_HAT, DECAY, CORRECTED, CORRECTION };
#define PARAMS(AMSGRAD_DEF, WEIGHT_DECAY_DEF, DECAY_DEF)                                           \
    {                                                                                              \
        BETA1_PARAM(0.9), BETA2_PARAM(0.999), EPS_PARAM(1e-8),                                     \
            LEHR_BOOLP("amsgrad", AMSGRAD_DEF, "divide by the largest v so far"),                  \
            WEIGHT_DECAY_PARAM(WEIGHT_DECAY_DEF),                                                  \
            LEHR_BOOLP("eps_hat", 0, "eps beside the uncorrected root (Keras)"),                   \
            DECAY_PARAM(DECAY_DEF),                                                                \
            LEHR_BOOLP("corrected", 0, "amsgrad: the largest corrected v (optax)"),                \
            LEHR_BOOLP("correction", 1, "correct the averages for their start at 0")               \
    }
static const lehr_param adam_params[] = PARAMS(0, 0, DECAY_L2);
static const lehr_param amsgrad_params[] = PARAMS(1, 0, DECAY_L2);
static const lehr_param adamw_params[] = PARAMS(0, 0.01, DECAY_DECOUPLED);
static const lehr_slot slots[] = {LEHR_SLOT("m", "average of gradients"),
                                  LEHR_SLOT("v", "average of squared gradients"),
                                  LEHR_SLOT_WHEN("vmax", "amsgrad", "largest v")};
enum { SHARE1, SHARE2, CORRECT1, CORRECT2, EPS_T, SHRINK };
static const char *const scalars[] = {"share1",   "share2", "correct1",
                                      "correct2", "eps_t",  "shrink"};
static const lehr_pass passes[] = {LEHR_PASS(
    DECAY_CODE
    "m = beta1 * m + share1 * d;\n"
    "v = beta2 * v + share2 * d * d;\n"
    "real root = sqrt(v) * correct2;\n"
    "real now = corrected != 0 ? v * correct2 * correct2 : v;\n"
    "vmax = vmax > now ? vmax : now; /* a NaN stays */\n"
    "root = amsgrad != 0 ? (corrected != 0 ? sqrt(vmax) : sqrt(vmax) * correct2) : root;\n"
    "w -= lr * correct1 * m / (root + eps_t);\n")};
static const lehr_preset adam_presets[] = {
    {"torch", "lr=0.001", "torch.optim.Adam"},
    {"keras3", "lr=0.001, eps=1e-7, eps_hat=1, decay=decoupled",
     "keras.optimizers.Adam (Keras 3, tf.keras)"},
    {"keras2017", "lr=0.001, eps=1e-8, eps_hat=1", "keras.optimizers.Adam (Keras 2.0)"},
    {"optax", "beta1=0.9, beta2=0.999, eps=1e-8", "optax.adam"},
    {"paper", "lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8", "arXiv 1412.6980, algorithm 1"}};
static const lehr_preset amsgrad_presets[] = {
    {"torch", "lr=0.001", "torch.optim.Adam(amsgrad=True)"},
    {"keras3", "lr=0.001, eps=1e-7, eps_hat=1, decay=decoupled",
     "keras.optimizers.Adam(amsgrad=True) (Keras 3, tf.keras)"},
    {"optax", "corrected=1", "optax.amsgrad"},
    {"paper", "lr=0.001, correction=0", "arXiv 1904.09237, algorithm 2 (without eps there)"}};
static const lehr_preset adamw_presets[] = {
    {"torch", "lr=0.001, weight_decay=0.01", "torch.optim.AdamW"},
    {"keras3", "lr=0.001, eps=1e-7, eps_hat=1, weight_decay=0.004",
     "keras.optimizers.AdamW (Keras 3, tf.keras)"},
    {"optax", "weight_decay=1e-4", "optax.adamw"},
    {"timm", "lr=0.001, weight_decay=0.01", "timm.optim.AdamW"},
    {"paper", "lr=0.001, weight_decay=0, decay=scheduled",
     "arXiv 1711.05101, algorithm 2; its lambda has no default"}};

/* In double on the host: 1 - 0.999f would be off by 1e-5. */
static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    double t = (double)u->t;
    (void)s;
    out[SHARE1] = 1 - u->p[BETA1];
    out[SHARE2] = 1 - u->p[BETA2];
    out[CORRECT1] = u->p[CORRECTION] != 0 ? 1 / (1 - pow(u->p[BETA1], t)) : 1;
    out[CORRECT2] = u->p[CORRECTION] != 0 ? 1 / sqrt(1 - pow(u->p[BETA2], t)) : 1;
    out[EPS_T] = u->p[EPS_HAT] != 0 ? u->p[EPS] * out[CORRECT2] : u->p[EPS];
    out[SHRINK] = decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
    return LEHR_OK;
}

#define OPTIMIZER(NAME, DOC)                                                                       \
    {                                                                                              \
        .size = sizeof(lehr_optimizer), .name = #NAME, .doc = DOC,                                 \
        .params = LEHR_TABLE(NAME##_params), .slots = LEHR_TABLE(slots),                           \
        .scalars = LEHR_TABLE(scalars), .passes = LEHR_TABLE(passes),                              \
        .presets = LEHR_TABLE(NAME##_presets), .scalar = scalar, .lr = 0.001                       \
    }
static const lehr_optimizer adam =
    OPTIMIZER(adam, "w -= lr mhat / (sqrt(vhat) + eps); m, v averages of g, g^2");
static const lehr_optimizer amsgrad =
    OPTIMIZER(amsgrad, "adam that divides by the largest v so far");
static const lehr_optimizer adamw =
    OPTIMIZER(adamw, "adam, and w -= lr weight_decay w beside the averages");

const lehr_plugin *lehr_plugin_v1(void)
{
    static const lehr_optimizer *const all[] = {&adam, &amsgrad, &adamw};
    static const lehr_plugin self = {.size = sizeof self,
                                     .abi = LEHR_ABI,
                                     .id = "org.lehr.adam",
                                     .version = "1.0",
                                     .optimizers = all,
                                     .optimizer_count = 3};
    return &self;
}
