/* SPDX-License-Identifier: MIT
 *
 * Host side of winograd_filter_cpu.cl: chunks of tiles, and where things lie in the workspace. */
#include "kernels/conv/variants.h"

#include <stdio.h>

enum { TRANSFORM, PRODUCTS, WEIGHTS, BIAS };                        /* exec->kernels */
enum { CHUNK, BLOCK, Z_AT, SUMS_AT, BIAS_AT, BIAS_SLOTS };          /* exec->number, floats */
enum { TASK_TILES = 8, RUN = 128 };                                 /* as in the kernel */
/* Bytes of a chunk's transforms: they are written, then read by all products. */
enum { CHUNK_WISH = 8 * 1024 * 1024, MOST_BIAS_SLOTS = 16 };

static size_t tiles_of(const lh_conv_problem *p, int n)
{
    return (size_t)n * lh_div_up((size_t)p->p, 4) * lh_div_up((size_t)p->q, 4);
}

static size_t chunk_tiles(const lh_conv_problem *p)
{
    size_t all = lh_round_up(tiles_of(p, p->n), TASK_TILES);
    size_t tiles = CHUNK_WISH / (36 * sizeof(float) * (size_t)(p->c + p->k)) / RUN * RUN;
    if (tiles < RUN) tiles = RUN;
    return tiles < all ? tiles : all;
}

static size_t plane(size_t chunk, int channels) { return 36 * (chunk * (size_t)channels + 16); }

const char *lh_conv_filter_winograd4_cpu_declines(const void *problem, const lh_traits *traits)
{
    const lh_conv_problem *p = problem;
    const char *reason = lh_conv_winograd_refused(p, traits);
    if (reason) return reason;
    if (lh_conv_winograd_mostly_empty(p->p, p->q)) return "4x4 tiles would be mostly empty";
    /* 16 channels: as fast as direct (0.80 against 0.77 of peak), and less accurate. */
    return p->c < 32 || p->k < 32 ? "direct is as fast below 32 channels" : NULL;
}

lehr_status lh_conv_filter_winograd4_cpu_prepare(lh_exec *e)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    int width = (int)lh_device_traits(e->dev)->vector_width;
    int vectors = p->k % (2 * width) == 0 ? 2 : 1;
    size_t chunk = chunk_tiles(p), slots = p->n < MOST_BIAS_SLOTS ? (size_t)p->n : MOST_BIAS_SLOTS;
    e->number[CHUNK] = (int64_t)chunk;
    e->number[BLOCK] = vectors * width;
    e->number[Z_AT] = (int64_t)plane(chunk, p->c);
    e->number[SUMS_AT] = e->number[Z_AT] + (int64_t)plane(chunk, p->k);
    e->number[BIAS_AT] = e->number[SUMS_AT] + 36 * (int64_t)p->c * p->k;
    e->number[BIAS_SLOTS] = (int64_t)slots;
    e->workspace = ((size_t)e->number[BIAS_AT] + slots * (size_t)p->k) * sizeof(float);
    static const char *const names[] = {"winograd_transform", "winograd_products",
                                        "winograd_weights", "winograd_bias"};
    char options[400];
    snprintf(options, sizeof options,
             "-DVW=%d -DNV=%d -DROWS=%d -DC=%d -DH=%d -DW=%d -DK=%d -DP=%d -DQ=%d -DPT=%d -DPL=%d "
             "-DCHUNK=%d -DTILES_H=%d -DTILES_W=%d -DBIAS=%d",
             width, vectors, width >= 16 ? 8 : 4, p->c, p->h, p->w, p->k, p->p, p->q, p->pad_top,
             p->pad_left, (int)chunk, (p->p + 3) / 4, (p->q + 3) / 4, p->bias);
    lehr_status st = LEHR_OK;
    for (unsigned i = TRANSFORM; i <= (p->bias ? BIAS : WEIGHTS) && st == LEHR_OK; i++)
        st = lh_exec_kernel(e, i, "conv/winograd_filter_cpu.cl", names[i], "%s", options);
    return st;
}

static lehr_status run_chunk(lh_exec *e, const lh_args *a, size_t first, size_t count)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    lehr_status st = lh_kernel_args(e->dev, e->kernels[TRANSFORM], "mmmlii", a->buf[LH_CONVW_X],
                                    a->buf[LH_CONVW_DY], a->workspace, (uint64_t)e->number[Z_AT],
                                    (int)first, (int)count);
    if (st == LEHR_OK)
        st = lh_launch_tasks(e->dev, e->kernels[TRANSFORM], lh_div_up(count, TASK_TILES), 1);
    if (st == LEHR_OK)
        st = lh_kernel_args(e->dev, e->kernels[PRODUCTS], "mllii", a->workspace,
                            (uint64_t)e->number[Z_AT], (uint64_t)e->number[SUMS_AT],
                            (int)(first == 0), (int)count);
    if (st != LEHR_OK) return st;
    return lh_launch_tasks(e->dev, e->kernels[PRODUCTS], 36, (size_t)(p->k / e->number[BLOCK]));
}

static lehr_status run_bias(lh_exec *e, const lh_args *a)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    size_t width = lh_device_traits(e->dev)->vector_width;
    lehr_status st = lh_kernel_args(e->dev, e->kernels[BIAS], "mmli", a->buf[LH_CONVW_DY],
                                    a->workspace, (uint64_t)e->number[BIAS_AT], a->n);
    if (st != LEHR_OK) return st;
    return lh_launch_tasks(e->dev, e->kernels[BIAS], (size_t)e->number[BIAS_SLOTS],
                           (size_t)p->k / width);
}

lehr_status lh_conv_filter_winograd4_cpu_run(lh_exec *e, const lh_args *a)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    size_t tiles = tiles_of(p, a->n), chunk = (size_t)e->number[CHUNK];
    lehr_status st = p->bias ? run_bias(e, a) : LEHR_OK;
    for (size_t first = 0; first < tiles && st == LEHR_OK; first += chunk)
        st = run_chunk(e, a, first, tiles - first < chunk ? tiles - first : chunk);
    if (st == LEHR_OK)
        st = lh_kernel_args(e->dev, e->kernels[WEIGHTS], "mmmlili", a->workspace,
                            a->buf[LH_CONVW_DW], p->bias ? a->buf[LH_CONVW_DBIAS] : NULL,
                            (uint64_t)e->number[SUMS_AT], 1, (uint64_t)e->number[BIAS_AT],
                            (int)e->number[BIAS_SLOTS]);
    if (st != LEHR_OK) return st;
    return lh_launch_tasks(e->dev, e->kernels[WEIGHTS], (size_t)(p->k / e->number[BLOCK]),
                           (size_t)p->c);
}
