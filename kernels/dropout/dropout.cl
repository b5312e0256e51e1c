/* SPDX-License-Identifier: MIT
 *
 * y = keep ? x * factor : 0 on flat buffers, keep where a uniform draw >= rate, factor =
 * 1 / (1 - rate).  Element i uses word i % 4 of Philox draw i / 4.  y may be x.
 *   dropout_elementwise: one work-item per 4 elements, work-groups of -DLOCAL
 * No local memory. */
#define LH_PHILOX_CL
#include "common.cl"
#include "core/base/philox.h"

__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
void dropout_elementwise(__global const float *x, __global float *y, ulong count, ulong seed,
                         uint stream, uint epoch, float rate, float factor)
{
    size_t draw = get_global_id(0), i = 4 * draw;
    if (i >= count) return;
    lh_philox r = lh_philox_draw(seed, draw, stream, epoch);
    int words = (int)min((size_t)count - i, (size_t)4);
    for (int k = 0; k < words; k++)
        y[i + k] = lh_uniform(r.v[k]) >= rate ? x[i + k] * factor : 0.0f;
}
