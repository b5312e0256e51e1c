/* SPDX-License-Identifier: MIT
 *
 * core/plugin/parameters.h: what an optimizer spec's parameters are and may become, without a device:
 * for schedules of hyperparameters and for parameter groups. */
#ifndef LH_PLUGIN_PARAMETERS_H
#define LH_PLUGIN_PARAMETERS_H

#include "core/base/base.h"
#include <lehr/plugin.h>
#include <lehr/schedule.h>

typedef struct lh_parameters {
    const lehr_optimizer *d; /* the registry's */
    const lehr_param *table; /* d's, in its order */
    uint32_t count;
    double *values; /* as bound: defaults, preset, the spec */
    double lr;      /* that belongs to the rule or preset, 0: none */
} lh_parameters;

/* weight_decay: the user's beside the spec, NaN when not given.  Errors: as lh_updater_create. */
lehr_status lh_parameters_read(lehr_context *ctx, lehr_registry *registry, const char *spec,
                               double weight_decay, lh_parameters *out);
void lh_parameters_free(lh_parameters *parameters);
/* Place of a parameter, or -1. */
int lh_parameters_find(const lh_parameters *parameters, const char *name);
/* A schedule or a parameter group may set it: a real that the rule reads anew at every update. */
bool lh_parameters_may_change(const lh_parameters *parameters, int param);
/* The slot that has no memory because this parameter is 0, or NULL: it cannot become anything else. */
const char *lh_parameters_missing_slot(const lh_parameters *parameters, int param);
/* False when value is outside of the parameter's range, which is then described: "[0, 1)". */
bool lh_parameters_in_range(const lh_parameters *parameters, int param, double value, char *range,
                            size_t size);
/* The plugin's own check() of these values in place of parameters->values. */
lehr_status lh_parameters_check(lehr_context *ctx, const lh_parameters *parameters,
                                const double *values);

/* A preset of a table by its prefix; keras is keras3 where the table has no keras of its own.  NULL:
 * there is none. */
const lehr_preset *lh_preset_find(const lehr_span *presets, const char *prefix);

#endif
