/* SPDX-License-Identifier: MIT
 *
 * Copies of a plugin's descriptors: what a smaller struct lacks is zero, what a larger one has more is
 * left out, tables of any stride become dense ones of this host's elements. */
#include "core/plugin/table.h"

#include <stdlib.h>
#include <string.h>

enum { ELEMENTS_MAX = 1000 };

/* A table of the descriptor: least and own are ABI 1.0's and this host's size of an element. */
typedef struct table {
    const char *what, *type;
    lehr_span *span;
    size_t least, own;
} table;

static lehr_status densify(const lh_subject *s, const table *t)
{
    lehr_span in = *t->span;
    *t->span = (lehr_span){0};
    if (in.count == 0) return LEHR_OK;
    if (!in.at || in.stride < t->least || in.count > ELEMENTS_MAX)
        return lh_table_wrong(s, t->what,
                              "the list's pointer, count or stride is wrong (%s, %u, %u; at most %d of at "
                              "least %zu bytes each): use LEHR_LIST or LEHR_TABLE of %s",
                              in.at ? "set" : "NULL", (unsigned)in.count, (unsigned)in.stride,
                              ELEMENTS_MAX, t->least, t->type);
    char *copy = lh_alloc(s->ctx, in.count, t->own);
    size_t bytes = in.stride < t->own ? in.stride : t->own;
    if (!copy) return LEHR_E_MEMORY;
    for (size_t i = 0; i < in.count; i++)
        memcpy(copy + i * t->own, (const char *)in.at + i * in.stride, bytes);
    *t->span = (lehr_span){copy, in.count, (uint32_t)t->own};
    return LEHR_OK;
}

/* After a failure (st) the spans that are left are cleared: freeing is right at any point. */
static lehr_status densify_all(const lh_subject *s, lehr_status st, const table *tables, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (st == LEHR_OK)
            st = densify(s, &tables[i]);
        else
            *tables[i].span = (lehr_span){0};
    }
    return st;
}

static void release(lehr_span *span)
{
    free((void *)(uintptr_t)span->at);
    *span = (lehr_span){0};
}

static lehr_status too_small(const lh_subject *s, uint32_t size, size_t least)
{
    return lh_table_wrong(s, "size", "is %u, smaller than ABI 1.0's %zu: set it to sizeof(lehr_%s)",
                          (unsigned)size, least, s->kind);
}

static void copy_head(void *to, size_t own, const void *from, uint32_t size)
{
    memcpy(to, from, size < own ? size : own);
}

/* ---- schedules ---- */

lehr_status lh_schedule_copy(lehr_context *ctx, const char *path, const lehr_schedule *in,
                             lehr_schedule **out)
{
    bool named = in && in->size >= LH_UP_TO(lehr_schedule, name);
    lh_subject s = {ctx, path, "schedule", named ? in->name : NULL};
    *out = NULL;
    if (!in || in->size < LH_LEAST_SCHEDULE)
        return too_small(&s, in ? in->size : 0, LH_LEAST_SCHEDULE);
    lehr_schedule *d = lh_alloc(ctx, 1, sizeof *d);
    if (!d) return LEHR_E_MEMORY;
    copy_head(d, sizeof *d, in, in->size);
    const table tables[] = {
        {"params", "lehr_param", &d->params, LH_LEAST_PARAM, sizeof(lehr_param)},
        {"state", "lehr_var", &d->state, LH_LEAST_VAR, sizeof(lehr_var)},
        {"presets", "lehr_preset", &d->presets, LH_LEAST_PRESET, sizeof(lehr_preset)}};
    lehr_status st = densify_all(&s, LEHR_OK, tables, LH_COUNT(tables));
    if (st == LEHR_OK) st = lh_schedule_check(&s, d);
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

/* The reductions of each pass; the passes are ours already. */
static lehr_status densify_reductions(const lh_subject *s, lehr_status st, lehr_optimizer *d)
{
    lehr_pass *passes = (lehr_pass *)(uintptr_t)d->passes.at;
    for (uint32_t i = 0; i < d->passes.count; i++) {
        const table t = {"reductions", "lehr_reduce", &passes[i].reduces, LH_LEAST_REDUCE,
                         sizeof(lehr_reduce)};
        st = densify_all(s, st, &t, 1);
    }
    return st;
}

static lehr_status copy_tables(const lh_subject *s, lehr_optimizer *d)
{
    const table tables[] = {
        {"params", "lehr_param", &d->params, LH_LEAST_PARAM, sizeof(lehr_param)},
        {"slots", "lehr_slot", &d->slots, LH_LEAST_SLOT, sizeof(lehr_slot)},
        {"state", "lehr_var", &d->state, LH_LEAST_VAR, sizeof(lehr_var)},
        {"scalars", "const char *", &d->scalars, sizeof(char *), sizeof(char *)},
        {"passes", "lehr_pass", &d->passes, LH_LEAST_PASS, sizeof(lehr_pass)},
        {"presets", "lehr_preset", &d->presets, LH_LEAST_PRESET, sizeof(lehr_preset)}};
    lehr_status st = densify_all(s, LEHR_OK, tables, LH_COUNT(tables));
    return densify_reductions(s, st, d);
}

lehr_status lh_optimizer_copy(lehr_context *ctx, const char *path, const lehr_optimizer *in,
                              lehr_optimizer **out)
{
    bool named = in && in->size >= LH_UP_TO(lehr_optimizer, name);
    lh_subject s = {ctx, path, "optimizer", named ? in->name : NULL};
    *out = NULL;
    if (!in || in->size < LH_LEAST_OPTIMIZER)
        return too_small(&s, in ? in->size : 0, LH_LEAST_OPTIMIZER);
    lehr_optimizer *d = lh_alloc(ctx, 1, sizeof *d);
    if (!d) return LEHR_E_MEMORY;
    copy_head(d, sizeof *d, in, in->size);
    lehr_status st = copy_tables(&s, d);
    if (st == LEHR_OK) st = lh_optimizer_check(&s, d);
    if (st != LEHR_OK) lh_optimizer_free(&d);
    *out = d;
    return st;
}

void lh_optimizer_free(lehr_optimizer **optimizer)
{
    lehr_optimizer *d = *optimizer;
    if (!d) return;
    lehr_pass *passes = (lehr_pass *)(uintptr_t)d->passes.at;
    for (uint32_t i = 0; i < d->passes.count; i++) release(&passes[i].reduces);
    release(&d->params);
    release(&d->slots);
    release(&d->state);
    release(&d->scalars);
    release(&d->passes);
    release(&d->presets);
    free(d);
    *optimizer = NULL;
}
