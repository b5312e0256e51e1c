/* SPDX-License-Identifier: MIT
 *
 * Batch normalisation over N, H, W of NHWC (hw = 1 for dense layers), optionally with ReLU behind
 * it. train: mean, var (biased) of the batch; y = act(gamma * (x - mean) / sqrt(var + eps) + beta);
 *          running = (1 - momentum) * running + momentum * batch, with the unbiased variance; scalar[0]
 *          above 0 is a momentum in place of the problem's
 * (PyTorch); saved [4][c]: scale = gamma * inv_std, shift = beta - mean * scale, mean, inv_std
 *   eval:  the same with the running statistics
 *   backward (of train): dz = dy where act(z) > 0; dbeta = sum dz; dgamma = sum dz * xhat;
 *          dx = gamma * inv_std * (dz - dbeta / m - xhat * dgamma / m), m = n * hw
 *   add    train and eval: y = act(gamma * … + beta + add), a residual addition
 *   pool   behind the activation, not with add or, in backward, given; w columns a row, h = hw / w:
 *          max2: the maximum of each 2x2 window, stride 2, h and w even; y and dy have n * hw / 4
 *          pixels. Backward finds the window's first maximum in row order, or last NaN, again from
 *          act(fma(x, scale, shift)) in float, as forward has it; dz there = dy where act(z) > 0, else 0
 *          mean: the mean of the image; y and dy have n pixels; dz = dy / hw where act(z) > 0
 *   given  train: stats [2][c], mean and biased variance of the batch, is an input (kernels/conv/conv.h,
 *          stats)
 *   given  backward: sums [2][c] = sum dz, sum dz * (x - mean) are inputs, and dy is dz, the
 *          activation's backward having been applied (kernels/conv/conv.h, norm)
 * dx may be the same buffer as dy without pool.  The variance must not lose digits for |mean| >> sd: shift or
 * two passes, tested. */
#ifndef LH_BATCHNORM_H
#define LH_BATCHNORM_H

#include "kernels/activation/activation.h"

typedef enum lh_batchnorm_pool {
    LH_BATCHNORM_ALONE,
    LH_BATCHNORM_MAX2,
    LH_BATCHNORM_MEAN
} lh_batchnorm_pool;

typedef struct lh_batchnorm_problem {
    int n, c, hw;
    float eps, momentum;
    lh_activation act; /* LH_ACT_NONE or LH_ACT_RELU */
    bool add, given;
    lh_batchnorm_pool pool;
    int w; /* of max2 only */
} lh_batchnorm_problem;

enum {
    LH_BNT_X,
    LH_BNT_GAMMA,
    LH_BNT_BETA,
    LH_BNT_RUNNING_MEAN,
    LH_BNT_RUNNING_VAR,
    LH_BNT_Y,
    LH_BNT_SAVED,
    LH_BNT_ADD,
    LH_BNT_STATS
};
enum { LH_BNE_X, LH_BNE_GAMMA, LH_BNE_BETA, LH_BNE_MEAN, LH_BNE_VAR, LH_BNE_Y, LH_BNE_ADD };
enum {
    LH_BNB_X,
    LH_BNB_DY,
    LH_BNB_GAMMA,
    LH_BNB_SAVED,
    LH_BNB_DX,
    LH_BNB_DGAMMA,
    LH_BNB_DBETA,
    LH_BNB_SUMS
};

extern const lh_op lh_batchnorm_train, lh_batchnorm_eval, lh_batchnorm_backward;

/* The truth, in double. */
void lh_batchnorm_train_reference(const void *problem, const lh_host_args *args);
void lh_batchnorm_eval_reference(const void *problem, const lh_host_args *args);
void lh_batchnorm_backward_reference(const void *problem, const lh_host_args *args);

#endif
