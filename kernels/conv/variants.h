/* SPDX-License-Identifier: MIT
 *
 * Internal to kernels/conv: the rows of the three variant tables, and what the host files share.
 * A row X(pass, name, growth) (pass = forward, data or filter) stands for three functions
 * lh_conv_PASS_NAME_declines, _prepare, _run; growth is the factor on the op's error limit, 0 = 1.
 * Order matters: the first row that does not decline is taken. */
#ifndef LH_CONV_VARIANTS_H
#define LH_CONV_VARIANTS_H

#include "kernels/conv/conv.h"

#define LH_CONV_FORWARD_VARIANTS(X)                                                                \
    X(forward, winograd4_cpu, 3.6)                                                                 \
    X(forward, winograd4_stride2_cpu, 1.6)                                                         \
    X(forward, winograd2_cpu, 1.1)                                                                 \
    X(forward, direct_cpu, 0)                                                                      \
    X(forward, gpu_pointwise, 0)                                                                   \
    X(forward, gpu_implicit_gemm, 0)                                                               \
    X(forward, gpu_subgroup, 0)                                                                    \
    X(forward, gpu_winograd2, 0)                                                                   \
    X(forward, plain, 0)
#define LH_CONV_DATA_VARIANTS(X)                                                                   \
    X(data, winograd4_cpu, 3.6)                                                                    \
    X(data, winograd2_cpu, 1.1)                                                                    \
    X(data, direct_cpu, 0)                                                                         \
    X(data, gpu_pointwise, 0)                                                                      \
    X(data, gpu_implicit_gemm, 0)                                                                  \
    X(data, gpu_subgroup, 0)                                                                       \
    X(data, gpu_winograd2, 0)                                                                      \
    X(data, plain, 0)
#define LH_CONV_FILTER_VARIANTS(X)                                                                 \
    X(filter, winograd4_cpu, 3)                                                                    \
    X(filter, winograd2_cpu, 1.4)                                                                  \
    X(filter, direct_cpu, 0)                                                                       \
    X(filter, gpu_pointwise, 0)                                                                    \
    X(filter, gpu_implicit_gemm, 0)                                                                \
    X(filter, gpu_subgroup, 0)                                                                     \
    X(filter, gpu_winograd2, 1.4)                                                                  \
    X(filter, plain, 0)

/* Declares one row's functions. */
#define LH_CONV_DECLARE(pass, name, growth)                                                        \
    const char *lh_conv_##pass##_##name##_declines(const void *problem, const lh_traits *traits);  \
    lehr_status lh_conv_##pass##_##name##_prepare(lh_exec *exec);                                  \
    lehr_status lh_conv_##pass##_##name##_run(lh_exec *exec, const lh_args *args);
LH_CONV_FORWARD_VARIANTS(LH_CONV_DECLARE)
LH_CONV_DATA_VARIANTS(LH_CONV_DECLARE)
LH_CONV_FILTER_VARIANTS(LH_CONV_DECLARE)

void lh_conv_forward_reference(const void *problem, const lh_host_args *args);
void lh_conv_backward_data_reference(const void *problem, const lh_host_args *args);
void lh_conv_backward_filter_reference(const void *problem, const lh_host_args *args);

/* Elements of x (and dx), y (and dy) for a batch, and of the filter. */
size_t lh_conv_x_count(const lh_conv_problem *p, int n);
size_t lh_conv_y_count(const lh_conv_problem *p, int n);
size_t lh_conv_w_count(const lh_conv_problem *p);

/* The GPU family's slices of a filter's gradient, [slice][k][r][s][c] at the start of the workspace,
 * added in order into dw. */
lehr_status lh_gpu_combine_prepare(lh_exec *exec, unsigned index);
lehr_status lh_gpu_combine_run(lh_exec *exec, unsigned index, const lh_args *args, size_t slices);

/* Winograd kernels of the CPU family, for tiles of 4x4 or 2x2 outputs.
 * Why none takes a problem, or NULL: LEHR_WINOGRAD=0 (or 2, and tile is not), not 3x3 with that stride,
 * channels not a multiple of the vector width. */
const char *lh_conv_winograd_refused(const lh_conv_problem *p, const lh_traits *traits, int tile,
                                     int stride);
/* Whether the tiles of such an image hold too few outputs to pay. */
bool lh_conv_winograd_mostly_empty(int rows, int cols, int tile);
/* Whether a batch has so few tiles of 4x4 that transforming the filters does not pay. */
bool lh_conv_winograd_few(const lh_conv_problem *p, int rows, int cols, int stride);
/* Tiles of n images of rows x cols outputs. */
size_t lh_conv_winograd_tiles(int n, int rows, int cols, int tile);
/* Floats from one point's plane of transforms to the next: 16 more than needed, so that planes do not
 * share cache sets. */
size_t lh_conv_winograd_plane(int tiles, int channels);

/* A 3x3 convolution as a Winograd kernel sees it: backward data (of stride 1 only) is one with flipped,
 * transposed weights. */
typedef struct lh_winograd_pass {
    int c, h, w, k, p, q, pad_top, pad_left;
    int out_step, in_step, flip; /* of one output and one input channel in w; mirrored taps */
    int stride;
} lh_winograd_pass;

static inline lh_winograd_pass lh_winograd_forward(const lh_conv_problem *p)
{
    return (lh_winograd_pass){p->c, p->h, p->w, p->k, p->p, p->q, p->pad_top, p->pad_left, p->c * 9, 9, 0,
                              p->stride_h};
}

static inline lh_winograd_pass lh_winograd_data(const lh_conv_problem *p)
{
    return (lh_winograd_pass){p->k, p->p, p->q, p->c, p->h, p->w, 2 - p->pad_top, 2 - p->pad_left,
                  9, p->c * 9, 1, 1};
}

#endif
