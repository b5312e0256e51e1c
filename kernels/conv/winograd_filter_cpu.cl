/* SPDX-License-Identifier: MIT
 *
 * Winograd F(3x3, 4x4) and F(3x3, 2x2) (-DTILE=4 or 2) for the CPU family: backward filter of 3x3
 * convolutions with stride 1.  Every tile of dy meets the window of x that it came from in 36 (16)
 * products instead of 144 (36).
 * Layouts: x NHWC, dy [n][P][Q][K], dw logical [K][C][3][3]; sums [slot][SQUARE][K/BLOCK][C][BLOCK],
 * bias [slot][K].  C and K are multiples of VW, C of ROWS.
 * Launch: one work-item per work-group, (part, slot): a slot takes a run of the tiles in groups of
 * TILES, a part some of the POINTS rows of points.  A group's x and dy stay in the second-level cache
 * while its rows of points are transformed and multiplied one after the other; the sums, used once
 * a group, stream through it.
 * Local memory: v [POINTS][C/PANEL][TILES][PANEL], z [POINTS][K/BLOCK][TILES][BLOCK], one row of points.
 * Register tile: ROWS input channels x NV vectors of output channels.  Summation order: the tiles of
 * a group, the groups of a slot, the slots, then the transform.
 * Accuracy: docs/numerics.md, "Winograd". */
#include "common.cl"
#include "conv/tile.cl"
#include "conv/winograd.cl"

#define SQUARE (POINTS * POINTS)
#define PANEL (VW > ROWS ? VW : ROWS) /* channels of x that lie together */
#define V_STEP (TILES * C + 16) /* 16: so that planes do not share cache sets */
#define Z_STEP (TILES * K + 16)

/* VW numbers at from, zero outside the image. */
LH_V get_edge(__global const float *restrict from, bool exists)
{
    LH_V r = (LH_V)0.0f;
    if (exists) r = LH_VLOAD(0, from);
    return r;
}

/* Row a of the points of VW channels of the input window whose first row and column are h and w (rows
 * and columns outside the image count as zero), one point every V_STEP.
 * x: first row and column of the image at the first of the channels. */
void transform_window(__global const float *restrict x, int h, int w, int a,
                      __local float *restrict v)
{
    bool inner = h >= 0 && w >= 0 && h + POINTS <= H && w + POINTS <= W;
    EACH_POINT(DECLARE_D)
    EACH_POINT(DECLARE_R)
    x += (h * W + w) * C;
#define AT(i, j) LH_VLOAD(0, x + ((i) * W + (j)) * C)
#define EDGE(i, j)                                                                                 \
    get_edge(x + ((i) * W + (j)) * C, h + (i) >= 0 && h + (i) < H && w + (j) >= 0 && w + (j) < W)
    if (a == 0 || a == POINTS - 1) {
#define GET(j) d##j = DATA_ROW_OUTER(AT, a, j);
#define GET_EDGE(j) d##j = DATA_ROW_OUTER(EDGE, a, j);
        if (inner) {
            EACH_POINT(GET)
        } else {
            EACH_POINT(GET_EDGE)
        }
#undef GET
#undef GET_EDGE
    } else {
#define GET(j) d##j = DATA_ROW(AT, a, j);
#define GET_EDGE(j) d##j = DATA_ROW(EDGE, a, j);
        if (inner) {
            EACH_POINT(GET)
        } else {
            EACH_POINT(GET_EDGE)
        }
#undef GET
#undef GET_EDGE
    }
#undef AT
#undef EDGE
    TRANSFORM_DATA(d, r)
#define PUT(j) LH_VSTORE(r##j, 0, v + j * V_STEP);
    EACH_POINT(PUT)
#undef PUT
}

/* Row a of the points of VW channels of a tile of dy, of which rows x cols exist, one point every
 * Z_STEP. */
void transform_gradient(__global const float *restrict dy, int rows, int cols, int a,
                        __local float *restrict z)
{
    EACH_TILE(DECLARE_D)
    EACH_POINT(DECLARE_R)
#define AT(i, j) LH_VLOAD(0, dy + ((i) * Q + (j)) * K)
#define EDGE(i, j) get_edge(dy + ((i) * Q + (j)) * K, (i) < rows && (j) < cols)
    if (a == 0 || a == POINTS - 1) {
        int row = a ? TILE - 1 : 0;
#define GET(j) d##j = EDGE(row, j);
        EACH_TILE(GET)
#undef GET
    } else {
#define GET(j) d##j = GRADIENT_ROW(AT, a, j);
#define GET_EDGE(j) d##j = GRADIENT_ROW(EDGE, a, j);
        if (rows >= TILE && cols >= TILE) {
            EACH_TILE(GET)
        } else {
            EACH_TILE(GET_EDGE)
        }
#undef GET
#undef GET_EDGE
    }
#undef AT
#undef EDGE
    TRANSFORM_GRADIENT(d, r)
#define PUT(j) LH_VSTORE(r##j, 0, z + j * Z_STEP);
    EACH_POINT(PUT)
#undef PUT
}

/* Row a of the points of a group of count tiles, all channels. */
void transform_group(__global const float *restrict x, __global const float *restrict dy, int first,
                     int count, int a, __local float *restrict v, __local float *restrict z)
{
    for (int t = 0; t < count; t++) {
        tile_place at = place_tile(first + t);
        for (int c = 0; c < C; c += VW)
            transform_window(x + (size_t)at.n * H * W * C + c, at.h - PT, at.w - PL, a,
                             v + (c / PANEL * TILES + t) * PANEL + c % PANEL);
        __global const float *from = dy + (((size_t)at.n * P + at.h) * Q + at.w) * K;
        for (int k = 0; k < K; k += VW)
            transform_gradient(from + k, P - at.h, Q - at.w, a,
                               z + (k / BLOCK * TILES + t) * BLOCK + k % BLOCK);
    }
}

/* sums += v * z over count tiles, for one row of points; the first group starts from zero. */
void add_products(__local const float *restrict v, __local const float *restrict z,
                  __global float *restrict sums, bool fresh, int count)
{
    for (int f = 0; f < POINTS; f++, v += V_STEP, z += Z_STEP, sums += C * K)
        for (int k = 0; k < K; k += BLOCK)
            for (int c = 0; c < C; c += ROWS) {
                __local const float *p = v + c / PANEL * PANEL * TILES + c % PANEL, *q = z + k * TILES;
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
                for (int t = 0; t < count; t++, p += PANEL, q += BLOCK) {
                    LOAD_UV(q)
                    EACH_ROW(ROW_TERM)
                }
                EACH_ROW(ROW_PUT)
            }
}

/* bias += dy over a group of tiles. */
void add_bias(__global const float *restrict dy, __global float *restrict bias, int first, int count,
              bool fresh)
{
    for (int t = 0; t < count; t++) {
        tile_place at = place_tile(first + t);
        __global const float *from = dy + (((size_t)at.n * P + at.h) * Q + at.w) * K;
        for (int k = 0; k < K; k += VW) {
            LH_V sum = (LH_V)0.0f;
            for (int i = 0; i < min(P - at.h, TILE); i++)
                for (int j = 0; j < min(Q - at.w, TILE); j++)
                    sum += LH_VLOAD(0, from + (i * Q + j) * K + k);
            LH_VSTORE(fresh && t == 0 ? sum : sum + LH_VLOAD(0, bias + k), 0, bias + k);
        }
    }
}

LH_TASK void winograd_sums(__global const float *restrict x, __global const float *restrict dy,
                           __global float *restrict work, ulong bias_at, int tiles,
                           __local float *restrict v, __local float *restrict z)
{
    int part = get_global_id(0), rows = POINTS / get_global_size(0);
    int slot = get_global_id(1), slots = get_global_size(1), groups = (tiles + TILES - 1) / TILES;
    int begin = (int)((long)groups * slot / slots) * TILES;
    int end = min((int)((long)groups * (slot + 1) / slots) * TILES, tiles);
    __global float *sums = work + (size_t)slot * SQUARE * C * K;
    for (int first = begin; first < end; first += TILES) {
        int count = min(TILES, end - first);
        for (int a = part * rows; a < (part + 1) * rows; a++) {
            transform_group(x, dy, first, count, a, v, z);
            add_products(v, z, sums + (size_t)a * POINTS * C * K, first == begin, count);
        }
#if BIAS
        if (part == 0)
            add_bias(dy, work + bias_at + (size_t)slot * K, first, count, first == begin);
#endif
    }
}

/* The vectors at from in all slots, added in order. */
LH_V sum_slots(__global const float *restrict from, int slots)
{
    LH_V sum = LH_VLOAD(0, from);
    for (int i = 1; i < slots; i++) sum += LH_VLOAD(0, from + (size_t)i * SQUARE * C * K);
    return sum;
}

/* Over (block, c): the sums of all slots back to 3x3 weights; c = 0 also adds up the bias. */
LH_TASK void winograd_weights(__global const float *restrict work, __global float *restrict dw,
                              __global float *restrict dbias, ulong bias_at, int slots)
{
    int block = get_global_id(0), c = get_global_id(1);
    for (int i = 0; i < BLOCK; i += VW) {
        __global const float *sums = work + (size_t)(block * C + c) * BLOCK + i;
        int k = block * BLOCK + i;
        float taps[9 * VW];
        LH_V t[3 * POINTS], r0, r1, r2;
        for (int j = 0; j < POINTS; j++) {
#define GET(a)                                                                                     \
    LH_V m##a = (LH_V)(point_scale[a] * point_scale[j]) *                                          \
                sum_slots(sums + (size_t)(POINTS * a + j) * C * K, slots);
            EACH_POINT(GET)
#undef GET
            TRANSFORM_BACK_3(m, r)
            t[j] = r0;
            t[POINTS + j] = r1;
            t[2 * POINTS + j] = r2;
        }
        for (int r = 0; r < 3; r++) {
#define GET(j) LH_V m##j = t[POINTS * r + j];
            EACH_POINT(GET)
#undef GET
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
