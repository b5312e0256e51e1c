/* SPDX-License-Identifier: MIT
 *
 * The updater's view of the arenas: groups, tensors, and the table of chunks.  A chunk belongs to
 * one tensor, so padding between tensors is in none, and its length is a function of the tensor
 * alone: sums do not depend on the device. */
#include "core/plugin/updater.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static lehr_status copy_groups(lh_updater *u, const lh_arena_layout *layout)
{
    u->group_count = layout->group_count;
    u->groups = lh_alloc(u->ctx, layout->group_count, sizeof *u->groups);
    if (!u->groups) return LEHR_E_MEMORY;
    for (uint32_t i = 0; i < layout->group_count; i++) {
        const lh_param_group *g = &layout->groups[i];
        if (g->offset > layout->count || g->count > layout->count - g->offset)
            return lh_fail(u->ctx, LEHR_E_INTERNAL, "parameter group '%s' lies outside the arena",
                           g->name);
        u->groups[i] = (lh_group){.offset = g->offset, .count = g->count, .lr_scale = g->lr_scale,
                                  .weight_decay_scale = g->weight_decay_scale,
                                  .own_lr = (double)NAN};
    }
    return LEHR_OK;
}

/* Where the layout names no tensors, each group is one. */
static lehr_status copy_tensors(lh_updater *u, const lh_arena_layout *layout)
{
    uint32_t count = layout->param_count ? layout->param_count : layout->group_count;
    u->tensors = lh_alloc(u->ctx, count, sizeof *u->tensors);
    if (!u->tensors) return LEHR_E_MEMORY;
    u->tensor_count = count;
    for (uint32_t i = 0; i < layout->group_count && !layout->param_count; i++) {
        const lh_param_group *g = &layout->groups[i];
        u->tensors[i] = (lh_target){.name = g->name, .group = i, .ndim = 1, .dims = {g->count},
                                    .offset = g->offset, .count = g->count};
    }
    for (uint32_t i = 0; i < layout->param_count; i++) {
        const lh_param *p = &layout->params[i];
        const lh_group *g = p->group < u->group_count ? &u->groups[p->group] : NULL;
        if (!g || p->offset < g->offset || p->offset + p->count > g->offset + g->count)
            return lh_fail(u->ctx, LEHR_E_INTERNAL, "tensor '%s' lies outside its group", p->name);
        u->tensors[i] = (lh_target){.name = p->name, .role = p->role, .group = p->group,
                                    .ndim = p->ndim, .offset = p->offset, .count = p->count};
        memcpy(u->tensors[i].dims, p->dims, sizeof p->dims);
    }
    return LEHR_OK;
}

static lehr_status copy_names(lh_updater *u)
{
    size_t size = 1;
    for (uint32_t i = 0; i < u->tensor_count; i++)
        size += u->tensors[i].name ? strlen(u->tensors[i].name) + 1 : 0;
    char *at = u->names = lh_alloc(u->ctx, size, 1);
    if (!at) return LEHR_E_MEMORY;
    for (uint32_t i = 0; i < u->tensor_count; i++) {
        const char *name = u->tensors[i].name;
        if (!name) continue;
        u->tensors[i].name = strcpy(at, name);
        at += strlen(name) + 1;
    }
    return LEHR_OK;
}

lehr_status lh_updater_copy_layout(lh_updater *u, const lh_arena_layout *layout)
{
    u->weights = layout->weights;
    u->gradients = layout->gradients;
    u->count = layout->count;
    lehr_status st = copy_groups(u, layout);
    if (st == LEHR_OK) st = copy_tensors(u, layout);
    return st == LEHR_OK ? copy_names(u) : st;
}

static uint32_t chunks_of(const lh_target *t)
{
    return t->claimed ? 0 : (uint32_t)((t->count + LH_CHUNK - 1) / LH_CHUNK);
}

/* Group by group, tensor by tensor; a tensor's place in begin is that in the arena's list. */
static void fill_table(lh_updater *u, lh_chunk *chunks, cl_uint *begin)
{
    uint32_t at = 0;
    for (uint32_t g = 0; g < u->group_count; g++) {
        u->groups[g].first_chunk = at;
        for (uint32_t i = 0; i < u->tensor_count; i++) {
            const lh_target *t = &u->tensors[i];
            if (t->group != g) continue;
            begin[2 * i] = at;
            for (uint32_t k = 0; k < chunks_of(t); k++) {
                size_t left = t->count - (size_t)k * LH_CHUNK;
                chunks[at++] = (lh_chunk){t->offset + (size_t)k * LH_CHUNK,
                                          (cl_uint)(left < LH_CHUNK ? left : LH_CHUNK), i};
            }
            begin[2 * i + 1] = at;
        }
        u->groups[g].chunk_count = at - u->groups[g].first_chunk;
    }
}

static lehr_status upload(lh_updater *u, size_t bytes, const void *from, cl_mem *to)
{
    lehr_status st = lh_buffer_create(u->dev, bytes, to);
    return st == LEHR_OK ? lh_buffer_write(u->dev, *to, 0, bytes, from) : st;
}

/* Written from the host, so that a halted first update finds numbers in them. */
static lehr_status make_results(lh_updater *u)
{
    size_t widest = 0, tensors = u->tensor_count, chunks = u->chunk_count;
    for (uint32_t i = 0; i < u->rule.stage_count; i++)
        if (u->rule.stages[i].reduce_count > widest) widest = u->rule.stages[i].reduce_count;
    size_t values = u->rule.reduction_count * tensors;
    float *zeros = lh_alloc(u->ctx, values + widest * chunks, sizeof *zeros);
    if (!zeros) return LEHR_E_MEMORY;
    lehr_status st = upload(u, values * sizeof *zeros, zeros, &u->values);
    if (st == LEHR_OK) st = upload(u, widest * chunks * sizeof *zeros, zeros, &u->partial);
    free(zeros);
    return st;
}

lehr_status lh_updater_make_chunks(lh_updater *u)
{
    bool chunked = false;
    for (uint32_t i = 0; i < u->rule.stage_count; i++)
        chunked = chunked || u->rule.stages[i].chunked;
    if (!chunked) return LEHR_OK;
    for (uint32_t i = 0; i < u->tensor_count; i++) u->chunk_count += chunks_of(&u->tensors[i]);
    lh_chunk *chunks = lh_alloc(u->ctx, u->chunk_count, sizeof *chunks);
    cl_uint *begin = lh_alloc(u->ctx, 2 * (size_t)u->tensor_count, sizeof *begin);
    lehr_status st = chunks && begin ? LEHR_OK : LEHR_E_MEMORY;
    if (st == LEHR_OK) {
        fill_table(u, chunks, begin);
        st = upload(u, u->chunk_count * sizeof *chunks, chunks, &u->chunks);
    }
    if (st == LEHR_OK) st = upload(u, 2 * u->tensor_count * sizeof *begin, begin, &u->begin);
    free(chunks);
    free(begin);
    return st == LEHR_OK && u->rule.reduction_count ? make_results(u) : st;
}
