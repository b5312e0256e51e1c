/* SPDX-License-Identifier: MIT
 *
 * warmup(duration, from): lr = from + (base - from) * (t + 1) / duration, then base.  No update is
 * spent at `from` itself: the first uses one step of the ramp, the last of the warm-up uses base.
 * With lag=1 it is t / duration, so that the first update uses `from` (Keras, PyTorch LinearLR,
 * transformers). */
#include <lehr/plugin.h>

enum { DURATION, FROM, LAG };
static const lehr_param params[] = {
    LEHR_DURATIONP("duration", 0, LEHR_P_REQUIRED | LEHR_P_PHASE, "length of the ramp"),
    LEHR_VALUEP("from", "0", "where the ramp starts"),
    LEHR_BOOLP("lag", 0, "1: the first update uses `from`, update `duration` the base")};
static const lehr_preset presets[] = {
    {"torch", "from=33.333333333333336%, lag=1", "LinearLR: start_factor 1/3"},
    {"hf", "from=0, lag=1", "transformers: t / warmup_steps"}};

static double value(const lehr_progress *t, const double *s)
{
    double done = (double)t->step + 1 - t->p[LAG];
    (void)s;
    if (!(done < t->p[DURATION])) return t->base;
    return t->p[FROM] + (t->base - t->p[FROM]) * done / t->p[DURATION];
}

static const lehr_schedule warmup = {
    .size = sizeof warmup, .name = "warmup",
    .doc = "lr = from + (base - from) * (t + 1) / duration, then base",
    .params = LEHR_TABLE(params), .presets = LEHR_TABLE(presets), .value = value};
LEHR_SCHEDULE_PLUGIN("org.lehr.warmup", "1.0", warmup)
