/* SPDX-License-Identifier: MIT
 *
 * From layers to steps: which kernels run, in which order, on which values.  ReLU is fused into the
 * conv, dense, batch normalisation or addition before it when nothing else reads that layer; an
 * addition into a batch normalisation before it; and what becomes of a gradient on its way to the
 * layer before (other gradients added, ReLU, the sums of batch normalisation) into the backward data
 * that completes it.
 * Gradients of a layer's output are collected in reverse order; the first contribution is the buffer
 * itself, further ones are added to it, in a fixed order. */
#include "core/model/network_internal.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/philox.h"
#include "kernels/add/add.h"
#include "kernels/batchnorm/batchnorm.h"
#include "kernels/conv/conv.h"
#include "kernels/dense/dense.h"
#include "kernels/dropout/dropout.h"
#include "kernels/flatten/flatten.h"
#include "kernels/pool/pool.h"
#include "kernels/shortcut/shortcut.h"
#include "kernels/vector/vector.h"

typedef struct plan {
    lh_network *net;
    const lehr_model *m;
    int *consumers;     /* per layer: how many layers read it */
    int *fused_into;    /* per layer: the layer that computes it too, or -1 */
    int *eval_value;    /* per layer: the value evaluation reads (dropout reads through) */
    int *saved;         /* per batch normalisation: value of its saved statistics */
    int *sums;          /* per batch normalisation whose backward sums are given: value, else -1 */
    int *addition;      /* per batch normalisation: the addition that it computes too, or -1 */
    int *addend;        /* per such addition: that batch normalisation, or -1 */
    int *gradient;      /* per layer: value of d output, or -1 */
    int *gradient_uses; /* per value: layers that still have it as their gradient */
    bool *needs_gradient;
    bool *undone;       /* per layer: the gradient has been through its fused ReLU already */
    int time;
    lehr_status status;
} plan;

static int new_value(plan *p, size_t elements)
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

static size_t per_image(const lh_layer *l) { return (size_t)l->c * (size_t)l->h * (size_t)l->w; }

static int new_output(plan *p, int layer)
{
    return new_value(p, (size_t)p->net->batch * per_image(&p->m->layers[layer]));
}

/* Appends a step at the current time; operands start out fixed and empty. */
static lh_net_step *new_step(plan *p, const lh_op *op, const void *problem, int layer,
                             lh_phase phase)
{
    static lh_net_step scrap; /* written to, never read, when planning has failed already */
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
    if (p->status != LEHR_OK) return &scrap;
    lh_net_step *s = &net->steps[net->step_count++];
    *s = (lh_net_step){.exec = exec, .phase = phase, .layer = layer, .time = p->time};
    for (int i = 0; i < LH_MAX_OPERANDS; i++) s->value[i] = LH_FIXED;
    if (exec->workspace > net->workspace_bytes) net->workspace_bytes = exec->workspace;
    return s;
}

static void use(plan *p, lh_net_step *s, int operand, int value)
{
    if (p->status != LEHR_OK) return;
    s->value[operand] = value;
    if (p->net->values[value].last < p->time) p->net->values[value].last = p->time;
}

static void bind(plan *p, lh_net_step *s, int operand, int layer, const char *suffix, bool gradient)
{
    int t = lh_network_find_tensor(p->net, layer, suffix);
    if (p->status != LEHR_OK || t < 0) return;
    s->args.buf[operand] = gradient ? p->net->gradient_view[t] : p->net->tensor_view[t];
}

/* ---- who reads a layer ---- */

static bool reads(const lh_layer *l, int layer) { return l->input == layer || l->other == layer; }

/* The first layer that reads `layer`, the last to contribute to its gradient; -1: none. */
static int first_reader(const plan *p, int layer)
{
    for (int i = layer + 1; i < p->m->count; i++)
        if (reads(&p->m->layers[i], layer)) return i;
    return -1;
}

static bool is_norm(const plan *p, int layer)
{
    return layer >= 0 && p->m->layers[layer].kind == LH_LAYER_BATCHNORM;
}

/* ---- problems of the ops, from layers ---- */

static lh_activation fused_act(const plan *p, int layer)
{
    int next = layer + 1;
    return next < p->m->count && p->fused_into[next] == layer ? LH_ACT_RELU : LH_ACT_NONE;
}

static lh_conv_problem conv_problem(const plan *p, int layer)
{
    const lh_layer *l = &p->m->layers[layer], *in = &p->m->layers[l->input];
    return (lh_conv_problem){.n = p->net->batch, .c = in->c, .h = in->h, .w = in->w, .k = l->c,
                             .r = l->r, .s = l->s, .stride_h = l->stride_h,
                             .stride_w = l->stride_w, .pad_top = l->pad_top,
                             .pad_left = l->pad_left, .pad_bottom = l->pad_bottom,
                             .pad_right = l->pad_right, .p = l->h, .q = l->w, .bias = l->bias,
                             .act = fused_act(p, layer)};
}

static lh_dense_problem dense_problem(const plan *p, int layer)
{
    const lh_layer *l = &p->m->layers[layer];
    return (lh_dense_problem){p->net->batch, p->m->layers[l->input].c, l->c, l->bias,
                              fused_act(p, layer)};
}

static lh_pool_problem pool_problem(const plan *p, int layer)
{
    const lh_layer *l = &p->m->layers[layer], *in = &p->m->layers[l->input];
    return (lh_pool_problem){.n = p->net->batch, .c = in->c, .h = in->h, .w = in->w,
                             .kind = l->kind == LH_LAYER_MAXPOOL ? LH_POOL_MAX : LH_POOL_AVG,
                             .r = l->r, .s = l->s, .stride_h = l->stride_h,
                             .stride_w = l->stride_w, .pad_top = l->pad_top,
                             .pad_left = l->pad_left, .pad_bottom = l->pad_bottom,
                             .pad_right = l->pad_right, .p = l->h, .q = l->w};
}

static lh_batchnorm_problem norm_problem(const plan *p, int layer)
{
    const lh_layer *l = &p->m->layers[layer];
    return (lh_batchnorm_problem){p->net->batch, l->c, l->h * l->w, l->eps, l->momentum,
                                  fused_act(p, layer)};
}

static lh_shortcut_problem shortcut_problem(const plan *p, int layer)
{
    const lh_layer *l = &p->m->layers[layer], *in = &p->m->layers[l->input];
    return (lh_shortcut_problem){p->net->batch, in->c, in->h, in->w, l->c, l->stride_h};
}

static lh_flatten_problem flatten_problem(const plan *p, int layer)
{
    const lh_layer *in = &p->m->layers[p->m->layers[layer].input];
    return (lh_flatten_problem){p->net->batch, in->c, in->h, in->w};
}

static lh_activation_problem act_problem(const plan *p, int layer)
{
    const lh_layer *l = &p->m->layers[layer];
    return (lh_activation_problem){p->net->batch, per_image(l), l->act, l->slope};
}

static lh_dropout_problem dropout_problem(const plan *p, int layer)
{
    return (lh_dropout_problem){p->net->batch, per_image(&p->m->layers[layer])};
}

/* ---- forward ---- */

/* A forward step with one input and one output that is the same in training and evaluation. */
static lh_net_step *forward_step(plan *p, const lh_op *op, const void *problem, int layer,
                                 lh_phase phase, int x, int y)
{
    int in = p->m->layers[layer].input;
    lh_net_step *s = new_step(p, op, problem, layer, phase);
    use(p, s, x, phase == LH_PHASE_TRAIN ? p->net->layer_value[in] : p->eval_value[in]);
    use(p, s, y, p->net->layer_value[layer]);
    return s;
}

static void forward_conv(plan *p, int i, lh_phase phase)
{
    lh_conv_problem problem = conv_problem(p, i);
    lh_net_step *s = forward_step(p, &lh_conv_forward, &problem, i, phase, LH_CONVF_X, LH_CONVF_Y);
    bind(p, s, LH_CONVF_W, i, "weight", false);
    bind(p, s, LH_CONVF_BIAS, i, "bias", false);
}

static void forward_dense(plan *p, int i, lh_phase phase)
{
    lh_dense_problem problem = dense_problem(p, i);
    lh_net_step *s =
        forward_step(p, &lh_dense_forward, &problem, i, phase, LH_DENSEF_X, LH_DENSEF_Y);
    bind(p, s, LH_DENSEF_W, i, "weight", false);
    bind(p, s, LH_DENSEF_BIAS, i, "bias", false);
}

/* The second operand of the addition that batch normalisation i computes too. */
static void use_addend(plan *p, int i, lh_net_step *s, int operand, lh_phase phase)
{
    if (p->addition[i] < 0) return;
    const lh_layer *add = &p->m->layers[p->addition[i]];
    int rest = add->input == i ? add->other : add->input;
    use(p, s, operand, phase == LH_PHASE_TRAIN ? p->net->layer_value[rest] : p->eval_value[rest]);
}

static void forward_norm(plan *p, int i, lh_phase phase)
{
    lh_batchnorm_problem problem = norm_problem(p, i);
    problem.add = p->addition[i] >= 0;
    if (problem.add) problem.act = fused_act(p, p->addition[i]);
    if (phase == LH_PHASE_EVAL) {
        lh_net_step *e =
            forward_step(p, &lh_batchnorm_eval, &problem, i, phase, LH_BNE_X, LH_BNE_Y);
        use_addend(p, i, e, LH_BNE_ADD, phase);
        bind(p, e, LH_BNE_GAMMA, i, "weight", false);
        bind(p, e, LH_BNE_BETA, i, "bias", false);
        bind(p, e, LH_BNE_MEAN, i, "running_mean", false);
        bind(p, e, LH_BNE_VAR, i, "running_var", false);
        return;
    }
    lh_net_step *s = forward_step(p, &lh_batchnorm_train, &problem, i, phase, LH_BNT_X, LH_BNT_Y);
    use_addend(p, i, s, LH_BNT_ADD, phase);
    p->saved[i] = new_value(p, 4 * (size_t)p->m->layers[i].c);
    use(p, s, LH_BNT_SAVED, p->saved[i]);
    bind(p, s, LH_BNT_GAMMA, i, "weight", false);
    bind(p, s, LH_BNT_BETA, i, "bias", false);
    bind(p, s, LH_BNT_RUNNING_MEAN, i, "running_mean", false);
    bind(p, s, LH_BNT_RUNNING_VAR, i, "running_var", false);
}

static void forward_add(plan *p, int i, lh_phase phase)
{
    const lh_layer *l = &p->m->layers[i];
    if (p->addend[i] >= 0) {
        forward_norm(p, p->addend[i], phase);
        return;
    }
    lh_add_problem problem = {p->net->batch, per_image(l), fused_act(p, i)};
    lh_net_step *s = forward_step(p, &lh_add_forward, &problem, i, phase, LH_ADD_A, LH_ADD_Y);
    use(p, s, LH_ADD_B,
        phase == LH_PHASE_TRAIN ? p->net->layer_value[l->other] : p->eval_value[l->other]);
}

static void forward_dropout(plan *p, int i, lh_phase phase)
{
    if (phase == LH_PHASE_EVAL) return; /* reads through: eval_value is the input's */
    lh_dropout_problem problem = dropout_problem(p, i);
    lh_net_step *s =
        forward_step(p, &lh_dropout_forward, &problem, i, phase, LH_DROPF_X, LH_DROPF_Y);
    s->args.scalar[0] = p->m->layers[i].rate;
    s->args.stream = LH_STREAM_DROPOUT + 16u * (uint32_t)i;
}

static void forward_layer(plan *p, int i, lh_phase phase)
{
    lh_pool_problem pool;
    lh_shortcut_problem shortcut;
    lh_flatten_problem flatten;
    lh_activation_problem act;
    switch (p->m->layers[i].kind) {
    case LH_LAYER_CONV: forward_conv(p, i, phase); break;
    case LH_LAYER_DENSE: forward_dense(p, i, phase); break;
    case LH_LAYER_BATCHNORM: forward_norm(p, i, phase); break;
    case LH_LAYER_ADD: forward_add(p, i, phase); break;
    case LH_LAYER_DROPOUT: forward_dropout(p, i, phase); break;
    case LH_LAYER_MAXPOOL:
    case LH_LAYER_AVGPOOL:
        pool = pool_problem(p, i);
        forward_step(p, &lh_pool_forward, &pool, i, phase, LH_POOLF_X, LH_POOLF_Y);
        break;
    case LH_LAYER_SHORTCUT:
        shortcut = shortcut_problem(p, i);
        forward_step(p, &lh_shortcut_forward, &shortcut, i, phase, LH_SHORTCUTF_X, LH_SHORTCUTF_Y);
        break;
    case LH_LAYER_FLATTEN:
        flatten = flatten_problem(p, i);
        forward_step(p, &lh_flatten_forward, &flatten, i, phase, LH_FLATTEN_IN, LH_FLATTEN_OUT);
        break;
    case LH_LAYER_ACTIVATION:
        act = act_problem(p, i);
        forward_step(p, &lh_activation_forward, &act, i, phase, LH_ACTF_X, LH_ACTF_Y);
        break;
    case LH_LAYER_INPUT: break;
    }
}

static void plan_forward(plan *p)
{
    for (int i = 1; i < p->m->count && p->status == LEHR_OK; i++) {
        if (p->fused_into[i] >= 0) {
            p->net->layer_value[i] = p->net->layer_value[p->fused_into[i]];
            p->eval_value[i] = p->eval_value[p->fused_into[i]];
            continue;
        }
        if (is_norm(p, i) && p->addition[i] >= 0) continue; /* when the addition's turn comes */
        p->net->layer_value[i] = new_output(p, i);
        if (p->addend[i] >= 0)
            p->net->layer_value[p->addend[i]] = p->eval_value[p->addend[i]] =
                p->net->layer_value[i];
        p->eval_value[i] = p->m->layers[i].kind == LH_LAYER_DROPOUT
                               ? p->eval_value[p->m->layers[i].input]
                               : p->net->layer_value[i];
        if (p->net->training) forward_layer(p, i, LH_PHASE_TRAIN);
        forward_layer(p, i, LH_PHASE_EVAL);
        p->time++;
    }
}

/* The loss reads the last layer's value: dropout as the last layer would differ in evaluation. */
static void plan_loss(plan *p)
{
    int last = p->m->count - 1;
    lh_network *net = p->net;
    lh_loss_problem problem = {net->batch, p->m->layers[last].c, net->loss};
    lh_net_step *s = new_step(p, &lh_loss, &problem, last, LH_PHASE_LOSS);
    net->logits_value = p->eval_value[last];
    use(p, s, LH_LOSS_LOGITS, net->layer_value[last]);
    p->gradient[last] = new_output(p, last);
    if (p->status != LEHR_OK) return;
    p->gradient_uses[p->gradient[last]] = 1;
    use(p, s, LH_LOSS_DLOGITS, p->gradient[last]);
    s->args.buf[LH_LOSS_LABELS] = net->labels;
    s->args.buf[LH_LOSS_VALUE] = net->loss_values;
    s->args.buf[LH_LOSS_CORRECT] = net->correct_values;
    p->time++;
}

/* ---- backward ---- */

/* The layer whose gradient a contribution to `layer` belongs to. */
static void contribute(plan *p, int layer, int value)
{
    if (!p->needs_gradient[layer] || p->status != LEHR_OK) return;
    int have = p->gradient[layer];
    if (have < 0) {
        p->gradient[layer] = value;
        p->gradient_uses[value]++;
        return;
    }
    size_t elements = per_image(&p->m->layers[layer]);
    if (p->gradient_uses[have] == 1) {
        lh_vector_problem axpy = {p->net->batch, elements, LH_VECTOR_AXPY};
        lh_net_step *s = new_step(p, &lh_vector, &axpy, layer, LH_PHASE_BACKWARD);
        s->args.scalar[0] = 1;
        use(p, s, LH_VECTOR_X, value);
        use(p, s, LH_VECTOR_Y, have);
    } else {
        lh_add_problem add = {p->net->batch, elements, LH_ACT_NONE};
        int sum = new_output(p, layer);
        lh_net_step *s = new_step(p, &lh_add_forward, &add, layer, LH_PHASE_BACKWARD);
        use(p, s, LH_ADD_A, have);
        use(p, s, LH_ADD_B, value);
        use(p, s, LH_ADD_Y, sum);
        p->gradient_uses[have]--;
        p->gradient_uses[sum]++;
        p->gradient[layer] = sum;
    }
    p->time++;
}

/* The value to write dx into: dy itself when nobody else needs it and it has dx's shape. */
static int in_place(plan *p, int layer, int dy)
{
    if (p->gradient_uses[dy] == 0) return dy;
    return new_output(p, p->m->layers[layer].input);
}

/* Backward of an activation that reads `x` (its input, or its output for ReLU); returns dx. */
static int backward_act(plan *p, int layer, const lh_activation_problem *problem, int x, int dy)
{
    int dx = p->gradient_uses[dy] == 0 ? dy : new_value(p, (size_t)problem->n * problem->per_image);
    lh_net_step *s = new_step(p, &lh_activation_backward, problem, layer, LH_PHASE_BACKWARD);
    use(p, s, LH_ACTB_X, x);
    use(p, s, LH_ACTB_DY, dy);
    use(p, s, LH_ACTB_DX, dx);
    p->time++;
    return dx;
}

/* The batch normalisation whose output's gradient is that of `layer`, and no other, or -1. */
static int norm_behind(const plan *p, int layer)
{
    if (is_norm(p, layer)) return layer;
    return p->m->layers[layer].kind == LH_LAYER_ADD ? p->addend[layer] : -1;
}

/* What convolution i's backward data can do to the gradient of its input `in`, which it completes. */
static void plan_behind(plan *p, int i, int in, lh_conv_problem *problem, int *norm)
{
    int origin = p->fused_into[in];
    *norm = -1;
    if (first_reader(p, in) != i) return;
    problem->add = p->gradient[in] >= 0;
    problem->mask = origin >= 0 && !is_norm(p, origin);
    if (!problem->add && !problem->mask) return; /* its own sums are as good as others' */
    *norm = norm_behind(p, origin >= 0 ? origin : in);
    if (*norm >= 0)
        problem->norm = origin >= 0 && *norm == origin ? LH_CONV_NORM_RELU : LH_CONV_NORM_SUMS;
}

static void backward_conv_data(plan *p, int i, int dy, lh_conv_problem *problem)
{
    int in = p->m->layers[i].input, norm, dx = new_output(p, in);
    plan_behind(p, i, in, problem, &norm);
    lh_net_step *s = new_step(p, &lh_conv_backward_data, problem, i, LH_PHASE_BACKWARD);
    use(p, s, LH_CONVD_DY, dy);
    use(p, s, LH_CONVD_DX, dx);
    bind(p, s, LH_CONVD_W, i, "weight", false);
    if (problem->add) {
        use(p, s, LH_CONVD_ADD, p->gradient[in]);
        if (p->status == LEHR_OK) p->gradient_uses[p->gradient[in]]--;
        p->gradient[in] = -1;
    }
    if (problem->mask) {
        use(p, s, LH_CONVD_MASK, p->net->layer_value[in]);
        p->undone[p->fused_into[in]] = true;
    }
    if (norm >= 0) {
        p->sums[norm] = new_value(p, 2 * (size_t)problem->c);
        use(p, s, LH_CONVD_X, p->net->layer_value[p->m->layers[norm].input]);
        use(p, s, LH_CONVD_SAVED, p->saved[norm]);
        use(p, s, LH_CONVD_SUMS, p->sums[norm]);
    }
    p->time++;
    contribute(p, in, dx);
}

static void backward_conv(plan *p, int i, int dy)
{
    int in = p->m->layers[i].input;
    lh_conv_problem problem = conv_problem(p, i);
    problem.act = LH_ACT_NONE;
    lh_net_step *f = new_step(p, &lh_conv_backward_filter, &problem, i, LH_PHASE_BACKWARD);
    use(p, f, LH_CONVW_X, p->net->layer_value[in]);
    use(p, f, LH_CONVW_DY, dy);
    bind(p, f, LH_CONVW_DW, i, "weight", true);
    bind(p, f, LH_CONVW_DBIAS, i, "bias", true);
    p->time++;
    if (p->needs_gradient[in]) backward_conv_data(p, i, dy, &problem);
}

static void backward_dense(plan *p, int i, int dy)
{
    int in = p->m->layers[i].input;
    lh_dense_problem problem = dense_problem(p, i);
    problem.act = LH_ACT_NONE;
    lh_net_step *f = new_step(p, &lh_dense_backward_filter, &problem, i, LH_PHASE_BACKWARD);
    use(p, f, LH_DENSEW_X, p->net->layer_value[in]);
    use(p, f, LH_DENSEW_DY, dy);
    bind(p, f, LH_DENSEW_DW, i, "weight", true);
    bind(p, f, LH_DENSEW_DBIAS, i, "bias", true);
    p->time++;
    if (!p->needs_gradient[in]) return;
    int dx = new_output(p, in);
    lh_net_step *d = new_step(p, &lh_dense_backward_data, &problem, i, LH_PHASE_BACKWARD);
    use(p, d, LH_DENSED_DY, dy);
    use(p, d, LH_DENSED_DX, dx);
    bind(p, d, LH_DENSED_W, i, "weight", false);
    p->time++;
    contribute(p, in, dx);
}

static void backward_norm(plan *p, int i, int dy)
{
    int in = p->m->layers[i].input, dx = in_place(p, i, dy);
    lh_batchnorm_problem problem = norm_problem(p, i);
    problem.given = p->sums[i] >= 0;
    lh_net_step *s = new_step(p, &lh_batchnorm_backward, &problem, i, LH_PHASE_BACKWARD);
    if (problem.given) use(p, s, LH_BNB_SUMS, p->sums[i]);
    use(p, s, LH_BNB_X, p->net->layer_value[in]);
    use(p, s, LH_BNB_DY, dy);
    use(p, s, LH_BNB_SAVED, p->saved[i]);
    use(p, s, LH_BNB_DX, dx);
    bind(p, s, LH_BNB_GAMMA, i, "weight", false);
    bind(p, s, LH_BNB_DGAMMA, i, "weight", true);
    bind(p, s, LH_BNB_DBETA, i, "bias", true);
    p->time++;
    contribute(p, in, dx);
}

static void backward_simple(plan *p, int i, const lh_op *op, const void *problem, int x_operand,
                            int dy_operand, int dx_operand, int dy)
{
    int in = p->m->layers[i].input;
    if (!p->needs_gradient[in]) return;
    int dx = new_output(p, in);
    lh_net_step *s = new_step(p, op, problem, i, LH_PHASE_BACKWARD);
    if (x_operand >= 0) use(p, s, x_operand, p->net->layer_value[in]);
    use(p, s, dy_operand, dy);
    use(p, s, dx_operand, dx);
    p->time++;
    contribute(p, in, dx);
}

static void backward_pool(plan *p, int i, int dy)
{
    lh_pool_problem problem = pool_problem(p, i);
    int in = p->m->layers[i].input, origin = p->fused_into[in];
    bool max = problem.kind == LH_POOL_MAX;
    /* It reads the ReLU's output anyway: the ReLU's own step is saved. */
    if (max && origin >= 0 && p->consumers[in] == 1 &&
        p->m->layers[origin].kind != LH_LAYER_BATCHNORM)
        problem.relu = p->undone[origin] = true;
    backward_simple(p, i, &lh_pool_backward, &problem, max ? LH_POOLB_X : -1, LH_POOLB_DY,
                    LH_POOLB_DX, dy);
}

static void backward_dropout(plan *p, int i, int dy)
{
    int in = p->m->layers[i].input, dx = in_place(p, i, dy);
    if (!p->needs_gradient[in]) return;
    lh_dropout_problem problem = dropout_problem(p, i);
    lh_net_step *s = new_step(p, &lh_dropout_backward, &problem, i, LH_PHASE_BACKWARD);
    s->args.scalar[0] = p->m->layers[i].rate;
    s->args.stream = LH_STREAM_DROPOUT + 16u * (uint32_t)i;
    use(p, s, LH_DROPF_X, dy);
    use(p, s, LH_DROPF_Y, dx);
    p->time++;
    contribute(p, in, dx);
}

/* Undoes a fused ReLU: its mask is where the shared output is positive. */
static int backward_fused_relu(plan *p, int i, int dy)
{
    lh_activation_problem relu = {p->net->batch, per_image(&p->m->layers[i]), LH_ACT_RELU, 0};
    return backward_act(p, i, &relu, p->net->layer_value[i], dy);
}

static void backward_layer(plan *p, int i)
{
    const lh_layer *l = &p->m->layers[i];
    int dy = p->gradient[i];
    if (dy < 0 || p->status != LEHR_OK) return;
    p->gradient_uses[dy]--;
    if (p->fused_into[i] >= 0) {
        contribute(p, p->fused_into[i], dy);
        return;
    }
    bool relu = fused_act(p, i) != LH_ACT_NONE;
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
        shortcut = shortcut_problem(p, i);
        backward_simple(p, i, &lh_shortcut_backward, &shortcut, -1, LH_SHORTCUTB_DY,
                        LH_SHORTCUTB_DX, dy);
        break;
    case LH_LAYER_FLATTEN:
        flatten = flatten_problem(p, i);
        backward_simple(p, i, &lh_flatten_backward, &flatten, -1, LH_FLATTEN_IN, LH_FLATTEN_OUT,
                        dy);
        break;
    case LH_LAYER_ACTIVATION:
        if (!p->needs_gradient[l->input]) break;
        act = act_problem(p, i);
        contribute(p, l->input, backward_act(p, i, &act, p->net->layer_value[l->input], dy));
        break;
    case LH_LAYER_INPUT: break;
    }
}

/* ---- what to fuse, what needs a gradient ---- */

static bool can_take_relu(lh_layer_kind kind)
{
    return kind == LH_LAYER_CONV || kind == LH_LAYER_DENSE || kind == LH_LAYER_BATCHNORM ||
           kind == LH_LAYER_ADD;
}

static void analyse(plan *p)
{
    for (int i = 0; i < p->m->count; i++) {
        const lh_layer *l = &p->m->layers[i];
        p->fused_into[i] = p->gradient[i] = p->saved[i] = p->sums[i] = -1;
        p->addition[i] = p->addend[i] = -1;
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
static void analyse_additions(plan *p)
{
    for (int i = 1; i < p->m->count; i++) {
        const lh_layer *l = &p->m->layers[i];
        if (l->kind != LH_LAYER_ADD || l->input == l->other) continue;
        const int inputs[] = {l->input, l->other};
        for (int k = 0; k < 2 && p->addend[i] < 0; k++)
            if (is_norm(p, inputs[k]) && p->consumers[inputs[k]] == 1) {
                p->addend[i] = inputs[k];
                p->addition[inputs[k]] = i;
            }
    }
}

static void *numbers(plan *p, size_t count, size_t size)
{
    void *memory = lh_alloc(p->net->ctx, count, size);
    if (!memory) p->status = LEHR_E_MEMORY;
    return memory;
}

lehr_status lh_network_plan(lh_network *net)
{
    plan p = {.net = net, .m = net->model};
    size_t count = (size_t)p.m->count;
    p.consumers = numbers(&p, count, sizeof(int));
    p.fused_into = numbers(&p, count, sizeof(int));
    p.eval_value = numbers(&p, count, sizeof(int));
    p.saved = numbers(&p, count, sizeof(int));
    p.sums = numbers(&p, count, sizeof(int));
    p.addition = numbers(&p, count, sizeof(int));
    p.addend = numbers(&p, count, sizeof(int));
    p.gradient = numbers(&p, count, sizeof(int));
    p.needs_gradient = numbers(&p, count, sizeof(bool));
    p.undone = numbers(&p, count, sizeof(bool));
    net->layer_value = numbers(&p, count, sizeof(int));
    if (p.status == LEHR_OK) {
        analyse(&p);
        analyse_additions(&p);
        p.time = -1;
        net->input_value = net->layer_value[0] = p.eval_value[0] = new_output(&p, 0);
        p.time = 0;
        plan_forward(&p);
        plan_loss(&p);
        for (int i = p.m->count - 1; net->training && i > 0; i--) backward_layer(&p, i);
    }
    free(p.consumers);
    free(p.fused_into);
    free(p.eval_value);
    free(p.saved);
    free(p.sums);
    free(p.addition);
    free(p.addend);
    free(p.gradient);
    free(p.gradient_uses);
    free(p.needs_gradient);
    free(p.undone);
    return p.status;
}
