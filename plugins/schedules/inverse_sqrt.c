/* SPDX-License-Identifier: MIT
 *
 * inverse_sqrt(warmup): lr = base * u / warmup, then base / sqrt(1 + (u - warmup) / timescale),
 * u = t + 1.  With timescale = warmup (the default) that is base * min(u / warmup, sqrt(warmup /
 * u)): the shape of Noam, whose peak is here the base.  dim=d scales as the paper does, base *
 * d^-0.5 * min(u^-0.5, u * warmup^-1.5) (arXiv 1706.03762, eq. 3).  lag=1 is transformers' u = t. */
#include <lehr/plugin.h>
#include <math.h>

enum { WARMUP, TIMESCALE, LAG, DIM };
static const lehr_param params[] = {
    {"warmup", "length of the linear warm-up", 0, 0, LEHR_ANY, LEHR_DURATION, LEHR_P_PHASE, 0,
     "0st"},
    {"timescale", "0: as warmup, or 10,000 updates without one", 0, 0, LEHR_ANY, LEHR_DURATION, 0,
     0, "0st"},
    LEHR_BOOLP("lag", 0, "1: u = t, the first update uses 0"),
    LEHR_REALP("dim", 0, 0, LEHR_ANY, "width of the model as in the paper; 0: base is the peak")};
static const lehr_preset presets[] = {
    {"hf", "lag=1", "transformers get_inverse_sqrt_schedule"},
    {"paper", "dim=512", "Attention is all you need, base model: warmup 4000 updates, lr 1"}};

static double value(const lehr_progress *t, const double *s)
{
    double u = (double)t->step + 1 - t->p[LAG], warmup = t->p[WARMUP], scale = t->p[TIMESCALE];
    double peak = t->p[DIM] > 0 ? t->base / sqrt(t->p[DIM] * fmax(warmup, 1)) : t->base;
    (void)s;
    if (u < warmup) return peak * (u / warmup);
    if (scale == 0) scale = warmup > 0 ? warmup : 10000;
    return peak / sqrt((u + scale - warmup) / scale);
}

static const lehr_schedule inverse_sqrt = {
    .size = sizeof inverse_sqrt, .name = "inverse_sqrt",
    .doc = "lr = base * min(u / warmup, sqrt(warmup / u)), u = t + 1",
    .params = LEHR_TABLE(params), .presets = LEHR_TABLE(presets), .value = value};
LEHR_SCHEDULE_PLUGIN("org.lehr.inverse_sqrt", "1.0", inverse_sqrt)
