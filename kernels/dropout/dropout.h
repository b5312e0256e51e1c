/* SPDX-License-Identifier: MIT
 *
 * Inverted dropout: y = x * keep / (1 - rate), keep = 1 where a uniform draw >= rate.
 * The draw is a pure function of (seed, element index, stream, epoch): backward draws it again,
 * nothing is stored.  Element i uses word i % 4 of lh_philox_draw(seed, i / 4, stream, epoch).
 * scalar[0] = rate in [0, 1); stream = LH_STREAM_DROPOUT + 16 * layer; epoch = update number (low
 * 32 bits).  In place allowed (y = x, dx = dy). */
#ifndef LH_DROPOUT_H
#define LH_DROPOUT_H

#include "kernels/op.h"

typedef struct lh_dropout_problem {
    int n;
    size_t per_image;
} lh_dropout_problem;

enum { LH_DROPF_X, LH_DROPF_Y }; /* backward: the same with dy, dx */
extern const lh_op lh_dropout_forward, lh_dropout_backward;

/* The truth, in double; it serves both passes. */
void lh_dropout_reference(const void *problem, const lh_host_args *args);

#endif
