/* SPDX-License-Identifier: MIT
 *
 * Part of winograd_cpu.cl, for -DSPREAD=1: images of at most TILE x TILE that meet the whole filter at
 * every position (the gradient of a small layer without padding) are one tile each.  The transposed
 * algorithm makes the POINTS x POINTS outputs of such a whole convolution from SQUARE products, where
 * tiles of F would make TILE x TILE.  The filters are not mirrored for it, or are where F's are not. */

/* Transforms VW channels of an image and stores them, one point every V_STEP. */
void transform_image(__global const float *restrict x, __local float *restrict v)
{
    LH_V t[POINTS * TILE];
    EACH_TILE(DECLARE_D)
    EACH_POINT(DECLARE_R)
    for (int j = 0; j < TILE; j++, x += C) {
#define GET(i)                                                                                     \
    d##i = (LH_V)0.0f;                                                                             \
    if (i < H && j < W) d##i = LH_VLOAD(0, x + i * W * C);
#define KEEP(i) t[TILE * i + j] = r##i;
        EACH_TILE(GET)
        TRANSFORM_GRADIENT(d, r)
        EACH_POINT(KEEP)
#undef GET
#undef KEEP
    }
    for (int i = 0; i < POINTS; i++, v += POINTS * V_STEP) {
#define GET(j) d##j = t[TILE * i + j];
#define PUT(j) LH_VSTORE(r##j, 0, v + j * V_STEP);
        EACH_TILE(GET)
        TRANSFORM_GRADIENT(d, r)
        EACH_POINT(PUT)
#undef GET
#undef PUT
    }
}

/* VW channels of an image's outputs, which begin 2 - PT rows and 2 - PL columns into its whole
 * convolution; out: the first. */
void spread_out(__local const float *restrict m, LH_V bias, __global float *restrict out)
{
    LH_V t[SQUARE];
    EACH_POINT(DECLARE_R)
    for (int j = 0; j < POINTS; j++, m += M_STEP) {
#define GET(i) LH_V m##i = LH_VLOAD(0, m + POINTS * i * M_STEP);
#define KEEP(i) t[POINTS * i + j] = r##i;
        EACH_POINT(GET)
        TRANSFORM_SPREAD(m, r)
        EACH_POINT(KEEP)
#undef GET
#undef KEEP
    }
    for (int i = 2 - PT; i < P + 2 - PT; i++, out += Q * K) {
#define GET(j) LH_V m##j = t[POINTS * i + j];
#define PUT(j)                                                                                     \
    if (j >= 2 - PL && j < Q + 2 - PL) {                                                           \
        r##j += bias;                                                                              \
        LH_VSTREAM(ACT(r##j), 0, out + (j - 2 + PL) * K);                                          \
    }
        EACH_POINT(GET)
        TRANSFORM_SPREAD(m, r)
        EACH_POINT(PUT)
#undef GET
#undef PUT
    }
}
