/* SPDX-License-Identifier: MIT
 *
 * Buffers of a network, and running its steps. */
#include "core/model/network_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/runtime/cache.h"
#include "kernels/batchnorm/batchnorm.h"
#include "kernels/conv/filters.h"
#include "kernels/dropout/dropout.h"

/* ---- values into memory ----
 *
 * Every value gets an offset in a block so that no two that are alive at one time overlap: largest
 * first, each as low as it fits.  One block is enough unless the device limits an allocation. */

static bool meet(const lh_value *a, const lh_value *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* Pages, or what the device wants of views. */
static size_t alignment(const lh_network *net)
{
    return lh_round_up(4096, lh_device_traits(net->dev)->base_align);
}

/* The lowest offset in a block at which v meets none of the count values placed before it. */
static size_t lowest_gap(const lh_network *net, const int *order, int count, const lh_value *v,
                         int block)
{
    size_t at = 0, align = alignment(net);
    for (bool moved = true; moved;) { /* each turn passes by one value, so it ends */
        moved = false;
        for (int i = 0; i < count; i++) {
            const lh_value *o = &net->values[order[i]];
            if (o->block != block || !meet(o, v) || o->offset >= at + v->bytes ||
                at >= o->offset + o->bytes)
                continue;
            at = lh_round_up(o->offset + o->bytes, align);
            moved = true;
        }
    }
    return at;
}

static void place(lh_network *net, const int *order, int count, size_t limit)
{
    lh_value *v = &net->values[order[count]];
    for (v->block = 0;; v->block++) {
        bool fresh = v->block == net->block_count;
        v->offset = fresh ? 0 : lowest_gap(net, order, count, v, v->block);
        if (fresh) net->block_count++;
        size_t end = v->offset + v->bytes;
        if (!fresh && end > limit) continue;
        if (net->blocks[v->block].bytes < end) net->blocks[v->block].bytes = end;
        return;
    }
}

/* Most bytes of values alive at one time. */
static size_t most_alive(const lh_network *net, int last_time)
{
    size_t most = 0;
    for (int time = -1; time <= last_time; time++) {
        size_t alive = 0;
        for (int v = 0; v < net->value_count; v++)
            if (net->values[v].first <= time && net->values[v].last >= time)
                alive += net->values[v].bytes;
        if (alive > most) most = alive;
    }
    return most;
}

static lehr_status place_values(lh_network *net)
{
    int *order = lh_alloc(net->ctx, (size_t)net->value_count, sizeof *order);
    net->blocks = lh_alloc(net->ctx, (size_t)net->value_count, sizeof *net->blocks);
    if (!order || !net->blocks) {
        free(order);
        return LEHR_E_MEMORY;
    }
    for (int i = 0; i < net->value_count; i++) { /* by size, then by number: the same every time */
        int k = i;
        for (; k > 0 && net->values[order[k - 1]].bytes < net->values[i].bytes; k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
    for (int i = 0; i < net->value_count; i++)
        place(net, order, i, lh_device_traits(net->dev)->max_alloc_bytes);
    free(order);
    return LEHR_OK;
}

static lehr_status make_buffers(lh_network *net)
{
    lehr_status st = LEHR_OK;
    for (int i = 0; i < net->block_count; i++) net->bytes += net->blocks[i].bytes;
    for (int i = 0; i < net->block_count && st == LEHR_OK; i++) {
        st = lh_buffer_create(net->dev, net->blocks[i].bytes, &net->blocks[i].mem);
        if (st != LEHR_OK)
            lh_fail_context(net->ctx, "the plan for batch %d wants %.0f MiB on the device: ",
                            net->batch, (double)net->bytes / 1048576.0);
    }
    for (int i = 0; i < net->value_count && st == LEHR_OK; i++) {
        lh_value *v = &net->values[i];
        st = lh_buffer_view(net->dev, net->blocks[v->block].mem, v->offset, v->bytes, &v->mem);
    }
    return st;
}

/* The logits outlive the step: they are read after a forward pass (predictions, diagnosis). */
static lehr_status make_values(lh_network *net)
{
    int last_time = 0;
    for (int i = 0; i < net->step_count; i++)
        if (net->steps[i].time > last_time) last_time = net->steps[i].time;
    net->values[net->logits_value].last = last_time;
    net->least_bytes = most_alive(net, last_time);
    lehr_status st = place_values(net);
    return st == LEHR_OK ? make_buffers(net) : st;
}

static cl_mem value_mem(const lh_network *net, int value) { return net->values[value].mem; }

static void resolve(lh_network *net)
{
    for (int i = 0; i < net->step_count; i++) {
        lh_net_step *s = &net->steps[i];
        s->args.workspace = net->workspace;
        for (int k = 0; k < LH_MAX_OPERANDS; k++)
            if (s->value[k] != LH_FIXED) s->args.buf[k] = value_mem(net, s->value[k]);
    }
}

static lehr_status make_small(lh_network *net)
{
    size_t bytes = (size_t)net->batch * 4;
    lehr_status st = lh_buffer_create(net->dev, bytes, &net->labels);
    if (st == LEHR_OK) st = lh_buffer_create(net->dev, bytes, &net->loss_values);
    if (st == LEHR_OK) st = lh_buffer_create(net->dev, bytes, &net->correct_values);
    net->bytes += 3 * bytes;
    return st;
}

lehr_status lh_network_create(lehr_device *dev, const lehr_model *model, int batch,
                              lh_loss_kind loss, bool training, lh_network **out)
{
    return lh_network_create_grouped(dev, model, batch, loss, training, NULL, out);
}

lehr_status lh_network_create_grouped(lehr_device *dev, const lehr_model *model, int batch,
                                      lh_loss_kind loss, bool training,
                                      const lh_grouping *grouping, lh_network **out)
{
    lehr_context *ctx = lh_device_context(dev);
    lh_network *net = lh_alloc(ctx, 1, sizeof *net);
    *out = net;
    if (!net) return LEHR_E_MEMORY;
    net->ctx = ctx;
    net->dev = dev;
    net->model = model;
    net->batch = batch;
    net->loss = loss;
    net->training = training;
    lehr_status st = lh_network_make_tensors(net, grouping);
    if (st == LEHR_OK) st = make_small(net);
    if (st == LEHR_OK) st = lh_network_plan(net);
    if (st == LEHR_OK) st = make_values(net);
    if (st == LEHR_OK && net->workspace_bytes)
        st = lh_buffer_create(dev, net->workspace_bytes, &net->workspace);
    net->bytes += net->workspace_bytes;
    if (st == LEHR_OK) st = lh_network_plan_filters(net);
    if (st == LEHR_OK) lh_kept_save(dev); /* what was checked is not checked again */
    if (st == LEHR_OK)
        resolve(net);
    else
        lh_network_destroy(out);
    return st;
}

void lh_network_destroy(lh_network **network)
{
    if (!network || !*network) return;
    lh_network *net = *network;
    for (int i = 0; i < net->step_count; i++) lh_exec_destroy(&net->steps[i].exec);
    lh_filters_destroy(&net->filters);
    for (int i = 0; i < net->value_count; i++) lh_buffer_free(&net->values[i].mem);
    for (int i = 0; i < net->block_count; i++) lh_buffer_free(&net->blocks[i].mem);
    for (uint32_t i = 0; i < net->tensor_count; i++) {
        lh_buffer_free(&net->tensor_view[i]);
        lh_buffer_free(&net->gradient_view[i]);
    }
    lh_buffer_free(&net->layout.weights);
    lh_buffer_free(&net->layout.gradients);
    lh_buffer_free(&net->stats);
    lh_buffer_free(&net->labels);
    lh_buffer_free(&net->loss_values);
    lh_buffer_free(&net->correct_values);
    lh_buffer_free(&net->workspace);
    free(net->tensors);
    free(net->params);
    free(net->groups);
    free(net->tensor_view);
    free(net->gradient_view);
    free(net->values);
    free(net->steps);
    free(net->blocks);
    free(net->layer_value);
    free(net->done_in);
    free(net);
    *network = NULL;
}

/* ---- running ---- */

static lehr_status run_step(lh_network *net, lh_net_step *s, int n, uint64_t seed, uint32_t draw)
{
    if (net->tags)
        lh_profile_tag(net->dev, 2 * (unsigned)s->layer + (s->phase == LH_PHASE_BACKWARD));
    s->args.n = n;
    s->args.seed = seed;
    s->args.epoch = draw;
    lehr_status st = lh_exec_run(s->exec, &s->args);
    if (st != LEHR_OK) lh_fail_context(net->ctx, "layer '%s': ", net->model->layers[s->layer].name);
    return st;
}

static lehr_status run_phase(lh_network *net, lh_phase phase, int n, uint64_t seed, uint32_t draw)
{
    lehr_status st = LEHR_OK;
    for (int i = 0; i < net->step_count && st == LEHR_OK; i++)
        if (net->steps[i].phase == phase) st = run_step(net, &net->steps[i], n, seed, draw);
    return st;
}

double lh_model_dropout(const lehr_model *m)
{
    float most = 0;
    for (int i = 0; i < m->count; i++)
        if (m->layers[i].kind == LH_LAYER_DROPOUT && m->layers[i].rate > most)
            most = m->layers[i].rate;
    char text[40];
    double shortest = 0; /* 0.1 as it was written, not the double of 0.1f */
    lh_format_float(most, text, sizeof text);
    return lh_parse_double(text, &shortest) ? shortest : (double)most;
}

void lh_network_set_dropout(lh_network *net, double rate)
{
    double part = rate / lh_model_dropout(net->model);
    for (int i = 0; i < net->step_count; i++) {
        const lh_layer *l = &net->model->layers[net->steps[i].layer];
        const lh_op *op = net->steps[i].exec->op;
        if (op == &lh_dropout_forward || op == &lh_dropout_backward)
            net->steps[i].args.scalar[0] = (float)((double)l->rate * part);
    }
}

lehr_status lh_network_forward(lh_network *net, int n, bool train, uint64_t seed, uint32_t draw)
{
    if (train) { /* backward draws the same dropout again */
        for (int i = 0; i < net->step_count; i++) {
            net->steps[i].args.seed = seed;
            net->steps[i].args.epoch = draw;
        }
    }
    lehr_status st = lh_network_make_filters(net);
    return st != LEHR_OK ? st : run_phase(net, train ? LH_PHASE_TRAIN : LH_PHASE_EVAL, n, seed, draw);
}

void lh_network_set_momentum(lh_network *net, float momentum)
{
    for (int i = 0; i < net->step_count; i++)
        if (net->steps[i].exec->op == &lh_batchnorm_train) net->steps[i].args.scalar[0] = momentum;
}

lehr_status lh_network_loss(lh_network *net, int n, float smoothing, float scale)
{
    for (int i = 0; i < net->step_count; i++) {
        lh_net_step *s = &net->steps[i];
        if (s->phase != LH_PHASE_LOSS) continue;
        s->args.scalar[0] = smoothing;
        s->args.scalar[1] = scale;
        return run_step(net, s, n, s->args.seed, s->args.epoch);
    }
    return LEHR_OK;
}

lehr_status lh_network_backward(lh_network *net, int n)
{
    lehr_status st = LEHR_OK;
    for (int i = 0; i < net->step_count && st == LEHR_OK; i++) {
        lh_net_step *s = &net->steps[i];
        if (s->phase == LH_PHASE_BACKWARD) st = run_step(net, s, n, s->args.seed, s->args.epoch);
    }
    return st;
}

lehr_status lh_network_warm_up(lh_network *net)
{
    size_t input = net->values[net->input_value].bytes;
    lehr_status st = lh_buffer_zero(net->dev, lh_network_input(net), 0, input);
    if (st == LEHR_OK) st = lh_buffer_zero(net->dev, net->labels, 0, (size_t)net->batch * 4);
    if (st == LEHR_OK && net->training) st = lh_network_forward(net, net->batch, true, 0, 0);
    if (st == LEHR_OK) st = lh_network_forward(net, net->batch, false, 0, 0);
    if (st == LEHR_OK) st = lh_network_loss(net, net->batch, 0, 1);
    if (st == LEHR_OK && net->training) st = lh_network_backward(net, net->batch);
    return st == LEHR_OK ? lehr_device_finish(net->dev) : st;
}

/* ---- finding what went wrong ---- */

static lehr_status all_finite(lh_network *net, cl_mem buffer, size_t count, bool *finite)
{
    float *copy = lh_alloc(net->ctx, count, sizeof *copy);
    if (!copy) return LEHR_E_MEMORY;
    lehr_status st = lh_buffer_read(net->dev, buffer, 0, count * sizeof *copy, copy);
    *finite = true;
    for (size_t i = 0; i < count && st == LEHR_OK; i++)
        if (!isfinite(copy[i])) *finite = false;
    free(copy);
    return st;
}

static lehr_status check_parameters(lh_network *net, int layer, bool *finite)
{
    lehr_status st = LEHR_OK;
    *finite = true;
    for (uint32_t i = 0; i < net->tensor_count && st == LEHR_OK && *finite; i++)
        if (net->tensors[i].layer == layer && !net->tensors[i].is_stat)
            st = all_finite(net, net->tensor_view[i], net->tensors[i].count, finite);
    return st;
}

lehr_status lh_network_find_nonfinite(lh_network *net, int n, uint64_t seed, uint32_t draw,
                                      const char **layer, const char **what)
{
    lehr_status st = lh_network_make_filters(net);
    bool finite = true;
    *layer = *what = NULL;
    for (int i = 0; i < net->step_count && st == LEHR_OK; i++) {
        lh_net_step *s = &net->steps[i];
        if (s->phase != LH_PHASE_TRAIN) continue;
        *layer = net->model->layers[s->layer].name;
        *what = "weights";
        st = check_parameters(net, s->layer, &finite);
        if (st != LEHR_OK || !finite) return st;
        st = run_step(net, s, n, seed, draw);
        const lh_value *y = &net->values[net->layer_value[s->layer]];
        size_t count = y->bytes / sizeof(float) / (size_t)net->batch * (size_t)n;
        *what = "output";
        if (st == LEHR_OK)
            st = all_finite(net, value_mem(net, net->layer_value[s->layer]), count, &finite);
        if (st != LEHR_OK || !finite) return st;
    }
    *layer = *what = NULL;
    return st;
}

/* ---- looking in ---- */

cl_mem lh_network_input(const lh_network *net) { return value_mem(net, net->input_value); }
const char *lh_network_done_in(const lh_network *net, int layer)
{
    int in = net->done_in[layer];
    return in >= 0 ? net->model->layers[in].name : NULL;
}

cl_mem lh_network_labels(const lh_network *net) { return net->labels; }
cl_mem lh_network_loss_values(const lh_network *net) { return net->loss_values; }
cl_mem lh_network_correct_values(const lh_network *net) { return net->correct_values; }
cl_mem lh_network_logits(const lh_network *net) { return value_mem(net, net->logits_value); }
const lh_arena_layout *lh_network_layout(const lh_network *net) { return &net->layout; }
cl_mem lh_network_stats(const lh_network *net) { return net->stats; }
size_t lh_network_stats_count(const lh_network *net) { return net->stats_count; }
uint32_t lh_network_tensor_count(const lh_network *net) { return net->tensor_count; }
int lh_network_batch(const lh_network *net) { return net->batch; }
const lehr_model *lh_network_model(const lh_network *net) { return net->model; }
size_t lh_network_bytes(const lh_network *net) { return net->bytes; }

lh_network_memory lh_network_get_memory(const lh_network *net)
{
    lh_network_memory m = {.least = net->least_bytes,
                           .workspace = net->workspace_bytes + lh_filters_bytes(net->filters)};
    for (int i = 0; i < net->block_count; i++) m.values += net->blocks[i].bytes;
    m.weights = net->bytes - m.values - m.workspace;
    return m;
}

void lh_network_set_tags(lh_network *net, bool on) { net->tags = on; }

const lh_named_tensor *lh_network_tensor(const lh_network *net, uint32_t i)
{
    return &net->tensors[i];
}

void lh_network_describe(const lh_network *net, lh_str *out)
{
    for (int i = 0; i < net->step_count; i++) {
        const lh_net_step *s = &net->steps[i];
        lh_str_printf(out, "%s %s %s\n", net->model->layers[s->layer].name, s->exec->op->name,
                      s->exec->variant->name);
    }
}
