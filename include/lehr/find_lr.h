/* SPDX-License-Identifier: MIT
 *
 * The learning-rate range test: one short training run whose learning rate grows from update to
 * update, and what the curve of its loss suggests. */
#ifndef LEHR_FIND_LR_H
#define LEHR_FIND_LR_H

#include <lehr/train.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lehr_find_lr_params {
    lehr_train_params train; /* optimizer, batch, seed, augmentation, clipping, init, ...  Schedule,
                                lr, epochs, max_steps, early_stop, val_fraction and all files are
                                set by the test; on_event is told of the updates, and its
                                LEHR_STOP ends the run of this seed */
    double lr_min, lr_max;   /* first and last learning rate; 1e-7 and 10 */
    uint32_t steps;          /* how many learning rates; 100, at least 10 */
    uint32_t seeds;          /* runs with seeds train.seed, train.seed + 1, ...; 1 */
} lehr_find_lr_params;

typedef struct lehr_find_lr_result {
    uint32_t count;    /* learning rates until the loss blew up or lr_max was reached */
    double *lr;        /* as handed to the kernel */
    double *loss;      /* of the batch after the update with this lr; median over the seeds */
    double *smoothed;  /* running median of loss */
    uint32_t exceeded; /* 1: ended because the loss blew up */
    uint32_t falls;    /* 1: the loss falls by more than its scatter */
    /* Suggested learning rates; NaN when there is none.  Formulas: docs/find-lr.md. */
    double fall_begins, fall_ends; /* the range in which the loss falls */
    double valley;                 /* two thirds of that range: where to start */
    double steepest;               /* where the loss falls fastest */
    double lowest;                 /* of the lowest smoothed loss */
    double stable;                 /* the largest before the loss is back at its start */
} lehr_find_lr_result;

/* The defaults above and those of lehr_train_params_init. */
void lehr_find_lr_params_init(lehr_find_lr_params *params);

/* Runs the test: update t uses lr_min (lr_max / lr_min)^(t / (steps - 1)), t = 0, 1, ...  It ends at
 * lr_max, or when the smoothed loss exceeds four times its lowest value and the loss at the start,
 * or is not finite.  That is a result, not an error.  Nothing is written.  Source: L. N. Smith,
 * "Cyclical learning rates for training neural networks", 2017, section 3.3.
 * Errors: LEHR_E_PARAM, LEHR_E_DIVERGED (already the initial loss is not finite), others as
 * lehr_train; result is empty then.  Owner of result's arrays: the caller, lehr_find_lr_free. */
lehr_status lehr_find_lr(lehr_device *device, lehr_registry *registry, const lehr_model *model,
                         const lehr_data *data, const lehr_find_lr_params *params,
                         lehr_find_lr_result *result);
/* NULL-safe; the result is empty afterwards. */
void lehr_find_lr_free(lehr_find_lr_result *result);

#ifdef __cplusplus
}
#endif
#endif
