/* SPDX-License-Identifier: MIT
 *
 * y[0] = sum x, sum x^2 or max |x|, in two stages over slots of a fixed number of elements, so the
 * order never depends on threads.  -DKIND: value of lh_reduce_kind.
 *   reduce_tasks: one work-item per slot; 4 * VW lanes, then the lanes in order (CPU family)
 *   reduce_tree:  one work-group of -DLOCAL per slot; work-item l takes elements l, l + LOCAL, …;
 *                 then a halving tree in LOCAL floats of local memory
 * Stage 2 is the same kernel with one slot over the slots' results, as a plain sum for SUMSQ. */
#include "common.cl"

#define SUM 0
#define SUMSQ 1
#define MAXABS 2

#if KIND == MAXABS
/* Magnitudes as integers: the order of the floats, with every NaN above infinity. */
#define COMBINE(a, b) max(a, b)
#else
#define COMBINE(a, b) ((a) + (b))
#endif

#ifdef LOCAL
#if KIND == MAXABS
typedef uint item;
#define FIRST(x) (as_uint(x) & 0x7FFFFFFFu)
#define RESULT(v) as_float(v)
#else
typedef float item;
#define FIRST(x) (KIND == SUMSQ ? (x) * (x) : (x))
#define RESULT(v) (v)
#endif

/* Group s reduces elements [s * slot, (s + 1) * slot) of x. */
__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
void reduce_tree(__global const float *x, __global float *out, ulong count, ulong slot)
{
    __local item lane[LOCAL];
    size_t l = get_local_id(0), start = get_group_id(0) * slot;
    size_t end = min(start + slot, (size_t)count);
    item v = 0;
    for (size_t i = start + l; i < end; i += LOCAL) v = COMBINE(v, FIRST(x[i]));
    lane[l] = v;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (size_t width = LOCAL / 2; width > 0; width /= 2) {
        if (l < width) lane[l] = COMBINE(lane[l], lane[l + width]);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (l == 0) out[get_group_id(0)] = RESULT(lane[0]);
}
#else

#define LANES (4 * VW)
#define LH_VU LH_CAT(uint, VW)
#if KIND == MAXABS
#define ZERO ((LH_VU)(0))
#define FIRST(v) (LH_CAT(as_uint, VW)(v) & (LH_VU)(0x7FFFFFFFu))
typedef LH_VU vec;
typedef uint item;
#define STORE LH_CAT(vstore, VW)
#define SCALAR(x) (as_uint(x) & 0x7FFFFFFFu)
#define RESULT(v) as_float(v)
#else
#define ZERO ((LH_V)(0.0f))
#define FIRST(v) (KIND == SUMSQ ? (v) * (v) : (v))
typedef LH_V vec;
typedef float item;
#define STORE LH_CAT(vstore, VW)
#define SCALAR(x) (KIND == SUMSQ ? (x) * (x) : (x))
#define RESULT(v) (v)
#endif

/* Four vectors at a time hide the latency of the addition. */
LH_TASK void reduce_tasks(__global const float *x, __global float *out, ulong count, ulong slot)
{
    size_t i = get_group_id(0) * slot, end = min(i + slot, (size_t)count);
    vec v0 = ZERO, v1 = ZERO, v2 = ZERO, v3 = ZERO;
    for (; i + LANES <= end; i += LANES) {
        LH_V a = LH_VLOAD(0, x + i), b = LH_VLOAD(1, x + i);
        LH_V c = LH_VLOAD(2, x + i), d = LH_VLOAD(3, x + i);
        v0 = COMBINE(v0, FIRST(a));
        v1 = COMBINE(v1, FIRST(b));
        v2 = COMBINE(v2, FIRST(c));
        v3 = COMBINE(v3, FIRST(d));
    }
    v0 = COMBINE(COMBINE(v0, v1), COMBINE(v2, v3));
    item lane[VW], tail = 0;
    STORE(v0, 0, lane);
    for (; i < end; i++) tail = COMBINE(tail, SCALAR(x[i]));
    for (int k = 0; k < VW; k++) tail = COMBINE(tail, lane[k]);
    out[get_group_id(0)] = RESULT(tail);
}
#endif
