/* SPDX-License-Identifier: MIT
 *
 * GPU family: what the Winograd F(2x2, 3x3) kernels share: windows of the input, their transform, and 16
 * products of matrices ROW_BLOCK x COL_BLOCK, one for each point of the window, each by THREADS/16
 * work-items with 8x8 sums of their own, DEPTH steps at a time from local memory:
 *   rows [DEPTH][16][ROW_BLOCK] (a line permuted by SWAPPED), columns [DEPTH][16][COL_BLOCK].
 * The sums come back through local memory in four parts, two of a work-item's rows each (SUM_ROW).
 * The including source defines ROW_BLOCK, COL_BLOCK and SWAPPED(i, step) before.
 * -DC -DH -DW -DPT -DPL -DDEPTH -DTILES_H -DTILES_W. */
#define ROWS (ROW_BLOCK / 8) /* of work-items over a plane's rows, and over its columns */
#define COLS (COL_BLOCK / 8)
#define PLANE (ROWS * COLS)
#define THREADS (16 * PLANE)
#define M_LINE (COL_BLOCK + 8)

/* Four data of one dimension, `step` apart, to r0..r3. */
#define DATA(d, step)                                                                              \
    float r0 = (d)[0] - (d)[2 * (step)], r1 = (d)[step] + (d)[2 * (step)];                         \
    float r2 = (d)[2 * (step)] - (d)[step], r3 = (d)[step] - (d)[3 * (step)];

/* Where a window lies, and which of its rows (bits 0..3) and columns (4..7) are in the image. */
typedef struct window {
    long at;
    int inside;
} window;

window place_window(int tile, int tiles)
{
    int n = tile / (TILES_H * TILES_W);
    int h = tile / TILES_W % TILES_H * 2 - PT, w = tile % TILES_W * 2 - PL;
    window to = {((long)(n * H + h) * W + w) * C, 0};
    for (int i = 0; i < 4; i++) {
        if (h + i >= 0 && h + i < H) to.inside |= 1 << i;
        if (w + i >= 0 && w + i < W) to.inside |= 16 << i;
    }
    if (tile >= tiles) to.inside = 0;
    return to;
}

void fetch_window(__global const float *in, const window *from, int c, float d[16])
{
    LH_UNROLL
    for (int i = 0; i < 4; i++)
        LH_UNROLL
        for (int j = 0; j < 4; j++) {
            bool inside = c < C && (from->inside >> i & 1) && (from->inside >> j & 16);
            d[4 * i + j] = inside ? in[from->at + (i * W + j) * C + c] : 0.0f;
        }
}

/* B' d B to one place in each of the 16 planes, which are `line` floats apart. */
void place_data(float d[16], __local float *v, int line)
{
    LH_UNROLL
    for (int j = 0; j < 4; j++) {
        DATA(d + j, 4)
        d[j] = r0;
        d[4 + j] = r1;
        d[8 + j] = r2;
        d[12 + j] = r3;
    }
    LH_UNROLL
    for (int i = 0; i < 4; i++, v += 4 * line) {
        DATA(d + 4 * i, 1)
        v[0] = r0;
        v[line] = r1;
        v[2 * line] = r2;
        v[3 * line] = r3;
    }
}

#define TAKE(to, from)                                                                             \
    {                                                                                              \
        float4 four = *(__local const float4 *)(from);                                             \
        (to)[0] = four.x;                                                                          \
        (to)[1] = four.y;                                                                          \
        (to)[2] = four.z;                                                                          \
        (to)[3] = four.w;                                                                          \
    }

/* sum += the products of DEPTH steps; a and b at this work-item's plane, row and col its place. */
void multiply(__local const float *a, __local const float *b, int row, int col, float sum[8][8])
{
    LH_UNROLL
    for (int s = 0; s < DEPTH; s++, a += 16 * ROW_BLOCK, b += 16 * COL_BLOCK) {
        float x[8], y[8];
        TAKE(x, a + SWAPPED(4 * row, s))
        TAKE(x + 4, a + SWAPPED(4 * (ROWS + row), s))
        TAKE(y, b + 4 * col)
        TAKE(y + 4, b + 4 * (COLS + col))
        LH_UNROLL
        for (int i = 0; i < 8; i++)
            LH_UNROLL
            for (int j = 0; j < 8; j++) sum[i][j] = fma(x[i], y[j], sum[i][j]);
    }
}

/* Which row of the tile the line (of 2 * ROWS) of part s has. */
#define SUM_ROW(s, line) (((s) / 2 * ROWS + (line) / 2) * 4 + (s) % 2 * 2 + (line) % 2)

/* Part s of the sums to m [16][2 * ROWS][M_LINE]. */
void show_sums(float sum[8][8], int s, int plane, int row, int col, __local float *m)
{
    LH_UNROLL
    for (int r = 0; r < 2; r++) {
        __local float *to = m + (plane * 2 * ROWS + row * 2 + r) * M_LINE + 4 * col;
        const float *part = sum[2 * s + r];
        *(__local float4 *)to = (float4)(part[0], part[1], part[2], part[3]);
        *(__local float4 *)(to + 4 * COLS) = (float4)(part[4], part[5], part[6], part[7]);
    }
}
