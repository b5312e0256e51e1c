/* SPDX-License-Identifier: MIT
 *
 * noise(sd, limit): lr = base * (1 + n), n normal with standard deviation sd, drawn again while |n|
 * >= limit, or uniform in [-limit, limit); a new one each `every`, only in [begin, end).  A factor
 * for other schedules: cosine() * noise(sd=0.1).  A pure function of seed, stream and draw
 * (SplitMix64; Box-Muller).  timm's noise has the same law, from another generator. */
#include <lehr/plugin.h>
#include <math.h>

enum { SD, LIMIT, KIND, EVERY, BEGIN, END, STREAM };
static const char *const kinds[] = {"normal", "uniform", 0};
static const lehr_param params[] = {
    LEHR_REALP("sd", 0.1, 0, LEHR_ANY, "standard deviation of the normal kind"),
    {"limit", "bound of |n|", 0.67, 0, 1, LEHR_REAL, LEHR_P_OPEN_MIN, 0, 0},
    LEHR_CHOICEP("kind", 0, kinds, "distribution"),
    LEHR_DURATIONP("every", "1st", 0, "how long each value stays"),
    {"begin", "no noise before", 0, 0, LEHR_ANY, LEHR_DURATION, 0, 0, "0st"},
    {"end", "no noise from here on; 0: to the end", 0, 0, LEHR_ANY, LEHR_DURATION, 0, 0, "0st"},
    LEHR_INTP("stream", 0, 0, 1e9, "another number draws others")};
static const lehr_preset presets[] = {
    {"timm", "sd=1, limit=0.67, every=1ep", "timm Scheduler: noise_std, noise_pct"}};

static double uniform(uint64_t key, uint64_t i)
{
    uint64_t x = key + 0x9e3779b97f4a7c15u * (i + 1);
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (double)((x ^ x >> 31) >> 11) * 0x1p-53;
}

static double value(const lehr_progress *t, const double *s)
{
    const double tau = 6.28318530717958647693, *p = t->p;
    double step = (double)t->step, n = 0;
    (void)s;
    if (step < p[BEGIN] || (p[END] > 0 && step >= p[END])) return t->base;
    uint64_t draw = t->step / (uint64_t)p[EVERY];
    uint64_t key = (uint64_t)(uniform(t->seed + (uint64_t)p[STREAM] * 0xd1342543de82ef95u, draw) *
                              0x1p53);
    for (uint64_t i = 1; i < 200 && p[KIND] == 0; i += 2) {
        n = p[SD] * sqrt(-2 * log(1 - uniform(key, i))) * cos(tau * uniform(key, i + 1));
        if (fabs(n) < p[LIMIT]) return t->base * (1 + n);
    }
    return t->base * (1 + (2 * uniform(key, 0) - 1) * p[LIMIT]);
}

static const lehr_schedule noise = {
    .size = sizeof noise, .name = "noise", .doc = "lr = base * (1 + n), n random, |n| < limit",
    .params = LEHR_TABLE(params), .presets = LEHR_TABLE(presets), .value = value};
LEHR_SCHEDULE_PLUGIN("org.lehr.noise", "1.0", noise)
