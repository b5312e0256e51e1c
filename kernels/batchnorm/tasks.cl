/* SPDX-License-Identifier: MIT
 *
 * Batch normalisation over pixels [m][C], one work-item per task (CPU family).  -DC, -DRELU=0|1, -DADD=0|1;
 * -DPOOL=2 (backward): dy is that of the mean of -DHW pixels; -DPAST=0|1: y is stored past the caches;
 * -DVW divides C; -DBLOCK vectors are summed at a time (BLOCK * VW divides C); -DAPPLY pixels of a task of
 * apply.  What is not given is 0; statistics and merges need only C, VW, BLOCK.
 * The kernels, their arguments and part [slots][2][C] are those of groups.cl:
 *   statistics, backward_sums            task = slot of "per" pixels, summed in order
 *   merge, coefficients, backward_merge  task = VW channels, slots summed in order
 *   apply, backward_apply                task = APPLY pixels
 * No local memory, no barriers. */
#include "batchnorm/vectors.cl"

LH_TASK void batchnorm_statistics(__global const float *restrict x, __global float *restrict part,
                                  uint pixels, uint per)
{
    uint first = (uint)get_group_id(0) * per, count = min(per, pixels - first);
    x += (size_t)first * C;
    part += get_group_id(0) * (size_t)(2 * C);
    for (int c = 0; c < C; c += WIDE) {
        LH_V shift[BLOCK], s[BLOCK], q[BLOCK];
#pragma unroll
        for (int b = 0; b < BLOCK; b++) {
            shift[b] = LH_VLOAD(b, x + c);
            s[b] = q[b] = ZERO;
        }
        for (uint i = 0; i < count; i++)
#pragma unroll
            for (int b = 0; b < BLOCK; b++) {
                LH_V d = LH_VLOAD(b, x + (size_t)i * C + c) - shift[b];
                s[b] += d;
                q[b] = fma(d, d, q[b]);
            }
#pragma unroll
        for (int b = 0; b < BLOCK; b++) {
            LH_V mean = s[b] / (float)count, squares = q[b] - s[b] * mean;
            LH_VSTORE(shift[b] + mean, b, part + c);
            LH_VSTORE(select(squares, ZERO, squares < ZERO), b, part + C + c);
        }
    }
}

LH_TASK void batchnorm_merge(__global const float *part, __global const float *gamma,
                             __global const float *beta, __global float *running_mean,
                             __global float *running_var, __global float *saved, uint pixels,
                             uint per, float eps, float momentum)
{
    size_t t = get_group_id(0);
    uint slots = (pixels + per - 1) / per;
    __global const float *squares_of = part + C;
    LH_V first = LH_VLOAD(t, part), sum = ZERO, squares = ZERO;
    for (uint k = 0; k < slots; k++) {
        float count = (float)min(per, pixels - k * per);
        sum = fma((LH_V)(count), LH_VLOAD(t, part + (size_t)k * 2 * C) - first, sum);
    }
    LH_V offset = sum / (float)pixels;
    for (uint k = 0; k < slots; k++) {
        float count = (float)min(per, pixels - k * per);
        LH_V d = LH_VLOAD(t, part + (size_t)k * 2 * C) - first - offset;
        squares += fma(count * d, d, LH_VLOAD(t, squares_of + (size_t)k * 2 * C));
    }
    LH_V mean = first + offset, inv_std = 1.0f / sqrt(squares / (float)pixels + eps);
    LH_V scale = LH_VLOAD(t, gamma) * inv_std;
    LH_VSTORE(scale, t, saved);
    LH_VSTORE(fma(-mean, scale, LH_VLOAD(t, beta)), t, saved + C);
    LH_VSTORE(mean, t, saved + 2 * C);
    LH_VSTORE(inv_std, t, saved + 3 * C);
    LH_V unbiased = squares / (float)max(pixels - 1, 1u);
    LH_VSTORE((1.0f - momentum) * LH_VLOAD(t, running_mean) + momentum * mean, t, running_mean);
    LH_VSTORE((1.0f - momentum) * LH_VLOAD(t, running_var) + momentum * unbiased, t, running_var);
}

LH_TASK void batchnorm_coefficients(__global const float *gamma, __global const float *beta,
                                    __global const float *mean, __global const float *var,
                                    __global float *saved, float eps)
{
    size_t t = get_group_id(0);
    LH_V scale = LH_VLOAD(t, gamma) / sqrt(LH_VLOAD(t, var) + eps);
    LH_VSTORE(scale, t, saved);
    LH_VSTORE(fma(-LH_VLOAD(t, mean), scale, LH_VLOAD(t, beta)), t, saved + C);
}

LH_TASK void batchnorm_backward_merge(__global float *work, __global const float *part, int at,
                                      __global const float *gamma, __global const float *saved,
                                      __global float *dgamma, __global float *dbeta, uint pixels,
                                      uint per)
{
    part += at;
    size_t t = get_group_id(0);
    uint slots = (pixels + per - 1) / per;
    LH_V s = ZERO, q = ZERO;
    for (uint k = 0; k < slots; k++) {
        s += LH_VLOAD(t, part + (size_t)k * 2 * C);
        q += LH_VLOAD(t, part + (size_t)k * 2 * C + C);
    }
    LH_V inv_std = LH_VLOAD(t, saved + 3 * C), direct = LH_VLOAD(t, gamma) * inv_std;
    LH_VSTORE(s, t, dbeta);
    LH_VSTORE(q * inv_std, t, dgamma);
    LH_VSTORE(direct, t, work);
    LH_VSTORE(-direct * inv_std * (q * inv_std) / (float)pixels, t, work + C);
    LH_VSTORE(-direct * s / (float)pixels, t, work + 2 * C);
}

#ifdef APPLY
/* Vector b from channel c on of the gradient of y at a pixel. */
#if POOL == 2
#define DY(b, pixel, c) (LH_VLOAD(b, dy + (pixel) / HW * C + (c)) / (float)HW)
#else
#define DY(b, pixel, c) LH_VLOAD(b, dy + (pixel) * C + (c))
#endif

LH_TASK void batchnorm_apply(__global const float *restrict x, __global const float *restrict saved,
                             __global const float *restrict add, __global float *restrict y,
                             uint pixels)
{
    size_t i = get_group_id(0) * (size_t)APPLY, end = min(i + APPLY, (size_t)pixels);
    for (; i < end; i++)
        for (int c = 0; c < C; c += VW) {
            LH_V z = fma(LH_VLOAD(0, x + i * C + c), LH_VLOAD(0, saved + c),
                         LH_VLOAD(0, saved + C + c));
#if ADD
            z += LH_VLOAD(0, add + i * C + c);
#endif
            PUT(ACT(z), 0, y + i * C + c);
        }
}

LH_TASK void batchnorm_backward_sums(__global const float *restrict x,
                                     __global const float *restrict dy,
                                     __global const float *restrict saved,
                                     __global float *restrict work, uint pixels, uint per)
{
    size_t first = get_group_id(0) * (size_t)per;
    uint count = min(per, pixels - (uint)first);
    x += first * C;
    __global float *part = work + 3 * C + get_group_id(0) * (size_t)(2 * C);
    for (int c = 0; c < C; c += WIDE) {
        LH_V scale[BLOCK], shift[BLOCK], mean[BLOCK], s[BLOCK], q[BLOCK];
#pragma unroll
        for (int b = 0; b < BLOCK; b++) {
            scale[b] = LH_VLOAD(b, saved + c);
            shift[b] = LH_VLOAD(b, saved + C + c);
            mean[b] = LH_VLOAD(b, saved + 2 * C + c);
            s[b] = q[b] = ZERO;
        }
        for (uint i = 0; i < count; i++)
#pragma unroll
            for (int b = 0; b < BLOCK; b++) {
                LH_V v = LH_VLOAD(b, x + (size_t)i * C + c);
                LH_V dz = THROUGH(v, DY(b, first + i, c), scale[b], shift[b]);
                s[b] += dz;
                q[b] = fma(dz, v - mean[b], q[b]);
            }
#pragma unroll
        for (int b = 0; b < BLOCK; b++) {
            LH_VSTORE(s[b], b, part + c);
            LH_VSTORE(q[b], b, part + C + c);
        }
    }
}

/* dx may be dy. */
LH_TASK void batchnorm_backward_apply(__global const float *x, __global const float *dy,
                                      __global const float *saved, __global const float *terms,
                                      __global float *dx, uint pixels)
{
    size_t i = get_group_id(0) * (size_t)APPLY, end = min(i + APPLY, (size_t)pixels);
    for (; i < end; i++)
        for (int c = 0; c < C; c += VW) {
            LH_V v = LH_VLOAD(0, x + i * C + c), d = DY(0, i, c);
            LH_V dz = THROUGH(v, d, LH_VLOAD(0, saved + c), LH_VLOAD(0, saved + C + c));
            LH_V centred = v - LH_VLOAD(0, saved + 2 * C + c);
            LH_V rest = fma(LH_VLOAD(0, terms + C + c), centred, LH_VLOAD(0, terms + 2 * C + c));
            LH_VSTORE(fma(LH_VLOAD(0, terms + c), dz, rest), 0, dx + i * C + c);
        }
}
#endif
