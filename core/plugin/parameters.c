/* SPDX-License-Identifier: MIT
 *
 * The parameters of an optimizer spec, for those who want to change them. */
#include "core/plugin/parameters.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/plugin/rule.h"

lehr_status lh_parameters_read(lehr_context *ctx, lehr_registry *registry, const char *spec,
                               double weight_decay, lh_parameters *out)
{
    lh_host host;
    lh_rule rule;
    *out = (lh_parameters){0};
    lh_host_init(&host, ctx);
    lehr_status st = lh_rule_open(ctx, registry, spec, weight_decay, &host, &rule);
    if (st != LEHR_OK) return st;
    out->d = rule.d;
    out->table = lh_params(&rule.d->params);
    out->lr = rule.lr;
    out->values = lh_alloc(ctx, rule.d->params.count, sizeof *out->values);
    if (out->values) {
        out->count = rule.d->params.count;
        for (uint32_t i = 0; i < out->count; i++) out->values[i] = rule.binding.p[i];
    }
    lh_rule_close(&rule);
    return out->values ? LEHR_OK : LEHR_E_MEMORY;
}

void lh_parameters_free(lh_parameters *p)
{
    free(p->values);
    *p = (lh_parameters){0};
}

int lh_parameters_find(const lh_parameters *p, const char *name)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (strcmp(p->table[i].name, name) == 0) return (int)i;
    return -1;
}

bool lh_parameters_may_change(const lh_parameters *p, int param)
{
    const lehr_param *row = &p->table[param];
    return row->kind == LEHR_REAL && (row->flags & LEHR_P_SCHEDULABLE) != 0;
}

const char *lh_parameters_missing_slot(const lh_parameters *p, int param)
{
    const lehr_slot *slots = p->d->slots.at;
    for (uint32_t i = 0; i < p->d->slots.count && p->values[param] == 0; i++)
        if (slots[i].when && strcmp(slots[i].when, p->table[param].name) == 0) return slots[i].name;
    return NULL;
}

static void bound_text(double bound, char *out, size_t size)
{
    if (fabs(bound) >= LEHR_ANY)
        snprintf(out, size, bound < 0 ? "-inf" : "inf");
    else
        lh_format_double(bound, out, size);
}

bool lh_parameters_in_range(const lh_parameters *p, int param, double value, char *range,
                            size_t size)
{
    const lehr_param *row = &p->table[param];
    bool open_min = (row->flags & LEHR_P_OPEN_MIN) != 0;
    bool open_max = (row->flags & LEHR_P_OPEN_MAX) != 0;
    bool inside = (open_min ? value > row->min : value >= row->min) &&
                  (open_max ? value < row->max : value <= row->max);
    if (inside) return true;
    char min[40], max[40];
    bound_text(row->min, min, sizeof min);
    bound_text(row->max, max, sizeof max);
    snprintf(range, size, "%c%s, %s%c", open_min ? '(' : '[', min, max, open_max ? ')' : ']');
    return false;
}

lehr_status lh_parameters_check(lehr_context *ctx, const lh_parameters *p, const double *values)
{
    lh_host host;
    fenv_t env;
    if (!p->d->check) return LEHR_OK;
    lh_host_init(&host, ctx);
    lh_guard_begin(&host, &env);
    lehr_status st = p->d->check(&host.api, values);
    lh_guard_end(&env);
    if (st == LEHR_OK) return st;
    return lh_fail(ctx, st, "optimizer %s: %s", p->d->name,
                   host.message[0] ? host.message : lehr_status_text(st));
}
