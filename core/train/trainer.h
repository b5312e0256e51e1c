/* SPDX-License-Identifier: MIT
 *
 * The inside of a training run; for core/train only.
 *   train.c       the loop: epochs, stopping, what is told to whom
 *   plan.c        what the run will be, before the device is touched
 *   step.c        one update on the device
 *   evaluation.c  the weights a run is judged by
 *   settings.c    run.json: arguments stored, read back, compared
 *   checkpoint.c  everything a run needs to go on, as one file
 *   feed.c        batches from data on the device
 *   tuning.c      what is scheduled; groups.c, clock.c below it */
#ifndef LH_TRAINER_H
#define LH_TRAINER_H

#include <lehr/train.h>

#include "core/base/files.h"
#include "core/data/split.h"
#include "core/model/network.h"
#include "core/train/feed.h"
#include "core/train/history.h"
#include "core/train/tuning.h"

enum { LH_LIST_TRAIN, LH_LIST_VALIDATION };
enum { LH_ROW_STEP, LH_ROW_OTHER_STEP, LH_ROW_EVALUATION, LH_ROWS };

/* What must survive an interruption, beside weights and slots. */
typedef struct lh_progress {
    uint64_t step;                       /* updates made */
    double loss_sum, correct_sum;        /* of the epoch in progress */
    uint64_t seen;                       /* samples of the epoch in progress */
    double seconds, epoch_seconds;       /* training time: whole run, epoch in progress */
    double best_val_loss, best_val_accuracy;
    uint64_t best_epoch, bad_epochs;     /* epochs since a better validation loss */
    double last_loss, last_accuracy, last_val_loss, last_val_accuracy; /* of the last whole epoch */
} lh_progress;

/* A step whose numbers have been asked for but not read yet. */
typedef struct lh_pending {
    bool on;
    cl_event event;
    float row[4];
    uint64_t step, count; /* update number from 1, samples in it */
    lh_place place;
    double lr;
    float values[LH_HISTORY_VALUES]; /* of what is scheduled beside it */
} lh_pending;

typedef struct lh_trainer {
    lehr_context *ctx;
    lehr_device *dev;
    lehr_registry *registry;
    const lehr_model *model;
    const lehr_data *data;
    lehr_train_params p;
    lehr_train_result *result;

    lh_split split;
    int32_t *order;
    lh_feed *feed, *test_feed;
    lh_network *net;
    lh_updater *updater;
    lh_tuning tuning;  /* schedules, groups, and where an update stands in the data */
    lh_exec *control, *sumsq, *clip, *accumulate;
    cl_mem metrics, control_buffer, sumsq_value, accumulated, workspace;
    cl_mem kept_stats, eval_stats; /* of training, during evaluation; for evaluation weights */
    uint64_t eval_stats_step;      /* step that eval_stats belong to, 0: none */

    uint64_t steps_per_epoch; /* of the base batch */
    uint64_t total_steps, last_step;
    uint64_t checkpoint_steps, checkpoint_epochs; /* 0: not by these */
    const char *value_names[LH_HISTORY_VALUES];   /* keys of tuning.items[1 + i] */
    double values[LH_HISTORY_VALUES]; /* of the last update whose numbers are known */
    uint32_t value_count;
    lh_progress at;
    lh_pending pending;
    bool lagging;      /* read the loss one step late, so that the queue never runs dry */
    bool stop, interrupted, diverged, checkpoint_wanted;
    double clock;      /* lh_now() when training time last started to count; 0: stopped */
    uint64_t order_epoch; /* epoch whose order is on the device, + 1 */

    lh_lock *lock;
    lh_history *history;
} lh_trainer;

/* step.c */
lehr_status lh_trainer_make(lh_trainer *t);
void lh_trainer_release(lh_trainer *t);
/* Queues update number at.step (0-based) and advances at.step. */
lehr_status lh_trainer_step(lh_trainer *t);
/* Reads the numbers of the step that is still pending, if any, and passes them on. */
lehr_status lh_trainer_flush(lh_trainer *t);
/* Mean loss and accuracy of a list of samples in evaluation mode; waits. */
lehr_status lh_trainer_evaluate(lh_trainer *t, lh_feed *feed, int list, uint64_t count,
                                double *loss, double *accuracy);
/* evaluation.c: between enter and leave the network has the weights and statistics to be judged by;
 * false, and nothing happens, when these are those of training. */
bool lh_trainer_has_eval(const lh_trainer *t);
lehr_status lh_trainer_enter_eval(lh_trainer *t);
lehr_status lh_trainer_leave_eval(lh_trainer *t);
/* Gives the optimizer the mean loss of a row of metrics, if it wants it; waits then. */
lehr_status lh_trainer_tell_loss(lh_trainer *t, unsigned row, uint64_t samples);
/* train.c: the numbers of one update have arrived. */
lehr_status lh_trainer_on_step(lh_trainer *t, const lh_pending *done);

/* plan.c: split, tuning and the numbers of updates; no device. */
lehr_status lh_trainer_plan(lh_trainer *t);

/* settings.c */
lehr_status lh_settings_check(lehr_context *ctx, const lehr_train_params *p);
/* Writes out/run.json; result is included when finished. */
lehr_status lh_settings_write(lh_trainer *t, bool finished);
typedef struct lh_settings lh_settings; /* run.json as read */
lehr_status lh_settings_read(lehr_context *ctx, const char *dir, lh_settings **out);
void lh_settings_free(lh_settings **settings);
/* Overwrites the settings in p by the stored ones; strings live as long as settings. */
void lh_settings_apply(const lh_settings *settings, lehr_train_params *p);
/* LEHR_E_USAGE naming the first setting that differs. */
lehr_status lh_settings_compare(lehr_context *ctx, const lh_settings *settings,
                                const lehr_train_params *p, const lehr_model *model,
                                const lehr_data *data);
/* LEHR_E_USAGE when a table file of the schedules is not what it was when the run in dir began. */
lehr_status lh_settings_same_tables(lehr_context *ctx, const char *dir, const char *schedules);
/* The kernels that the run had chosen are chosen again (kernels/select.h). */
lehr_status lh_settings_recall(const lh_settings *settings, lehr_device *dev);
const char *lh_settings_text(const lh_settings *settings, const char *section, const char *key);

/* checkpoint.c */
lehr_status lh_checkpoint_write(lh_trainer *t);
/* Restores the newest valid checkpoint of dir; skipped ones are named in the log. */
lehr_status lh_checkpoint_load(lh_trainer *t, const char *dir);
lehr_status lh_weights_write(lh_trainer *t, const char *path);
/* Weights and statistics from any safetensors file with our names.  Errors: LEHR_E_CHECKPOINT. */
lehr_status lh_weights_load(lehr_context *ctx, lehr_device *dev, lh_network *net, const char *path);
/* Path of the newest checkpoint in dir (allocated), or NULL with a message. */
char *lh_checkpoint_newest(lehr_context *ctx, const char *dir);

#endif
