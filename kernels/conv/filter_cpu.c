/* SPDX-License-Identifier: MIT
 *
 * Host side of filter_cpu.cl: tile height by the patch, size of a unit of work, number of slots. */
#include "kernels/conv/variants.h"

#include <stdio.h>

enum { PARTIAL, REDUCE };                                                    /* exec->kernels */
enum { BLOCK, IMAGES, BANDS, SLOTS, SHARES, STAGED_FLOATS, BLOCK_FLOATS, BIAS_AT, CHUNK }; /* ->number */
enum { STAGED_WISH = 192 * 1024 /* bytes */, MAX_ROWS = 9, WHOLE_ROWS = 27, REDUCE_WISH = 8192 };
/* Tasks = slots x shares: enough for the largest CPUs, few enough that partial sums (bytes of all slots) stay
 * cheap. */
enum { TASKS_WISH = 64, LEAST_SLOTS = 4, MOST_SLOTS = 32, SUMS_WISH = 4 * 1024 * 1024 };

typedef struct plan {
    int width, vectors, rows; /* register tile */
    int band, images;         /* a unit: output rows of how many images */
    bool stage_dy;            /* copy the block's channels of dy to local memory first */
    bool in_place;            /* read x where it lies */
} plan;

static int block_of(const plan *a) { return a->vectors * a->width; }

static size_t blocks_of(const lh_conv_problem *p, const plan *a)
{
    return lh_div_up((size_t)p->k, (size_t)block_of(a));
}

static bool pointwise(const lh_conv_problem *p) { return p->r == 1 && p->s == 1; }

/* Elements of a filter row, with those that fill its last tile. */
static size_t patch_of(const lh_conv_problem *p, const plan *a)
{
    size_t row = (size_t)(p->s * p->c);
    return a->rows == WHOLE_ROWS ? row : lh_round_up(row, (size_t)a->rows);
}

/* Of a 1x1 filter with many output channels the channels of x lie in pieces of a tile or two, each with all
 * positions, so that many positions of a piece fit into the first cache. */
static bool in_pieces(const lh_conv_problem *p)
{
    return pointwise(p) && p->stride_h == 1 && p->stride_w == 1 && p->k >= 128 && p->k > p->c;
}

static size_t staged_floats(const lh_conv_problem *p, const plan *a, int band, int images)
{
    size_t positions = (size_t)images * (size_t)(band * p->q);
    size_t patch = patch_of(p, a);
    if (in_pieces(p)) {
        size_t piece = (size_t)(a->width % a->rows == 0 ? a->width : a->rows);
        return lh_div_up(patch, piece) * (positions * piece + 16);
    }
    if (pointwise(p)) return positions * (lh_div_up(patch, 16) | 1) * 16 + 16;
    size_t rows = (size_t)((band - 1) * p->stride_h + p->r);
    return (size_t)images * rows * (size_t)((p->q - 1) * p->stride_w + p->s) * (size_t)p->c;
}

/* Bytes of local memory with a margin for the tail of the last tile and the bias sums. */
static size_t local_bytes(const lh_conv_problem *p, const plan *a, int band, int images)
{
    size_t dy = a->stage_dy ? (size_t)images * (size_t)(band * p->q * block_of(a)) : 1;
    size_t x = a->in_place ? 1 : staged_floats(p, a, band, images);
    return (x + dy + 16 + blocks_of(p, a) * (size_t)block_of(a)) * sizeof(float);
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

/* Two vectors of channels unless that would waste half a block of them. */
static int vectors_per_row(int channels, int width)
{
    int vectors = (channels + width - 1) / width;
    return vectors == 1 || (vectors % 2 == 1 && vectors < 7) ? 1 : 2;
}

static bool no_padding(const lh_conv_problem *p)
{
    return p->pad_top == 0 && p->pad_left == 0 && (p->p - 1) * p->stride_h + p->r <= p->h &&
           (p->q - 1) * p->stride_w + p->s <= p->w;
}

static bool first_layer(const lh_conv_problem *p)
{
    return p->r == 3 && p->s == 3 && p->c == 3 && p->k >= 16;
}

/* Whether one tile holds the filter of a first layer for a vector of output channels: then dy is loaded
 * once. */
static bool whole_filter(const lh_conv_problem *p, const lh_traits *t)
{
    return t->vector_width >= 16 && first_layer(p);
}

/* Positions of a unit: the pixels that its tiles go over again and again should stay in the first cache,
 * and more of them at a time mean fewer loads and stores of sums. */
static int positions_wish(const lh_conv_problem *p)
{
    if (pointwise(p)) return in_pieces(p) ? 128 : 32;
    if (first_layer(p) && p->k < 32) return 256;
    return p->stride_h > 1 || p->stride_w > 1 ? 64 : 128;
}

static plan make_plan(const lh_conv_problem *p, const lh_traits *t, int positions)
{
    plan a = {.width = (int)t->vector_width, .band = 1, .images = 1};
    a.vectors = vectors_per_row(p->k, a.width);
    a.rows = tile_rows(p->s * p->c, a.width >= 16 ? MAX_ROWS : 6);
    if (whole_filter(p, t)) {
        a.rows = WHOLE_ROWS;
        a.vectors = 1;
    }
    a.in_place = !pointwise(p) && no_padding(p) && patch_of(p, &a) == (size_t)(p->s * p->c);
    /* Positions far apart share few cache sets; partial blocks must be padded. */
    a.stage_dy = (p->k > 64 && !in_pieces(p)) || p->k % block_of(&a) != 0;
    size_t limit = t->local_bytes < STAGED_WISH ? t->local_bytes : STAGED_WISH;
    while (a.band < p->p && a.band * p->q < positions &&
           local_bytes(p, &a, a.band + 1, 1) <= limit)
        a.band++;
    while (a.band == p->p && a.images < p->n && a.images * p->p * p->q < positions &&
           local_bytes(p, &a, a.band, a.images + 1) <= limit)
        a.images++;
    return a;
}

/* One task for a slot and block; where little is multiplied with what is read (1x1, a first layer), tasks
 * take several blocks. */
static void count_tasks(lh_exec *e, const lh_conv_problem *p, const plan *a)
{
    size_t bands = lh_div_up((size_t)p->p, (size_t)a->band), blocks = blocks_of(p, a);
    size_t units = lh_div_up((size_t)p->n, (size_t)a->images) * bands;
    size_t slots = pointwise(p) ? units / 4 : lh_div_up(TASKS_WISH, blocks);
    if (slots < LEAST_SLOTS) slots = LEAST_SLOTS;
    if (slots > MOST_SLOTS) slots = MOST_SLOTS;
    size_t sums = (size_t)p->r * patch_of(p, a) * blocks * (size_t)block_of(a) * sizeof(float);
    while (slots > LEAST_SLOTS && slots * sums > SUMS_WISH) slots /= 2;
    if (slots > units) slots = units;
    size_t shares = lh_div_up(TASKS_WISH, slots);
    if (pointwise(p) || p->c < 8) shares = blocks < 8 ? 1 : 2;
    e->number[IMAGES] = a->images;
    e->number[BANDS] = (int64_t)bands;
    e->number[SLOTS] = (int64_t)slots;
    e->number[SHARES] = (int64_t)(shares < blocks ? shares : blocks);
}

const char *lh_conv_filter_direct_cpu_declines(const void *problem, const lh_traits *traits)
{
    const lh_conv_problem *p = problem;
    const char *reason = lh_needs_cpu_family(traits);
    if (reason) return reason;
    plan a = make_plan(p, traits, 1);
    bool fits = local_bytes(p, &a, 1, 1) <= traits->local_bytes;
    return fits ? NULL : "one row of the input exceeds local memory";
}

lehr_status lh_conv_filter_direct_cpu_prepare(lh_exec *e)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    int positions = LH_TUNABLE(e, "positions", positions_wish(p), 32, 64, 128, 256);
    plan a = make_plan(p, lh_device_traits(e->dev), positions);
    int block = block_of(&a), taps = p->r * p->s;
    size_t blocks = blocks_of(p, &a), patch = patch_of(p, &a);
    count_tasks(e, p, &a);
    size_t sums = (size_t)e->number[SLOTS] * blocks * (size_t)block;
    e->number[BLOCK] = block;
    e->number[STAGED_FLOATS] = a.in_place ? 16 : (int64_t)staged_floats(p, &a, a.band, a.images) + 16;
    e->number[BLOCK_FLOATS] = a.stage_dy ? (int64_t)a.images * a.band * p->q * block : 1;
    e->number[BIAS_AT] = (int64_t)(sums * (size_t)p->r * patch);
    e->number[CHUNK] = REDUCE_WISH / (taps * block) ? REDUCE_WISH / (taps * block) : 1;
    e->workspace = ((size_t)e->number[BIAS_AT] + sums) * sizeof(float);
    char options[400];
    snprintf(options, sizeof options,
             "-DVW=%d -DNV=%d -DROWS=%d -DC=%d -DH=%d -DW=%d -DK=%d -DR=%d -DS=%d -DP=%d -DQ=%d "
             "-DSH=%d -DSW=%d -DPT=%d -DPL=%d -DBAND=%d -DIMAGES=%d -DBIAS=%d -DSTAGE_DY=%d "
             "-DIN_PLACE=%d -DPIECES=%d",
             a.width, a.vectors, a.rows, p->c, p->h, p->w, p->k, p->r, p->s, p->p, p->q,
             p->stride_h, p->stride_w, p->pad_top, p->pad_left, a.band, a.images, p->bias,
             a.stage_dy, a.in_place, in_pieces(p));
    lehr_status st =
        lh_exec_kernel(e, PARTIAL, "conv/filter_cpu.cl", "filter_partial", "%s", options);
    if (st != LEHR_OK) return st;
    return lh_exec_kernel(e, REDUCE, "conv/filter_cpu.cl", "filter_reduce", "%s", options);
}

lehr_status lh_conv_filter_direct_cpu_run(lh_exec *e, const lh_args *a)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    size_t block = (size_t)e->number[BLOCK], blocks = lh_div_up((size_t)p->k, block);
    /* Every slot has a unit, in which it begins its sums. */
    size_t units = lh_div_up((size_t)a->n, (size_t)e->number[IMAGES]) * (size_t)e->number[BANDS];
    size_t slots = (size_t)e->number[SLOTS] < units ? (size_t)e->number[SLOTS] : units;
    lehr_status st = lh_kernel_args(
        e->dev, e->kernels[PARTIAL], "mmmliLLL", a->buf[LH_CONVW_X], a->buf[LH_CONVW_DY],
        a->workspace, (uint64_t)e->number[BIAS_AT], a->n,
        (size_t)e->number[STAGED_FLOATS] * sizeof(float),
        (size_t)e->number[BLOCK_FLOATS] * sizeof(float), blocks * block * sizeof(float));
    if (st == LEHR_OK)
        st = lh_launch_tasks(e->dev, e->kernels[PARTIAL], slots, (size_t)e->number[SHARES]);
    if (st == LEHR_OK)
        st = lh_kernel_args(e->dev, e->kernels[REDUCE], "mmmlii", a->workspace,
                            a->buf[LH_CONVW_DW], p->bias ? a->buf[LH_CONVW_DBIAS] : NULL,
                            (uint64_t)e->number[BIAS_AT], (int)slots,
                            (int)e->number[CHUNK]);
    return st != LEHR_OK ? st : lh_launch_tasks(e->dev, e->kernels[REDUCE], blocks,
                                                lh_div_up((size_t)p->c, (size_t)e->number[CHUNK]));
}
