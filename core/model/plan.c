/* SPDX-License-Identifier: MIT
 *
 * From layers to steps: which kernels run, in which order, on which values.  ReLU is fused into the
 * conv, dense, batch normalisation or addition before it when nothing else reads that layer; an
 * addition or a pooling into a batch normalisation before it; and what becomes of a gradient on its way
 * to the layer before (other gradients added, ReLU, the sums of batch normalisation) into the backward
 * data that completes it. */
#include "core/model/plan.h"

#include <stdlib.h>

int lh_plan_value(lh_plan *p, size_t elements)
{
    lh_network *net = p->net;
    if (net->value_count == net->value_capacity) {
        int capacity = net->value_capacity ? 2 * net->value_capacity : 64;
        lh_value *values = realloc(net->values, (size_t)capacity * sizeof *values);
        int *uses = realloc(p->gradient_uses, (size_t)capacity * sizeof *uses);
        if (values) net->values = values;
        if (uses) p->gradient_uses = uses;
        if (!values || !uses) {
            p->status = lh_fail(net->ctx, LEHR_E_MEMORY, "out of memory planning the network");
            return 0;
        }
        net->value_capacity = capacity;
    }
    p->gradient_uses[net->value_count] = 0;
    net->values[net->value_count] = (lh_value){elements * sizeof(float), p->time, p->time, -1};
    return net->value_count++;
}

size_t lh_plan_per_image(const lh_layer *l) { return (size_t)l->c * (size_t)l->h * (size_t)l->w; }

int lh_plan_output(lh_plan *p, int layer)
{
    return lh_plan_value(p, (size_t)p->net->batch * lh_plan_per_image(&p->m->layers[layer]));
}

lh_net_step *lh_plan_step(lh_plan *p, const lh_op *op, const void *problem, int layer,
                          lh_phase phase)
{
    lh_network *net = p->net;
    if (p->status == LEHR_OK && net->step_count == net->step_capacity) {
        int capacity = net->step_capacity ? 2 * net->step_capacity : 64;
        lh_net_step *steps = realloc(net->steps, (size_t)capacity * sizeof *steps);
        if (!steps) p->status = lh_fail(net->ctx, LEHR_E_MEMORY, "out of memory planning");
        if (steps) {
            net->steps = steps;
            net->step_capacity = capacity;
        }
    }
    lh_exec *exec = NULL;
    if (p->status == LEHR_OK) {
        p->status = lh_exec_create(net->dev, op, problem, &exec);
        if (p->status != LEHR_OK)
            lh_fail_context(net->ctx, "layer '%s': ", p->m->layers[layer].name);
    }
    if (p->status != LEHR_OK) return &p->scrap;
    lh_net_step *s = &net->steps[net->step_count++];
    *s = (lh_net_step){.exec = exec, .phase = phase, .layer = layer, .time = p->time};
    for (int i = 0; i < LH_MAX_OPERANDS; i++) s->value[i] = LH_FIXED;
    if (exec->workspace > net->workspace_bytes) net->workspace_bytes = exec->workspace;
    return s;
}

void lh_plan_use(lh_plan *p, lh_net_step *s, int operand, int value)
{
    if (p->status != LEHR_OK) return;
    s->value[operand] = value;
    if (p->net->values[value].last < p->time) p->net->values[value].last = p->time;
}

void lh_plan_bind(lh_plan *p, lh_net_step *s, int operand, int layer, const char *suffix,
                  bool gradient)
{
    int t = lh_network_find_tensor(p->net, layer, suffix);
    if (p->status != LEHR_OK || t < 0) return;
    s->args.buf[operand] = gradient ? p->net->gradient_view[t] : p->net->tensor_view[t];
}

bool lh_plan_is_norm(const lh_plan *p, int layer)
{
    return layer >= 0 && p->m->layers[layer].kind == LH_LAYER_BATCHNORM;
}

/* ---- problems of the ops, from layers ---- */

lh_activation lh_plan_fused_act(const lh_plan *p, int layer)
{
    int next = layer + 1;
    return next < p->m->count && p->fused_into[next] == layer ? LH_ACT_RELU : LH_ACT_NONE;
}

lh_conv_problem lh_plan_conv(const lh_plan *p, int layer)
{
    const lh_layer *l = &p->m->layers[layer], *in = &p->m->layers[l->input];
    return (lh_conv_problem){.n = p->net->batch, .c = in->c, .h = in->h, .w = in->w, .k = l->c,
                             .r = l->r, .s = l->s, .stride_h = l->stride_h,
                             .stride_w = l->stride_w, .pad_top = l->pad_top,
                             .pad_left = l->pad_left, .pad_bottom = l->pad_bottom,
                             .pad_right = l->pad_right, .p = l->h, .q = l->w, .bias = l->bias,
                             .act = lh_plan_fused_act(p, layer)};
}

lh_dense_problem lh_plan_dense(const lh_plan *p, int layer)
{
    const lh_layer *l = &p->m->layers[layer];
    return (lh_dense_problem){p->net->batch, p->m->layers[l->input].c, l->c, l->bias,
                              lh_plan_fused_act(p, layer)};
}

lh_pool_problem lh_plan_pool(const lh_plan *p, int layer)
{
    const lh_layer *l = &p->m->layers[layer], *in = &p->m->layers[l->input];
    int origin = p->fused_into[l->input];
    bool max = l->kind == LH_LAYER_MAXPOOL;
    /* It looks at the ReLU's output anyway: the ReLU's own step is saved. */
    bool relu = max && origin >= 0 && p->consumers[l->input] == 1 && !lh_plan_is_norm(p, origin);
    return (lh_pool_problem){.n = p->net->batch, .c = in->c, .h = in->h, .w = in->w,
                             .kind = max ? LH_POOL_MAX : LH_POOL_AVG,
                             .r = l->r, .s = l->s, .stride_h = l->stride_h,
                             .stride_w = l->stride_w, .pad_top = l->pad_top,
                             .pad_left = l->pad_left, .pad_bottom = l->pad_bottom,
                             .pad_right = l->pad_right, .p = l->h, .q = l->w, .relu = relu,
                             .where = p->net->training && max && l->r * l->s < LH_POOL_NOWHERE};
}

/* Of what a convolution can do, a mean is left to batch normalisation. */
static bool conv_pool(const lh_plan *p, int i)
{
    lh_pool_problem pool = lh_plan_pool(p, i);
    return pool.kind == LH_POOL_MAX && pool.r == 2 && pool.s == 2 && pool.stride_h == 2 &&
           pool.stride_w == 2 && !pool.pad_top && !pool.pad_left && !pool.pad_bottom &&
           !pool.pad_right && lh_device_traits(p->net->dev)->cpu_family;
}

/* What a batch normalisation before pooling layer i would do for it. */
static lh_batchnorm_pool norm_pool(const lh_plan *p, int i)
{
    lh_pool_problem pool = lh_plan_pool(p, i);
    if (pool.pad_top || pool.pad_left || pool.pad_bottom || pool.pad_right) return LH_BATCHNORM_ALONE;
    if (pool.kind == LH_POOL_AVG && pool.r == pool.h && pool.s == pool.w) return LH_BATCHNORM_MEAN;
    bool halves = pool.r == 2 && pool.s == 2 && pool.stride_h == 2 && pool.stride_w == 2;
    if (pool.kind == LH_POOL_MAX && halves && pool.h % 2 == 0 && pool.w % 2 == 0)
        return LH_BATCHNORM_MAX2;
    return LH_BATCHNORM_ALONE;
}

lh_batchnorm_problem lh_plan_norm(const lh_plan *p, int layer)
{
    const lh_layer *l = &p->m->layers[layer];
    lh_batchnorm_problem problem = {.n = p->net->batch, .c = l->c, .hw = l->h * l->w, .eps = l->eps,
                                    .momentum = l->momentum, .act = lh_plan_fused_act(p, layer)};
    if (p->pooling[layer] >= 0) problem.pool = norm_pool(p, p->pooling[layer]);
    if (problem.pool == LH_BATCHNORM_MAX2) problem.w = l->w;
    return problem;
}

lh_shortcut_problem lh_plan_shortcut(const lh_plan *p, int layer)
{
    const lh_layer *l = &p->m->layers[layer], *in = &p->m->layers[l->input];
    return (lh_shortcut_problem){p->net->batch, in->c, in->h, in->w, l->c, l->stride_h};
}

lh_flatten_problem lh_plan_flatten(const lh_plan *p, int layer)
{
    const lh_layer *in = &p->m->layers[p->m->layers[layer].input];
    return (lh_flatten_problem){p->net->batch, in->c, in->h, in->w};
}

lh_activation_problem lh_plan_act(const lh_plan *p, int layer)
{
    const lh_layer *l = &p->m->layers[layer];
    return (lh_activation_problem){p->net->batch, lh_plan_per_image(l), l->act, l->slope};
}

lh_dropout_problem lh_plan_dropout(const lh_plan *p, int layer)
{
    return (lh_dropout_problem){p->net->batch, lh_plan_per_image(&p->m->layers[layer])};
}

/* ---- what to fuse, what needs a gradient ---- */

static bool can_take_relu(lh_layer_kind kind)
{
    return kind == LH_LAYER_CONV || kind == LH_LAYER_DENSE || kind == LH_LAYER_BATCHNORM ||
           kind == LH_LAYER_ADD;
}

static void analyse(lh_plan *p)
{
    for (int i = 0; i < p->m->count; i++) {
        const lh_layer *l = &p->m->layers[i];
        p->fused_into[i] = p->gradient[i] = p->saved[i] = p->sums[i] = -1;
        p->statistics[i] = -1;
        p->addition[i] = p->addend[i] = p->pooling[i] = p->pooled[i] = p->where[i] = -1;
        if (l->input >= 0) p->consumers[l->input]++;
        if (l->other >= 0) p->consumers[l->other]++;
    }
    for (int i = 1; i < p->m->count; i++) {
        const lh_layer *l = &p->m->layers[i];
        bool relu = l->kind == LH_LAYER_ACTIVATION && l->act == LH_ACT_RELU;
        if (relu && l->input == i - 1 && p->consumers[i - 1] == 1 &&
            can_take_relu(p->m->layers[i - 1].kind))
            p->fused_into[i] = i - 1;
        p->needs_gradient[i] = lh_layer_parameters(p->m, i) > 0 || p->needs_gradient[l->input] ||
                               (l->other >= 0 && p->needs_gradient[l->other]);
    }
}

/* Additions that a batch normalisation before them, read by nothing else, can do on the way. */
static void analyse_additions(lh_plan *p)
{
    for (int i = 1; i < p->m->count; i++) {
        const lh_layer *l = &p->m->layers[i];
        if (l->kind != LH_LAYER_ADD || l->input == l->other) continue;
        const int inputs[] = {l->input, l->other};
        for (int k = 0; k < 2 && p->addend[i] < 0; k++)
            if (lh_plan_is_norm(p, inputs[k]) && p->consumers[inputs[k]] == 1) {
                p->addend[i] = inputs[k];
                p->addition[inputs[k]] = i;
            }
    }
}

/* Poolings of a batch normalisation or a convolution, or of its ReLU, that nothing else reads. */
static void analyse_poolings(lh_plan *p)
{
    for (int i = 1; i < p->m->count; i++) {
        lh_layer_kind kind = p->m->layers[i].kind;
        if (kind != LH_LAYER_MAXPOOL && kind != LH_LAYER_AVGPOOL) continue;
        int in = p->m->layers[i].input, origin = p->fused_into[in] >= 0 ? p->fused_into[in] : in;
        bool norm = lh_plan_is_norm(p, origin) && p->addition[origin] < 0 &&
                    norm_pool(p, i) != LH_BATCHNORM_ALONE;
        bool conv = p->m->layers[origin].kind == LH_LAYER_CONV && conv_pool(p, i);
        if (p->consumers[in] != 1 || !(norm || conv)) continue;
        p->pooled[i] = origin;
        p->pooling[origin] = i;
    }
}

/* What is fused into a layer comes behind it. */
static void note_fused(lh_plan *p)
{
    for (int i = 0; i < p->m->count; i++) {
        int in = p->fused_into[i] >= 0 ? p->fused_into[i] : p->addend[i] >= 0 ? p->addend[i] : p->pooled[i];
        p->net->done_in[i] = in >= 0 && p->net->done_in[in] >= 0 ? p->net->done_in[in] : in;
    }
}

static void *numbers(lh_plan *p, size_t count, size_t size)
{
    void *memory = lh_alloc(p->net->ctx, count, size);
    if (!memory) p->status = LEHR_E_MEMORY;
    return memory;
}

lehr_status lh_network_plan(lh_network *net)
{
    lh_plan p = {.net = net, .m = net->model};
    size_t count = (size_t)p.m->count;
    p.consumers = numbers(&p, count, sizeof(int));
    p.fused_into = numbers(&p, count, sizeof(int));
    p.eval_value = numbers(&p, count, sizeof(int));
    p.saved = numbers(&p, count, sizeof(int));
    p.sums = numbers(&p, count, sizeof(int));
    p.statistics = numbers(&p, count, sizeof(int));
    p.addition = numbers(&p, count, sizeof(int));
    p.addend = numbers(&p, count, sizeof(int));
    p.pooling = numbers(&p, count, sizeof(int));
    p.pooled = numbers(&p, count, sizeof(int));
    p.where = numbers(&p, count, sizeof(int));
    p.gradient = numbers(&p, count, sizeof(int));
    p.needs_gradient = numbers(&p, count, sizeof(bool));
    p.undone = numbers(&p, count, sizeof(bool));
    net->layer_value = numbers(&p, count, sizeof(int));
    net->done_in = numbers(&p, count, sizeof(int));
    if (p.status == LEHR_OK) {
        analyse(&p);
        analyse_additions(&p);
        analyse_poolings(&p);
        note_fused(&p);
        p.time = -1;
        net->input_value = net->layer_value[0] = p.eval_value[0] = lh_plan_output(&p, 0);
        p.time = 0;
        lh_plan_forward(&p);
        lh_plan_loss(&p);
        for (int i = p.m->count - 1; net->training && i > 0; i--) lh_plan_backward(&p, i);
    }
    free(p.consumers);
    free(p.fused_into);
    free(p.eval_value);
    free(p.saved);
    free(p.sums);
    free(p.statistics);
    free(p.addition);
    free(p.addend);
    free(p.pooling);
    free(p.pooled);
    free(p.where);
    free(p.gradient);
    free(p.gradient_uses);
    free(p.needs_gradient);
    free(p.undone);
    return p.status;
}
