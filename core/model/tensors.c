/* SPDX-License-Identifier: MIT
 *
 * The named tensors of a model, without a device: names, shapes, roles. */
#include "core/model/tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PER_LAYER = 4 };

size_t lh_model_tensor_limit(const lehr_model *m) { return PER_LAYER * (size_t)m->count; }

static lh_named_tensor *add(const lehr_model *m, int layer, const char *suffix, uint32_t role,
                            lh_named_tensor *t)
{
    *t = (lh_named_tensor){.layer = layer, .role = role, .ndim = 1};
    snprintf(t->name, sizeof t->name, "%s.%s", m->layers[layer].name, suffix);
    t->dims[0] = t->count = (size_t)m->layers[layer].c;
    return t;
}

static uint32_t add_weight(const lehr_model *m, int layer, lh_named_tensor *out)
{
    const lh_layer *l = &m->layers[layer], *in = &m->layers[l->input];
    bool conv = l->kind == LH_LAYER_CONV;
    int window = conv ? l->r * l->s : 1;
    lh_named_tensor *t = add(m, layer, "weight", conv ? LEHR_ROLE_CONV : LEHR_ROLE_DENSE, out);
    t->ndim = conv ? 4 : 2;
    t->dims[1] = (uint64_t)in->c;
    t->dims[2] = (uint64_t)l->r;
    t->dims[3] = (uint64_t)l->s;
    t->count = (size_t)l->c * (size_t)in->c * (size_t)window;
    t->fan_in = in->c * window;
    t->fan_out = l->c * window;
    if (!l->bias) return 1;
    lh_named_tensor *b = add(m, layer, "bias", LEHR_ROLE_BIAS, out + 1);
    b->fan_in = t->fan_in;
    b->fan_out = t->fan_out;
    return 2;
}

static uint32_t add_norm(const lehr_model *m, int layer, lh_named_tensor *out)
{
    static const char *const suffixes[PER_LAYER] = {"weight", "bias", "running_mean",
                                                    "running_var"};
    for (int i = 0; i < PER_LAYER; i++) {
        lh_named_tensor *t = add(m, layer, suffixes[i], LEHR_ROLE_NORM, out + i);
        t->is_stat = i > 1;
        t->init_value = i == 0 || i == 3 ? 1 : 0;
    }
    return PER_LAYER;
}

uint32_t lh_model_tensors(const lehr_model *m, lh_named_tensor *out)
{
    uint32_t count = 0;
    for (int i = 0; i < m->count; i++) {
        lh_layer_kind kind = m->layers[i].kind;
        if (kind == LH_LAYER_CONV || kind == LH_LAYER_DENSE) count += add_weight(m, i, out + count);
        if (kind == LH_LAYER_BATCHNORM) count += add_norm(m, i, out + count);
    }
    return count;
}

const char *lh_tensor_class(const lh_named_tensor *t)
{
    if (t->role == LEHR_ROLE_NORM) return "norm";
    return t->role == LEHR_ROLE_BIAS ? "bias" : "weight";
}

uint32_t lehr_model_parameter(const lehr_model *m, uint32_t i, lehr_parameter_info *out)
{
    lh_named_tensor layer[PER_LAYER];
    uint32_t at = 0;
    for (int k = 0; k < m->count; k++) {
        lh_layer_kind kind = m->layers[k].kind;
        uint32_t count = 0;
        if (kind == LH_LAYER_CONV || kind == LH_LAYER_DENSE) count = add_weight(m, k, layer);
        if (kind == LH_LAYER_BATCHNORM) count = add_norm(m, k, layer);
        for (uint32_t j = 0; j < count; j++) {
            if (layer[j].is_stat || at++ != i) continue;
            *out = (lehr_parameter_info){.kind = lh_tensor_class(&layer[j]), .ndim = layer[j].ndim,
                                         .count = layer[j].count};
            snprintf(out->name, sizeof out->name, "%s", layer[j].name);
            for (uint32_t d = 0; d < layer[j].ndim; d++) out->dims[d] = layer[j].dims[d];
            return 1;
        }
    }
    return 0;
}
