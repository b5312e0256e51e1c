/* SPDX-License-Identifier: MIT
 *
 * An optimizer by itself: the program it becomes, and updates on a device where weights and gradients
 * are given and each is looked at.  What the author of a rule uses to see what it does, and judges to
 * compare it with another program's. */
#ifndef LEHR_OPTIMIZER_H
#define LEHR_OPTIMIZER_H

#include <lehr/device.h>
#include <lehr/schedule.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The OpenCL C program that an optimizer becomes on a device with these values (choices and missing
 * slots are compiled in; numbers are arguments).  Nothing is compiled.  text: free it with free().
 * Errors: those of lehr_optimizer_resolve. */
lehr_status lehr_optimizer_source(lehr_device *device, lehr_registry *registry, const char *spec,
                                  double weight_decay, char **text);

typedef struct lehr_tracer lehr_tracer;

typedef struct lehr_tracer_params {
    const char *optimizer; /* "adam(beta1=0.95)", "keras3:adam" */
    double weight_decay;   /* as --weight-decay; NaN: the optimizer's own */
    double base_lr;        /* what the learning rates are scheduled from, for rules that ask; NaN: each
                              update's own */
    const float *weights;  /* the start, copied */
    const uint64_t *dims;  /* shape of the one tensor: 2 dimensions are a matrix, 4 are filters */
    uint32_t ndim;         /* 1 to 4; the elements together at least 1 */
    uint32_t evaluated;    /* 1: the weights that the rule wants to be judged by are given out, where
                              they are others (averages) than those it goes on with */
} lehr_tracer_params;

/* Compiles the rule and puts the weights on the device.  Destroy before the device and the registry.
 * Errors: those of lehr_optimizer_resolve, LEHR_E_SHAPE, LEHR_E_DEVICE. */
lehr_status lehr_tracer_create(lehr_device *device, lehr_registry *registry,
                               const lehr_tracer_params *params, lehr_tracer **out);
/* From the next update on: "cosine(end=0)" drives the learning rate from budget->base, "momentum:
 * linear(end=0.5)" a schedulable parameter from its value.  Errors: LEHR_E_USAGE (not schedulable,
 * scheduled already), LEHR_E_PARAM, those of lehr_scheduler_create. */
lehr_status lehr_tracer_schedule(lehr_tracer *tracer, const char *text, const lehr_budget *budget);
/* All schedules resolved, "cosine(...); momentum: linear(...)"; "" when there is none. */
const char *lehr_tracer_schedules(const lehr_tracer *tracer);
/* A metric that one of them waits for, which a trace does not measure; NULL: none. */
const char *lehr_tracer_metric(const lehr_tracer *tracer);
/* One update with learning rate lr (>= 0; a schedule of it goes first), the loss (for rules that need
 * it; else NaN) and the gradient (as many floats as weights; any value, not finite ones too).  weights
 * receives the weights after it.  Waits.  Errors: LEHR_E_PARAM, LEHR_E_DEVICE. */
lehr_status lehr_tracer_step(lehr_tracer *tracer, double lr, double loss, const float *gradient,
                             float *weights);
/* 1: the rule needs the loss of each update; one that is not finite changes nothing. */
uint32_t lehr_tracer_needs_loss(const lehr_tracer *tracer);
/* The optimizer with every value written out; valid while the tracer lives. */
const char *lehr_tracer_text(const lehr_tracer *tracer);
/* NULL-safe, clears the pointer. */
void lehr_tracer_destroy(lehr_tracer **tracer);

#ifdef __cplusplus
}
#endif
#endif
