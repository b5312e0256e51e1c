/* SPDX-License-Identifier: MIT
 *
 * The places of a network's tensors in the arenas, and their initial values. */
#include "core/model/network_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/philox.h"

/* What is not grouped otherwise: the numbers weight decay applies to, and biases and normalisation. */
enum { GROUP_DECAY, GROUP_PLAIN, DEFAULT_GROUPS };
static const lh_param_group default_groups[DEFAULT_GROUPS] = {{"weights", 0, 0, 1, 1},
                                                              {"bias_norm", 0, 0, 1, 0}};

static uint32_t group_of(const lh_grouping *grouping, const lh_named_tensor *t, uint32_t number)
{
    if (grouping) return grouping->of[number];
    return lh_tensor_decays(t) ? GROUP_DECAY : GROUP_PLAIN;
}

/* Gives the tensors of one group (or the statistics) their offsets from *at on, and the group's to
 * params. */
static void place(lh_network *net, const lh_grouping *grouping, bool stats, uint32_t group,
                  size_t align, size_t *at)
{
    for (uint32_t i = 0; i < net->tensor_count; i++) {
        lh_named_tensor *t = &net->tensors[i];
        if (t->is_stat != stats || (!stats && group_of(grouping, t, i) != group)) continue;
        t->offset = *at;
        *at += lh_round_up(t->count, align);
        if (stats) continue;
        lh_param *p = &net->params[net->layout.param_count++];
        *p = (lh_param){.name = t->name, .offset = t->offset, .count = t->count, .ndim = t->ndim,
                        .group = group, .role = t->role};
        memcpy(p->dims, t->dims, sizeof p->dims);
    }
}

/* Groups are contiguous ranges, in their order; within one the order is the model's. */
static lehr_status place_groups(lh_network *net, const lh_grouping *grouping, size_t align)
{
    size_t at = 0;
    uint32_t count = grouping ? grouping->count : DEFAULT_GROUPS;
    const lh_param_group *groups = grouping ? grouping->groups : default_groups;
    net->groups = lh_alloc(net->ctx, count, sizeof *net->groups);
    if (!net->groups) return LEHR_E_MEMORY;
    for (uint32_t g = 0; g < count; g++) {
        net->groups[g] = groups[g];
        net->groups[g].offset = at;
        place(net, grouping, false, g, align, &at);
        net->groups[g].count = at - net->groups[g].offset;
    }
    net->layout.count = at;
    net->layout.params = net->params;
    net->layout.groups = net->groups;
    net->layout.group_count = count;
    net->layout.products = &lh_gemm_products;
    place(net, NULL, true, 0, align, &net->stats_count);
    return LEHR_OK;
}

static lehr_status make_arenas(lh_network *net, size_t align_bytes)
{
    lehr_device *dev = net->dev;
    size_t bytes = net->layout.count * sizeof(float);
    lehr_status st = lh_buffer_create(dev, bytes, &net->layout.weights);
    if (st == LEHR_OK && net->training) st = lh_buffer_create(dev, bytes, &net->layout.gradients);
    if (st == LEHR_OK) st = lh_buffer_zero(dev, net->layout.weights, 0, bytes);
    if (st == LEHR_OK && net->training) st = lh_buffer_zero(dev, net->layout.gradients, 0, bytes);
    if (st == LEHR_OK && net->stats_count)
        st = lh_buffer_create(dev, net->stats_count * sizeof(float), &net->stats);
    if (st == LEHR_OK && net->stats_count)
        st = lh_buffer_zero(dev, net->stats, 0, net->stats_count * sizeof(float));
    net->bytes += bytes * (net->training ? 2 : 1) + net->stats_count * sizeof(float);
    for (uint32_t i = 0; i < net->tensor_count && st == LEHR_OK; i++) {
        const lh_named_tensor *t = &net->tensors[i];
        size_t size = lh_round_up(t->count * sizeof(float), align_bytes);
        size_t offset = t->offset * sizeof(float);
        st = lh_buffer_view(dev, t->is_stat ? net->stats : net->layout.weights, offset, size,
                            &net->tensor_view[i]);
        if (st == LEHR_OK && net->training && !t->is_stat)
            st = lh_buffer_view(dev, net->layout.gradients, offset, size, &net->gradient_view[i]);
    }
    return st;
}

lehr_status lh_network_make_tensors(lh_network *net, const lh_grouping *grouping)
{
    size_t limit = lh_model_tensor_limit(net->model);
    size_t align_bytes = lh_device_traits(net->dev)->base_align;
    net->tensors = lh_alloc(net->ctx, limit, sizeof *net->tensors);
    net->params = lh_alloc(net->ctx, limit, sizeof *net->params);
    net->tensor_view = lh_alloc(net->ctx, limit, sizeof *net->tensor_view);
    net->gradient_view = lh_alloc(net->ctx, limit, sizeof *net->gradient_view);
    if (!net->tensors || !net->params || !net->tensor_view || !net->gradient_view)
        return LEHR_E_MEMORY;
    net->tensor_count = lh_model_tensors(net->model, net->tensors);
    lehr_status st = place_groups(net, grouping, align_bytes / sizeof(float));
    return st == LEHR_OK ? make_arenas(net, align_bytes) : st;
}

int lh_network_find_tensor(const lh_network *net, int layer, const char *suffix)
{
    for (uint32_t i = 0; i < net->tensor_count; i++) {
        const lh_named_tensor *t = &net->tensors[i];
        const char *dot = strrchr(t->name, '.');
        if (t->layer == layer && strcmp(dot + 1, suffix) == 0) return (int)i;
    }
    return -1;
}

/* Element i of a tensor's start.  Box-Muller for the normal ones: one draw gives one number. */
static double start_value(const lh_named_tensor *t, lh_init init, lh_philox r)
{
    double uniform = 2.0 * lh_uniform(r.v[0]) - 1.0;
    double u = ((double)r.v[0] + 0.5) / 4294967296.0, v = (double)r.v[1] / 4294967296.0;
    double normal = sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
    bool bias = t->ndim == 1;
    switch (init) {
    case LH_INIT_TORCH: return uniform / sqrt(t->fan_in);
    case LH_INIT_HE_NORMAL: return bias ? 0 : normal * sqrt(2.0 / t->fan_in);
    case LH_INIT_HE_UNIFORM: return bias ? 0 : uniform * sqrt(6.0 / t->fan_in);
    case LH_INIT_GLOROT_NORMAL: return bias ? 0 : normal * sqrt(2.0 / (t->fan_in + t->fan_out));
    default: return bias ? 0 : uniform * sqrt(6.0 / (t->fan_in + t->fan_out));
    }
}

lehr_status lh_network_initialise(lh_network *net, uint64_t seed)
{
    lehr_status st = LEHR_OK;
    float *weights = lh_alloc(net->ctx, net->layout.count, sizeof *weights);
    float *stats = lh_alloc(net->ctx, net->stats_count, sizeof *stats);
    if (!weights || !stats) st = LEHR_E_MEMORY;
    for (uint32_t k = 0; k < net->tensor_count && st == LEHR_OK; k++) {
        const lh_named_tensor *t = &net->tensors[k];
        float *out = (t->is_stat ? stats : weights) + t->offset;
        lh_init init = net->model->layers[t->layer].init;
        for (size_t i = 0; i < t->count; i++)
            out[i] = t->fan_in == 0 ? (float)t->init_value
                                    : (float)start_value(t, init, lh_philox_draw(seed, i,
                                                                   LH_STREAM_INIT, k));
    }
    if (st == LEHR_OK)
        st = lh_buffer_write(net->dev, net->layout.weights, 0, net->layout.count * sizeof(float),
                             weights);
    if (st == LEHR_OK && net->stats_count)
        st = lh_buffer_write(net->dev, net->stats, 0, net->stats_count * sizeof(float), stats);
    free(weights);
    free(stats);
    return st;
}
