/* SPDX-License-Identifier: MIT
 *
 * What a run will be, before anything touches the device: do data and model fit, which images are for
 * what, how many updates, which schedules and groups, when to write checkpoints. */
#include "core/train/trainer.h"

#include <math.h>
#include <string.h>

/* "1ep", "500st", "none" into epochs or updates; 0 of both for none. */
static lehr_status checkpoint_interval(lh_trainer *t)
{
    const char *text = t->p.checkpoint_every;
    char digits[24];
    uint64_t n = 0;
    if (strcmp(text, "none") == 0) return LEHR_OK;
    size_t length = strspn(text, "0123456789");
    bool epochs = strcmp(text + length, "ep") == 0, steps = strcmp(text + length, "st") == 0;
    if (length > 0 && length < sizeof digits) {
        memcpy(digits, text, length);
        digits[length] = '\0';
        if ((epochs || steps) && lh_parse_u64(digits, &n) && n > 0 && n < UINT32_MAX) {
            if (epochs)
                t->checkpoint_epochs = n;
            else
                t->checkpoint_steps = n;
            return LEHR_OK;
        }
    }
    return lh_fail(t->ctx, LEHR_E_USAGE, "checkpoint interval '%s'; say 1ep, 500st or none", text);
}

static lehr_status check_shapes(lh_trainer *t)
{
    lehr_model_info m;
    const lehr_data_info *d = lehr_data_get_info(t->data);
    lehr_model_get_info(t->model, &m);
    if (m.channels != d->channels || m.height != d->height || m.width != d->width)
        return lh_fail(t->ctx, LEHR_E_SHAPE,
                       "model '%s' takes %ux%ux%u images but data set '%s' has %ux%ux%u", m.name,
                       m.channels, m.height, m.width, d->name, d->channels, d->height, d->width);
    if (m.classes < d->classes)
        return lh_fail(t->ctx, LEHR_E_SHAPE, "model '%s' tells %u classes apart but data set '%s' "
                       "has %u; change the last dense layer", m.name, m.classes, d->name,
                       d->classes);
    return LEHR_OK;
}

static lehr_status name_values(lh_trainer *t)
{
    if (t->tuning.count - 1 > LH_HISTORY_VALUES)
        return lh_fail(t->ctx, LEHR_E_USAGE, "%u schedules beside the learning rate's; at most %d",
                       t->tuning.count - 1, LH_HISTORY_VALUES);
    t->value_count = t->tuning.count - 1;
    for (uint32_t i = 0; i < t->value_count; i++) {
        t->value_names[i] = t->tuning.items[1 + i].key;
        t->values[i] = NAN;
    }
    return LEHR_OK;
}

static lehr_status plan_budget(lh_trainer *t)
{
    lehr_status st = lh_split_create(t->ctx, lehr_data_get_info(t->data)->train_count,
                                     t->p.limit_train, t->p.limit_val, t->p.val_fraction,
                                     &t->split);
    if (st == LEHR_OK)
        st = lh_tuning_create(t->ctx, t->registry, t->model, &t->p, t->split.train_count,
                              &t->tuning);
    if (st == LEHR_OK) st = name_values(t);
    if (st != LEHR_OK) return st;
    t->steps_per_epoch = t->tuning.clock.steps_per_epoch;
    t->total_steps = t->tuning.clock.total;
    t->last_step = t->p.max_steps && t->p.max_steps < t->total_steps ? t->p.max_steps
                                                                     : t->total_steps;
    if (t->total_steps > UINT32_MAX / t->p.accumulate)
        return lh_fail(t->ctx, LEHR_E_PARAM, "%llu updates are more than this version counts",
                       (unsigned long long)t->total_steps);
    t->order = lh_alloc(t->ctx, (size_t)t->split.train_count, sizeof *t->order);
    return t->order ? checkpoint_interval(t) : LEHR_E_MEMORY;
}

/* A schedule that waits for a number nobody measures would wait for ever. */
static lehr_status check_metrics(lh_trainer *t)
{
    static const char *const known[] = {"train.loss", "train.accuracy", "val.loss", "val.accuracy"};
    const char *name;
    for (uint32_t i = 0; (name = lh_tuning_metric(&t->tuning, i)) != NULL; i++) {
        size_t k = 0;
        while (k < LH_COUNT(known) && strcmp(name, known[k]) != 0) k++;
        if (k == LH_COUNT(known))
            return lh_fail(t->ctx, LEHR_E_USAGE, "the schedule waits for metric '%s'; measured are "
                           "train.loss, train.accuracy, val.loss and val.accuracy", name);
        if (strncmp(name, "val.", 4) == 0 && t->split.val_count == 0)
            return lh_fail(t->ctx, LEHR_E_USAGE, "the schedule waits for '%s' but nothing is kept for "
                           "validation; use --val-fraction 0.1 or metric=train.loss", name);
    }
    return LEHR_OK;
}

lehr_status lh_trainer_plan(lh_trainer *t)
{
    lehr_status st = check_shapes(t);
    if (st == LEHR_OK) st = plan_budget(t);
    return st == LEHR_OK ? check_metrics(t) : st;
}
