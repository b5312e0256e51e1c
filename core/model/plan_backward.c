/* SPDX-License-Identifier: MIT
 *
 * The steps of the backward pass.  Gradients of a layer's output are collected in reverse order; the
 * first contribution is the buffer itself, further ones are added to it, in a fixed order. */
#include "core/base/philox.h"
#include "core/model/plan.h"
#include "kernels/add/add.h"
#include "kernels/vector/vector.h"

static bool reads(const lh_layer *l, int layer) { return l->input == layer || l->other == layer; }

/* The first layer that reads `layer`, the last to contribute to its gradient; -1: none. */
static int first_reader(const lh_plan *p, int layer)
{
    for (int i = layer + 1; i < p->m->count; i++)
        if (reads(&p->m->layers[i], layer)) return i;
    return -1;
}

/* The layer whose gradient a contribution to `layer` belongs to. */
static void contribute(lh_plan *p, int layer, int value)
{
    if (!p->needs_gradient[layer] || p->status != LEHR_OK) return;
    int have = p->gradient[layer];
    if (have < 0) {
        p->gradient[layer] = value;
        p->gradient_uses[value]++;
        return;
    }
    size_t elements = lh_plan_per_image(&p->m->layers[layer]);
    if (p->gradient_uses[have] == 1 && have != value) { /* value may have other readers to come */
        lh_vector_problem axpy = {p->net->batch, elements, LH_VECTOR_AXPY};
        lh_net_step *s = lh_plan_step(p, &lh_vector, &axpy, layer, LH_PHASE_BACKWARD);
        s->args.scalar[0] = 1;
        lh_plan_use(p, s, LH_VECTOR_X, value);
        lh_plan_use(p, s, LH_VECTOR_Y, have);
    } else {
        lh_add_problem add = {p->net->batch, elements, LH_ACT_NONE};
        int sum = lh_plan_output(p, layer);
        lh_net_step *s = lh_plan_step(p, &lh_add_forward, &add, layer, LH_PHASE_BACKWARD);
        lh_plan_use(p, s, LH_ADD_A, have);
        lh_plan_use(p, s, LH_ADD_B, value);
        lh_plan_use(p, s, LH_ADD_Y, sum);
        p->gradient_uses[have]--;
        p->gradient_uses[sum]++;
        p->gradient[layer] = sum;
    }
    p->time++;
}

/* The value to write dx into: dy itself when nobody else needs it and it has dx's shape. */
static int in_place(lh_plan *p, int layer, int dy)
{
    if (p->gradient_uses[dy] == 0) return dy;
    return lh_plan_output(p, p->m->layers[layer].input);
}

/* Backward of an activation that reads `x` (its input, or its output for ReLU); returns dx. */
static int backward_act(lh_plan *p, int layer, const lh_activation_problem *problem, int x, int dy)
{
    int dx = p->gradient_uses[dy] == 0 ? dy : lh_plan_value(p, (size_t)problem->n * problem->per_image);
    lh_net_step *s = lh_plan_step(p, &lh_activation_backward, problem, layer, LH_PHASE_BACKWARD);
    lh_plan_use(p, s, LH_ACTB_X, x);
    lh_plan_use(p, s, LH_ACTB_DY, dy);
    lh_plan_use(p, s, LH_ACTB_DX, dx);
    p->time++;
    return dx;
}

/* The batch normalisation whose output's gradient is that of `layer`, and no other, or -1. */
static int norm_behind(const lh_plan *p, int layer)
{
    if (lh_plan_is_norm(p, layer)) return layer;
    return p->m->layers[layer].kind == LH_LAYER_ADD ? p->addend[layer] : -1;
}

/* What convolution i's backward data can do to the gradient of its input `in`, which it completes. */
static void plan_behind(lh_plan *p, int i, int in, lh_conv_problem *problem, int *norm)
{
    int origin = p->fused_into[in];
    *norm = -1;
    if (first_reader(p, in) != i) return;
    problem->add = p->gradient[in] >= 0;
    problem->mask = origin >= 0 && !lh_plan_is_norm(p, origin);
    if (!problem->add && !problem->mask) return; /* its own sums are as good as others' */
    *norm = norm_behind(p, origin >= 0 ? origin : in);
    if (*norm >= 0)
        problem->norm = origin >= 0 && *norm == origin ? LH_CONV_NORM_RELU : LH_CONV_NORM_SUMS;
}

static void backward_conv_data(lh_plan *p, int i, int dy, lh_conv_problem *problem)
{
    int in = p->m->layers[i].input, norm, dx = lh_plan_output(p, in);
    plan_behind(p, i, in, problem, &norm);
    lh_net_step *s = lh_plan_step(p, &lh_conv_backward_data, problem, i, LH_PHASE_BACKWARD);
    lh_plan_use(p, s, LH_CONVD_DY, dy);
    lh_plan_use(p, s, LH_CONVD_DX, dx);
    lh_plan_bind(p, s, LH_CONVD_W, i, "weight", false);
    if (problem->add) {
        lh_plan_use(p, s, LH_CONVD_ADD, p->gradient[in]);
        if (p->status == LEHR_OK) p->gradient_uses[p->gradient[in]]--;
        p->gradient[in] = -1;
    }
    if (problem->mask) {
        lh_plan_use(p, s, LH_CONVD_MASK, p->net->layer_value[in]);
        p->undone[p->fused_into[in]] = true;
    }
    if (norm >= 0) {
        p->sums[norm] = lh_plan_value(p, 2 * (size_t)problem->c);
        lh_plan_use(p, s, LH_CONVD_X, p->net->layer_value[p->m->layers[norm].input]);
        lh_plan_use(p, s, LH_CONVD_SAVED, p->saved[norm]);
        lh_plan_use(p, s, LH_CONVD_SUMS, p->sums[norm]);
    }
    p->time++;
    contribute(p, in, dx);
}

static void backward_conv(lh_plan *p, int i, int dy)
{
    int in = p->m->layers[i].input;
    lh_conv_problem problem = lh_plan_conv(p, i);
    problem.act = LH_ACT_NONE;
    if (p->pooling[i] >= 0) { /* what no window has, got no gradient */
        problem.p -= problem.p % 2;
        problem.q -= problem.q % 2;
    }
    lh_net_step *f = lh_plan_step(p, &lh_conv_backward_filter, &problem, i, LH_PHASE_BACKWARD);
    lh_plan_use(p, f, LH_CONVW_X, p->net->layer_value[in]);
    lh_plan_use(p, f, LH_CONVW_DY, dy);
    lh_plan_bind(p, f, LH_CONVW_DW, i, "weight", true);
    lh_plan_bind(p, f, LH_CONVW_DBIAS, i, "bias", true);
    p->time++;
    if (p->needs_gradient[in]) backward_conv_data(p, i, dy, &problem);
}

static void backward_dense(lh_plan *p, int i, int dy)
{
    int in = p->m->layers[i].input;
    lh_dense_problem problem = lh_plan_dense(p, i);
    problem.act = LH_ACT_NONE;
    lh_net_step *f = lh_plan_step(p, &lh_dense_backward_filter, &problem, i, LH_PHASE_BACKWARD);
    lh_plan_use(p, f, LH_DENSEW_X, p->net->layer_value[in]);
    lh_plan_use(p, f, LH_DENSEW_DY, dy);
    lh_plan_bind(p, f, LH_DENSEW_DW, i, "weight", true);
    lh_plan_bind(p, f, LH_DENSEW_DBIAS, i, "bias", true);
    p->time++;
    if (!p->needs_gradient[in]) return;
    int dx = lh_plan_output(p, in);
    lh_net_step *d = lh_plan_step(p, &lh_dense_backward_data, &problem, i, LH_PHASE_BACKWARD);
    lh_plan_use(p, d, LH_DENSED_DY, dy);
    lh_plan_use(p, d, LH_DENSED_DX, dx);
    lh_plan_bind(p, d, LH_DENSED_W, i, "weight", false);
    p->time++;
    contribute(p, in, dx);
}

static void backward_norm(lh_plan *p, int i, int dy)
{
    int in = p->m->layers[i].input;
    int dx = p->pooling[i] >= 0 ? lh_plan_output(p, in) : in_place(p, i, dy);
    lh_batchnorm_problem problem = lh_plan_norm(p, i);
    problem.given = p->sums[i] >= 0;
    lh_net_step *s = lh_plan_step(p, &lh_batchnorm_backward, &problem, i, LH_PHASE_BACKWARD);
    if (problem.given) lh_plan_use(p, s, LH_BNB_SUMS, p->sums[i]);
    lh_plan_use(p, s, LH_BNB_X, p->net->layer_value[in]);
    lh_plan_use(p, s, LH_BNB_DY, dy);
    lh_plan_use(p, s, LH_BNB_SAVED, p->saved[i]);
    lh_plan_use(p, s, LH_BNB_DX, dx);
    lh_plan_bind(p, s, LH_BNB_GAMMA, i, "weight", false);
    lh_plan_bind(p, s, LH_BNB_DGAMMA, i, "weight", true);
    lh_plan_bind(p, s, LH_BNB_DBETA, i, "bias", true);
    p->time++;
    contribute(p, in, dx);
}

static void backward_simple(lh_plan *p, int i, const lh_op *op, const void *problem, int dy_operand,
                            int dx_operand, int dy)
{
    int in = p->m->layers[i].input;
    if (!p->needs_gradient[in]) return;
    int dx = lh_plan_output(p, in);
    lh_net_step *s = lh_plan_step(p, op, problem, i, LH_PHASE_BACKWARD);
    lh_plan_use(p, s, dy_operand, dy);
    lh_plan_use(p, s, dx_operand, dx);
    p->time++;
    contribute(p, in, dx);
}

static void backward_pool(lh_plan *p, int i, int dy)
{
    if (p->pooled[i] >= 0 && lh_plan_is_norm(p, p->pooled[i])) {
        contribute(p, p->pooled[i], dy);
        return;
    }
    lh_pool_problem problem = lh_plan_pool(p, i);
    int in = p->m->layers[i].input;
    if (!p->needs_gradient[in]) return;
    if (problem.relu) p->undone[p->fused_into[in]] = true;
    if (p->pooled[i] >= 0) { /* what no window has, the convolution's backward does not read */
        problem.h -= problem.h % 2;
        problem.w -= problem.w % 2;
    }
    int dx = lh_plan_value(p, (size_t)problem.n * (size_t)problem.h * (size_t)problem.w * (size_t)problem.c);
    lh_net_step *s = lh_plan_step(p, &lh_pool_backward, &problem, i, LH_PHASE_BACKWARD);
    if (problem.where) lh_plan_use(p, s, LH_POOLB_WHERE, p->where[i]);
    else if (problem.kind == LH_POOL_MAX) lh_plan_use(p, s, LH_POOLB_X, p->net->layer_value[in]);
    lh_plan_use(p, s, LH_POOLB_DY, dy);
    lh_plan_use(p, s, LH_POOLB_DX, dx);
    p->time++;
    contribute(p, in, dx);
}

static void backward_dropout(lh_plan *p, int i, int dy)
{
    int in = p->m->layers[i].input, dx = in_place(p, i, dy);
    if (!p->needs_gradient[in]) return;
    lh_dropout_problem problem = lh_plan_dropout(p, i);
    lh_net_step *s = lh_plan_step(p, &lh_dropout_backward, &problem, i, LH_PHASE_BACKWARD);
    s->args.scalar[0] = p->m->layers[i].rate;
    s->args.stream = LH_STREAM_DROPOUT + 16u * (uint32_t)i;
    lh_plan_use(p, s, LH_DROPF_X, dy);
    lh_plan_use(p, s, LH_DROPF_Y, dx);
    p->time++;
    contribute(p, in, dx);
}

/* Undoes a fused ReLU: its mask is where the shared output is positive. */
static int backward_fused_relu(lh_plan *p, int i, int dy)
{
    lh_activation_problem relu = {p->net->batch, lh_plan_per_image(&p->m->layers[i]), LH_ACT_RELU, 0};
    return backward_act(p, i, &relu, p->net->layer_value[i], dy);
}

void lh_plan_backward(lh_plan *p, int i)
{
    const lh_layer *l = &p->m->layers[i];
    int dy = p->gradient[i];
    if (dy < 0 || p->status != LEHR_OK) return;
    p->gradient_uses[dy]--;
    if (p->fused_into[i] >= 0) {
        contribute(p, p->fused_into[i], dy);
        return;
    }
    bool relu = lh_plan_fused_act(p, i) != LH_ACT_NONE;
    if (relu && l->kind != LH_LAYER_BATCHNORM && !p->undone[i])
        dy = backward_fused_relu(p, i, dy);
    lh_shortcut_problem shortcut;
    lh_flatten_problem flatten;
    lh_activation_problem act;
    switch (l->kind) {
    case LH_LAYER_CONV: backward_conv(p, i, dy); break;
    case LH_LAYER_DENSE: backward_dense(p, i, dy); break;
    case LH_LAYER_BATCHNORM: backward_norm(p, i, dy); break;
    case LH_LAYER_DROPOUT: backward_dropout(p, i, dy); break;
    case LH_LAYER_ADD:
        contribute(p, l->input, dy);
        contribute(p, l->other, dy);
        break;
    case LH_LAYER_MAXPOOL:
    case LH_LAYER_AVGPOOL: backward_pool(p, i, dy); break;
    case LH_LAYER_SHORTCUT:
        shortcut = lh_plan_shortcut(p, i);
        backward_simple(p, i, &lh_shortcut_backward, &shortcut, LH_SHORTCUTB_DY,
                        LH_SHORTCUTB_DX, dy);
        break;
    case LH_LAYER_FLATTEN:
        flatten = lh_plan_flatten(p, i);
        backward_simple(p, i, &lh_flatten_backward, &flatten, LH_FLATTEN_IN, LH_FLATTEN_OUT,
                        dy);
        break;
    case LH_LAYER_ACTIVATION:
        if (!p->needs_gradient[l->input]) break;
        act = lh_plan_act(p, i);
        contribute(p, l->input, backward_act(p, i, &act, p->net->layer_value[l->input], dy));
        break;
    case LH_LAYER_INPUT: break;
    }
}

