/* SPDX-License-Identifier: MIT
 *
 * Kernels of a model on a device: measuring which are the fastest, checking that they are right, and
 * saying why which is used.  docs/tuning.md. */
#ifndef LEHR_TUNE_H
#define LEHR_TUNE_H

#include <lehr/device.h>
#include <lehr/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A kernel variant that could answer a problem, with its parameters. */
typedef struct lehr_tune_candidate {
    const char *variant;
    const char *parameters; /* "rows=6:nv=2"; "": all by rule */
    const char *outcome; /* "fastest", "slower", "hopeless" (not timed further: its first runs took
                            several times as long as another's), "default" (within 5 % of the fastest and
                            first in the table), "wrong", "differs" (from the others, not convicted),
                            "excluded" (declines, or was wrong before), "not timed"; without measuring
                            "chosen", "free" (could be chosen) or "excluded" */
    const char *reason;  /* of "excluded", "wrong" and "differs"; how it was chosen; or "" */
    double ms, gflops;   /* median; NaN where it was not timed */
} lehr_tune_candidate;

/* One problem: an op with its shapes.  Valid during the call. */
typedef struct lehr_tune_problem {
    const char *layer;       /* the first one that has it */
    const char *op, *problem; /* "conv.forward", "n=128 c=3 …" */
    uint32_t index, count;   /* of all problems */
    uint32_t candidate_count;
    const lehr_tune_candidate *candidates;
} lehr_tune_problem;

/* Called after each problem; nonzero stops. */
typedef int (*lehr_tune_fn)(void *user, const lehr_tune_problem *problem);

typedef struct lehr_tune_params {
    uint32_t batch;      /* default 128 */
    double seconds;      /* limit for the whole, default 60; a problem that was begun is finished */
    const char *op;      /* only ops whose names begin so, or NULL */
    uint32_t explain;    /* measure nothing: tell what is chosen, and why */
    uint32_t dry_run;    /* measure, but store nothing */
    uint32_t first_use;  /* leave out what was measured on this device before */
    lehr_tune_fn on_problem; /* or NULL */
    void *user;
} lehr_tune_params;

typedef struct lehr_tune_result {
    uint32_t problems, measured, wrong; /* problems with a choice; of them measured; variants found wrong */
    uint32_t changed;                   /* problems whose winner is not the default */
    double seconds;
    const char *path;                   /* where the rows are stored, "" : nowhere; the device's */
} lehr_tune_result;

/* Fills in all defaults. */
void lehr_tune_params_init(lehr_tune_params *params);

/* Times the variants of every problem of a model's training step in alternation, after comparing each
 * with the reference, and stores the fastest.  Errors: LEHR_E_PARAM, LEHR_E_USAGE (no such op),
 * LEHR_E_DEVICE, LEHR_E_MEMORY. */
lehr_status lehr_tune(lehr_device *device, const lehr_model *model, const lehr_tune_params *params,
                      lehr_tune_result *result);

typedef struct lehr_self_test_result {
    uint32_t kernels;         /* op, shapes and variant: what the model's training step uses */
    uint32_t checked, wrong;  /* compared with the reference; of them wrong */
    double seconds;
} lehr_self_test_result;

/* Compares the chosen kernels of a model's training step for a batch of two with the reference, whatever is
 * remembered, for about `seconds`; adds to result.  Wrong ones are told in the log, remembered and not
 * used again.  Errors: LEHR_E_DEVICE, LEHR_E_MEMORY. */
lehr_status lehr_self_test(lehr_device *device, const lehr_model *model, double seconds,
                           lehr_self_test_result *result);

/* Hands out, line by line, what was measured on this device and is not the default: a table as lehr
 * comes with for known devices (docs/tuning.md).  Errors: LEHR_E_MEMORY. */
lehr_status lehr_tune_export(lehr_device *device, void (*line)(void *user, const char *text),
                             void *user);

/* Compiles every kernel of a model's training step for this batch, as drivers that keep compiled kernels on
 * disk do it: each is run once, on one image of random data.  The last of the step come first, so that it
 * can work beside a process that begins with the first.  stop (or NULL) is asked between kernels.
 * compiled (or NULL): how many problems were done.  Errors: LEHR_E_PARAM, LEHR_E_DEVICE, LEHR_E_MEMORY. */
lehr_status lehr_compile(lehr_device *device, const lehr_model *model, uint32_t batch,
                         int (*stop)(void *user), void *user, uint32_t *compiled);
/* 0: some kernel of the step was never checked on this device, driver and version of lehr, so that it is
 * likely to be compiled when it is used.  1: all were, or it is not known (LEHR_CACHE=off). */
int lehr_is_compiled(lehr_device *device, const lehr_model *model, uint32_t batch);

#ifdef __cplusplus
}
#endif
#endif
