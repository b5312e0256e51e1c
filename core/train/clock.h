/* SPDX-License-Identifier: MIT
 *
 * Where an update stands in the data.  Everything here is a pure function of the number of updates made,
 * so nothing of it is kept in a checkpoint.
 *
 * Without a schedule of the batch size, update t takes the next batch * accumulate images of its epoch
 * (the last update of an epoch those that are left), an epoch has ceil(images / (batch * accumulate))
 * updates, and schedules are asked for update t.
 *
 * With one, the batch of an update is the schedule's value where the epoch stands.  Schedules - of the
 * batch and of everything else - are then asked for the update that a run with the base batch would make
 * at that place in the data: epoch * steps_per_epoch + floor(images used of the epoch / base images).
 * So "10ep" ends an epoch whatever the batch did before, and the number of updates is known before the
 * first: it is counted once, by walking through the epochs. */
#ifndef LH_CLOCK_H
#define LH_CLOCK_H

#include "core/base/base.h"
#include <lehr/schedule.h>

typedef struct lh_place {
    uint64_t update; /* number of the update, from 0 */
    uint64_t epoch;  /* epochs completed before it */
    uint64_t offset; /* images of the running epoch used before it */
    uint64_t step;   /* what schedules are asked for */
} lh_place;

typedef struct lh_clock {
    lehr_context *ctx;
    uint64_t images, epochs;          /* of the training part; of the run */
    uint32_t batch, accumulate, most; /* most: the largest batch of the run */
    uint64_t steps_per_epoch;         /* of the base batch */
    uint64_t total;                   /* updates of the run */
    lehr_scheduler *schedule;         /* of the batch, or NULL; not owned */
    uint64_t *first;                  /* with a schedule: first update of each epoch, then total */
    lh_place last;                    /* where it was asked last, to go on from */
} lh_clock;

/* The clock of a run with a constant batch. */
lh_clock lh_clock_make(lehr_context *ctx, uint64_t images, uint64_t epochs, uint32_t batch,
                       uint32_t accumulate);
/* The base run's budget: what durations of all schedules are measured against. */
lehr_budget lh_clock_budget(const lh_clock *clock, double base, uint64_t seed);
/* Walks through all epochs with a schedule of the batch.  Errors: LEHR_E_PARAM (a batch outside 1 to
 * 65536, more updates than are counted), the schedule's own. */
lehr_status lh_clock_schedule(lh_clock *clock, lehr_scheduler *schedule);
void lh_clock_free(lh_clock *clock);

lehr_status lh_clock_place(lh_clock *clock, uint64_t update, lh_place *out);
/* Images in a micro-batch of the update at place. */
lehr_status lh_clock_batch(lh_clock *clock, const lh_place *place, uint32_t *out);
/* Epochs completed after so many updates; and with the fraction of the running one. */
lehr_status lh_clock_epochs(lh_clock *clock, uint64_t updates, uint64_t *whole, double *fraction);

#endif
