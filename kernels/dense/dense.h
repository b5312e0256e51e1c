/* SPDX-License-Identifier: MIT
 *
 * Fully connected layer.
 *   y[n][o] = act( bias[o] + sum_i x[n][i] * w[o][i] )
 *   dx[n][i] = sum_o dy[n][o] * w[o][i];  dw[o][i] = sum_n dy[n][o] * x[n][i];  dbias[o] = sum_n dy[n][o]
 * w logical [out][in] as in PyTorch. */
#ifndef LH_DENSE_H
#define LH_DENSE_H

#include "kernels/activation/activation.h"

typedef struct lh_dense_problem {
    int n, in, out;
    bool bias;
    lh_activation act; /* forward only: LH_ACT_NONE or LH_ACT_RELU, fused */
} lh_dense_problem;

enum { LH_DENSEF_X, LH_DENSEF_W, LH_DENSEF_BIAS, LH_DENSEF_Y };
enum { LH_DENSED_DY, LH_DENSED_W, LH_DENSED_DX };
enum { LH_DENSEW_X, LH_DENSEW_DY, LH_DENSEW_DW, LH_DENSEW_DBIAS };

extern const lh_op lh_dense_forward, lh_dense_backward_data, lh_dense_backward_filter;

#endif
