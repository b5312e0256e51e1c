/* SPDX-License-Identifier: MIT
 *
 * What a plugin's tables may hold.  Each refusal names the entry, the table, the row, its value and
 * what to do. */
#include "core/plugin/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_RULE "[a-z][a-z0-9_]{0,30}"

const char *lh_shown(const char *text) { return lh_text_valid(text) ? text : "?"; }

lehr_status lh_table_wrong(const lh_subject *s, const char *what, const char *fmt, ...)
{
    char why[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    return lh_fail(s->ctx, LEHR_E_PLUGIN, "plugin %s: %s %s%s%s: %s", s->path, s->kind,
                   lh_shown(s->name), what[0] ? ", " : "", what, why);
}

bool lh_name_valid(const char *name)
{
    if (!name || name[0] < 'a' || name[0] > 'z') return false;
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return name[length] == '\0' && length <= 31;
}

/* ---- what both kinds have ---- */

/* name, doc and flags of a descriptor. */
static lehr_status check_head(const lh_subject *s, const char *doc, uint32_t flags, uint32_t known)
{
    if (!lh_name_valid(s->name))
        return lh_table_wrong(s, "name", "must match " NAME_RULE ", '%s' does not", lh_shown(s->name));
    if (!lh_text_valid(doc))
        return lh_table_wrong(s, "doc", "must be set to one line without control characters: the formula");
    if (flags & 0xffff0000u & ~known)
        return lh_table_wrong(s, "flags", "0x%x asks for something this lehr does not know (it knows "
                              "0x%x); update lehr or leave it out", (unsigned)flags, (unsigned)known);
    return LEHR_OK;
}

/* ---- parameters ---- */

static bool in_range(const lehr_param *p, double value)
{
    bool above = (p->flags & LEHR_P_OPEN_MIN) ? value > p->min : value >= p->min;
    bool below = (p->flags & LEHR_P_OPEN_MAX) ? value < p->max : value <= p->max;
    return above && below;
}

static lehr_status param_wrong(const lh_subject *s, const lehr_param *p, const char *why)
{
    char what[80];
    snprintf(what, sizeof what, "parameter %.40s", lh_shown(p->name));
    return lh_table_wrong(s, what, "%s", why);
}

static lehr_status check_default(const lh_subject *s, const lehr_param *p)
{
    char why[200], value[32], min[32], max[32];
    if (p->text || (p->flags & (LEHR_P_REQUIRED | LEHR_P_LIST))) return LEHR_OK;
    if (p->kind == LEHR_DURATION)
        return param_wrong(s, p, "a duration's default must be given as text with its unit: \"10ep\"");
    lh_format_double(p->def, value, sizeof value);
    lh_format_double(p->min, min, sizeof min);
    lh_format_double(p->max, max, sizeof max);
    snprintf(why, sizeof why, "its default is outside its range: %s is not in %s to %s", value, min, max);
    if (!in_range(p, p->def)) return param_wrong(s, p, why);
    snprintf(why, sizeof why, "its default is not a whole number: %s", value);
    if (p->kind != LEHR_REAL && p->kind != LEHR_VALUE && p->def != floor(p->def))
        return param_wrong(s, p, why);
    return LEHR_OK;
}

static lehr_status check_choices(const lh_subject *s, const lehr_param *p)
{
    char why[200];
    double count = 0;
    if (p->kind != LEHR_CHOICE) return LEHR_OK;
    if (!p->choices || !p->choices[0])
        return param_wrong(s, p, "a CHOICE needs choices: a list of words that ends with NULL");
    for (; p->choices[(size_t)count]; count++)
        if (!lh_name_valid(p->choices[(size_t)count]))
            return param_wrong(s, p, "each of its choices must match " NAME_RULE);
    snprintf(why, sizeof why, "its default is not one of its choices: %g, where they are 0 to %g", p->def,
             count - 1);
    if (!(p->flags & LEHR_P_REQUIRED) && !(p->def < count)) return param_wrong(s, p, why);
    return LEHR_OK;
}

static lehr_status check_param(const lh_subject *s, const lehr_param *p)
{
    enum { KNOWN = LEHR_P_LIST | LEHR_P_REQUIRED };
    char why[200];
    if (!lh_name_valid(p->name)) return param_wrong(s, p, "its name must match " NAME_RULE);
    if (!lh_text_valid(p->doc))
        return param_wrong(s, p, "it has no doc: say in one line what it is");
    snprintf(why, sizeof why, "its kind is unknown: %u, where this lehr knows 0 to %d; update lehr or use "
             "one of them", (unsigned)p->kind, LEHR_VALUE);
    if (p->kind > LEHR_VALUE) return param_wrong(s, p, why);
    snprintf(why, sizeof why, "it has a flag this lehr does not know: 0x%x; update lehr or leave it out",
             (unsigned)p->flags);
    if (p->flags & 0xffff0000u & ~(uint32_t)KNOWN) return param_wrong(s, p, why);
    snprintf(why, sizeof why, "its min is not below its max: %g and %g", p->min, p->max);
    if (!(p->min < p->max)) return param_wrong(s, p, why);
    snprintf(why, sizeof why, "a BOOL's range must be 0 to 1, not %g to %g", p->min, p->max);
    if (p->kind == LEHR_BOOL && (p->min != 0 || p->max != 1)) return param_wrong(s, p, why);
    if (p->text && !lh_text_valid(p->text))
        return param_wrong(s, p, "its text must be what a user would type");
    lehr_status st = check_choices(s, p);
    return st == LEHR_OK ? check_default(s, p) : st;
}

static lehr_status check_params(const lh_subject *s, const lehr_span *span)
{
    const lehr_param *params = lh_params(span);
    for (uint32_t i = 0; i < span->count; i++) {
        lehr_status st = check_param(s, &params[i]);
        for (uint32_t k = 0; k < i && st == LEHR_OK; k++)
            if (strcmp(params[i].name, params[k].name) == 0)
                st = param_wrong(s, &params[i], "its name is used twice: rename one");
        if (st != LEHR_OK) return st;
    }
    return LEHR_OK;
}

/* ---- state and presets ---- */

static lehr_status check_vars(const lh_subject *s, const lehr_span *span)
{
    const lehr_var *vars = span->at;
    for (uint32_t i = 0; i < span->count; i++) {
        if (!lh_name_valid(vars[i].name))
            return lh_table_wrong(s, "state", "a variable's name must match " NAME_RULE ", '%s' does not",
                                  lh_shown(vars[i].name));
        if (vars[i].flags & 0xffff0000u)
            return lh_table_wrong(s, "state", "variable %s: its flags are not acceptable: 0x%x; update lehr",
                                  vars[i].name, (unsigned)vars[i].flags);
        if (!isfinite(vars[i].init))
            return lh_table_wrong(s, "state", "variable %s: it must start at a finite number", vars[i].name);
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(vars[i].name, vars[k].name) == 0)
                return lh_table_wrong(s, "state", "the name %s is used twice: rename one", vars[i].name);
    }
    return LEHR_OK;
}

static lehr_status check_presets(const lh_subject *s, const lehr_span *span)
{
    const lehr_preset *presets = span->at;
    for (uint32_t i = 0; i < span->count; i++) {
        if (!lh_name_valid(presets[i].prefix) || !presets[i].values)
            return lh_table_wrong(s, "presets", "preset %u needs a prefix " NAME_RULE " and values", i + 1);
        if ((presets[i].values[0] && !lh_text_valid(presets[i].values)) ||
            (presets[i].source && !lh_text_valid(presets[i].source)))
            return lh_table_wrong(s, "presets", "preset %s: values and source are one line each",
                                  presets[i].prefix);
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(presets[i].prefix, presets[k].prefix) == 0)
                return lh_table_wrong(s, "presets", "the prefix %s is used twice: rename one",
                                      presets[i].prefix);
    }
    return LEHR_OK;
}

/* ---- schedules ---- */

lehr_status lh_schedule_check(const lh_subject *s, const lehr_schedule *d)
{
    lehr_status st = check_head(s, d->doc, d->flags, LEHR_S_NEEDS_TOTAL);
    if (st != LEHR_OK) return st;
    if (lh_schedule_word(d->name))
        return lh_table_wrong(s, "name", "is a word of the schedule language: choose another");
    if (!d->value) return lh_table_wrong(s, "value", "must be set to a function");
    if (d->observe && !lh_text_valid(d->metric))
        return lh_table_wrong(s, "metric", "must be set with observe: \"val.loss\"");
    if (d->create && !d->destroy) return lh_table_wrong(s, "destroy", "must be set with create");
    st = check_params(s, &d->params);
    for (uint32_t i = 0; i < d->params.count && st == LEHR_OK; i++)
        if (d->observe && strcmp(lh_params(&d->params)[i].name, "metric") == 0)
            st = param_wrong(s, &lh_params(&d->params)[i], "metric= is the metric that is waited for: "
                             "rename it");
    if (st == LEHR_OK) st = check_vars(s, &d->state);
    return st != LEHR_OK ? st : check_presets(s, &d->presets);
}

/* ---- optimizers ---- */

/* Names a pass finds in scope beside parameters, scalars and slots; "lr" is also no parameter. */
static bool taken(const char *name)
{
    static const char *const names[] = {
        "w",        "g",      "lr",       "real",   "if",       "else",    "for",      "while",
        "do",       "break",  "continue", "switch", "case",     "default", "return",   "goto",
        "sizeof",   "struct", "union",    "enum",   "typedef",  "const",   "volatile", "static",
        "extern",   "inline", "int",      "uint",   "float",    "double",  "half",     "char",
        "uchar",    "short",  "ushort",   "long",   "ulong",    "bool",    "void",     "signed",
        "unsigned", "size_t", "global",   "local",  "constant", "private", "kernel"};
    for (size_t i = 0; i < LH_COUNT(names); i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

typedef struct scope {
    const char *names[512];
    uint32_t count;
} scope;

static lehr_status enter_name(const lh_subject *s, scope *in, const char *what, const char *name)
{
    if (!lh_name_valid(name) || strncmp(name, "lh_", 3) == 0 || taken(name))
        return lh_table_wrong(s, what, "the name '%s' is not " NAME_RULE " or is taken by the rule "
                              "language: choose another", lh_shown(name));
    for (uint32_t i = 0; i < in->count; i++)
        if (strcmp(in->names[i], name) == 0)
            return lh_table_wrong(s, what, "the name %s is used twice: rename one", name);
    if (in->count == LH_COUNT(in->names))
        return lh_table_wrong(s, what, "too many names: at most %zu", LH_COUNT(in->names));
    in->names[in->count++] = name;
    return LEHR_OK;
}

static bool is_param(const lehr_optimizer *d, const char *name)
{
    for (uint32_t i = 0; i < d->params.count; i++)
        if (strcmp(lh_params(&d->params)[i].name, name) == 0) return true;
    return false;
}

static lehr_status check_slots(const lh_subject *s, const lehr_optimizer *d, scope *in)
{
    const lehr_slot *slots = d->slots.at;
    for (uint32_t i = 0; i < d->slots.count; i++) {
        const lehr_slot *slot = &slots[i];
        lehr_status st = enter_name(s, in, "slots", slot->name);
        if (st != LEHR_OK) return st;
        if (slot->kind > LEHR_SLOT_SCRATCH || !isfinite(slot->init) ||
            (slot->flags & 0xffff0000u & ~(uint32_t)LEHR_SLOT_FROM_WEIGHT))
            return lh_table_wrong(s, "slots", "slot %s: kind, init or flags are not acceptable: %u, %g, "
                                  "0x%x; a kind of 0 or 1, a finite init", slot->name,
                                  (unsigned)slot->kind, slot->init, (unsigned)slot->flags);
        if ((slot->when && !is_param(d, slot->when)) ||
            (slot->init_from && !is_param(d, slot->init_from)))
            return lh_table_wrong(s, "slots", "slot %s: when or init_from names no parameter: '%s'",
                                  slot->name, lh_shown(slot->when && !is_param(d, slot->when)
                                                           ? slot->when
                                                           : slot->init_from));
    }
    return LEHR_OK;
}

static lehr_status check_reduction(const lh_subject *s, const lehr_reduce *r, scope *in)
{
    lehr_status st = enter_name(s, in, "reductions", r->name);
    if (st != LEHR_OK) return st;
    if (r->op > LEHR_MAX || r->scope > LEHR_OVER_ALL_TO_HOST)
        return lh_table_wrong(s, "reductions", "%s: op %u or scope %u is unknown to this lehr; update lehr",
                              r->name, (unsigned)r->op, (unsigned)r->scope);
    if (!r->expr || !r->expr[0])
        return lh_table_wrong(s, "reductions", "%s: a reduction has no expression", r->name);
    if (strpbrk(r->expr, ";{}"))
        return lh_table_wrong(s, "reductions", "%s: an expression holds ';' or braces: put statements in "
                              "the pass", r->name);
    return LEHR_OK;
}

static lehr_status check_reductions(const lh_subject *s, const lehr_optimizer *d, scope *in)
{
    enum { REDUCES_MAX = 32 };
    const lehr_pass *passes = d->passes.at;
    lehr_status st = LEHR_OK;
    for (uint32_t i = 0; i < d->passes.count && st == LEHR_OK; i++) {
        if (passes[i].reduces.count > REDUCES_MAX)
            return lh_table_wrong(s, "reductions", "more than %d belong to pass %u: %u", REDUCES_MAX, i + 1,
                                  (unsigned)passes[i].reduces.count);
        if (passes[i].flags & 0xffff0000u)
            return lh_table_wrong(s, "passes", "pass %u has a flag this lehr does not know: 0x%x; update "
                                  "lehr", i + 1, (unsigned)passes[i].flags);
        for (uint32_t k = 0; k < passes[i].reduces.count && st == LEHR_OK; k++)
            st = check_reduction(s, (const lehr_reduce *)passes[i].reduces.at + k, in);
    }
    return st;
}

static lehr_status check_names(const lh_subject *s, const lehr_optimizer *d)
{
    scope in = {.count = 0};
    lehr_status st = LEHR_OK;
    for (uint32_t i = 0; i < d->params.count && st == LEHR_OK; i++) {
        const lehr_param *p = &lh_params(&d->params)[i];
        st = enter_name(s, &in, "params", p->name);
        if (st == LEHR_OK && (p->kind > LEHR_CHOICE || (p->flags & LEHR_P_LIST)))
            st = param_wrong(s, p, "durations, values and lists are for schedules only");
    }
    if (st == LEHR_OK) st = check_slots(s, d, &in);
    const char *const *scalars = d->scalars.at;
    for (uint32_t i = 0; i < d->scalars.count && st == LEHR_OK; i++)
        st = enter_name(s, &in, "scalars", scalars[i]);
    return st == LEHR_OK ? check_reductions(s, d, &in) : st;
}

static lehr_status check_code(const lh_subject *s, const char *what, uint32_t number, const char *code,
                              bool helpers)
{
    lh_str where = {0};
    lh_str_printf(&where, "plugin %s: optimizer %s, %s", s->path, s->name, what);
    if (number) lh_str_printf(&where, " %u", (unsigned)number);
    lehr_status st = lh_rule_check(s->ctx, lh_str_text(&where), code, helpers);
    lh_str_free(&where);
    return st;
}

static lehr_status check_passes(const lh_subject *s, const lehr_optimizer *d)
{
    const lehr_pass *passes = d->passes.at;
    lehr_status st = LEHR_OK;
    for (uint32_t i = 0; i < d->passes.count && st == LEHR_OK; i++) {
        if (!passes[i].code) return lh_table_wrong(s, "passes", "pass %u has no code", i + 1);
        st = check_code(s, "pass", i + 1, passes[i].code, false);
        const lehr_reduce *reduces = passes[i].reduces.at;
        for (uint32_t k = 0; k < passes[i].reduces.count && st == LEHR_OK; k++)
            st = check_code(s, "reduction of pass", i + 1, reduces[k].expr, false);
    }
    if (st == LEHR_OK && d->preamble) st = check_code(s, "preamble", 0, d->preamble, true);
    if (st == LEHR_OK && d->enter_eval) st = check_code(s, "enter_eval", 0, d->enter_eval, false);
    if (st == LEHR_OK && d->leave_eval) st = check_code(s, "leave_eval", 0, d->leave_eval, false);
    return st;
}

lehr_status lh_optimizer_check(const lh_subject *s, const lehr_optimizer *d)
{
    lehr_status st = check_head(s, d->doc, d->flags, LEHR_O_CUSTOM | LEHR_O_NEEDS_LOSS);
    if (st != LEHR_OK) return st;
    if (d->passes.count == 0 && !(d->flags & LEHR_O_CUSTOM))
        return lh_table_wrong(s, "passes", "at least one is needed");
    if (d->scalars.count > 0 && !d->scalar)
        return lh_table_wrong(s, "scalar", "must be set with scalars: it fills them");
    if (d->create && !d->destroy) return lh_table_wrong(s, "destroy", "must be set with create");
    if (!(d->lr >= 0 && d->lr < LEHR_ANY))
        return lh_table_wrong(s, "lr", "must be 0 or a learning rate, not %g", d->lr);
    st = check_params(s, &d->params);
    if (st == LEHR_OK) st = check_vars(s, &d->state);
    if (st == LEHR_OK) st = check_presets(s, &d->presets);
    if (st == LEHR_OK) st = check_names(s, d);
    return st != LEHR_OK ? st : check_passes(s, d);
}
