/* SPDX-License-Identifier: MIT
 *
 * Winograd F(4x4, 3x3) for the CPU family: 3x3 filters with stride 1, forward and backward data
 * (the same with flipped, transposed weights): 2.25 multiplications per output and channel, not 9.
 * Layouts: in [n][H][W][C], out [n][P][Q][K]; u [K/BLOCK][36][C][BLOCK], the transformed filters.
 * C and K are multiples of VW; P and Q are anything, edge tiles are cut.
 * Launch: one work-item per work-group, each TILES output tiles of 4x4 (of whatever images).
 * Local memory: v [36][TILES][C], the transformed windows; m [36][TILES][BLOCK], the products.
 * Their 36 planes are 16 floats further apart than needed, so that they do not share cache sets.
 * Register tile: ROWS tiles x NV vectors of channels.  Summation order: c, then the transform.
 * Accuracy: error 1.4e-6 (C = 64) to 2.8e-6 (C = 256) of the largest output, on uniform random
 * data; the direct kernel's is 0.8e-6 to 1.9e-6. */
#include "common.cl"
#include "conv/tile.cl"
#define V_SPACE __local
#include "conv/winograd.cl"

#define V_STEP (TILES * C + 16)
#define M_STEP (TILES * BLOCK + 16)

/* Over (block, c): the 3x3 filters from input channel c to the block, transformed. */
LH_TASK void winograd_filter(__global const float *restrict w, __global float *restrict u,
                             int out_step, int in_step, int flip)
{
    int block = get_global_id(0), c = get_global_id(1);
    float g[9 * BLOCK];
    for (int i = 0; i < BLOCK; i++)
        for (int tap = 0; tap < 9; tap++)
            g[tap * BLOCK + i] = block * BLOCK + i < K
                ? w[(size_t)(block * BLOCK + i) * out_step + (size_t)c * in_step +
                    (flip ? 8 - tap : tap)] : 0.0f;
    u += ((size_t)block * 36 * C + c) * BLOCK;
    for (int i = 0; i < BLOCK; i += VW) {
        LH_V t[18];
        for (int s = 0; s < 3; s++) {
            LH_V g0 = LH_VLOAD(0, g + s * BLOCK + i), g1 = LH_VLOAD(0, g + (3 + s) * BLOCK + i);
            LH_V g2 = LH_VLOAD(0, g + (6 + s) * BLOCK + i);
            DECLARE_6(r)
            TRANSFORM_FILTER(g, r)
            t[s] = r0;
            t[3 + s] = r1;
            t[6 + s] = r2;
            t[9 + s] = r3;
            t[12 + s] = r4;
            t[15 + s] = r5;
        }
        for (int a = 0; a < 6; a++) {
            LH_V g0 = t[3 * a], g1 = t[3 * a + 1], g2 = t[3 * a + 2];
            __global float *to = u + (size_t)6 * a * C * BLOCK + i;
            DECLARE_6(r)
            TRANSFORM_FILTER(g, r)
            LH_VSTORE(r0, 0, to);
            LH_VSTORE(r1, 0, to + C * BLOCK);
            LH_VSTORE(r2, 0, to + 2 * C * BLOCK);
            LH_VSTORE(r3, 0, to + 3 * C * BLOCK);
            LH_VSTORE(r4, 0, to + 4 * C * BLOCK);
            LH_VSTORE(r5, 0, to + 5 * C * BLOCK);
        }
    }
}

/* Asks for a quarter of a tile's own inputs. */
void prefetch_quarter(__global const float *in, int quarter)
{
    tile_place at = place_tile(quarter / 4);
    int h = at.h + quarter % 4;
    in += (((size_t)at.n * H + h) * W + at.w) * C;
    for (int i = 0; i < min(4, W - at.w) * C && h < H; i += 16) LH_PREFETCH(in + i);
}

/* m = v * u for one block of output channels: 36 products of matrices [TILES][C] and [C][BLOCK].
 * Meanwhile it asks for the inputs of the tiles from `next` on, unless that is negative. */
void multiply(__local const float *restrict v, __global const float *restrict u,
              __local float *restrict m, __global const float *in, int next)
{
    int quarter = 0;
    for (int f = 0; f < 36; f++, v += V_STEP, m += M_STEP, u += C * BLOCK)
        for (int t = 0; t < TILES; t += ROWS, quarter++) {
            if (next >= 0 && quarter < 4 * TILES) prefetch_quarter(in, 4 * next + quarter);
            __local const float *p = v + t * C;
            __global const float *q = u;
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

/* VW channels of one 4x4 output tile, of which rows x cols exist; out: its first position. */
void transform_out(__local const float *restrict m, LH_V bias, __global float *restrict out,
                   int rows, int cols)
{
    LH_V t[24];
    for (int j = 0; j < 6; j++, m += M_STEP) {
        LH_V m0 = LH_VLOAD(0, m), m1 = LH_VLOAD(0, m + 6 * M_STEP);
        LH_V m2 = LH_VLOAD(0, m + 12 * M_STEP), m3 = LH_VLOAD(0, m + 18 * M_STEP);
        LH_V m4 = LH_VLOAD(0, m + 24 * M_STEP), m5 = LH_VLOAD(0, m + 30 * M_STEP);
        LH_V r0, r1, r2, r3;
        TRANSFORM_BACK_4(m, r)
        t[j] = r0;
        t[6 + j] = r1;
        t[12 + j] = r2;
        t[18 + j] = r3;
    }
    for (int i = 0; i < rows; i++, out += Q * K) {
        LH_V m0 = t[6 * i], m1 = t[6 * i + 1], m2 = t[6 * i + 2], m3 = t[6 * i + 3];
        LH_V m4 = t[6 * i + 4], m5 = t[6 * i + 5], r0, r1, r2, r3;
        TRANSFORM_BACK_4(m, r)
#define PUT(i)                                                                                     \
    if (i < cols) {                                                                                \
        r##i += bias;                                                                              \
        LH_VSTREAM(ACT(r##i), 0, out + i * K);                                                      \
    }
        PUT(0) PUT(1) PUT(2) PUT(3)
#undef PUT
    }
}

LH_TASK void winograd_conv(__global const float *restrict in, __global const float *restrict u,
                           __global const float *restrict bias, __global float *restrict out,
                           int tiles, __local float *restrict v, __local float *restrict m)
{
    int first = get_global_id(0) * TILES, count = min(TILES, tiles - first);
    for (int t = 0; t < count; t++) {
        tile_place at = place_tile(first + t);
        for (int c = 0; c < C; c += VW)
            transform_window(in + (size_t)at.n * H * W * C + c, at.h - PT, at.w - PL,
                             v + t * C + c, V_STEP);
    }
    for (int f = 0; count < TILES && f < 36; f++)
        clear_floats(v + f * V_STEP + count * C, (TILES - count) * C);
    int next = first + 2 * TILES <= tiles ? first + TILES : -1;
    for (int k = 0; k < K; k += BLOCK, next = -1) {
        multiply(v, u + (size_t)k * 36 * C, m, in, next);
        for (int t = 0; t < count; t++) {
            tile_place at = place_tile(first + t);
            __global float *to = out + (((size_t)at.n * P + at.h) * Q + at.w) * K + k;
            for (int i = 0; i < BLOCK; i += VW)
                transform_out(m + t * BLOCK + i,
                              bias ? LH_VLOAD(0, bias + k + i) : (LH_V)0.0f, to + i,
                              min(4, P - at.h), min(4, Q - at.w));
        }
    }
}
