/* SPDX-License-Identifier: MIT
 *
 * Behind backward data, for devices with work-groups of LC channels x LP lanes.  -DC, -DADD -DMASK -DNORM
 * -DRELU as in conv.h; NORM without RELU: sums only.
 *   after_pass   group (tile, slot): lane l takes pixels l, l + LP, …; then a halving tree
 *   after_merge  group (tile): lane l takes slots l, l + LP, …; the same tree
 * part [slot][2][C]: sum dx, sum dx * (x - mean) of a slot. */
#include "common.cl"
#include "sum_lanes.cl"

#define GROUP __kernel __attribute__((reqd_work_group_size(LC, LP, 1)))

GROUP void after_pass(__global float *out, __global const float *add, __global const float *mask,
                      __global const float *x, __global const float *saved, __global float *work,
                      ulong part_at, uint pixels, uint per)
{
    __local float scratch[LC * LP];
    bool exists = get_global_id(0) < C; /* the others read along and write nothing */
    int c = min((int)get_global_id(0), C - 1);
    uint slot = (uint)get_group_id(1), first = slot * per, last = min(first + per, pixels);
    float s = 0.0f, q = 0.0f;
    for (uint i = first + (uint)get_local_id(1); i < last && exists; i += LP) {
        size_t at = (size_t)i * C + c;
        float v = out[at];
#if ADD
        v += add[at];
#endif
#if MASK
        v = mask[at] > 0.0f ? v : 0.0f;
#endif
#if NORM
#if RELU
        v = fma(x[at], saved[c], saved[C + c]) > 0.0f ? v : 0.0f;
#endif
        s += v;
        q = fma(v, x[at] - saved[2 * C + c], q);
#endif
        out[at] = v;
    }
#if NORM
    s = sum_lanes(s, scratch);
    q = sum_lanes(q, scratch);
    if (get_local_id(1) != 0 || !exists) return;
    __global float *part = work + part_at + (size_t)slot * (2 * C);
    part[c] = s;
    part[C + c] = q;
#endif
}

GROUP void after_merge(__global const float *work, ulong part_at, uint slots,
                            __global float *sums)
{
    __local float scratch[LC * LP];
    int c = min((int)get_global_id(0), C - 1);
    __global const float *part = work + part_at + c;
    float s = 0.0f, q = 0.0f;
    for (uint k = (uint)get_local_id(1); k < slots; k += LP) {
        s += part[(size_t)k * 2 * C];
        q += part[(size_t)k * 2 * C + C];
    }
    s = sum_lanes(s, scratch);
    q = sum_lanes(q, scratch);
    if (get_local_id(1) != 0 || get_global_id(0) >= C) return;
    sums[c] = s;
    sums[C + c] = q;
}
