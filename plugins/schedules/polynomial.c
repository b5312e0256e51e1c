/* SPDX-License-Identifier: MIT
 *
 * polynomial(end, power): lr = end + (base - end) * (1 - p)^power, p = t / over, held at end from p
 * = 1 (Keras PolynomialDecay, optax polynomial_schedule; PyTorch PolynomialLR with end = 0). */
#include <lehr/plugin.h>
#include <math.h>

enum { END, POWER, OVER, INCLUSIVE };
static const lehr_param params[] = {
    LEHR_VALUEP("end", "0", "value at the end"),
    {"power", "exponent", 1, 0, LEHR_ANY, LEHR_REAL, LEHR_P_OPEN_MIN, 0, 0},
    LEHR_DURATIONP("over", "100%", LEHR_P_PHASE, "length of the decay"),
    LEHR_BOOLP("inclusive", 0, "1: the last update of `over` uses end")};

static double value(const lehr_progress *t, const double *s)
{
    double last = t->p[OVER] - t->p[INCLUSIVE];
    (void)s;
    if (!((double)t->step < last)) return t->p[END];
    return t->p[END] + (t->base - t->p[END]) * pow(1 - (double)t->step / last, t->p[POWER]);
}

static const lehr_schedule polynomial = {
    .size = sizeof polynomial, .name = "polynomial",
    .doc = "lr = end + (base - end) * (1 - t / over)^power",
    .params = LEHR_TABLE(params), .value = value};
LEHR_SCHEDULE_PLUGIN("org.lehr.polynomial", "1.0", polynomial)
