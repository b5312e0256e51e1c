/* SPDX-License-Identifier: MIT
 *
 * The weights a run is judged by.  Some optimizers train at one point and are evaluated at another
 * (averages, Schedule-Free): enter puts the latter into the network and measures the statistics of
 * batch normalisation anew, leave puts everything back, so that evaluating changes no bit of the
 * training. */
#include "core/train/trainer.h"

#include <math.h>

#include "kernels/control/control.h"

/* Training batches of the base size, whole ones where there are any, in the order of epoch 0, not
 * augmented, that the statistics are the plain mean of. */
enum { STATISTICS_BATCHES = 50 };

static size_t statistics_bytes(const lh_trainer *t)
{
    return lh_network_stats_count(t->net) * sizeof(float);
}

static lehr_status measure_statistics(lh_trainer *t)
{
    uint64_t most = (uint64_t)lh_network_batch(t->net), size = t->p.batch < most ? t->p.batch : most;
    uint64_t whole = t->split.train_count / size;
    uint64_t batches = whole > STATISTICS_BATCHES ? STATISTICS_BATCHES : whole ? whole : 1;
    int n = (int)(whole ? size : t->split.train_count);
    lh_epoch_order(t->split.train, t->split.train_count, t->p.seed, 0, true, t->order);
    t->order_epoch = 0; /* the next step asks for its own */
    lehr_status st = lh_feed_order(t->feed, LH_LIST_TRAIN, t->order, t->split.train_count);
    for (uint64_t k = 0; k < batches && st == LEHR_OK; k++) {
        st = lh_feed_batch(t->feed, t->net, LH_LIST_TRAIN, k * (uint64_t)n, n, false, 0, 0);
        lh_network_set_momentum(t->net, 1.0f / (float)(k + 1));
        if (st == LEHR_OK)
            st = lh_network_forward(t->net, n, true, t->p.seed, UINT32_MAX - (uint32_t)k);
    }
    lh_network_set_momentum(t->net, 0);
    return st;
}

/* Those of this step are measured once, however often they are asked for. */
static lehr_status use_statistics(lh_trainer *t)
{
    size_t bytes = statistics_bytes(t);
    cl_mem stats = lh_network_stats(t->net);
    lehr_status st = LEHR_OK;
    if (bytes == 0) return st;
    if (!t->kept_stats) st = lh_buffer_create(t->dev, bytes, &t->kept_stats);
    if (st == LEHR_OK && !t->eval_stats) st = lh_buffer_create(t->dev, bytes, &t->eval_stats);
    if (st == LEHR_OK) st = lh_buffer_copy(t->dev, stats, 0, t->kept_stats, 0, bytes);
    if (st == LEHR_OK && t->eval_stats_step == t->at.step)
        return lh_buffer_copy(t->dev, t->eval_stats, 0, stats, 0, bytes);
    if (st == LEHR_OK) st = measure_statistics(t);
    if (st == LEHR_OK) st = lh_buffer_copy(t->dev, stats, 0, t->eval_stats, 0, bytes);
    t->eval_stats_step = t->at.step;
    return st;
}

bool lh_trainer_has_eval(const lh_trainer *t)
{
    return lh_updater_has_eval(t->updater) && t->at.step > 0;
}

lehr_status lh_trainer_enter_eval(lh_trainer *t)
{
    if (!lh_trainer_has_eval(t)) return LEHR_OK;
    lehr_status st = lh_updater_enter_eval(t->updater, t->at.step, t->control_buffer);
    return st == LEHR_OK ? use_statistics(t) : st;
}

lehr_status lh_trainer_leave_eval(lh_trainer *t)
{
    size_t bytes = statistics_bytes(t);
    if (!lh_trainer_has_eval(t)) return LEHR_OK;
    lehr_status st = lh_updater_leave_eval(t->updater, t->at.step, t->control_buffer);
    return st == LEHR_OK && bytes
               ? lh_buffer_copy(t->dev, t->kept_stats, 0, lh_network_stats(t->net), 0, bytes)
               : st;
}

lehr_status lh_trainer_tell_loss(lh_trainer *t, unsigned row, uint64_t samples)
{
    float numbers[LH_METRIC_WIDTH];
    if (!lh_updater_needs_loss(t->updater)) return LEHR_OK;
    lehr_status st = lh_buffer_read(t->dev, t->metrics, row * sizeof numbers, sizeof numbers, numbers);
    bool finite = isfinite(numbers[LH_METRIC_LOSS]) && isfinite(numbers[LH_METRIC_NORM]);
    lh_updater_set_loss(t->updater,
                        finite ? (double)numbers[LH_METRIC_LOSS] / (double)samples : (double)NAN);
    return st;
}
