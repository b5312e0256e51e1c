/* SPDX-License-Identifier: MIT
 *
 * Pooling over NHWC, one work-item per task (CPU family); VW channels at a time, -DVW divides C.
 * Shape options as in elements.cl, and -DBOTTOM -DRIGHT (padding), -DROWS: output rows of a task.
 *   pool_forward, pool_backward_cells  task = ROWS of the n * P output rows
 *   pool_backward_images               task = image; for windows that overlap
 * A cell of backward is what lies from one window's origin to the next: each input pixel belongs to
 * one cell, and where windows do not overlap only that window's gradient can reach it.  The first
 * maximum of a window is found again from x, or told by where (WHERE).  No local memory. */
#include "common.cl"

#define ZERO ((LH_V)(0.0f))
#if RELU /* a window's gradient reaches only its maximum, so the maximum's sign decides */
#define THROUGH_RELU(d, m) select(ZERO, d, m > ZERO)
#else
#define THROUGH_RELU(d, m) d
#endif
/* Bytes of where from and to the numbers of VW channels. */
#if VW == 1
#define GET_PLACES(from) ((int)*(from))
#define PUT_PLACES(places, to) (*(to) = (uchar)(places))
#else
typedef LH_CAT(uchar, VW) bytes;
#ifdef __clang__ /* as in common.cl */
typedef bytes bytes_anywhere __attribute__((aligned(1)));
#define GET_PLACES(from) LH_CAT(convert_int, VW)(*(__global const bytes_anywhere *)(from))
#define PUT_PLACES(places, to)                                                                     \
    (*(__global bytes_anywhere *)(to) = LH_CAT(convert_uchar, VW)(places))
#else
#define GET_PLACES(from) LH_CAT(convert_int, VW)(LH_CAT(vload, VW)(0, from))
#define PUT_PLACES(places, to)                                                                     \
    LH_CAT(vstore, VW)(LH_CAT(convert_uchar, VW)(places), 0, to)
#endif
#endif
#define PADDED (TOP || LEFT || BOTTOM || RIGHT)
/* Cells of exactly one stride, all of them. */
#define EXACT (!PADDED && P * STRIDE_H == H && Q * STRIDE_W == W)
/* Small whole windows are unrolled: their loops cost more than their arithmetic. */
#if !PADDED && R * S <= 16
#define UNROLL_WINDOW _Pragma("unroll")
#else
#define UNROLL_WINDOW
#endif

typedef struct window {
    int top, left; /* of its origin in the image; negative in the padding */
} window;

/* Rows R0 <= r < R1 and columns S0 <= s < S1 of window v lie in the image. */
#if PADDED
#define R0(v) max(-(v).top, 0)
#define R1(v) min(H - (v).top, R)
#define S0(v) max(-(v).left, 0)
#define S1(v) min(W - (v).left, S)
#else
#define R0(v) 0
#define R1(v) R
#define S0(v) 0
#define S1(v) S
#endif

window window_at(int p, int q)
{
    window v = {p * STRIDE_H - TOP, q * STRIDE_W - LEFT};
    return v;
}

LH_V load(__global const float *x, window v, int r, int s)
{
    return LH_VLOAD(0, x + ((v.top + r) * W + v.left + s) * C);
}

/* Most windows lie in the image: for them the bounds are constants and the loops are unrolled. */
bool inside(window v)
{
    return !PADDED || (v.top >= 0 && v.left >= 0 && v.top + R <= H && v.left + S <= W);
}
#if R * S <= 16
#define EACH_OF_WHOLE                                                                              \
    _Pragma("unroll") for (int r = 0; r < R; r++) _Pragma("unroll") for (int s = 0; s < S; s++)
#else
#define EACH_OF_WHOLE for (int r = 0; r < R; r++) for (int s = 0; s < S; s++)
#endif
#define EACH_OF_PART(v) for (int r = R0(v); r < R1(v); r++) for (int s = S0(v); s < S1(v); s++)

/* The largest value of a window, or a NaN.  A NaN is kept apart: from one value to the next there is
 * no more than a maximum. */
LH_V maximum(__global const float *x, window v)
{
    LH_V m = load(x, v, R0(v), S0(v)), nan = m;
#define TAKE_LARGER                                                                                \
    {                                                                                              \
        LH_V value = load(x, v, r, s);                                                             \
        m = select(m, value, value > m);                                                           \
        nan = select(nan, value, value != value);                                                  \
    }
    if (inside(v)) EACH_OF_WHOLE TAKE_LARGER
    else EACH_OF_PART(v) TAKE_LARGER
    return select(m, nan, nan != nan);
}

/* best = r * S + s of the first maximum in row order, or of the last NaN; returns its value. */
LH_V find_maximum(__global const float *x, window v, LH_VI *best)
{
    LH_V m = load(x, v, R0(v), S0(v));
    LH_VI where = (LH_VI)(R0(v) * S + S0(v));
#define TAKE_FIRST                                                                                 \
    {                                                                                              \
        LH_V value = load(x, v, r, s);                                                             \
        LH_VI better = (value > m) | (value != value);                                             \
        m = select(m, value, better);                                                              \
        where = select(where, (LH_VI)(r * S + s), better);                                         \
    }
    if (inside(v)) EACH_OF_WHOLE TAKE_FIRST
    else EACH_OF_PART(v) TAKE_FIRST
    *best = where;
    return m;
}

LH_V window_sum(__global const float *x, window v)
{
    LH_V sum = ZERO;
    if (inside(v)) EACH_OF_WHOLE sum += load(x, v, r, s);
    else EACH_OF_PART(v) sum += load(x, v, r, s);
    return sum;
}

LH_TASK void pool_forward(__global const float *restrict x, __global float *restrict y,
                          __global uchar *restrict where, uint rows)
{
    uint row = (uint)get_group_id(0) * ROWS, end = min(row + ROWS, rows);
    for (; row < end; row++) {
        __global const float *image = x + (size_t)(row / P) * (H * W * C);
        for (int q = 0; q < Q; q++) {
            window v = window_at((int)(row % P), q);
            __global float *to = y + ((size_t)row * Q + q) * C;
            for (int c = 0; c < C; c += VW) {
#if WHERE
                LH_VI best;
                LH_V m = find_maximum(image + c, v, &best);
                LH_VSTORE(m, 0, to + c);
#if RELU
                best = select((LH_VI)(255), best, m > ZERO);
#endif
                PUT_PLACES(best, where + ((size_t)row * Q + q) * C + c);
#elif MAX
                LH_VSTORE(maximum(image + c, v), 0, to + c);
#else
                LH_VSTORE(window_sum(image + c, v) / (float)(R * S), 0, to + c);
#endif
            }
        }
    }
}

/* What of d reaches row r, column s counted from the window's origin. */
#if MAX
#define SHARE(r, s) select(ZERO, d, best == (LH_VI)((r) * S + (s)))
#else
#define SHARE(r, s) d
#endif
#define INSIDE(v, r, s) ((r) >= R0(v) && (r) < R1(v) && (s) >= S0(v) && (s) < S1(v))

/* Writes one cell's VW channels; dx points at the image's channels. */
void put_cell(__global float *dx, window v, int p, int q, LH_V d, LH_VI best)
{
#if EXACT
    UNROLL_WINDOW for (int r = 0; r < STRIDE_H; r++) {
        UNROLL_WINDOW for (int s = 0; s < STRIDE_W; s++) {
            LH_V share = r < R && s < S ? SHARE(r, s) : ZERO;
            LH_VSTORE(share, 0, dx + ((v.top + r) * W + v.left + s) * C);
        }
    }
#else
    int r0 = p == 0 ? -v.top : 0, r1 = p == P - 1 ? H - v.top : STRIDE_H;
    int s0 = q == 0 ? -v.left : 0, s1 = q == Q - 1 ? W - v.left : STRIDE_W;
    for (int r = r0; r < r1; r++)
        for (int s = s0; s < s1; s++) {
            LH_V share = INSIDE(v, r, s) ? SHARE(r, s) : ZERO;
            LH_VSTORE(share, 0, dx + ((v.top + r) * W + v.left + s) * C);
        }
#endif
}

LH_TASK void pool_backward_cells(__global const float *restrict x,
                                 __global const uchar *restrict where,
                                 __global const float *restrict dy, __global float *restrict dx,
                                 uint rows)
{
    uint row = (uint)get_group_id(0) * ROWS, end = min(row + ROWS, rows);
    for (; row < end; row++) {
        size_t image = (size_t)(row / P) * (H * W * C);
        int p = (int)(row % P);
        for (int q = 0; q < Q; q++) {
            window v = window_at(p, q);
            __global const float *from = dy + ((size_t)row * Q + q) * C;
            for (int c = 0; c < C; c += VW) {
                LH_V d = LH_VLOAD(0, from + c);
                LH_VI best = (LH_VI)(0);
#if WHERE
                best = GET_PLACES(where + ((size_t)row * Q + q) * C + c);
#elif MAX
                LH_V m = find_maximum(x + image + c, v, &best);
                d = THROUGH_RELU(d, m);
#else
                d /= (float)(R * S);
#endif
                put_cell(dx + image + c, v, p, q, d, best);
            }
        }
    }
}

#define ADD(to, v) LH_VSTORE(LH_VLOAD(0, to) + (v), 0, to)

/* Adds d where find_maximum would find the maximum of a window inside the image; dx points at its origin.
 * better[i]: value i is larger than all before it, or a NaN; the last of these has it. */
void add_at_maximum(__global const float *x, window v, LH_V d, __global float *dx)
{
    LH_V m = load(x, v, 0, 0);
    LH_VI better[R * S], nan = m != m, later = (LH_VI)(0);
    better[0] = nan | (m == m); /* true, which is 1 for one lane and -1 for several */
    #pragma unroll
    for (int i = 1; i < R * S; i++) {
        LH_V value = load(x, v, i / S, i % S);
        LH_VI is_nan = value != value;
        better[i] = ((value > m) & ~nan) | is_nan;
        m = select(m, value, value > m);
        nan |= is_nan;
    }
#if RELU
    d = select(ZERO, d, (m > ZERO) & ~nan);
#endif
    #pragma unroll
    for (int i = R * S - 1; i >= 0; i--) {
        ADD(dx + (i / S * W + i % S) * C, select(ZERO, d, better[i] & ~later));
        later |= better[i];
    }
}

LH_TASK void pool_backward_images(__global const float *restrict x,
                                  __global const uchar *restrict where,
                                  __global const float *restrict dy, __global float *restrict dx)
{
    size_t image = get_group_id(0) * (size_t)(H * W * C);
    dy += get_group_id(0) * (size_t)(P * Q * C);
#if WHERE
    where += get_group_id(0) * (size_t)(P * Q * C);
#endif
    int cleared = 0; /* rows: each is set to zero shortly before it is added to */
    for (int o = 0; o < P * Q; o++) {
        window v = window_at(o / Q, o % Q);
        int clear = o + 1 < P * Q ? min(v.top + R, H) : H;
        for (int i = cleared * W * C; i < clear * W * C; i += VW) LH_VSTORE(ZERO, 0, dx + image + i);
        cleared = max(cleared, clear);
        for (int c = 0; c < C; c += VW) {
            LH_V d = LH_VLOAD(0, dy + o * C + c);
            __global float *to = dx + image + c + (v.top * W + v.left) * C;
#if MAX && !WHERE && R * S <= 16
            if (inside(v)) {
                add_at_maximum(x + image + c, v, d, to);
                continue;
            }
#endif
#if WHERE
            LH_VI best = GET_PLACES(where + o * C + c);
#elif MAX
            LH_VI best;
            LH_V m = find_maximum(x + image + c, v, &best);
            d = THROUGH_RELU(d, m);
#else
            d /= (float)(R * S);
#endif
            if (inside(v)) EACH_OF_WHOLE ADD(to + (r * W + s) * C, SHARE(r, s));
            else EACH_OF_PART(v) ADD(to + (r * W + s) * C, SHARE(r, s));
        }
    }
}
