/* SPDX-License-Identifier: MIT
 *
 * One update on the device, and an evaluation pass.  An update is: for every micro-batch gather,
 * forward, loss, backward (gradients added up); then clip, decide (control), update the weights.
 * Nothing waits inside; the loss comes back afterwards, on GPUs while the next step runs. */
#include "core/train/trainer.h"

#include <math.h>
#include <stdlib.h>

#include "kernels/control/control.h"
#include "kernels/reduce/reduce.h"
#include "kernels/vector/vector.h"

static cl_mem gradient_arena(const lh_trainer *t)
{
    return t->accumulated ? t->accumulated : lh_network_layout(t->net)->gradients;
}

static lehr_status make_exec(lh_trainer *t, const lh_op *op, const void *problem, lh_exec **out,
                             size_t *workspace)
{
    lehr_status st = lh_exec_create(t->dev, op, problem, out);
    if (st == LEHR_OK && (*out)->workspace > *workspace) *workspace = (*out)->workspace;
    return st;
}

static lehr_status make_execs(lh_trainer *t)
{
    size_t count = lh_network_layout(t->net)->count, workspace = 0;
    lh_control_problem control = {(int)t->tuning.clock.most, LH_ROWS, t->p.clip_norm > 0};
    lh_reduce_problem sumsq = {1, count, LH_REDUCE_SUMSQ};
    lh_vector_problem clip = {1, count, LH_VECTOR_CLIP}, axpy = {1, count, LH_VECTOR_AXPY};
    lehr_status st = make_exec(t, &lh_control, &control, &t->control, &workspace);
    if (st == LEHR_OK && t->p.clip_norm > 0)
        st = make_exec(t, &lh_reduce_all, &sumsq, &t->sumsq, &workspace);
    if (st == LEHR_OK && t->p.clip_value > 0)
        st = make_exec(t, &lh_vector, &clip, &t->clip, &workspace);
    if (st == LEHR_OK && t->p.accumulate > 1)
        st = make_exec(t, &lh_vector, &axpy, &t->accumulate, &workspace);
    if (st == LEHR_OK && workspace) st = lh_buffer_create(t->dev, workspace, &t->workspace);
    return st;
}

static lehr_status make_buffers(lh_trainer *t)
{
    const float control[2] = {1, 0};
    size_t rows = LH_ROWS * LH_METRIC_WIDTH * sizeof(float);
    size_t arena = lh_network_layout(t->net)->count * sizeof(float);
    lehr_status st = lh_buffer_create(t->dev, rows, &t->metrics);
    if (st == LEHR_OK) st = lh_buffer_zero(t->dev, t->metrics, 0, rows);
    if (st == LEHR_OK) st = lh_buffer_create(t->dev, sizeof control, &t->control_buffer);
    if (st == LEHR_OK) st = lh_buffer_write(t->dev, t->control_buffer, 0, sizeof control, control);
    if (st == LEHR_OK) st = lh_buffer_create(t->dev, sizeof(float), &t->sumsq_value);
    if (st == LEHR_OK && t->p.accumulate > 1) st = lh_buffer_create(t->dev, arena, &t->accumulated);
    return st;
}

lehr_status lh_trainer_make(lh_trainer *t)
{
    bool l2 = t->p.loss && t->p.loss[0] == 'l';
    int batch = (int)t->tuning.clock.most;
    lh_grouping grouping = lh_groups_arena(&t->tuning.groups);
    lehr_status st = lh_feed_create(t->dev, t->data, 0, batch,
                                    lh_augment_find(t->p.augment),
                                    lh_normalize_find(t->p.normalize), &t->feed);
    if (st == LEHR_OK)
        st = lh_network_create_grouped(t->dev, t->model, batch,
                                       l2 ? LH_LOSS_L2 : LH_LOSS_CROSS_ENTROPY, true, &grouping,
                                       &t->net);
    if (st == LEHR_OK) st = make_buffers(t);
    if (st == LEHR_OK) st = make_execs(t);
    if (st == LEHR_OK) {
        lh_arena_layout layout = *lh_network_layout(t->net);
        layout.gradients = gradient_arena(t);
        st = lh_updater_create(t->dev, t->registry, t->p.optimizer, t->p.weight_decay, &layout,
                               &t->updater);
        if (st == LEHR_OK) lh_updater_set_base_lr(t->updater, t->tuning.items[0].base);
        if (st == LEHR_OK) lh_tuning_start(&t->tuning, t->updater);
    }
    t->lagging = !lh_device_traits(t->dev)->cpu_family;
    return st;
}

void lh_trainer_release(lh_trainer *t)
{
    if (t->pending.on) clReleaseEvent(t->pending.event);
    lh_updater_destroy(&t->updater);
    lh_exec_destroy(&t->control);
    lh_exec_destroy(&t->sumsq);
    lh_exec_destroy(&t->clip);
    lh_exec_destroy(&t->accumulate);
    lh_buffer_free(&t->metrics);
    lh_buffer_free(&t->control_buffer);
    lh_buffer_free(&t->sumsq_value);
    lh_buffer_free(&t->accumulated);
    lh_buffer_free(&t->kept_stats);
    lh_buffer_free(&t->eval_stats);
    lh_buffer_free(&t->workspace);
    lh_network_destroy(&t->net);
    lh_tuning_free(&t->tuning);
    lh_feed_destroy(&t->feed);
    lh_feed_destroy(&t->test_feed);
    lh_split_free(&t->split);
    free(t->order);
    lh_history_close(&t->history);
    lh_unlock_dir(&t->lock);
}

static lehr_status run_control(lh_trainer *t, int n, unsigned row, bool replace, bool last)
{
    lh_args a = {.n = n, .offset = row, .workspace = t->workspace};
    a.buf[LH_CONTROL_LOSS] = lh_network_loss_values(t->net);
    a.buf[LH_CONTROL_CORRECT] = lh_network_correct_values(t->net);
    a.buf[LH_CONTROL_SUMSQ] = t->sumsq_value;
    a.buf[LH_CONTROL_METRICS] = t->metrics;
    a.buf[LH_CONTROL_CONTROL] = t->control_buffer;
    a.scalar[0] = replace;
    a.scalar[1] = last;
    a.scalar[2] = (float)t->p.clip_norm;
    return lh_exec_run(t->control, &a);
}

/* Gradients of this micro-batch into the accumulated ones. */
static lehr_status add_gradients(lh_trainer *t, bool first)
{
    size_t bytes = lh_network_layout(t->net)->count * sizeof(float);
    cl_mem gradients = lh_network_layout(t->net)->gradients;
    if (!t->accumulated) return LEHR_OK;
    if (first) return lh_buffer_copy(t->dev, gradients, 0, t->accumulated, 0, bytes);
    lh_args a = {.n = 1, .workspace = t->workspace};
    a.buf[LH_VECTOR_X] = gradients;
    a.buf[LH_VECTOR_Y] = t->accumulated;
    a.scalar[0] = 1;
    return lh_exec_run(t->accumulate, &a);
}

static lehr_status clip_gradients(lh_trainer *t)
{
    lehr_status st = LEHR_OK;
    lh_args a = {.n = 1, .workspace = t->workspace};
    if (t->sumsq) {
        a.buf[LH_REDUCE_X] = gradient_arena(t);
        a.buf[LH_REDUCE_Y] = t->sumsq_value;
        st = lh_exec_run(t->sumsq, &a);
    }
    if (t->clip && st == LEHR_OK) {
        a.buf[LH_VECTOR_X] = NULL;
        a.buf[LH_VECTOR_Y] = gradient_arena(t);
        a.scalar[0] = (float)t->p.clip_value;
        st = lh_exec_run(t->clip, &a);
    }
    return st;
}

/* One micro-batch of an update that has `total` samples. */
static lehr_status micro_batch(lh_trainer *t, const lh_place *place, uint64_t done, int n,
                               uint64_t total, uint32_t draw, unsigned row)
{
    bool first = done == 0, last = done + (uint64_t)n == total;
    double smoothing = lh_tuning_smoothing(&t->tuning, t->p.label_smoothing);
    lehr_status st = lh_feed_batch(t->feed, t->net, LH_LIST_TRAIN, place->offset + done, n, true,
                                   t->p.seed, (uint32_t)place->epoch);
    if (st == LEHR_OK) st = lh_network_forward(t->net, n, true, t->p.seed, draw);
    if (st == LEHR_OK)
        st = lh_network_loss(t->net, n, (float)smoothing, 1.0f / (float)total);
    if (st == LEHR_OK) st = lh_network_backward(t->net, n);
    if (st == LEHR_OK) st = add_gradients(t, first);
    if (st == LEHR_OK && last) st = clip_gradients(t);
    return st == LEHR_OK ? run_control(t, n, row, first, last) : st;
}

static lehr_status need_order(lh_trainer *t, uint64_t epoch)
{
    if (t->order_epoch == epoch + 1) return LEHR_OK;
    lh_epoch_order(t->split.train, t->split.train_count, t->p.seed, epoch, !t->p.no_shuffle,
                   t->order);
    t->order_epoch = epoch + 1;
    return lh_feed_order(t->feed, LH_LIST_TRAIN, t->order, t->split.train_count);
}

/* Asks for the numbers of the step just queued; then takes those of the step before (or, when not
 * lagging, its own). */
static lehr_status exchange_pending(lh_trainer *t, lh_pending next, unsigned row)
{
    lehr_status st = t->lagging ? lh_trainer_flush(t) : LEHR_OK;
    if (st != LEHR_OK) return st;
    t->pending = next;
    st = lh_buffer_read_async(t->dev, t->metrics, row * sizeof t->pending.row,
                              sizeof t->pending.row, t->pending.row, &t->pending.event);
    t->pending.on = st == LEHR_OK;
    clFlush(lh_device_queue(t->dev));
    return st == LEHR_OK && !t->lagging ? lh_trainer_flush(t) : st;
}

/* All micro-batches of an update: gradients and metrics. */
static lehr_status gradients(lh_trainer *t, const lh_place *place, uint64_t *total, unsigned row)
{
    uint32_t batch = 0;
    lehr_status st = lh_clock_batch(&t->tuning.clock, place, &batch);
    uint64_t per_update = (uint64_t)batch * t->p.accumulate;
    uint64_t left = t->split.train_count - place->offset;
    *total = left < per_update ? left : per_update;
    for (uint64_t done = 0, micro = 0; done < *total && st == LEHR_OK; micro++) {
        uint64_t n = *total - done < batch ? *total - done : batch;
        uint32_t draw = (uint32_t)(place->update * t->p.accumulate + micro);
        st = micro_batch(t, place, done, (int)n, *total, draw, row);
        done += n;
    }
    return st;
}

lehr_status lh_trainer_step(lh_trainer *t)
{
    unsigned row = t->at.step % 2 ? LH_ROW_OTHER_STEP : LH_ROW_STEP;
    lh_pending next = {.on = false};
    lehr_status st = lh_clock_place(&t->tuning.clock, t->at.step, &next.place);
    if (st == LEHR_OK) st = need_order(t, next.place.epoch);
    if (st == LEHR_OK) st = lh_tuning_set(&t->tuning, &next.place, t->updater, t->net);
    if (st == LEHR_OK) st = gradients(t, &next.place, &next.count, row);
    if (st == LEHR_OK) st = lh_trainer_tell_loss(t, row, next.count);
    if (st == LEHR_OK)
        st = lh_updater_step(t->updater, t->at.step + 1, lh_tuning_lr(&t->tuning),
                             t->control_buffer);
    if (st != LEHR_OK) return st;
    next.step = ++t->at.step;
    next.lr = (double)lh_updater_last_lr(t->updater);
    for (uint32_t i = 0; i < t->value_count; i++)
        next.values[i] = (float)t->tuning.items[1 + i].value;
    return exchange_pending(t, next, row);
}

lehr_status lh_trainer_flush(lh_trainer *t)
{
    if (!t->pending.on) return LEHR_OK;
    lehr_status st =
        lh_cl_check(t->ctx, clWaitForEvents(1, &t->pending.event), "waiting for step %llu",
                    (unsigned long long)t->pending.step);
    clReleaseEvent(t->pending.event);
    t->pending.on = false;
    if (st != LEHR_OK) return st;
    lh_pending done = t->pending;
    return lh_trainer_on_step(t, &done);
}

lehr_status lh_trainer_evaluate(lh_trainer *t, lh_feed *feed, int list, uint64_t count,
                                double *loss, double *accuracy)
{
    float row[LH_METRIC_WIDTH] = {0};
    uint64_t most = (uint64_t)lh_network_batch(t->net);
    lehr_status st = t->updater ? lh_trainer_enter_eval(t) : LEHR_OK;
    for (uint64_t done = 0; done < count && st == LEHR_OK;) {
        int n = (int)(count - done < most ? count - done : most);
        st = lh_feed_batch(feed, t->net, list, done, n, false, 0, 0);
        if (st == LEHR_OK) st = lh_network_forward(t->net, n, false, 0, 0);
        if (st == LEHR_OK) st = lh_network_loss(t->net, n, 0, 1);
        if (st == LEHR_OK) st = run_control(t, n, LH_ROW_EVALUATION, done == 0, false);
        done += (uint64_t)n;
    }
    if (st == LEHR_OK)
        st = lh_buffer_read(t->dev, t->metrics, LH_ROW_EVALUATION * sizeof row, sizeof row, row);
    if (st == LEHR_OK && t->updater) st = lh_trainer_leave_eval(t);
    *loss = (double)row[LH_METRIC_LOSS] / (double)count;
    *accuracy = (double)row[LH_METRIC_CORRECT] / (double)count;
    return st;
}
