/* SPDX-License-Identifier: MIT
 *
 * Behind backward data, one work-item a task (CPU family).  -DC, -DVECTORS, -DADD -DMASK -DNORM -DRELU
 * as in conv.h; NORM without RELU: sums only.
 *   after_pass   task = slot of "per" pixels, VECTORS * VW channels at a time
 *   after_merge  task = VW channels, slots in order
 * part [slot][2][C]: sum dx, sum dx * (x - mean) of a slot. */
#include "common.cl"

#define ZERO ((LH_V)(0.0f))

/* One more value of the output, and what becomes of it. */
LH_V next_value(LH_V v, __global const float *add, __global const float *mask, LH_V u, LH_V scale,
                LH_V shift)
{
#if ADD
    v += LH_VLOAD(0, add);
#endif
#if MASK
    v = select(ZERO, v, LH_VLOAD(0, mask) > ZERO);
#endif
#if RELU
    v = select(ZERO, v, fma(u, scale, shift) > ZERO);
#endif
    return v;
}

LH_TASK void after_pass(__global float *out, __global const float *add, __global const float *mask,
                        __global const float *x, __global const float *saved,
                        __global float *work, ulong part_at, uint pixels, uint per)
{
    uint first = (uint)get_group_id(0) * per, count = min(per, pixels - first);
    __global float *part = work + part_at + get_group_id(0) * (size_t)(2 * C);
    for (int c = 0; c < C; c += VECTORS * VW) {
        LH_V s[VECTORS], q[VECTORS], origin[VECTORS], scale[VECTORS], shift[VECTORS];
        size_t at = (size_t)first * C + c;
#pragma unroll
        for (int i = 0; i < VECTORS; i++) {
            s[i] = q[i] = origin[i] = scale[i] = shift[i] = ZERO;
#if NORM
            scale[i] = LH_VLOAD(i, saved + c);
            shift[i] = LH_VLOAD(i, saved + C + c);
            origin[i] = LH_VLOAD(i, saved + 2 * C + c);
#endif
        }
        for (uint p = 0; p < count; p++, at += C)
#pragma unroll
            for (int i = 0; i < VECTORS; i++) {
                LH_V v = LH_VLOAD(i, out + at), u = ZERO;
#if NORM
                u = LH_VLOAD(i, x + at);
#endif
                v = next_value(v, add + at + i * VW, mask + at + i * VW, u, scale[i], shift[i]);
                s[i] += v;
                q[i] = fma(v, u - origin[i], q[i]);
                LH_VSTORE(v, i, out + at);
            }
#if NORM
#pragma unroll
        for (int i = 0; i < VECTORS; i++) {
            LH_VSTORE(s[i], i, part + c);
            LH_VSTORE(q[i], i, part + C + c);
        }
#endif
    }
}

LH_TASK void after_merge(__global const float *work, ulong part_at,
                              uint slots, __global float *sums)
{
    __global const float *part = work + part_at + get_group_id(0) * VW;
    LH_V s = ZERO, q = ZERO;
    for (uint k = 0; k < slots; k++, part += 2 * C) {
        s += LH_VLOAD(0, part);
        q += LH_VLOAD(0, part + C);
    }
    LH_VSTORE(s, get_group_id(0), sums);
    LH_VSTORE(q, get_group_id(0), sums + C);
}
