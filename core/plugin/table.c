/* SPDX-License-Identifier: MIT
 *
 * Checked copies of a plugin's descriptors: sizes and strides are brought to this host's, then
 * every table is looked at, so that nothing above has to doubt them. */
#include "core/plugin/host.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is being checked, for messages. */
typedef struct subject {
    lehr_context *ctx;
    const char *path, *kind, *name;
} subject;

static lehr_status wrong(const subject *s, const char *what, const char *why)
{
    return lh_fail(s->ctx, LEHR_E_PLUGIN, "plugin %s: %s %s%s%s: %s", s->path, s->kind,
                   s->name ? s->name : "?", what[0] ? ", " : "", what, why);
}

bool lh_name_valid(const char *name)
{
    if (!name || name[0] < 'a' || name[0] > 'z') return false;
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return name[length] == '\0' && length <= 31;
}

/* Replaces a span of elements of any stride by a dense copy of elements of this host's size. */
static lehr_status densify(const subject *s, const char *what, lehr_span *span, size_t element)
{
    if (span->count == 0) {
        *span = (lehr_span){0};
        return LEHR_OK;
    }
    if (!span->at || span->stride < element || span->count > 1000)
        return wrong(s, what, "the list's pointer, count or stride is wrong: use LEHR_LIST");
    char *copy = lh_alloc(s->ctx, span->count, element);
    if (!copy) return LEHR_E_MEMORY;
    for (size_t i = 0; i < span->count; i++)
        memcpy(copy + i * element, (const char *)span->at + i * span->stride, element);
    span->at = copy;
    span->stride = (uint32_t)element;
    return LEHR_OK;
}

static void release(lehr_span *span)
{
    free((void *)(uintptr_t)span->at);
    *span = (lehr_span){0};
}

static bool in_range(const lehr_param *p, double value)
{
    bool above = (p->flags & LEHR_P_OPEN_MIN) ? value > p->min : value >= p->min;
    bool below = (p->flags & LEHR_P_OPEN_MAX) ? value < p->max : value <= p->max;
    return above && below;
}

static const char *wrong_default(const lehr_param *p)
{
    if (p->text || (p->flags & (LEHR_P_REQUIRED | LEHR_P_LIST))) return NULL;
    if (p->kind == LEHR_DURATION) return "a duration's default must be given as text with its unit";
    if (!in_range(p, p->def)) return "its default is outside its range";
    if (p->kind != LEHR_REAL && p->kind != LEHR_VALUE && p->def != floor(p->def))
        return "its default is not a whole number";
    return NULL;
}

static const char *wrong_param(const lehr_param *p)
{
    enum { KNOWN = LEHR_P_LIST | LEHR_P_REQUIRED };
    if (!lh_name_valid(p->name)) return "its name must match [a-z][a-z0-9_]{0,30}";
    if (!p->doc) return "it has no doc";
    if (p->kind > LEHR_VALUE) return "its kind is unknown";
    if (p->flags & 0xffff0000u & ~(uint32_t)KNOWN) return "it has a flag this lehr does not know";
    if (!(p->min < p->max)) return "its min is not below its max";
    if (p->kind == LEHR_BOOL && (p->min != 0 || p->max != 1))
        return "a BOOL's range must be 0 to 1";
    if (p->kind == LEHR_CHOICE) {
        if (!p->choices || !p->choices[0]) return "a CHOICE needs choices";
        double count = 0;
        while (p->choices[(size_t)count]) count++;
        if (!(p->flags & LEHR_P_REQUIRED) && !(p->def < count))
            return "its default is not one of its choices";
    }
    return wrong_default(p);
}

static lehr_status check_params(const subject *s, const lehr_span *span)
{
    const lehr_param *params = lh_params(span);
    for (uint32_t i = 0; i < span->count; i++) {
        const char *why = wrong_param(&params[i]);
        for (uint32_t k = 0; k < i && !why; k++)
            if (strcmp(params[i].name, params[k].name) == 0) why = "its name is used twice";
        if (!why) continue;
        lh_str what = {0};
        lh_str_printf(&what, "parameter %s", params[i].name ? params[i].name : "?");
        lehr_status st = wrong(s, lh_str_text(&what), why);
        lh_str_free(&what);
        return st;
    }
    return LEHR_OK;
}

static lehr_status check_vars(const subject *s, const lehr_span *span)
{
    const lehr_var *vars = span->at;
    for (uint32_t i = 0; i < span->count; i++)
        if (!lh_name_valid(vars[i].name) || (vars[i].flags & 0xffff0000u))
            return wrong(s, "state", "a variable's name or flags are not acceptable");
    return LEHR_OK;
}

static lehr_status check_presets(const subject *s, const lehr_span *span)
{
    const lehr_preset *presets = span->at;
    for (uint32_t i = 0; i < span->count; i++)
        if (!lh_name_valid(presets[i].prefix) || !presets[i].values)
            return wrong(s, "presets", "a preset needs a prefix [a-z][a-z0-9_]{0,30} and values");
    return LEHR_OK;
}

/* ---- schedules ---- */

static lehr_status check_schedule(const subject *s, lehr_schedule *d)
{
    if (!lh_name_valid(d->name)) return wrong(s, "name", "must match [a-z][a-z0-9_]{0,30}");
    if (!d->doc) return wrong(s, "doc", "must be set");
    if (!d->value) return wrong(s, "value", "must be set");
    if (d->flags & 0xffff0000u & ~(uint32_t)LEHR_S_NEEDS_TOTAL)
        return wrong(s, "flags", "asks for something this lehr does not know; update lehr");
    if (d->observe && !d->metric) return wrong(s, "metric", "must be set with observe");
    if (d->create && !d->destroy) return wrong(s, "destroy", "must be set with create");
    lehr_status st = check_params(s, &d->params);
    if (st == LEHR_OK) st = check_vars(s, &d->state);
    return st != LEHR_OK ? st : check_presets(s, &d->presets);
}

lehr_status lh_schedule_copy(lehr_context *ctx, const char *path, const lehr_schedule *in,
                             lehr_schedule **out)
{
    subject s = {ctx, path, "schedule", in ? in->name : NULL};
    *out = NULL;
    if (!in || in->size < sizeof *in)
        return wrong(&s, "size", "is smaller than ABI 1.0's: set it to sizeof(lehr_schedule)");
    lehr_schedule *d = lh_alloc(ctx, 1, sizeof *d);
    if (!d) return LEHR_E_MEMORY;
    *d = *in;
    d->params = d->state = d->presets = (lehr_span){0}; /* so that freeing is right at any point */
    lehr_span params = in->params, state = in->state, presets = in->presets;
    lehr_status st = densify(&s, "params", &params, sizeof(lehr_param));
    if (st == LEHR_OK) d->params = params;
    if (st == LEHR_OK) st = densify(&s, "state", &state, sizeof(lehr_var));
    if (st == LEHR_OK) d->state = state;
    if (st == LEHR_OK) st = densify(&s, "presets", &presets, sizeof(lehr_preset));
    if (st == LEHR_OK) d->presets = presets;
    if (st == LEHR_OK) st = check_schedule(&s, d);
    if (st != LEHR_OK) lh_schedule_free(&d);
    *out = d;
    return st;
}

void lh_schedule_free(lehr_schedule **schedule)
{
    lehr_schedule *d = *schedule;
    if (!d) return;
    release(&d->params);
    release(&d->state);
    release(&d->presets);
    free(d);
    *schedule = NULL;
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

static lehr_status enter_name(const subject *s, scope *in, const char *what, const char *name)
{
    if (!lh_name_valid(name) || strncmp(name, "lh_", 3) == 0 || taken(name))
        return wrong(s, what,
                     "a name is not [a-z][a-z0-9_]{0,30} or is taken by the rule language");
    for (uint32_t i = 0; i < in->count; i++)
        if (strcmp(in->names[i], name) == 0) return wrong(s, what, "a name is used twice");
    if (in->count == LH_COUNT(in->names)) return wrong(s, what, "too many names");
    in->names[in->count++] = name;
    return LEHR_OK;
}

static bool is_param(const lehr_optimizer *d, const char *name)
{
    for (uint32_t i = 0; i < d->params.count; i++)
        if (strcmp(lh_params(&d->params)[i].name, name) == 0) return true;
    return false;
}

static lehr_status check_slots(const subject *s, const lehr_optimizer *d, scope *in)
{
    const lehr_slot *slots = d->slots.at;
    for (uint32_t i = 0; i < d->slots.count; i++) {
        lehr_status st = enter_name(s, in, "slots", slots[i].name);
        if (st != LEHR_OK) return st;
        if (slots[i].kind > LEHR_SLOT_SCRATCH || !isfinite(slots[i].init) ||
            (slots[i].flags & 0xffff0000u & ~(uint32_t)LEHR_SLOT_FROM_WEIGHT))
            return wrong(s, "slots", "kind, init or flags are not acceptable");
        if ((slots[i].when && !is_param(d, slots[i].when)) ||
            (slots[i].init_from && !is_param(d, slots[i].init_from)))
            return wrong(s, "slots", "when or init_from names no parameter");
    }
    return LEHR_OK;
}

static lehr_status check_reduction(const subject *s, const lehr_reduce *r, scope *in)
{
    lehr_status st = enter_name(s, in, "reductions", r->name);
    if (st != LEHR_OK) return st;
    if (r->op > LEHR_MAX || r->scope > LEHR_OVER_ALL_TO_HOST)
        return wrong(s, "reductions", "op or scope is unknown to this lehr; update lehr");
    if (!r->expr || !r->expr[0]) return wrong(s, "reductions", "a reduction has no expression");
    if (strpbrk(r->expr, ";{}"))
        return wrong(s, "reductions", "an expression holds ';' or braces: put statements in the pass");
    return LEHR_OK;
}

static lehr_status check_reductions(const subject *s, const lehr_optimizer *d, scope *in)
{
    const lehr_pass *passes = d->passes.at;
    lehr_status st = LEHR_OK;
    for (uint32_t i = 0; i < d->passes.count && st == LEHR_OK; i++) {
        if (passes[i].reduces.count > 32)
            return wrong(s, "reductions", "more than 32 belong to one pass");
        if (passes[i].flags & 0xffff0000u)
            return wrong(s, "passes", "a pass has a flag this lehr does not know; update lehr");
        for (uint32_t k = 0; k < passes[i].reduces.count && st == LEHR_OK; k++)
            st = check_reduction(s, (const lehr_reduce *)passes[i].reduces.at + k, in);
    }
    return st;
}

static lehr_status check_names(const subject *s, const lehr_optimizer *d)
{
    scope in = {.count = 0};
    lehr_status st = LEHR_OK;
    for (uint32_t i = 0; i < d->params.count && st == LEHR_OK; i++) {
        const lehr_param *p = &lh_params(&d->params)[i];
        st = enter_name(s, &in, "params", p->name);
        if (st == LEHR_OK && (p->kind > LEHR_CHOICE || (p->flags & LEHR_P_LIST)))
            st = wrong(s, "params", "durations, values and lists are for schedules only");
    }
    if (st == LEHR_OK) st = check_slots(s, d, &in);
    const char *const *scalars = d->scalars.at;
    for (uint32_t i = 0; i < d->scalars.count && st == LEHR_OK; i++)
        st = enter_name(s, &in, "scalars", scalars[i]);
    return st == LEHR_OK ? check_reductions(s, d, &in) : st;
}

static lehr_status check_code(const subject *s, const char *what, uint32_t number, const char *code,
                              bool helpers)
{
    lh_str where = {0};
    lh_str_printf(&where, "plugin %s: optimizer %s, %s", s->path, s->name, what);
    if (number) lh_str_printf(&where, " %u", (unsigned)number);
    lehr_status st = lh_rule_check(s->ctx, lh_str_text(&where), code, helpers);
    lh_str_free(&where);
    return st;
}

static lehr_status check_passes(const subject *s, const lehr_optimizer *d)
{
    const lehr_pass *passes = d->passes.at;
    lehr_status st = LEHR_OK;
    for (uint32_t i = 0; i < d->passes.count && st == LEHR_OK; i++) {
        if (!passes[i].code) return wrong(s, "passes", "a pass has no code");
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

static lehr_status check_optimizer(const subject *s, const lehr_optimizer *d)
{
    enum { KNOWN = LEHR_O_CUSTOM | LEHR_O_NEEDS_LOSS };
    if (!lh_name_valid(d->name)) return wrong(s, "name", "must match [a-z][a-z0-9_]{0,30}");
    if (!d->doc) return wrong(s, "doc", "must be set");
    if (d->flags & 0xffff0000u & ~(uint32_t)KNOWN)
        return wrong(s, "flags", "asks for something this lehr does not know; update lehr");
    if (d->passes.count == 0 && !(d->flags & LEHR_O_CUSTOM))
        return wrong(s, "passes", "at least one is needed");
    if (d->scalars.count > 0 && !d->scalar) return wrong(s, "scalar", "must be set with scalars");
    if (d->create && !d->destroy) return wrong(s, "destroy", "must be set with create");
    if (!(d->lr >= 0 && d->lr < LEHR_ANY)) return wrong(s, "lr", "must be 0 or a learning rate");
    lehr_status st = check_params(s, &d->params);
    if (st == LEHR_OK) st = check_vars(s, &d->state);
    if (st == LEHR_OK) st = check_presets(s, &d->presets);
    if (st == LEHR_OK) st = check_names(s, d);
    return st != LEHR_OK ? st : check_passes(s, d);
}

/* The reductions of each pass; the passes are ours already. */
static lehr_status densify_reductions(const subject *s, lehr_optimizer *d)
{
    lehr_pass *passes = (lehr_pass *)(uintptr_t)d->passes.at;
    lehr_status st = LEHR_OK;
    for (uint32_t i = 0; i < d->passes.count; i++) {
        lehr_span copy = passes[i].reduces;
        passes[i].reduces = (lehr_span){0};
        if (st == LEHR_OK) st = densify(s, "reductions", &copy, sizeof(lehr_reduce));
        if (st == LEHR_OK) passes[i].reduces = copy;
    }
    return st;
}

lehr_status lh_optimizer_copy(lehr_context *ctx, const char *path, const lehr_optimizer *in,
                              lehr_optimizer **out)
{
    subject s = {ctx, path, "optimizer", in ? in->name : NULL};
    *out = NULL;
    if (!in || in->size < sizeof *in)
        return wrong(&s, "size", "is smaller than ABI 1.0's: set it to sizeof(lehr_optimizer)");
    lehr_optimizer *d = lh_alloc(ctx, 1, sizeof *d);
    if (!d) return LEHR_E_MEMORY;
    *d = *in;
    struct {
        const char *what;
        lehr_span *span;
        size_t element;
    } spans[] = {
        {"params", &d->params, sizeof(lehr_param)}, {"slots", &d->slots, sizeof(lehr_slot)},
        {"state", &d->state, sizeof(lehr_var)},     {"scalars", &d->scalars, sizeof(char *)},
        {"passes", &d->passes, sizeof(lehr_pass)},  {"presets", &d->presets, sizeof(lehr_preset)}};
    lehr_status st = LEHR_OK;
    for (size_t i = 0; i < LH_COUNT(spans); i++) {
        lehr_span copy = *spans[i].span;
        *spans[i].span = (lehr_span){0};
        if (st == LEHR_OK) st = densify(&s, spans[i].what, &copy, spans[i].element);
        if (st == LEHR_OK) *spans[i].span = copy;
    }
    if (st == LEHR_OK) st = densify_reductions(&s, d);
    if (st == LEHR_OK) st = check_optimizer(&s, d);
    if (st != LEHR_OK) lh_optimizer_free(&d);
    *out = d;
    return st;
}

void lh_optimizer_free(lehr_optimizer **optimizer)
{
    lehr_optimizer *d = *optimizer;
    if (!d) return;
    release(&d->params);
    release(&d->slots);
    release(&d->state);
    release(&d->scalars);
    lehr_pass *passes = (lehr_pass *)(uintptr_t)d->passes.at;
    for (uint32_t i = 0; i < d->passes.count; i++) release(&passes[i].reduces);
    release(&d->passes);
    release(&d->presets);
    free(d);
    *optimizer = NULL;
}
