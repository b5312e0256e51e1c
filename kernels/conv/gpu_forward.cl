/* SPDX-License-Identifier: MIT
 *
 * GPU family: forward convolution as an implicit GEMM by gemm/tile.cl.
 *   y[m = (n, p, q)][k] = act(bias[k] + sum over (r, s, c) of x[n][p*SH - PT + r][q*SW - PL + s][c]
 *                                                            * packed[r][s][c][k])
 * x, y NHWC; packed by gpu_pack.cl.  The patches of x exist only in local memory.
 * -DC -DH -DW -DK -DP -DQ -DR -DS -DSH -DSW -DPT -DPL -DBIAS -DRELU and the tile.
 * Launch: (row tiles * THREADS, column tiles).  Sums: r, s, c ascending. */
#include "common.cl"

typedef struct source {
    __global const float *x, *packed;
    int rows; /* n * P * Q */
} source;

#define A_K_FAST 1
#define B_K_FAST 0

A_TYPE load_a(const source *in, int m, int k)
{
    int q = m % Q, p = m / Q % P, n = m / (P * Q);
    int c = k % C, s = k / C % S, r = k / (C * S);
    int y = p * SH - PT + r, x = q * SW - PL + s;
    bool inside = m < in->rows && y >= 0 && y < H && x >= 0 && x < W;
    size_t at = ((size_t)(n * H + y) * W + x) * C + c;
    return inside ? *(__global const A_TYPE *)(in->x + at) : (A_TYPE)(0.0f);
}

B_TYPE load_b(const source *in, int k, int n)
{
    return n < K ? *(__global const B_TYPE *)(in->packed + k * K + n) : (B_TYPE)(0.0f);
}

#include "gemm/tile.cl"

TILE_KERNEL void conv_forward(__global const float *x, __global const float *packed,
                  __global const float *bias, __global float *y, int rows)
{
    TILE_MEMORY
    const source in = {x, packed, rows};
    float sum[TM][TN];
    int row0 = get_group_id(0) * BM, col0 = get_group_id(1) * BN;
    tile_multiply(&in, row0, col0, 0, R * S * C, memory, sum);
    LH_UNROLL
    for (int i = 0; i < TM; i++)
        LH_UNROLL
        for (int j = 0; j < TN; j++) {
            int m = row0 + TILE_ROW(i), k = col0 + TILE_COL(j);
            if (m >= rows || k >= K) continue;
            float v = sum[i][j];
#if BIAS
            v += bias[k];
#endif
#if RELU
            v = v < 0.0f ? 0.0f : v;
#endif
            y[(size_t)m * K + k] = v;
        }
}
