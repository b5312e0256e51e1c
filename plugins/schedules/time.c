/* SPDX-License-Identifier: MIT
 *
 * time(decay, every): lr = base / (1 + decay * t / every)^power.  `decay` of classic Keras with
 * every=1st, Keras 3 InverseTimeDecay (hold equal to every: its staircase), lr_decay of PyTorch's
 * Adagrad, Caffe's "inv" with its power.  tutorial:time takes decay = base / epochs of the run
 * unless decay is given. */
#include <lehr/plugin.h>
#include <math.h>

enum { DECAY, EVERY, AUTO, POWER, HOLD };
static const lehr_param params[] = {
    LEHR_REALP("decay", 0, 0, LEHR_ANY, "rate of decay"),
    LEHR_DURATIONP("every", "1st", 0, "unit of t"),
    LEHR_BOOLP("auto", 0, "1 and no decay given: decay = base / epochs of the run"),
    LEHR_REALP("power", 1, 0, LEHR_ANY, "exponent"),
    {"hold", "the value changes at multiples of this only", 0, 0, LEHR_ANY, LEHR_DURATION, 0, 0,
     "1st"}};
static const lehr_preset presets[] = {
    {"tutorial", "every=1st, auto=1", "Keras tutorial: decay_rate = learning_rate / epochs"},
    {"keras2017", "every=1st", "Keras of 2017: decay of every optimizer, per update"},
    {"keras3", "", "Keras 3 InverseTimeDecay(decay_steps=every, decay_rate=decay)"},
    {"torch", "every=1st", "PyTorch Adagrad(lr_decay=decay)"},
    {"caffe", "every=1st, power=0.75", "Caffe lr_policy inv; 0.75 is its examples' power"}};

static double value(const lehr_progress *t, const double *s)
{
    double decay = t->p[DECAY], step = (double)t->step;
    (void)s;
    if (decay == 0 && t->p[AUTO] != 0)
        decay = t->base / ((double)t->total_steps / (double)t->steps_per_epoch);
    if (t->p[HOLD] > 1) step = floor(step / t->p[HOLD]) * t->p[HOLD];
    double x = 1 + decay * step / t->p[EVERY];
    return t->p[POWER] == 1 ? t->base / x : t->base * pow(x, -t->p[POWER]);
}

static lehr_status check(const lehr_host *host, const lehr_progress *t)
{
    if (t->p[DECAY] == 0 && t->p[AUTO] == 0)
        return host->fail(host, LEHR_E_PARAM, "give decay, e.g. decay=0.001");
    if (t->p[DECAY] == 0 && (t->total_steps == 0 || t->steps_per_epoch == 0))
        return host->fail(host, LEHR_E_PARAM, "auto needs a run of known length; give decay");
    return LEHR_OK;
}

static const lehr_schedule time_based = {
    .size = sizeof time_based, .name = "time", .doc = "lr = base / (1 + decay * t / every)^power",
    .params = LEHR_TABLE(params), .presets = LEHR_TABLE(presets),
    .value = value, .check = check};
LEHR_SCHEDULE_PLUGIN("org.lehr.time", "1.1", time_based)
