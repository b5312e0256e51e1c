/* SPDX-License-Identifier: MIT
 *
 * GPU family: gradient of a convolution's filter as an implicit GEMM by gemm/tile.cl.
 *   dw[k][(r, s, c)] = sum over m = (n, p, q) of dy[m][k] * x[n][p*SH - PT + r][q*SW - PL + s][c]
 * The long sum over m is cut into slices: slice z writes partial[z][k][r][s][c], and gpu_combine.cl adds
 * the slices in order.  No atomics: the same bits every run.
 * x, dy NHWC.  -DC -DH -DW -DK -DP -DQ -DR -DS -DSH -DSW -DPT -DPL and the tile.
 * Launch: (row tiles * THREADS, column tiles, slices).  Sums: m ascending inside a slice. */
#include "common.cl"

#define TAPS (R * S * C)

typedef struct source {
    __global const float *x, *dy;
} source;

#define A_K_FAST 0
#define B_K_FAST 0

A_TYPE load_a(const source *in, int filter, int m)
{
    return filter < K ? *(__global const A_TYPE *)(in->dy + (size_t)m * K + filter)
                      : (A_TYPE)(0.0f);
}

B_TYPE load_b(const source *in, int m, int tap)
{
    int q = m % Q, p = m / Q % P, n = m / (P * Q);
    int c = tap % C, s = tap / C % S, r = tap / (C * S);
    int y = p * SH - PT + r, x = q * SW - PL + s;
    bool inside = tap < TAPS && y >= 0 && y < H && x >= 0 && x < W;
    size_t at = ((size_t)(n * H + y) * W + x) * C + c;
    return inside ? *(__global const B_TYPE *)(in->x + at) : (B_TYPE)(0.0f);
}

#include "gemm/tile.cl"

TILE_KERNEL void conv_backward_filter(__global const float *x, __global const float *dy,
                          __global float *partial, int rows, int slice)
{
    TILE_MEMORY
    const source in = {x, dy};
    float sum[TM][TN];
    int row0 = get_group_id(0) * BM, col0 = get_group_id(1) * BN, m0 = get_group_id(2) * slice;
    tile_multiply(&in, row0, col0, m0, min(m0 + slice, rows), memory, sum);
    partial += get_group_id(2) * (size_t)K * TAPS;
    LH_UNROLL
    for (int i = 0; i < TM; i++)
        LH_UNROLL
        for (int j = 0; j < TN; j++) {
            int k = row0 + TILE_ROW(i), tap = col0 + TILE_COL(j);
            if (k < K && tap < TAPS) partial[(size_t)k * TAPS + tap] = sum[i][j];
        }
}
