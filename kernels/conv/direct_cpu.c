/* SPDX-License-Identifier: MIT
 *
 * Host side of direct_cpu.cl: forward and backward data as one kind of pass, the tile of pixels, how
 * many rows a task stages. */
#include "kernels/conv/pooled.h"
#include "kernels/conv/variants.h"
#include "kernels/stream.h"

#include <stdio.h>

enum { PACK, CONV };                                  /* exec->kernels */
enum { BAND, BLOCK, STAGED_BYTES, CHUNK };            /* exec->number */
enum { STAGED_WISH_KB = 128 };
enum { TASKS_WISH = 64 };                             /* enough to keep any CPU busy */
enum { PACK_WISH = 8192, UNROLL_MOST = 12 };          /* weights of a task; steps of a tap row */

/* One dimension of a convolution as the kernel sees it, forward or backward data. */
typedef struct axis {
    int in, out;
    int stride, out_stride; /* of input and output per grid step; out_stride classes of outputs */
    int filter, pad;
    int grid;               /* of the largest class */
    int low, span;          /* the inputs that grid step i meets: stride * i + low, span of them */
} axis;

typedef struct pass {
    axis h, w;
    int in_c, out_c;
    int weight_out, weight_in; /* distance in w of one output, one input channel */
    bool transposed, relu;
    bool pool, where; /* in registers: h.out and w.out are even */
} pass;

static axis forward_axis(int in, int out, int stride, int filter, int pad)
{
    return (axis){in, out, stride, 1, filter, pad, out, -pad, filter};
}

/* Outputs h = offset + stride * i of class `offset` meet the filter rows
 * r = (offset + pad) % stride + stride * t, at input row (h + pad - r) / stride. */
static axis data_axis(int in, int out, int stride, int filter, int pad)
{
    axis a = {in, out, 1, stride, filter, pad, (out + stride - 1) / stride, 0, 0};
    int low = INT32_MAX, high = INT32_MIN;
    for (int offset = 0; offset < stride; offset++) {
        int least = (offset + pad) % stride, last = (offset + pad) / stride;
        int taps = least < filter ? (filter - least + stride - 1) / stride : 0;
        if (taps == 0 || offset >= out) continue;
        if (last - (taps - 1) < low) low = last - (taps - 1);
        if (last > high) high = last;
    }
    if (low > high) low = high = 0; /* no output meets the filter */
    a.low = low;
    a.span = high - low + 1;
    return a;
}

static size_t staged_bytes(const pass *c, int band)
{
    size_t rows = (size_t)((band - 1) * c->h.stride + c->h.span);
    size_t cols = (size_t)((c->w.grid - 1) * c->w.stride + c->w.span);
    return (rows * cols * (size_t)c->in_c + 16) * sizeof(float);
}

/* Pooling in registers takes the outputs of whole windows only, two rows at a time. */
static pass forward_pass(const lh_conv_problem *p, const lh_traits *t)
{
    int rows = p->pool ? p->p - p->p % 2 : p->p, cols = p->pool ? p->q - p->q % 2 : p->q;
    pass c = {.h = forward_axis(p->h, rows, p->stride_h, p->r, p->pad_top),
              .w = forward_axis(p->w, cols, p->stride_w, p->s, p->pad_left), .in_c = p->c,
              .out_c = p->k, .weight_out = p->c * p->r * p->s, .weight_in = p->r * p->s,
              .relu = p->act == LH_ACT_RELU, .pool = p->pool, .where = p->where};
    if (!p->pool || staged_bytes(&c, 2) <= t->local_bytes) return c;
    c.h.out = c.h.grid = p->p;
    c.w.out = c.w.grid = p->q;
    c.pool = c.where = false;
    return c;
}

static pass data_pass(const lh_conv_problem *p)
{
    return (pass){data_axis(p->p, p->h, p->stride_h, p->r, p->pad_top),
                  data_axis(p->q, p->w, p->stride_w, p->s, p->pad_left),
                  p->k, p->c, p->r * p->s, p->c * p->r * p->s, true, false, false, false};
}

/* Few channels are done faster by shorter vectors than by long ones of which half is empty. */
static int width_for(int channels, int width)
{
    while (width > 4 && channels <= width / 2) width /= 2;
    return width;
}

/* Two vectors per pixel unless that would waste half a block of channels. */
static int vectors_per_row(int channels, int width)
{
    int vectors = (channels + width - 1) / width;
    return vectors == 1 || (vectors % 2 == 1 && vectors < 7) ? 1 : 2;
}

/* Columns of a tile of `rows` pixels whose places are known when the kernel is built: a part of a grid
 * row, or several whole rows; 0 when neither divides the grid. */
static int tile_cols(const pass *c, int rows)
{
    int grid = c->w.grid;
    if (c->w.out % c->w.out_stride != 0) return 0;
    if (c->pool) return rows % 4 == 0 && grid % (rows / 2) == 0 ? rows / 2 : 0;
    if (grid % rows == 0) return rows;
    bool whole_rows = rows % grid == 0 && c->h.out % (c->h.out_stride * (rows / grid)) == 0;
    return whole_rows ? grid : 0;
}

/* As many as the registers hold, fewer where that divides the grid. */
static int tile_rows(const pass *c, int width)
{
    static const int wide[] = {8, 9, 7, 6, 5, 4}, narrow[] = {6, 5, 4}, pooled[] = {12, 8, 4};
    const int *counts = width < 16 ? narrow : c->pool ? pooled : wide;
    size_t count = width < 16 ? LH_COUNT(narrow) : c->pool ? LH_COUNT(pooled) : LH_COUNT(wide);
    for (size_t i = 0; i < count; i++)
        if (tile_cols(c, counts[i])) return counts[i];
    return counts[0];
}

/* Whether no output meets padding. */
static bool in_place(const pass *c)
{
    return c->h.low >= 0 && c->w.low >= 0 &&
           (c->h.grid - 1) * c->h.stride + c->h.low + c->h.span <= c->h.in &&
           (c->w.grid - 1) * c->w.stride + c->w.low + c->w.span <= c->w.in;
}

/* Whether the output of the largest batch goes past the caches. */
static bool streams(const lh_exec *e, const pass *c)
{
    size_t pixels = (size_t)c->h.out * (size_t)c->w.out * (size_t)e->op->batch(e->problem);
    size_t width = lh_device_traits(e->dev)->vector_width, channels = (size_t)c->out_c;
    return channels % width == 0 && pixels * channels * sizeof(float) >= LH_PAST_CACHES;
}

static const char *declines(const pass *c, const lh_traits *t)
{
    const char *reason = lh_needs_cpu_family(t);
    if (reason) return reason;
    return staged_bytes(c, 1) > t->local_bytes ? "one row of the input exceeds local memory" : NULL;
}

/* Grid rows of a task: bands of about equal height, multiples of `unit`. */
static int choose_band(const pass *c, int unit, size_t limit)
{
    int band = unit;
    while (band < c->h.grid && staged_bytes(c, band + unit) <= limit) band += unit;
    size_t bands = lh_div_up((size_t)c->h.grid, (size_t)band);
    return (int)lh_round_up(lh_div_up((size_t)c->h.grid, bands), (size_t)unit);
}

static int choose_rows(lh_exec *e, const pass *c, int width)
{
    static const int all[] = {4, 6, 8, 12};
    int values[LH_COUNT(all)];
    size_t count = 0;
    for (size_t i = 0; i < LH_COUNT(all); i++)
        if (!c->pool || tile_cols(c, all[i])) values[count++] = all[i];
    return lh_exec_tunable(e, "rows", tile_rows(c, width), values, count);
}

static lehr_status prepare(lh_exec *e, const pass *c)
{
    const lh_traits *t = lh_device_traits(e->dev);
    int width = width_for(c->out_c, (int)t->vector_width);
    int vectors = LH_TUNABLE(e, "nv", vectors_per_row(c->out_c, width), 1, 2);
    int rows = choose_rows(e, c, (int)t->vector_width);
    int cols = tile_cols(c, rows);
    size_t wish = (size_t)LH_TUNABLE(e, "staged", STAGED_WISH_KB, 32, 64, 128, 256) * 1024;
    if (cols && staged_bytes(c, rows / cols) > t->local_bytes) cols = 0;
    int band = choose_band(c, cols ? rows / cols : 1, wish < t->local_bytes ? wish : t->local_bytes);
    int run = c->w.filter * c->in_c, taps = c->h.filter * c->w.filter, block = vectors * width;
    e->number[BAND] = band;
    e->number[BLOCK] = block;
    e->number[STAGED_BYTES] = in_place(c) ? 64 : (int64_t)staged_bytes(c, band);
    e->number[CHUNK] = PACK_WISH / (taps * block) ? PACK_WISH / (taps * block) : 1;
    /* The packed weights, then the bias. */
    e->workspace = lh_round_up((size_t)c->out_c, (size_t)block) * sizeof(float) *
                   ((size_t)c->in_c * (size_t)taps + 1);
    e->number[LH_CONV_POOLS] = c->pool;
    char options[500];
    snprintf(options, sizeof options,
             "-DVW=%d -DNV=%d -DROWS=%d -DTC=%d -DC=%d -DH=%d -DW=%d -DK=%d -DOH=%d -DOW=%d -DR=%d "
             "-DS=%d -DSH=%d -DSW=%d -DOSH=%d -DOSW=%d -DPT=%d -DPL=%d -DGRID_H=%d -DGRID_W=%d "
             "-DLO_H=%d -DLO_W=%d -DSPAN_H=%d -DSPAN_W=%d -DBAND=%d -DTRANSPOSED=%d -DRELU=%d "
             "-DUNROLL=%d -DSTREAM=%d -DIN_PLACE=%d -DPOOL=%d -DWHERE=%d",
             width, vectors, rows, cols, c->in_c, c->h.in, c->w.in, c->out_c, c->h.out, c->w.out,
             c->h.filter, c->w.filter, c->h.stride, c->w.stride, c->h.out_stride, c->w.out_stride,
             c->h.pad, c->w.pad, c->h.grid, c->w.grid, c->h.low, c->w.low, c->h.span, c->w.span, band,
             c->transposed, c->relu, !c->transposed && run <= UNROLL_MOST, streams(e, c),
             in_place(c), c->pool, c->where);
    lehr_status st = lh_exec_kernel(e, PACK, "conv/direct_cpu.cl", "pack", "%s", options);
    if (st != LEHR_OK) return st;
    return lh_exec_kernel(e, CONV, "conv/direct_cpu.cl", "conv_direct", "%s", options);
}

static lehr_status launch(lh_exec *e, const pass *c, const lh_args *a, cl_mem in, cl_mem w, cl_mem bias,
                       cl_mem out, cl_mem where)
{
    size_t blocks = lh_div_up((size_t)c->out_c, (size_t)e->number[BLOCK]);
    size_t chunk = (size_t)e->number[CHUNK];
    lehr_status st = lh_kernel_args(e->dev, e->kernels[PACK], "mmmiii", w, bias, a->workspace,
                                    c->weight_out, c->weight_in, (int)chunk);
    if (st == LEHR_OK)
        st = lh_launch_tasks(e->dev, e->kernels[PACK], blocks, lh_div_up((size_t)c->in_c, chunk));
    if (st != LEHR_OK) return st;
    size_t bands = lh_div_up((size_t)c->h.grid, (size_t)e->number[BAND]);
    size_t tasks = (size_t)a->n * bands, shares = lh_div_up(TASKS_WISH, tasks);
    if (shares > blocks) shares = blocks;
    st = lh_kernel_args(e->dev, e->kernels[CONV], "mmmmLi", in, a->workspace, out, where,
                        (size_t)e->number[STAGED_BYTES], (int)bands);
    return st != LEHR_OK ? st : lh_launch_tasks(e->dev, e->kernels[CONV], tasks, shares);
}

const char *lh_conv_forward_direct_cpu_declines(const void *problem, const lh_traits *traits)
{
    pass c = forward_pass(problem, traits);
    return declines(&c, traits);
}

lehr_status lh_conv_forward_direct_cpu_prepare(lh_exec *e)
{
    pass c = forward_pass(lh_exec_problem(e), lh_device_traits(e->dev));
    return prepare(e, &c);
}

lehr_status lh_conv_forward_direct_cpu_run(lh_exec *e, const lh_args *a)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    pass c = forward_pass(p, lh_device_traits(e->dev));
    return launch(e, &c, a, a->buf[LH_CONVF_X], a->buf[LH_CONVF_W],
               p->bias ? a->buf[LH_CONVF_BIAS] : NULL, a->buf[LH_CONVF_Y], a->buf[LH_CONVF_WHERE]);
}

const char *lh_conv_data_direct_cpu_declines(const void *problem, const lh_traits *traits)
{
    pass c = data_pass(problem);
    return declines(&c, traits);
}

lehr_status lh_conv_data_direct_cpu_prepare(lh_exec *e)
{
    pass c = data_pass(lh_exec_problem(e));
    return prepare(e, &c);
}

lehr_status lh_conv_data_direct_cpu_run(lh_exec *e, const lh_args *a)
{
    pass c = data_pass(lh_exec_problem(e));
    return launch(e, &c, a, a->buf[LH_CONVD_DY], a->buf[LH_CONVD_W], NULL, a->buf[LH_CONVD_DX], NULL);
}
