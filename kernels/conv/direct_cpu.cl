/* SPDX-License-Identifier: MIT
 *
 * Direct convolution for the CPU family: forward, and backward data as the same thing with other
 * weights.  A launch computes out[n][oh0 + OSH*i][ow0 + OSW*j][k] = act(bias[k] +
 * sum_{r<taps_h, s<taps_w, c} in[n][SH*i + ih0 + r][SW*j + iw0 + s][c] *
 * packed[k/BLOCK][r][s][c][k%BLOCK]) over a grid (i, j).  Forward is one launch; backward data with
 * stride is one launch per residue class of the output, each with its own taps.
 * Layouts: in [n][H][W][C], out [n][OH][OW][K], packed as above, zero-padded to whole blocks, and
 * followed by the padded bias [blocks][BLOCK].
 * Launch: one work-item per work-group; x = image * bands, y = share of the blocks.  A task stages
 * the input rows of its BAND grid rows, padding included, in local memory; then a tap row is one
 * run of taps_w * C consecutive floats for each pixel and the inner loop has no tests.
 * Register tile: ROWS pixels x NV vectors.  Summation order: bias, then r, s, c. */
#include "common.cl"
#include "conv/tile.cl"

LH_TASK void pack(__global const float *w, __global const float *bias, __global float *packed,
                  ulong weights_at, ulong bias_at, int out_step, int in_step, int taps_h,
                  int taps_w, int r_first, int r_step, int s_first, int s_step, int filter_w)
{
    int block = get_global_id(0), c = get_global_id(1);
    __global float *packed_bias = packed + bias_at;
    packed += weights_at + (size_t)block * taps_h * taps_w * C * BLOCK;
    for (int i = 0; i < BLOCK; i++) {
        int k = block * BLOCK + i;
        __global const float *from = w + (size_t)k * out_step + (size_t)c * in_step;
        for (int r = 0; r < taps_h; r++)
            for (int s = 0; s < taps_w; s++)
                packed[((r * taps_w + s) * C + c) * BLOCK + i] =
                    k < K ? from[(r_first + r * r_step) * filter_w + s_first + s * s_step] : 0.0f;
        if (c == 0) packed_bias[k] = bias && k < K ? bias[k] : 0.0f;
    }
}

#if RELU
#define ACT(v) select(v, (LH_V)0.0f, v < 0.0f) /* a NaN stays a NaN */
#else
#define ACT(v) v
#endif

LH_TASK void conv_direct(__global const float *restrict in, __global const float *restrict packed,
                         __global float *restrict out, ulong weights_at, ulong bias_at,
                         __local float *staged, int bands, int grid_h, int grid_w, int ih0, int iw0,
                         int taps_h, int taps_w, int oh0, int ow0)
{
    int n = get_global_id(0) / bands, first = get_global_id(0) % bands * BAND;
    int rows = min(BAND, grid_h - first);
    int cols = (grid_w - 1) * SW + taps_w, pitch = cols * C, run = taps_w * C;
    stage_rows(staged, in + (size_t)n * H * W * C, first * SH + ih0, iw0, (rows - 1) * SH + taps_h,
               cols);
    out += ((size_t)n * OH + oh0) * OW * K;

    for (int block = get_global_id(1); block * BLOCK < K; block += get_global_size(1)) {
        int channels = K - block * BLOCK;
        int row = 0, col = 0, pixels = rows * grid_w;
        for (int done = 0; done < pixels; done += ROWS) {
            /* Where the tile's pixels are; those past the end repeat the last one. */
#define ROW_PLACE(i)                                                                               \
    __local const float *x##i = staged + row * SH * pitch + col * SW * C;                          \
    int y##i = (((first + row) * OSH) * OW + ow0 + col * OSW) * K + block * BLOCK;                 \
    if (done + i + 1 < pixels && ++col == grid_w) {                                                \
        col = 0;                                                                                   \
        row++;                                                                                     \
    }
            EACH_ROW(ROW_PLACE)
            TILE_DECLARE
            {
                LOAD_UV(packed + bias_at + block * BLOCK)
                EACH_ROW(ROW_SET)
            }
            __global const float *w = packed + weights_at + (size_t)block * taps_h * run * BLOCK;
            for (int r = 0; r < taps_h; r++) {
                for (int j = 0; j < run; j++, w += BLOCK) {
                    LOAD_UV(w)
#define ROW_TAP(i) ROW_FMA(i, x##i[j])
                    EACH_ROW(ROW_TAP)
                }
#define ROW_NEXT(i) x##i += pitch;
                EACH_ROW(ROW_NEXT)
            }
#define ROW_ACT(i) a##i = ACT(a##i); SECOND(b##i = ACT(b##i);)
            EACH_ROW(ROW_ACT)
            if (channels >= BLOCK) {
#define ROW_OUT(i) if (done + i < pixels) { ROW_STORE(i, out + y##i) }
                EACH_ROW(ROW_OUT)
            } else {
#define ROW_OUT_SOME(i)                                                                            \
    if (done + i < pixels) {                                                                       \
        store_lanes(a##i, out + y##i, channels);                                                   \
        SECOND(store_lanes(b##i, out + y##i + VW, channels - VW);)                                 \
    }
                EACH_ROW(ROW_OUT_SOME)
            }
        }
    }
}
