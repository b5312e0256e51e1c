/* SPDX-License-Identifier: MIT
 *
 * Flatten in the frameworks' order: y[n][(c*h + i)*w + j] = x[n][i][j][c] (NHWC to C, H, W order),
 * so that dense weights behind it are interchangeable with PyTorch's.  backward: the inverse. */
#ifndef LH_FLATTEN_H
#define LH_FLATTEN_H

#include "kernels/op.h"

typedef struct lh_flatten_problem {
    int n, c, h, w;
} lh_flatten_problem;

enum { LH_FLATTEN_IN, LH_FLATTEN_OUT };
extern const lh_op lh_flatten_forward, lh_flatten_backward;

/* The truth, in double. */
void lh_flatten_forward_reference(const void *problem, const lh_host_args *args);
void lh_flatten_backward_reference(const void *problem, const lh_host_args *args);

#endif
