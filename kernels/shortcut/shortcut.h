/* SPDX-License-Identifier: MIT
 *
 * Parameter-free residual shortcut (He et al. 2015, option A): every stride-th pixel, channels
 * padded with zeros on both sides: y[n][i][j][o] = x[n][i*stride][j*stride][o - (k - c) / 2], 0
 * outside. backward: dx written whole (zeros at skipped pixels). */
#ifndef LH_SHORTCUT_H
#define LH_SHORTCUT_H

#include "kernels/op.h"

typedef struct lh_shortcut_problem {
    int n, c, h, w;
    int k, stride; /* k >= c; output is [n][ceil(h/stride)][ceil(w/stride)][k] */
} lh_shortcut_problem;

enum { LH_SHORTCUTF_X, LH_SHORTCUTF_Y };
enum { LH_SHORTCUTB_DY, LH_SHORTCUTB_DX };
extern const lh_op lh_shortcut_forward, lh_shortcut_backward;

/* The truth, in double. */
void lh_shortcut_forward_reference(const void *problem, const lh_host_args *args);
void lh_shortcut_backward_reference(const void *problem, const lh_host_args *args);

#endif
