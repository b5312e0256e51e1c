/* SPDX-License-Identifier: MIT
 *
 * tanh(end): lr = end + (base - end) * (1 - tanh(low (1 - p) + high p)) / 2, p = t / over, then end
 * (hyperbolic-tangent decay, arXiv 1806.01593; timm TanhLRScheduler).  The curve ends a little
 * above `end`, by (1 - tanh(high)) / 2, and then drops to it. */
#include <lehr/plugin.h>
#include <math.h>

enum { END, OVER, LOW, HIGH };
static const lehr_param params[] = {
    LEHR_VALUEP("end", "0", "value at the end"),
    LEHR_DURATIONP("over", "100%", LEHR_P_PHASE, "length of the decay"),
    LEHR_REALP("low", -7, -LEHR_ANY, LEHR_ANY, "argument of tanh at the start"),
    LEHR_REALP("high", 3, -LEHR_ANY, LEHR_ANY, "argument of tanh at the end")};
static const lehr_preset presets[] = {
    {"timm", "low=-7, high=3", "timm TanhLRScheduler(t_initial=over, lb, ub, lr_min), one cycle"},
    {"paper", "low=-6, high=3", "arXiv 1806.01593: HTD(-6, 3)"}};

static double value(const lehr_progress *t, const double *s)
{
    double p = (double)t->step / t->p[OVER];
    (void)s;
    if (!(p < 1)) return t->p[END];
    double x = t->p[LOW] * (1 - p) + t->p[HIGH] * p;
    return t->p[END] + (t->base - t->p[END]) * 0.5 * (1 - tanh(x));
}

static const lehr_schedule htd = {
    .size = sizeof htd, .name = "tanh",
    .doc = "lr = end + (base - end) * (1 - tanh(low (1 - p) + high p)) / 2, p = t / over",
    .params = LEHR_TABLE(params), .presets = LEHR_TABLE(presets), .value = value};
LEHR_SCHEDULE_PLUGIN("org.lehr.tanh", "1.0", htd)
