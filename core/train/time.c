/* SPDX-License-Identifier: MIT
 *
 * Timing the training step of a model on random data: the whole step by the wall clock, layers by
 * device events in a second run. */
#include "core/train/timing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/philox.h"
#include "core/train/memory.h"

enum { WARM_UP = 3, PROFILED = 5 };

static size_t pixels(const lh_timing *t)
{
    lehr_model_info info;
    lehr_model_get_info(t->model, &info);
    return (size_t)t->batch * info.channels * info.height * info.width;
}

static lehr_status make_buffer(lehr_device *dev, size_t bytes, const void *values, cl_mem *out)
{
    lehr_status st = lh_buffer_create(dev, bytes, out);
    return st == LEHR_OK ? lh_buffer_write(dev, *out, 0, bytes, values) : st;
}

/* Uniform pixels and labels: real numbers, never zeros (those run at other speeds). */
static lehr_status random_batch(lh_timing *t)
{
    lehr_model_info info;
    lehr_model_get_info(t->model, &info);
    size_t count = pixels(t);
    float *x = lh_alloc(t->ctx, count, sizeof *x);
    int32_t *labels = lh_alloc(t->ctx, (size_t)t->batch, sizeof *labels);
    lehr_status st = x && labels ? LEHR_OK : LEHR_E_MEMORY;
    for (size_t i = 0; st == LEHR_OK && i < count; i++)
        x[i] = 3.4f * (lh_uniform(lh_philox_draw(1, i, LH_STREAM_USER, 0).v[0]) - 0.5f);
    for (int i = 0; st == LEHR_OK && i < t->batch; i++)
        labels[i] = (int32_t)lh_below(lh_philox_draw(1, (uint64_t)i, LH_STREAM_USER, 1).v[0],
                                      info.classes);
    if (st == LEHR_OK) st = make_buffer(t->dev, count * sizeof *x, x, &t->images);
    if (st == LEHR_OK)
        st = make_buffer(t->dev, (size_t)t->batch * sizeof *labels, labels, &t->labels);
    free(x);
    free(labels);
    return st;
}

lehr_status lh_timing_open(lehr_device *dev, lehr_registry *registry, const lehr_model *model,
                           int batch, lh_timing *t)
{
    const float control[2] = {1, 0};
    *t = (lh_timing){.ctx = lh_device_context(dev), .dev = dev, .model = model, .batch = batch};
    lehr_status st = lh_network_create(dev, model, batch, LH_LOSS_CROSS_ENTROPY, true, &t->net);
    if (st == LEHR_OK)
        st = lh_updater_create(dev, registry, "sgd(momentum=0.9)", NAN, lh_network_layout(t->net),
                               &t->updater);
    if (st == LEHR_OK) st = make_buffer(dev, sizeof control, control, &t->control);
    if (st == LEHR_OK) st = random_batch(t);
    if (st == LEHR_OK) st = lh_network_warm_up(t->net);
    if (st == LEHR_OK) st = lh_network_initialise(t->net, 1);
    if (st != LEHR_OK) lh_timing_close(t);
    return st;
}

void lh_timing_close(lh_timing *t)
{
    lh_updater_destroy(&t->updater);
    lh_network_destroy(&t->net);
    lh_buffer_free(&t->control);
    lh_buffer_free(&t->images);
    lh_buffer_free(&t->labels);
}

/* The input's memory is re-used within a step, so each begins with a copy; in training the batch is made on
 * the device, too. */
static lehr_status one_step(lh_timing *t, unsigned update_tag)
{
    lehr_status st = lh_buffer_copy(t->dev, t->images, 0, lh_network_input(t->net), 0,
                                    pixels(t) * sizeof(float));
    if (st == LEHR_OK)
        st = lh_buffer_copy(t->dev, t->labels, 0, lh_network_labels(t->net), 0,
                            (size_t)t->batch * sizeof(int32_t));
    if (st == LEHR_OK) st = lh_network_forward(t->net, t->batch, true, 1, (uint32_t)t->step);
    if (st == LEHR_OK) st = lh_network_loss(t->net, t->batch, 0, 1.0f / (float)t->batch);
    if (st == LEHR_OK) st = lh_network_backward(t->net, t->batch);
    lh_profile_tag(t->dev, update_tag);
    return st == LEHR_OK ? lh_updater_step(t->updater, ++t->step, 1e-4, t->control) : st;
}

lehr_status lh_timing_run(lh_timing *t, unsigned steps, double *ms)
{
    lehr_status st = LEHR_OK;
    double start = lh_now();
    for (unsigned i = 0; i < steps && st == LEHR_OK; i++) st = one_step(t, 0);
    if (st == LEHR_OK) st = lehr_device_finish(t->dev);
    *ms = 1e3 * (lh_now() - start);
    return st;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static lehr_status time_steps(lh_timing *t, uint32_t steps, lehr_time_result *result)
{
    double *ms = lh_alloc(t->ctx, steps, sizeof *ms);
    lehr_status st = ms ? LEHR_OK : LEHR_E_MEMORY;
    for (uint32_t i = 0; i < steps + WARM_UP && st == LEHR_OK; i++) {
        uint64_t before = lh_launch_count(t->dev);
        st = lh_timing_run(t, 1, &ms[i < WARM_UP ? 0 : i - WARM_UP]);
        result->launches = lh_launch_count(t->dev) - before;
    }
    if (st == LEHR_OK) {
        qsort(ms, steps, sizeof *ms, by_value);
        result->step_ms = steps % 2 ? ms[steps / 2] : 0.5 * (ms[steps / 2 - 1] + ms[steps / 2]);
        result->images_per_second = 1e3 * t->batch / result->step_ms;
    }
    free(ms);
    return st;
}

/* Medians per tag over a few profiled steps: ms[tags]. */
static lehr_status profile(lh_timing *t, unsigned tags, double *ms)
{
    double *all = lh_alloc(t->ctx, (size_t)tags * PROFILED, sizeof *all);
    lehr_status st = all ? LEHR_OK : LEHR_E_MEMORY;
    lh_network_set_tags(t->net, true);
    for (int i = 0; i < PROFILED && st == LEHR_OK; i++) {
        double *row = all + (size_t)i * tags;
        st = lh_profile_begin(t->dev, tags);
        if (st != LEHR_OK) break;
        st = one_step(t, tags - 1);
        if (st == LEHR_OK) st = lehr_device_finish(t->dev);
        lehr_status end = lh_profile_end(t->dev, row);
        if (st == LEHR_OK) st = end;
    }
    lh_network_set_tags(t->net, false);
    for (unsigned k = 0; k < tags && st == LEHR_OK; k++) {
        double column[PROFILED];
        for (int i = 0; i < PROFILED; i++) column[i] = all[(size_t)i * tags + k];
        qsort(column, PROFILED, sizeof *column, by_value);
        ms[k] = column[PROFILED / 2];
    }
    free(all);
    return st;
}

static lehr_status time_layers(lh_timing *t, lehr_time_result *result)
{
    const lehr_model *model = t->model;
    unsigned tags = 2 * (unsigned)model->count + 1;
    double *ms = lh_alloc(t->ctx, tags, sizeof *ms);
    result->layers = lh_alloc(t->ctx, (size_t)model->count + 1, sizeof *result->layers);
    lehr_status st = ms && result->layers ? profile(t, tags, ms) : LEHR_E_MEMORY;
    for (int i = 1; i < model->count && st == LEHR_OK; i++) {
        const lh_layer *l = &model->layers[i];
        double forward = ms[2 * i], backward = ms[2 * i + 1], total = forward + backward;
        /* backward of a layer with weights is two such products, of the first layer one */
        bool first = l->input == 0;
        double flops = (double)lh_layer_flops(model, i) * t->batch *
                       (lh_layer_parameters(model, i) ? (first ? 2 : 3) : 2);
        result->layers[result->layer_count++] = (lehr_layer_time){
            l->name, lh_layer_op(l), forward, backward, total > 0 ? 1e-6 * flops / total : 0,
            lh_network_done_in(t->net, i)};
    }
    if (st == LEHR_OK)
        result->layers[result->layer_count++] =
            (lehr_layer_time){"optimizer", "sgd", 0, ms[tags - 1], 0, NULL};
    free(ms);
    return st;
}

lehr_status lehr_time(lehr_device *device, lehr_registry *registry, const lehr_model *model,
                      uint32_t batch, uint32_t steps, lehr_time_result *result)
{
    lh_timing t = {0};
    lehr_context *ctx = lh_device_context(device);
    lh_enter(ctx);
    *result = (lehr_time_result){0};
    if (batch < 1 || batch > 65536 || steps < 1)
        return lh_fail(ctx, LEHR_E_PARAM, "batch and steps must be positive (batch at most 65536)");
    lehr_status st = lh_timing_open(device, registry, model, (int)batch, &t);
    if (st != LEHR_OK) return st;
    st = time_steps(&t, steps, result);
    if (st == LEHR_OK) st = time_layers(&t, result);
    result->memory = lh_memory_of(t.net, t.updater, 0);
    result->device_bytes = result->memory.total;
    lh_timing_close(&t);
    if (st != LEHR_OK) lehr_time_free(result);
    return st;
}

void lehr_time_free(lehr_time_result *result)
{
    free(result->layers);
    *result = (lehr_time_result){0};
}
