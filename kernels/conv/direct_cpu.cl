/* SPDX-License-Identifier: MIT
 *
 * Direct convolution for the CPU family: forward, and backward data as the same thing with other
 * weights.  out[n][oh][ow][k] = act(bias[k] + sum_{r<taps_h, s<taps_w, c} in[n][SH*i + ih + r]
 * [SW*j + iw + s][c] * packed[class][k/BLOCK][r][s][c][k%BLOCK]).  Forward is one class of outputs;
 * backward data has OSH * OSW of them, oh = OSH*i + offset, each with the taps that meet it.
 * Layouts: in [n][H][W][C], out [n][OH][OW][K], packed as above, zero-padded to whole blocks, and
 * followed by the padded bias [blocks][BLOCK].
 * Launch: one work-item per work-group; x = image * bands, y = share of the blocks.  A task stages
 * the input rows of its BAND grid rows, padding included, in local memory (unless there is none);
 * then a tap row is one run of taps_w * C consecutive floats for each pixel and the inner loop has
 * no tests.
 * Register tile: ROWS pixels x NV vectors: ROWS / TC grid rows by TC columns, with constant
 * distances, or with TC = 0 the next ROWS pixels of the band, wherever they are.
 * -DPOOL=1 (forward): a tile is two rows of ROWS / 2 pixels, pooled in registers; OH and OW are even, out is
 * [n][OH/2][OW/2][K], and so is where with -DWHERE=1.
 * Summation order: bias, then r, s, c, without rows of taps that are padding for the whole tile. */
#include "common.cl"
#include "conv/tile.cl"

#define BLOCKS ((K + BLOCK - 1) / BLOCK)
#if IN_PLACE /* nothing is padding: read where it lies */
#define FROM __global
#define COLS W
#else
#define FROM __local
#define COLS ((GRID_W - 1) * SW + SPAN_W)
#endif
#define PITCH (COLS * C)
/* Cache lines that a tile asks for. */
#define AHEAD (BAND * SH * W * C / 16 / (BAND * GRID_W * OSH * OSW / ROWS * BLOCKS + 1) + 1)

/* One dimension of a class: outputs offset + step * i, i < grid, start at inputs origin +
 * stride * i; its taps are filter elements first, first + next, … */
typedef struct axis {
    int grid, origin, taps, first, next;
} axis;

#if TRANSPOSED
/* Outputs with (offset + pad) % step = least meet filter elements least, least + step, …, in
 * reverse. */
axis class_axis(int offset, int size, int filter, int step, int pad)
{
    int least = (offset + pad) % step;
    int taps = least < filter ? (filter - least + step - 1) / step : 0;
    axis a = {(size - offset + step - 1) / step, (offset + pad) / step - (taps - 1), taps,
              least + step * (taps - 1), -step};
    return a;
}
#else
axis class_axis(int offset, int size, int filter, int step, int pad)
{
    axis a = {size, -pad, filter, 0, 1};
    return a;
}
#endif
#define AXIS_H(offset) class_axis(offset, OH, R, OSH, PT)
#define AXIS_W(offset) class_axis(offset, OW, S, OSW, PL)

/* Each filter element belongs to one class, so all classes together are as large as the filter. */
LH_TASK void pack(__global const float *restrict w, __global const float *restrict bias,
                  __global float *restrict packed, int out_step, int in_step, int chunk)
{
    int block = get_global_id(0), channels = min(BLOCK, K - block * BLOCK);
    int c0 = get_global_id(1) * chunk, c1 = min(c0 + chunk, C);
    __global float *to = packed + (size_t)BLOCKS * BLOCK * C * R * S + block * BLOCK;
    if (c0 == 0)
        for (int i = 0; i < BLOCK; i++) to[i] = bias && i < channels ? bias[block * BLOCK + i] : 0.0f;
    to = packed;
    for (int a = 0; a < OSH; a++)
        for (int b = 0; b < OSW; b++) {
            axis down = AXIS_H(a), across = AXIS_W(b);
            int taps = down.taps * across.taps;
            for (int c = c0; c < c1; c++)
                for (int t = 0; t < taps; t++) {
                    int r = down.first + t / across.taps * down.next;
                    int s = across.first + t % across.taps * across.next;
                    __global const float *from =
                        w + (size_t)block * BLOCK * out_step + (size_t)c * in_step + r * S + s;
                    __global float *line = to + (((size_t)block * taps + t) * C + c) * BLOCK;
                    for (int i = 0; i < BLOCK; i++)
                        line[i] = i < channels ? from[(size_t)i * out_step] : 0.0f;
                }
            to += (size_t)BLOCKS * BLOCK * C * taps;
        }
}

#if RELU
#define ACT(v) select(v, (LH_V)0.0f, v < 0.0f) /* a NaN stays a NaN */
#else
#define ACT(v) v
#endif

#if TC
/* Where row i of a tile lies beside row 0. */
#define AT(i) ((i) / TC * SH * PITCH + (i) % TC * SW * C)
#define OUT_AT(i) (((i) / TC * OSH * OW + (i) % TC * OSW) * K)
#define X(i, j) x[AT(i) + (j)]
#define Y(i) (y + OUT_AT(i))
#define VALID(i) true
#else
#define X(i, j) x##i[j]
#define Y(i) (y + y##i)
#define VALID(i) (done + i < pixels)
#endif

#if POOL
#include "conv/pooled.cl"
/* Floats of out: a pooled image, up to the windows of a grid row, of a tile. */
#define OUT_IMAGE (OH / 2 * (OW / 2) * K)
#define OUT_ROW(row) ((size_t)(row) / 2 * (OW / 2 * K))
#define OUT_TILE (TC / 2 * K)
#define WINDOW_OUT(cell, i, j, k, l)                                                               \
    {                                                                                              \
        size_t at = (size_t)(y - out) + cell * K;                                                  \
        put_pooled(a##i, a##j, a##k, a##l, out + at, where + at, channels);                        \
        SECOND(if (channels > VW) put_pooled(b##i, b##j, b##k, b##l, out + at + VW,                \
                                             where + at + VW, channels - VW);)                     \
    }
#if ROWS == 12
#define WINDOWS_OUT WINDOW_OUT(0, 0, 1, 6, 7) WINDOW_OUT(1, 2, 3, 8, 9) WINDOW_OUT(2, 4, 5, 10, 11)
#elif ROWS == 8
#define WINDOWS_OUT WINDOW_OUT(0, 0, 1, 4, 5) WINDOW_OUT(1, 2, 3, 6, 7)
#else
#define WINDOWS_OUT WINDOW_OUT(0, 0, 1, 2, 3)
#endif
#else
#define OUT_IMAGE (OH * OW * K)
#define OUT_ROW(row) ((size_t)(row) * OSH * OW * K)
#define OUT_TILE (TC * OSW * K)
#endif

LH_TASK void conv_direct(__global const float *restrict in, __global const float *restrict packed,
                         __global float *restrict out, __global uchar *restrict where,
                         __local float *staged, int bands)
{
    int n = get_global_id(0) / bands, first = get_global_id(0) % bands * BAND;
    int rows = min(BAND, GRID_H - first), top = first * SH + LO_H;
    __global const float *bias = packed + (size_t)BLOCKS * BLOCK * C * R * S;
#if IN_PLACE
    FROM const float *input = in + (((size_t)n * H + top) * W + LO_W) * C;
#else
    FROM const float *input = staged;
    stage_rows(staged, in + (size_t)n * H * W * C, top, LO_W, (rows - 1) * SH + SPAN_H, COLS);
#endif
    out += (size_t)n * OUT_IMAGE;
#if WHERE
    where += (size_t)n * OUT_IMAGE;
#endif
    bool aligned = LH_ALIGNED(out);
    /* Meanwhile a task asks for what the next one will stage. */
    size_t asked = ((size_t)n * H + min(H, max(0, top + (rows - 1) * SH + SPAN_H))) * W * C;
    size_t wanted = min(asked + BAND * SH * W * C, get_global_size(0) / bands * H * W * C);

    for (int block = get_global_id(1); block < BLOCKS; block += get_global_size(1)) {
        int channels = K - block * BLOCK;
#if TC
        for (int row = 0; row < rows; row += ROWS / TC)
#endif
        {
            __global const float *class_weights = packed;
            for (int class = 0; class < OSH * OSW; class++) {
                axis down = AXIS_H(class / OSW), across = AXIS_W(class % OSW);
                int taps = down.taps * across.taps, run = across.taps * C;
                __global const float *weights = class_weights + (size_t)block * taps * C * BLOCK;
                __global float *y = out + (size_t)(class / OSW * OW + class % OSW) * K + block * BLOCK;
                FROM const float *origin = input;
                if (taps) origin += (down.origin - LO_H) * PITCH + (across.origin - LO_W) * C;
                class_weights += (size_t)BLOCKS * taps * C * BLOCK;
#if TC
                /* Rows of taps that lie outside the image for all rows of the tile. */
                int ih = (first + row) * SH + down.origin;
                int r0 = max(0, -ih - (ROWS / TC - 1) * SH), r1 = min(down.taps, H - ih);
                if ((first + row) * OSH + class / OSW >= OH) continue;
                y += OUT_ROW(first + row);
                for (int col = 0; col < across.grid; col += TC, y += OUT_TILE) {
                    FROM const float *x = origin + (row * SH + r0) * PITCH + col * SW * C;
#define NEXT_ROW x += PITCH;
#else
                const int r0 = 0, r1 = down.taps;
                int row = 0, col = 0, pixels = min(rows, down.grid - first) * across.grid;
                y += (size_t)first * OSH * OW * K;
                for (int done = 0; done < pixels; done += ROWS) {
                    /* Where the tile's pixels are; those past the end repeat the last one. */
#define ROW_PLACE(i)                                                                               \
    FROM const float *x##i = origin + row * SH * PITCH + col * SW * C;                          \
    int y##i = (row * OSH * OW + col * OSW) * K;                                                   \
    if (done + i + 1 < pixels && ++col == across.grid) {                                                \
        col = 0;                                                                                   \
        row++;                                                                                     \
    }
                    EACH_ROW(ROW_PLACE)
#define ROW_NEXT(i) x##i += PITCH;
#define NEXT_ROW EACH_ROW(ROW_NEXT)
#endif
                    for (int i = 0; i < AHEAD && asked < wanted; i++, asked += 16)
                        LH_PREFETCH(in + asked);
                    TILE_DECLARE
                    {
                        LOAD_UV(bias + block * BLOCK)
                        EACH_ROW(ROW_SET)
                    }
                    __global const float *w = weights + r0 * run * BLOCK;
                    for (int r = r0; r < r1; r++) {
#if UNROLL
                        #pragma unroll
#endif
                        for (int j = 0; j < run; j++, w += BLOCK) {
                            LOAD_UV(w)
#define ROW_TAP(i) ROW_FMA(i, X(i, j))
                            EACH_ROW(ROW_TAP)
                        }
                        NEXT_ROW
                    }
#define ROW_ACT(i) a##i = ACT(a##i); SECOND(b##i = ACT(b##i);)
                    EACH_ROW(ROW_ACT)
#if POOL
                    WINDOWS_OUT
#else
#define ROW_PAST(i) if (VALID(i)) { ROW_STREAM(i, Y(i)) }
                    if (STREAM && aligned && channels >= BLOCK) {
                        EACH_ROW(ROW_PAST)
                    } else if (channels >= BLOCK) {
#define ROW_OUT(i) if (VALID(i)) { ROW_STORE(i, Y(i)) }
                        EACH_ROW(ROW_OUT)
                    } else {
#define ROW_OUT_SOME(i)                                                                            \
    if (VALID(i)) {                                                                                \
        store_lanes(a##i, Y(i), channels);                                                         \
        SECOND(store_lanes(b##i, Y(i) + VW, channels - VW);)                                       \
    }
                        EACH_ROW(ROW_OUT_SOME)
                    }
#endif
                }
            }
        }
    }
}
