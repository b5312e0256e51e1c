/* SPDX-License-Identifier: MIT
 *
 * Register tiles of the CPU family: ROWS rows (pixels, or filter channels) x NV vectors of VW
 * floats kept in named variables a0.. and b0.., so that they stay in registers on any compiler.
 *   EACH_ROW(DO)   DO(0) DO(1) … DO(ROWS - 1)
 *   TILE_DECLARE   the accumulators, undefined
 *   ROW_*(i)       what to do with row i; SECOND(…) is there only when NV is 2
 * Also copying and clearing runs of floats in local memory with vectors. */
#ifndef NV
#define NV 2
#endif
#ifndef ROWS
#define ROWS 8
#endif
#define BLOCK (NV * VW) /* output channels of one tile */

#if ROWS == 4
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3)
#elif ROWS == 5
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4)
#elif ROWS == 6
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)
#elif ROWS == 7
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6)
#elif ROWS == 8
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#elif ROWS == 9
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8)
#elif ROWS == 12
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#elif ROWS == 27
#define EACH_ROW(DO)                                                                               \
    DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13)        \
    DO(14) DO(15) DO(16) DO(17) DO(18) DO(19) DO(20) DO(21) DO(22) DO(23) DO(24) DO(25) DO(26)
#else
#error "EACH_ROW is not written for this number of rows"
#endif

#if NV == 2
#define SECOND(text) text
#else
#define SECOND(text)
#endif

#define ROW_DECLARE(i) LH_V a##i; SECOND(LH_V b##i;)
#define TILE_DECLARE EACH_ROW(ROW_DECLARE)
/* Row i starts from the vectors u (and v). */
#define ROW_SET(i) a##i = u; SECOND(b##i = v;)
/* Row i gets scalar * (u, v) added. */
#define ROW_FMA(i, scalar)                                                                         \
    {                                                                                              \
        LH_V broadcast = (LH_V)(scalar);                                                           \
        a##i = fma(broadcast, u, a##i);                                                            \
        SECOND(b##i = fma(broadcast, v, b##i);)                                                    \
    }
#define ROW_LOAD(i, from)                                                                          \
    a##i = LH_VLOAD(0, from);                                                                      \
    SECOND(b##i = LH_VLOAD(0, (from) + VW);)
#define ROW_STORE(i, to)                                                                           \
    LH_VSTORE(a##i, 0, to);                                                                        \
    SECOND(LH_VSTORE(b##i, 0, (to) + VW);)
#define ROW_STREAM(i, to)                                                                          \
    LH_VSTREAM(a##i, 0, to);                                                                          \
    SECOND(LH_VSTREAM(b##i, 1, to);)
/* u (and v) = the vectors at from. */
#define LOAD_UV(from)                                                                              \
    LH_V u = LH_VLOAD(0, from);                                                                    \
    SECOND(LH_V v = LH_VLOAD(0, (from) + VW);)

void copy_floats(__local float *to, __global const float *from, int count)
{
    int i = 0;
    for (; i + VW <= count; i += VW) LH_VSTORE(LH_VLOAD(0, from + i), 0, to + i);
    for (; i < count; i++) to[i] = from[i];
}

void clear_floats(__local float *to, int count)
{
    int i = 0;
    for (; i + VW <= count; i += VW) LH_VSTORE((LH_V)0.0f, 0, to + i);
    for (; i < count; i++) to[i] = 0.0f;
}

/* Stores the first count lanes of a vector. */
void store_lanes(LH_V value, __global float *to, int count)
{
    float lanes[VW];
    LH_VSTORE(value, 0, lanes);
    for (int i = 0; i < count && i < VW; i++) to[i] = lanes[i];
}

/* Copies `rows` image rows of `cols` pixels, from row `top` and column `left` of an image
 * [H][W][C], into local memory; what lies outside the image becomes zero. */
void stage_rows(__local float *to, __global const float *image, int top, int left, int rows,
                int cols)
{
    int before = clamp(-left, 0, cols), after = clamp(left + cols - W, 0, cols - before);
    int inside = cols - before - after;
    for (int r = 0; r < rows; r++, to += cols * C) {
        int h = top + r;
        if (h < 0 || h >= H || inside <= 0) {
            clear_floats(to, cols * C);
            continue;
        }
        clear_floats(to, before * C);
        copy_floats(to + before * C, image + (h * W + max(left, 0)) * C, inside * C);
        clear_floats(to + (before + inside) * C, after * C);
    }
}
