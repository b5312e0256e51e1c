/* SPDX-License-Identifier: MIT
 *
 * The range test on a device: an ordinary training run with an exponential schedule, watched through
 * its events.  The loss of an update is measured before its weights change, so a learning rate is
 * judged by the loss of the update after it. */
#include <lehr/find_lr.h>

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/runtime/runtime.h"
#include "core/study/find_lr.h"

typedef struct finder {
    const lehr_find_lr_params *params;
    double *lr, *loss; /* of the seed at work; losses it did not reach are infinite */
    uint32_t count;    /* losses so far */
    double waiting;    /* learning rate whose loss comes next; NaN at first */
    double lowest;     /* running median so far */
    double *scratch;
    size_t radius;
    bool over, blown; /* no more updates wanted; because the loss blew up */
    uint32_t blown_seeds;
} finder;

void lehr_find_lr_params_init(lehr_find_lr_params *params)
{
    assert(params);
    *params = (lehr_find_lr_params){.lr_min = 1e-7, .lr_max = 10, .steps = 100, .seeds = 1};
    lehr_train_params_init(&params->train);
}

void lehr_find_lr_free(lehr_find_lr_result *r)
{
    if (!r) return;
    free(r->lr);
    free(r->loss);
    free(r->smoothed);
    *r = (lehr_find_lr_result){0};
}

/* ---- one seed ---- */

static void add_loss(finder *f, double loss)
{
    uint32_t i = f->count++;
    f->lr[i] = f->waiting;
    f->loss[i] = loss;
    /* only what has been: the median over the last few */
    size_t from = i > f->radius ? i - f->radius : 0, n = i + 1 - from;
    double median = lh_running_median(f->loss + from, n, n - 1, f->radius, f->scratch);
    if (i == 0 || median < f->lowest) f->lowest = median;
    size_t head = f->radius + 1 < f->count ? f->radius + 1 : f->count;
    double first = lh_running_median(f->loss, head, 0, f->radius, f->scratch);
    f->blown = lh_find_lr_exceeds(median, f->lowest, first);
    if (f->blown || f->count == f->params->steps) f->over = true;
}

static int on_event(void *user, const lehr_event *event)
{
    finder *f = user;
    const lehr_train_params *train = &f->params->train;
    if (f->over) return LEHR_STOP; /* steps that were queued already */
    if (train->on_event && train->on_event(train->user, event) == LEHR_STOP) f->over = true;
    if (strcmp(event->kind, "step") == 0) {
        if (isfinite(f->waiting)) add_loss(f, event->loss);
        f->waiting = event->lr;
    }
    return f->over ? LEHR_STOP : LEHR_CONTINUE;
}

/* Enough epochs for one more update than there are learning rates, and at least one to spare: a run
 * that is complete would evaluate the test images. */
static uint64_t epochs_for(const lehr_find_lr_params *p, const lehr_data *data)
{
    uint64_t images = lehr_data_get_info(data)->train_count;
    uint64_t per_update = (uint64_t)p->train.batch * p->train.accumulate;
    if (p->train.limit_train && p->train.limit_train < images) images = p->train.limit_train;
    uint64_t per_epoch = per_update ? (images + per_update - 1) / per_update : 1;
    return (p->steps + 1) / (per_epoch ? per_epoch : 1) + 1;
}

static lehr_train_params run_params(const lehr_find_lr_params *p, const lehr_data *data, uint32_t i,
                                    const char *schedule, finder *f)
{
    lehr_train_params train = p->train;
    train.schedule = schedule;
    train.lr = p->lr_min;
    train.epochs = epochs_for(p, data);
    train.max_steps = (uint64_t)p->steps + 1;
    train.seed = p->train.seed + i;
    train.val_fraction = 0;
    train.limit_val = 0;
    train.early_stop = 0;
    train.checkpoint_every = "none";
    train.out = train.resume = train.save_weights = NULL;
    train.on_event = on_event;
    train.user = f;
    return train;
}

/* ---- all seeds ---- */

static lehr_status check(lehr_context *ctx, const lehr_find_lr_params *p)
{
    if (!(p->lr_min > 0 && p->lr_max > p->lr_min && isfinite(p->lr_max)))
        return lh_fail(ctx, LEHR_E_PARAM, "the range of learning rates is %g to %g; give 0 < --lr-min "
                       "< --lr-max, such as 1e-7 and 10", p->lr_min, p->lr_max);
    if (p->steps < 10 || p->steps > 100000)
        return lh_fail(ctx, LEHR_E_PARAM, "%u learning rates; give --steps from 10 to 100000",
                       p->steps);
    if (p->seeds < 1 || p->seeds > 1000)
        return lh_fail(ctx, LEHR_E_PARAM, "%u seeds; give --seeds from 1 to 1000", p->seeds);
    return LEHR_OK;
}

static void write_schedule(const lehr_find_lr_params *p, lh_str *out)
{
    char gamma[32];
    lh_format_double(pow(p->lr_max / p->lr_min, 1.0 / (p->steps - 1)), gamma, sizeof gamma);
    lh_str_printf(out, "exponential(gamma=%s, every=1st)", gamma);
}

static lehr_status run_seeds(lehr_device *device, lehr_registry *registry, const lehr_model *model,
                             const lehr_data *data, finder *f, double *losses, uint32_t *longest)
{
    const lehr_find_lr_params *p = f->params;
    lehr_context *ctx = lh_device_context(device);
    lh_str schedule = {0};
    lehr_status st = LEHR_OK;
    write_schedule(p, &schedule);
    for (uint32_t i = 0; i < p->seeds && st == LEHR_OK; i++) {
        f->loss = losses + (size_t)i * p->steps;
        f->count = 0;
        f->waiting = NAN;
        f->over = f->blown = false;
        for (uint32_t k = 0; k < p->steps; k++) f->loss[k] = INFINITY;
        lehr_train_params train = run_params(p, data, i, lh_str_text(&schedule), f);
        st = lehr_train(device, registry, model, data, &train, NULL);
        if (st == LEHR_E_DIVERGED && isfinite(f->waiting)) {
            if (f->count < p->steps) f->lr[f->count++] = f->waiting; /* its loss stays infinite */
            f->blown = true;
            lh_enter(ctx);
            st = LEHR_OK;
        }
        f->blown_seeds += f->blown;
        if (f->count > *longest) *longest = f->count;
    }
    lh_str_free(&schedule);
    return st;
}

/* The median over seeds; a seed that ended earlier is infinite there. */
static void merge(const lehr_find_lr_params *p, const double *losses, double *scratch,
                  lehr_find_lr_result *r)
{
    for (uint32_t k = 0; k < r->count; k++) {
        for (uint32_t i = 0; i < p->seeds; i++) scratch[i] = losses[(size_t)i * p->steps + k];
        r->loss[k] = lh_median(scratch, p->seeds);
    }
}

static lehr_status find(lehr_device *device, lehr_registry *registry, const lehr_model *model,
                        const lehr_data *data, const lehr_find_lr_params *p,
                        lehr_find_lr_result *r)
{
    lehr_context *ctx = lh_device_context(device);
    finder f = {.params = p, .radius = lh_find_lr_radius(p->steps), .lr = r->lr};
    size_t scratch = 2 * f.radius + 1 > p->seeds ? 2 * f.radius + 1 : p->seeds;
    double *losses = lh_alloc(ctx, (size_t)p->seeds * p->steps, sizeof *losses);
    f.scratch = lh_alloc(ctx, scratch, sizeof *f.scratch);
    lehr_status st = losses && f.scratch ? LEHR_OK : LEHR_E_MEMORY;
    if (st == LEHR_OK) st = run_seeds(device, registry, model, data, &f, losses, &r->count);
    if (st == LEHR_OK) {
        r->exceeded = 2 * f.blown_seeds >= p->seeds; /* then their median is infinite */
        merge(p, losses, f.scratch, r);
        st = lh_find_lr_analyse(ctx, p->steps, r);
    }
    free(losses);
    free(f.scratch);
    return st;
}

lehr_status lehr_find_lr(lehr_device *device, lehr_registry *registry, const lehr_model *model,
                         const lehr_data *data, const lehr_find_lr_params *params,
                         lehr_find_lr_result *result)
{
    assert(device && model && data && params && result);
    lehr_context *ctx = lh_device_context(device);
    *result = (lehr_find_lr_result){0};
    lh_enter(ctx);
    lehr_status st = check(ctx, params);
    if (st != LEHR_OK) return st;
    result->lr = lh_alloc(ctx, params->steps, sizeof *result->lr);
    result->loss = lh_alloc(ctx, params->steps, sizeof *result->loss);
    result->smoothed = lh_alloc(ctx, params->steps, sizeof *result->smoothed);
    st = result->lr && result->loss && result->smoothed ? LEHR_OK : LEHR_E_MEMORY;
    if (st == LEHR_OK) st = find(device, registry, model, data, params, result);
    if (st != LEHR_OK) lehr_find_lr_free(result);
    return st;
}
