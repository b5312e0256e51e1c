/* SPDX-License-Identifier: MIT
 *
 * Problem: control.h.  One work-group of LOCAL work-items (1 on CPUs); lane i sums samples i, i + LOCAL,
 * … and lane 0 adds the lanes in order.  Local memory: 2 * LOCAL floats. */
#include "common.cl"

__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
void control(__global const float *loss, __global const float *correct,
             __global const float *sumsq, __global float *metrics, __global float *control,
             int n, uint row, int replace, int last, float clip)
{
    __local float lanes[2 * LOCAL];
    int lane = get_local_id(0);
    float loss_sum = 0.0f, correct_sum = 0.0f;
    for (int i = lane; i < n; i += LOCAL) {
        loss_sum += loss[i];
        correct_sum += correct[i];
    }
    lanes[lane] = loss_sum;
    lanes[LOCAL + lane] = correct_sum;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lane == 0) {
        __global float *out = metrics + 4 * row;
        for (int i = 1; i < LOCAL; i++) {
            loss_sum += lanes[i];
            correct_sum += lanes[LOCAL + i];
        }
        if (!replace) {
            loss_sum += out[0];
            correct_sum += out[1];
        }
        out[0] = loss_sum;
        out[1] = correct_sum;
        out[3] = 0.0f;
        if (replace) out[2] = 0.0f;
        if (last) {
            float norm = 0.0f;
#if CLIP
            norm = sqrt(sumsq[0]);
#endif
            out[2] = norm;
            control[0] = clip > 0.0f && norm > clip ? clip / norm : 1.0f;
            if (!isfinite(loss_sum) || !isfinite(norm)) control[1] = 1.0f;
        }
    }
}
