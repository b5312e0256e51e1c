/* SPDX-License-Identifier: MIT
 *
 * Backward filter for the CPU family: dw[k][c][r][s] = sum over images and output positions of
 * dy[n][p][q][k] * x[n][p*SH - PT + r][q*SW - PL + s][c], and dbias[k] = sum of dy.
 * Layouts: x NHWC, dy [n][P][Q][K]; partial [slot][block][R][PATCH][BLOCK] with PATCH >= S*C (one
 * filter row is a run of S*C consecutive floats of the padded input), then bias sums
 * [slot][block][BLOCK]; dw logical [K][C][R][S].
 * Launch: one work-item per work-group; filter_partial over (slot, block of channels),
 * filter_reduce over (block, c).  Slot t takes the units t, t + slots, …; a unit is BAND output
 * rows of IMAGES images, staged with their padding in local memory; so are the block's channels of
 * dy with -DSTAGE_DY=1.
 * Register tile: ROWS patch elements x NV vectors of channels, summed over a unit's positions.
 * Summation order: positions of a unit, units of a slot, slots: it depends on shapes alone. */
#include "common.cl"
#include "conv/tile.cl"

#define PATCH ((S * C + ROWS - 1) / ROWS * ROWS)
#define PARTIAL (R * PATCH * BLOCK)
#define COLS ((Q - 1) * SW + S)
#define PITCH (COLS * C)
#define STAGED_ROWS ((BAND - 1) * SH + R)

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
                            __local float *staged, __local float *block_dy, __local float *sum)
{
    int slot = get_global_id(0), slots = get_global_size(0);
    int block = get_global_id(1), blocks = get_global_size(1);
    int channels = K - block * BLOCK, bands = (P + BAND - 1) / BAND;
    int units = (images + IMAGES - 1) / IMAGES * bands;
    __global float *own = partial + (size_t)(slot * blocks + block) * PARTIAL;
    for (int i = 0; i < PARTIAL; i += VW) LH_VSTORE((LH_V)0.0f, 0, own + i);
    clear_floats(sum, BLOCK);
#if PATCH > S * C
    /* The last tile of a patch reads, and drops, floats past the last staged pixel. */
    clear_floats(staged, IMAGES * STAGED_ROWS * PITCH + ROWS);
#endif

    for (int unit = slot; unit < units; unit += slots) {
        int first = unit % bands * BAND, rows = min(BAND, P - first);
        int image = unit / bands * IMAGES, count = min(IMAGES, images - image);
        for (int i = 0; i < count; i++)
            stage_rows(staged + i * STAGED_ROWS * PITCH, x + (size_t)(image + i) * H * W * C,
                       first * SH - PT, -PL, (rows - 1) * SH + R, COLS);
        /* A unit's positions are neighbours in dy: rows of one image, or whole images. */
        __global const float *unit_dy = dy + ((size_t)image * P + first) * Q * K + block * BLOCK;
#if STAGE_DY
        stage_block(block_dy, unit_dy, count * rows * Q, channels);
        DY_SPACE const float *own_dy = block_dy;
#else
        DY_SPACE const float *own_dy = unit_dy;
#endif
        for (int r = 0; r < R; r++)
            for (int j = 0; j < PATCH; j += ROWS) {
                __global float *to = own + (r * PATCH + j) * BLOCK;
                DY_SPACE const float *d = own_dy;
                TILE_DECLARE
#define ROW_GET(i) ROW_LOAD(i, to + i * BLOCK)
#define ROW_PUT(i) ROW_STORE(i, to + i * BLOCK)
#define ROW_TAP(i) ROW_FMA(i, p[i])
                EACH_ROW(ROW_GET)
                for (int i = 0; i < count; i++)
                    for (int row = 0; row < rows; row++) {
                        __local const float *p =
                            staged + (i * STAGED_ROWS + row * SH + r) * PITCH + j;
                        for (int q = 0; q < Q; q++, p += SW * C, d += DY_STEP) {
                            LOAD_UV(d)
                            EACH_ROW(ROW_TAP)
                        }
                    }
                EACH_ROW(ROW_PUT)
            }
#if BIAS
        add_block(sum, own_dy, count * rows * Q);
#endif
    }
#if BIAS
    for (int j = 0; j < BLOCK; j++)
        partial[bias_at + (size_t)(slot * blocks + block) * BLOCK + j] = sum[j];
#endif
}

LH_TASK void filter_reduce(__global const float *restrict partial, __global float *restrict dw,
                           __global float *restrict dbias, ulong bias_at, int slots)
{
    int block = get_global_id(0), blocks = get_global_size(0), c = get_global_id(1);
    int channels = K - block * BLOCK;
    for (int r = 0; r < R; r++)
        for (int s = 0; s < S; s++)
            for (int i = 0; i < BLOCK && i < channels; i += VW) {
                __global const float *from = partial + (size_t)block * PARTIAL +
                                             (r * PATCH + s * C + c) * BLOCK + i;
                LH_V sum = LH_VLOAD(0, from);
                for (int t = 1; t < slots; t++)
                    sum += LH_VLOAD(0, from + (size_t)t * blocks * PARTIAL);
                float lanes[VW];
                LH_VSTORE(sum, 0, lanes);
                for (int l = 0; l < VW && i + l < channels; l++)
                    dw[(((size_t)(block * BLOCK + i + l) * C + c) * R + r) * S + s] = lanes[l];
            }
#if BIAS
    for (int i = 0; c == 0 && i < BLOCK && i < channels; i++) {
        float sum = 0.0f;
        for (int t = 0; t < slots; t++)
            sum += partial[bias_at + (size_t)(t * blocks + block) * BLOCK + i];
        dbias[block * BLOCK + i] = sum;
    }
#endif
}
