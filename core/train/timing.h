/* SPDX-License-Identifier: MIT
 *
 * A model's training step (forward, loss, backward, SGD with momentum) on random data, to be run and
 * timed one by one: for lehr_time and the benches. */
#ifndef LH_TIMING_H
#define LH_TIMING_H

#include "core/model/network.h"
#include <lehr/train.h>

typedef struct lh_timing {
    lehr_context *ctx;
    lehr_device *dev;
    const lehr_model *model;
    lh_network *net;
    lh_updater *updater;
    cl_mem control, images, labels;
    int batch;
    uint64_t step;
} lh_timing;

/* Everything is compiled and was run once when it returns. */
lehr_status lh_timing_open(lehr_device *dev, lehr_registry *registry, const lehr_model *model,
                           int batch, lh_timing *out);
void lh_timing_close(lh_timing *t);
/* Queues so many steps, then waits: milliseconds of all of them. */
lehr_status lh_timing_run(lh_timing *t, unsigned steps, double *ms);

#endif
