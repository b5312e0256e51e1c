/* SPDX-License-Identifier: MIT
 *
 * Training and evaluation of one model on one data set. */
#ifndef LEHR_TRAIN_H
#define LEHR_TRAIN_H

#include <lehr/data.h>
#include <lehr/device.h>
#include <lehr/model.h>
#include <lehr/schedule.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a callback is told.  Numbers not known at the event are NaN. */
typedef struct lehr_event {
    const char *kind;          /* "start", "step", "epoch", "end" */
    uint64_t step;             /* updates made */
    uint64_t total_steps;      /* of the schedule's budget */
    uint64_t steps_per_epoch;  /* of the base batch */
    double epoch;              /* epochs completed, with fraction */
    double lr;                 /* as handed to the kernel in the last update */
    double loss, accuracy;     /* of the last batch (step) or mean over the epoch (epoch) */
    double val_loss, val_accuracy;
    double test_loss, test_accuracy; /* "end" only */
    double seconds;            /* training time so far, evaluation excluded */
    double images_per_second;
    uint64_t epochs;           /* of the run */
    /* What is scheduled beside the learning rate ("momentum", "group1.lr") and its value in the last
     * update; valid during the call. */
    const char *const *value_names;
    const double *values;
    uint32_t value_count;
    const char *schedule;      /* "start" only: all schedules with durations in updates */
} lehr_event;

/* A callback's answer. */
enum { LEHR_CONTINUE = 0, LEHR_STOP = 1, LEHR_CHECKPOINT = 2 };
typedef int (*lehr_event_fn)(void *user, const lehr_event *event);

typedef struct lehr_train_params {
    const char *optimizer;     /* "sgd(momentum=0.9, nesterov=1)"; default "sgd" */
    const char *schedule;      /* "warmup(1ep) * cosine(end=0)"; default "constant()".  Several, separated
                                  by ';': "cosine(); momentum: linear(end=0.85); batch: …"; a word and a
                                  colon in front name what is scheduled: lr, label_smoothing, dropout,
                                  batch or a parameter of the optimizer; docs/hyperparameters.md */
    const char *group;         /* parameter groups, "bias,norm: lr*2, weight_decay=0; conv1*: lr=0.01";
                                  default NULL: none */
    double lr;                 /* base learning rate; default NaN: the optimizer's or preset's own */
    uint64_t epochs;           /* the schedule's budget; default 1 */
    uint64_t max_steps;        /* stop after this many updates, with a checkpoint; 0: no limit */
    uint32_t batch;            /* default 128 */
    uint32_t accumulate;       /* micro-batches per update; default 1 */
    uint64_t seed;             /* default 1 */
    uint64_t limit_train, limit_val; /* use only the first N; 0: all */
    double val_fraction;       /* part of the training images kept for validation; default 0.1 */
    const char *augment;       /* "none" (default) or "standard": pad-4 crop and flip; "cutout" too */
    const char *normalize;     /* "dataset" (default): (x/255 - mean)/std; "unit": x/255 */
    const char *loss;          /* "cross_entropy" (default) or "l2" */
    uint32_t no_shuffle;
    double weight_decay;       /* default NaN: the optimizer's own */
    double clip_norm, clip_value; /* 0: off */
    double label_smoothing;    /* [0, 1) */
    uint32_t early_stop;       /* stop after this many epochs without a better validation loss; 0: off */
    const char *checkpoint_every; /* "1ep" (default), "500st", "none" */
    const char *init;          /* weights file to start from, or NULL */
    const char *save_weights;  /* weights file to write at the end, or NULL */
    const char *out;           /* run directory, or NULL: nothing is written */
    const char *resume;        /* run directory to continue, or NULL */
    lehr_event_fn on_event;    /* or NULL */
    void *user;
    const volatile int *stop_signal; /* becomes nonzero: finish the step, checkpoint, stop; or NULL */
} lehr_train_params;

/* Bytes of buffers on the device, by what they are for. */
typedef struct lehr_memory {
    uint64_t weights;           /* with their gradients and running statistics */
    uint64_t optimizer;         /* its state */
    uint64_t activations;       /* values of the step and their gradients, placed by lifetime */
    uint64_t activations_least; /* the most of them alive at one time: no plan needs less */
    uint64_t workspace;         /* shared by all kernels */
    uint64_t data;              /* images, labels and their order */
    uint64_t total;             /* all but activations_least */
} lehr_memory;

typedef struct lehr_train_result {
    uint64_t steps, epochs;
    double loss, accuracy;             /* training, last epoch */
    double val_loss, val_accuracy, best_val_accuracy; /* NaN without a validation part */
    double test_loss, test_accuracy;   /* NaN when the run did not reach its end */
    double seconds;                    /* training only */
    uint32_t diverged, interrupted, stopped_early;
    uint64_t best_epoch;
    lehr_memory memory;                /* zeros when the run stopped before its buffers were made */
} lehr_train_result;

/* Fills in all defaults. */
void lehr_train_params_init(lehr_train_params *params);

/* Trains.  Errors: LEHR_E_USAGE, LEHR_E_PARAM, LEHR_E_DATA, LEHR_E_CHECKPOINT, LEHR_E_DISK,
 * LEHR_E_DIVERGED (the message names update and layer; files up to there are kept),
 * LEHR_E_INTERRUPTED (checkpoint written), LEHR_E_DEVICE.  result is filled in every case. */
lehr_status lehr_train(lehr_device *device, lehr_registry *registry, const lehr_model *model,
                       const lehr_data *data, const lehr_train_params *params,
                       lehr_train_result *result);

/* Continues the run in params->resume with the model, data and settings stored there; callbacks,
 * stop_signal, max_steps and, where given, save_weights and checkpoint_every are the caller's. */
lehr_status lehr_train_resume(lehr_device *device, lehr_registry *registry,
                              const lehr_train_params *params, lehr_train_result *result);

typedef struct lehr_eval_result {
    double loss, accuracy;
    uint64_t count;
    double seconds;
} lehr_eval_result;

/* Evaluates a weights file or the newest checkpoint of a run directory on the test part (test 1) or
 * training part (test 0).  model and normalize may be NULL where the run directory or the weights file
 * says them (files written by lehr do).  Errors: LEHR_E_CHECKPOINT, LEHR_E_SHAPE, LEHR_E_USAGE. */
lehr_status lehr_evaluate(lehr_device *device, const lehr_model *model, const lehr_data *data,
                          const char *weights, int test, uint32_t batch, const char *normalize,
                          lehr_eval_result *result);

typedef struct lehr_layer_time {
    const char *name, *op;
    double forward_ms, backward_ms, gflops; /* GFLOP/s over forward and backward */
    const char *in; /* the layer whose forward pass does this one's, and whose time has it; or NULL */
} lehr_layer_time;

typedef struct lehr_time_result {
    double step_ms, images_per_second; /* median of many steps after warm-up */
    uint64_t launches;                 /* kernels per training step */
    uint64_t device_bytes;             /* buffers of the step: memory.total */
    lehr_memory memory;
    uint32_t layer_count;
    lehr_layer_time *layers;           /* free with lehr_time_free */
} lehr_time_result;

/* Times the training step (forward, backward, SGD with momentum) on random data. */
lehr_status lehr_time(lehr_device *device, lehr_registry *registry, const lehr_model *model,
                      uint32_t batch, uint32_t steps, lehr_time_result *result);
void lehr_time_free(lehr_time_result *result);

#ifdef __cplusplus
}
#endif
#endif
