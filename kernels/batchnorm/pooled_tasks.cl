/* SPDX-License-Identifier: MIT
 *
 * Batch normalisation with pooling behind it, one work-item per task (CPU family): the value before
 * the pooling is never written, backward finds it again from x.  -DPOOL=1: the maximum of 2x2 windows,
 * stride 2, of -DW columns a row; 2: the mean of -DHW pixels.  The other options, arguments and part
 * [slots][2][C] are those of tasks.cl; per and APPLY are pixels of whole pairs of rows, or images:
 *   apply           task = APPLY pixels of x
 *   backward_sums   task = slot of "per" pixels, summed in the order in which tasks.cl sums them
 *   backward_apply  task = APPLY pixels
 * No local memory, no barriers. */
#include "batchnorm/vectors.cl"

#if POOL == 1
#define PAIR (2 * W * C) /* floats of two rows */

/* Where the first maximum in row order, or last NaN, of a window is. */
typedef struct maximum {
    LH_V z, x;    /* after the activation and before normalisation */
    LH_VI k;      /* its number in the window, row by row */
} maximum;

maximum find_maximum(__global const float *window, LH_V scale, LH_V shift)
{
    maximum m;
    m.x = LH_VLOAD(0, window);
    m.z = ACT(fma(m.x, scale, shift));
    m.k = (LH_VI)(0);
#pragma unroll
    for (int k = 1; k < 4; k++) {
        LH_V x = LH_VLOAD(0, window + (k / 2 * W + k % 2) * C), z = ACT(fma(x, scale, shift));
        LH_VI better = (z > m.z) | (z != z);
        m.z = select(m.z, z, better);
        m.x = select(m.x, x, better);
        m.k = select(m.k, (LH_VI)(k), better);
    }
    return m;
}

/* What of d reaches the maximum through the activation. */
#if RELU
#define REACHES(d, z) select(ZERO, d, (z) > ZERO)
#else
#define REACHES(d, z) (d)
#endif

LH_TASK void batchnorm_apply(__global const float *restrict x, __global const float *restrict saved,
                             __global const float *restrict add, __global float *restrict y,
                             uint pixels)
{
    size_t i = get_group_id(0) * (size_t)APPLY, end = min(i + APPLY, (size_t)pixels);
    x += i * C;
    y += i / 4 * C;
    for (; i < end; i += 2 * W, x += PAIR)
        for (int column = 0; column < W; column += 2, y += C)
            for (int c = 0; c < C; c += VW) {
                maximum m = find_maximum(x + column * C + c, LH_VLOAD(0, saved + c),
                                         LH_VLOAD(0, saved + C + c));
                PUT(m.z, 0, y + c);
            }
}

/* Of a pair of rows the upper one's gradients are added first, then the lower one's, which wait in rest. */
LH_TASK void batchnorm_backward_sums(__global const float *restrict x,
                                     __global const float *restrict dy,
                                     __global const float *restrict saved,
                                     __global float *restrict work, uint pixels, uint per)
{
    size_t first = get_group_id(0) * (size_t)per;
    uint pairs = min(per, pixels - (uint)first) / (2 * W);
    __global float *part = work + 3 * C + get_group_id(0) * (size_t)(2 * C);
    x += first * C;
    dy += first / 4 * C;
    for (int c = 0; c < C; c += WIDE) {
        LH_V s[BLOCK], q[BLOCK], rest[W / 2][BLOCK][2];
#pragma unroll
        for (int b = 0; b < BLOCK; b++) s[b] = q[b] = ZERO;
        for (uint pair = 0; pair < pairs; pair++) {
            __global const float *from = dy + (size_t)pair * (PAIR / 4) + c;
            __global const float *rows = x + (size_t)pair * PAIR + c;
            for (int column = 0; column < W / 2; column++)
#pragma unroll
                for (int b = 0; b < BLOCK; b++) {
                    LH_V scale = LH_VLOAD(b, saved + c), shift = LH_VLOAD(b, saved + C + c);
                    maximum m = find_maximum(rows + column * 2 * C + b * VW, scale, shift);
                    LH_V d = REACHES(LH_VLOAD(b, from + column * C), m.z);
                    LH_V centred = m.x - LH_VLOAD(b, saved + 2 * C + c);
                    LH_VI upper = m.k < (LH_VI)(2);
                    LH_V dz = select(ZERO, d, upper);
                    s[b] += dz;
                    q[b] = fma(dz, centred, q[b]);
                    rest[column][b][0] = select(d, ZERO, upper);
                    rest[column][b][1] = centred;
                }
            for (int column = 0; column < W / 2; column++)
#pragma unroll
                for (int b = 0; b < BLOCK; b++) {
                    s[b] += rest[column][b][0];
                    q[b] = fma(rest[column][b][0], rest[column][b][1], q[b]);
                }
        }
#pragma unroll
        for (int b = 0; b < BLOCK; b++) {
            LH_VSTORE(s[b], b, part + c);
            LH_VSTORE(q[b], b, part + C + c);
        }
    }
}

LH_TASK void batchnorm_backward_apply(__global const float *restrict x,
                                      __global const float *restrict dy,
                                      __global const float *restrict saved,
                                      __global const float *restrict terms,
                                      __global float *restrict dx, uint pixels)
{
    size_t i = get_group_id(0) * (size_t)APPLY, end = min(i + APPLY, (size_t)pixels);
    x += i * C;
    dx += i * C;
    dy += i / 4 * C;
    for (; i < end; i += 2 * W, x += PAIR, dx += PAIR)
        for (int column = 0; column < W; column += 2, dy += C)
            for (int c = 0; c < C; c += VW) {
                int at = column * C + c;
                maximum m =
                    find_maximum(x + at, LH_VLOAD(0, saved + c), LH_VLOAD(0, saved + C + c));
                LH_V d = REACHES(LH_VLOAD(0, dy + c), m.z), mean = LH_VLOAD(0, saved + 2 * C + c);
                LH_V direct = LH_VLOAD(0, terms + c), slope = LH_VLOAD(0, terms + C + c);
                LH_V offset = LH_VLOAD(0, terms + 2 * C + c);
#pragma unroll
                for (int k = 0; k < 4; k++) {
                    int pixel = at + (k / 2 * W + k % 2) * C;
                    LH_V dz = select(ZERO, d, m.k == (LH_VI)(k));
                    LH_V all = fma(slope, LH_VLOAD(0, x + pixel) - mean, offset);
                    PUT(fma(direct, dz, all), 0, dx + pixel);
                }
            }
}
#endif

#if POOL == 2
LH_TASK void batchnorm_apply(__global const float *restrict x, __global const float *restrict saved,
                             __global const float *restrict add, __global float *restrict y,
                             uint pixels)
{
    size_t i = get_group_id(0) * (size_t)APPLY, end = min(i + APPLY, (size_t)pixels);
    x += i * C;
    y += i / HW * C;
    for (; i < end; i += HW, x += (size_t)HW * C, y += C)
        for (int c = 0; c < C; c += WIDE) {
            LH_V sum[BLOCK];
#pragma unroll
            for (int b = 0; b < BLOCK; b++) sum[b] = ZERO;
            for (int k = 0; k < HW; k++)
#pragma unroll
                for (int b = 0; b < BLOCK; b++) {
                    LH_V scale = LH_VLOAD(b, saved + c), shift = LH_VLOAD(b, saved + C + c);
                    sum[b] += ACT(fma(LH_VLOAD(b, x + (size_t)k * C + c), scale, shift));
                }
#pragma unroll
            for (int b = 0; b < BLOCK; b++) LH_VSTORE(sum[b] / (float)HW, b, y + c);
        }
}
#endif
