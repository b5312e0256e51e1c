/* SPDX-License-Identifier: MIT
 *
 * The steps of the forward pass, of training and of evaluation, and of the loss. */
#include "core/base/philox.h"
#include "core/model/plan.h"
#include "kernels/add/add.h"

/* A forward step with one input and one output that is the same in training and evaluation. */
static lh_net_step *forward_step(lh_plan *p, const lh_op *op, const void *problem, int layer,
                                 lh_phase phase, int x, int y)
{
    int in = p->m->layers[layer].input;
    lh_net_step *s = lh_plan_step(p, op, problem, layer, phase);
    lh_plan_use(p, s, x, phase == LH_PHASE_TRAIN ? p->net->layer_value[in] : p->eval_value[in]);
    lh_plan_use(p, s, y, p->net->layer_value[layer]);
    return s;
}

/* On GPUs a pass over memory costs more than the sums in a convolution's epilogue; on CPUs it does not
 * (docs/kernels.md, "What is fused"). */
static bool makes_statistics(const lh_plan *p, int conv)
{
    if (lh_device_traits(p->net->dev)->cpu_family || lh_plan_fused_act(p, conv) != LH_ACT_NONE) return false;
    for (int i = conv + 1; i < p->m->count; i++)
        if (lh_plan_is_norm(p, i) && p->m->layers[i].input == conv) return true;
    return false;
}

/* Evaluation's bytes of where serve nobody: they save it a kernel of its own. */
static void use_where(lh_plan *p, int pooling, lh_net_step *s, int operand)
{
    size_t bytes = (size_t)p->net->batch * lh_plan_per_image(&p->m->layers[pooling]);
    if (p->where[pooling] < 0) p->where[pooling] = lh_plan_value(p, lh_div_up(bytes, sizeof(float)));
    lh_plan_use(p, s, operand, p->where[pooling]);
}

static void forward_conv(lh_plan *p, int i, lh_phase phase)
{
    lh_conv_problem problem = lh_plan_conv(p, i);
    problem.stats = phase == LH_PHASE_TRAIN && makes_statistics(p, i);
    int pooling = p->pooling[i];
    problem.pool = pooling >= 0;
    problem.where = problem.pool && lh_plan_pool(p, pooling).where;
    lh_net_step *s = forward_step(p, &lh_conv_forward, &problem, i, phase, LH_CONVF_X, LH_CONVF_Y);
    lh_plan_bind(p, s, LH_CONVF_W, i, "weight", false);
    lh_plan_bind(p, s, LH_CONVF_BIAS, i, "bias", false);
    if (problem.where) use_where(p, pooling, s, LH_CONVF_WHERE);
    if (!problem.stats) return;
    p->statistics[i] = lh_plan_value(p, 2 * (size_t)problem.k);
    lh_plan_use(p, s, LH_CONVF_STATS, p->statistics[i]);
}

static void forward_dense(lh_plan *p, int i, lh_phase phase)
{
    lh_dense_problem problem = lh_plan_dense(p, i);
    lh_net_step *s =
        forward_step(p, &lh_dense_forward, &problem, i, phase, LH_DENSEF_X, LH_DENSEF_Y);
    lh_plan_bind(p, s, LH_DENSEF_W, i, "weight", false);
    lh_plan_bind(p, s, LH_DENSEF_BIAS, i, "bias", false);
}

/* The second operand of the addition that batch normalisation i computes too. */
static void use_addend(lh_plan *p, int i, lh_net_step *s, int operand, lh_phase phase)
{
    if (p->addition[i] < 0) return;
    const lh_layer *add = &p->m->layers[p->addition[i]];
    int rest = add->input == i ? add->other : add->input;
    lh_plan_use(p, s, operand, phase == LH_PHASE_TRAIN ? p->net->layer_value[rest] : p->eval_value[rest]);
}

static void forward_norm(lh_plan *p, int i, lh_phase phase)
{
    lh_batchnorm_problem problem = lh_plan_norm(p, i);
    problem.add = p->addition[i] >= 0;
    if (problem.add) problem.act = lh_plan_fused_act(p, p->addition[i]);
    if (phase == LH_PHASE_EVAL) {
        lh_net_step *e =
            forward_step(p, &lh_batchnorm_eval, &problem, i, phase, LH_BNE_X, LH_BNE_Y);
        use_addend(p, i, e, LH_BNE_ADD, phase);
        lh_plan_bind(p, e, LH_BNE_GAMMA, i, "weight", false);
        lh_plan_bind(p, e, LH_BNE_BETA, i, "bias", false);
        lh_plan_bind(p, e, LH_BNE_MEAN, i, "running_mean", false);
        lh_plan_bind(p, e, LH_BNE_VAR, i, "running_var", false);
        return;
    }
    int statistics = p->statistics[p->m->layers[i].input];
    problem.given = statistics >= 0;
    lh_net_step *s = forward_step(p, &lh_batchnorm_train, &problem, i, phase, LH_BNT_X, LH_BNT_Y);
    if (problem.given) lh_plan_use(p, s, LH_BNT_STATS, statistics);
    use_addend(p, i, s, LH_BNT_ADD, phase);
    p->saved[i] = lh_plan_value(p, 4 * (size_t)p->m->layers[i].c);
    lh_plan_use(p, s, LH_BNT_SAVED, p->saved[i]);
    lh_plan_bind(p, s, LH_BNT_GAMMA, i, "weight", false);
    lh_plan_bind(p, s, LH_BNT_BETA, i, "bias", false);
    lh_plan_bind(p, s, LH_BNT_RUNNING_MEAN, i, "running_mean", false);
    lh_plan_bind(p, s, LH_BNT_RUNNING_VAR, i, "running_var", false);
}

static void forward_add(lh_plan *p, int i, lh_phase phase)
{
    const lh_layer *l = &p->m->layers[i];
    if (p->addend[i] >= 0) {
        forward_norm(p, p->addend[i], phase);
        return;
    }
    lh_add_problem problem = {p->net->batch, lh_plan_per_image(l), lh_plan_fused_act(p, i)};
    lh_net_step *s = forward_step(p, &lh_add_forward, &problem, i, phase, LH_ADD_A, LH_ADD_Y);
    lh_plan_use(p, s, LH_ADD_B,
                phase == LH_PHASE_TRAIN ? p->net->layer_value[l->other] : p->eval_value[l->other]);
}

static void forward_dropout(lh_plan *p, int i, lh_phase phase)
{
    if (phase == LH_PHASE_EVAL) return; /* reads through: eval_value is the input's */
    lh_dropout_problem problem = lh_plan_dropout(p, i);
    lh_net_step *s =
        forward_step(p, &lh_dropout_forward, &problem, i, phase, LH_DROPF_X, LH_DROPF_Y);
    s->args.scalar[0] = p->m->layers[i].rate;
    s->args.stream = LH_STREAM_DROPOUT + 16u * (uint32_t)i;
}

static void forward_pool(lh_plan *p, int i, lh_phase phase)
{
    if (p->pooled[i] >= 0) {
        (lh_plan_is_norm(p, p->pooled[i]) ? forward_norm : forward_conv)(p, p->pooled[i], phase);
        return;
    }
    lh_pool_problem problem = lh_plan_pool(p, i);
    lh_net_step *s = forward_step(p, &lh_pool_forward, &problem, i, phase, LH_POOLF_X, LH_POOLF_Y);
    if (problem.where) use_where(p, i, s, LH_POOLF_WHERE);
}

static void forward_layer(lh_plan *p, int i, lh_phase phase)
{
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
    case LH_LAYER_AVGPOOL: forward_pool(p, i, phase); break;
    case LH_LAYER_SHORTCUT:
        shortcut = lh_plan_shortcut(p, i);
        forward_step(p, &lh_shortcut_forward, &shortcut, i, phase, LH_SHORTCUTF_X, LH_SHORTCUTF_Y);
        break;
    case LH_LAYER_FLATTEN:
        flatten = lh_plan_flatten(p, i);
        forward_step(p, &lh_flatten_forward, &flatten, i, phase, LH_FLATTEN_IN, LH_FLATTEN_OUT);
        break;
    case LH_LAYER_ACTIVATION:
        act = lh_plan_act(p, i);
        forward_step(p, &lh_activation_forward, &act, i, phase, LH_ACTF_X, LH_ACTF_Y);
        break;
    case LH_LAYER_INPUT: break;
    }
}

void lh_plan_forward(lh_plan *p)
{
    for (int i = 1; i < p->m->count && p->status == LEHR_OK; i++) {
        if ((lh_plan_is_norm(p, i) && p->addition[i] >= 0) || p->pooling[i] >= 0)
            continue; /* when the addition's or the pooling's turn comes */
        if (p->fused_into[i] >= 0) {
            p->net->layer_value[i] = p->net->layer_value[p->fused_into[i]];
            p->eval_value[i] = p->eval_value[p->fused_into[i]];
            continue;
        }
        p->net->layer_value[i] = lh_plan_output(p, i);
        int origin = p->addend[i] >= 0 ? p->addend[i] : p->pooled[i];
        if (origin >= 0)
            p->net->layer_value[origin] = p->eval_value[origin] = p->net->layer_value[i];
        p->eval_value[i] = p->m->layers[i].kind == LH_LAYER_DROPOUT
                               ? p->eval_value[p->m->layers[i].input]
                               : p->net->layer_value[i];
        if (p->net->training) forward_layer(p, i, LH_PHASE_TRAIN);
        forward_layer(p, i, LH_PHASE_EVAL);
        p->time++;
    }
}

/* The loss reads the last layer's value: dropout as the last layer would differ in evaluation. */
void lh_plan_loss(lh_plan *p)
{
    int last = p->m->count - 1;
    lh_network *net = p->net;
    lh_loss_problem problem = {net->batch, p->m->layers[last].c, net->loss};
    lh_net_step *s = lh_plan_step(p, &lh_loss, &problem, last, LH_PHASE_LOSS);
    net->logits_value = p->eval_value[last];
    lh_plan_use(p, s, LH_LOSS_LOGITS, net->layer_value[last]);
    p->gradient[last] = lh_plan_output(p, last);
    if (p->status != LEHR_OK) return;
    p->gradient_uses[p->gradient[last]] = 1;
    lh_plan_use(p, s, LH_LOSS_DLOGITS, p->gradient[last]);
    s->args.buf[LH_LOSS_LABELS] = net->labels;
    s->args.buf[LH_LOSS_VALUE] = net->loss_values;
    s->args.buf[LH_LOSS_CORRECT] = net->correct_values;
    p->time++;
}

