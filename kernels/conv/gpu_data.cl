/* SPDX-License-Identifier: MIT
 *
 * GPU family: gradient of a convolution's input as an implicit GEMM by gemm/tile.cl, gathering:
 *   dx[n][h][w][c] = sum over (r, s, k) of dy[n][(h + PT - r)/SH][(w + PL - s)/SW][k] * w[k][c][r][s]
 * over the taps for which the divisions leave no rest.  With a stride those taps depend on h mod SH
 * and w mod SW only: each such phase is a product of its own (launch dimension 2) over every SH-th
 * row and SW-th column with about R*S/(SH*SW) taps, so that no multiplication is wasted.
 * dx, dy NHWC; packed[r][s][k][c] by gpu_pack.cl.
 * -DC -DH -DW -DK -DP -DQ -DR -DS -DSH -DSW -DPT -DPL and the tile.
 * Launch: (row tiles * THREADS, column tiles, SH * SW).  Sums: r, s, k ascending. */
#include "common.cl"

/* Rows, columns and taps of the largest phase. */
#define PHASE_H ((H + SH - 1) / SH)
#define PHASE_W ((W + SW - 1) / SW)
#define PHASE_R ((R + SH - 1) / SH)
#define PHASE_S ((S + SW - 1) / SW)

typedef struct source {
    __global const float *dy, *packed;
    int rows;   /* n * PHASE_H * PHASE_W */
    int r0, s0; /* first tap of this phase; the others follow at SH and SW */
    int p0, q0; /* row and column of dy that tap (r0, s0) of the phase's first pixel reads */
} source;

#define A_K_FAST 1
#define B_K_FAST 0

A_TYPE load_a(const source *in, int m, int k)
{
    int w = m % PHASE_W, h = m / PHASE_W % PHASE_H, n = m / (PHASE_H * PHASE_W);
    int filter = k % K, s = k / K % PHASE_S, r = k / (K * PHASE_S);
    int p = h + in->p0 - r, q = w + in->q0 - s;
    bool inside = m < in->rows && p >= 0 && p < P && q >= 0 && q < Q && in->r0 + r * SH < R &&
                  in->s0 + s * SW < S;
    size_t at = ((size_t)(n * P + p) * Q + q) * K + filter;
    return inside ? *(__global const A_TYPE *)(in->dy + at) : (A_TYPE)(0.0f);
}

B_TYPE load_b(const source *in, int k, int n)
{
    int filter = k % K, s = in->s0 + k / K % PHASE_S * SW, r = in->r0 + k / (K * PHASE_S) * SH;
    int at = ((r * S + s) * K + filter) * C + n;
    return n < C && r < R && s < S ? *(__global const B_TYPE *)(in->packed + at) : (B_TYPE)(0.0f);
}

#include "gemm/tile.cl"

TILE_KERNEL void conv_backward_data(__global const float *dy, __global const float *packed,
                        __global float *dx, int rows)
{
    TILE_MEMORY
    int phase_h = get_group_id(2) / SW, phase_w = get_group_id(2) % SW;
    int r0 = (phase_h + PT) % SH, s0 = (phase_w + PL) % SW;
    const source in = {dy, packed, rows, r0, s0, (phase_h + PT) / SH, (phase_w + PL) / SW};
    float sum[TM][TN];
    int row0 = get_group_id(0) * BM, col0 = get_group_id(1) * BN;
    int steps = r0 < R && s0 < S ? PHASE_R * PHASE_S * K : 0; /* a phase may have no tap at all */
    tile_multiply(&in, row0, col0, 0, steps, memory, sum);
    LH_UNROLL
    for (int i = 0; i < TM; i++) {
        int m = row0 + TILE_ROW(i), n = m / (PHASE_H * PHASE_W);
        int h = m / PHASE_W % PHASE_H * SH + phase_h, w = m % PHASE_W * SW + phase_w;
        if (m >= rows || h >= H || w >= W) continue;
        LH_UNROLL
        for (int j = 0; j < TN; j++) {
            int c = col0 + TILE_COL(j);
            if (c < C) dx[((size_t)(n * H + h) * W + w) * C + c] = sum[i][j];
        }
    }
}
