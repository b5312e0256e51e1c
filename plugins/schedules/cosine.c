/* SPDX-License-Identifier: MIT
 *
 * cosine(end): lr = end + (base - end) * (1 + cos(pi p)) / 2, p = t / over, held at end from p = 1
 * (SGDR, arXiv 1608.03983, without restarts; PyTorch CosineAnnealingLR up to its T_max). */
#include <lehr/plugin.h>
#include <math.h>

enum { END, OVER, INCLUSIVE };
static const lehr_param params[] = {
    LEHR_VALUEP("end", "0", "value at the end"),
    LEHR_DURATIONP("over", "100%", LEHR_P_PHASE, "length of the decay"),
    LEHR_BOOLP("inclusive", 0, "1: the last update of `over` uses end")};

static double value(const lehr_progress *t, const double *s)
{
    const double pi = 3.14159265358979323846;
    double last = t->p[OVER] - t->p[INCLUSIVE];
    (void)s;
    if (!((double)t->step < last)) return t->p[END];
    return t->p[END] + (t->base - t->p[END]) * 0.5 * (1 + cos(pi * (double)t->step / last));
}

static const lehr_schedule cosine = {
    .size = sizeof cosine, .name = "cosine",
    .doc = "lr = end + (base - end) * (1 + cos(pi t / over)) / 2",
    .params = LEHR_TABLE(params), .value = value};
LEHR_SCHEDULE_PLUGIN("org.lehr.cosine", "1.0", cosine)
