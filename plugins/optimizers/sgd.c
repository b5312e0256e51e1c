/* SPDX-License-Identifier: MIT
 *
 * sgd: stochastic gradient descent with momentum, v = momentum v + (1 - dampening) d, w -= lr v,
 * where d = g + weight_decay w; nesterov: w -= lr (d + momentum v).  As PyTorch: lr outside v (a
 * change of lr acts on the velocity at once), the first v is d.  lr_inside=1 is Keras' v = momentum
 * v + lr d, w -= v. */
#include <lehr/plugin.h>

enum { MOMENTUM, NESTEROV, WEIGHT_DECAY, DAMPENING, LR_INSIDE, DECOUPLED };
static const lehr_param params[] = {
    {"momentum", "share of the last step that is kept", 0, 0, 1, LEHR_REAL,
     LEHR_P_OPEN_MAX | LEHR_P_SCHEDULABLE, 0, 0},
    LEHR_BOOLP("nesterov", 0, "look ahead along the velocity"),
    {"weight_decay", "L2 penalty, added to the gradient", 0, 0, LEHR_ANY, LEHR_REAL,
     LEHR_P_SCHEDULABLE | LEHR_P_LOG, 0, 0},
    LEHR_SCHEDULABLEP("dampening", 0, 0, 1, 0,
                      "share of the gradient that stays out of the velocity"),
    LEHR_BOOLP("lr_inside", 0, "lr inside the velocity"),
    LEHR_BOOLP("decoupled", 0, "weight decay beside the gradient: w -= lr weight_decay w")};
static const lehr_slot slots[] = {LEHR_SLOT_WHEN("velocity", "momentum", "running step")};
static const char *const scalars[] = {"share"};
static const lehr_pass passes[] = {LEHR_PASS(
    "real d = decoupled != 0 ? g : g + weight_decay * w;\n"
    "d = lr_inside != 0 ? lr * d : d;\n"
    "velocity = momentum * velocity + share * d;\n"
    "d = nesterov != 0 ? d + momentum * velocity : velocity;\n"
    "w = decoupled != 0 ? w - lr * weight_decay * w : w;\n"
    "w -= lr_inside != 0 ? d : lr * d;\n")};
static const lehr_preset presets[] = {
    {"torch", "lr=0.001", "torch.optim.SGD"},
    {"keras3", "lr=0.01, lr_inside=1, decoupled=1", "keras.optimizers.SGD (Keras 3, tf.keras)"},
    {"keras2017", "lr=0.01, lr_inside=1", "keras.optimizers.SGD (Keras 2.0)"}};

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    (void)s;
    out[0] = u->t == 1 ? 1 : 1 - u->p[DAMPENING];
    return LEHR_OK;
}

static lehr_status check(const lehr_host *host, const double *p)
{
    if (p[NESTEROV] != 0 && !(p[MOMENTUM] > 0 && p[DAMPENING] == 0))
        return host->fail(host, LEHR_E_PARAM, "nesterov needs momentum above 0 and no dampening");
    if (p[DAMPENING] != 0 && !(p[MOMENTUM] > 0))
        return host->fail(host, LEHR_E_PARAM, "dampening needs momentum above 0");
    return LEHR_OK;
}

static const lehr_optimizer sgd = {
    .size = sizeof sgd, .name = "sgd", .doc = "v = momentum v + g, w -= lr v",
    .params = LEHR_TABLE(params), .slots = LEHR_TABLE(slots), .scalars = LEHR_TABLE(scalars),
    .passes = LEHR_TABLE(passes), .presets = LEHR_TABLE(presets), .scalar = scalar, .check = check,
    .lr = 0.001};
LEHR_OPTIMIZER_PLUGIN("org.lehr.sgd", "1.0", sgd)
