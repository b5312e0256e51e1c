/* SPDX-License-Identifier: MIT
 *
 * GPU family: Winograd F(2x2, 3x3), 3x3 filters with stride 1, forward and backward data (the same with
 * flipped, transposed weights): 4 multiplications per output and channel, not 9.
 *   out[2x2 tile] = A' [sum over c of (G w G') . (B' in[4x4 window] B)] A
 * in [n][H][W][C], out [n][P][Q][K]; u [K/BLOCK][CP][16][BLOCK] holds G w G', with zeros where C is
 * padded to CP (a multiple of DEPTH) and K to a multiple of BLOCK.  Any C, K, P, Q.
 * A work-group of THREADS makes TILES tiles x BLOCK channels (gpu_winograd_parts.cl).  DEPTH channels
 * at a time pass through local memory; the next windows are read meanwhile.  A line of tiles is
 * permuted (SWAPPED) so that the work-items that write eight channels of four tiles meet 32 banks.
 * -DC -DH -DW -DK -DP -DQ -DPT -DPL -DCP -DTILES -DBLOCK -DDEPTH -DTILES_H -DTILES_W -DBIAS -DRELU
 * -DSTATS -DLOCAL.  Local memory: 64 * DEPTH * (TILES + BLOCK) bytes.
 * With -DSTATS=1, P and Q even, also the statistics of the group's pixels, part [group][2][K] from `at`
 * on: mean and sum of squared deviations from it.
 * Launch: (groups of tiles * THREADS, K/BLOCK).  Sums: c ascending, then the transform.
 * Lavin, Gray: Fast algorithms for convolutional neural networks, 2015. */
#include "common.cl"

#define ROW_BLOCK TILES
#define COL_BLOCK BLOCK
#define SWAPPED(tile, c) ((tile) ^ (4 * (c) % TILES))
#include "conv/gpu_winograd_parts.cl"

#define V_SIZE (16 * DEPTH * TILES)
#define U_SIZE (16 * DEPTH * BLOCK)
#define U_LOADS (U_SIZE / 4 / THREADS)
#define WINDOWS (DEPTH * TILES) /* read at a time, by as many work-items */

/* Three weights and four products of one dimension, `step` apart, to r0..r3 (r0, r1). */
#define FILTER(g, step)                                                                            \
    float even = 0.5f * ((g)[0] + (g)[2 * (step)]), odd = 0.5f * (g)[step];                        \
    float r0 = (g)[0], r1 = even + odd, r2 = even - odd, r3 = (g)[2 * (step)];
#define BACK(m, step)                                                                              \
    float r0 = (m)[0] + (m)[step] + (m)[2 * (step)], r1 = (m)[step] - (m)[2 * (step)] - (m)[3 * (step)];

/* One work-item per (block, c, channel of the block).  out_step and in_step: floats between two output
 * and two input channels of w; flip: mirrored taps. */
__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
void winograd2_filter(__global const float *w, __global float *u, int out_step, int in_step, int flip)
{
    int i = get_global_id(0), row = i / BLOCK, c = row % CP, k = row / CP * BLOCK + i % BLOCK;
    if (row >= CP * ((K + BLOCK - 1) / BLOCK)) return;
    float g[9], t[12];
    for (int tap = 0; tap < 9; tap++)
        g[tap] = c < C && k < K
            ? w[(size_t)k * out_step + (size_t)c * in_step + (flip ? 8 - tap : tap)] : 0.0f;
    for (int s = 0; s < 3; s++) {
        FILTER(g + s, 3)
        t[s] = r0;
        t[3 + s] = r1;
        t[6 + s] = r2;
        t[9 + s] = r3;
    }
    u += (size_t)row * 16 * BLOCK + i % BLOCK;
    for (int r = 0; r < 4; r++, u += 4 * BLOCK) {
        FILTER(t + 3 * r, 1)
        u[0] = r0;
        u[BLOCK] = r1;
        u[2 * BLOCK] = r2;
        u[3 * BLOCK] = r3;
    }
}

float act(float v)
{
#if RELU
    return v < 0.0f ? 0.0f : v;
#else
    return v;
#endif
}

/* A' m A of the 16 products m, a plane apart, to y and to the pixels of a tile that exist. */
void store_tile(__local const float *m, __global const float *bias, __global float *out, int tile, int k,
                float y[4])
{
    int n = tile / (TILES_H * TILES_W);
    int h = tile / TILES_W % TILES_H * 2, w = tile % TILES_W * 2;
    float t[8], offset = 0.0f;
#if BIAS
    offset = bias[k];
#endif
    LH_UNROLL
    for (int j = 0; j < 4; j++) {
        BACK(m + j * 2 * ROWS * M_LINE, 8 * ROWS * M_LINE)
        t[j] = r0;
        t[4 + j] = r1;
    }
    out += ((size_t)(n * P + h) * Q + w) * K + k;
    LH_UNROLL
    for (int i = 0; i < 2; i++, out += Q * K) {
        BACK(t + 4 * i, 1)
        y[2 * i] = act(r0 + offset);
        y[2 * i + 1] = act(r1 + offset);
        if (h + i < P) out[0] = y[2 * i];
        if (h + i < P && w + 1 < Q) out[K] = y[2 * i + 1];
    }
}

#if STATS
/* The sum over the lines of each channel, for all work-items. */
float sum_lines(float value, __local float *scratch)
{
    int id = get_local_id(0);
    barrier(CLK_LOCAL_MEM_FENCE);
    scratch[id] = value;
    barrier(CLK_LOCAL_MEM_FENCE);
    float sum = 0.0f;
    for (int line = 0; line < 2 * ROWS; line++) sum += scratch[line * BLOCK + id % BLOCK];
    return sum;
}

/* y: the pixels of this work-item's four tiles, of which the first `made` exist. */
void group_statistics(const float y[16], int made, int pixels, int k, __local float *scratch,
                      __global float *part)
{
    float sum = 0.0f, squares = 0.0f;
    LH_UNROLL
    for (int i = 0; i < 16; i++)
        if (i < made) sum += y[i];
    float mean = sum_lines(sum, scratch) / (float)pixels;
    LH_UNROLL
    for (int i = 0; i < 16; i++)
        if (i < made) squares = fma(y[i] - mean, y[i] - mean, squares);
    squares = sum_lines(squares, scratch);
    if (get_local_id(0) >= BLOCK || k >= K) return;
    part += (size_t)get_group_id(0) * 2 * K + k;
    part[0] = mean;
    part[K] = squares;
}
#endif

__kernel __attribute__((reqd_work_group_size(THREADS, 1, 1)))
void winograd2_conv(__global const float *in, __global const float4 *u, __global const float *bias,
                    __global float *out, int tiles, __global float *part, ulong at)
{
    __local float4 memory[(V_SIZE + U_SIZE) / 4];
    __local float *v = (__local float *)memory;
    __local float4 *u_part = memory + V_SIZE / 4;
    int id = get_local_id(0), plane = id / PLANE, row = id % PLANE / COLS, col = id % COLS;
    int first = get_group_id(0) * TILES, c = id % DEPTH, mine = id / DEPTH;
    window from = place_window(first + mine, tiles);
    float sum[8][8], d[16];
    LH_UNROLL
    for (int i = 0; i < 8; i++)
        LH_UNROLL
        for (int j = 0; j < 8; j++) sum[i][j] = 0.0f;
    u += (size_t)get_group_id(1) * (CP * 4 * BLOCK) + id;
    if (id < WINDOWS) fetch_window(in, &from, c, d);
    for (int c0 = 0; c0 < CP; c0 += DEPTH, u += U_SIZE / 4) {
        float4 next[U_LOADS];
        LH_UNROLL
        for (int i = 0; i < U_LOADS; i++) next[i] = u[i * THREADS];
        if (id < WINDOWS) place_data(d, v + c * 16 * TILES + SWAPPED(mine, c), TILES);
        LH_UNROLL
        for (int i = 0; i < U_LOADS; i++) u_part[id + i * THREADS] = next[i];
        barrier(CLK_LOCAL_MEM_FENCE);
        if (id < WINDOWS && c0 + DEPTH < CP) fetch_window(in, &from, c0 + DEPTH + c, d);
        multiply(v + plane * TILES, (__local const float *)u_part + plane * BLOCK, row, col, sum);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    __local float *m = v; /* [16][2 * ROWS][M_LINE] */
    int k = get_group_id(1) * BLOCK + id % BLOCK, line = id / BLOCK, made = 0;
    float y[16];
    LH_UNROLL
    for (int s = 0; s < 4; s++) {
        show_sums(sum, s, plane, row, col, m);
        barrier(CLK_LOCAL_MEM_FENCE);
        int tile = first + SUM_ROW(s, line);
        if (tile < tiles && k < K) {
            store_tile(m + line * M_LINE + id % BLOCK, bias, out, tile, k, y + 4 * s);
            made = 4 * (s + 1);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
#if STATS
    group_statistics(y, made, 4 * min(TILES, tiles - first), k, m, part + at);
#endif
}
