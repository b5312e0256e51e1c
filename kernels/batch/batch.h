/* SPDX-License-Identifier: MIT
 *
 * A batch from a data set that lives on the device: gather by the epoch's order, augment,
 * normalise. source = order[offset + i];  x[i][h][w][c] = (u8 / 255 - mean[c]) * inv_std[c];
 * labels[i] With augment: crop of the image padded by pad black pixels, before normalisation (shift
 * uniform in 0..2*pad for each direction), then horizontal flip with probability 1/2 (flip), then a
 * square of side cutout around a uniform centre (clipped at the border) set to 0, the normalised
 * mean.  Draws are lh_philox_draw(seed, source, LH_STREAM_AUGMENT, epoch): v[0] row shift, v[1]
 * column shift, v[2] flip (top bit), v[3] cutout centre (low 16 bits row, high 16 bits column); a
 * pure function of (seed, epoch, sample), whatever the batch size. scalar[0..3] mean, scalar[4..7]
 * inv_std per channel, pixels scaled to 0..1; c <= 4. */
#ifndef LH_BATCH_H
#define LH_BATCH_H

#include "kernels/op.h"

typedef struct lh_batch_problem {
    int n, c, h, w;
    int images; /* samples of the data set, and entries of order */
    int pad;    /* 0: no crop */
    bool flip;
    int cutout; /* side in pixels; 0: none */
} lh_batch_problem;

/* images u8 [images][c][h][w], source_labels u8 [images], order i32 [images], x f32 NHWC, labels
 * i32 */
enum { LH_BATCH_IMAGES, LH_BATCH_SOURCE_LABELS, LH_BATCH_ORDER, LH_BATCH_X, LH_BATCH_LABELS };
extern const lh_op lh_batch;

/* The truth, in double. */
void lh_batch_reference(const void *problem, const lh_host_args *args);

#endif
