/* SPDX-License-Identifier: MIT
 *
 * Winograd F(3x3, 4x4) and F(3x3, 2x2) (-DTILE=4 or 2) for the CPU family: backward filter of 3x3
 * convolutions with stride 1.  Every tile of dy meets the window of x that it came from in 36 (16)
 * products instead of 144 (36).
 * Layouts: x NHWC, dy [n][P][Q][K], dw logical [K][C][3][3]; sums [slot][SQUARE][K/BLOCK][C][BLOCK],
 * bias [slot][K].  C and K are multiples of VW, C of ROWS.
 * Launch: one work-item per work-group, (part, slot): a slot takes a run of the tiles in groups of
 * TILES, a part some pairs of the POINTS rows of points, or one row.  A group's x and dy stay in the
 * second-level cache while its pairs are transformed and multiplied one after the other, and the next
 * group's are asked for; the sums, used once a group, stream through it.
 * Local memory: v [2][POINTS][C/PANEL][TILES][PANEL], z [2][POINTS][K/BLOCK][TILES][BLOCK]: a pair.
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
#define ZEROS (POINTS * (C > K ? C : K))
#include "conv/winograd_window.cl"

#define AT_K(i, j) LH_VLOAD(0, y##i + (j) * K)
#define OUTER_K(j) lo##j = AT_K(0, j); hi##j = LH_VLOAD(0, last + j * K);
#define INNER_K(j) GRADIENT_PAIR(AT_K, lo##j, hi##j, j)
#define OUTER_K_EDGE(j) if (win->cols >> j & 1) { OUTER_K(j) }
#define INNER_K_EDGE(j) if (win->cols >> j & 1) { INNER_K(j) }
#define TAKE_ROW_K(i) __global const float *y##i = win->row[i] + k;

/* As transform_pair, of VW channels of a tile of dy; a point every Z_STEP. */
void gradient_pair(const window *win, int k, int pair, __local float *restrict low,
                   __local float *restrict high)
{
    EACH_TILE(DECLARE_PAIR)
    EACH_POINT(DECLARE_R)
    EACH_TILE(TAKE_ROW_K)
    if (pair == 0) {
        __global const float *last = win->row[TILE - 1] + k;
        if (win->whole) {
            EACH_TILE(OUTER_K)
        } else {
            EACH_TILE(OUTER_K_EDGE)
        }
    } else {
        LH_V value = (LH_V)pair_value[pair], square = (LH_V)pair_square[pair];
        if (win->whole) {
            EACH_TILE(INNER_K)
        } else {
            EACH_TILE(INNER_K_EDGE)
        }
    }
#define PUT(j) LH_VSTORE(r##j, 0, low + j * Z_STEP);
    if (low) {
        TRANSFORM_GRADIENT(lo, r)
        EACH_POINT(PUT)
    }
#undef PUT
#define PUT(j) LH_VSTORE(r##j, 0, high + j * Z_STEP);
    if (high) {
        TRANSFORM_GRADIENT(hi, r)
        EACH_POINT(PUT)
    }
#undef PUT
}

/* Asks for a row of a tile's own inputs and of its dy. */
void prefetch_row(__global const float *x, __global const float *dy, int tile, int row)
{
    tile_place at = place_tile(tile);
    int h = at.h + row;
    if (h < H)
        for (int i = 0; i < min(TILE, W - at.w) * C; i += 16)
            LH_PREFETCH(x + (((size_t)at.n * H + h) * W + at.w) * C + i);
    if (h < P)
        for (int i = 0; i < min(TILE, Q - at.w) * K; i += 16)
            LH_PREFETCH(dy + (((size_t)at.n * P + h) * Q + at.w) * K + i);
}

/* The rows of points of a pair, of a group of count tiles, all channels; asks for the tiles from `next`
 * on, before `end`. */
void transform_group(__global const float *restrict x, __global const float *restrict dy,
                     __global const float *restrict zeros, int first, int count, int next,
                     int end, int pair, bool low, bool high, __local float *restrict v,
                     __local float *restrict z)
{
    window win;
    for (int t = 0; t < count; t++) {
        tile_place at = place_tile(first + t);
        if (next + t < end)
            for (int row = pair; row < TILE; row += PAIRS) prefetch_row(x, dy, next + t, row);
        place_window(&win, x + (size_t)at.n * H * W * C, at.h - PT, at.w - PL, H, W, C, POINTS,
                     zeros);
        for (int c = 0; c < C; c += VW) {
            __local float *to = v + (c / PANEL * TILES + t) * PANEL + c % PANEL;
            transform_pair(&win, c, pair, low ? to : 0, high ? to + POINTS * V_STEP : 0);
        }
        place_window(&win, dy + (size_t)at.n * P * Q * K, at.h, at.w, P, Q, K, TILE, zeros);
        for (int k = 0; k < K; k += VW) {
            __local float *to = z + (k / BLOCK * TILES + t) * BLOCK + k % BLOCK;
            gradient_pair(&win, k, pair, low ? to : 0, high ? to + POINTS * Z_STEP : 0);
        }
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
                           __global float *restrict work, ulong bias_at, ulong zeros_at,
                           int tiles, __local float *restrict v, __local float *restrict z)
{
    /* A part has some pairs of rows of points, or one row of a pair. */
    int part = get_global_id(0), parts = get_global_size(0), pairs = max(PAIRS / parts, 1);
    bool single = parts > PAIRS, low = !single || part % 2 == 0, high = !single || part % 2 == 1;
    int first_pair = single ? part / 2 : part * pairs;
    int slot = get_global_id(1), slots = get_global_size(1), groups = (tiles + TILES - 1) / TILES;
    int begin = (int)((long)groups * slot / slots) * TILES;
    int end = min((int)((long)groups * (slot + 1) / slots) * TILES, tiles);
    __global float *sums = work + (size_t)slot * SQUARE * C * K;
    __global float *zeros = work + zeros_at + (size_t)(slot * parts + part) * ZEROS;
    for (int i = 0; i < ZEROS; i += VW) LH_VSTORE((LH_V)0.0f, 0, zeros + i);
    for (int first = begin; first < end; first += TILES) {
        int count = min(TILES, end - first);
        bool fresh = first == begin;
        for (int pair = first_pair; pair < first_pair + pairs; pair++) {
            __global float *rows = sums + (size_t)POINTS * C * K * LOW_POINT(pair);
            transform_group(x, dy, zeros, first, count, first + TILES, end, pair, low, high, v, z);
            if (low) add_products(v, z, rows, fresh, count);
            rows = sums + (size_t)POINTS * C * K * HIGH_POINT(pair);
            if (high)
                add_products(v + POINTS * V_STEP, z + POINTS * Z_STEP, rows, fresh, count);
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

#define RUN (ROWS * BLOCK / VW) /* vectors of a run of ROWS input channels */

/* Over (block, run): the sums of all slots back to 3x3 weights; the first run also adds up the bias.  Column
 * by column of points, so that few lines lie at the same place of the caches' sets at a time. */
LH_TASK void winograd_weights(__global const float *restrict work, __global float *restrict dw,
                              __global float *restrict dbias, ulong bias_at, int slots)
{
    int block = get_global_id(0), first = get_global_id(1) * ROWS;
    __global const float *sums = work + (size_t)(block * C + first) * BLOCK;
    LH_V columns[POINTS][RUN][3], r0, r1, r2;
    for (int j = 0; j < POINTS; j++)
        for (int i = 0; i < RUN; i++) {
#define GET(a)                                                                                     \
    LH_V m##a = (LH_V)(point_scale[a] * point_scale[j]) *                                          \
                sum_slots(sums + (size_t)(POINTS * a + j) * C * K + i * VW, slots);
            EACH_POINT(GET)
#undef GET
            TRANSFORM_BACK_3(m, r)
            columns[j][i][0] = r0;
            columns[j][i][1] = r1;
            columns[j][i][2] = r2;
        }
    for (int i = 0; i < RUN; i++) {
        int k = block * BLOCK + i % (BLOCK / VW) * VW, c = first + i / (BLOCK / VW);
        float taps[9 * VW];
        for (int r = 0; r < 3; r++) {
#define GET(j) LH_V m##j = columns[j][i][r];
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
    }
#if BIAS
    for (int k = block * BLOCK; first == 0 && k < (block + 1) * BLOCK; k += VW) {
        LH_V sum = (LH_V)0.0f;
        for (int s = 0; s < slots; s++) sum += LH_VLOAD(0, work + bias_at + s * K + k);
        LH_VSTORE(sum, 0, dbias + k);
    }
#endif
}
