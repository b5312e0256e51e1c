/* SPDX-License-Identifier: MIT
 *
 * c[m][n] = act(c + bias[n]) in place, behind a product that cannot do it itself.
 * Launch: 1-D, one work-item per element rounded up to LOCAL. */
#include "common.cl"

#define HAS_BIAS 1
#define HAS_RELU 2

__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
void matmul_epilogue(__global float *c, __global const float *bias, ulong count, int n, int flags)
{
    size_t i = get_global_id(0);
    if (i >= count) return;
    float v = c[i];
    if (flags & HAS_BIAS) v += bias[i % n];
    if (flags & HAS_RELU) v = v < 0.0f ? 0.0f : v;
    c[i] = v;
}
