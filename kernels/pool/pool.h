/* SPDX-License-Identifier: MIT
 *
 * Pooling over NHWC.
 *   max: y = max over the window (padding never wins; the first maximum in row order gets the
 * gradient) avg: y = mean over the window, padding counted as zero (divisor r * s, as PyTorch's
 * default) global average: r = h, s = w, no padding: y[n][c] A NaN in a window is its maximum.
 * backward: dx is written whole (zeros where no gradient arrives); avg does not need x (count 0).
 *   relu: x is the output of a ReLU, and dx the gradient of its input: zero where x is not above zero.
 *   where: of max with r * s < LH_POOL_NOWHERE: forward writes a byte per output, and backward reads it in
 *          place of x: i * s + j for the window's row i and column j that get the gradient, counted from the
 *          window's origin even where that lies in the padding; LH_POOL_NOWHERE with relu and a maximum not
 *          above zero
 */
#ifndef LH_POOL_H
#define LH_POOL_H

#include "kernels/op.h"

typedef enum lh_pool_kind { LH_POOL_MAX, LH_POOL_AVG } lh_pool_kind;

typedef struct lh_pool_problem {
    int n, c, h, w;
    lh_pool_kind kind;
    int r, s, stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right;
    int p, q; /* output; lh_pool_output fills them (floor) */
    bool relu; /* of max; forward heeds it in where only */
    bool where;
} lh_pool_problem;

enum { LH_POOL_NOWHERE = 255 };
enum { LH_POOLF_X, LH_POOLF_Y, LH_POOLF_WHERE };
enum { LH_POOLB_X, LH_POOLB_DY, LH_POOLB_DX, LH_POOLB_WHERE };

extern const lh_op lh_pool_forward, lh_pool_backward;
/* Fills p and q; false when the window does not fit the padded input. */
bool lh_pool_output(lh_pool_problem *problem);

/* The truth, in double. */
void lh_pool_forward_reference(const void *problem, const lh_host_args *args);
void lh_pool_backward_reference(const void *problem, const lh_host_args *args);

#endif
