/* SPDX-License-Identifier: MIT
 *
 * GPU family: the filter [K][C][R][S] as the B matrix of an implicit GEMM.
 *   -DFOR_DATA=0: packed[r][s][c][k] (forward);  -DFOR_DATA=1: packed[r][s][k][c] (backward data)
 * -DC -DK -DR -DS -DLOCAL.  Launch: 1-D, one work-item per weight, neighbours write neighbours. */
#include "common.cl"

__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
void pack_filter(__global const float *w, __global float *packed)
{
    int i = get_global_id(0);
    if (i >= K * C * R * S) return;
#if FOR_DATA
    int c = i % C, k = i / C % K, tap = i / (C * K);
#else
    int k = i % K, c = i / K % C, tap = i / (C * K);
#endif
    packed[i] = w[(k * C + c) * (R * S) + tap];
}
