/* SPDX-License-Identifier: MIT
 *
 * wsd(warmup, decay): warm-up, stable, decay (trapezoid): lr = from + (base - from) * f(u) over
 * warmup, base, then end + (base - end) * c(q) over the last `decay` updates, then end; u = (t + 1)
 * / warmup, q = part of the decay done (arXiv 2404.06395, 2405.18392).  c by cooldown: linear 1 -
 * q, cosine (1 + cos(pi q)) / 2, sqrt 1 - sqrt(q), square 1 - q^2; f by shape: linear u, cosine
 * (1 - cos(pi u)) / 2, sqrt 1 - sqrt(1 - u). */
#include <lehr/plugin.h>
#include <math.h>

enum { WARMUP, DECAY, END, COOLDOWN, SHAPE, FROM, LAG, OVER };
static const char *const cooldowns[] = {"linear", "cosine", "sqrt", "square", 0};
static const char *const shapes[] = {"linear", "cosine", "sqrt", 0};
static const lehr_param params[] = {
    {"warmup", "length of the warm-up", 0, 0, LEHR_ANY, LEHR_DURATION, LEHR_P_PHASE, 0, "5%"},
    LEHR_DURATIONP("decay", "20%", LEHR_P_PHASE, "length of the decay, at the end"),
    LEHR_VALUEP("end", "0", "value at the end"),
    LEHR_CHOICEP("cooldown", 2, cooldowns, "form of the decay"),
    LEHR_CHOICEP("shape", 0, shapes, "form of the warm-up"),
    LEHR_VALUEP("from", "0", "where the warm-up starts"),
    LEHR_BOOLP("lag", 0, "1: u = t / warmup, the first update uses `from`"),
    LEHR_DURATIONP("over", "100%", LEHR_P_PHASE, "length of all three")};
static const lehr_preset presets[] = {
    {"hf", "cooldown=cosine, lag=1",
     "transformers get_wsd_schedule(min_lr_ratio=end/base, with from=end)"},
    {"timm", "cooldown=sqrt, lag=1", "timm WSDLRScheduler(decay_t, warmup_t, lr_min), stable constant"},
    {"pytorch_optimizer", "cooldown=sqrt, lag=1", "pytorch_optimizer get_wsd_schedule"}};

static double value(const lehr_progress *t, const double *s)
{
    const double pi = 3.14159265358979323846, *p = t->p;
    double step = (double)t->step, u = (step + 1 - p[LAG]) / p[WARMUP];
    double q = (step - (p[OVER] - p[DECAY])) / p[DECAY];
    (void)s;
    if (step < p[WARMUP]) {
        double f = p[SHAPE] == 0 ? u : p[SHAPE] == 1 ? 0.5 * (1 - cos(pi * u)) : 1 - sqrt(1 - u);
        return p[FROM] + (t->base - p[FROM]) * f;
    }
    if (q <= 0) return t->base;
    if (q >= 1) return p[END];
    double left[] = {1 - q, 0.5 * (1 + cos(pi * q)), 1 - sqrt(q), 1 - q * q};
    return p[END] + (t->base - p[END]) * left[(int)p[COOLDOWN]];
}

static lehr_status check(const lehr_host *host, const lehr_progress *t)
{
    if (t->p[WARMUP] + t->p[DECAY] <= t->p[OVER]) return LEHR_OK;
    return host->fail(host, LEHR_E_PARAM, "warmup and decay together are longer than over");
}

static const lehr_schedule wsd = {
    .size = sizeof wsd, .name = "wsd",
    .doc = "lr = base * (t + 1) / warmup, base, then end + (base - end) * (1 - sqrt(q)) at the end",
    .params = LEHR_TABLE(params), .presets = LEHR_TABLE(presets), .value = value, .check = check};
LEHR_SCHEDULE_PLUGIN("org.lehr.wsd", "1.0", wsd)
