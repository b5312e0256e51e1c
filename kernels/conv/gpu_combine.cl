/* SPDX-License-Identifier: MIT
 *
 * GPU family: the last stage of a filter's gradient: the slices partial [slice][k][r][s][c], added in
 * order, to the logical dw [k][c][r][s].
 * -DC -DK -DR -DS -DLOCAL.  Launch: 1-D, one work-item per weight in the order of partial. */
#include "common.cl"

#define TAPS (R * S * C)

__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
void combine(__global const float *partial, __global float *dw, int slices)
{
    int i = get_global_id(0);
    if (i >= K * TAPS) return;
    float sum = 0.0f;
    for (int z = 0; z < slices; z++) sum += partial[(size_t)z * K * TAPS + i];
    int c = i % C, tap = i / C % (R * S), k = i / TAPS;
    dw[(k * C + c) * (R * S) + tap] = sum;
}
