/* SPDX-License-Identifier: MIT
 *
 * One update: pass after pass, each on every group before the next begins, so that a number over
 * all weights is complete when it is used.  Host numbers (advance, scalar) come just before the
 * launches that need them. */
#include "core/plugin/updater.h"

#include <math.h>
#include <string.h>

/* A CPU task takes at least this many weights (a task of less than some 20 us is all overhead) and
 * an update has about this many tasks. */
enum { SPAN_LEAST = 4096, TASKS = 200 };

/* ---- numbers of the host ---- */

lehr_status lh_updater_failed(lh_updater *u, lehr_status st)
{
    return lh_fail(u->ctx, st, "optimizer %s: %s", lh_str_text(&u->text),
                   u->host.message[0] ? u->host.message : lehr_status_text(st));
}

static double lr_of(const lh_updater *u, uint32_t group, double lr)
{
    if (group == u->group_count) return lr;
    const lh_group *g = &u->groups[group];
    return isnan(g->own_lr) ? lr * g->lr_scale : g->own_lr;
}

static double base_of(const lh_updater *u, uint32_t group, double lr)
{
    const lh_group *g = group < u->group_count ? &u->groups[group] : NULL;
    if (g && !isnan(g->own_lr)) return g->own_base;
    /* a frozen group: lr / base_lr is 0, not 0 / 0 */
    double scale = g && g->lr_scale > 0 ? g->lr_scale : 1;
    return u->base_lr > 0 ? u->base_lr * scale : lr_of(u, group, lr);
}

static const double *params_of(const lh_updater *u, uint32_t group)
{
    return u->params + (size_t)group * u->rule.d->params.count;
}

lehr_update lh_updater_describe(lh_updater *u, uint32_t group, uint32_t pass, uint64_t t, double lr)
{
    bool run = group == u->group_count;
    uint32_t known = 0;
    for (uint32_t i = 0; i < u->rule.reduction_count; i++)
        if (u->rule.reductions[i].d->scope == LEHR_OVER_ALL_TO_HOST &&
            u->rule.reductions[i].pass < pass)
            known++;
    return (lehr_update){.size = sizeof(lehr_update), .pass = pass, .host = &u->host.api,
                         .self = u->self, .p = params_of(u, run ? 0 : group),
                         .lr = lr_of(u, group, lr), .loss = u->loss, .t = t,
                         .group = run ? 0 : group, .all = u->all, .all_count = known,
                         .base_lr = base_of(u, group, lr)};
}

static double *scalars_of(lh_updater *u, uint32_t group, uint32_t pass)
{
    return u->scalars + ((size_t)pass * u->group_count + group) * u->rule.d->scalars.count;
}

static lehr_status check_scalars(lh_updater *u, const double *scalars, uint64_t t)
{
    for (uint32_t i = 0; i < u->rule.d->scalars.count; i++)
        if (!isfinite(scalars[i]))
            return lh_fail(u->ctx, LEHR_E_PARAM, "optimizer %s: scalar %s is %g at update %llu",
                           lh_str_text(&u->text), ((const char *const *)u->rule.d->scalars.at)[i],
                           scalars[i], (unsigned long long)t);
    return LEHR_OK;
}

lehr_status lh_updater_ask_scalar(lh_updater *u, uint32_t group, uint32_t pass, uint64_t t,
                                  double lr)
{
    lehr_update update = lh_updater_describe(u, group, pass, t, lr);
    double *out = scalars_of(u, group, pass);
    fenv_t env;
    if (!u->rule.d->scalar) return LEHR_OK;
    lh_guard_begin(&u->host, &env);
    lehr_status st = u->rule.d->scalar(&update, u->state, out);
    lh_guard_end(&env);
    return st == LEHR_OK ? check_scalars(u, out, t) : lh_updater_failed(u, st);
}

static lehr_status advance(lh_updater *u, uint32_t pass, uint64_t t, double lr)
{
    lehr_update update = lh_updater_describe(u, u->group_count, pass, t, lr);
    fenv_t env;
    lehr_status st = LEHR_OK;
    if (u->rule.d->advance) {
        lh_guard_begin(&u->host, &env);
        st = u->rule.d->advance(&update, u->state);
        lh_guard_end(&env);
        if (st != LEHR_OK) return lh_updater_failed(u, st);
    }
    for (uint32_t g = 0; g < u->group_count && st == LEHR_OK; g++)
        if (u->groups[g].count) st = lh_updater_ask_scalar(u, g, pass, t, lr);
    return st;
}

/* ---- launches ---- */

typedef struct arguments {
    cl_kernel kernel;
    cl_uint next;
    cl_int code; /* of the first failure */
} arguments;

static void add(arguments *a, size_t size, const void *value)
{
    cl_int code = clSetKernelArg(a->kernel, a->next++, size, value);
    if (a->code == CL_SUCCESS) a->code = code;
}

static void add_mem(arguments *a, cl_mem mem) { add(a, sizeof mem, &mem); }
static void add_uint(arguments *a, cl_uint value) { add(a, sizeof value, &value); }
static void add_ulong(arguments *a, cl_ulong value) { add(a, sizeof value, &value); }

static void add_float(arguments *a, double value)
{
    cl_float single = (cl_float)value;
    add(a, sizeof single, &single);
}

static size_t span_of(size_t count)
{
    size_t span = ((count + TASKS - 1) / TASKS + 15) / 16 * 16;
    return span < SPAN_LEAST ? SPAN_LEAST : span;
}

static void add_buffers(lh_updater *u, const lh_stage *s, const lh_group *g, cl_mem control,
                        arguments *a)
{
    add_mem(a, u->weights);
    add_mem(a, u->gradients);
    for (uint32_t i = 0; i < u->rule.d->slots.count; i++)
        if (s->slots[i] & (LH_LOADS | LH_STORES)) add_mem(a, u->slots[i]);
    add_mem(a, control);
    if (s->chunked) {
        add_mem(a, u->chunks);
        add_ulong(a, g->first_chunk);
        add_ulong(a, g->chunk_count);
    } else {
        add_ulong(a, g->offset);
        add_ulong(a, g->count);
        add_ulong(a, span_of(g->count));
    }
    if (u->rule.reduction_count) {
        add_mem(a, u->values);
        add_uint(a, u->tensor_count);
    }
    if (s->reduce_count) {
        add_mem(a, u->partial);
        add_uint(a, u->chunk_count);
    }
}

static lehr_status set_arguments(lh_updater *u, uint32_t stage, uint32_t group, double lr,
                                 cl_mem control)
{
    const lh_stage *s = &u->rule.stages[stage];
    const lehr_param *params = lh_params(&u->rule.d->params);
    arguments a = {.kernel = u->kernels[stage], .code = CL_SUCCESS};
    add_buffers(u, s, &u->groups[group], control, &a);
    if (stage < u->rule.stage_count) add_float(&a, lr_of(u, group, lr));
    for (uint32_t i = 0; i < u->rule.d->params.count; i++)
        if (lh_rule_is_argument(&params[i]))
            add_float(&a, params_of(u, group)[i]);
    for (uint32_t p = s->first; p < s->first + s->count; p++)
        for (uint32_t i = 0; i < u->rule.d->scalars.count; i++)
            add_float(&a, scalars_of(u, group, p)[i]);
    return lh_cl_check(u->ctx, a.code, "arguments of optimizer %s (clSetKernelArg)",
                       u->rule.d->name);
}

lehr_status lh_updater_launch(lh_updater *u, uint32_t stage, uint32_t group, double lr,
                              cl_mem control)
{
    const lh_stage *s = &u->rule.stages[stage];
    const lh_group *g = &u->groups[group];
    size_t chunk_local = u->local < LH_LANES ? u->local : LH_LANES;
    if (s->idle || (s->chunked ? g->chunk_count == 0 : g->count == 0)) return LEHR_OK;
    lehr_status st = set_arguments(u, stage, group, lr, control);
    if (st != LEHR_OK) return st;
    if (s->chunked && u->local)
        return lh_launch_groups(u->dev, u->kernels[stage], g->chunk_count, chunk_local);
    if (s->chunked) return lh_launch_groups(u->dev, u->kernels[stage], g->chunk_count, 1);
    if (u->local) return lh_launch_1d(u->dev, u->kernels[stage], g->count, u->local);
    size_t span = span_of(g->count);
    return lh_launch_groups(u->dev, u->kernels[stage], (g->count + span - 1) / span, 1);
}

/* Partial results of a stage into one number a tensor, or one in all. */
static lehr_status finish(lh_updater *u, const lh_stage *s, cl_mem control)
{
    cl_uint maxima = 0, whole = 0;
    for (uint32_t i = 0; i < s->reduce_count; i++) {
        const lehr_reduce *d = u->rule.reductions[s->reduce_first + i].d;
        if (d->op == LEHR_MAX) maxima |= 1u << i;
        if (d->scope != LEHR_PER_TENSOR) whole |= 1u << i;
    }
    lehr_status st = lh_kernel_args(u->dev, u->finish, "mumumuuum", u->partial, u->chunk_count,
                                    u->begin, u->tensor_count, u->values, s->reduce_first, maxima,
                                    whole, control);
    size_t local = u->local == 0 ? 1 : u->local < LH_LANES ? u->local : LH_LANES;
    const size_t locals[2] = {local, 1}, global[2] = {u->tensor_count * local, s->reduce_count};
    return st == LEHR_OK ? lh_launch(u->dev, u->finish, 2, global, locals) : st;
}

/* Waits. */
static lehr_status read_results(lh_updater *u, const lh_stage *s, cl_mem control, bool *halted)
{
    float state[2] = {0};
    lehr_status st = lh_buffer_read(u->dev, control, 0, sizeof state, state);
    *halted = !(state[1] == 0);
    for (uint32_t i = 0; i < s->reduce_count && st == LEHR_OK && !*halted; i++) {
        const lh_reduction *r = &u->rule.reductions[s->reduce_first + i];
        float value = 0;
        if (r->d->scope != LEHR_OVER_ALL_TO_HOST) continue;
        size_t at = ((size_t)s->reduce_first + i) * u->tensor_count * sizeof value;
        st = lh_buffer_read(u->dev, u->values, at, sizeof value, &value);
        u->all[r->host] = (double)value;
    }
    return st;
}

static lehr_status run_stage(lh_updater *u, uint32_t stage, double lr, cl_mem control)
{
    const lh_stage *s = &u->rule.stages[stage];
    lehr_status st = LEHR_OK;
    for (uint32_t g = 0; g < u->group_count && st == LEHR_OK; g++)
        st = lh_updater_launch(u, stage, g, lr, control);
    return st == LEHR_OK && s->reduce_count ? finish(u, s, control) : st;
}

static lehr_status run_stages(lh_updater *u, uint64_t t, double lr, cl_mem control)
{
    lehr_status st = LEHR_OK;
    bool halted = false;
    if (u->rule.stage_count == 0) {
        st = advance(u, 0, t, lr);
        return st == LEHR_OK && u->custom ? lh_custom_step(u, t, lr, control) : st;
    }
    for (uint32_t i = 0; i < u->rule.stage_count && st == LEHR_OK && !halted; i++) {
        const lh_stage *s = &u->rule.stages[i];
        for (uint32_t p = s->first; p < s->first + s->count && st == LEHR_OK; p++)
            st = advance(u, p, t, lr);
        if (st == LEHR_OK && i == 0 && u->custom) st = lh_custom_step(u, t, lr, control);
        if (st == LEHR_OK) st = run_stage(u, i, lr, control);
        if (st == LEHR_OK && s->waits) st = read_results(u, s, control, &halted);
    }
    if (halted) lh_updater_set_state(u, u->before); /* the device changed nothing either */
    return st;
}

static lehr_status copy_weights(lh_updater *u)
{
    lehr_status st = LEHR_OK;
    for (uint32_t i = 0; i < u->rule.d->slots.count && st == LEHR_OK; i++) {
        const lehr_slot *slot = &lh_slots(&u->rule)[i];
        if (u->slots[i] && slot->kind == LEHR_SLOT_STATE && (slot->flags & LEHR_SLOT_FROM_WEIGHT))
            st = lh_buffer_copy(u->dev, u->weights, 0, u->slots[i], 0, u->count * sizeof(float));
    }
    return st;
}

lehr_status lh_updater_step(lh_updater *u, uint64_t t, double lr, cl_mem control)
{
    if (!(lr >= 0 && isfinite((float)lr)))
        return lh_fail(u->ctx, LEHR_E_PARAM,
                       "learning rate %g of update %llu must be finite and not "
                       "negative",
                       lr, (unsigned long long)t);
    u->last_lr = (float)lr;
    if (lh_updater_needs_loss(u) && !isfinite(u->loss)) return LEHR_OK;
    lh_updater_get_state(u, u->before);
    lehr_status st = t == 1 ? copy_weights(u) : LEHR_OK;
    if (st == LEHR_OK) st = run_stages(u, t, lr, control);
    u->loss = (double)NAN;
    return st;
}

lehr_status lh_updater_warm_up(lh_updater *u, cl_mem control)
{
    const float halted[2] = {1, 1};
    lehr_status st = lh_buffer_write(u->dev, control, 0, sizeof halted, halted);
    for (uint32_t i = 0; i < u->rule.stage_count + 2 && st == LEHR_OK; i++)
        if (u->rule.stages[i].count) st = run_stage(u, i, 0, control);
    return st;
}
