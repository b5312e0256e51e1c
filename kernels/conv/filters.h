/* SPDX-License-Identifier: MIT
 *
 * Weights made ready ahead: one launch transforms the small filters of all Winograd convolutions of a
 * network (CPU family, tiles of 4x4), each of which would otherwise launch a few short tasks of its own
 * before every pass. */
#ifndef LH_CONV_FILTERS_H
#define LH_CONV_FILTERS_H

#include "kernels/op.h"

#define LH_FILTERS_PATH "conv/winograd_filters.cl"
#define LH_FILTERS_OPTIONS "-DVW=%d -DTILE=%d -DSTRIDE=%d"

/* The filters of one pass of a convolution, as winograd_filters.cl takes them. */
typedef struct lh_filter_row {
    int tile, channels, outputs, width, out_step, in_step, flip;
    size_t bytes; /* of the transformed filters */
} lh_filter_row;

/* False: the exec does not transform filters, or not those of tiles of 4x4. */
bool lh_conv_winograd_filters(const lh_exec *exec, lh_filter_row *row);

/* A pass whose weights begin at float number `weights` of the arena; out: `filters`, what to put into
 * its lh_args, owned by the lh_filters, NULL where the pass does better on its own. */
typedef struct lh_filter_user {
    const lh_exec *exec;
    size_t weights;
    cl_mem filters;
} lh_filter_user;

typedef struct lh_filters lh_filters;

/* *out is NULL when there is nothing to do ahead.  Users with the same weights and transform share. */
lehr_status lh_filters_create(lehr_device *dev, lh_filter_user *users, size_t count, lh_filters **out);
void lh_filters_destroy(lh_filters **filters);
/* Queues the launch; before every pass after a change of the weights. */
lehr_status lh_filters_run(lh_filters *filters, cl_mem arena);
size_t lh_filters_bytes(const lh_filters *filters);

#endif
