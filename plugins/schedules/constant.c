/* SPDX-License-Identifier: MIT
 *
 * constant(): the base value, always. */
#include <lehr/plugin.h>

static double value(const lehr_progress *t, const double *s)
{
    (void)s;
    return t->base;
}

static const lehr_schedule constant = {
    .size = sizeof constant, .name = "constant", .doc = "lr = base", .value = value};
LEHR_SCHEDULE_PLUGIN("org.lehr.constant", "1.0", constant)
