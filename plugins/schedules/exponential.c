/* SPDX-License-Identifier: MIT
 *
 * exponential(gamma, every): lr = base * gamma^((t + offset) / every), continuous in t; or, with
 * rate in place of gamma, base * exp(-rate * t / every).  hold rounds t down to its multiples:
 * hold=1ep changes the value once an epoch (PyTorch ExponentialLR stepped per epoch; the tutorial's
 * base * exp(-k * epoch)); hold equal to every is a staircase.  end bounds the value: from below
 * when it falls, from above when it grows (optax). */
#include <lehr/plugin.h>
#include <math.h>

enum { GAMMA, EVERY, RATE, HOLD, OFFSET, END };
static const lehr_param params[] = {
    {"gamma", "factor per `every`", 1, 0, LEHR_ANY, LEHR_REAL, LEHR_P_OPEN_MIN, 0, 0},
    LEHR_DURATIONP("every", "1ep", 0, "over which gamma is reached"),
    LEHR_REALP("rate", 0, -LEHR_ANY, LEHR_ANY, "k of exp(-k t / every), in place of gamma"),
    {"hold", "the value changes at multiples of this only", 0, 0, LEHR_ANY, LEHR_DURATION, 0, 0,
     "1st"},
    {"offset", "added to t", 0, 0, LEHR_ANY, LEHR_DURATION, 0, 0, "0st"},
    LEHR_VALUEP("end", "0", "where the decay (or growth) stops; 0: nowhere")};
static const lehr_preset presets[] = {
    {"tutorial", "rate=0.1, every=1ep, hold=1ep", "Keras tutorial: lr * exp(-k * epoch), k = 0.1"},
    {"torch", "every=1ep, hold=1ep", "PyTorch ExponentialLR, stepped once an epoch"},
    {"keras3", "", "Keras 3 ExponentialDecay(decay_steps=every, decay_rate=gamma)"},
    {"optax", "", "optax exponential_decay(transition_steps=every, decay_rate=gamma, end_value=end)"},
    {"caffe", "every=1st", "Caffe lr_policy exp: base * gamma^iter"},
    {"darknet", "every=1st, offset=1st", "Darknet policy=exp: its first batch is 1"}};

static double value(const lehr_progress *t, const double *s)
{
    double step = (double)t->step + t->p[OFFSET], end = t->p[END];
    (void)s;
    if (t->p[HOLD] > 1) step = floor(step / t->p[HOLD]) * t->p[HOLD];
    double x = step / t->p[EVERY];
    double v = t->base * (t->p[RATE] != 0 ? exp(-t->p[RATE] * x) : pow(t->p[GAMMA], x));
    if (end == 0) return v;
    return t->p[GAMMA] < 1 || t->p[RATE] > 0 ? fmax(v, end) : fmin(v, end);
}

static lehr_status check(const lehr_host *host, const lehr_progress *t)
{
    int gamma = t->p[GAMMA] != 1, rate = t->p[RATE] != 0;
    if (gamma && rate) return host->fail(host, LEHR_E_PARAM, "give gamma or rate, not both");
    if (!gamma && !rate)
        return host->fail(host, LEHR_E_PARAM, "give gamma, e.g. gamma=0.95, or rate");
    return LEHR_OK;
}

static const lehr_schedule exponential = {
    .size = sizeof exponential, .name = "exponential", .doc = "lr = base * gamma^(t / every)",
    .params = LEHR_TABLE(params), .presets = LEHR_TABLE(presets),
    .value = value, .check = check};
LEHR_SCHEDULE_PLUGIN("org.lehr.exponential", "1.1", exponential)
