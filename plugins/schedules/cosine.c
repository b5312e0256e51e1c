/* SPDX-License-Identifier: MIT
 *
 * cosine(end): lr = end + (from - end) * h^exponent, h = (1 + cos(2 pi cycles p^k)) / 2, p = t /
 * over (SGDR, arXiv 1608.03983, without restarts).  From p = 1 the value is held, as in Keras,
 * optax and timm; beyond=continue goes on along the cosine and rises again, as PyTorch's
 * CosineAnnealingLR and transformers do.  k is timm's k_decay, exponent is optax', cycles is
 * transformers' num_cycles. */
#include <lehr/plugin.h>
#include <math.h>

enum { END, OVER, INCLUSIVE, FROM, CYCLES, EXPONENT, K, BEYOND };
static const char *const beyond[] = {"hold", "continue", 0};
static const lehr_param params[] = {
    LEHR_VALUEP("end", "0", "value at the end"),
    LEHR_DURATIONP("over", "100%", LEHR_P_PHASE, "length of the decay"),
    LEHR_BOOLP("inclusive", 0, "1: the last update of `over` uses end"),
    LEHR_VALUEP("from", "100%", "value at the start"),
    {"cycles", "waves in `over`", 0.5, 0, LEHR_ANY, LEHR_REAL, LEHR_P_OPEN_MIN, 0, 0},
    {"exponent", "of the half wave", 1, 0, LEHR_ANY, LEHR_REAL, LEHR_P_OPEN_MIN, 0, 0},
    {"k", "exponent of p", 1, 0, LEHR_ANY, LEHR_REAL, LEHR_P_OPEN_MIN, 0, 0},
    LEHR_CHOICEP("beyond", 0, beyond, "what follows the end")};
static const lehr_preset presets[] = {
    {"torch", "beyond=continue", "PyTorch CosineAnnealingLR(T_max=over, eta_min=end)"},
    {"keras3", "", "Keras 3 CosineDecay(decay_steps=over, alpha=end/base) without warm-up"},
    {"optax", "", "optax cosine_decay_schedule(decay_steps=over, alpha=end/init, exponent)"},
    {"hf", "beyond=continue", "transformers get_cosine_schedule, behind its warm-up"},
    {"timm", "", "timm CosineLRScheduler(t_initial=over, lr_min=end, k_decay=k), one cycle"}};

static double value(const lehr_progress *t, const double *s)
{
    const double pi = 3.14159265358979323846;
    double last = t->p[OVER] - t->p[INCLUSIVE], p = 1;
    (void)s;
    if ((double)t->step < last || (t->p[BEYOND] != 0 && last > 0)) p = (double)t->step / last;
    if (t->p[CYCLES] == 0.5 && p == 1) return t->p[END];
    if (t->p[K] != 1) p = pow(p, t->p[K]);
    double half = 0.5 * (1 + cos(pi * (2 * t->p[CYCLES]) * p));
    if (t->p[EXPONENT] != 1) half = pow(half, t->p[EXPONENT]);
    return t->p[END] + (t->p[FROM] - t->p[END]) * half;
}

static const lehr_schedule cosine = {
    .size = sizeof cosine, .name = "cosine",
    .doc = "lr = end + (from - end) * (1 + cos(pi t / over)) / 2",
    .params = LEHR_TABLE(params), .presets = LEHR_TABLE(presets), .value = value};
LEHR_SCHEDULE_PLUGIN("org.lehr.cosine", "1.1", cosine)
