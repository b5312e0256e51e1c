/* SPDX-License-Identifier: MIT
 *
 * Making an updater: rule, kernels, slots, host state; and looking at it. */
#include "core/plugin/updater.h"
#include <lehr/optimizer.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LOCAL = 128 };     /* work-group of a range on GPUs */
enum { FILL = 1 << 16 }; /* floats per write of a slot's start */

/* ---- making one ---- */

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
    u->saved = lh_alloc(u->ctx, count, sizeof *u->saved);
    u->kept = lh_alloc(u->ctx, (size_t)count + 1, sizeof *u->kept);
    if (!u->slots || !u->saved || !u->kept) return LEHR_E_MEMORY;
    lehr_status st = LEHR_OK;
    for (uint32_t i = 0; i < count && st == LEHR_OK; i++) {
        if (!lh_rule_keeps_slot(&u->rule, i)) continue;
        st = lh_buffer_create(u->dev, u->count * sizeof(float), &u->slots[i]);
        if (st == LEHR_OK) st = fill(u, u->slots[i], lh_rule_slot_init(&u->rule, i));
        if (lh_slots(&u->rule)[i].kind == LEHR_SLOT_STATE) u->saved[u->saved_count++] = i;
    }
    return st;
}

static lehr_status make_state(lh_updater *u)
{
    const lehr_optimizer *d = u->rule.d;
    const lehr_var *vars = d->state.at;
    size_t passes = (size_t)d->passes.count + 2, groups = u->group_count;
    u->state = lh_alloc(u->ctx, d->state.count, sizeof *u->state);
    u->before = lh_alloc(u->ctx, d->state.count, sizeof *u->before);
    u->scalars = lh_alloc(u->ctx, passes * groups * d->scalars.count, sizeof *u->scalars);
    u->params = lh_alloc(u->ctx, groups * d->params.count, sizeof *u->params);
    u->all = lh_alloc(u->ctx, u->rule.host_count, sizeof *u->all);
    if (!u->state || !u->before || !u->scalars || !u->params || !u->all) return LEHR_E_MEMORY;
    for (uint32_t i = 0; i < d->state.count; i++) u->state[i] = vars[i].init;
    for (uint32_t g = 0; g < u->group_count; g++)
        for (uint32_t i = 0; i < d->params.count; i++) {
            bool decay = (int)i == u->rule.weight_decay;
            lh_updater_set_param(u, g, i, u->rule.binding.p[i] *
                                              (decay ? u->groups[g].weight_decay_scale : 1));
        }
    u->loss = (double)NAN;
    return LEHR_OK;
}

static lehr_status call_create(lh_updater *u)
{
    fenv_t env;
    if (!u->rule.d->create) return LEHR_OK;
    lh_guard_begin(&u->host, &env);
    lehr_status st = u->rule.d->create(&u->host.api, u->rule.binding.p, &u->self);
    lh_guard_end(&env);
    u->created = st == LEHR_OK;
    return st == LEHR_OK ? st : lh_updater_failed(u, st);
}

/* Constants without a suffix are float: 0.5 in a rule must not ask for double arithmetic. */
static lehr_status build_program(lh_updater *u, const char *name, const lh_str *text,
                                 cl_program *out)
{
    if (text->failed) return lh_fail(u->ctx, LEHR_E_MEMORY, "out of memory");
    return lh_program_from_text(u->dev, name, lh_str_text(text), "-cl-single-precision-constant",
                                out);
}

static lehr_status compile_finish(lh_updater *u)
{
    cl_program program = NULL;
    lh_str text = {0};
    lh_finish_source(u->local, &text);
    lehr_status st = build_program(u, "optimizer/finish", &text, &program);
    lh_str_free(&text);
    return st != LEHR_OK ? st : lh_kernel_create(u->dev, program, "lh_finish", &u->finish);
}

size_t lh_updater_local(const lehr_device *dev)
{
    const lh_traits *traits = lh_device_traits(dev);
    size_t local = LOCAL;
    while (local > 1 && local > traits->max_work_group) local /= 2;
    return traits->cpu_family ? 0 : local;
}

static lehr_status compile(lh_updater *u)
{
    cl_program program = NULL;
    lh_str name = {0};
    u->local = lh_updater_local(u->dev);
    u->kernels = lh_alloc(u->ctx, (size_t)u->rule.stage_count + 2, sizeof *u->kernels);
    if (!u->kernels) return LEHR_E_MEMORY;
    lh_rule_source(&u->rule, u->local, &u->source);
    lh_str_printf(&name, "optimizer/%s", u->rule.d->name);
    lehr_status st = build_program(u, lh_str_text(&name), &u->source, &program);
    lh_str_free(&name);
    for (uint32_t i = 0; i < u->rule.stage_count + 2 && st == LEHR_OK; i++) {
        char kernel[32];
        lh_stage_name(&u->rule, i, kernel);
        if (u->rule.stages[i].count) st = lh_kernel_create(u->dev, program, kernel, &u->kernels[i]);
    }
    return st == LEHR_OK && u->rule.reduction_count ? compile_finish(u) : st;
}

static lehr_status build(lh_updater *u, lehr_registry *reg, const char *spec, double weight_decay,
                         const lh_arena_layout *layout)
{
    lh_host_init(&u->host, u->ctx);
    lehr_status st = lh_rule_open(u->ctx, reg, spec, weight_decay, &u->host, &u->rule);
    if (st != LEHR_OK) return st;
    u->open = true;
    lh_binding_text(&u->rule.table, &u->rule.binding, &u->text);
    st = lh_updater_copy_layout(u, layout);
    if (st == LEHR_OK) st = call_create(u);
    if (st == LEHR_OK)
        st = lh_keeper_open(&u->host, "optimizer", lh_str_text(&u->text), u->rule.d->ext, u->self,
                            &u->keeper);
    if (st == LEHR_OK) st = compile(u);
    if (st == LEHR_OK) st = make_state(u);
    if (st == LEHR_OK) st = make_slots(u);
    if (st == LEHR_OK) st = lh_custom_open(u, layout);
    return st == LEHR_OK ? lh_updater_make_chunks(u) : st;
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

static void free_device_side(lh_updater *u)
{
    lh_custom_close(u);
    for (uint32_t i = 0; u->slots && i < u->rule.d->slots.count; i++) lh_buffer_free(&u->slots[i]);
    for (uint32_t i = 0; u->kept && i <= u->rule.d->slots.count; i++) lh_buffer_free(&u->kept[i]);
    for (uint32_t i = 0; u->kernels && i < u->rule.stage_count + 2; i++)
        lh_kernel_free(&u->kernels[i]);
    lh_kernel_free(&u->finish);
    lh_buffer_free(&u->chunks);
    lh_buffer_free(&u->begin);
    lh_buffer_free(&u->partial);
    lh_buffer_free(&u->values);
}

void lh_updater_destroy(lh_updater **updater)
{
    if (!updater || !*updater) return;
    lh_updater *u = *updater;
    fenv_t env;
    lh_guard_begin(&u->host, &env);
    if (u->created) u->rule.d->destroy(&u->host.api, u->self);
    lh_guard_end(&env);
    free_device_side(u);
    if (u->open) lh_rule_close(&u->rule);
    void *const memory[] = {u->slots, u->saved, u->kept, u->kernels, u->state, u->before,
                            u->scalars, u->params, u->all, u->groups, u->tensors, u->names};
    for (size_t i = 0; i < LH_COUNT(memory); i++) free(memory[i]);
    lh_str_free(&u->text);
    lh_str_free(&u->source);
    free(u);
    *updater = NULL;
}

/* ---- looking at it ---- */

void lh_updater_set_base_lr(lh_updater *u, double base_lr) { u->base_lr = base_lr; }

void lh_updater_set_param(lh_updater *u, uint32_t group, uint32_t param, double value)
{
    u->params[(size_t)group * u->rule.d->params.count + param] = value;
}

void lh_updater_set_lr(lh_updater *u, uint32_t group, double lr, double base)
{
    u->groups[group].own_lr = lr;
    u->groups[group].own_base = base;
}

void lh_updater_set_loss(lh_updater *u, double loss) { u->loss = loss; }

bool lh_updater_needs_loss(const lh_updater *u)
{
    return (u->rule.d->flags & LEHR_O_NEEDS_LOSS) != 0;
}

float lh_updater_last_lr(const lh_updater *u) { return u->last_lr; }
const char *lh_updater_text(const lh_updater *u) { return lh_str_text(&u->text); }
const char *lh_updater_source(const lh_updater *u) { return lh_str_text(&u->source); }
uint32_t lh_updater_slot_count(const lh_updater *u) { return u->saved_count; }
cl_mem lh_updater_slot(const lh_updater *u, uint32_t i) { return u->slots[u->saved[i]]; }

uint32_t lh_updater_bytes_per_weight(const lh_updater *u)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < u->rule.d->slots.count; i++) count += u->slots[i] != NULL;
    return 4 * count;
}

const char *lh_updater_slot_name(const lh_updater *u, uint32_t i)
{
    return lh_slots(&u->rule)[u->saved[i]].name;
}

const lh_keeper *lh_updater_keeper(const lh_updater *u) { return &u->keeper; }
uint32_t lh_updater_state_count(const lh_updater *u) { return u->rule.d->state.count; }

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

lehr_status lehr_optimizer_source(lehr_device *device, lehr_registry *registry, const char *spec,
                                  double weight_decay, char **text)
{
    lehr_context *ctx = lh_device_context(device);
    lh_host host;
    lh_rule rule;
    lh_str out = {0};
    lh_enter(ctx);
    lh_host_init(&host, ctx);
    *text = NULL;
    lehr_status st = lh_rule_open(ctx, registry, spec, weight_decay, &host, &rule);
    if (st != LEHR_OK) return st;
    lh_rule_source(&rule, lh_updater_local(device), &out);
    lh_rule_close(&rule);
    if (out.failed) st = lh_fail(ctx, LEHR_E_MEMORY, "out of memory");
    if (st == LEHR_OK) *text = out.text;
    else lh_str_free(&out);
    return st;
}
