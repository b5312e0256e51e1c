/* SPDX-License-Identifier: MIT
 *
 * GPU family: host side of gpu_winograd.cl and gpu_winograd_filter.cl: which shapes they take, and how
 * large a part of the result a work-group makes, by the device's limits on work-groups and local
 * memory. */
#include "kernels/conv/statistics.h"
#include "kernels/conv/variants.h"

#include <stdio.h>
#include <string.h>

#include "kernels/gemm/matmul.h"

enum { FILTER, CONV };                                /* exec->kernels */
enum { GRADIENT, COMBINE, BIAS_SUM };                 /* of backward filter */
enum { TILES, BLOCK, THREADS, PADDED, LOCAL };        /* exec->number */
enum { SLICE = PADDED, SUM_OFFSET = LOCAL };          /* of backward filter */
/* Slices of a filter's gradient: below MIN_SLICE tiles the second stage costs more than idle units. */
enum { MIN_SLICE = 64, MAX_SLICES = 128, GROUPS_PER_UNIT = 4 };

/* A work-group's tiles and output channels (backward filter: filters and channels), and the input channels
 * (tiles) in local memory at a time.  Best first: 32 KiB and 256 work-items, 12 KiB and 128, 8 KiB and
 * 64. */
typedef struct shape {
    int tiles, block, depth;
} shape;
static const shape shapes[] = {{32, 32, 8}, {16, 32, 4}, {16, 16, 4}};

static size_t threads(const shape *s) { return (size_t)(s->tiles * s->block / 4); }

static bool fits(const lh_traits *t, const shape *s)
{
    size_t bytes = 64 * (size_t)s->depth * (size_t)(s->tiles + s->block);
    return lh_local_size(t, threads(s)) == threads(s) && bytes <= t->local_bytes;
}

/* The first that fits; LH_COUNT when none does. */
static int first_shape(const lh_traits *t)
{
    int i = 0;
    while (i < (int)LH_COUNT(shapes) && !fits(t, &shapes[i])) i++;
    return i;
}

static size_t tiles_per_image(const lh_winograd_pass *c)
{
    return lh_div_up((size_t)c->p, 2) * lh_div_up((size_t)c->q, 2);
}

static const char *refused(const lh_conv_problem *p, const lh_winograd_pass *c, const lh_traits *t)
{
    const char *wish = lh_getenv("LEHR_WINOGRAD"), *reason = lh_needs_gpu_family(t);
    if (wish && strcmp(wish, "0") == 0) return "LEHR_WINOGRAD=0";
    if (reason) return reason;
    if (p->r != 3 || p->s != 3) return "for 3x3 filters";
    if (p->stride_h != 1 || p->stride_w != 1) return "for stride 1";
    if (first_shape(t) == (int)LH_COUNT(shapes))
        return "needs work-groups of 64 and 8 KiB of local memory";
    if (p->n * (double)tiles_per_image(c) > 2e9) return "the batch has more than 2e9 tiles";
    return NULL;
}

static const char too_full[] =
    "channels and tiles are filled up so far that it would multiply more than a direct kernel";

static const char *declines(const lh_conv_problem *p, const lh_winograd_pass *c, const lh_traits *t)
{
    const char *reason = refused(p, c, t);
    if (reason) return reason;
    size_t padded = lh_round_up((size_t)c->c, (size_t)shapes[first_shape(t)].depth);
    if (16 * padded * tiles_per_image(c) >= 9 * (size_t)c->c * (size_t)c->p * (size_t)c->q)
        return too_full;
    return NULL;
}

/* Which shape: the rule's, or what is asked for from there on. */
static const shape *choose(lh_exec *e, int rule)
{
    int values[LH_COUNT(shapes)];
    size_t count = 0;
    for (int i = rule; i < (int)LH_COUNT(shapes); i++)
        if (fits(lh_device_traits(e->dev), &shapes[i])) values[count++] = i + 1;
    return &shapes[lh_exec_tunable(e, "shape", rule + 1, values, count) - 1];
}

static lehr_status prepare(lh_exec *e, const lh_winograd_pass *c, bool bias, bool relu, bool stats)
{
    const shape *s = choose(e, first_shape(lh_device_traits(e->dev)));
    size_t padded = lh_round_up((size_t)c->c, (size_t)s->depth);
    e->number[TILES] = s->tiles;
    e->number[BLOCK] = s->block;
    e->number[THREADS] = (int64_t)threads(s);
    e->number[PADDED] = (int64_t)padded;
    e->number[LOCAL] = (int64_t)lh_local_size(lh_device_traits(e->dev), 64);
    e->workspace = 16 * padded * lh_round_up((size_t)c->k, (size_t)s->block) * sizeof(float);
    char options[400];
    snprintf(options, sizeof options,
             "-DC=%d -DH=%d -DW=%d -DK=%d -DP=%d -DQ=%d -DPT=%d -DPL=%d -DCP=%d -DTILES=%d -DBLOCK=%d "
             "-DDEPTH=%d -DTILES_H=%d -DTILES_W=%d -DBIAS=%d -DRELU=%d -DSTATS=%d "
             "-DLOCAL=%d",
             c->c, c->h, c->w, c->k, c->p, c->q, c->pad_top, c->pad_left, (int)padded, s->tiles,
             s->block, s->depth, (c->p + 1) / 2, (c->q + 1) / 2, bias, relu, stats, (int)e->number[LOCAL]);
    if (stats) e->number[LH_STATS_PER] = 4 * s->tiles;
    lehr_status st =
        lh_exec_kernel(e, FILTER, "conv/gpu_winograd.cl", "winograd2_filter", "%s", options);
    if (st != LEHR_OK) return st;
    return lh_exec_kernel(e, CONV, "conv/gpu_winograd.cl", "winograd2_conv", "%s", options);
}

static lehr_status run(lh_exec *e, const lh_winograd_pass *c, const lh_args *a, cl_mem in, cl_mem w,
                       cl_mem bias, cl_mem out)
{
    size_t tiles = (size_t)a->n * tiles_per_image(c), group = (size_t)e->number[THREADS];
    size_t blocks = lh_div_up((size_t)c->k, (size_t)e->number[BLOCK]);
    lehr_status st = lh_kernel_args(e->dev, e->kernels[FILTER], "mmiii", w, a->workspace,
                                    c->out_step, c->in_step, c->flip);
    if (st == LEHR_OK)
        st = lh_launch_1d(e->dev, e->kernels[FILTER],
                          blocks * (size_t)(e->number[PADDED] * e->number[BLOCK]),
                          (size_t)e->number[LOCAL]);
    if (st == LEHR_OK)
        st = lh_kernel_args(e->dev, e->kernels[CONV], "mmmmiml", in, a->workspace, bias, out, (int)tiles,
                            a->workspace, (uint64_t)e->number[LH_STATS_AT]);
    const size_t local[2] = {group, 1};
    const size_t global[2] = {lh_div_up(tiles, (size_t)e->number[TILES]) * group, blocks};
    return st != LEHR_OK ? st : lh_launch(e->dev, e->kernels[CONV], 2, global, local);
}

const char *lh_conv_forward_gpu_winograd2_declines(const void *problem, const lh_traits *traits)
{
    lh_winograd_pass c = lh_winograd_forward(problem);
    return declines(problem, &c, traits);
}

lehr_status lh_conv_forward_gpu_winograd2_prepare(lh_exec *e)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    lh_winograd_pass c = lh_winograd_forward(p);
    bool even = p->p % 2 == 0 && p->q % 2 == 0; /* all tiles have four pixels */
    return prepare(e, &c, p->bias, p->act == LH_ACT_RELU, p->stats && even);
}

lehr_status lh_conv_forward_gpu_winograd2_run(lh_exec *e, const lh_args *a)
{
    lh_winograd_pass c = lh_winograd_forward(lh_exec_problem(e));
    return run(e, &c, a, a->buf[LH_CONVF_X], a->buf[LH_CONVF_W], a->buf[LH_CONVF_BIAS],
               a->buf[LH_CONVF_Y]);
}

const char *lh_conv_data_gpu_winograd2_declines(const void *problem, const lh_traits *traits)
{
    lh_winograd_pass c = lh_winograd_data(problem);
    return declines(problem, &c, traits);
}

lehr_status lh_conv_data_gpu_winograd2_prepare(lh_exec *e)
{
    lh_winograd_pass c = lh_winograd_data(lh_exec_problem(e));
    return prepare(e, &c, false, false, false);
}

lehr_status lh_conv_data_gpu_winograd2_run(lh_exec *e, const lh_args *a)
{
    lh_winograd_pass c = lh_winograd_data(lh_exec_problem(e));
    return run(e, &c, a, a->buf[LH_CONVD_DY], a->buf[LH_CONVD_W], NULL, a->buf[LH_CONVD_DX]);
}

/* ---- backward filter ---- */

/* The first shape that fits and multiplies less than a direct kernel; LH_COUNT when none does. */
static int filter_shape(const lh_conv_problem *p, const lh_winograd_pass *c, const lh_traits *t)
{
    int i = first_shape(t);
    for (; i < (int)LH_COUNT(shapes); i++) {
        double filled = (double)lh_round_up((size_t)p->k, (size_t)shapes[i].tiles) *
                        (double)lh_round_up((size_t)p->c, (size_t)shapes[i].block);
        if (fits(t, &shapes[i]) &&
            16 * filled * (double)tiles_per_image(c) < 9.0 * p->k * p->c * p->p * p->q)
            break;
    }
    return i;
}

const char *lh_conv_filter_gpu_winograd2_declines(const void *problem, const lh_traits *traits)
{
    lh_winograd_pass c = lh_winograd_forward(problem);
    const char *reason = refused(problem, &c, traits);
    if (reason) return reason;
    return filter_shape(problem, &c, traits) == (int)LH_COUNT(shapes) ? too_full : NULL;
}

/* Tiles of a slice, so that the work-groups fill the device. */
static size_t slice_length(const lh_traits *t, const shape *s, const lh_conv_problem *p, size_t tiles)
{
    size_t groups = lh_div_up((size_t)p->k, (size_t)s->tiles) * lh_div_up((size_t)p->c, (size_t)s->block);
    size_t want = lh_div_up((size_t)t->compute_units * GROUPS_PER_UNIT, groups), most = tiles / MIN_SLICE;
    if (most > MAX_SLICES) most = MAX_SLICES;
    if (want > most) want = most;
    return lh_round_up(lh_div_up(tiles, want ? want : 1), (size_t)s->depth);
}

lehr_status lh_conv_filter_gpu_winograd2_prepare(lh_exec *e)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    lh_winograd_pass c = lh_winograd_forward(p);
    const shape *s = choose(e, filter_shape(p, &c, lh_device_traits(e->dev)));
    size_t tiles = (size_t)p->n * tiles_per_image(&c);
    size_t slice = slice_length(lh_device_traits(e->dev), s, p, tiles);
    e->number[TILES] = s->tiles;
    e->number[BLOCK] = s->block;
    e->number[THREADS] = (int64_t)threads(s);
    e->number[SLICE] = (int64_t)slice;
    e->workspace = lh_div_up(tiles, slice) * lh_conv_w_count(p) * sizeof(float);
    e->number[SUM_OFFSET] = (int64_t)e->workspace;
    lehr_status st = lh_exec_kernel(
        e, GRADIENT, "conv/gpu_winograd_filter.cl", "winograd2_gradient",
        "-DC=%d -DH=%d -DW=%d -DK=%d -DP=%d -DQ=%d -DPT=%d -DPL=%d -DROW_BLOCK=%d -DCOL_BLOCK=%d "
        "-DDEPTH=%d -DTILES_H=%d -DTILES_W=%d",
        p->c, p->h, p->w, p->k, p->p, p->q, p->pad_top, p->pad_left, s->tiles, s->block, s->depth,
        (p->p + 1) / 2, (p->q + 1) / 2);
    if (st == LEHR_OK) st = lh_gpu_combine_prepare(e, COMBINE);
    if (st != LEHR_OK || !p->bias) return st;
    e->workspace += lh_column_sum_workspace((size_t)p->n * (size_t)p->p * (size_t)p->q, p->k);
    return lh_column_sum_prepare(e, BIAS_SUM);
}

lehr_status lh_conv_filter_gpu_winograd2_run(lh_exec *e, const lh_args *a)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    lh_winograd_pass c = lh_winograd_forward(p);
    size_t tiles = (size_t)a->n * tiles_per_image(&c), slice = (size_t)e->number[SLICE];
    size_t slices = lh_div_up(tiles, slice), group = (size_t)e->number[THREADS];
    lehr_status st = lh_kernel_args(e->dev, e->kernels[GRADIENT], "mmmii", a->buf[LH_CONVW_X],
                                    a->buf[LH_CONVW_DY], a->workspace, (int)tiles, (int)slice);
    const size_t local[3] = {group, 1, 1};
    const size_t global[3] = {lh_div_up((size_t)p->c, (size_t)e->number[BLOCK]) * group,
                              lh_div_up((size_t)p->k, (size_t)e->number[TILES]), slices};
    if (st == LEHR_OK) st = lh_launch(e->dev, e->kernels[GRADIENT], 3, global, local);
    if (st == LEHR_OK) st = lh_gpu_combine_run(e, COMBINE, a, slices);
    if (st != LEHR_OK || !p->bias) return st;
    return lh_column_sum_run(e, BIAS_SUM, a->buf[LH_CONVW_DY], (size_t)a->n * (size_t)p->p * (size_t)p->q,
                             p->k, a->buf[LH_CONVW_DBIAS], a->workspace, (size_t)e->number[SUM_OFFSET]);
}
