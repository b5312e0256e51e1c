/* SPDX-License-Identifier: MIT
 *
 * The numbers that may change from update to update: learning rate, parameters of the optimizer, label
 * smoothing, dropout, batch size; for the whole run and for parameter groups.  docs/hyperparameters.md
 * says what each is.  Made without a device, so that every mistake is told before anything is compiled. */
#ifndef LH_TUNING_H
#define LH_TUNING_H

#include <lehr/train.h>

#include "core/plugin/opaque.h"
#include "core/train/clock.h"
#include "core/train/groups.h"

typedef enum lh_tuned_kind {
    LH_TUNED_LR,
    LH_TUNED_PARAM,
    LH_TUNED_SMOOTHING,
    LH_TUNED_DROPOUT,
    LH_TUNED_BATCH
} lh_tuned_kind;

/* One number with a schedule. */
typedef struct lh_tuned {
    lh_tuned_kind kind;
    int param;       /* LH_TUNED_PARAM: its place */
    int group;       /* number of the user group, -1: the run */
    char key[64];    /* "momentum", "group1.lr": as in histories */
    char *spec;      /* as given */
    double base;
    lehr_scheduler *scheduler;
    double value;    /* of the last lh_tuning_set */
} lh_tuned;

typedef struct lh_tuning {
    lehr_context *ctx;
    lh_parameters parameters;
    lh_groups groups;
    lh_tuned *items; /* items[0] is the run's learning rate */
    uint32_t count, capacity;
    lh_clock clock;
    const char *tables; /* the directory of the run that is resumed, with such copies, or NULL */
    lh_str text;     /* all schedules resolved: "cosine(…); momentum: linear(…)" */
} lh_tuning;

/* images: of the training part.  Errors: LEHR_E_USAGE (what can be scheduled, with the list),
 * LEHR_E_PARAM (ranges, bases of 0), and those of schedules and optimizers. */
lehr_status lh_tuning_create(lehr_context *ctx, lehr_registry *registry, const lehr_model *model,
                             const lehr_train_params *p, uint64_t images, lh_tuning *out);
void lh_tuning_free(lh_tuning *tuning);
/* Keeps copies of the files that schedules were read from, table("lr.csv"), in a run's directory. */
lehr_status lh_tuning_save_tables(const lh_tuning *tuning, const char *directory);

/* What groups say once and for all. */
void lh_tuning_start(const lh_tuning *tuning, lh_updater *updater);
/* Sets everything for the update at place; updater or net may be NULL. */
lehr_status lh_tuning_set(lh_tuning *tuning, const lh_place *place, lh_updater *updater,
                          lh_network *net);
/* Of the last lh_tuning_set: the run's learning rate; label smoothing, where it is not scheduled
 * fixed. */
double lh_tuning_lr(const lh_tuning *tuning);
double lh_tuning_smoothing(const lh_tuning *tuning, double fixed);

/* Metric number i that any schedule waits for, NULL past the end. */
const char *lh_tuning_metric(const lh_tuning *tuning, uint32_t i);
lehr_status lh_tuning_observe(lh_tuning *tuning, uint64_t step, const char *metric, int32_t better,
                              double value);

/* State of the metric-driven parts of all schedules, for checkpoints. */
uint32_t lh_tuning_state_count(const lh_tuning *tuning);
void lh_tuning_get_state(const lh_tuning *tuning, double *out);
void lh_tuning_set_state(lh_tuning *tuning, const double *in);
/* What part i, counted through all schedules, keeps in memory of its own; NULL past the last. */
const lh_keeper *lh_tuning_keeper(const lh_tuning *tuning, uint32_t i);

#endif
