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
#define TASK_TILES 8 /* of one transform task */
#define RUN 128      /* tiles per pass of the products: a panel of each side fits into 32 KiB */

/* Transforms VW channels of a 4x4 tile of dy, of which rows x cols exist. */
void transform_gradient(__global const float *restrict dy, int rows, int cols,
                        __global float *restrict z)
{
    LH_V t[24];
    for (int j = 0; j < 4; j++, dy += K) {
        DECLARE_6(r)
#define GET(i)                                                                                     \
    LH_V g##i = (LH_V)0.0f;                                                                        \
    if (j < cols && i < rows) g##i = LH_VLOAD(0, dy + i * Q * K);
        GET(0) GET(1) GET(2) GET(3)
#undef GET
        TRANSFORM_GRADIENT(g, r)
        t[j] = r0;
        t[4 + j] = r1;
        t[8 + j] = r2;
        t[12 + j] = r3;
        t[16 + j] = r4;
        t[20 + j] = r5;
    }
    for (int i = 0; i < 24; i += 4, z += 6 * (size_t)Z_STEP) {
        LH_V g0 = t[i], g1 = t[i + 1], g2 = t[i + 2], g3 = t[i + 3];
        DECLARE_6(r)
        TRANSFORM_GRADIENT(g, r)
        LH_VSTORE(r0, 0, z);
        LH_VSTORE(r1, 0, z + Z_STEP);
        LH_VSTORE(r2, 0, z + 2 * Z_STEP);
        LH_VSTORE(r3, 0, z + 3 * Z_STEP);
        LH_VSTORE(r4, 0, z + 4 * Z_STEP);
        LH_VSTORE(r5, 0, z + 5 * Z_STEP);
    }
}

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

/* Over (block, c): the sums back to 3x3 weights; c = 0 also adds up the bias slots. */
LH_TASK void winograd_weights(__global const float *restrict work, __global float *restrict dw,
                              __global float *restrict dbias, ulong sums_at, ulong bias_at,
                              int slots)
{
    int block = get_global_id(0), c = get_global_id(1);
    for (int i = 0; i < BLOCK; i += VW) {
        __global const float *sums = work + sums_at + (size_t)(block * C + c) * BLOCK + i;
        int k = block * BLOCK + i;
        float taps[9 * VW];
        LH_V t[18];
        for (int j = 0; j < 6; j++) {
            LH_V m0, m1, m2, m3, m4, m5, r0, r1, r2;
#define GET(a)                                                                                     \
    m##a = (LH_V)(point_scale[a] * point_scale[j]) *                                               \
           LH_VLOAD(0, sums + (size_t)(6 * a + j) * C * K);
            GET(0) GET(1) GET(2) GET(3) GET(4) GET(5)
#undef GET
            TRANSFORM_BACK_3(m, r)
            t[j] = r0;
            t[6 + j] = r1;
            t[12 + j] = r2;
        }
        for (int r = 0; r < 3; r++) {
            LH_V m0 = t[6 * r], m1 = t[6 * r + 1], m2 = t[6 * r + 2], m3 = t[6 * r + 3];
            LH_V m4 = t[6 * r + 4], m5 = t[6 * r + 5], r0, r1, r2;
            TRANSFORM_BACK_3(m, r)
            LH_VSTORE(r0, 0, taps + (3 * r) * VW);
            LH_VSTORE(r1, 0, taps + (3 * r + 1) * VW);
            LH_VSTORE(r2, 0, taps + (3 * r + 2) * VW);
        }
        for (int l = 0; l < VW; l++)
            for (int tap = 0; tap < 9; tap++)
                dw[((size_t)(k + l) * C + c) * 9 + tap] = taps[tap * VW + l];
#if BIAS
        if (c == 0) {
            LH_V sum = (LH_V)0.0f;
            for (int s = 0; s < slots; s++) sum += LH_VLOAD(0, work + bias_at + s * K + k);
            LH_VSTORE(sum, 0, dbias + k);
        }
#endif
    }
}
