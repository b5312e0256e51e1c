/* SPDX-License-Identifier: MIT
 *
 * adagrad (Duchi et al., JMLR 12, 2011): s += g^2, w -= lr g / (sqrt(s) + eps), s starting at init.
 * eps_inside=1 is g / sqrt(s + eps); lr_decay divides lr by 1 + (t - 1) lr_decay (PyTorch). */
#include "common.h"

enum { EPS, INIT, WEIGHT_DECAY, LR_DECAY, EPS_INSIDE, DECAY };
static const lehr_param params[] = {
    EPS_PARAM(1e-10),
    LEHR_REALP("init", 0, 0, LEHR_ANY, "start of the sum of squares"),
    WEIGHT_DECAY_PARAM(0),
    LEHR_SCHEDULABLEP("lr_decay", 0, 0, LEHR_ANY, 0, "lr / (1 + (t - 1) lr_decay), t from 1"),
    LEHR_BOOLP("eps_inside", 0, "eps inside the root"),
    DECAY_PARAM(DECAY_L2)};
static const lehr_slot slots[] = {
    {"sum", "sum of squared gradients", 0, LEHR_SLOT_STATE, 0, 0, "init"}};
enum { SHARE, SHRINK };
static const char *const scalars[] = {"share", "shrink"};
static const lehr_pass passes[] = {LEHR_PASS(
    DECAY_CODE "sum += d * d;\n"
               "w -= lr * share * d / (eps_inside != 0 ? sqrt(sum + eps) : sqrt(sum) + eps);\n")};
static const lehr_preset presets[] = {
    {"torch", "lr=0.01", "torch.optim.Adagrad"},
    {"keras3", "lr=0.001, eps=1e-7, init=0.1, eps_inside=1, decay=decoupled",
     "keras.optimizers.Adagrad (Keras 3, tf.keras)"},
    {"keras2017", "lr=0.01, eps=1e-8", "keras.optimizers.Adagrad (Keras 2.0)"},
    {"optax", "eps=1e-7, init=0.1, eps_inside=1", "optax.adagrad"}};

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    (void)s;
    out[SHARE] = 1 / (1 + (double)(u->t - 1) * u->p[LR_DECAY]);
    out[SHRINK] = decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
    return LEHR_OK;
}

static const lehr_optimizer adagrad = {.size = sizeof adagrad,
                                       .name = "adagrad",
                                       .doc = "s += g^2; w -= lr g / (sqrt(s) + eps)",
                                       .params = LEHR_TABLE(params),
                                       .slots = LEHR_TABLE(slots),
                                       .scalars = LEHR_TABLE(scalars),
                                       .passes = LEHR_TABLE(passes),
                                       .presets = LEHR_TABLE(presets),
                                       .scalar = scalar,
                                       .lr = 0.01};
LEHR_OPTIMIZER_PLUGIN("org.lehr.adagrad", "1.0", adagrad)
