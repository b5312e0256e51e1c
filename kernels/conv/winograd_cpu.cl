/* SPDX-License-Identifier: MIT
 *
 * Winograd F(4x4, 3x3) and F(2x2, 3x3) (-DTILE=4 or 2) for the CPU family: 3x3 filters with stride 1,
 * forward and backward data (the same with flipped, transposed weights): 2.25 or 4 multiplications
 * per output and channel, not 9.  -DSPREAD=1: winograd_spread.cl.  -DSTRIDE=2: forward with stride 2,
 * winograd_stride2.cl and winograd_stride2_tile.cl, 5.1 multiplications.
 * -DPOOL=1: winograd_pool.cl, out is [n][P/2][Q/2][K], and so is where with -DWHERE=1.
 * Layouts: in [n][H][W][C], out [n][P][Q][K]; u [K/BLOCK][SQUARE][C][BLOCK], the
 * filters transformed by winograd_filters.cl, with SQUARE = 36 or 16 points.  PRODUCTS are as many, or
 * 81 with stride 2, where several use the same point of a filter.
 * C and K are multiples of VW; P and Q are anything, edge tiles are cut.
 * Launch: one work-item per work-group, (group of TILES output tiles of whatever images, share of the
 * blocks).
 * Local memory: v [PRODUCTS][TILES][C], the transformed windows; m [PRODUCTS][TILES][BLOCK], the
 * products.  Planes of u, v and m are 16 floats further apart than needed, so that they do not share
 * cache sets.
 * Register tile: ROWS tiles x NV vectors of channels.  Summation order: c, then the transform.
 * Accuracy: docs/numerics.md, "Winograd". */
#include "common.cl"
#include "conv/tile.cl"
#include "conv/winograd.cl"

#define SQUARE (POINTS * POINTS)
#define PRODUCTS (SIDE * SIDE)
#define V_STEP (TILES * C + 16)
#define U_STEP (C * BLOCK + 16)
#define M_STEP (TILES * BLOCK + 16)
#if STRIDE == 2
#define FILTER_POINT(f) (min((f) / SIDE, POINTS - 1) * POINTS + min((f) % SIDE, POINTS - 1))
#else
#include "conv/winograd_window.cl"
#define FILTER_POINT(f) (f)
#endif
#define SPAN (TILE * STRIDE) /* from the inputs of a tile to those of the next */

/* Asks for one row of a tile's own inputs. */
void prefetch_row(__global const float *in, int row)
{
    tile_place at = place_tile(row / SPAN);
    int h = at.h * STRIDE + row % SPAN, w = at.w * STRIDE;
    in += (((size_t)at.n * H + h) * W + w) * C;
    for (int i = 0; i < min(SPAN, W - w) * C && h < H; i += 16) LH_PREFETCH(in + i);
}

/* m = v * u for one block of output channels: PRODUCTS products of matrices [TILES][C] and [C][BLOCK].
 * Meanwhile it asks for the inputs of the tiles from `next` on, unless that is negative. */
void multiply(__local const float *restrict v, __global const float *restrict u,
              __local float *restrict m, __global const float *in, int next)
{
    int row = 0;
    for (int f = 0; f < PRODUCTS; f++, v += V_STEP, m += M_STEP)
        for (int t = 0; t < TILES; t += ROWS, row++) {
            if (next >= 0 && row < SPAN * TILES) prefetch_row(in, SPAN * next + row);
            __local const float *p = v + t * C;
            __global const float *q = u + FILTER_POINT(f) * U_STEP;
            TILE_DECLARE
            {
                LH_V zero = (LH_V)0.0f;
#define ROW_ZERO(i) a##i = zero; SECOND(b##i = zero;)
                EACH_ROW(ROW_ZERO)
            }
            for (int c = 0; c < C; c++, q += BLOCK) {
                LOAD_UV(q)
#define ROW_TERM(i) ROW_FMA(i, p[i * C + c])
                EACH_ROW(ROW_TERM)
            }
#define ROW_KEEP(i) ROW_STORE(i, m + (t + i) * BLOCK)
            EACH_ROW(ROW_KEEP)
        }
}

#if RELU
#define ACT(v) select(v, (LH_V)0.0f, v < 0.0f) /* a NaN stays a NaN */
#else
#define ACT(v) v
#endif

#if SPREAD
#include "conv/winograd_spread.cl"
#elif STRIDE == 2
#include "conv/winograd_stride2_tile.cl"
#elif POOL
#include "conv/winograd_pool.cl"
#else

#define GET(i, j) LH_V m##i = LH_VLOAD(0, m + (POINTS * i + j) * M_STEP);
#define PUT(i, j)                                                                                  \
    if (j < cols) {                                                                                \
        r##j += bias;                                                                              \
        LH_VSTREAM(ACT(r##j), 0, out + (i * Q + j) * K);                                           \
    }
#if TILE == 4
#define DECLARE_T(j) LH_V t0##j, t1##j, t2##j, t3##j;
#define GETS(j) GET(0, j) GET(1, j) GET(2, j) GET(3, j) GET(4, j) GET(5, j)
#define KEEP(j) t0##j = r0; t1##j = r1; t2##j = r2; t3##j = r3;
#define PUTS(i) PUT(i, 0) PUT(i, 1) PUT(i, 2) PUT(i, 3)
#else
#define DECLARE_T(j) LH_V t0##j, t1##j;
#define GETS(j) GET(0, j) GET(1, j) GET(2, j) GET(3, j)
#define KEEP(j) t0##j = r0; t1##j = r1;
#define PUTS(i) PUT(i, 0) PUT(i, 1)
#endif
#define COLUMN(j)                                                                                  \
    {                                                                                              \
        GETS(j)                                                                                    \
        TRANSFORM_BACK(m, r)                                                                       \
        KEEP(j)                                                                                    \
    }
#define ROW(i)                                                                                     \
    if (i < rows) {                                                                                \
        TRANSFORM_BACK(t##i, r)                                                                    \
        PUTS(i)                                                                                    \
    }

/* VW channels of one output tile, of which rows x cols exist; out: its first position. */
void transform_out(__local const float *restrict m, LH_V bias, __global float *restrict out,
                   int rows, int cols)
{
    EACH_TILE(DECLARE_R)
    EACH_POINT(DECLARE_T)
    EACH_POINT(COLUMN)
    EACH_TILE(ROW)
}
#endif

LH_TASK void winograd_conv(__global const float *restrict in, __global const float *restrict u,
                           __global const float *restrict bias, __global float *restrict out,
                           __global uchar *restrict where, int tiles, __local float *restrict v,
                           __local float *restrict m)
{
    int first = get_global_id(0) * TILES, count = min(TILES, tiles - first);
    __global const float *zeros = u + (size_t)(K / BLOCK) * SQUARE * U_STEP;
    for (int t = 0; t < count; t++) {
        tile_place at = place_tile(first + t);
#if SPREAD
        for (int c = 0; c < C; c += VW)
            transform_image(in + (size_t)at.n * H * W * C + c, v + t * C + c);
#elif STRIDE == 2
        for (int c = 0; c < C; c += VW)
            transform_window(in + (size_t)at.n * H * W * C + c, at.h * 2 - PT, at.w * 2 - PL,
                             v + t * C + c);
#else
        window win;
        place_window(&win, in + (size_t)at.n * H * W * C, at.h - PT, at.w - PL, H, W, C,
                     POINTS, zeros);
        for (int c = 0; c < C; c += VW)
            for (int pair = 0; pair < PAIRS; pair++)
                transform_pair(&win, c, pair, v + LOW_POINT(pair) * POINTS * V_STEP + t * C + c,
                               v + HIGH_POINT(pair) * POINTS * V_STEP + t * C + c);
#endif
    }
    for (int f = 0; count < TILES && f < PRODUCTS; f++)
        clear_floats(v + f * V_STEP + count * C, (TILES - count) * C);
    int next = first + 2 * TILES <= tiles ? first + TILES : -1;
    int share = get_global_id(1), shares = get_global_size(1);
    for (int k = share * BLOCK; k < K; k += shares * BLOCK, next = -1) {
        multiply(v, u + (size_t)(k / BLOCK) * SQUARE * U_STEP, m, in, next);
        for (int t = 0; t < count; t++) {
            tile_place at = place_tile(first + t);
#if POOL
            size_t to = (((size_t)at.n * (P / 2) + at.h / 2) * (Q / 2) + at.w / 2) * K + k;
#else
            __global float *to = out + (((size_t)at.n * P + at.h) * Q + at.w) * K + k;
#endif
            for (int i = 0; i < BLOCK; i += VW) {
                LH_V add = bias ? LH_VLOAD(0, bias + k + i) : (LH_V)0.0f;
#if SPREAD
                spread_out(m + t * BLOCK + i, add, to + i);
#elif POOL
                transform_pooled(m + t * BLOCK + i, add, out + to + i, where + to + i,
                                 min(TILE, P - at.h), min(TILE, Q - at.w));
#else
                transform_out(m + t * BLOCK + i, add, to + i, min(TILE, P - at.h),
                              min(TILE, Q - at.w));
#endif
            }
        }
    }
}
