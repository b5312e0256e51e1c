/* SPDX-License-Identifier: MIT
 *
 * warmup(duration, from): lr = from + (base - from) * f(u), u = (t + 1) / duration, then base.  No
 * update is spent at `from` itself: the first uses one step of the ramp, the last of the warm-up
 * uses base.  With lag=1 u is t / duration, so that the first update uses `from` (Keras, PyTorch
 * LinearLR, optax, transformers).  f by shape: linear u, cosine (1 - cos(pi u)) / 2, power
 * u^power (Darknet's burn-in), sqrt 1 - sqrt(1 - u), constant 0 (PyTorch ConstantLR);
 * exponential is from * (base / from)^u. */
#include <lehr/plugin.h>
#include <math.h>

enum { DURATION, FROM, LAG, SHAPE, POWER };
enum { LINEAR, COSINE, EXPONENTIAL, POWER_LAW, SQRT, CONSTANT };
static const char *const shapes[] = {"linear", "cosine", "exponential", "power",
                                     "sqrt",   "constant", 0};
static const lehr_param params[] = {
    LEHR_DURATIONP("duration", 0, LEHR_P_REQUIRED | LEHR_P_PHASE, "length of the ramp"),
    LEHR_VALUEP("from", "0", "where the ramp starts"),
    LEHR_BOOLP("lag", 0, "1: the first update uses `from`, update `duration` the base"),
    LEHR_CHOICEP("shape", LINEAR, shapes, "form of the ramp"),
    {"power", "exponent of shape=power", 4, 0, LEHR_ANY, LEHR_REAL, LEHR_P_OPEN_MIN, 0, 0}};
static const lehr_preset presets[] = {
    {"torch", "from=33.333333333333336%, lag=1", "PyTorch LinearLR: start_factor 1/3"},
    {"hf", "from=0, lag=1", "transformers: t / warmup_steps, its first update does nothing"},
    {"keras3", "from=0, lag=1", "Keras 3 CosineDecay: initial_learning_rate to warmup_target"},
    {"optax", "from=0, lag=1", "optax warmup_constant_schedule(init_value=from)"},
    {"timm", "from=0, lag=1", "timm warmup_t, warmup_lr_init=from"},
    {"darknet", "shape=power, power=4", "Darknet burn_in: (batch / burn_in)^power"}};

static double value(const lehr_progress *t, const double *s)
{
    const double pi = 3.14159265358979323846, *p = t->p;
    double u = ((double)t->step + 1 - p[LAG]) / p[DURATION];
    (void)s;
    if (!(u < 1)) return p[SHAPE] == CONSTANT && (double)t->step < p[DURATION] ? p[FROM] : t->base;
    switch ((int)p[SHAPE]) {
    case COSINE: u = 0.5 * (1 - cos(pi * u)); break;
    case EXPONENTIAL: return p[FROM] * pow(t->base / p[FROM], u);
    case POWER_LAW: u = pow(u, p[POWER]); break;
    case SQRT: u = 1 - sqrt(1 - u); break;
    case CONSTANT: return p[FROM];
    default: break;
    }
    return p[FROM] + (t->base - p[FROM]) * u;
}

static lehr_status check(const lehr_host *host, const lehr_progress *t)
{
    if (t->p[SHAPE] != EXPONENTIAL || t->p[FROM] > 0) return LEHR_OK;
    return host->fail(host, LEHR_E_PARAM, "shape=exponential needs from above 0, e.g. from=1%");
}

static const lehr_schedule warmup = {
    .size = sizeof warmup, .name = "warmup",
    .doc = "lr = from + (base - from) * (t + 1) / duration, then base",
    .params = LEHR_TABLE(params), .presets = LEHR_TABLE(presets), .value = value, .check = check};
LEHR_SCHEDULE_PLUGIN("org.lehr.warmup", "1.1", warmup)
