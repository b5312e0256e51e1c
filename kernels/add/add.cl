/* SPDX-License-Identifier: MIT
 *
 * y = act(a + b) on flat buffers.  -DRELU=0|1.
 *   add_elementwise: one work-item per element, work-groups of -DLOCAL
 *   add_tasks:       one work-item per -DCHUNK elements, vectors of -DVW
 * No local memory. */
#include "common.cl"

/* A NaN stays a NaN: it is not below zero. */
#if RELU
#define ACT(T, z) select(z, (T)(0.0f), (z) < (T)(0.0f))
#else
#define ACT(T, z) (z)
#endif

#ifdef LOCAL
__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
void add_elementwise(__global const float *a, __global const float *b, __global float *y,
                     ulong count)
{
    size_t i = get_global_id(0);
    if (i >= count) return;
    float z = a[i] + b[i];
    y[i] = ACT(float, z);
}
#endif

#ifdef CHUNK
LH_TASK void add_tasks(__global const float *a, __global const float *b, __global float *y,
                       ulong count)
{
    size_t i = get_group_id(0) * (size_t)CHUNK, end = min(i + CHUNK, (size_t)count);
    for (; i + VW <= end; i += VW) {
        LH_V z = LH_VLOAD(0, a + i) + LH_VLOAD(0, b + i);
        LH_VSTORE(ACT(LH_V, z), 0, y + i);
    }
    for (; i < end; i++) {
        float z = a[i] + b[i];
        y[i] = ACT(float, z);
    }
}
#endif
