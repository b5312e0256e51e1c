/* SPDX-License-Identifier: MIT
 *
 * Schedulers: evaluating an expression for any update, and keeping the state of metric-driven
 * parts.
 *
 * Meaning: a schedule gives a value (a learning rate).  In a product each schedule acts as the
 * multiplier value / base, and the base is applied once: a * b = base (a / base) (b / base).  A
 * plain number is a multiplier in a product and an absolute value anywhere else.  Time is counted
 * in updates of the node's own budget: `then`, shift and repeat turn it on the way down. */
#include "core/plugin/scheduler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- one part ---- */

static lehr_progress progress_at(const lehr_scheduler *s, const lh_schedule_part *part,
                                 uint64_t step)
{
    const lehr_budget *b = &s->budget;
    double epoch = b->steps_per_epoch ? (double)step / (double)b->steps_per_epoch : 0;
    return (lehr_progress){.size = sizeof(lehr_progress),
                           .host = &s->host.api,
                           .self = part->self,
                           .p = part->binding.p,
                           .lists = part->binding.lists,
                           .base = b->base,
                           .seed = b->seed,
                           .step = step,
                           .samples = step * b->samples_per_step,
                           .epoch = epoch,
                           .steps_per_epoch = b->steps_per_epoch,
                           .total_steps = part->total};
}

double lh_part_value(lehr_scheduler *s, const lh_schedule_part *part, uint64_t step)
{
    fenv_t env;
    lehr_progress t = progress_at(s, part, step);
    lh_guard_begin(&s->host, &env);
    double value = part->d->value(&t, s->state + part->state);
    lh_guard_end(&env);
    return value;
}

static lehr_status part_value(lehr_scheduler *s, const lh_schedule_part *part, uint64_t step,
                              double *out)
{
    *out = lh_part_value(s, part, step);
    if (*out >= 0 && isfinite(*out)) return LEHR_OK;
    return lh_fail(s->ctx, LEHR_E_PARAM,
                   "schedule %s gives %g for update %llu (base %g): a value must be finite and not "
                   "negative",
                   part->text, *out, (unsigned long long)step, s->budget.base);
}

static lehr_status part_failed(lehr_scheduler *s, const lh_schedule_part *part, lehr_status st)
{
    const char *why = s->host.message[0] ? s->host.message : lehr_status_text(st);
    return lh_fail(s->ctx, st, "schedule %s: %s", part->text, why);
}

static lehr_status part_start(lehr_scheduler *s, lh_schedule_part *part)
{
    fenv_t env;
    lehr_status st = LEHR_OK;
    lehr_progress t = progress_at(s, part, 0);
    const lehr_var *vars = part->d->state.at;
    for (uint32_t i = 0; i < part->d->state.count; i++) s->state[part->state + i] = vars[i].init;
    lh_guard_begin(&s->host, &env);
    if (part->d->check) st = part->d->check(&s->host.api, &t);
    if (st == LEHR_OK && part->d->create) {
        st = part->d->create(&s->host.api, &t, &part->self);
        part->created = st == LEHR_OK;
    }
    lh_guard_end(&env);
    if (st != LEHR_OK) return part_failed(s, part, st);
    return lh_keeper_open(&s->host, "schedule", part->text, part->d->ext, part->self, &part->keeper);
}

static void part_end(lehr_scheduler *s, lh_schedule_part *part)
{
    fenv_t env;
    lh_guard_begin(&s->host, &env);
    if (part->created) part->d->destroy(&s->host.api, part->self);
    lh_guard_end(&env);
    if (part->bound) lh_binding_free(&part->binding);
    lh_call_free(&part->call);
    free(part->text);
}

/* ---- time ---- */

/* The child's own time for step t of its parent, for every kind whose child has another clock. */
static uint64_t child_step(const lh_node *n, uint64_t t)
{
    uint64_t span = (uint64_t)fabs(n->span);
    switch (n->kind) {
    case LH_NODE_SHIFT: return n->span < 0 ? t + span : t > span ? t - span : 0;
    case LH_NODE_HOLD: return t / span * span;
    case LH_NODE_REPEAT: /* behind the last cycle: its end, held */
        return n->times > 0 && (double)(t / span) >= n->times ? span : t % span;
    default: return t;
    }
}

/* The phase that runs at step t. */
static uint32_t phase_at(const lehr_scheduler *s, const lh_node *n, uint64_t t)
{
    uint32_t k = n->child;
    while (!((double)t < s->nodes[k].end)) k = s->nodes[k].next;
    return k;
}

/* ---- the tree ---- */

static lehr_status evaluate(lehr_scheduler *s, uint32_t i, uint64_t t, double *out);

static lehr_status formula_value(lehr_scheduler *s, const lh_node *n, uint64_t t, double *out)
{
    const lehr_budget *b = &s->budget;
    double p = n->total ? (double)t / (double)n->total : 0;
    lh_formula_input in = {.step = (double)t, .total = (double)n->total, .base = b->base,
                           .p = p < 1 ? p : 1, .steps_per_epoch = (double)b->steps_per_epoch};
    if (b->steps_per_epoch) in.epoch = (double)t / (double)b->steps_per_epoch;
    *out = lh_formula_value(n->formula, &in);
    if (isfinite(*out)) return LEHR_OK;
    return lh_fail(s->ctx, LEHR_E_PARAM,
                   "schedule expr(\"%s\") gives %g for update %llu (base %g): a value must be "
                   "finite",
                   lh_formula_text(n->formula), *out, (unsigned long long)t, b->base);
}

static double join(const lehr_scheduler *s, const lh_node *n, uint32_t k, double a, double b)
{
    switch (n->kind) {
    case LH_NODE_SUM: return a + b;
    case LH_NODE_MIN: return b < a ? b : a;
    case LH_NODE_MAX: return b > a ? b : a;
    case LH_NODE_CLIP: /* the low bound comes first, then the high one */
        return s->nodes[k].next != LH_NO_NODE ? (a < b ? b : a) : (a > b ? b : a);
    default: /* a product */
        if (s->nodes[n->child].plain || s->nodes[k].plain) return a * b;
        return a / s->budget.base * b;
    }
}

static lehr_status evaluate_all(lehr_scheduler *s, const lh_node *n, uint64_t t, double *out)
{
    lehr_status st = evaluate(s, n->child, t, out);
    for (uint32_t k = s->nodes[n->child].next; k != LH_NO_NODE && st == LEHR_OK;
         k = s->nodes[k].next) {
        double value = 0;
        st = evaluate(s, k, t, &value);
        *out = join(s, n, k, *out, value);
    }
    return st;
}

static lehr_status evaluate(lehr_scheduler *s, uint32_t i, uint64_t t, double *out)
{
    const lh_node *n = &s->nodes[i];
    lehr_status st;
    uint32_t k;
    switch (n->kind) {
    case LH_NODE_NUMBER: *out = n->number; return LEHR_OK;
    case LH_NODE_SHARE: *out = n->number / 100 * s->budget.base; return LEHR_OK;
    case LH_NODE_PART: return part_value(s, &s->parts[n->part], t, out);
    case LH_NODE_FORMULA: return formula_value(s, n, t, out);
    case LH_NODE_CURVE: *out = lh_curve_value(n->curve, (double)t, n->hold); return LEHR_OK;
    case LH_NODE_THEN:
        k = phase_at(s, n, t);
        return evaluate(s, k, t - (uint64_t)s->nodes[k].start, out);
    case LH_NODE_FOR:
    case LH_NODE_SHIFT:
    case LH_NODE_HOLD: return evaluate(s, n->child, child_step(n, t), out);
    case LH_NODE_REPEAT: {
        double cycle = (double)(t / (uint64_t)n->span);
        if (n->times > 0 && cycle >= n->times) cycle = n->times - 1;
        st = evaluate(s, n->child, child_step(n, t), out);
        if (n->number != 1) *out *= pow(n->number, cycle);
        return st;
    }
    default: return evaluate_all(s, n, t, out);
    }
}

lehr_status lehr_scheduler_value(lehr_scheduler *s, uint64_t step, double *out)
{
    double value = 0;
    lh_enter(s->ctx);
    *out = 0;
    lehr_status st = evaluate(s, s->root, step, &value);
    if (st != LEHR_OK) return st;
    if (!(value >= 0 && isfinite(value)))
        return lh_fail(s->ctx, LEHR_E_PARAM, "schedule '%s' gives %g for update %llu (base %g)",
                       lh_str_text(&s->spec), value, (unsigned long long)step, s->budget.base);
    *out = value;
    return LEHR_OK;
}

/* ---- metrics ---- */

typedef struct measurement {
    const char *metric;
    int32_t better;
    double value;
} measurement;

/* "val.loss" and "val_loss" are the same metric. */
static bool same_metric(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if ((*a == '_' ? '.' : *a) != (*b == '_' ? '.' : *b)) return false;
    return *a == *b;
}

static lehr_status observe_part(lehr_scheduler *s, const lh_schedule_part *part, uint64_t step,
                                const measurement *m)
{
    if (!part->d->observe || !same_metric(part->binding.metric, m->metric)) return LEHR_OK;
    fenv_t env;
    lehr_progress t = progress_at(s, part, step);
    lehr_metric metric = {sizeof metric, m->better, part->binding.metric, m->value};
    lh_guard_begin(&s->host, &env);
    lehr_status st = part->d->observe(&t, &metric, s->state + part->state);
    lh_guard_end(&env);
    return st == LEHR_OK ? st : part_failed(s, part, st);
}

/* A measurement made after t updates of node i.  It goes to what ruled the last of these updates:
 * a part of `then` or shift that has not begun, or is over, does not see it. */
static lehr_status observe(lehr_scheduler *s, uint32_t i, uint64_t t, const measurement *m)
{
    const lh_node *n = &s->nodes[i];
    uint64_t span = (uint64_t)fabs(n->span);
    lehr_status st = LEHR_OK;
    switch (n->kind) {
    case LH_NODE_PART: return observe_part(s, &s->parts[n->part], t, m);
    case LH_NODE_THEN: {
        uint32_t k = phase_at(s, n, t ? t - 1 : 0);
        return observe(s, k, t - (uint64_t)s->nodes[k].start, m);
    }
    case LH_NODE_SHIFT:
        if (n->span > 0 && t <= span) return LEHR_OK;
        return observe(s, n->child, child_step(n, t), m);
    case LH_NODE_REPEAT:
        if (n->times > 0 && (double)t > n->times * n->span) return observe(s, n->child, span, m);
        return observe(s, n->child, t ? (t - 1) % span + 1 : 0, m);
    default:
        for (uint32_t k = n->child; k != LH_NO_NODE && st == LEHR_OK; k = s->nodes[k].next)
            st = observe(s, k, t, m);
        return st;
    }
}

lehr_status lehr_scheduler_observe(lehr_scheduler *s, uint64_t step, const char *metric,
                                   int32_t better, double value)
{
    measurement m = {metric, better, value};
    lh_enter(s->ctx);
    return observe(s, s->root, step, &m);
}

const char *lehr_scheduler_metric(const lehr_scheduler *s, uint32_t i)
{
    for (uint32_t k = 0; k < s->part_count; k++)
        if (s->parts[k].d->observe && i-- == 0) return s->parts[k].binding.metric;
    return NULL;
}

/* ---- life ---- */

static lehr_status check_budget(lehr_context *ctx, const lehr_budget *b)
{
    if (!(b->base > 0 && isfinite(b->base)))
        return lh_fail(ctx, LEHR_E_PARAM, "learning rate %g: must be above 0", b->base);
    if (b->total_steps > 1ull << 53)
        return lh_fail(ctx, LEHR_E_PARAM, "a run of more than 2^53 updates");
    return LEHR_OK;
}

static lehr_status start(lehr_scheduler *s, const char *text)
{
    lh_str_add(&s->spec, text);
    lehr_status st = lh_expression_parse(s, text);
    if (st != LEHR_OK) return st;
    st = lh_expression_resolve(s);
    if (st != LEHR_OK) return st;
    s->state = lh_alloc(s->ctx, s->state_count, sizeof *s->state);
    if (!s->state) return LEHR_E_MEMORY;
    for (uint32_t i = 0; i < s->part_count && st == LEHR_OK; i++) st = part_start(s, &s->parts[i]);
    if (st != LEHR_OK) return st;
    lh_expression_text(s, &s->text);
    if (s->text.length >= LH_SPEC_MAX) /* it could not be read again */
        return lh_fail(s->ctx, LEHR_E_USAGE,
                       "schedule: written out with all parameters it is longer than %d characters",
                       LH_SPEC_MAX - 1);
    return s->text.failed ? lh_fail(s->ctx, LEHR_E_MEMORY, "out of memory") : LEHR_OK;
}

lehr_status lehr_scheduler_create(lehr_context *ctx, lehr_registry *registry, const char *text,
                                  const lehr_budget *budget, lehr_scheduler **out)
{
    lh_enter(ctx);
    *out = NULL;
    lehr_status st = check_budget(ctx, budget);
    if (st != LEHR_OK) return st;
    lehr_scheduler *s = lh_alloc(ctx, 1, sizeof *s);
    if (!s) return LEHR_E_MEMORY;
    s->ctx = ctx;
    s->registry = registry;
    s->budget = *budget;
    lh_host_init(&s->host, ctx);
    st = start(s, text);
    if (st != LEHR_OK) lehr_scheduler_destroy(&s);
    *out = s;
    return st;
}

void lehr_scheduler_destroy(lehr_scheduler **scheduler)
{
    if (!scheduler || !*scheduler) return;
    lehr_scheduler *s = *scheduler;
    for (uint32_t i = 0; i < s->part_count; i++) part_end(s, &s->parts[i]);
    for (uint32_t i = 0; i < s->node_count; i++) {
        lh_formula_free(s->nodes[i].formula);
        lh_curve_free(s->nodes[i].curve);
        free(s->nodes[i].path);
    }
    free(s->parts);
    free(s->nodes);
    free(s->state);
    lh_str_free(&s->text);
    lh_str_free(&s->spec);
    free(s);
    *scheduler = NULL;
}

const char *lehr_scheduler_text(const lehr_scheduler *s) { return lh_str_text(&s->text); }
uint32_t lehr_scheduler_state_count(const lehr_scheduler *s) { return s->state_count; }

const lh_keeper *lh_scheduler_keeper(const lehr_scheduler *s, uint32_t i)
{
    return i < s->part_count ? &s->parts[i].keeper : NULL;
}

void lehr_scheduler_get_state(const lehr_scheduler *s, double *out)
{
    if (s->state_count) memcpy(out, s->state, s->state_count * sizeof *out);
}

void lehr_scheduler_set_state(lehr_scheduler *s, const double *in)
{
    if (s->state_count) memcpy(s->state, in, s->state_count * sizeof *in);
}
