/* SPDX-License-Identifier: MIT
 *
 * The bookkeeping of a training step on the device, so that the host need not wait: sums the loss
 * and the number of correct samples of a batch into a row of metrics, and decides how the optimizer
 * may use the gradients.
 *   metrics[offset] = {loss sum, correct sum, gradient norm, 0}
 *   with scalar[0] = 0 the sums are added to what the row holds, with 1 they replace it
 *   with scalar[1] = 1 (last micro-batch of an update):
 *     norm = sqrt(sumsq);  control[0] = scalar[2] > 0 && norm > scalar[2] ? scalar[2] / norm : 1
 *     control[1] = 1 when the loss sum or the norm is not finite; once 1 it stays 1: nothing is
 *     updated any more until the host has looked
 * sumsq is absent when the problem has no clipping. */
#ifndef LH_CONTROL_H
#define LH_CONTROL_H

#include "kernels/op.h"

enum { LH_METRIC_LOSS, LH_METRIC_CORRECT, LH_METRIC_NORM, LH_METRIC_WIDTH = 4 };

typedef struct lh_control_problem {
    int n;      /* largest batch */
    int rows;   /* of metrics */
    bool clip;  /* sumsq is there */
} lh_control_problem;

enum { LH_CONTROL_LOSS, LH_CONTROL_CORRECT, LH_CONTROL_SUMSQ, LH_CONTROL_METRICS,
       LH_CONTROL_CONTROL };
extern const lh_op lh_control;

#endif
