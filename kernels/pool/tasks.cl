/* SPDX-License-Identifier: MIT
 *
 * Pooling over NHWC, one work-item per task (CPU family); VW channels at a time, -DVW divides C.
 * Shape options as in elements.cl, and -DBOTTOM -DRIGHT (padding), -DROWS: output rows of a task.
 *   pool_forward, pool_backward_cells  task = ROWS of the n * P output rows
 *   pool_backward_images               task = image; for windows that overlap
 * A cell of backward is what lies from one window's origin to the next: each input pixel belongs to
 * one cell, and where windows do not overlap only that window's gradient can reach it.  The first
 * maximum of a window is found again from x.  No local memory. */
#include "common.cl"

#define ZERO ((LH_V)(0.0f))
#define AT(i, j) (((i) * W + (j)) * C)

#if TOP || LEFT || BOTTOM || RIGHT
#define WINDOW(p, q)                                                                               \
    const int top = max((p) * STRIDE_H - TOP, 0), bottom = min((p) * STRIDE_H - TOP + R, H);       \
    const int left = max((q) * STRIDE_W - LEFT, 0), right = min((q) * STRIDE_W - LEFT + S, W)
#else
#define WINDOW(p, q)                                                                               \
    const int top = (p) * STRIDE_H, bottom = top + R, left = (q) * STRIDE_W, right = left + S
#endif

/* Walks a window in row order: m its maximum (or NaN), best where (AT) it was first seen. */
#define FIND_MAXIMUM(x, m, best)                                                                   \
    LH_V m = LH_VLOAD(0, (x) + AT(top, left));                                                     \
    LH_VI best = (LH_VI)(AT(top, left));                                                           \
    for (int i = top; i < bottom; i++)                                                             \
        for (int j = left; j < right; j++) {                                                       \
            LH_V v = LH_VLOAD(0, (x) + AT(i, j));                                                  \
            LH_VI better = v > m || v != v;                                                        \
            m = select(m, v, better);                                                              \
            best = select(best, (LH_VI)(AT(i, j)), better);                                        \
        }

LH_TASK void pool_forward(__global const float *restrict x, __global float *restrict y, uint rows)
{
    uint row = (uint)get_group_id(0) * ROWS, end = min(row + ROWS, rows);
    for (; row < end; row++) {
        int p = (int)(row % P);
        __global const float *image = x + (size_t)(row / P) * (H * W * C);
        for (int q = 0; q < Q; q++) {
            WINDOW(p, q);
            for (int c = 0; c < C; c += VW) {
#if MAX
                LH_V m = LH_VLOAD(0, image + AT(top, left) + c);
                for (int i = top; i < bottom; i++)
                    for (int j = left; j < right; j++) {
                        LH_V v = LH_VLOAD(0, image + AT(i, j) + c);
                        m = select(m, v, v > m || v != v);
                    }
#else
                LH_V m = ZERO;
                for (int i = top; i < bottom; i++)
                    for (int j = left; j < right; j++) m += LH_VLOAD(0, image + AT(i, j) + c);
                m /= (float)(R * S);
#endif
                LH_VSTORE(m, 0, y + ((size_t)row * Q + q) * C + c);
            }
        }
    }
}

LH_TASK void pool_backward_cells(__global const float *restrict x, __global const float *restrict dy,
                                 __global float *restrict dx, uint rows)
{
    uint row = (uint)get_group_id(0) * ROWS, end = min(row + ROWS, rows);
    for (; row < end; row++) {
        int p = (int)(row % P);
        size_t image = (size_t)(row / P) * (H * W * C);
        int cell_top = p == 0 ? 0 : p * STRIDE_H - TOP;
        int cell_bottom = p == P - 1 ? H : (p + 1) * STRIDE_H - TOP;
        for (int q = 0; q < Q; q++) {
            WINDOW(p, q);
            int cell_left = q == 0 ? 0 : q * STRIDE_W - LEFT;
            int cell_right = q == Q - 1 ? W : (q + 1) * STRIDE_W - LEFT;
            for (int c = 0; c < C; c += VW) {
                LH_V d = LH_VLOAD(0, dy + ((size_t)row * Q + q) * C + c);
                __global float *to = dx + image + c;
#if MAX
                FIND_MAXIMUM(x + image + c, m, best)
                for (int i = cell_top; i < cell_bottom; i++)
                    for (int j = cell_left; j < cell_right; j++)
                        LH_VSTORE(select(ZERO, d, best == (LH_VI)(AT(i, j))), 0, to + AT(i, j));
#else
                d /= (float)(R * S);
                for (int i = cell_top; i < cell_bottom; i++)
                    for (int j = cell_left; j < cell_right; j++) {
                        bool inside = i >= top && i < bottom && j >= left && j < right;
                        LH_VSTORE(inside ? d : ZERO, 0, to + AT(i, j));
                    }
#endif
            }
        }
    }
}

LH_TASK void pool_backward_images(__global const float *restrict x,
                                  __global const float *restrict dy, __global float *restrict dx)
{
    size_t image = get_group_id(0) * (size_t)(H * W * C);
    dy += get_group_id(0) * (size_t)(P * Q * C);
    for (int i = 0; i < H * W * C; i += VW) LH_VSTORE(ZERO, 0, dx + image + i);
    for (int p = 0; p < P; p++)
        for (int q = 0; q < Q; q++) {
            WINDOW(p, q);
            for (int c = 0; c < C; c += VW) {
                LH_V d = LH_VLOAD(0, dy + (p * Q + q) * C + c);
                __global float *to = dx + image + c;
#if MAX
                FIND_MAXIMUM(x + image + c, m, best)
#define SHARE(i, j) select(ZERO, d, best == (LH_VI)(AT(i, j)))
#else
                d /= (float)(R * S);
#define SHARE(i, j) d
#endif
                for (int i = top; i < bottom; i++)
                    for (int j = left; j < right; j++)
                        LH_VSTORE(LH_VLOAD(0, to + AT(i, j)) + SHARE(i, j), 0, to + AT(i, j));
            }
        }
}
