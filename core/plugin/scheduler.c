/* SPDX-License-Identifier: MIT
 *
 * Schedulers: evaluating an expression for any update, and keeping the state of metric-driven
 * parts.
 *
 * Meaning: a schedule gives a value (a learning rate).  In a product each schedule acts as the
 * multiplier value / base, and the base is applied once: a * b = base (a / base) (b / base).  A
 * plain number is a multiplier in a product and an absolute value in a sum. */
#include "core/plugin/scheduler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- one part ---- */

static lehr_progress progress_at(const lehr_scheduler *s, const lh_part *part, uint64_t step)
{
    const lehr_budget *b = &s->budget;
    return (lehr_progress){.size = sizeof(lehr_progress),
                           .host = &s->host.api,
                           .self = part->self,
                           .p = part->binding.p,
                           .lists = part->binding.lists,
                           .base = b->base,
                           .seed = b->seed,
                           .step = step,
                           .samples = step * b->samples_per_step,
                           .epoch =
                               b->steps_per_epoch ? (double)step / (double)b->steps_per_epoch : 0,
                           .steps_per_epoch = b->steps_per_epoch,
                           .total_steps = b->total_steps};
}

static lehr_status part_value(lehr_scheduler *s, const lh_part *part, uint64_t step, double *out)
{
    fenv_t env;
    lehr_progress t = progress_at(s, part, step);
    lh_guard_begin(&s->host, &env);
    *out = part->d->value(&t, s->state + part->state);
    lh_guard_end(&env);
    if (*out >= 0 && isfinite(*out)) return LEHR_OK;
    return lh_fail(s->ctx, LEHR_E_PARAM,
                   "schedule %s gives %g for update %llu (base %g): a value must be finite and not "
                   "negative",
                   part->text, *out, (unsigned long long)step, s->budget.base);
}

static lehr_status part_failed(lehr_scheduler *s, const lh_part *part, lehr_status st)
{
    const char *why = s->host.message[0] ? s->host.message : lehr_status_text(st);
    return lh_fail(s->ctx, st, "schedule %s: %s", part->text, why);
}

static lehr_status part_start(lehr_scheduler *s, lh_part *part)
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
    return st == LEHR_OK ? st : part_failed(s, part, st);
}

static void part_end(lehr_scheduler *s, lh_part *part)
{
    fenv_t env;
    lh_guard_begin(&s->host, &env);
    if (part->created) part->d->destroy(&s->host.api, part->self);
    lh_guard_end(&env);
    lh_binding_free(&part->binding);
    free(part->text);
}

/* ---- the tree ---- */

typedef struct amount {
    double value;
    bool plain; /* a number without a schedule in it */
} amount;

static amount product(amount a, amount b, double base)
{
    if (a.plain || b.plain) return (amount){a.value * b.value, a.plain && b.plain};
    return (amount){a.value / base * b.value, false};
}

static lehr_status evaluate(lehr_scheduler *s, uint32_t i, uint64_t step, amount *out)
{
    const lh_node *n = &s->nodes[i];
    amount a, b;
    lehr_status st = LEHR_OK;
    switch (n->kind) {
    case LH_NODE_NUMBER: *out = (amount){n->number, true}; return st;
    case LH_NODE_SHARE: *out = (amount){n->number / 100 * s->budget.base, false}; return st;
    case LH_NODE_PART: out->plain = false; return part_value(s, &s->parts[n->a], step, &out->value);
    case LH_NODE_PRODUCT:
    case LH_NODE_SUM: break;
    }
    st = evaluate(s, n->a, step, &a);
    if (st == LEHR_OK) st = evaluate(s, n->b, step, &b);
    if (st != LEHR_OK) return st;
    *out = n->kind == LH_NODE_PRODUCT ? product(a, b, s->budget.base)
                                      : (amount){a.value + b.value, a.plain && b.plain};
    return LEHR_OK;
}

lehr_status lehr_scheduler_value(lehr_scheduler *s, uint64_t step, double *out)
{
    amount result = {0, false};
    lh_enter(s->ctx);
    *out = 0;
    lehr_status st = evaluate(s, s->root, step, &result);
    if (st != LEHR_OK) return st;
    if (!(result.value >= 0 && isfinite(result.value)))
        return lh_fail(s->ctx, LEHR_E_PARAM, "schedule '%s' gives %g for update %llu (base %g)",
                       lh_str_text(&s->spec), result.value, (unsigned long long)step,
                       s->budget.base);
    *out = result.value;
    return LEHR_OK;
}

/* "val.loss" and "val_loss" are the same metric. */
static bool same_metric(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if ((*a == '_' ? '.' : *a) != (*b == '_' ? '.' : *b)) return false;
    return *a == *b;
}

lehr_status lehr_scheduler_observe(lehr_scheduler *s, uint64_t step, const char *metric,
                                   int32_t better, double value)
{
    lh_enter(s->ctx);
    for (uint32_t i = 0; i < s->part_count; i++) {
        const lh_part *part = &s->parts[i];
        if (!part->d->observe || !same_metric(part->binding.metric, metric)) continue;
        fenv_t env;
        lehr_progress t = progress_at(s, part, step);
        lehr_metric m = {sizeof m, better, part->binding.metric, value};
        lh_guard_begin(&s->host, &env);
        lehr_status st = part->d->observe(&t, &m, s->state + part->state);
        lh_guard_end(&env);
        if (st != LEHR_OK) return part_failed(s, part, st);
    }
    return LEHR_OK;
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
    s->state = lh_alloc(s->ctx, s->state_count, sizeof *s->state);
    if (!s->state) return LEHR_E_MEMORY;
    for (uint32_t i = 0; i < s->part_count && st == LEHR_OK; i++) st = part_start(s, &s->parts[i]);
    if (st != LEHR_OK) return st;
    lh_expression_text(s, &s->text);
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

void lehr_scheduler_get_state(const lehr_scheduler *s, double *out)
{
    if (s->state_count) memcpy(out, s->state, s->state_count * sizeof *out);
}

void lehr_scheduler_set_state(lehr_scheduler *s, const double *in)
{
    if (s->state_count) memcpy(s->state, in, s->state_count * sizeof *in);
}
