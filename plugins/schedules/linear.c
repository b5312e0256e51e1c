/* SPDX-License-Identifier: MIT
 *
 * linear(end): lr = from + (end - from) * p, p = t / over, held at end from p = 1; linear(0 -> 1,
 * 5ep) names both ends as multiples of the base. */
#include <lehr/plugin.h>

enum { END, OVER, INCLUSIVE, FROM };
static const lehr_param params[] = {
    LEHR_VALUEP("end", "0", "value at the end"),
    LEHR_DURATIONP("over", "100%", LEHR_P_PHASE, "length of the decay"),
    LEHR_BOOLP("inclusive", 0, "1: the last update of `over` uses end"),
    LEHR_VALUEP("from", "100%", "value at the start")};
static const lehr_preset presets[] = {
    {"torch", "from=33.333333333333336%, end=100%",
     "PyTorch LinearLR(start_factor=1/3, end_factor=1, total_iters=over)"},
    {"optax", "", "optax linear_schedule(transition_steps=over)"},
    {"hf", "", "transformers get_linear_schedule_with_warmup, behind its warm-up"}};

static double value(const lehr_progress *t, const double *s)
{
    double last = t->p[OVER] - t->p[INCLUSIVE];
    (void)s;
    if (!((double)t->step < last)) return t->p[END];
    return t->p[END] + (t->p[FROM] - t->p[END]) * (1 - (double)t->step / last);
}

static const lehr_schedule linear = {
    .size = sizeof linear, .name = "linear", .doc = "lr = from + (end - from) * t / over",
    .params = LEHR_TABLE(params), .presets = LEHR_TABLE(presets), .value = value};
LEHR_SCHEDULE_PLUGIN("org.lehr.linear", "1.1", linear)
