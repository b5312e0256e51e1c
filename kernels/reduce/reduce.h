/* SPDX-License-Identifier: MIT
 *
 * Reductions to one number over n * per_image elements, in a fixed order (two stages, no atomics).
 *   sum: y[0] = sum x;  sumsq: y[0] = sum x^2;  maxabs: y[0] = max |x| (NaN when any x is NaN) */
#ifndef LH_REDUCE_H
#define LH_REDUCE_H

#include "kernels/op.h"

typedef enum lh_reduce_kind { LH_REDUCE_SUM, LH_REDUCE_SUMSQ, LH_REDUCE_MAXABS } lh_reduce_kind;

typedef struct lh_reduce_problem {
    int n;
    size_t per_image;
    lh_reduce_kind kind;
} lh_reduce_problem;

enum { LH_REDUCE_X, LH_REDUCE_Y };
extern const lh_op lh_reduce_all;

/* The truth, in double. */
void lh_reduce_reference(const void *problem, const lh_host_args *args);

#endif
