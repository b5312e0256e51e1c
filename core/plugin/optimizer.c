/* SPDX-License-Identifier: MIT
 *
 * The updater: slots, host state, and one launch per parameter group and update. */
#include "core/plugin/optimizer.h"
#include "core/plugin/rule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A CPU task takes at least this many weights (a task of less than some 20 us is all overhead) and
 * an update has about this many tasks. */
enum { CHUNK_LEAST = 4096, TASKS = 200, LOCAL = 128 };
enum { FILL = 1 << 16 }; /* floats per write of a slot's start */

typedef struct group {
    size_t offset, count;
    double lr_scale, weight_decay_scale;
    double own_lr, own_base; /* in place of lr * lr_scale; own_lr NaN: none */
} group;

struct lh_updater {
    lehr_device *dev;
    lehr_context *ctx;
    lh_host host;
    lh_rule rule;
    bool open;       /* rule is open */
    void *self;
    bool created;    /* self came from create() */
    cl_mem weights, gradients;
    size_t count;
    group *groups;
    uint32_t group_count;
    cl_kernel kernel;
    size_t local;    /* 0: chunks */
    cl_mem *slots;   /* those that exist */
    uint32_t *slot_index; /* their place in the rule's table */
    uint32_t slot_count;
    double *state;   /* group by group */
    double *scalars; /* of one group */
    double *params;  /* group by group: what the next update uses */
    lh_str text, source;
    float last_lr;
    double base_lr;  /* 0: not set */
};

/* ---- making one ---- */

static lehr_status copy_layout(lh_updater *u, const lh_arena_layout *layout)
{
    u->weights = layout->weights;
    u->gradients = layout->gradients;
    u->count = layout->count;
    u->group_count = layout->group_count;
    u->groups = lh_alloc(u->ctx, layout->group_count, sizeof *u->groups);
    if (!u->groups) return LEHR_E_MEMORY;
    for (uint32_t i = 0; i < layout->group_count; i++) {
        const lh_param_group *g = &layout->groups[i];
        if (g->offset > layout->count || g->count > layout->count - g->offset)
            return lh_fail(u->ctx, LEHR_E_INTERNAL, "parameter group '%s' lies outside the arena",
                           g->name);
        u->groups[i] = (group){g->offset, g->count, g->lr_scale, g->weight_decay_scale, (double)NAN, 0};
    }
    return LEHR_OK;
}

/* Written from the host, once per run: checking runtimes see these bytes become initialised, which not
 * all do for clEnqueueFillBuffer. */
static lehr_status fill(lh_updater *u, cl_mem buffer, double value)
{
    float *part = lh_alloc(u->ctx, FILL, sizeof *part);
    lehr_status st = part ? LEHR_OK : LEHR_E_MEMORY;
    for (size_t i = 0; part && i < FILL; i++) part[i] = (float)value;
    for (size_t at = 0; at < u->count && st == LEHR_OK; at += FILL) {
        size_t left = u->count - at;
        st = lh_buffer_write(u->dev, buffer, at * sizeof *part,
                             (left < FILL ? left : FILL) * sizeof *part, part);
    }
    free(part);
    return st;
}

static lehr_status make_slots(lh_updater *u)
{
    uint32_t count = u->rule.d->slots.count;
    u->slots = lh_alloc(u->ctx, count, sizeof *u->slots);
    u->slot_index = lh_alloc(u->ctx, count, sizeof *u->slot_index);
    if (!u->slots || !u->slot_index) return LEHR_E_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        if (!lh_rule_has_slot(&u->rule, i)) continue;
        cl_mem *slot = &u->slots[u->slot_count];
        lehr_status st = lh_buffer_create(u->dev, u->count * sizeof(float), slot);
        if (st != LEHR_OK) return st;
        u->slot_index[u->slot_count++] = i;
        st = fill(u, *slot, lh_rule_slot_init(&u->rule, i));
        if (st != LEHR_OK) return st;
    }
    return LEHR_OK;
}

static double *params_of(const lh_updater *u, uint32_t index)
{
    return u->params + (size_t)index * u->rule.d->params.count;
}

static lehr_status make_state(lh_updater *u)
{
    const lehr_optimizer *d = u->rule.d;
    const lehr_var *vars = d->state.at;
    u->state = lh_alloc(u->ctx, (size_t)d->state.count * u->group_count, sizeof *u->state);
    u->scalars = lh_alloc(u->ctx, d->scalars.count, sizeof *u->scalars);
    u->params = lh_alloc(u->ctx, (size_t)d->params.count * u->group_count, sizeof *u->params);
    if (!u->state || !u->scalars || !u->params) return LEHR_E_MEMORY;
    for (uint32_t g = 0; g < u->group_count; g++) {
        for (uint32_t i = 0; i < d->state.count; i++)
            u->state[g * d->state.count + i] = vars[i].init;
        for (uint32_t i = 0; i < d->params.count; i++)
            lh_updater_set_param(u, g, i, u->rule.binding.p[i]);
        if (u->rule.weight_decay >= 0)
            params_of(u, g)[u->rule.weight_decay] *= u->groups[g].weight_decay_scale;
    }
    return LEHR_OK;
}

static lehr_status failed(lh_updater *u, lehr_status st)
{
    return lh_fail(u->ctx, st, "optimizer %s: %s", lh_str_text(&u->text),
                   u->host.message[0] ? u->host.message : lehr_status_text(st));
}

static lehr_status call_create(lh_updater *u)
{
    fenv_t env;
    if (!u->rule.d->create) return LEHR_OK;
    lh_guard_begin(&u->host, &env);
    lehr_status st = u->rule.d->create(&u->host.api, u->rule.binding.p, &u->self);
    lh_guard_end(&env);
    u->created = st == LEHR_OK;
    return st == LEHR_OK ? st : failed(u, st);
}

/* Constants without a suffix are float: 0.5 in a rule must not ask for double arithmetic. */
static lehr_status compile(lh_updater *u)
{
    const lh_traits *traits = lh_device_traits(u->dev);
    cl_program program = NULL;
    if (!traits->cpu_family)
        for (u->local = LOCAL; u->local > 1 && u->local > traits->max_work_group;) u->local /= 2;
    lh_rule_source(&u->rule, u->local, &u->source);
    if (u->source.failed) return lh_fail(u->ctx, LEHR_E_MEMORY, "out of memory");
    lh_str name = {0};
    lh_str_printf(&name, "optimizer/%s", u->rule.d->name);
    lehr_status st = lh_program_from_text(u->dev, lh_str_text(&name), lh_str_text(&u->source),
                                          "-cl-single-precision-constant", &program);
    lh_str_free(&name);
    return st != LEHR_OK ? st : lh_kernel_create(u->dev, program, "lh_update", &u->kernel);
}

static lehr_status build(lh_updater *u, lehr_registry *reg, const char *spec, double weight_decay,
                         const lh_arena_layout *layout)
{
    lh_host_init(&u->host, u->ctx);
    lehr_status st = lh_rule_open(u->ctx, reg, spec, weight_decay, &u->host, &u->rule);
    if (st != LEHR_OK) return st;
    u->open = true;
    lh_binding_text(&u->rule.table, &u->rule.binding, &u->text);
    st = copy_layout(u, layout);
    if (st == LEHR_OK) st = call_create(u);
    if (st == LEHR_OK) st = compile(u);
    if (st == LEHR_OK) st = make_state(u);
    return st == LEHR_OK ? make_slots(u) : st;
}

lehr_status lh_updater_create(lehr_device *dev, lehr_registry *reg, const char *spec,
                              double weight_decay, const lh_arena_layout *layout, lh_updater **out)
{
    *out = NULL;
    lh_updater *u = lh_alloc(lh_device_context(dev), 1, sizeof *u);
    if (!u) return LEHR_E_MEMORY;
    u->dev = dev;
    u->ctx = lh_device_context(dev);
    lehr_status st = build(u, reg, spec, weight_decay, layout);
    if (st != LEHR_OK) lh_updater_destroy(&u);
    *out = u;
    return st;
}

void lh_updater_destroy(lh_updater **updater)
{
    if (!updater || !*updater) return;
    lh_updater *u = *updater;
    fenv_t env;
    lh_guard_begin(&u->host, &env);
    if (u->created) u->rule.d->destroy(&u->host.api, u->self);
    lh_guard_end(&env);
    for (uint32_t i = 0; i < u->slot_count; i++) lh_buffer_free(&u->slots[i]);
    lh_kernel_free(&u->kernel);
    if (u->open) lh_rule_close(&u->rule);
    free(u->slots);
    free(u->slot_index);
    free(u->state);
    free(u->scalars);
    free(u->params);
    free(u->groups);
    lh_str_free(&u->text);
    lh_str_free(&u->source);
    free(u);
    *updater = NULL;
}

/* ---- one update ---- */

static double base_lr(const lh_updater *u, uint32_t index, double lr)
{
    const group *g = &u->groups[index];
    if (!isnan(g->own_lr)) return g->own_base;
    return u->base_lr > 0 ? u->base_lr * g->lr_scale : lr;
}

/* advance() and scalar() of a group. */
static lehr_status prepare(lh_updater *u, uint32_t g, uint64_t t, double lr)
{
    const lehr_optimizer *d = u->rule.d;
    double *state = u->state + (size_t)g * d->state.count;
    lehr_update update = {.size = sizeof update, .host = &u->host.api, .self = u->self,
                          .p = params_of(u, g), .lr = lr, .loss = (double)NAN, .t = t, .group = g,
                          .base_lr = base_lr(u, g, lr)};
    fenv_t env;
    lehr_status st = LEHR_OK;
    lh_guard_begin(&u->host, &env);
    if (d->advance) st = d->advance(&update, state);
    if (st == LEHR_OK && d->scalar) st = d->scalar(&update, state, u->scalars);
    lh_guard_end(&env);
    if (st != LEHR_OK) return failed(u, st);
    for (uint32_t i = 0; i < d->scalars.count; i++)
        if (!isfinite(u->scalars[i]))
            return lh_fail(u->ctx, LEHR_E_PARAM, "optimizer %s: scalar %s is %g at update %llu",
                           lh_str_text(&u->text), ((const char *const *)d->scalars.at)[i],
                           u->scalars[i], (unsigned long long)t);
    return LEHR_OK;
}

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

static void add_float(arguments *a, double value)
{
    cl_float single = (cl_float)value;
    add(a, sizeof single, &single);
}

static lehr_status set_arguments(lh_updater *u, uint32_t index, size_t chunk, double lr,
                                 cl_mem control)
{
    const group *g = &u->groups[index];
    const double *values = params_of(u, index);
    const lehr_param *params = lh_params(&u->rule.d->params);
    const cl_ulong range[3] = {g->offset, g->count, chunk};
    arguments a = {.kernel = u->kernel, .code = CL_SUCCESS};
    add(&a, sizeof(cl_mem), &u->weights);
    add(&a, sizeof(cl_mem), &u->gradients);
    for (uint32_t i = 0; i < u->slot_count; i++) add(&a, sizeof(cl_mem), &u->slots[i]);
    add(&a, sizeof(cl_mem), &control);
    for (size_t i = 0; i < LH_COUNT(range); i++) add(&a, sizeof range[i], &range[i]);
    add_float(&a, lr);
    for (uint32_t i = 0; i < u->rule.d->params.count; i++)
        if (lh_rule_is_argument(&params[i])) add_float(&a, values[i]);
    for (uint32_t i = 0; i < u->rule.d->scalars.count; i++) add_float(&a, u->scalars[i]);
    return lh_cl_check(u->ctx, a.code, "arguments of optimizer %s (clSetKernelArg)",
                       u->rule.d->name);
}

static lehr_status update_group(lh_updater *u, uint32_t index, uint64_t t, double lr,
                                cl_mem control)
{
    const group *g = &u->groups[index];
    if (g->count == 0) return LEHR_OK;
    size_t chunk = ((g->count + TASKS - 1) / TASKS + 15) / 16 * 16;
    if (chunk < CHUNK_LEAST) chunk = CHUNK_LEAST;
    lehr_status st = prepare(u, index, t, lr);
    if (st == LEHR_OK) st = set_arguments(u, index, chunk, lr, control);
    if (st != LEHR_OK) return st;
    if (u->local) return lh_launch_1d(u->dev, u->kernel, g->count, u->local);
    return lh_launch_1d(u->dev, u->kernel, (g->count + chunk - 1) / chunk, 1);
}

static lehr_status copy_weights(lh_updater *u)
{
    const lehr_slot *slots = u->rule.d->slots.at;
    lehr_status st = LEHR_OK;
    for (uint32_t i = 0; i < u->slot_count && st == LEHR_OK; i++)
        if (slots[u->slot_index[i]].flags & LEHR_SLOT_FROM_WEIGHT)
            st = lh_buffer_copy(u->dev, u->weights, 0, u->slots[i], 0, u->count * sizeof(float));
    return st;
}

lehr_status lh_updater_step(lh_updater *u, uint64_t t, double lr, cl_mem control)
{
    if (!(lr >= 0 && isfinite((float)lr)))
        return lh_fail(u->ctx, LEHR_E_PARAM,
                       "learning rate %g of update %llu must be finite and not "
                       "negative",
                       lr, (unsigned long long)t);
    lehr_status st = t == 1 ? copy_weights(u) : LEHR_OK;
    for (uint32_t i = 0; i < u->group_count && st == LEHR_OK; i++) {
        const group *g = &u->groups[i];
        st = update_group(u, i, t, isnan(g->own_lr) ? lr * g->lr_scale : g->own_lr, control);
    }
    u->last_lr = (float)lr;
    return st;
}

void lh_updater_set_base_lr(lh_updater *u, double base_lr) { u->base_lr = base_lr; }

/* ---- different numbers for the next update ---- */

void lh_updater_set_param(lh_updater *u, uint32_t index, uint32_t param, double value)
{
    params_of(u, index)[param] = value;
}

void lh_updater_set_lr(lh_updater *u, uint32_t index, double lr, double base)
{
    u->groups[index].own_lr = lr;
    u->groups[index].own_base = base;
}

/* ---- looking at it ---- */

float lh_updater_last_lr(const lh_updater *u) { return u->last_lr; }
const char *lh_updater_text(const lh_updater *u) { return lh_str_text(&u->text); }
const char *lh_updater_source(const lh_updater *u) { return lh_str_text(&u->source); }
uint32_t lh_updater_slot_count(const lh_updater *u) { return u->slot_count; }
cl_mem lh_updater_slot(const lh_updater *u, uint32_t i) { return u->slots[i]; }
uint32_t lh_updater_bytes_per_weight(const lh_updater *u) { return 4 * u->slot_count; }

const char *lh_updater_slot_name(const lh_updater *u, uint32_t i)
{
    return ((const lehr_slot *)u->rule.d->slots.at)[u->slot_index[i]].name;
}

uint32_t lh_updater_state_count(const lh_updater *u)
{
    return u->rule.d->state.count * u->group_count;
}

void lh_updater_get_state(const lh_updater *u, double *out)
{
    uint32_t count = lh_updater_state_count(u);
    if (count) memcpy(out, u->state, count * sizeof *out);
}

void lh_updater_set_state(lh_updater *u, const double *in)
{
    uint32_t count = lh_updater_state_count(u);
    if (count) memcpy(u->state, in, count * sizeof *in);
}
