/* SPDX-License-Identifier: MIT
 *
 * GPU family: gradient of a 3x3 filter of stride 1 by Winograd F(3x3, 2x2): the output's gradient, in
 * tiles of 2x2, takes the filter's place, and 16 multiplications a tile and pair of channels that of 36.
 *   dw[k][3x3][c] = A' [sum over tiles of (G dy[2x2 tile] G') . (B' x[4x4 window] B)] A
 * x [n][H][W][C], dy [n][P][Q][K].  The halves of G are left to the last step.  Any C, K, P, Q.
 * A work-group of THREADS makes ROW_BLOCK filters x COL_BLOCK channels over a slice of the tiles
 * (gpu_winograd_parts.cl) and transforms them back: partial [slice][k][3][3][c], which gpu_combine.cl
 * adds in order.  DEPTH tiles at a time pass through local memory; the next are read meanwhile, by
 * neighbours in neighbouring channels.
 * -DC -DH -DW -DK -DP -DQ -DPT -DPL -DROW_BLOCK -DCOL_BLOCK -DDEPTH -DTILES_H -DTILES_W.
 * Local memory: 64 * DEPTH * (ROW_BLOCK + COL_BLOCK) bytes.
 * Launch: (blocks of c * THREADS, blocks of k, slices).  Sums: tiles ascending, then the transform.
 * Lavin, Gray: Fast algorithms for convolutional neural networks, 2015. */
#include "common.cl"

#define SWAPPED(i, step) (i)
#include "conv/gpu_winograd_parts.cl"

#define Z_SIZE (16 * DEPTH * ROW_BLOCK)
#define V_SIZE (16 * DEPTH * COL_BLOCK)
#define Z_TILES (DEPTH * ROW_BLOCK) /* read at a time, by as many work-items */
#define WINDOWS (DEPTH * COL_BLOCK)

/* Two gradients and four products of one dimension, `step` apart, to r0..r3 (r2). */
#define GRADIENT(g, step)                                                                          \
    float r0 = (g)[0], r1 = (g)[0] + (g)[step], r2 = (g)[0] - (g)[step], r3 = (g)[step];
#define BACK_3(m, step)                                                                            \
    float even = 0.5f * ((m)[step] + (m)[2 * (step)]), odd = 0.5f * ((m)[step] - (m)[2 * (step)]); \
    float r0 = (m)[0] + even, r1 = odd, r2 = even - (m)[3 * (step)];

void fetch_gradient(__global const float *dy, int tile, int tiles, int k, float g[4])
{
    int n = tile / (TILES_H * TILES_W);
    int h = tile / TILES_W % TILES_H * 2, w = tile % TILES_W * 2;
    bool exists = tile < tiles && k < K;
    dy += ((size_t)(n * P + h) * Q + w) * K + k;
    LH_UNROLL
    for (int i = 0; i < 2; i++)
        LH_UNROLL
        for (int j = 0; j < 2; j++)
            g[2 * i + j] = exists && h + i < P && w + j < Q ? dy[(i * Q + j) * K] : 0.0f;
}

/* G g G' to one place in each of the 16 planes. */
void place_gradient(const float g[4], __local float *z)
{
    float t[8];
    LH_UNROLL
    for (int j = 0; j < 2; j++) {
        GRADIENT(g + j, 2)
        t[j] = r0;
        t[2 + j] = r1;
        t[4 + j] = r2;
        t[6 + j] = r3;
    }
    LH_UNROLL
    for (int i = 0; i < 4; i++, z += 4 * ROW_BLOCK) {
        GRADIENT(t + 2 * i, 1)
        z[0] = r0;
        z[ROW_BLOCK] = r1;
        z[2 * ROW_BLOCK] = r2;
        z[3 * ROW_BLOCK] = r3;
    }
}

/* A' m A of the 16 products m, a plane apart. */
void store_filter(__local const float *m, __global float *partial)
{
    float t[12];
    LH_UNROLL
    for (int j = 0; j < 4; j++) {
        BACK_3(m + j * 2 * ROWS * M_LINE, 8 * ROWS * M_LINE)
        t[j] = r0;
        t[4 + j] = r1;
        t[8 + j] = r2;
    }
    LH_UNROLL
    for (int i = 0; i < 3; i++, partial += 3 * C) {
        BACK_3(t + 4 * i, 1)
        partial[0] = r0;
        partial[C] = r1;
        partial[2 * C] = r2;
    }
}

__kernel __attribute__((reqd_work_group_size(THREADS, 1, 1)))
void winograd2_gradient(__global const float *x, __global const float *dy, __global float *partial,
                        int tiles, int slice)
{
    __local float4 memory[(Z_SIZE + V_SIZE) / 4];
    __local float *z = (__local float *)memory, *v = z + Z_SIZE;
    int id = get_local_id(0), plane = id / PLANE, row = id % PLANE / COLS, col = id % COLS;
    int c0 = get_group_id(0) * COL_BLOCK, k0 = get_group_id(1) * ROW_BLOCK;
    int c = id % COL_BLOCK, x_tile = id / COL_BLOCK, k = id % ROW_BLOCK, dy_tile = id / ROW_BLOCK;
    int first = get_group_id(2) * slice, last = min(first + slice, tiles);
    float sum[8][8], d[16], g[4];
    LH_UNROLL
    for (int i = 0; i < 8; i++)
        LH_UNROLL
        for (int j = 0; j < 8; j++) sum[i][j] = 0.0f;
    if (id < WINDOWS) {
        window from = place_window(first + x_tile, last);
        fetch_window(x, &from, c0 + c, d);
    }
    if (id < Z_TILES) fetch_gradient(dy, first + dy_tile, last, k0 + k, g);
    for (int at = first; at < last; at += DEPTH) {
        if (id < Z_TILES) place_gradient(g, z + dy_tile * 16 * ROW_BLOCK + k);
        if (id < WINDOWS) place_data(d, v + x_tile * 16 * COL_BLOCK + c, COL_BLOCK);
        barrier(CLK_LOCAL_MEM_FENCE);
        int next = at + DEPTH;
        if (id < Z_TILES && next < last) fetch_gradient(dy, next + dy_tile, last, k0 + k, g);
        if (id < WINDOWS && next < last) {
            window from = place_window(next + x_tile, last);
            fetch_window(x, &from, c0 + c, d);
        }
        multiply(z + plane * ROW_BLOCK, v + plane * COL_BLOCK, row, col, sum);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    __local float *m = z; /* [16][2 * ROWS][M_LINE] */
    int line = id / COL_BLOCK;
    partial += (size_t)get_group_id(2) * K * 9 * C;
    LH_UNROLL
    for (int s = 0; s < 4; s++) {
        show_sums(sum, s, plane, row, col, m);
        barrier(CLK_LOCAL_MEM_FENCE);
        k = k0 + SUM_ROW(s, line);
        if (k < K && c0 + c < C)
            store_filter(m + line * M_LINE + c, partial + (size_t)k * 9 * C + c0 + c);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}
