/* SPDX-License-Identifier: MIT
 *
 * multistep(milestones, gamma): lr = base * gamma^n, n = milestones m with m <= t (PyTorch
 * MultiStepLR: the change takes effect at the milestone; a milestone named twice counts twice). */
#include <lehr/plugin.h>
#include <math.h>

enum { MILESTONES, GAMMA };
static const lehr_param params[] = {
    LEHR_DURATIONP("milestones", 0, LEHR_P_REQUIRED | LEHR_P_LIST, "when the value changes"),
    LEHR_REALP("gamma", 0.1, 0, LEHR_ANY, "factor at each milestone")};

static double value(const lehr_progress *t, const double *s)
{
    const lehr_values *milestones = &t->lists[MILESTONES];
    double passed = 0;
    (void)s;
    for (uint32_t i = 0; i < milestones->count; i++) passed += milestones->at[i] <= (double)t->step;
    return t->base * pow(t->p[GAMMA], passed);
}

static const lehr_schedule multistep = {
    .size = sizeof multistep, .name = "multistep", .doc = "lr = base * gamma^(milestones passed)",
    .params = LEHR_TABLE(params), .value = value};
LEHR_SCHEDULE_PLUGIN("org.lehr.multistep", "1.0", multistep)
