/* SPDX-License-Identifier: MIT
 *
 * step(gamma, every): lr = base * gamma^floor((t + offset) / every).  The change takes effect at
 * its boundary: update `every` is the first with the new value (PyTorch StepLR, Keras
 * ExponentialDecay with staircase, Caffe "step").  Darknet counts updates from 1.  tutorial:step is
 * base * drop^floor((1 + epoch) / epochs_drop): its first plateau is an epoch short. */
#include <lehr/plugin.h>
#include <math.h>

enum { GAMMA, EVERY, OFFSET };
static const lehr_param params[] = {
    LEHR_REALP("gamma", 0.1, 0, LEHR_ANY, "factor at each boundary"),
    LEHR_DURATIONP("every", 0, LEHR_P_REQUIRED, "distance of the boundaries"),
    {"offset", "moves all boundaries earlier by this much", 0, 0, LEHR_ANY, LEHR_DURATION, 0, 0,
     "0st"}};
static const lehr_preset presets[] = {
    {"tutorial", "gamma=0.5, every=10ep, offset=1ep",
     "Keras tutorial: lr * drop^floor((1 + epoch) / epochs_drop)"},
    {"torch", "gamma=0.1", "PyTorch StepLR(step_size=every, gamma)"},
    {"keras3", "gamma=0.1", "Keras 3 ExponentialDecay(decay_steps=every, staircase=True)"},
    {"optax", "gamma=0.1", "optax exponential_decay(transition_steps=every, staircase=True)"},
    {"timm", "gamma=1", "timm StepLRScheduler(decay_t=every, decay_rate=gamma)"},
    {"caffe", "gamma=0.1", "Caffe lr_policy step (stepsize=every)"},
    {"darknet", "gamma=1, every=1st, offset=1st", "Darknet policy=step: its first batch is 1"}};

static double value(const lehr_progress *t, const double *s)
{
    (void)s;
    return t->base * pow(t->p[GAMMA], floor(((double)t->step + t->p[OFFSET]) / t->p[EVERY]));
}

static const lehr_schedule step = {
    .size = sizeof step, .name = "step", .doc = "lr = base * gamma^floor(t / every)",
    .params = LEHR_TABLE(params), .presets = LEHR_TABLE(presets), .value = value};
LEHR_SCHEDULE_PLUGIN("org.lehr.step", "1.1", step)
