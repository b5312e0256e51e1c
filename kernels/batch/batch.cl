/* SPDX-License-Identifier: MIT
 *
 * Gathers, augments and normalises a batch: images u8 [images][C][H][W] -> x float [n][H][W][C].
 * -DC -DH -DW -DPAD -DFLIP=0|1 -DCUTOUT.
 *   batch_pixels: one work-item per output pixel, work-groups of -DLOCAL
 *   batch_images: one work-item per image (-DIMAGES; CPU family)
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
        x[c] = hole ? 0.0f : (pixel - mean[c]) * inv_std[c];
    }
}

#ifdef IMAGES
LH_TASK
#else
__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
#endif
void batch(__global const uchar *images, __global const uchar *source_labels,
           __global const int *order, __global float *x, __global int *labels, int n, ulong offset,
           ulong seed, uint epoch, float m0, float m1, float m2, float m3, float s0, float s1,
           float s2, float s3)
{
    const float mean[4] = {m0, m1, m2, m3}, inv_std[4] = {s0, s1, s2, s3};
#ifdef IMAGES
    size_t image = get_group_id(0);
#else
    size_t image = get_global_id(0) / (H * W);
    int pixel = (int)(get_global_id(0) % (H * W));
    if (image >= (size_t)n) return;
#endif
    int source = order[offset + image];
    view v = draw_view(seed, source, epoch);
    __global const uchar *from = images + (size_t)source * C * H * W;
    __global float *to = x + image * (H * W * C);
#ifdef IMAGES
    labels[image] = source_labels[source];
    for (int i = 0; i < H; i++)
        for (int j = 0; j < W; j++) put_pixel(from, to + (i * W + j) * C, i, j, v, mean, inv_std);
#else
    if (pixel == 0) labels[image] = source_labels[source];
    put_pixel(from, to + pixel * C, pixel / W, pixel % W, v, mean, inv_std);
#endif
}
