/* SPDX-License-Identifier: MIT
 *
 * adamax (Kingma & Ba, arXiv 1412.6980, algorithm 2): m average of g, u = max(beta2 u, |g|), w -=
 * lr mhat / u.  The paper has no eps; PyTorch and optax add it to |g| (eps_inside=1), Keras to u.
 */
#include "common.h"

enum { BETA1, BETA2, EPS, EPS_INSIDE, WEIGHT_DECAY, DECAY };
static const lehr_param params[] = {
    BETA1_PARAM(0.9),      BETA_PARAM("beta2", 0.999, "decay of the largest gradient"),
    EPS_PARAM(1e-8),       LEHR_BOOLP("eps_inside", 1, "eps inside the maximum"),
    WEIGHT_DECAY_PARAM(0), DECAY_PARAM(DECAY_L2)};
static const lehr_slot slots[] = {LEHR_SLOT("m", "average of gradients"),
                                  LEHR_SLOT("u", "largest gradient, decaying")};
enum { SHARE1, CORRECT1, SHRINK };
static const char *const scalars[] = {"share1", "correct1", "shrink"};
static const lehr_pass passes[] = {LEHR_PASS(DECAY_CODE
                                             "m = beta1 * m + share1 * d;\n"
                                             "d = eps_inside != 0 ? fabs(d) + eps : fabs(d);\n"
                                             "u = beta2 * u > d ? beta2 * u : d;\n"
                                             "d = eps_inside != 0 ? u : u + eps;\n"
                                             "w -= lr * correct1 * (d == 0 ? 0 : m / d);\n")};
static const lehr_preset presets[] = {
    {"torch", "lr=0.002", "torch.optim.Adamax"},
    {"keras3", "lr=0.001, eps=1e-7, eps_inside=0, decay=decoupled",
     "keras.optimizers.Adamax (Keras 3, tf.keras)"},
    {"keras2017", "lr=0.002, eps_inside=0", "keras.optimizers.Adamax (Keras 2.0)"},
    {"optax", "beta1=0.9, beta2=0.999, eps=1e-8", "optax.adamax"},
    {"paper", "lr=0.002, eps=0", "arXiv 1412.6980, algorithm 2"}};

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    (void)s;
    out[SHARE1] = 1 - u->p[BETA1];
    out[CORRECT1] = 1 / (1 - pow(u->p[BETA1], (double)u->t));
    out[SHRINK] = decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
    return LEHR_OK;
}

static const lehr_optimizer adamax = {.size = sizeof adamax,
                                      .name = "adamax",
                                      .doc =
                                          "u = max(beta2 u, |g|); w -= lr mhat / u; m average of g",
                                      .params = LEHR_TABLE(params),
                                      .slots = LEHR_TABLE(slots),
                                      .scalars = LEHR_TABLE(scalars),
                                      .passes = LEHR_TABLE(passes),
                                      .presets = LEHR_TABLE(presets),
                                      .scalar = scalar,
                                      .lr = 0.002};
LEHR_OPTIMIZER_PLUGIN("org.lehr.adamax", "1.0", adamax)
