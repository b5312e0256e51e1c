/* SPDX-License-Identifier: MIT
 *
 * Gathers, augments and normalises a batch: images u8 [images][C][H][W] -> x float [n][H][W][C].
 * -DC -DH -DW -DPAD -DFLIP=0|1 -DCUTOUT.
 *   batch_pixels: one work-item per output pixel, work-groups of -DLOCAL
 *   batch_images: one work-item per -DIMAGES images, -DVW pixels at a time (CPU family)
 * No local memory. */
#define LH_PHILOX_CL
#include "common.cl"
#include "core/base/philox.h"

typedef struct view {
    int row, column;         /* of the crop in the image padded by PAD, minus PAD */
    bool flip;
    int hole_row, hole_column; /* first row and column of the cutout */
} view;

view draw_view(ulong seed, int source, uint epoch)
{
    view v = {0, 0, false, 0, 0};
#if PAD || FLIP || CUTOUT
    lh_philox r = lh_philox_draw(seed, (ulong)source, LH_STREAM_AUGMENT, epoch);
    v.row = (int)lh_below(r.v[0], 2 * PAD + 1) - PAD;
    v.column = (int)lh_below(r.v[1], 2 * PAD + 1) - PAD;
    v.flip = FLIP && (r.v[2] >> 31);
    v.hole_row = (int)(((r.v[3] & 0xFFFF) * H) >> 16) - CUTOUT / 2;
    v.hole_column = (int)(((r.v[3] >> 16) * W) >> 16) - CUTOUT / 2;
#endif
    return v;
}

float normalised(float pixel, float mean, float inv_std)
{
    return (pixel - mean) * inv_std;
}

#define KERNEL_ARGUMENTS                                                                           \
    __global const uchar *images, __global const uchar *source_labels, __global const int *order,  \
        __global float *x, __global int *labels, int n, ulong offset, ulong seed, uint epoch,      \
        float m0, float m1, float m2, float m3, float s0, float s1, float s2, float s3

#ifdef IMAGES
#if (VW == 16 || VW == 8) && (C == 1 || C == 3) && W >= VW
#define VECTORS
#endif
#ifdef VECTORS
#if VW == 16
#define TURNED(v) (v).sfedcba9876543210
#define MIX(r, g, b, out)                                                                          \
    out[0] = (LH_V)(r.s0, g.s0, b.s0, r.s1, g.s1, b.s1, r.s2, g.s2, b.s2, r.s3, g.s3, b.s3, r.s4,  \
                    g.s4, b.s4, r.s5);                                                             \
    out[1] = (LH_V)(g.s5, b.s5, r.s6, g.s6, b.s6, r.s7, g.s7, b.s7, r.s8, g.s8, b.s8, r.s9, g.s9,  \
                    b.s9, r.sa, g.sa);                                                             \
    out[2] = (LH_V)(b.sa, r.sb, g.sb, b.sb, r.sc, g.sc, b.sc, r.sd, g.sd, b.sd, r.se, g.se, b.se,  \
                    r.sf, g.sf, b.sf);
#else
#define TURNED(v) (v).s76543210
#define MIX(r, g, b, out)                                                                          \
    out[0] = (LH_V)(r.s0, g.s0, b.s0, r.s1, g.s1, b.s1, r.s2, g.s2);                               \
    out[1] = (LH_V)(b.s2, r.s3, g.s3, b.s3, r.s4, g.s4, b.s4, r.s5);                               \
    out[2] = (LH_V)(g.s5, b.s5, r.s6, g.s6, b.s6, r.s7, g.s7, b.s7);
#endif
/* VW pixels; `from` points at the byte of the first, or of the last where they are turned. */
void put_pixels(__global const uchar *from, __global float *x, bool turn, const float *mean,
                const float *inv_std)
{
    LH_V plane[3], out[3];
    #pragma unroll
    for (int c = 0; c < C; c++) {
        LH_V pixels = LH_CAT(convert_float, VW)(LH_CAT(vload, VW)(0, from + c * (H * W)));
        plane[c] = (pixels / 255.0f - mean[c]) * inv_std[c];
        if (turn) plane[c] = TURNED(plane[c]);
    }
#if C == 3
    MIX(plane[0], plane[1], plane[2], out)
#else
    out[0] = plane[0];
#endif
    #pragma unroll
    for (int c = 0; c < C; c++) LH_VSTORE(out[c], c, x);
}
#endif

/* Row i of x; image points at the source's first plane. */
void put_row(__global const uchar *image, __global float *x, int i, view v,
             const float *mean, const float *inv_std, const float *outside)
{
    int row = i + v.row, first = max(-v.column, 0), end = min(W - v.column, W);
    if (row < 0 || row >= H) first = end = W;
    if (v.flip) { /* the columns of x run the other way round than those of the crop */
        int turned = W - end;
        end = W - first;
        first = turned;
    }
    __global const uchar *from = image + row * W + (v.flip ? W - 1 : 0) + v.column;
    int step = v.flip ? -1 : 1;
    for (int j = 0; j < first; j++)
        for (int c = 0; c < C; c++) x[j * C + c] = outside[c];
    int j = first;
#ifdef VECTORS
    for (; first + VW <= end && j < end; j += VW) { /* the last ends with the row */
        int at = min(j, end - VW);
        put_pixels(from + (v.flip ? -(at + VW - 1) : at), x + at * C, v.flip, mean, inv_std);
    }
#endif
    for (; j < end; j++)
        for (int c = 0; c < C; c++)
            x[j * C + c] = normalised(from[c * (H * W) + j * step] / 255.0f, mean[c], inv_std[c]);
    for (int j = end; j < W; j++)
        for (int c = 0; c < C; c++) x[j * C + c] = outside[c];
    if (i < v.hole_row || i >= v.hole_row + CUTOUT) return;
    int hole_end = min(v.hole_column + CUTOUT, W);
    for (int j = max(v.hole_column, 0); j < hole_end; j++)
        for (int c = 0; c < C; c++) x[j * C + c] = 0.0f;
}

LH_TASK void batch(KERNEL_ARGUMENTS)
{
    const float mean[4] = {m0, m1, m2, m3}, inv_std[4] = {s0, s1, s2, s3};
    float outside[C];
    for (int c = 0; c < C; c++) outside[c] = normalised(0.0f, mean[c], inv_std[c]);
    int image = get_group_id(0) * IMAGES, end = min(image + IMAGES, n);
    for (; image < end; image++) {
        int source = order[offset + image];
        view v = draw_view(seed, source, epoch);
        labels[image] = source_labels[source];
        for (int i = 0; i < H; i++)
            put_row(images + (size_t)source * C * H * W, x + (image * (size_t)H + i) * W * C, i, v,
                    mean, inv_std, outside);
    }
}
#else
/* Pixel (i, j) of x; image points at the source's first plane. */
void put_pixel(__global const uchar *image, __global float *x, int i, int j, view v,
               const float *mean, const float *inv_std)
{
    int row = i + v.row, column = (v.flip ? W - 1 - j : j) + v.column;
    bool inside = row >= 0 && row < H && column >= 0 && column < W;
    bool hole = i >= v.hole_row && i < v.hole_row + CUTOUT && j >= v.hole_column &&
                j < v.hole_column + CUTOUT;
    for (int c = 0; c < C; c++) {
        float pixel = inside ? image[((size_t)c * H + row) * W + column] / 255.0f : 0.0f;
        x[c] = hole ? 0.0f : normalised(pixel, mean[c], inv_std[c]);
    }
}

__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
void batch(KERNEL_ARGUMENTS)
{
    const float mean[4] = {m0, m1, m2, m3}, inv_std[4] = {s0, s1, s2, s3};
    size_t image = get_global_id(0) / (H * W);
    int pixel = (int)(get_global_id(0) % (H * W));
    if (image >= (size_t)n) return;
    int source = order[offset + image];
    view v = draw_view(seed, source, epoch);
    if (pixel == 0) labels[image] = source_labels[source];
    put_pixel(images + (size_t)source * C * H * W, x + (image * (H * W) + pixel) * C, pixel / W,
              pixel % W, v, mean, inv_std);
}
#endif
