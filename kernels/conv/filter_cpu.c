/* SPDX-License-Identifier: MIT
 *
 * Host side of filter_cpu.cl: tile height by the patch, size of a unit of work, number of slots. */
#include "kernels/conv/variants.h"

#include <stdio.h>

enum { PARTIAL, REDUCE };                                                  /* exec->kernels */
enum { BLOCK, SLOTS, STAGED_FLOATS, BLOCK_FLOATS, BIAS_AT };               /* exec->number */
enum { STAGED_WISH = 192 * 1024 /* bytes */, PIXELS_WISH = 256, MAX_ROWS = 9 };
/* Tasks = slots x blocks: enough for the largest CPUs, few enough that partial sums stay cheap. */
enum { TASKS_WISH = 64, LEAST_SLOTS = 4, MOST_SLOTS = 32 };

typedef struct plan {
    int width, vectors, rows; /* register tile */
    int band, images;         /* a unit: output rows of how many images */
    bool stage_dy;            /* copy the block's channels of dy to local memory first */
} plan;

static size_t staged_floats(const lh_conv_problem *p, int band, int images)
{
    size_t rows = (size_t)((band - 1) * p->stride_h + p->r);
    return (size_t)images * rows * (size_t)((p->q - 1) * p->stride_w + p->s) * (size_t)p->c;
}

/* Bytes of local memory with a margin for the tail of the last tile and the bias sums. */
static size_t local_bytes(const lh_conv_problem *p, int band, int images, int block)
{
    size_t dy = (size_t)images * (size_t)(band * p->q) * (size_t)block;
    return (staged_floats(p, band, images) + dy + 16 + (size_t)block) * sizeof(float);
}

/* Rows of a tile: the count that wastes least of a patch of S*C elements, large first. */
static int tile_rows(int patch, int most)
{
    int best = most;
    for (int rows = most, waste = patch; rows >= 4; rows--) {
        int wasted = (patch + rows - 1) / rows * rows - patch;
        if (rows == 8 && wasted == 0) return 8;
        if (wasted < waste) {
            waste = wasted;
            best = rows;
        }
    }
    return best;
}

static plan make_plan(const lh_conv_problem *p, const lh_traits *t)
{
    plan a = {.width = (int)t->vector_width, .band = 1, .images = 1};
    a.vectors = p->k <= a.width || (p->k % (2 * a.width) != 0 && p->k < 3 * a.width) ? 1 : 2;
    a.rows = tile_rows(p->s * p->c, a.width >= 16 ? MAX_ROWS : 6);
    /* Positions far apart share few cache sets; partial blocks must be padded. */
    a.stage_dy = p->k > 64 || p->k % (a.vectors * a.width) != 0;
    size_t limit = t->local_bytes < STAGED_WISH ? t->local_bytes : STAGED_WISH;
    int block = a.vectors * a.width;
    while (a.band < p->p && a.band * p->q < PIXELS_WISH &&
           local_bytes(p, a.band + 1, 1, block) <= limit)
        a.band++;
    while (a.band == p->p && a.images < p->n && a.images * p->p * p->q < PIXELS_WISH &&
           local_bytes(p, a.band, a.images + 1, block) <= limit)
        a.images++;
    return a;
}

static int64_t count_slots(const lh_conv_problem *p, const plan *a, size_t blocks)
{
    size_t bands = lh_div_up((size_t)p->p, (size_t)a->band);
    size_t units = lh_div_up((size_t)p->n, (size_t)a->images) * bands;
    size_t slots = lh_div_up(TASKS_WISH, blocks);
    if (slots < LEAST_SLOTS) slots = LEAST_SLOTS;
    if (slots > MOST_SLOTS) slots = MOST_SLOTS;
    return (int64_t)(slots < units ? slots : units);
}

const char *lh_conv_filter_direct_cpu_declines(const void *problem, const lh_traits *traits)
{
    const lh_conv_problem *p = problem;
    const char *reason = lh_needs_cpu_family(traits);
    if (reason) return reason;
    bool fits = local_bytes(p, 1, 1, 2 * (int)traits->vector_width) <= traits->local_bytes;
    return fits ? NULL : "one row of the input exceeds local memory";
}

lehr_status lh_conv_filter_direct_cpu_prepare(lh_exec *e)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    plan a = make_plan(p, lh_device_traits(e->dev));
    int block = a.vectors * a.width;
    size_t blocks = lh_div_up((size_t)p->k, (size_t)block);
    size_t patch = lh_round_up((size_t)(p->s * p->c), (size_t)a.rows);
    size_t slots = (size_t)count_slots(p, &a, blocks);
    size_t sums = slots * blocks * (size_t)block;
    e->number[BLOCK] = block;
    e->number[SLOTS] = (int64_t)slots;
    e->number[STAGED_FLOATS] = (int64_t)staged_floats(p, a.band, a.images) + 16;
    e->number[BLOCK_FLOATS] = a.stage_dy ? (int64_t)a.images * a.band * p->q * block : 1;
    e->number[BIAS_AT] = (int64_t)(sums * (size_t)p->r * patch);
    e->workspace = ((size_t)e->number[BIAS_AT] + sums) * sizeof(float);
    char options[400];
    snprintf(options, sizeof options,
             "-DVW=%d -DNV=%d -DROWS=%d -DC=%d -DH=%d -DW=%d -DK=%d -DR=%d -DS=%d -DP=%d -DQ=%d "
             "-DSH=%d -DSW=%d -DPT=%d -DPL=%d -DBAND=%d -DIMAGES=%d -DBIAS=%d -DSTAGE_DY=%d",
             a.width, a.vectors, a.rows, p->c, p->h, p->w, p->k, p->r, p->s, p->p, p->q,
             p->stride_h, p->stride_w, p->pad_top, p->pad_left, a.band, a.images, p->bias,
             a.stage_dy);
    lehr_status st =
        lh_exec_kernel(e, PARTIAL, "conv/filter_cpu.cl", "filter_partial", "%s", options);
    if (st != LEHR_OK) return st;
    return lh_exec_kernel(e, REDUCE, "conv/filter_cpu.cl", "filter_reduce", "%s", options);
}

lehr_status lh_conv_filter_direct_cpu_run(lh_exec *e, const lh_args *a)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    size_t blocks = lh_div_up((size_t)p->k, (size_t)e->number[BLOCK]);
    lehr_status st = lh_kernel_args(
        e->dev, e->kernels[PARTIAL], "mmmliLLL", a->buf[LH_CONVW_X], a->buf[LH_CONVW_DY],
        a->workspace, (uint64_t)e->number[BIAS_AT], a->n,
        (size_t)e->number[STAGED_FLOATS] * sizeof(float),
        (size_t)e->number[BLOCK_FLOATS] * sizeof(float), (size_t)e->number[BLOCK] * sizeof(float));
    if (st == LEHR_OK)
        st = lh_launch_tasks(e->dev, e->kernels[PARTIAL], (size_t)e->number[SLOTS], blocks);
    if (st == LEHR_OK)
        st = lh_kernel_args(e->dev, e->kernels[REDUCE], "mmmli", a->workspace,
                            a->buf[LH_CONVW_DW], p->bias ? a->buf[LH_CONVW_DBIAS] : NULL,
                            (uint64_t)e->number[BIAS_AT], (int)e->number[SLOTS]);
    return st != LEHR_OK ? st : lh_launch_tasks(e->dev, e->kernels[REDUCE], blocks, (size_t)p->c);
}
