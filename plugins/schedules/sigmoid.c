/* SPDX-License-Identifier: MIT
 *
 * sigmoid(center, gamma): lr = base / (1 + exp(gamma * (t + offset - center) / every)): half the
 * base at the centre.  It falls, as Darknet's; Caffe's policy of the same name has the other sign
 * and grows (rising=1), although its comment calls it a decay. */
#include <lehr/plugin.h>
#include <math.h>

enum { CENTER, GAMMA, EVERY, RISING, OFFSET };
static const lehr_param params[] = {
    LEHR_DURATIONP("center", "50%", 0, "where the value is half the base"),
    LEHR_REALP("gamma", 10, 0, LEHR_ANY, "steepness per `every`"),
    LEHR_DURATIONP("every", "100%", 0, "unit of gamma"),
    LEHR_BOOLP("rising", 0, "1: from 0 to the base"),
    {"offset", "added to t", 0, 0, LEHR_ANY, LEHR_DURATION, 0, 0, "0st"}};
static const lehr_preset presets[] = {
    {"caffe", "every=1st, rising=1", "Caffe lr_policy sigmoid (stepsize=center)"},
    {"darknet", "every=1st, offset=1st", "Darknet policy=sigmoid (step=center)"}};

static double value(const lehr_progress *t, const double *s)
{
    double x = t->p[GAMMA] * ((double)t->step + t->p[OFFSET] - t->p[CENTER]) / t->p[EVERY];
    (void)s;
    return t->base / (1 + exp(t->p[RISING] != 0 ? -x : x));
}

static const lehr_schedule sigmoid = {
    .size = sizeof sigmoid, .name = "sigmoid",
    .doc = "lr = base / (1 + exp(gamma * (t - center) / every))",
    .params = LEHR_TABLE(params), .presets = LEHR_TABLE(presets), .value = value};
LEHR_SCHEDULE_PLUGIN("org.lehr.sigmoid", "1.0", sigmoid)
