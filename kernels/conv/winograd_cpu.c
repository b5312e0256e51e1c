/* SPDX-License-Identifier: MIT
 *
 * Host side of winograd_cpu.cl: when the transform pays, how many tiles a task takes so that its
 * windows fit into local memory and the cache behind it. */
#include "kernels/conv/variants.h"

#include <stdio.h>
#include <string.h>

enum { FILTER, CONV };          /* exec->kernels */
enum { TILES, BLOCK, V_BYTES, M_BYTES }; /* exec->number */
enum { CACHE_WISH = 700 * 1024 }; /* bytes of v and m: within a second-level cache of 1 MiB */

/* The convolution as the kernel sees it. */
typedef struct pass {
    int c, h, w, k, p, q, pad_top, pad_left;
    int out_step, in_step, flip; /* of one output and one input channel in w; mirrored taps */
} pass;

static pass forward_pass(const lh_conv_problem *p)
{
    return (pass){p->c, p->h, p->w, p->k, p->p, p->q, p->pad_top, p->pad_left, p->c * 9, 9, 0};
}

static pass data_pass(const lh_conv_problem *p)
{
    return (pass){p->k, p->p, p->q, p->c, p->h, p->w, 2 - p->pad_top, 2 - p->pad_left,
                  9, p->c * 9, 1};
}

static int tile_rows(const lh_traits *t) { return t->vector_width >= 16 ? 8 : 6; }

static int block_of(const pass *c, const lh_traits *t)
{
    int width = (int)t->vector_width;
    return c->k % (2 * width) == 0 ? 2 * width : width;
}

static size_t plane_bytes(int tiles, int channels)
{
    return 36 * ((size_t)tiles * (size_t)channels + 16) * sizeof(float);
}

static size_t local_bytes(const pass *c, int tiles, int block)
{
    return plane_bytes(tiles, c->c) + plane_bytes(tiles, block);
}

/* Four register tiles, two or one. */
static int count_tiles(const pass *c, const lh_traits *t)
{
    int rows = tile_rows(t), tiles = 4 * rows;
    size_t limit = t->local_bytes < CACHE_WISH ? t->local_bytes : CACHE_WISH;
    while (tiles > rows && local_bytes(c, tiles, block_of(c, t)) > limit) tiles /= 2;
    return tiles;
}

const char *lh_conv_winograd_refused(const lh_conv_problem *p, const lh_traits *t)
{
    const char *wish = lh_getenv("LEHR_WINOGRAD"), *reason = lh_needs_cpu_family(t);
    if (wish && strcmp(wish, "0") == 0) return "LEHR_WINOGRAD=0";
    if (reason) return reason;
    if (p->r != 3 || p->s != 3) return "for 3x3 filters";
    if (p->stride_h != 1 || p->stride_w != 1) return "for stride 1";
    if (p->c % (int)t->vector_width || p->k % (int)t->vector_width)
        return "channels are not a multiple of the vector width";
    return NULL;
}

/* A tile costs 36 multiplications where direct has 9 per output, and the transforms come on top. */
bool lh_conv_winograd_mostly_empty(int rows, int cols)
{
    int tiles = ((rows + 3) / 4) * ((cols + 3) / 4);
    return rows * cols < 6 * tiles;
}

static const char *declines(const lh_conv_problem *p, const pass *c, const lh_traits *t)
{
    const char *reason = lh_conv_winograd_refused(p, t);
    if (reason) return reason;
    if (lh_conv_winograd_mostly_empty(c->p, c->q)) return "4x4 tiles would be mostly empty";
    if (local_bytes(c, tile_rows(t), block_of(c, t)) > t->local_bytes)
        return "the windows exceed local memory";
    return NULL;
}

static size_t tiles_per_image(const pass *c)
{
    return lh_div_up((size_t)c->p, 4) * lh_div_up((size_t)c->q, 4);
}

static lehr_status prepare(lh_exec *e, const pass *c, bool relu)
{
    const lh_traits *t = lh_device_traits(e->dev);
    int tiles = count_tiles(c, t), block = block_of(c, t), width = (int)t->vector_width;
    e->number[TILES] = tiles;
    e->number[BLOCK] = block;
    e->number[V_BYTES] = (int64_t)plane_bytes(tiles, c->c);
    e->number[M_BYTES] = (int64_t)plane_bytes(tiles, block);
    e->workspace = 36 * (size_t)c->c * (size_t)c->k * sizeof(float);
    char options[400];
    snprintf(options, sizeof options,
             "-DVW=%d -DNV=%d -DROWS=%d -DC=%d -DH=%d -DW=%d -DK=%d -DP=%d -DQ=%d -DPT=%d -DPL=%d "
             "-DTILES=%d -DTILES_H=%d -DTILES_W=%d -DRELU=%d",
             width, block / width, tile_rows(t), c->c, c->h, c->w, c->k, c->p, c->q, c->pad_top,
             c->pad_left, tiles, (c->p + 3) / 4, (c->q + 3) / 4, relu);
    lehr_status st =
        lh_exec_kernel(e, FILTER, "conv/winograd_cpu.cl", "winograd_filter", "%s", options);
    if (st != LEHR_OK) return st;
    return lh_exec_kernel(e, CONV, "conv/winograd_cpu.cl", "winograd_conv", "%s", options);
}

static lehr_status run(lh_exec *e, const pass *c, const lh_args *a, cl_mem in, cl_mem w,
                       cl_mem bias, cl_mem out)
{
    size_t tiles = (size_t)a->n * tiles_per_image(c);
    lehr_status st = lh_kernel_args(e->dev, e->kernels[FILTER], "mmiii", w, a->workspace,
                                    c->out_step, c->in_step, c->flip);
    if (st == LEHR_OK)
        st = lh_launch_tasks(e->dev, e->kernels[FILTER], (size_t)(c->k / e->number[BLOCK]),
                             (size_t)c->c);
    if (st == LEHR_OK)
        st = lh_kernel_args(e->dev, e->kernels[CONV], "mmmmiLL", in, a->workspace, bias, out,
                            (int)tiles, (size_t)e->number[V_BYTES], (size_t)e->number[M_BYTES]);
    if (st != LEHR_OK) return st;
    return lh_launch_tasks(e->dev, e->kernels[CONV],
                           lh_div_up(tiles, (size_t)e->number[TILES]), 1);
}

const char *lh_conv_forward_winograd4_cpu_declines(const void *problem, const lh_traits *traits)
{
    pass c = forward_pass(problem);
    return declines(problem, &c, traits);
}

lehr_status lh_conv_forward_winograd4_cpu_prepare(lh_exec *e)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    pass c = forward_pass(p);
    return prepare(e, &c, p->act == LH_ACT_RELU);
}

lehr_status lh_conv_forward_winograd4_cpu_run(lh_exec *e, const lh_args *a)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    pass c = forward_pass(p);
    return run(e, &c, a, a->buf[LH_CONVF_X], a->buf[LH_CONVF_W],
               p->bias ? a->buf[LH_CONVF_BIAS] : NULL, a->buf[LH_CONVF_Y]);
}

const char *lh_conv_data_winograd4_cpu_declines(const void *problem, const lh_traits *traits)
{
    pass c = data_pass(problem);
    return declines(problem, &c, traits);
}

lehr_status lh_conv_data_winograd4_cpu_prepare(lh_exec *e)
{
    pass c = data_pass(lh_exec_problem(e));
    return prepare(e, &c, false);
}

lehr_status lh_conv_data_winograd4_cpu_run(lh_exec *e, const lh_args *a)
{
    pass c = data_pass(lh_exec_problem(e));
    return run(e, &c, a, a->buf[LH_CONVD_DY], a->buf[LH_CONVD_W], NULL, a->buf[LH_CONVD_DX]);
}
