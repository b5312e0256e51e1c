/* SPDX-License-Identifier: MIT
 *
 * random(power): lr = low + (base - low) * u^power, u uniform in [0, 1), a new one each `every`: a
 * pure function of the run's seed, stream and the number of the draw (SplitMix64, Steele et al.
 * 2014), so that any update can be asked for.  Darknet policy=random has power 4. */
#include <lehr/plugin.h>
#include <math.h>

enum { POWER, EVERY, LOW, STREAM };
static const lehr_param params[] = {
    {"power", "exponent", 1, 0, LEHR_ANY, LEHR_REAL, LEHR_P_OPEN_MIN, 0, 0},
    LEHR_DURATIONP("every", "1st", 0, "how long each value stays"),
    LEHR_VALUEP("low", "0", "least value"),
    LEHR_INTP("stream", 0, 0, 1e9, "another number draws others")};
static const lehr_preset presets[] = {{"darknet", "power=4, every=1st", "Darknet policy=random"}};

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static double value(const lehr_progress *t, const double *s)
{
    const uint64_t golden = 0x9e3779b97f4a7c15u;
    uint64_t draw = t->step / (uint64_t)t->p[EVERY], stream = (uint64_t)t->p[STREAM];
    uint64_t bits = mix(mix(t->seed + golden * (stream + 1)) + golden * (draw + 1));
    (void)s;
    return t->p[LOW] + (t->base - t->p[LOW]) * pow((double)(bits >> 11) * 0x1p-53, t->p[POWER]);
}

static const lehr_schedule random_ = {
    .size = sizeof random_, .name = "random", .doc = "lr = low + (base - low) * u^power, u random",
    .params = LEHR_TABLE(params), .presets = LEHR_TABLE(presets), .value = value};
LEHR_SCHEDULE_PLUGIN("org.lehr.random", "1.0", random_)
