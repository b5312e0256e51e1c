/* SPDX-License-Identifier: MIT
 *
 * polynomial(end, power): lr = end + (from - end) * (1 - p^k)^power, p = (t + offset) / over, held
 * at end from p = 1 (Keras PolynomialDecay, optax polynomial_schedule; PyTorch PolynomialLR and
 * Caffe with end = 0; k is timm's k_decay).  cycle=1: instead of being held it starts anew over 2,
 * 3, ... times the length, as Keras does. */
#include <lehr/plugin.h>
#include <math.h>

enum { END, POWER, OVER, INCLUSIVE, FROM, CYCLE, K, OFFSET };
static const lehr_param params[] = {
    LEHR_VALUEP("end", "0", "value at the end"),
    {"power", "exponent", 1, 0, LEHR_ANY, LEHR_REAL, LEHR_P_OPEN_MIN, 0, 0},
    LEHR_DURATIONP("over", "100%", LEHR_P_PHASE, "length of the decay"),
    LEHR_BOOLP("inclusive", 0, "1: the last update of `over` uses end"),
    LEHR_VALUEP("from", "100%", "value at the start"),
    LEHR_BOOLP("cycle", 0, "1: starts anew, each time over a longer span"),
    {"k", "exponent of p", 1, 0, LEHR_ANY, LEHR_REAL, LEHR_P_OPEN_MIN, 0, 0},
    {"offset", "added to t", 0, 0, LEHR_ANY, LEHR_DURATION, 0, 0, "0st"}};
static const lehr_preset presets[] = {
    {"keras3", "end=1e-4, power=1", "Keras 3 PolynomialDecay(decay_steps=over)"},
    {"torch", "end=0, power=1", "PyTorch PolynomialLR(total_iters=over)"},
    {"optax", "", "optax polynomial_schedule(transition_steps=over)"},
    {"hf", "end=1e-7, power=1", "transformers get_polynomial_decay_schedule, behind its warm-up"},
    {"timm", "end=0, power=0.5", "timm PolyLRScheduler(t_initial=over, k_decay=k)"},
    {"caffe", "end=0", "Caffe lr_policy poly (max_iter=over)"},
    {"darknet", "end=0, power=4, offset=1st", "Darknet policy=poly: its first batch is 1"}};

static double value(const lehr_progress *t, const double *s)
{
    double last = t->p[OVER] - t->p[INCLUSIVE], step = (double)t->step + t->p[OFFSET];
    (void)s;
    if (t->p[CYCLE] != 0 && step > last && last > 0) last *= ceil(step / last);
    if (!(step < last)) return t->p[END];
    double p = step / last;
    if (t->p[K] != 1) p = pow(p, t->p[K]);
    return t->p[END] + (t->p[FROM] - t->p[END]) * pow(1 - p, t->p[POWER]);
}

static const lehr_schedule polynomial = {
    .size = sizeof polynomial, .name = "polynomial",
    .doc = "lr = end + (from - end) * (1 - (t / over)^k)^power",
    .params = LEHR_TABLE(params), .presets = LEHR_TABLE(presets), .value = value};
LEHR_SCHEDULE_PLUGIN("org.lehr.polynomial", "1.1", polynomial)
