/* SPDX-License-Identifier: MIT
 *
 * y = value(x, y) on flat buffers.  -DKIND: value of lh_vector_kind.
 *   vector_elementwise: one work-item per element, work-groups of -DLOCAL
 *   vector_tasks:       one work-item per -DCHUNK elements, vectors of -DVW
 * No local memory. */
#include "common.cl"

#define AXPY 0
#define SCALE 1
#define FILL 2
#define CLIP 3
#define COPY 4

/* T is float or a vector of floats. */
#if KIND == AXPY
#define VALUE(T, x, y) fma((T)(a), x, y)
#elif KIND == SCALE
#define VALUE(T, x, y) ((y) * (T)(a))
#elif KIND == FILL
#define VALUE(T, x, y) ((T)(a))
#elif KIND == CLIP
/* Two selects, as clamp() may turn a NaN into a bound. */
#define VALUE(T, x, y) select(select(y, (T)(a), (y) > (T)(a)), (T)(-a), (y) < (T)(-a))
#else
#define VALUE(T, x, y) (x)
#endif

#if KIND == AXPY || KIND == COPY
#define LOAD_X(load) (load)
#else
#define LOAD_X(load) 0.0f
#endif
#if KIND == FILL || KIND == COPY
#define LOAD_Y(load) 0.0f
#else
#define LOAD_Y(load) (load)
#endif

#ifdef LOCAL
__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
void vector_elementwise(__global const float *x, __global float *y, ulong count, float a)
{
    size_t i = get_global_id(0);
    if (i >= count) return;
    float x_i = LOAD_X(x[i]), y_i = LOAD_Y(y[i]);
    y[i] = VALUE(float, x_i, y_i);
}
#endif

#ifdef CHUNK
LH_TASK void vector_tasks(__global const float *x, __global float *y, ulong count, float a)
{
    size_t i = get_group_id(0) * (size_t)CHUNK, end = min(i + CHUNK, (size_t)count);
    for (; i + VW <= end; i += VW) {
        LH_V x_i = LOAD_X(LH_VLOAD(0, x + i)), y_i = LOAD_Y(LH_VLOAD(0, y + i));
        LH_VSTORE(VALUE(LH_V, x_i, y_i), 0, y + i);
    }
    for (; i < end; i++) {
        float x_i = LOAD_X(x[i]), y_i = LOAD_Y(y[i]);
        y[i] = VALUE(float, x_i, y_i);
    }
}
#endif
