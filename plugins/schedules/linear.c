/* SPDX-License-Identifier: MIT
 *
 * linear(end): lr = base + (end - base) * p, p = t / over, held at end from p = 1. */
#include <lehr/plugin.h>

enum { END, OVER, INCLUSIVE };
static const lehr_param params[] = {
    LEHR_VALUEP("end", "0", "value at the end"),
    LEHR_DURATIONP("over", "100%", LEHR_P_PHASE, "length of the decay"),
    LEHR_BOOLP("inclusive", 0, "1: the last update of `over` uses end")};

static double value(const lehr_progress *t, const double *s)
{
    double last = t->p[OVER] - t->p[INCLUSIVE];
    (void)s;
    if (!((double)t->step < last)) return t->p[END];
    return t->p[END] + (t->base - t->p[END]) * (1 - (double)t->step / last);
}

static const lehr_schedule linear = {
    .size = sizeof linear, .name = "linear", .doc = "lr = base + (end - base) * t / over",
    .params = LEHR_TABLE(params), .value = value};
LEHR_SCHEDULE_PLUGIN("org.lehr.linear", "1.0", linear)
