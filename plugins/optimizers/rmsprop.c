/* SPDX-License-Identifier: MIT
 *
 * rmsprop (Tieleman & Hinton, Coursera lecture 6.5, 2012; centered: Graves, arXiv 1308.0850): v =
 * rho v + (1 - rho) g^2, b = momentum b + g / (sqrt(v) + eps), w -= lr b; centered: v - (average of
 * g)^2 in place of v.  eps_inside=1 is sqrt(v + eps), lr_inside=1 puts lr into b. */
#include "common.h"

enum { RHO, EPS, MOMENTUM, CENTERED, WEIGHT_DECAY, EPS_INSIDE, LR_INSIDE, DECAY, INIT };
static const lehr_param params[] = {
    BETA_PARAM("rho", 0.99, "decay of the averages"),
    EPS_PARAM(1e-8),
    BETA_PARAM("momentum", 0, "share of the last step that is kept"),
    LEHR_BOOLP("centered", 0, "divide by the standard deviation"),
    WEIGHT_DECAY_PARAM(0),
    LEHR_BOOLP("eps_inside", 0, "eps inside the root"),
    LEHR_BOOLP("lr_inside", 0, "lr inside the momentum buffer"),
    DECAY_PARAM(DECAY_L2),
    LEHR_REALP("init", 0, 0, LEHR_ANY, "start of the average of squares")};
static const lehr_slot slots[] = {
    {"square", "average of squared gradients", 0, LEHR_SLOT_STATE, 0, 0, "init"},
    LEHR_SLOT_WHEN("mean", "centered", "average of gradients"),
    LEHR_SLOT_WHEN("velocity", "momentum", "running step")};
enum { SHARE, SHRINK };
static const char *const scalars[] = {"share", "shrink"};
static const lehr_pass passes[] = {
    LEHR_PASS(DECAY_CODE "square = rho * square + share * d * d;\n"
                         "mean = rho * mean + share * d;\n"
                         "real v = centered != 0 ? square - mean * mean : square;\n"
                         "v = v < 0 ? 0 : v; /* rounding; a NaN stays */\n"
                         "d = d / (eps_inside != 0 ? sqrt(v + eps) : sqrt(v) + eps);\n"
                         "velocity = momentum * velocity + (lr_inside != 0 ? lr * d : d);\n"
                         "w -= lr_inside != 0 ? velocity : lr * velocity;\n")};
static const lehr_preset presets[] = {
    {"torch", "lr=0.01", "torch.optim.RMSprop"},
    {"keras3", "lr=0.001, rho=0.9, eps=1e-7, eps_inside=1, lr_inside=1, decay=decoupled",
     "keras.optimizers.RMSprop (Keras 3, tf.keras)"},
    {"keras2017", "lr=0.001, rho=0.9, eps=1e-8", "keras.optimizers.RMSprop (Keras 2.0)"},
    {"optax", "rho=0.9, eps=1e-8, eps_inside=1, lr_inside=1", "optax.rmsprop"},
    {"timm", "lr=0.01, rho=0.9, eps=1e-10, eps_inside=1, lr_inside=1, init=1",
     "timm.optim.RMSpropTF"}};

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    (void)s;
    out[SHARE] = 1 - u->p[RHO];
    out[SHRINK] = decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
    return LEHR_OK;
}

static const lehr_optimizer rmsprop = {.size = sizeof rmsprop,
                                       .name = "rmsprop",
                                       .doc =
                                           "v = rho v + (1 - rho) g^2; w -= lr g / (sqrt(v) + eps)",
                                       .params = LEHR_TABLE(params),
                                       .slots = LEHR_TABLE(slots),
                                       .scalars = LEHR_TABLE(scalars),
                                       .passes = LEHR_TABLE(passes),
                                       .presets = LEHR_TABLE(presets),
                                       .scalar = scalar,
                                       .lr = 0.01};
LEHR_OPTIMIZER_PLUGIN("org.lehr.rmsprop", "1.0", rmsprop)
