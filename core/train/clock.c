/* SPDX-License-Identifier: MIT
 *
 * From the number of updates to epoch, images and schedule. */
#include "core/train/clock.h"

#include <math.h>
#include <stdlib.h>

enum { LARGEST_BATCH = 65536 };

lh_clock lh_clock_make(lehr_context *ctx, uint64_t images, uint64_t epochs, uint32_t batch,
                       uint32_t accumulate)
{
    uint64_t per_update = (uint64_t)batch * accumulate;
    lh_clock c = {.ctx = ctx, .images = images, .epochs = epochs, .batch = batch,
                  .accumulate = accumulate, .most = batch,
                  .steps_per_epoch = (images + per_update - 1) / per_update};
    c.total = c.steps_per_epoch * epochs;
    return c;
}

void lh_clock_free(lh_clock *c)
{
    free(c->first);
    *c = (lh_clock){0};
}

lehr_budget lh_clock_budget(const lh_clock *c, double base, uint64_t seed)
{
    return (lehr_budget){.base = base, .steps_per_epoch = c->steps_per_epoch,
                         .total_steps = c->steps_per_epoch * c->epochs, .seed = seed,
                         .samples_per_step = (uint64_t)c->batch * c->accumulate};
}

/* ---- with a schedule of the batch ---- */

static void set_step(const lh_clock *c, lh_place *p)
{
    p->step = p->epoch * c->steps_per_epoch + p->offset / ((uint64_t)c->batch * c->accumulate);
}

lehr_status lh_clock_batch(lh_clock *c, const lh_place *place, uint32_t *out)
{
    double value = 0;
    *out = c->batch;
    if (!c->schedule) return LEHR_OK;
    lehr_status st = lehr_scheduler_value(c->schedule, place->step, &value);
    if (st != LEHR_OK) return st;
    value = floor(value + 0.5);
    if (!(value >= 1 && value <= LARGEST_BATCH))
        return lh_fail(c->ctx, LEHR_E_PARAM, "the schedule of the batch gives %g images in epoch %llu: "
                       "it must be from 1 to %d", value, (unsigned long long)place->epoch + 1,
                       LARGEST_BATCH);
    *out = (uint32_t)value;
    return LEHR_OK;
}

/* The place after the one given. */
static lehr_status advance(lh_clock *c, lh_place *p)
{
    uint32_t batch = 0;
    lehr_status st = lh_clock_batch(c, p, &batch);
    if (st != LEHR_OK) return st;
    if (batch > c->most) c->most = batch;
    p->update++;
    p->offset += (uint64_t)batch * c->accumulate;
    if (p->offset >= c->images) {
        p->offset = 0;
        p->epoch++;
    }
    set_step(c, p);
    return LEHR_OK;
}

lehr_status lh_clock_schedule(lh_clock *c, lehr_scheduler *schedule)
{
    lh_place p = {0};
    lehr_status st = LEHR_OK;
    c->first = lh_alloc(c->ctx, (size_t)c->epochs + 1, sizeof *c->first);
    if (!c->first) return LEHR_E_MEMORY;
    c->schedule = schedule;
    c->most = 1;
    while (st == LEHR_OK && p.epoch < c->epochs) {
        st = advance(c, &p);
        if (p.offset == 0) c->first[p.epoch] = p.update;
        if (p.update >= UINT32_MAX / c->accumulate)
            return lh_fail(c->ctx, LEHR_E_PARAM, "more updates than this version counts");
    }
    c->total = p.update;
    c->last = (lh_place){0};
    return st;
}

/* The epoch that update lies in: the last one that begins at or before it. */
static uint64_t epoch_of(const lh_clock *c, uint64_t update)
{
    uint64_t low = 0, high = c->epochs;
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (c->first[middle] <= update)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* ---- asking ---- */

lehr_status lh_clock_place(lh_clock *c, uint64_t update, lh_place *out)
{
    lehr_status st = LEHR_OK;
    if (!c->schedule) {
        *out = (lh_place){update, update / c->steps_per_epoch,
                          update % c->steps_per_epoch * c->batch * c->accumulate, update};
        return LEHR_OK;
    }
    uint64_t epoch = epoch_of(c, update);
    lh_place p = c->last;
    if (p.epoch != epoch || p.update > update) {
        p = (lh_place){.update = c->first[epoch], .epoch = epoch};
        set_step(c, &p);
    }
    while (st == LEHR_OK && p.update < update) st = advance(c, &p);
    *out = c->last = p;
    return st;
}

lehr_status lh_clock_epochs(lh_clock *c, uint64_t updates, uint64_t *whole, double *fraction)
{
    lh_place p;
    lehr_status st = lh_clock_place(c, updates, &p);
    if (st != LEHR_OK) return st;
    *whole = p.epoch;
    *fraction = c->schedule ? (double)p.epoch + (double)p.offset / (double)c->images
                            : (double)updates / (double)c->steps_per_epoch;
    return LEHR_OK;
}
