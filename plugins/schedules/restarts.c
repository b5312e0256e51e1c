/* SPDX-License-Identifier: MIT
 *
 * restarts(first, t_mult): cosine with warm restarts, lr = end + (peak - end) * (1 + cos(pi u / L))
 * / 2, u updates into cycle i, which is L = first * t_mult^i long (SGDR, arXiv 1608.03983).  Peaks
 * fall by decay: peak = base * decay^i (timm), or with of=range the whole range above end does
 * (Keras).  A cycle's last update is still above end, which is never reached.  limit ends it: from
 * then on the value is end. */
#include <lehr/plugin.h>
#include <math.h>

enum { FIRST, T_MULT, DECAY, END, LIMIT, OF };
static const char *const of[] = {"peak", "range", 0};
static const lehr_param params[] = {
    LEHR_DURATIONP("first", 0, LEHR_P_REQUIRED, "length of the first cycle"),
    LEHR_REALP("t_mult", 1, 1, LEHR_ANY, "each cycle is so many times longer than the last"),
    LEHR_REALP("decay", 1, 0, LEHR_ANY, "factor of each further peak"),
    LEHR_VALUEP("end", "0", "value each cycle falls towards"),
    LEHR_INTP("limit", 0, 0, 1e9, "cycles; 0: without end"),
    LEHR_CHOICEP("of", 0, of, "what decay shrinks: the peak, or its distance from end")};
static const lehr_preset presets[] = {
    {"torch", "t_mult=1", "PyTorch CosineAnnealingWarmRestarts(T_0=first, T_mult, eta_min=end)"},
    {"keras3", "t_mult=2, decay=1, of=range",
     "Keras 3 CosineDecayRestarts(first_decay_steps, t_mul, m_mul=decay, alpha=end/base)"},
    {"timm", "t_mult=1, decay=1, limit=1",
     "timm CosineLRScheduler(t_initial, cycle_mul, cycle_decay, cycle_limit, lr_min=end)"},
    {"hf", "t_mult=1, limit=1", "transformers get_cosine_with_hard_restarts, first = T / cycles"},
    {"pytorch_optimizer", "t_mult=1, decay=0.9", "CosineAnnealingWarmupRestarts without warm-up"}};

/* Updates before cycle i. */
static double begin(const double *p, double i)
{
    if (p[T_MULT] == 1) return p[FIRST] * i;
    return p[FIRST] * (pow(p[T_MULT], i) - 1) / (p[T_MULT] - 1);
}

static double value(const lehr_progress *t, const double *s)
{
    const double pi = 3.14159265358979323846, *p = t->p;
    double step = (double)t->step, i = floor(step / p[FIRST]);
    (void)s;
    if (p[T_MULT] > 1) i = floor(log1p(i * (p[T_MULT] - 1)) / log(p[T_MULT]));
    if (begin(p, i) > step) i--; /* the logarithm is off by one near a restart */
    if (begin(p, i + 1) <= step) i++;
    if (p[LIMIT] > 0 && i >= p[LIMIT]) return p[END];
    double u = (step - begin(p, i)) / (p[FIRST] * pow(p[T_MULT], i)), shrink = pow(p[DECAY], i);
    double range = p[OF] == 0 ? t->base * shrink - p[END] : (t->base - p[END]) * shrink;
    return p[END] + range * 0.5 * (1 + cos(pi * u));
}

static const lehr_schedule restarts = {
    .size = sizeof restarts, .name = "restarts",
    .doc = "lr = end + (base decay^i - end) * (1 + cos(pi u / L)) / 2, L = first * t_mult^i",
    .params = LEHR_TABLE(params), .presets = LEHR_TABLE(presets), .value = value};
LEHR_SCHEDULE_PLUGIN("org.lehr.restarts", "1.0", restarts)
