/* SPDX-License-Identifier: MIT
 *
 * Winograd F(3x3, 4x4) for the CPU family: backward filter of 3x3 convolutions with stride 1.
 * Every 4x4 tile of dy meets the 6x6 window of x that it came from in 36 products instead of 144.
 * The tiles of a batch are taken in chunks of CHUNK, so that a chunk's transforms stay in the last
 * cache; each chunk is two launches: transform, then add 36 matrix products to the sums.
 * Layouts: x NHWC, dy [n][P][Q][K], dw logical [K][C][3][3]; v [36][C/VW][CHUNK][VW] and
 * z [36][K/BLOCK][CHUNK][BLOCK], panels that the products read in order (planes 16 floats further
 * apart than needed, so that they do not share cache sets); sums [36][K/BLOCK][C][BLOCK].
 * C and K are multiples of VW.  One work-item per work-group, no local memory.
 * Register tile: ROWS input channels x NV vectors of output channels.  Summation order: tiles, then
 * the transform.  Accuracy: error 0.8e-6 (8x8 images) to 2.4e-6 (32x32) of the largest weight
 * gradient on uniform random data; the direct kernel's is 0.3e-6. */
#include "common.cl"
#include "conv/tile.cl"
#define V_SPACE __global
#include "conv/winograd.cl"

#define V_STEP (C * CHUNK + 16)
#define Z_STEP (K * CHUNK + 16)
#include "conv/winograd_filter.cl"

#define TASK_TILES 8 /* of one transform task */
#define RUN 128      /* tiles per pass of the products: a panel of each side fits into 32 KiB */

/* Over groups of TASK_TILES of the chunk that starts with tile `first` and has `count`. */
LH_TASK void winograd_transform(__global const float *restrict x, __global const float *restrict dy,
                                __global float *restrict v, ulong z_at, int first, int count)
{
    int begin = get_global_id(0) * TASK_TILES, end = min(begin + TASK_TILES, count);
    __global float *z = v + z_at;
    for (int t = begin; t < end; t++) {
        tile_place at = place_tile(first + t);
        for (int c = 0; c < C; c += VW)
            transform_window(x + (size_t)at.n * H * W * C + c, at.h - PT, at.w - PL,
                             v + (c * CHUNK + t * VW), V_STEP);
        __global const float *from = dy + (((size_t)at.n * P + at.h) * Q + at.w) * K;
        for (int k = 0; k < K; k += VW)
            transform_gradient(from + k, P - at.h, Q - at.w,
                               z + (k / BLOCK * CHUNK + t) * BLOCK + k % BLOCK);
    }
}

/* Over (point, block): sums += v * z over the chunk's tiles; the first chunk starts from zero. */
LH_TASK void winograd_products(__global float *restrict v, ulong z_at, ulong sums_at,
                               int fresh, int count)
{
    int f = get_global_id(0), block = get_global_id(1);
    __global const float *z = v + z_at + (size_t)f * Z_STEP + block * CHUNK * BLOCK;
    __global float *sums = v + sums_at + ((size_t)f * (K / BLOCK) + block) * C * BLOCK;
    v += (size_t)f * V_STEP;
    for (int from = 0; from < count; from += RUN) {
        int run = min(RUN, count - from);
        for (int c = 0; c < C; c += ROWS) {
            __global const float *p = v + (c / VW * CHUNK + from) * VW + c % VW;
            __global const float *q = z + from * BLOCK;
            __global float *sum = sums + c * BLOCK;
            TILE_DECLARE
#define ROW_ZERO(i) a##i = (LH_V)0.0f; SECOND(b##i = (LH_V)0.0f;)
#define ROW_GET(i) ROW_LOAD(i, sum + i * BLOCK)
#define ROW_PUT(i) ROW_STORE(i, sum + i * BLOCK)
#define ROW_TERM(i) ROW_FMA(i, p[i])
            if (fresh && from == 0) {
                EACH_ROW(ROW_ZERO)
            } else {
                EACH_ROW(ROW_GET)
            }
            for (int t = 0; t < run; t++, p += VW, q += BLOCK) {
                LOAD_UV(q)
                EACH_ROW(ROW_TERM)
            }
            EACH_ROW(ROW_PUT)
        }
    }
}

/* Over (slot, vector of channels): dy summed over the images slot, slot + slots, … */
LH_TASK void winograd_bias(__global const float *restrict dy, __global float *restrict partial,
                           ulong bias_at, int images)
{
    int slot = get_global_id(0), k = get_global_id(1) * VW;
    LH_V sum = (LH_V)0.0f;
    for (int n = slot; n < images; n += get_global_size(0)) {
        __global const float *from = dy + (size_t)n * P * Q * K + k;
        LH_V image = (LH_V)0.0f;
        for (int i = 0; i < P * Q; i++) image += LH_VLOAD(0, from + i * K);
        sum += image;
    }
    LH_VSTORE(sum, 0, partial + bias_at + slot * K + k);
}
