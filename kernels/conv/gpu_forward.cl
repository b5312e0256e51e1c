/* SPDX-License-Identifier: MIT
 *
 * GPU family: forward convolution as an implicit GEMM by gemm/tile.cl.
 *   y[m = (n, p, q)][k] = act(bias[k] + sum over (r, s, c) of x[n][p*SH - PT + r][q*SW - PL + s][c]
 *                                                            * packed[r][s][c][k])
 * x, y NHWC; packed by gpu_pack.cl.  The patches of x exist only in local memory.
 * With -DSTATS=1 also the statistics of the tile's columns, part [row tile][2][K] from `at` on: mean and
 * sum of squared deviations from it.
 * -DC -DH -DW -DK -DP -DQ -DR -DS -DSH -DSW -DPT -DPL -DBIAS -DRELU -DSTATS and the tile.
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

#if STATS
/* The sum over the tile's rows of each column, for all of its work-items. */
void column_sums(float value[TN], __local float *scratch)
{
    int id = get_local_id(0);
    barrier(CLK_LOCAL_MEM_FENCE);
    LH_UNROLL
    for (int j = 0; j < TN; j++) scratch[id / WN * BN + TILE_COL(j)] = value[j];
    barrier(CLK_LOCAL_MEM_FENCE);
    if (id < BN)
        for (int lane = 1; lane < WM; lane++) scratch[id] += scratch[lane * BN + id];
    barrier(CLK_LOCAL_MEM_FENCE);
    LH_UNROLL
    for (int j = 0; j < TN; j++) value[j] = scratch[TILE_COL(j)];
}

void tile_statistics(float sum[TM][TN], int row0, int col0, int rows, __local float *scratch,
                     __global float *part)
{
    float mean[TN], squares[TN];
    LH_UNROLL
    for (int j = 0; j < TN; j++) {
        mean[j] = squares[j] = 0.0f;
        LH_UNROLL
        for (int i = 0; i < TM; i++)
            if (row0 + TILE_ROW(i) < rows) mean[j] += sum[i][j];
    }
    column_sums(mean, scratch);
    LH_UNROLL
    for (int j = 0; j < TN; j++) {
        mean[j] /= (float)min(BM, rows - row0);
        LH_UNROLL
        for (int i = 0; i < TM; i++) {
            float d = sum[i][j] - mean[j];
            if (row0 + TILE_ROW(i) < rows) squares[j] = fma(d, d, squares[j]);
        }
    }
    column_sums(squares, scratch);
    if (get_local_id(0) >= WN) return;
    part += (size_t)get_group_id(0) * 2 * K;
    LH_UNROLL
    for (int j = 0; j < TN; j++) {
        int k = col0 + TILE_COL(j);
        if (k >= K) continue;
        part[k] = mean[j];
        part[K + k] = squares[j];
    }
}
#endif

TILE_KERNEL void conv_forward(__global const float *x, __global const float *packed,
                  __global const float *bias, __global float *y, int rows, __global float *part,
                  ulong at)
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
            y[(size_t)m * K + k] = sum[i][j] = v;
        }
#if STATS
    tile_statistics(sum, row0, col0, rows, (__local float *)memory, part + at);
#endif
}
