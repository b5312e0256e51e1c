/* SPDX-License-Identifier: MIT
 *
 * adam (Kingma & Ba, arXiv 1412.6980, algorithm 1): m, v averages of g and g^2 corrected for their
 * start at 0, w -= lr mhat / (sqrt(vhat) + eps).  eps_hat=1 is Keras' form of section 2's last
 * paragraph, lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + eps): eps then acts larger early
 * on.  */
#include <lehr/plugin.h>
#include <math.h>

enum { BETA1, BETA2, EPS, AMSGRAD, WEIGHT_DECAY, EPS_HAT };
static const lehr_param params[] = {
    {"beta1", "decay of the average of gradients", 0.9, 0, 1, LEHR_REAL,
     LEHR_P_OPEN_MAX | LEHR_P_SCHEDULABLE, 0, 0},
    {"beta2", "decay of the average of squares", 0.999, 0, 1, LEHR_REAL,
     LEHR_P_OPEN_MAX | LEHR_P_SCHEDULABLE, 0, 0},
    LEHR_SCHEDULABLEP("eps", 1e-8, 0, LEHR_ANY, 0, "keeps the quotient finite"),
    LEHR_BOOLP("amsgrad", 0, "divide by the largest v so far (arXiv 1904.09237)"),
    {"weight_decay", "L2 penalty, added to the gradient", 0, 0, LEHR_ANY, LEHR_REAL,
     LEHR_P_SCHEDULABLE | LEHR_P_LOG, 0, 0},
    LEHR_BOOLP("eps_hat", 0, "eps beside the uncorrected root (Keras)"),
    LEHR_BOOLP("decoupled", 0, "weight decay beside the gradient: w -= lr weight_decay w")};
static const lehr_slot slots[] = {LEHR_SLOT("m", "average of gradients"),
                                  LEHR_SLOT("v", "average of squared gradients"),
                                  LEHR_SLOT_WHEN("vmax", "amsgrad", "largest v")};
enum { SHARE1, SHARE2, CORRECT1, CORRECT2, EPS_T };
static const char *const scalars[] = {"share1", "share2", "correct1", "correct2", "eps_t"};
static const lehr_pass passes[] = {LEHR_PASS(
    "real d = decoupled != 0 ? g : g + weight_decay * w;\n"
    "w = decoupled != 0 ? w - lr * weight_decay * w : w;\n"
    "m = beta1 * m + share1 * d;\n"
    "v = beta2 * v + share2 * d * d;\n"
    "vmax = vmax > v ? vmax : v; /* a NaN stays */\n"
    "w -= lr * correct1 * m / (sqrt(amsgrad != 0 ? vmax : v) * correct2 + eps_t);\n")};
static const lehr_preset presets[] = {
    {"torch", "lr=0.001", "torch.optim.Adam"},
    {"keras3", "lr=0.001, eps=1e-7, eps_hat=1, decoupled=1",
     "keras.optimizers.Adam (Keras 3, tf.keras)"},
    {"keras2017", "lr=0.001, eps=1e-8, eps_hat=1", "keras.optimizers.Adam (Keras 2.0)"},
    {"paper", "lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8", "arXiv 1412.6980, algorithm 1"}};

/* In double on the host: 1 - 0.999f would be off by 1e-5. */
static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    double t = (double)u->t;
    (void)s;
    out[SHARE1] = 1 - u->p[BETA1];
    out[SHARE2] = 1 - u->p[BETA2];
    out[CORRECT1] = 1 / (1 - pow(u->p[BETA1], t));
    out[CORRECT2] = 1 / sqrt(1 - pow(u->p[BETA2], t));
    out[EPS_T] = u->p[EPS_HAT] != 0 ? u->p[EPS] * out[CORRECT2] : u->p[EPS];
    return LEHR_OK;
}

static const lehr_optimizer adam = {
    .size = sizeof adam, .name = "adam",
    .doc = "w -= lr mhat / (sqrt(vhat) + eps); m, v averages of g, g^2",
    .params = LEHR_TABLE(params), .slots = LEHR_TABLE(slots), .scalars = LEHR_TABLE(scalars),
    .passes = LEHR_TABLE(passes), .presets = LEHR_TABLE(presets), .scalar = scalar, .lr = 0.001};
LEHR_OPTIMIZER_PLUGIN("org.lehr.adam", "1.0", adam)
