/* SPDX-License-Identifier: MIT
 *
 * adadelta (Zeiler, arXiv 1212.5701, algorithm 1): a = rho a + (1 - rho) g^2, d = g sqrt(x + eps) /
 * sqrt(a + eps), x = rho x + (1 - rho) d^2, w -= lr d.  The method has no learning rate of its own:
 * lr = 1.  tf.keras uses lr = 0.001 by default, with which it hardly moves (keras3:adadelta). */
#include "common.h"

enum { RHO, EPS, WEIGHT_DECAY, DECAY };
static const lehr_param params[] = {
    BETA_PARAM("rho", 0.9, "decay of both averages"),
    LEHR_SCHEDULABLEP("eps", 1e-6, 0, LEHR_ANY, 0,
                      "keeps the quotient finite and starts the movement"),
    WEIGHT_DECAY_PARAM(0), DECAY_PARAM(DECAY_L2)};
static const lehr_slot slots[] = {LEHR_SLOT("square", "average of squared gradients"),
                                  LEHR_SLOT("moved", "average of squared steps")};
enum { SHARE, SHRINK };
static const char *const scalars[] = {"share", "shrink"};
static const lehr_pass passes[] = {LEHR_PASS(DECAY_CODE
                                             "square = rho * square + share * d * d;\n"
                                             "d = d * sqrt(moved + eps) / sqrt(square + eps);\n"
                                             "moved = rho * moved + share * d * d;\n"
                                             "w -= lr * d;\n")};
static const lehr_preset presets[] = {
    {"torch", "lr=1", "torch.optim.Adadelta"},
    {"keras3", "lr=0.001, rho=0.95, eps=1e-7, decay=decoupled",
     "keras.optimizers.Adadelta (Keras 3, tf.keras)"},
    {"keras2017", "lr=1, rho=0.95, eps=1e-8", "keras.optimizers.Adadelta (Keras 2.0)"},
    {"optax", "rho=0.9, eps=1e-6", "optax.adadelta"},
    {"paper", "lr=1, rho=0.95, eps=1e-6", "arXiv 1212.5701, section 4.1"}};

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    (void)s;
    out[SHARE] = 1 - u->p[RHO]; /* in double: 1 - 0.95f would lose digits */
    out[SHRINK] = decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
    return LEHR_OK;
}

static const lehr_optimizer adadelta = {
    .size = sizeof adadelta,
    .name = "adadelta",
    .doc = "d = g sqrt(x + eps) / sqrt(a + eps); w -= lr d; a, x averages of g^2, d^2",
    .params = LEHR_TABLE(params),
    .slots = LEHR_TABLE(slots),
    .scalars = LEHR_TABLE(scalars),
    .passes = LEHR_TABLE(passes),
    .presets = LEHR_TABLE(presets),
    .scalar = scalar,
    .lr = 1};
LEHR_OPTIMIZER_PLUGIN("org.lehr.adadelta", "1.0", adadelta)
