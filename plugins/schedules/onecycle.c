/* SPDX-License-Identifier: MIT
 *
 * onecycle(rise, div, final_div): up from base / div to base over the first `rise` of `over`, down
 * to base / div / final_div over the rest (1cycle, arXiv 1708.07120); the base is the peak.  With
 * fall > 0 there are three phases: back at base / div when `fall` of the run is done, then on to
 * the last value.  mirror=1 is the form for momentum: base, down to low, back to base.  Phases end
 * at whole updates and the last value lies just behind the run (optax); inclusive=1 ends them at
 * rise T - 1, fall T - 2 and T - 1, fractions kept (PyTorch OneCycleLR). */
#include <lehr/plugin.h>
#include <math.h>

enum { RISE, DIV, FINAL_DIV, FALL, ANNEAL, MIRROR, LOW, INCLUSIVE, OVER };
static const char *const anneals[] = {"cos", "linear", 0};
static const lehr_param params[] = {
    {"rise", "part of `over` spent rising", 0.3, 0, 1, LEHR_REAL, LEHR_P_OPEN_MIN | LEHR_P_OPEN_MAX,
     0, 0},
    {"div", "base over the first value", 25, 0, LEHR_ANY, LEHR_REAL, LEHR_P_OPEN_MIN, 0, 0},
    {"final_div", "first over the last value", 1e4, 0, LEHR_ANY, LEHR_REAL, LEHR_P_OPEN_MIN, 0, 0},
    LEHR_REALP("fall", 0, 0, 1, "part of `over` after which the first value is back; 0: two phases"),
    LEHR_CHOICEP("anneal", 0, anneals, "form of the ramps"),
    LEHR_BOOLP("mirror", 0, "1: the form for momentum"),
    LEHR_VALUEP("low", "85%", "value at the peak of the learning rate, with mirror"),
    LEHR_BOOLP("inclusive", 0, "1: the last update of `over` uses the last value"),
    LEHR_DURATIONP("over", "100%", LEHR_P_PHASE, "length of the cycle")};
static const lehr_preset presets[] = {
    {"torch", "inclusive=1", "PyTorch OneCycleLR(max_lr=base); three_phase is fall = 2 rise"},
    {"optax", "", "optax cosine_onecycle_schedule; linear_onecycle: anneal=linear, fall=0.85"}};

static double ramp(const double *p, double a, double b, double u)
{
    const double pi = 3.14159265358979323846;
    return p[ANNEAL] == 0 ? b + (a - b) / 2 * (cos(pi * u) + 1) : (b - a) * u + a;
}

static double value(const lehr_progress *t, const double *s)
{
    const double *p = t->p, first = p[MIRROR] != 0 ? t->base : t->base / p[DIV];
    double level[] = {first, p[MIRROR] != 0 ? p[LOW] : t->base, first,
                      p[MIRROR] != 0 ? t->base : first / p[FINAL_DIV]};
    double end[] = {p[RISE] * p[OVER], p[FALL] * p[OVER], p[OVER] - p[INCLUSIVE]}, start = 0;
    (void)s;
    for (int k = 0; k < 2; k++) end[k] = p[INCLUSIVE] != 0 ? end[k] - 1 - k : floor(end[k]);
    for (int k = 0; k < 3; k++) {
        int to = k == 1 && p[FALL] == 0 ? 3 : k + 1; /* two phases: from the peak to the last */
        double stop = to == 3 ? end[2] : end[k];
        if ((double)t->step < stop)
            return ramp(p, level[k], level[to], ((double)t->step - start) / (stop - start));
        if (to == 3) break;
        start = stop;
    }
    return level[3];
}

static lehr_status check(const lehr_host *host, const lehr_progress *t)
{
    if (t->p[FALL] == 0 || t->p[FALL] > t->p[RISE]) return LEHR_OK;
    return host->fail(host, LEHR_E_PARAM, "fall must be above rise, or 0");
}

static const lehr_schedule onecycle = {
    .size = sizeof onecycle, .name = "onecycle",
    .doc = "lr = base / div up to base over rise, down to base / div / final_div, along cosines",
    .params = LEHR_TABLE(params), .presets = LEHR_TABLE(presets), .value = value, .check = check};
LEHR_SCHEDULE_PLUGIN("org.lehr.onecycle", "1.0", onecycle)
