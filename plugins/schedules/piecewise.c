/* SPDX-License-Identifier: MIT
 *
 * piecewise(at, to, by): the value is to[i] at at[i] and between them a straight line, a half
 * cosine or (step) the last one reached; before the first and after the last point it is held.
 * factors=1: the curve starts at the base at 0, and each number multiplies the value before it
 * (optax piecewise_interpolate_schedule). */
#include <lehr/plugin.h>
#include <math.h>

enum { AT, TO, BY, FACTORS };
static const char *const ways[] = {"linear", "cosine", "step", 0};
static const lehr_param params[] = {
    {"at", "when: ascending, [0ep, 5ep, 24ep]", 0, 0, LEHR_ANY, LEHR_DURATION,
     LEHR_P_LIST | LEHR_P_REQUIRED, 0, 0},
    {"to", "which value, one for each of `at`", 0, 0, LEHR_ANY, LEHR_VALUE,
     LEHR_P_LIST | LEHR_P_REQUIRED, 0, 0},
    LEHR_CHOICEP("by", 0, ways, "the way from one to the next"),
    LEHR_BOOLP("factors", 0, "1: `to` holds factors, the first one of the base")};
static const lehr_preset presets[] = {
    {"optax", "factors=1", "optax piecewise_interpolate_schedule(boundaries_and_scales)"}};

static double value(const lehr_progress *t, const double *s)
{
    const double pi = 3.14159265358979323846, *at = t->lists[AT].at, *to = t->lists[TO].at;
    double step = (double)t->step, from = 0, a = t->p[FACTORS] != 0 ? t->base : to[0], b = a;
    (void)s;
    for (uint32_t i = 0; i < t->lists[AT].count; i++) {
        b = t->p[FACTORS] != 0 ? a * to[i] : to[i];
        if (step < at[i]) {
            double u = (step - from) / (at[i] - from);
            if (t->p[BY] == 0) return (b - a) * u + a;
            return t->p[BY] == 1 ? b + (a - b) / 2 * (cos(pi * u) + 1) : a;
        }
        from = at[i];
        a = b;
    }
    return a;
}

static lehr_status check(const lehr_host *host, const lehr_progress *t)
{
    const lehr_values *at = &t->lists[AT];
    if (at->count != t->lists[TO].count)
        return host->fail(host, LEHR_E_PARAM, "at and to need as many members as each other");
    for (uint32_t i = 1; i < at->count; i++)
        if (!(at->at[i] > at->at[i - 1]))
            return host->fail(host, LEHR_E_PARAM, "the members of at must ascend");
    return LEHR_OK;
}

static const lehr_schedule piecewise = {
    .size = sizeof piecewise, .name = "piecewise", .doc = "lr = to[i] at at[i], interpolated between",
    .params = LEHR_TABLE(params), .presets = LEHR_TABLE(presets), .value = value, .check = check};
LEHR_SCHEDULE_PLUGIN("org.lehr.piecewise", "1.0", piecewise)
