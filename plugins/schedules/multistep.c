/* SPDX-License-Identifier: MIT
 *
 * multistep(milestones, gamma): lr = base * gamma^n, n = milestones m with m <= t; with factors each
 * milestone has its own; with values, one more than milestones, they are the value itself.  The
 * change takes effect at the milestone and one named twice counts twice (PyTorch MultiStepLR, optax
 * piecewise_constant_schedule, Caffe).  Keras' PiecewiseConstantDecay keeps the old value at the
 * boundary (late=1st), timm changes one epoch before it, Darknet one update (early). */
#include <lehr/plugin.h>
#include <math.h>

enum { MILESTONES, GAMMA, FACTORS, VALUES, LATE, EARLY };
static const lehr_param params[] = {
    LEHR_DURATIONP("milestones", 0, LEHR_P_REQUIRED | LEHR_P_LIST, "when the value changes"),
    LEHR_REALP("gamma", 0.1, 0, LEHR_ANY, "factor at each milestone"),
    {"factors", "a factor for each milestone, in place of gamma", 0, 0, LEHR_ANY, LEHR_REAL,
     LEHR_P_LIST, 0, 0},
    {"values", "the values before, between and after the milestones", 0, 0, LEHR_ANY, LEHR_VALUE,
     LEHR_P_LIST, 0, 0},
    {"late", "moves all milestones later", 0, 0, LEHR_ANY, LEHR_DURATION, 0, 0, "0st"},
    {"early", "moves all milestones earlier", 0, 0, LEHR_ANY, LEHR_DURATION, 0, 0, "0st"}};
static const lehr_preset presets[] = {
    {"torch", "gamma=0.1", "PyTorch MultiStepLR"},
    {"optax", "", "optax piecewise_constant_schedule: scales are factors"},
    {"keras3", "late=1st", "Keras 3 PiecewiseConstantDecay(boundaries, values): step <= boundary"},
    {"timm", "gamma=1, early=1ep", "timm MultiStepLRScheduler: bisect_right(decay_t, t + 1)"},
    {"caffe", "gamma=0.1", "Caffe lr_policy multistep (stepvalue)"},
    {"darknet", "early=1st", "Darknet policy=steps: scales are factors, its first batch is 1"}};

static double value(const lehr_progress *t, const double *s)
{
    const lehr_values *at = &t->lists[MILESTONES], *factors = &t->lists[FACTORS];
    double now = (double)t->step + t->p[EARLY] - t->p[LATE], passed = 0, product = 1;
    (void)s;
    for (uint32_t i = 0; i < at->count; i++) {
        if (!(at->at[i] <= now)) continue;
        passed++;
        if (factors->count) product *= factors->at[i];
    }
    if (t->lists[VALUES].count) return t->lists[VALUES].at[(uint32_t)passed];
    return t->base * (factors->count ? product : pow(t->p[GAMMA], passed));
}

static lehr_status check(const lehr_host *host, const lehr_progress *t)
{
    uint32_t count = t->lists[MILESTONES].count, factors = t->lists[FACTORS].count,
             values = t->lists[VALUES].count;
    if (factors && values) return host->fail(host, LEHR_E_PARAM, "give factors or values, not both");
    if (factors && factors != count)
        return host->fail(host, LEHR_E_PARAM, "factors needs one for each milestone");
    if (values && values != count + 1)
        return host->fail(host, LEHR_E_PARAM, "values needs one more than there are milestones");
    return LEHR_OK;
}

static const lehr_schedule multistep = {
    .size = sizeof multistep, .name = "multistep", .doc = "lr = base * gamma^(milestones passed)",
    .params = LEHR_TABLE(params), .presets = LEHR_TABLE(presets), .value = value, .check = check};
LEHR_SCHEDULE_PLUGIN("org.lehr.multistep", "1.1", multistep)
