/* SPDX-License-Identifier: MIT
 *
 * Winograd F(3x3, 4x4) for the CPU family, few channels: backward filter of 3x3 convolutions with
 * stride 1.  As winograd_filter_cpu.cl, but one task transforms TILES tiles and multiplies them at
 * once, so that nothing but x, dy and the sums leaves the second-level cache.
 * Layouts: x NHWC, dy [n][P][Q][K], dw logical [K][C][3][3]; sums [slot][36][K/BLOCK][C][BLOCK],
 * bias [slot][K].  C and K are multiples of VW.
 * Launch: one work-item per work-group, (slot, part): a slot takes every slots-th group of TILES
 * tiles, a part PART of the K output channels.
 * Local memory: v [36][TILES][C] and z [36][TILES][PART], planes 16 floats further apart than needed.
 * Register tile: ROWS input channels x NV vectors of output channels.  Summation order: the tiles of
 * a slot, the slots, then the transform. */
#include "common.cl"
#include "conv/tile.cl"
#define V_SPACE __local
#include "conv/winograd.cl"

#define V_STEP (TILES * C + 16)
#define Z_STEP (TILES * PART + 16)
#include "conv/winograd_filter.cl"

/* sums += v * z over `count` tiles, for all 36 points; the first group starts from zero.  sums: of
 * the part. */
void add_products(__local const float *restrict v, __local const float *restrict z,
                  __global float *restrict sums, bool fresh, int count)
{
    for (int f = 0; f < 36; f++, v += V_STEP, z += Z_STEP, sums += C * K)
        for (int k = 0; k < PART; k += BLOCK)
            for (int c = 0; c < C; c += ROWS) {
                __local const float *p = v + c, *q = z + k;
                __global float *sum = sums + k * C + c * BLOCK;
                TILE_DECLARE
#define ROW_ZERO(i) a##i = (LH_V)0.0f; SECOND(b##i = (LH_V)0.0f;)
#define ROW_GET(i) ROW_LOAD(i, sum + i * BLOCK)
#define ROW_PUT(i) ROW_STORE(i, sum + i * BLOCK)
#define ROW_TERM(i) ROW_FMA(i, p[i])
                if (fresh) {
                    EACH_ROW(ROW_ZERO)
                } else {
                    EACH_ROW(ROW_GET)
                }
                for (int t = 0; t < count; t++, p += C, q += PART) {
                    LOAD_UV(q)
                    EACH_ROW(ROW_TERM)
                }
                EACH_ROW(ROW_PUT)
            }
}

/* VW channels of dy over a tile of which rows x cols exist. */
LH_V sum_tile(__global const float *restrict dy, int rows, int cols)
{
    LH_V sum = (LH_V)0.0f;
    for (int i = 0; i < min(rows, 4); i++)
        for (int j = 0; j < min(cols, 4); j++) sum += LH_VLOAD(0, dy + (i * Q + j) * K);
    return sum;
}

LH_TASK void winograd_slots(__global const float *restrict x, __global const float *restrict dy,
                            __global float *restrict work, ulong bias_at, int tiles,
                            __local float *restrict v, __local float *restrict z)
{
    int slot = get_global_id(0), step = get_global_size(0) * TILES;
    int part = get_global_id(1) * PART;
    __global float *sums = work + (size_t)slot * 36 * C * K + part * C;
    __global float *bias = work + bias_at + (size_t)slot * K + part;
    dy += part;
    for (int first = slot * TILES; first < tiles; first += step) {
        int count = min(TILES, tiles - first);
        bool fresh = first == slot * TILES;
        for (int t = 0; t < count; t++) {
            tile_place at = place_tile(first + t);
            for (int c = 0; c < C; c += VW)
                transform_window(x + (size_t)at.n * H * W * C + c, at.h - PT, at.w - PL,
                                 v + t * C + c, V_STEP);
            __global const float *from = dy + (((size_t)at.n * P + at.h) * Q + at.w) * K;
            for (int k = 0; k < PART; k += VW) {
                transform_gradient(from + k, P - at.h, Q - at.w, z + t * PART + k);
#if BIAS
                LH_V sum = sum_tile(from + k, P - at.h, Q - at.w);
                LH_VSTORE(fresh && t == 0 ? sum : sum + LH_VLOAD(0, bias + k), 0, bias + k);
#endif
            }
        }
        add_products(v, z, sums, fresh, count);
    }
}
