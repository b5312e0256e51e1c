/* SPDX-License-Identifier: MIT
 *
 * Backward filter for the CPU family: dw[k][c][r][s] = sum over images and output positions of
 * dy[n][p][q][k] * x[n][p*SH - PT + r][q*SW - PL + s][c], and dbias[k] = sum of dy.
 * Layouts: x NHWC, dy [n][P][Q][K]; partial [slot][block][R][PATCH][BLOCK] with PATCH >= S*C (one
 * filter row is a run of S*C consecutive floats of the padded input), then bias sums
 * [slot][block][BLOCK]; dw logical [K][C][R][S].
 * Launch: one work-item per work-group; filter_partial over (slot, share of the blocks),
 * filter_reduce over (block, chunk of c).  Slot t takes the units t, t + slots, …; a unit is BAND
 * output rows of IMAGES images, staged with their padding in local memory (unless there is none); so
 * are a block's channels of dy with -DSTAGE_DY=1.
 * Register tile: ROWS patch elements (or the whole filter, of a first layer) x NV vectors of channels,
 * summed over a unit's positions.
 * Summation order: positions of a unit (without rows that meet padding), units of a slot, slots: it
 * depends on shapes alone. */
#include "common.cl"
#include "conv/tile.cl"

#define WHOLE (R > 1 && ROWS == R * S * C) /* a tile has all rows of the filter */
#if WHOLE
#define PATCH (S * C)
#define ROW_AT(i) ((i) / PATCH * PITCH + (i) % PATCH)
#else
#define PATCH ((S * C + ROWS - 1) / ROWS * ROWS)
#define ROW_AT(i) (i)
#endif
#define PARTIAL (R * PATCH * BLOCK)
#define COLS ((Q - 1) * SW + S)
#define BLOCKS ((K + BLOCK - 1) / BLOCK)
#define POINTWISE (R == 1 && S == 1)
#if POINTWISE /* only the pixels that count, in pieces of channels */
#define FROM __local
#if PIECES
#define PIECE (VW % ROWS == 0 ? VW : ROWS)
#define STEP PIECE
#else
#define PIECE PATCH
#define STEP (((PATCH + 15) / 16 | 1) * 16) /* spread over cache sets */
#endif
#define PIECE_COUNT ((PATCH + PIECE - 1) / PIECE)
#define PIECE_STEP (IMAGES * BAND * Q * STEP + 16)
#elif IN_PLACE /* nothing is padding, and no tile reads past a patch: x is read where it lies */
#define FROM __global
#define PITCH (W * C)
#define IMAGE (H * W * C)
#define STEP (SW * C)
#define ROW_STEP (SH * PITCH)
#else
#define FROM __local
#define PITCH (COLS * C)
#define IMAGE (((BAND - 1) * SH + R) * PITCH)
#define STEP (SW * C)
#define ROW_STEP (SH * PITCH)
#endif
/* Cache lines of x, and positions of dy, of the next unit that a tile (a row of a whole one) asks for. */
#if WHOLE
#define TILES (IMAGES * BAND)
#else
#define TILES (R * PATCH / ROWS)
#endif
#define AHEAD_LINES (IMAGES * BAND * SH * W * C / 16 / TILES + 1)
#if WHOLE && BLOCKS == 1 /* dy is read once, in one run: the hardware asks */
#define AHEAD_POSITIONS 0
#else
#define AHEAD_POSITIONS (IMAGES * BAND * Q / TILES + 1)
#endif

#if STAGE_DY
#define DY_SPACE __local
#define DY_STEP BLOCK
#else
#define DY_SPACE __global
#define DY_STEP K
#endif

/* Copies one block's channels of `pixels` positions, zeros beyond K. */
void stage_block(__local float *to, __global const float *dy, int pixels, int channels)
{
    for (int i = 0; i < pixels; i++, dy += K, to += BLOCK) {
        if (channels >= BLOCK) {
            copy_floats(to, dy, BLOCK);
        } else {
            copy_floats(to, dy, channels);
            clear_floats(to + channels, BLOCK - channels);
        }
    }
}

#if POINTWISE
/* The pixels that a 1x1 filter meets at `rows` rows of positions; zeros outside the image. */
void stage_pixels(__local float *to, __global const float *image, int top, int rows)
{
    for (int row = 0; row < rows; row++)
        for (int q = 0; q < Q; q++, to += STEP) {
            int h = top + row * SH, w = q * SW - PL;
            bool inside = h >= 0 && h < H && w >= 0 && w < W;
            __global const float *from = image + (h * W + w) * C;
            for (int c = 0, at = 0; c < C; c += PIECE, at += PIECE_STEP) {
                if (inside) copy_floats(to + at, from + c, min(PIECE, C - c));
                else clear_floats(to + at, PIECE);
            }
        }
}
#endif

/* sum[BLOCK] += the block's channels of `pixels` positions. */
void add_block(__local float *sum, DY_SPACE const float *dy, int pixels)
{
    for (int j = 0; j < BLOCK; j += VW) {
        LH_V total = (LH_V)0.0f;
        for (int i = 0; i < pixels; i++) total += LH_VLOAD(0, dy + i * DY_STEP + j);
        LH_VSTORE(LH_VLOAD(0, sum + j) + total, 0, sum + j);
    }
}

LH_TASK void filter_partial(__global const float *restrict x, __global const float *restrict dy,
                            __global float *restrict partial, ulong bias_at, int images,
                            __local float *staged, __local float *block_dy, __local float *sums)
{
    int slot = get_global_id(0), slots = get_global_size(0);
    int share = get_global_id(1), shares = get_global_size(1), bands = (P + BAND - 1) / BAND;
    int units = (images + IMAGES - 1) / IMAGES * bands;
    __global float *bias_sums = partial + bias_at + (size_t)slot * BLOCKS * BLOCK;
    partial += (size_t)slot * BLOCKS * PARTIAL;
    clear_floats(sums, BLOCKS * BLOCK);
#if POINTWISE
    clear_floats(staged, PIECE_COUNT * PIECE_STEP); /* the last piece has room for more channels */
#elif PATCH > S * C
    /* The last tile of a patch reads, and drops, floats past the last staged pixel. */
    clear_floats(staged, IMAGES * IMAGE + ROWS);
#endif

    for (int unit = slot; unit < units; unit += slots) {
        int first = unit % bands * BAND, rows = min(BAND, P - first);
        int image = unit / bands * IMAGES, count = min(IMAGES, images - image);
        __global const float *unit_x = x + (size_t)image * H * W * C;
#if POINTWISE
        for (int i = 0; i < count; i++)
            stage_pixels(staged + i * rows * Q * STEP, unit_x + (size_t)i * H * W * C, first * SH - PT, rows);
#elif IN_PLACE
        FROM const float *input = unit_x + (first * SH - PT) * PITCH - PL * C;
#else
        FROM const float *input = staged;
        for (int i = 0; i < count; i++)
            stage_rows(staged + i * IMAGE, unit_x + (size_t)i * H * W * C, first * SH - PT, -PL,
                       (rows - 1) * SH + R, COLS);
#endif
        /* Meanwhile a task asks for the next unit, where it begins and as much as a whole one. */
        int next = unit + slots < units ? unit + slots : unit;
        size_t next_row = (size_t)(next / bands * IMAGES) * P + next % bands * BAND;
        size_t asked_x = ((size_t)(next / bands * IMAGES) * H + next % bands * BAND * SH) * W * C;
        size_t wanted_x = min(asked_x + IMAGES * BAND * SH * W * C, (size_t)images * H * W * C);
        for (int block = share; block < BLOCKS; block += shares) {
            __global float *own = partial + (size_t)block * PARTIAL;
            int channels = K - block * BLOCK;
            /* A unit's positions are neighbours in dy: rows of one image, or whole images. */
            __global const float *unit_dy = dy + ((size_t)image * P + first) * Q * K + block * BLOCK;
#if STAGE_DY
            stage_block(block_dy, unit_dy, count * rows * Q, channels);
            DY_SPACE const float *own_dy = block_dy;
#else
            DY_SPACE const float *own_dy = unit_dy;
#endif
            size_t asked_dy = next_row * Q;
            size_t wanted_dy = min(asked_dy + IMAGES * BAND * Q, (size_t)images * P * Q);
            for (int r = 0; r < (WHOLE ? 1 : R); r++) {
                /* The rows whose tap r is inside the image. */
                int top = first * SH - PT + r;
                int row0 = max(0, (-top + SH - 1) / SH), row1 = min(rows, (H - top + SH - 1) / SH);
#if WHOLE
                row0 = 0, row1 = rows;
#endif
                for (int j = 0; j < PATCH; j += ROWS) {
                    __global float *to = own + (r * PATCH + j) * BLOCK;
#define ASK                                                                                        \
    for (int l = 0; l < AHEAD_LINES && asked_x < wanted_x; l++, asked_x += 16)                     \
        LH_PREFETCH(x + asked_x);                                                                  \
    for (int l = 0; l < AHEAD_POSITIONS && asked_dy < wanted_dy; l++, asked_dy++)                  \
        for (int k = 0; k < min(BLOCK, channels); k += 16)                                         \
            LH_PREFETCH(dy + asked_dy * K + block * BLOCK + k);
#if !WHOLE
                    ASK
#endif
                    TILE_DECLARE
#define ROW_ZERO(i) a##i = (LH_V)0.0f; SECOND(b##i = (LH_V)0.0f;)
#define ROW_GET(i) ROW_LOAD(i, to + i * BLOCK)
#define ROW_PUT(i) ROW_STORE(i, to + i * BLOCK)
#define ROW_TAP(i) ROW_FMA(i, p[ROW_AT(i)])
                    if (unit == slot) {
                        EACH_ROW(ROW_ZERO)
                    } else {
                        EACH_ROW(ROW_GET)
                    }
#if POINTWISE
                    FROM const float *p = staged + j / PIECE * PIECE_STEP + j % PIECE;
                    DY_SPACE const float *d = own_dy;
                    for (int q = 0; q < count * rows * Q; q++, p += STEP, d += DY_STEP) {
                        LOAD_UV(d)
                        EACH_ROW(ROW_TAP)
                    }
#else
                    for (int i = 0; i < count; i++)
                        for (int row = row0; row < row1; row++) {
                            FROM const float *p = input + i * IMAGE + row * ROW_STEP + r * PITCH + j;
                            DY_SPACE const float *d = own_dy + (i * rows + row) * Q * DY_STEP;
#if WHOLE
                            ASK
#endif
                            for (int q = 0; q < Q; q++, p += STEP, d += DY_STEP) {
                                LOAD_UV(d)
                                EACH_ROW(ROW_TAP)
                            }
                        }
#endif
                    EACH_ROW(ROW_PUT)
                }
            }
#if BIAS
            add_block(sums + block * BLOCK, own_dy, count * rows * Q);
#endif
        }
    }
#if BIAS
    for (int block = share; block < BLOCKS; block += shares)
        for (int j = block * BLOCK; j < (block + 1) * BLOCK; j++)
            bias_sums[j] = sums[j];
#endif
}

LH_TASK void filter_reduce(__global const float *restrict partial, __global float *restrict dw,
                           __global float *restrict dbias, ulong bias_at, int slots, int chunk)
{
    int block = get_global_id(0), channels = min(BLOCK, K - block * BLOCK);
    int c0 = get_global_id(1) * chunk, c1 = min(c0 + chunk, C);
    for (int c = c0; c < c1; c++)
        for (int t = 0; t < R * S; t++)
            for (int i = 0; i < channels; i += VW) {
                __global const float *from =
                    partial + (size_t)block * PARTIAL + (t / S * PATCH + t % S * C + c) * BLOCK + i;
                LH_V sum = LH_VLOAD(0, from);
                for (int slot = 1; slot < slots; slot++)
                    sum += LH_VLOAD(0, from + (size_t)slot * BLOCKS * PARTIAL);
                float lanes[VW];
                LH_VSTORE(sum, 0, lanes);
                for (int l = 0; l < VW && i + l < channels; l++)
                    dw[((size_t)(block * BLOCK + i + l) * C + c) * R * S + t] = lanes[l];
            }
#if BIAS
    for (int i = 0; c0 == 0 && i < channels; i++) {
        float sum = 0.0f;
        for (int slot = 0; slot < slots; slot++)
            sum += partial[bias_at + (size_t)(slot * BLOCKS + block) * BLOCK + i];
        dbias[block * BLOCK + i] = sum;
    }
#endif
}
