/* SPDX-License-Identifier: MIT
 *
 * step(gamma, every): lr = base * gamma^floor((t + offset) / every).  The change takes effect at
 * its boundary: update `every` is the first with the new value (PyTorch StepLR, Keras staircase).
 * tutorial:step is base * drop^floor((1 + epoch) / epochs_drop): its first plateau is an epoch
 * short. */
#include <lehr/plugin.h>
#include <math.h>

enum { GAMMA, EVERY, OFFSET };
static const lehr_param params[] = {
    LEHR_REALP("gamma", 0.1, 0, LEHR_ANY, "factor at each boundary"),
    LEHR_DURATIONP("every", 0, LEHR_P_REQUIRED, "distance of the boundaries"),
    {"offset", "moves all boundaries earlier by this much", 0, 0, LEHR_ANY, LEHR_DURATION, 0, 0,
     "0st"}};
static const lehr_preset presets[] = {{"tutorial", "gamma=0.5, every=10ep, offset=1ep",
                                       "Keras tutorial: drop^floor((1+epoch)/epochs_drop)"}};

static double value(const lehr_progress *t, const double *s)
{
    (void)s;
    return t->base * pow(t->p[GAMMA], floor(((double)t->step + t->p[OFFSET]) / t->p[EVERY]));
}

static const lehr_schedule step = {
    .size = sizeof step, .name = "step", .doc = "lr = base * gamma^floor(t / every)",
    .params = LEHR_TABLE(params), .presets = LEHR_TABLE(presets), .value = value};
LEHR_SCHEDULE_PLUGIN("org.lehr.step", "1.0", step)
