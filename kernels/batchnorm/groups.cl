/* SPDX-License-Identifier: MIT
 *
 * Batch normalisation over pixels [m][C], for devices with work-groups.  -DC, -DRELU=0|1, -DADD=0|1;
 * -DPOOL=0|1|2: nothing, the maximum of 2x2 windows (-DW columns a row), the mean of images (-DHW pixels).
 * Sums are taken per slot of "per" pixels, then over slots; both in a fixed order:
 *   statistics, backward_sums   group (tile, slot) of -DLC channels x -DLP lanes: lane l takes
 *                               pixels l, l + LP, ...; then a halving tree in LC * LP floats of
 *                               local memory; reads are coalesced over channels
 *   merge, backward_merge       group (tile): lane l takes slots l, l + LP, …; the same tree
 *   coefficients                one work-item per channel
 *   apply, backward_apply       one work-item per element of what it writes, work-groups of -DLOCAL
 * part [slots][2][C] holds mean and sum of squared deviations of each slot (shifted by its first
 * pixel, so that |mean| >> sd costs no digits), or sum dz and sum dz * (x - mean).  Backward's work
 * is terms [3][C], then part: dx = terms0 * dz + terms1 * (x - mean) + terms2. */
#include "common.cl"
#include "sum_lanes.cl"
#include "slot_statistics.cl"

#define GROUP __kernel __attribute__((reqd_work_group_size(LC, LP, 1)))
#define EACH __kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))

float act(float z)
{
#if RELU
    return z < 0.0f ? 0.0f : z;
#else
    return z;
#endif
}

/* dy where the activation let z = scale * x + shift through. */
float through(float x, float dy, float scale, float shift)
{
#if RELU
    return fma(x, scale, shift) > 0.0f ? dy : 0.0f;
#else
    return dy;
#endif
}

#if POOL == 1
/* Number in its window, row by row, of the first maximum or last NaN, which is *maximum. */
uint find_maximum(__global const float *window, float scale, float shift, float *maximum)
{
    uint best = 0;
    float m = act(fma(window[0], scale, shift));
    for (uint k = 1; k < 4; k++) {
        float z = act(fma(window[((size_t)(k / 2) * W + k % 2) * C], scale, shift));
        if (z > m || isnan(z)) {
            m = z;
            best = k;
        }
    }
    *maximum = m;
    return best;
}
#endif

/* The gradient dz at a pixel; x and dy point at the channel. */
float gradient(__global const float *x, __global const float *dy, size_t pixel, float scale,
               float shift)
{
    float v = x[pixel * C];
#if POOL == 1 /* rows are even in number: no window lies in two images */
    size_t row = pixel / W, column = pixel % W;
    float maximum, d = dy[(row / 2 * (W / 2) + column / 2) * C];
    uint best = find_maximum(x + (row / 2 * 2 * W + column / 2 * 2) * C, scale, shift, &maximum);
    return best == row % 2 * 2 + column % 2 ? through(v, d, scale, shift) : 0.0f;
#elif POOL == 2
    return through(v, dy[pixel / HW * C] / HW, scale, shift);
#else
    return through(v, dy[pixel * C], scale, shift);
#endif
}

GROUP void batchnorm_statistics(__global const float *x, __global float *part, uint pixels,
                                uint per)
{
    __local float scratch[LC * LP];
    int c = min((int)get_global_id(0), C - 1);
    uint slot = (uint)get_group_id(1), first = slot * per, last = min(first + per, pixels);
    float2 found = slot_statistics(x, c, first, last, scratch);
    if (get_local_id(1) != 0 || get_global_id(0) >= C) return;
    part[(size_t)slot * 2 * C + c] = found.x;
    part[((size_t)slot * 2 + 1) * C + c] = found.y;
}

/* Whole-batch mean and variance from the slots'; running statistics; saved [4][C]. */
GROUP void batchnorm_merge(__global const float *part, __global const float *gamma,
                           __global const float *beta, __global float *running_mean,
                           __global float *running_var, __global float *saved, uint pixels,
                           uint per, float eps, float momentum)
{
    __local float scratch[LC * LP];
    int c = min((int)get_global_id(0), C - 1);
    uint slots = (pixels + per - 1) / per, lane = (uint)get_local_id(1);
    float first = part[c], sum = 0.0f, squares = 0.0f;
    for (uint k = lane; k < slots; k += LP) {
        float count = (float)(min(per, pixels - k * per));
        sum = fma(count, part[(size_t)k * 2 * C + c] - first, sum);
    }
    float offset = sum_lanes(sum, scratch) / (float)pixels;
    for (uint k = lane; k < slots; k += LP) {
        float count = (float)(min(per, pixels - k * per));
        float d = part[(size_t)k * 2 * C + c] - first - offset;
        squares += fma(count * d, d, part[((size_t)k * 2 + 1) * C + c]);
    }
    squares = sum_lanes(squares, scratch);
    if (lane != 0 || get_global_id(0) >= C) return;
    float mean = first + offset, inv_std = 1.0f / sqrt(squares / (float)pixels + eps);
    float scale = gamma[c] * inv_std;
    saved[c] = scale;
    saved[C + c] = fma(-mean, scale, beta[c]);
    saved[2 * C + c] = mean;
    saved[3 * C + c] = inv_std;
    float unbiased = squares / (float)max(pixels - 1, 1u);
    running_mean[c] = (1.0f - momentum) * running_mean[c] + momentum * mean;
    running_var[c] = (1.0f - momentum) * running_var[c] + momentum * unbiased;
}

/* Scale and shift [2][C] from running statistics. */
GROUP void batchnorm_coefficients(__global const float *gamma, __global const float *beta,
                                  __global const float *mean, __global const float *var,
                                  __global float *saved, float eps)
{
    int c = (int)get_global_id(0);
    if (c >= C || get_local_id(1) != 0) return;
    float scale = gamma[c] / sqrt(var[c] + eps);
    saved[c] = scale;
    saved[C + c] = fma(-mean[c], scale, beta[c]);
}

EACH void batchnorm_apply(__global const float *x, __global const float *saved,
                          __global const float *add, __global float *y, uint pixels)
{
    size_t i = get_global_id(0);
    int c = (int)(i % C);
    float scale = saved[c], shift = saved[C + c];
#if POOL == 1
    if (i >= (size_t)(pixels / 4) * C) return;
    size_t row = i / C / (W / 2), column = i / C % (W / 2);
    float maximum;
    find_maximum(x + (2 * row * W + 2 * column) * C + c, scale, shift, &maximum);
    y[i] = maximum;
#elif POOL == 2
    if (i >= (size_t)(pixels / HW) * C) return;
    float sum = 0.0f;
    for (uint k = 0; k < HW; k++) sum += act(fma(x[(i / C * HW + k) * C + c], scale, shift));
    y[i] = sum / HW;
#else
    if (i >= (size_t)pixels * C) return;
    float z = fma(x[i], scale, shift);
#if ADD
    z += add[i];
#endif
    y[i] = act(z);
#endif
}

GROUP void batchnorm_backward_sums(__global const float *x, __global const float *dy,
                                   __global const float *saved, __global float *work, uint pixels,
                                   uint per)
{
    __local float scratch[LC * LP];
    int c = min((int)get_global_id(0), C - 1);
    uint slot = (uint)get_group_id(1), first = slot * per, last = min(first + per, pixels);
    float scale = saved[c], shift = saved[C + c], mean = saved[2 * C + c], s = 0.0f, q = 0.0f;
    for (uint i = first + (uint)get_local_id(1); i < last; i += LP) {
        float dz = gradient(x + c, dy + c, i, scale, shift);
        s += dz;
        q = fma(dz, x[(size_t)i * C + c] - mean, q);
    }
    s = sum_lanes(s, scratch);
    q = sum_lanes(q, scratch);
    if (get_local_id(1) != 0 || get_global_id(0) >= C) return;
    __global float *part = work + 3 * C;
    part[(size_t)slot * 2 * C + c] = s;
    part[((size_t)slot * 2 + 1) * C + c] = q;
}

GROUP void batchnorm_backward_merge(__global float *work, __global const float *part, int at,
                                    __global const float *gamma, __global const float *saved,
                                    __global float *dgamma, __global float *dbeta, uint pixels,
                                    uint per)
{
    __local float scratch[LC * LP];
    part += at;
    int c = min((int)get_global_id(0), C - 1);
    uint slots = (pixels + per - 1) / per, lane = (uint)get_local_id(1);
    float s = 0.0f, q = 0.0f;
    for (uint k = lane; k < slots; k += LP) {
        s += part[(size_t)k * 2 * C + c];
        q += part[((size_t)k * 2 + 1) * C + c];
    }
    s = sum_lanes(s, scratch);
    q = sum_lanes(q, scratch);
    if (lane != 0 || get_global_id(0) >= C) return;
    float inv_std = saved[3 * C + c], direct = gamma[c] * inv_std;
    dbeta[c] = s;
    dgamma[c] = q * inv_std;
    work[c] = direct;
    work[C + c] = -direct * inv_std * (q * inv_std) / (float)pixels;
    work[2 * C + c] = -direct * s / (float)pixels;
}

EACH void batchnorm_backward_apply(__global const float *x, __global const float *dy,
                                   __global const float *saved, __global const float *terms,
                                   __global float *dx, uint pixels)
{
    size_t i = get_global_id(0);
    if (i >= (size_t)pixels * C) return;
    int c = (int)(i % C);
    float dz = gradient(x + c, dy + c, i / C, saved[c], saved[C + c]);
    float centred = x[i] - saved[2 * C + c];
    dx[i] = fma(terms[c], dz, fma(terms[C + c], centred, terms[2 * C + c]));
}
