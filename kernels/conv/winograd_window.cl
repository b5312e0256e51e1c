/* SPDX-License-Identifier: MIT
 *
 * Windows of inputs, and tiles of dy, of Winograd's kernels for the CPU family, transformed two rows of
 * points at a time: so few values are alive that they stay in registers, and the rows of a pair share
 * half their work.
 * Needs VW, winograd.cl, and for transform_pair C and V_STEP (from one point to the next). */

/* The rows of a window, each at its first pixel, or at zeros; bits of cols: which columns exist. */
typedef struct window {
    __global const float *row[POINTS];
    uint cols;
    bool whole; /* all columns exist */
} window;

/* The size x size pixels from (h, w) of an image [height][width][channels], whatever lies outside.
 * zeros: size * channels of them. */
void place_window(window *win, __global const float *image, int h, int w, int height, int width,
                  int channels, int size, __global const float *zeros)
{
    for (int i = 0; i < size; i++)
        win->row[i] = h + i >= 0 && h + i < height ? image + ((h + i) * width + w) * channels : zeros;
    win->cols = ((1u << clamp(width - w, 0, size)) - 1) & ~((1u << clamp(-w, 0, size)) - 1);
    win->whole = win->cols == (1u << size) - 1;
}

#define DECLARE_PAIR(j) LH_V lo##j = (LH_V)0.0f, hi##j = (LH_V)0.0f;
#define AT(i, j) LH_VLOAD(0, x##i + (j) * C)
#define OUTER(j) DATA_OUTER(AT, lo##j, hi##j, j)
#define INNER(j) DATA_PAIR(AT, lo##j, hi##j, j)
#define OUTER_EDGE(j) if (win->cols >> j & 1) { OUTER(j) }
#define INNER_EDGE(j) if (win->cols >> j & 1) { INNER(j) }
#define TAKE_ROW(i) __global const float *x##i = win->row[i] + c;

/* The two rows of points of a pair, of the VW channels from c; a point every V_STEP.  NULL: that
 * row is not wanted. */
void transform_pair(const window *win, int c, int pair, __local float *restrict low,
                    __local float *restrict high)
{
    EACH_POINT(DECLARE_PAIR)
    EACH_POINT(DECLARE_R)
    EACH_POINT(TAKE_ROW)
    if (pair == 0) {
        if (win->whole) {
            EACH_POINT(OUTER)
        } else {
            EACH_POINT(OUTER_EDGE)
        }
    } else {
        LH_V value = (LH_V)pair_value[pair], other = (LH_V)pair_other[pair];
        if (win->whole) {
            EACH_POINT(INNER)
        } else {
            EACH_POINT(INNER_EDGE)
        }
    }
#define PUT(j) LH_VSTORE(r##j, 0, low + j * V_STEP);
    if (low) {
        TRANSFORM_DATA(lo, r)
        EACH_POINT(PUT)
    }
#undef PUT
#define PUT(j) LH_VSTORE(r##j, 0, high + j * V_STEP);
    if (high) {
        TRANSFORM_DATA(hi, r)
        EACH_POINT(PUT)
    }
#undef PUT
}
