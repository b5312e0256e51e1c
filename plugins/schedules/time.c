/* SPDX-License-Identifier: MIT
 *
 * time(decay, every): lr = base / (1 + decay * t / every); `decay` of classic Keras with every=1st.
 * tutorial:time takes decay = base / epochs of the run unless decay is given. */
#include <lehr/plugin.h>

enum { DECAY, EVERY, AUTO };
static const lehr_param params[] = {
    LEHR_REALP("decay", 0, 0, LEHR_ANY, "rate of decay"),
    LEHR_DURATIONP("every", "1st", 0, "unit of t"),
    LEHR_BOOLP("auto", 0, "1 and no decay given: decay = base / epochs of the run")};
static const lehr_preset presets[] = {
    {"tutorial", "every=1st, auto=1", "Keras tutorial: decay_rate = learning_rate / epochs"}};

static double value(const lehr_progress *t, const double *s)
{
    double decay = t->p[DECAY];
    (void)s;
    if (decay == 0 && t->p[AUTO] != 0)
        decay = t->base / ((double)t->total_steps / (double)t->steps_per_epoch);
    return t->base / (1 + decay * (double)t->step / t->p[EVERY]);
}

static lehr_status check(const lehr_host *host, const lehr_progress *t)
{
    if (t->p[DECAY] == 0 && t->p[AUTO] == 0)
        return host->fail(host, LEHR_E_PARAM, "give decay, e.g. decay=0.001");
    if (t->p[DECAY] == 0 && (t->total_steps == 0 || t->steps_per_epoch == 0))
        return host->fail(host, LEHR_E_PARAM, "auto needs a run of known length; give decay");
    return LEHR_OK;
}

static const lehr_schedule time_based = {
    .size = sizeof time_based, .name = "time", .doc = "lr = base / (1 + decay * t / every)",
    .params = LEHR_TABLE(params), .presets = LEHR_TABLE(presets),
    .value = value, .check = check};
LEHR_SCHEDULE_PLUGIN("org.lehr.time", "1.0", time_based)
