/* SPDX-License-Identifier: MIT
 *
 * Part of winograd_cpu.cl, for -DSTRIDE=2: a tile's inputs to products and back, each dimension as
 * winograd_stride2.cl says, columns of an image first, then rows, then the outputs in the opposite order.
 * Products [row][column], of which the first POINTS - 1 are transformed inputs, the rest the inputs that
 * meet tap 1. */

/* VW channels of the SIDE x SIDE inputs from (h, w) of an image, zeros outside; one product every
 * V_STEP. */
void transform_window(__global const float *restrict image, int h, int w, __local float *restrict v)
{
    LH_V t[POINTS * SIDE];
    EACH_SIDE(DECLARE_D)
    EACH_SIDE(DECLARE_R)
    bool whole = w >= 0 && w + SIDE <= W;
    for (int i = 0; i < SIDE; i++) {
        __global const float *x = image + (h + i) * W * C + w * C;
        bool inside = h + i >= 0 && h + i < H;
#define GET(j) d##j = LH_VLOAD(0, x + (j) * C);
#define GET_EDGE(j)                                                                                \
    d##j = (LH_V)0.0f;                                                                             \
    if (inside && w + j >= 0 && w + j < W) d##j = LH_VLOAD(0, x + (j) * C);
        if (inside && whole) {
            EACH_SIDE(GET)
        } else {
            EACH_SIDE(GET_EDGE)
        }
#undef GET
        TRANSFORM_EVEN(d, r)
        r5 = d1;
        r6 = d3;
        r7 = d5;
        r8 = d7;
#define PUT(j) LH_VSTORE(r##j, 0, v + ((POINTS - 1 + i / 2) * SIDE + j) * V_STEP);
#define KEEP(j) t[i / 2 * SIDE + j] = r##j;
        if (i % 2) {
            EACH_SIDE(PUT)
        } else {
            EACH_SIDE(KEEP)
        }
#undef PUT
#undef KEEP
    }
    for (int j = 0; j < SIDE; j++, v += V_STEP) {
        d0 = t[j];
        d2 = t[SIDE + j];
        d4 = t[2 * SIDE + j];
        d6 = t[3 * SIDE + j];
        d8 = t[4 * SIDE + j];
        TRANSFORM_EVEN(d, r)
        LH_VSTORE(r0, 0, v);
        LH_VSTORE(r1, 0, v + SIDE * V_STEP);
        LH_VSTORE(r2, 0, v + 2 * SIDE * V_STEP);
        LH_VSTORE(r3, 0, v + 3 * SIDE * V_STEP);
        LH_VSTORE(r4, 0, v + 4 * SIDE * V_STEP);
    }
}

/* VW channels of one output tile, of which rows x cols exist; out: its first position. */
void transform_out(__local const float *restrict m, LH_V bias, __global float *restrict out,
                   int rows, int cols)
{
    LH_V t[TILE * SIDE];
    EACH_TILE(DECLARE_R)
    for (int j = 0; j < SIDE; j++, m += M_STEP) {
#define GET(i) LH_V m##i = LH_VLOAD(0, m + i * SIDE * M_STEP);
#define KEEP(i) t[i * SIDE + j] = r##i;
        EACH_SIDE(GET)
        TRANSFORM_BACK(m, r)
        EACH_TILE(KEEP)
#undef GET
#undef KEEP
    }
    for (int i = 0; i < rows; i++, out += Q * K) {
#define GET(j) LH_V m##j = t[i * SIDE + j];
#define PUT(j)                                                                                     \
    if (j < cols) {                                                                                \
        r##j += bias;                                                                              \
        LH_VSTREAM(ACT(r##j), 0, out + j * K);                                                     \
    }
        EACH_SIDE(GET)
        TRANSFORM_BACK(m, r)
        EACH_TILE(PUT)
#undef GET
#undef PUT
    }
}
