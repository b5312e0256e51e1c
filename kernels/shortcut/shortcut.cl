/* SPDX-License-Identifier: MIT
 *
 * Option-A shortcut over NHWC: x [n][H][W][C] <-> y [n][P][Q][K], every STRIDE-th pixel, channels
 * shifted by LOW = (K - C) / 2.  -DC -DH -DW -DK -DP -DQ -DSTRIDE -DLOW.
 *   …_elements: one work-item per element of the result, work-groups of -DLOCAL
 *   …_rows:     one work-item per row of the result (-DROWS; CPU family)
 * No local memory. */
#include "common.cl"

#ifdef LOCAL
__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
void shortcut_forward_elements(__global const float *x, __global float *y, ulong count)
{
    size_t i = get_global_id(0);
    if (i >= count) return;
    int c = (int)(i % K) - LOW;
    size_t q = i / K % Q, p = i / (K * Q) % P, n = i / (K * Q * P);
    size_t pixel = (n * H + p * STRIDE) * W + q * STRIDE;
    y[i] = c >= 0 && c < C ? x[pixel * C + c] : 0.0f;
}

__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
void shortcut_backward_elements(__global const float *dy, __global float *dx, ulong count)
{
    size_t i = get_global_id(0);
    if (i >= count) return;
    size_t column = i / C % W, row = i / (C * W) % H, n = i / (C * W * H);
    size_t pixel = (n * P + row / STRIDE) * Q + column / STRIDE;
    dx[i] = row % STRIDE || column % STRIDE ? 0.0f : dy[pixel * K + i % C + LOW];
}
#endif

#ifdef ROWS
LH_TASK void shortcut_forward_rows(__global const float *restrict x, __global float *restrict y)
{
    size_t row = get_group_id(0), n = row / P, p = row % P;
    x += (n * H + p * STRIDE) * W * C;
    y += row * Q * K;
    for (int q = 0; q < Q; q++, x += STRIDE * C, y += K) {
        for (int k = 0; k < LOW; k++) y[k] = 0.0f;
        for (int c = 0; c < C; c++) y[LOW + c] = x[c];
        for (int k = LOW + C; k < K; k++) y[k] = 0.0f;
    }
}

LH_TASK void shortcut_backward_rows(__global const float *restrict dy, __global float *restrict dx)
{
    size_t row = get_group_id(0), n = row / H, i = row % H;
    dx += row * W * C;
    dy += (n * P + i / STRIDE) * Q * K + LOW;
    for (int j = 0; j < W; j++, dx += C) {
        bool taken = i % STRIDE == 0 && j % STRIDE == 0;
        if (taken)
            for (int c = 0; c < C; c++) dx[c] = dy[c];
        else
            for (int c = 0; c < C; c++) dx[c] = 0.0f;
        if (taken) dy += K;
    }
}
#endif
