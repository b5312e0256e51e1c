/* SPDX-License-Identifier: MIT
 *
 * The named tensors of a network, their places in the arenas, and their initial values. */
#include "core/model/network_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/philox.h"

enum { GROUP_DECAY, GROUP_PLAIN };

static lh_named_tensor *add(lh_network *net, int layer, const char *suffix, bool is_stat)
{
    lh_named_tensor *t = &net->tensors[net->tensor_count++];
    snprintf(t->name, sizeof t->name, "%s.%s", net->model->layers[layer].name, suffix);
    t->layer = layer;
    t->is_stat = is_stat;
    t->ndim = 1;
    t->dims[0] = t->count = (size_t)net->model->layers[layer].c;
    return t;
}

static void add_weight(lh_network *net, int layer)
{
    const lh_layer *l = &net->model->layers[layer], *in = &net->model->layers[l->input];
    int window = l->kind == LH_LAYER_CONV ? l->r * l->s : 1;
    lh_named_tensor *t = add(net, layer, "weight", false);
    t->ndim = l->kind == LH_LAYER_CONV ? 4 : 2;
    t->dims[1] = (uint64_t)in->c;
    t->dims[2] = (uint64_t)l->r;
    t->dims[3] = (uint64_t)l->s;
    t->count = (size_t)l->c * (size_t)in->c * (size_t)window;
    t->fan_in = in->c * window;
    t->fan_out = l->c * window;
    if (!l->bias) return;
    lh_named_tensor *b = add(net, layer, "bias", false);
    b->fan_in = t->fan_in;
    b->fan_out = t->fan_out;
}

static void add_norm(lh_network *net, int layer)
{
    add(net, layer, "weight", false)->init_value = 1;
    add(net, layer, "bias", false);
    add(net, layer, "running_mean", true);
    add(net, layer, "running_var", true)->init_value = 1;
}

static bool decays(const lh_named_tensor *t) { return !t->is_stat && t->ndim > 1; }

/* Gives the tensors of one kind their offsets from *at on. */
static void place(lh_network *net, bool stats, bool decay, size_t align, size_t *at)
{
    for (uint32_t i = 0; i < net->tensor_count; i++) {
        lh_named_tensor *t = &net->tensors[i];
        if (t->is_stat != stats || (!stats && decays(t) != decay)) continue;
        t->offset = *at;
        *at += lh_round_up(t->count, align);
    }
}

static uint32_t role_of(const lh_layer *l, const lh_named_tensor *t)
{
    if (l->kind == LH_LAYER_BATCHNORM) return LEHR_ROLE_NORM;
    if (t->ndim == 1) return LEHR_ROLE_BIAS;
    return l->kind == LH_LAYER_CONV ? LEHR_ROLE_CONV : LEHR_ROLE_DENSE;
}

/* The optimizer's view: one row per trained tensor, in arena order. */
static void make_params(lh_network *net)
{
    uint32_t count = 0;
    for (int group = GROUP_DECAY; group <= GROUP_PLAIN; group++)
        for (uint32_t i = 0; i < net->tensor_count; i++) {
            const lh_named_tensor *t = &net->tensors[i];
            if (t->is_stat || decays(t) != (group == GROUP_DECAY)) continue;
            lh_param *p = &net->params[count++];
            *p = (lh_param){.name = t->name, .offset = t->offset, .count = t->count,
                            .ndim = t->ndim, .group = (uint32_t)group,
                            .role = role_of(&net->model->layers[t->layer], t)};
            memcpy(p->dims, t->dims, sizeof p->dims);
        }
    net->layout.params = net->params;
    net->layout.param_count = count;
    net->layout.groups = net->groups;
    net->layout.group_count = 2;
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

lehr_status lh_network_make_tensors(lh_network *net)
{
    const lehr_model *m = net->model;
    size_t limit = 4 * (size_t)m->count, align_bytes = lh_device_traits(net->dev)->base_align;
    size_t align = align_bytes / sizeof(float), at = 0;
    net->tensors = lh_alloc(net->ctx, limit, sizeof *net->tensors);
    net->params = lh_alloc(net->ctx, limit, sizeof *net->params);
    net->tensor_view = lh_alloc(net->ctx, limit, sizeof *net->tensor_view);
    net->gradient_view = lh_alloc(net->ctx, limit, sizeof *net->gradient_view);
    if (!net->tensors || !net->params || !net->tensor_view || !net->gradient_view)
        return LEHR_E_MEMORY;
    for (int i = 0; i < m->count; i++) {
        lh_layer_kind kind = m->layers[i].kind;
        if (kind == LH_LAYER_CONV || kind == LH_LAYER_DENSE) add_weight(net, i);
        if (kind == LH_LAYER_BATCHNORM) add_norm(net, i);
    }
    place(net, false, true, align, &at);
    net->groups[GROUP_DECAY] = (lh_param_group){"weights", 0, at, 1, 1};
    size_t middle = at;
    place(net, false, false, align, &at);
    net->groups[GROUP_PLAIN] = (lh_param_group){"bias_norm", middle, at - middle, 1, 0};
    net->layout.count = at;
    place(net, true, false, align, &net->stats_count);
    make_params(net);
    return make_arenas(net, align_bytes);
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
