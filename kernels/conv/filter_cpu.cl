/* SPDX-License-Identifier: MIT
 *
 * Backward filter for the CPU family: dw[k][c][r][s] = sum over images and output positions of
 * dy[n][p][q][k] * x[n][p*SH - PT + r][q*SW - PL + s][c], and dbias[k] = sum of dy.
 * Layouts: x NHWC, dy [n][P][Q][K]; partial [slot][block][R][PATCH][BLOCK] with PATCH >= S*C (one filter
 * row is a run of S*C consecutive floats of the padded input), then bias sums [slot][block][BLOCK];
 * dw logical [K][C][R][S].
 * Launch: one work-item per work-group; filter_partial over (slot, block of channels), filter_reduce
 * over (block, c).  Slot t takes the units t, t + slots, …; a unit is BAND output rows of IMAGES images,
 * staged with their padding, and the block's channels of dy, in local memory.
 * Register tile: ROWS patch elements x NV vectors of channels, summed over a unit's positions.
 * Summation order: positions of a unit, units of a slot, slots: it depends on shapes alone. */
#include "common.cl"
#include "conv/tile.cl"

#define PATCH ((S * C + ROWS - 1) / ROWS * ROWS)
#define PARTIAL (R * PATCH * BLOCK)
#define COLS ((Q - 1) * SW + S)
#define PITCH (COLS * C)
#define STAGED_ROWS ((BAND - 1) * SH + R)

/* Copies one block's channels of `pixels` positions, zeros beyond K, and adds them to sum[BLOCK]. */
void stage_block(__local float *to, __global const float *dy, int pixels, int channels,
                 __local float *sum)
{
    for (int i = 0; i < pixels; i++, dy += K, to += BLOCK) {
        if (channels >= BLOCK) {
            copy_floats(to, dy, BLOCK);
        } else {
            copy_floats(to, dy, channels);
            clear_floats(to + channels, BLOCK - channels);
        }
#if BIAS
        for (int j = 0; j < BLOCK; j += VW)
            LH_VSTORE(LH_VLOAD(0, sum + j) + LH_VLOAD(0, to + j), 0, sum + j);
#endif
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
    /* The last tile of a patch may read past the last staged pixel. */
    clear_floats(staged + IMAGES * STAGED_ROWS * PITCH, ROWS);

    for (int unit = slot; unit < units; unit += slots) {
        int first = unit % bands * BAND, rows = min(BAND, P - first);
        int image = unit / bands * IMAGES, count = min(IMAGES, images - image);
        for (int i = 0; i < count; i++) {
            stage_rows(staged + i * STAGED_ROWS * PITCH, x + (size_t)(image + i) * H * W * C,
                       first * SH - PT, -PL, (rows - 1) * SH + R, COLS);
            stage_block(block_dy + i * rows * Q * BLOCK,
                        dy + ((size_t)(image + i) * P + first) * Q * K + block * BLOCK, rows * Q,
                        channels, sum);
        }
        for (int r = 0; r < R; r++)
            for (int j = 0; j < PATCH; j += ROWS) {
                __global float *to = own + (r * PATCH + j) * BLOCK;
                __local const float *d = block_dy;
                TILE_DECLARE
#define ROW_GET(i) ROW_LOAD(i, to + i * BLOCK)
#define ROW_PUT(i) ROW_STORE(i, to + i * BLOCK)
#define ROW_TAP(i) ROW_FMA(i, p[i])
                EACH_ROW(ROW_GET)
                for (int row = 0; row < count * rows; row++) {
                    __local const float *p =
                        staged + (row / rows * STAGED_ROWS + row % rows * SH + r) * PITCH + j;
                    for (int q = 0; q < Q; q++, p += SW * C, d += BLOCK) {
                        LOAD_UV(d)
                        EACH_ROW(ROW_TAP)
                    }
                }
                EACH_ROW(ROW_PUT)
            }
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
