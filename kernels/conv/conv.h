/* SPDX-License-Identifier: MIT
 *
 * Two-dimensional convolution (cross-correlation, as all frameworks do).
 *   y[n][p][q][k] = act( bias[k] + sum_{c,r,s} x[n][ih][iw][c] * w[k][c][r][s] )
 *   where ih = p*stride_h - pad_top + r, iw = q*stride_w - pad_left + s, x = 0 outside the image
 *   dx = gather of dy with w;   dw[k][c][r][s] = sum_{n,p,q} dy * x;   dbias[k] = sum_{n,p,q} dy
 * x NHWC [n][h][w][c], y NHWC [n][p][q][k], w logical [k][c][r][s].  The backward passes take dy of
 * the convolution itself (the activation's backward has been applied).
 *
 * stats (forward): also the mean and the biased variance of y over its pixels per channel, stats [2][k], for
 * the batch normalisation behind it; without act.
 *
 * pool (forward): y and where are of the maxima of 2x2 windows with stride 2 of act(...), [n][p/2][q/2][k],
 * p and q being those before pooling and an odd last row or column being left out; where as in
 * kernels/pool/pool.h, with relu where act is; without stats.  Values that differ by rounding may give other
 * places (lh_op, misplaced).
 *
 * What backward data can do to dx behind the convolution, in one more pass over it (after.c):
 *   add      backward data: dx += add, another gradient of the same tensor
 *   mask     then dx = 0 where mask <= 0, mask being the output of the ReLU that made the tensor
 *   norm     then for the batch normalisation that made the tensor from x with saved [4][c] (kernels/
 *            batchnorm): dx = 0 where its ReLU did (LH_CONV_NORM_RELU), and sums [2][c] = sum dx,
 *            sum dx * (x - mean) */
#ifndef LH_CONV_H
#define LH_CONV_H

#include "kernels/activation/activation.h"

typedef enum lh_conv_norm { LH_CONV_NORM_NONE, LH_CONV_NORM_SUMS, LH_CONV_NORM_RELU } lh_conv_norm;

typedef struct lh_conv_problem {
    int n, c, h, w;     /* input */
    int k, r, s;        /* filters, filter height, filter width */
    int stride_h, stride_w;
    int pad_top, pad_left, pad_bottom, pad_right;
    int p, q;           /* output height and width; lh_conv_output fills them; less: the rest is left out */
    bool bias;
    lh_activation act;  /* forward only: LH_ACT_NONE or LH_ACT_RELU, fused */
    bool stats;         /* forward only */
    bool pool, where;   /* forward only; where: of pool */
    bool add, mask;     /* backward data only */
    lh_conv_norm norm;  /* backward data only */
} lh_conv_problem;

enum { LH_CONVF_X, LH_CONVF_W, LH_CONVF_BIAS, LH_CONVF_Y, LH_CONVF_STATS, LH_CONVF_WHERE };
enum {
    LH_CONVD_DY,
    LH_CONVD_W,
    LH_CONVD_DX,
    LH_CONVD_ADD,
    LH_CONVD_MASK,
    LH_CONVD_X,
    LH_CONVD_SAVED,
    LH_CONVD_SUMS
};
enum { LH_CONVW_X, LH_CONVW_DY, LH_CONVW_DW, LH_CONVW_DBIAS };

extern const lh_op lh_conv_forward, lh_conv_backward_data, lh_conv_backward_filter;

/* p and q from the other fields; false when the filter does not fit. */
bool lh_conv_output(lh_conv_problem *problem);

#endif
