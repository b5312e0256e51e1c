/* SPDX-License-Identifier: MIT
 *
 * Batch normalisation whose batch's mean and variance stats [2][C] are there already: running statistics
 * and saved [4][C], as batchnorm_merge leaves them.  -DC, -DLOCAL.  Launch: 1-D, a work-item a channel. */
#include "common.cl"

__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
void batchnorm_given(__global const float *stats, __global const float *gamma,
                     __global const float *beta, __global float *running_mean,
                     __global float *running_var, __global float *saved, uint pixels, float eps,
                     float momentum)
{
    int c = get_global_id(0);
    if (c >= C) return;
    float mean = stats[c], var = stats[C + c], inv_std = 1.0f / sqrt(var + eps);
    float scale = gamma[c] * inv_std;
    saved[c] = scale;
    saved[C + c] = fma(-mean, scale, beta[c]);
    saved[2 * C + c] = mean;
    saved[3 * C + c] = inv_std;
    float unbiased = var * ((float)pixels / (float)max(pixels - 1, 1u));
    running_mean[c] = (1.0f - momentum) * running_mean[c] + momentum * mean;
    running_var[c] = (1.0f - momentum) * running_var[c] + momentum * unbiased;
}
