/* SPDX-License-Identifier: MIT
 *
 * Binding a call's arguments to a parameter table: order, names, units, ranges, presets, defaults;
 * and writing the result out with every value. */
#include "core/plugin/parameters.h"
#include "core/plugin/spec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one value ---- */

static void format_bound(double bound, char *out, size_t size)
{
    if (fabs(bound) >= LEHR_ANY)
        snprintf(out, size, bound < 0 ? "-inf" : "inf");
    else
        lh_format_double(bound, out, size);
}

lehr_status lh_param_check(const lh_cursor *c, const lh_table *table, const lehr_param *p,
                           double value, size_t column)
{
    bool open_min = (p->flags & LEHR_P_OPEN_MIN) != 0, open_max = (p->flags & LEHR_P_OPEN_MAX) != 0;
    bool inside = (open_min ? value > p->min : value >= p->min) &&
                  (open_max ? value < p->max : value <= p->max);
    char text[40], min[40], max[40];
    lh_format_double(value, text, sizeof text);
    if (!inside && p->kind == LEHR_DURATION)
        return lh_spec_fail(c, LEHR_E_PARAM, column,
                            "%s of %s is %s updates long: it must be longer", p->name, table->name,
                            text);
    format_bound(p->min, min, sizeof min);
    format_bound(p->max, max, sizeof max);
    if (!inside)
        return lh_spec_fail(c, LEHR_E_PARAM, column, "%s of %s = %s is outside %c%s, %s%c (%s)",
                            p->name, table->name, text, open_min ? '(' : '[', min, max,
                            open_max ? ')' : ']', p->doc);
    if (p->kind == LEHR_INT && value != floor(value))
        return lh_spec_fail(c, LEHR_E_PARAM, column, "%s of %s = %s must be a whole number",
                            p->name, table->name, text);
    return LEHR_OK;
}

static lehr_status no_unit_known(const lh_cursor *c, const lh_duration_use *use,
                                 const lh_term *term, const char *missing)
{
    return lh_spec_fail(c, LEHR_E_PARAM, term->column,
                        "%s is given in %s, but %s of this run is not known: use another unit",
                        use->who, term->unit, missing);
}

/* Beyond the budget: refused for a phase, else a warning. */
static lehr_status too_long(const lh_cursor *c, const lh_duration_use *use, const lh_term *term,
                            double updates)
{
    double total = (double)use->budget->total_steps;
    char number[40];
    if (use->phase)
        return lh_spec_fail(c, LEHR_E_PARAM, term->column,
                            "%s takes %.0f updates, but %s has only %.0f: shorten it or train "
                            "longer",
                            use->who, updates, use->local ? "this part of the run" : "the run",
                            total);
    lh_format_double(term->number, number, sizeof number);
    if (!c->quiet)
        lh_log(c->ctx, LEHR_LOG_WARN, "%s '%s': %s = %s%s lies beyond the %.0f updates of %s",
               c->what, c->text, use->who, number, term->unit, total,
               use->local ? "this part of the run" : "the run");
    return LEHR_OK;
}

lehr_status lh_read_duration(const lh_cursor *c, const lh_duration_use *use, const lh_term *term,
                             double *out)
{
    const lehr_budget *budget = use->budget;
    double scale = 1;
    char number[40] = "";
    if (term->is_number) lh_format_double(term->number, number, sizeof number);
    if (!term->is_number || !term->unit[0])
        return lh_spec_fail(c, LEHR_E_PARAM, term->column,
                            "%s is a duration and needs a unit: %sep (epochs), %sst (updates), "
                            "%s%% (of the run) or %ssamples",
                            use->who, number, number, number, number);
    if (strcmp(term->unit, "ep") == 0) {
        scale = (double)budget->steps_per_epoch;
        if (budget->steps_per_epoch == 0)
            return no_unit_known(c, use, term, "the length of an epoch");
    } else if (strcmp(term->unit, "%") == 0) {
        scale = (double)budget->total_steps / 100;
        if (budget->total_steps == 0) return no_unit_known(c, use, term, "the length");
    } else if (strcmp(term->unit, "samples") == 0) {
        scale = 1 / (double)budget->samples_per_step;
        if (budget->samples_per_step == 0) return no_unit_known(c, use, term, "the batch size");
    }
    *out = floor(term->number * scale + 0.5);
    if (*out < 1 && term->number > 0) *out = 1;
    if (!(fabs(*out) < 9007199254740992.0))
        return lh_spec_fail(c, LEHR_E_PARAM, term->column, "%s is too long", use->who);
    double total = (double)budget->total_steps;
    return total > 0 && *out > total ? too_long(c, use, term, *out) : LEHR_OK;
}

static lehr_status read_duration(const lh_cursor *c, const lh_table *table, const lehr_param *p,
                                 const lh_term *term, double *out)
{
    char who[80];
    snprintf(who, sizeof who, "%.31s of %.31s", p->name, table->name);
    lh_duration_use use = {.who = who, .budget = table->budget, .local = table->local,
                           .phase = (p->flags & LEHR_P_PHASE) != 0};
    return lh_read_duration(c, &use, term, out);
}

static lehr_status read_word(const lh_cursor *c, const lh_table *table, const lehr_param *p,
                             const lh_term *term, const char *const *words, double *out)
{
    size_t count = 0;
    for (; words[count]; count++)
        if (!term->is_number && strcmp(words[count], term->word) == 0) {
            *out = (double)count;
            return LEHR_OK;
        }
    lh_str text = {0};
    lh_str_printf(&text, "%s of %s is one of", p->name, table->name);
    for (size_t i = 0; i < count; i++) lh_str_printf(&text, "%s %s", i ? "," : "", words[i]);
    lehr_status st = lh_spec_fail(c, LEHR_E_PARAM, term->column, "%s", lh_str_text(&text));
    lh_str_free(&text);
    return st;
}

static lehr_status read_value(const lh_cursor *c, const lh_table *table, const lehr_param *p,
                              const lh_term *term, double *out)
{
    static const char *const no_yes[] = {"no", "yes", NULL}, *const false_true[] = {"false", "true",
                                                                                    NULL};
    lehr_status st = LEHR_OK;
    if (p->kind == LEHR_DURATION) {
        st = read_duration(c, table, p, term, out);
    } else if (p->kind == LEHR_CHOICE) {
        return read_word(c, table, p, term, p->choices, out);
    } else if (p->kind == LEHR_BOOL && !term->is_number) {
        bool other = term->word[0] == 't' || term->word[0] == 'f';
        return read_word(c, table, p, term, other ? false_true : no_yes, out);
    } else if (!term->is_number) {
        return lh_spec_fail(c, LEHR_E_PARAM, term->column, "%s of %s is a number, not '%s'",
                            p->name, table->name, term->word);
    } else if (p->kind == LEHR_VALUE && strcmp(term->unit, "%") == 0) {
        *out = term->number / 100 * table->budget->base;
    } else if (term->unit[0]) {
        return lh_spec_fail(c, LEHR_E_PARAM, term->column,
                            "%s of %s is a plain number: leave out '%s'", p->name, table->name,
                            term->unit);
    } else {
        *out = term->number;
    }
    if (st == LEHR_OK && p->kind == LEHR_BOOL && *out != 0 && *out != 1)
        return lh_spec_fail(c, LEHR_E_PARAM, term->column, "%s of %s is 0 or 1", p->name,
                            table->name);
    return st != LEHR_OK ? st : lh_param_check(c, table, p, *out, term->column);
}

/* ---- one argument ---- */

static lehr_status set_list(const lh_cursor *c, const lh_table *table, uint32_t i,
                            const lh_arg *arg, lh_binding *b)
{
    const lehr_param *p = &lh_params(&table->params)[i];
    double *pool = lh_alloc(c->ctx, arg->count, sizeof *pool);
    if (!pool) return LEHR_E_MEMORY;
    free(b->pools[i]);
    b->pools[i] = pool;
    b->lists[i] = (lehr_values){.at = pool, .count = arg->count};
    b->p[i] = arg->count;
    if (arg->count == 0 && (p->flags & LEHR_P_REQUIRED))
        return lh_spec_fail(c, LEHR_E_PARAM, arg->column, "%s of %s must not be empty", p->name,
                            table->name);
    lehr_status st = LEHR_OK;
    for (uint32_t k = 0; k < arg->count && st == LEHR_OK; k++)
        st = read_value(c, table, p, &arg->terms[k], &pool[k]);
    return st;
}

static lehr_status set_param(const lh_cursor *c, const lh_table *table, uint32_t i,
                             const lh_arg *arg, lh_binding *b)
{
    const lehr_param *p = &lh_params(&table->params)[i];
    b->given[i] = true;
    if ((p->flags & LEHR_P_LIST) && !arg->is_arrow) return set_list(c, table, i, arg, b);
    if (arg->is_list || arg->is_arrow)
        return lh_spec_fail(c, LEHR_E_PARAM, arg->column, "%s of %s is one value, not %s",
                            p->name, table->name, arg->is_list ? "a list" : "two");
    return read_value(c, table, p, &arg->terms[0], &b->p[i]);
}

static lehr_status set_metric(const lh_cursor *c, const lh_arg *arg, lh_binding *b)
{
    const lh_term *term = arg->terms;
    if (arg->is_list || arg->is_arrow || term->is_number)
        return lh_spec_fail(c, LEHR_E_PARAM, arg->column, "metric is a name like val.loss");
    memcpy(b->metric, term->word, sizeof b->metric);
    return LEHR_OK;
}

static lehr_status unknown_param(const lh_cursor *c, const lh_table *table, const lh_arg *arg)
{
    const char **names = lh_alloc(c->ctx, table->params.count + 1, sizeof *names);
    if (!names) return LEHR_E_MEMORY;
    size_t count = 0;
    if (table->metric) names[count++] = "metric";
    for (uint32_t i = 0; i < table->params.count; i++)
        names[count++] = lh_params(&table->params)[i].name;
    lh_str text = {0};
    if (count)
        lh_str_suggest(&text, arg->name, names, count);
    else
        lh_str_add(&text, "; it has none");
    bool lr = strcmp(arg->name, "lr") == 0;
    lehr_status st = lh_spec_fail(c, LEHR_E_USAGE, arg->column, "%s %s has no parameter '%s'%s%s",
                                  table->kind, table->name, arg->name, lh_str_text(&text),
                                  lr ? "; the learning rate is given apart (--lr)" : "");
    lh_str_free(&text);
    free(names);
    return st;
}

static int find_param(const lh_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->params.count; i++)
        if (strcmp(lh_params(&table->params)[i].name, name) == 0) return (int)i;
    return -1;
}

/* "0 -> 1": from and end of a schedule that has both, as multiples of the base. */
static lehr_status set_arrow(const lh_cursor *c, const lh_table *table, const lh_arg *arg,
                             bool *seen, lh_binding *b)
{
    static const char *const names[] = {"from", "end"};
    for (int k = 0; k < 2; k++) {
        const lh_term *term = &arg->terms[k];
        int i = find_param(table, names[k]);
        if (i < 0 || lh_params(&table->params)[i].kind != LEHR_VALUE || !table->budget)
            return lh_spec_fail(c, LEHR_E_USAGE, arg->column,
                                "%s takes no arrow: it has no parameters from and end",
                                table->name);
        bool share = strcmp(term->unit, "%") == 0;
        if (!term->is_number || (term->unit[0] && !share))
            return lh_spec_fail(c, LEHR_E_PARAM, term->column,
                                "beside an arrow stand multiples of the base: 0 -> 1");
        if (seen[i])
            return lh_spec_fail(c, LEHR_E_USAGE, arg->column, "%s is given twice", names[k]);
        seen[i] = b->given[i] = true;
        b->p[i] = (share ? term->number / 100 : term->number) * table->budget->base;
        lehr_status st = lh_param_check(c, table, &lh_params(&table->params)[i], b->p[i],
                                        term->column);
        if (st != LEHR_OK) return st;
    }
    return LEHR_OK;
}

/* Arguments in order; positional ones first.  seen tells which were given in this call. */
static lehr_status set_args(const lh_cursor *c, const lh_table *table, const lh_call *call,
                            bool *seen, lh_binding *b)
{
    bool named = false, metric = false;
    uint32_t position = 0;
    for (uint32_t k = 0; k < call->count; k++) {
        const lh_arg *arg = &call->args[k];
        int i = arg->name[0] ? find_param(table, arg->name) : -1;
        if (arg->is_arrow && !arg->name[0]) {
            lehr_status st = set_arrow(c, table, arg, seen, b);
            if (st != LEHR_OK) return st;
            continue;
        }
        while (!arg->name[0] && position < table->params.count && seen[position]) position++;
        bool word = !arg->name[0] && !arg->is_list && !arg->terms[0].is_number && position == 0;
        if (table->metric && !metric && (strcmp(arg->name, "metric") == 0 || (word && !named))) {
            metric = true;
            lehr_status st = set_metric(c, arg, b);
            if (st != LEHR_OK) return st;
            continue;
        }
        if (arg->name[0] && i < 0) return unknown_param(c, table, arg);
        if (!arg->name[0] && named)
            return lh_spec_fail(c, LEHR_E_USAGE, arg->column,
                                "a value without a name behind named ones: write name=value");
        if (!arg->name[0] && position >= table->params.count)
            return lh_spec_fail(c, LEHR_E_USAGE, arg->column, "%s takes at most %u values",
                                table->name, (unsigned)table->params.count);
        if (i < 0) i = (int)position++;
        named = named || arg->name[0];
        if (seen[i])
            return lh_spec_fail(c, LEHR_E_USAGE, arg->column, "%s is given twice",
                                lh_params(&table->params)[i].name);
        seen[i] = true;
        lehr_status st = set_param(c, table, (uint32_t)i, arg, b);
        if (st != LEHR_OK) return st;
    }
    return LEHR_OK;
}

/* ---- presets and defaults ---- */

const lehr_preset *lh_preset_find(const lehr_span *presets, const char *prefix)
{
    const lehr_preset *all = presets->at;
    for (uint32_t i = 0; i < presets->count; i++)
        if (strcmp(all[i].prefix, prefix) == 0) return &all[i];
    return strcmp(prefix, "keras") == 0 ? lh_preset_find(presets, "keras3") : NULL;
}

static lehr_status unknown_preset(const lh_cursor *c, const lh_table *table, const lh_call *call)
{
    const char *names[64];
    size_t count = 0;
    for (; count < table->presets.count && count < LH_COUNT(names); count++)
        names[count] = ((const lehr_preset *)table->presets.at)[count].prefix;
    lh_str text = {0};
    if (count)
        lh_str_suggest(&text, call->prefix, names, count);
    else
        lh_str_add(&text, "; it has none");
    lehr_status st = lh_spec_fail(c, LEHR_E_USAGE, call->column, "%s %s has no preset '%s:'%s",
                                  table->kind, table->name, call->prefix, lh_str_text(&text));
    lh_str_free(&text);
    return st;
}

/* Takes lr=… out of an optimizer preset's values; it is no parameter of the rule. */
static void take_lr(const lh_table *table, lh_call *values, lh_binding *b)
{
    if (table->budget || values->count == 0) return;
    lh_arg *first = &values->args[0];
    if (strcmp(first->name, "lr") != 0 || first->is_list || !first->terms[0].is_number) return;
    b->lr = first->terms[0].number;
    free(first->terms);
    values->count--;
    memmove(first, first + 1, values->count * sizeof *first);
}

static lehr_status apply_preset(const lh_cursor *c, const lh_table *table, const lh_call *call,
                                bool *seen, lh_binding *b)
{
    const lehr_preset *preset = lh_preset_find(&table->presets, call->prefix);
    if (!preset) return unknown_preset(c, table, call);
    lh_cursor in = {.ctx = c->ctx, .what = "preset", .text = preset->values, .quiet = true};
    lh_call values;
    lehr_status st = lh_read_args(&in, &values);
    take_lr(table, &values, b);
    if (st == LEHR_OK) st = set_args(&in, table, &values, seen, b);
    if (st != LEHR_OK) lh_fail_context(c->ctx, "%s '%.200s': ", c->what, c->text);
    memset(seen, 0, b->count * sizeof *seen);
    lh_call_free(&values);
    return st;
}

static lehr_status apply_default(const lh_cursor *c, const lh_table *table, uint32_t i,
                                 const lh_call *call, lh_binding *b)
{
    const lehr_param *p = &lh_params(&table->params)[i];
    if (p->flags & LEHR_P_REQUIRED)
        return lh_spec_fail(c, LEHR_E_PARAM, call->column, "%s needs %s (%s)", table->name, p->name,
                            p->doc);
    if (!p->text) {
        b->p[i] = (p->flags & LEHR_P_LIST) ? 0 : p->def;
        return LEHR_OK;
    }
    lh_cursor in = {.ctx = c->ctx, .what = "default", .text = p->text};
    lh_call values;
    lehr_status st = lh_read_args(&in, &values);
    if (st == LEHR_OK && values.count != 1)
        st = lh_spec_fail(&in, LEHR_E_PLUGIN, 0, "the default of %s is not one value", p->name);
    if (st == LEHR_OK) st = set_param(&in, table, i, &values.args[0], b);
    b->given[i] = false;
    if (st != LEHR_OK) lh_fail_context(c->ctx, "%s '%.200s': ", c->what, c->text);
    lh_call_free(&values);
    return st;
}

lehr_status lh_bind(const lh_cursor *c, const lh_table *table, const lh_call *call, lh_binding *out)
{
    uint32_t n = table->params.count;
    *out = (lh_binding){.count = n};
    if (table->metric) snprintf(out->metric, sizeof out->metric, "%s", table->metric);
    out->p = lh_alloc(c->ctx, n, sizeof *out->p);
    out->lists = lh_alloc(c->ctx, n, sizeof *out->lists);
    out->pools = lh_alloc(c->ctx, n, sizeof *out->pools);
    out->given = lh_alloc(c->ctx, n, sizeof *out->given);
    bool *seen = lh_alloc(c->ctx, n, sizeof *seen);
    lehr_status st =
        out->p && out->lists && out->pools && out->given && seen ? LEHR_OK : LEHR_E_MEMORY;
    if (st == LEHR_OK && call->prefix[0]) st = apply_preset(c, table, call, seen, out);
    if (st == LEHR_OK) st = set_args(c, table, call, seen, out);
    for (uint32_t i = 0; i < n && st == LEHR_OK; i++)
        if (!out->given[i]) st = apply_default(c, table, i, call, out);
    free(seen);
    if (st != LEHR_OK) lh_binding_free(out);
    return st;
}

void lh_binding_free(lh_binding *b)
{
    for (uint32_t i = 0; i < b->count && b->pools; i++) free(b->pools[i]);
    free(b->p);
    free(b->lists);
    free(b->pools);
    free(b->given);
    *b = (lh_binding){.count = 0};
}

/* ---- writing out ---- */

static void add_value(const lehr_param *p, double value, lh_str *out)
{
    char number[40];
    lh_format_double(value, number, sizeof number);
    if (p->kind == LEHR_CHOICE)
        lh_str_add(out, p->choices[(size_t)value]);
    else if (p->kind == LEHR_DURATION)
        lh_str_printf(out, "%.0fst", value);
    else
        lh_str_add(out, number);
}

void lh_binding_text(const lh_table *table, const lh_binding *b, lh_str *out)
{
    lh_str_printf(out, "%s(", table->name);
    const char *comma = "";
    if (b->metric[0]) {
        lh_str_printf(out, "metric=%s", b->metric);
        comma = ", ";
    }
    for (uint32_t i = 0; i < b->count; i++) {
        const lehr_param *p = &lh_params(&table->params)[i];
        lh_str_printf(out, "%s%s=", comma, p->name);
        comma = ", ";
        if (!(p->flags & LEHR_P_LIST)) {
            add_value(p, b->p[i], out);
            continue;
        }
        lh_str_add(out, "[");
        for (uint32_t k = 0; k < b->lists[i].count; k++) {
            if (k) lh_str_add(out, ", ");
            add_value(p, b->lists[i].at[k], out);
        }
        lh_str_add(out, "]");
    }
    lh_str_add(out, ")");
}
