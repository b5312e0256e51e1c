/* SPDX-License-Identifier: MIT
 *
 * rex(end): lr = end + (base - end) * (1 - p) / (1 - p / 2), p = t / over (arXiv 2107.04197). */
#include <lehr/plugin.h>

enum { END, OVER };
static const lehr_param params[] = {
    LEHR_VALUEP("end", "0", "value at the end"),
    LEHR_DURATIONP("over", "100%", LEHR_P_PHASE, "length of the decay")};

static double value(const lehr_progress *t, const double *s)
{
    double p = (double)t->step / t->p[OVER];
    (void)s;
    return p < 1 ? t->p[END] + (t->base - t->p[END]) * ((1 - p) / (1 - p / 2)) : t->p[END];
}

static const lehr_schedule rex = {
    .size = sizeof rex, .name = "rex", .doc = "lr = end + (base - end) * (1 - p) / (1 - p / 2)",
    .params = LEHR_TABLE(params), .value = value};
LEHR_SCHEDULE_PLUGIN("org.lehr.rex", "1.0", rex)
