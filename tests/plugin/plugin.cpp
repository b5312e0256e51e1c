/* SPDX-License-Identifier: MIT
 *
 * A plugin in C++17 with the public header only: a schedule and an optimizer in one file. */
#include <lehr/plugin.h>

namespace {

const lehr_param params[] = {LEHR_REALP("slope", 0.5, 0, 1, "share of the base that is lost")};

double value(const lehr_progress *t, const double *) noexcept
{
    double p = t->total_steps ? double(t->step) / double(t->total_steps) : 0.0;
    return t->base * (1 - t->p[0] * (p < 1 ? p : 1));
}

lehr_schedule make_schedule() noexcept
{
    lehr_schedule d{};
    d.size = sizeof d;
    d.name = "cplusplus";
    d.doc = "falls by slope over the run";
    d.params = LEHR_TABLE(params);
    d.value = value;
    return d;
}

const lehr_pass passes[] = {LEHR_PASS("w -= lr * (g > 0 ? 1 : g < 0 ? -1 : 0);")};

lehr_optimizer make_optimizer() noexcept
{
    lehr_optimizer d{};
    d.size = sizeof d;
    d.name = "signs";
    d.doc = "w -= lr sign(g)";
    d.passes = LEHR_TABLE(passes);
    return d;
}

const lehr_schedule schedule = make_schedule();
const lehr_optimizer optimizer = make_optimizer();
const lehr_schedule *const schedules[] = {&schedule};
const lehr_optimizer *const optimizers[] = {&optimizer};

lehr_plugin make_plugin() noexcept
{
    lehr_plugin p{};
    p.size = sizeof p;
    p.abi = LEHR_ABI;
    p.id = "org.example.cplusplus";
    p.version = "1";
    p.schedules = schedules;
    p.schedule_count = 1;
    p.optimizers = optimizers;
    p.optimizer_count = 1;
    return p;
}

} // namespace

extern "C" LEHR_EXPORT const lehr_plugin *lehr_plugin_v1(void)
{
    static const lehr_plugin self = make_plugin();
    return &self;
}
