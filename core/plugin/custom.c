/* SPDX-License-Identifier: MIT
 *
 * lehr.custom/1: which tensors a plugin updates itself, and calling it for each of them. */
#include "core/plugin/abi.h"
#include "core/plugin/custom.h"

#include <stdlib.h>

static lehr_tensor describe(const lh_target *t)
{
    return (lehr_tensor){.size = sizeof(lehr_tensor), .role = t->role,
                         .name = t->name ? t->name : "", .count = t->count, .dims = t->dims,
                         .ndim = t->ndim};
}

static lehr_status ask_claims(lh_updater *u)
{
    const double *p = u->rule.binding.p;
    for (uint32_t i = 0; i < u->tensor_count; i++) {
        lh_target *t = &u->tensors[i];
        lehr_tensor tensor = describe(t);
        fenv_t env;
        lh_guard_begin(&u->host, &env);
        t->claimed = u->custom->d->claims(&u->host.api, p, &tensor) != 0;
        lh_guard_end(&env);
        if (!t->claimed && u->rule.d->passes.count == 0)
            return lh_fail(u->ctx, LEHR_E_UNSUPPORTED,
                           "optimizer %s does not update tensor '%s': it claims it not and has no "
                           "passes for it; use another optimizer", u->rule.d->name, tensor.name);
    }
    return LEHR_OK;
}

static lehr_status find_custom(lh_updater *u)
{
    const lehr_optimizer *d = u->rule.d;
    const lehr_custom *custom = NULL;
    fenv_t env;
    lh_guard_begin(&u->host, &env);
    if (d->ext) custom = d->ext("lehr.custom/1");
    lh_guard_end(&env);
    if (!custom || custom->size < LH_LEAST_CUSTOM || !custom->claims || !custom->step)
        return lh_fail(u->ctx, LEHR_E_PLUGIN, "optimizer %s has the flag LEHR_O_CUSTOM but its ext() "
                       "gives no lehr.custom/1 with size, claims and step", d->name);
    u->custom->d = custom;
    return LEHR_OK;
}

lehr_status lh_custom_open(lh_updater *u, const lh_arena_layout *layout)
{
    if (!(u->rule.d->flags & LEHR_O_CUSTOM)) return LEHR_OK;
    lh_custom_side *c = u->custom = lh_alloc(u->ctx, 1, sizeof *c);
    if (!c) return LEHR_E_MEMORY;
    c->updater = u;
    u->host.device = c;
    lh_device_api_init(c);
    u->host.device_api = &c->api;
    c->slots = lh_alloc(u->ctx, u->rule.d->slots.count, sizeof *c->slots);
    if (!c->slots) return LEHR_E_MEMORY;
    lehr_status st = find_custom(u);
    if (st == LEHR_OK && layout->products) {
        st = layout->products->create(u->dev, &c->product_self);
        if (st == LEHR_OK) c->products = layout->products;
    }
    return st == LEHR_OK ? ask_claims(u) : st;
}

void lh_custom_close(lh_updater *u)
{
    lh_custom_side *c = u->custom;
    if (!c) return;
    lh_device_api_free(c);
    if (c->products) c->products->destroy(&c->product_self);
    free(c->slots);
    free(c);
    u->custom = NULL;
    u->host.device = NULL;
    u->host.device_api = NULL;
}

static lehr_status step_tensor(lh_updater *u, const lh_target *t, uint64_t number, double lr)
{
    lh_custom_side *c = u->custom;
    lehr_tensor tensor = describe(t);
    lehr_update update = lh_updater_describe(u, t->group, 0, number, lr);
    tensor.w = (lehr_buf){u->weights, t->offset};
    tensor.g = (lehr_buf){u->gradients, t->offset};
    tensor.slot_count = u->rule.d->slots.count;
    tensor.slots = c->slots;
    for (uint32_t i = 0; i < tensor.slot_count; i++)
        c->slots[i] = (lehr_buf){u->slots[i], u->slots[i] ? t->offset : 0};
    for (uint32_t i = 0; i < c->temp_count; i++) c->temps[i].taken = false;
    fenv_t env;
    lh_guard_begin(&u->host, &env);
    lehr_status st = c->d->step(&update, u->state, &c->api, &tensor);
    lh_guard_end(&env);
    return st == LEHR_OK ? st : lh_updater_failed(u, st);
}

lehr_status lh_custom_step(lh_updater *u, uint64_t t, double lr, cl_mem control)
{
    lehr_status st = LEHR_OK;
    u->custom->control = control;
    for (uint32_t i = 0; i < u->tensor_count && st == LEHR_OK; i++)
        if (u->tensors[i].claimed) st = step_tensor(u, &u->tensors[i], t, lr);
    u->custom->control = NULL;
    return st;
}
