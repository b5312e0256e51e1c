/* SPDX-License-Identifier: MIT
 *
 * sgd: stochastic gradient descent with momentum (Polyak, 1964; Sutskever et al., ICML 2013), v =
 * momentum v + (1 - dampening) g, w -= lr v; nesterov: w -= lr (g + momentum v).  As PyTorch: lr
 * outside v (a change of lr acts on the velocity at once), the first v is g.  lr_inside=1 is the v
 * = momentum v + lr g, w -= v of Keras and Caffe: the same at a constant lr, not under a schedule.
 */
#include "common.h"

enum { MOMENTUM, NESTEROV, WEIGHT_DECAY, DAMPENING, LR_INSIDE, DECAY };
static const lehr_param params[] = {
    BETA_PARAM("momentum", 0, "share of the last step that is kept"),
    LEHR_BOOLP("nesterov", 0, "look ahead along the velocity"),
    WEIGHT_DECAY_PARAM(0),
    LEHR_SCHEDULABLEP("dampening", 0, 0, 1, 0,
                      "share of the gradient that stays out of the velocity"),
    LEHR_BOOLP("lr_inside", 0, "lr inside the velocity"),
    DECAY_PARAM(DECAY_L2)};
static const lehr_slot slots[] = {LEHR_SLOT_WHEN("velocity", "momentum", "running step")};
enum { SHARE, SHRINK };
static const char *const scalars[] = {"share", "shrink"};
static const lehr_pass passes[] = {
    LEHR_PASS(DECAY_CODE "d = lr_inside != 0 ? lr * d : d;\n"
                         "velocity = momentum * velocity + share * d;\n"
                         "d = nesterov != 0 ? d + momentum * velocity : velocity;\n"
                         "w -= lr_inside != 0 ? d : lr * d;\n")};
static const lehr_preset presets[] = {
    {"torch", "lr=0.001", "torch.optim.SGD"},
    {"keras3", "lr=0.01, lr_inside=1, decay=decoupled", "keras.optimizers.SGD (Keras 3, tf.keras)"},
    {"keras2017", "lr=0.01, lr_inside=1", "keras.optimizers.SGD (Keras 2.0)"},
    {"optax", "lr_inside=0", "optax.sgd"},
    {"timm", "momentum=0.9, nesterov=1", "timm.optim.create_optimizer_v2('sgd')"},
    {"caffe", "lr_inside=1", "Caffe's SGDSolver and NesterovSolver"}};

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    (void)s;
    out[SHARE] = u->t == 1 ? 1 : 1 - u->p[DAMPENING];
    out[SHRINK] = decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
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

static const lehr_optimizer sgd = {.size = sizeof sgd,
                                   .name = "sgd",
                                   .doc = "v = momentum v + g; w -= lr v",
                                   .params = LEHR_TABLE(params),
                                   .slots = LEHR_TABLE(slots),
                                   .scalars = LEHR_TABLE(scalars),
                                   .passes = LEHR_TABLE(passes),
                                   .presets = LEHR_TABLE(presets),
                                   .scalar = scalar,
                                   .check = check,
                                   .lr = 0.001};
LEHR_OPTIMIZER_PLUGIN("org.lehr.sgd", "1.0", sgd)
