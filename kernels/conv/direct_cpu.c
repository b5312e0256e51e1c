/* SPDX-License-Identifier: MIT
 *
 * Host side of direct_cpu.cl: forward and backward data as passes over residue classes, how many
 * rows a task stages, where the packed weights lie in the workspace. */
#include "kernels/conv/variants.h"

#include <stdio.h>

enum { PACK, CONV };                                  /* exec->kernels */
enum { BAND, BLOCK, STAGED_BYTES };                   /* exec->number */
enum { STAGED_WISH_KB = 128 };
enum { TASKS_WISH = 64 };                             /* enough to keep any CPU busy */

/* A convolution as the kernel sees it, forward or backward data. */
typedef struct pass {
    int in_c, in_h, in_w, out_c, out_h, out_w;
    int stride_h, stride_w;         /* of the input per grid step */
    int out_stride_h, out_stride_w; /* of the output per grid step; classes = product */
    int weight_out, weight_in;      /* distance in w of one output, one input channel */
} pass;

/* One residue class of output positions: its grid and its taps. */
typedef struct residue {
    int grid_h, grid_w, ih0, iw0, oh0, ow0;
    int taps_h, taps_w, r_first, r_step, s_first, s_step;
} residue;

static pass forward_pass(const lh_conv_problem *p)
{
    return (pass){p->c, p->h, p->w, p->k, p->p, p->q, p->stride_h, p->stride_w, 1, 1,
                  p->c * p->r * p->s, p->r * p->s};
}

static pass data_pass(const lh_conv_problem *p)
{
    return (pass){p->k, p->p, p->q, p->c, p->h, p->w, 1, 1, p->stride_h, p->stride_w,
                  p->r * p->s, p->c * p->r * p->s};
}

static residue forward_residue(const lh_conv_problem *p)
{
    return (residue){p->p, p->q, -p->pad_top, -p->pad_left, 0, 0, p->r, p->s, 0, 1, 0, 1};
}

/* One dimension of backward data: inputs h = offset + stride * i meet the filter rows
 * r = (offset + pad) % stride + stride * t, at output row (h + pad - r) / stride. */
static void data_dimension(int size, int filter, int stride, int pad, int offset, int *grid,
                           int *origin, int *taps, int *first, int *step)
{
    int least = (offset + pad) % stride;
    *grid = offset < size ? (size - offset + stride - 1) / stride : 0;
    *taps = least < filter ? (filter - least + stride - 1) / stride : 0;
    *origin = (offset + pad) / stride - (*taps - 1);
    *first = least + stride * (*taps - 1);
    *step = -stride;
}

static residue data_residue(const lh_conv_problem *p, int index)
{
    residue r = {0};
    r.oh0 = index / p->stride_w;
    r.ow0 = index % p->stride_w;
    data_dimension(p->h, p->r, p->stride_h, p->pad_top, r.oh0, &r.grid_h, &r.ih0, &r.taps_h,
                   &r.r_first, &r.r_step);
    data_dimension(p->w, p->s, p->stride_w, p->pad_left, r.ow0, &r.grid_w, &r.iw0, &r.taps_w,
                   &r.s_first, &r.s_step);
    return r;
}

static size_t blocks(const lh_exec *e, const pass *c)
{
    return lh_div_up((size_t)c->out_c, (size_t)e->number[BLOCK]);
}

static size_t packed_floats(const lh_exec *e, const pass *c, const residue *r)
{
    return blocks(e, c) * (size_t)(r->taps_h * r->taps_w * c->in_c) * (size_t)e->number[BLOCK];
}

/* Two vectors per pixel unless that would waste half a block of channels. */
static int vectors_per_row(int channels, int width)
{
    int vectors = (channels + width - 1) / width;
    return vectors == 1 || (vectors % 2 == 1 && vectors < 7) ? 1 : 2;
}

static size_t staged_bytes(const pass *c, int taps_h, int taps_w, int grid_w, int band)
{
    size_t rows = (size_t)((band - 1) * c->stride_h + taps_h);
    size_t cols = (size_t)((grid_w - 1) * c->stride_w + taps_w);
    return (rows * cols * (size_t)c->in_c + 16) * sizeof(float);
}

/* What one output row needs, at most over the residue classes. */
static size_t least_bytes(const lh_conv_problem *p, const pass *c)
{
    return staged_bytes(c, p->r, p->s, c->out_w, 1);
}

static const char *declines(const lh_conv_problem *p, const pass *c, const lh_traits *t)
{
    const char *reason = lh_needs_cpu_family(t);
    if (reason) return reason;
    return least_bytes(p, c) > t->local_bytes ? "one row of the input exceeds local memory" : NULL;
}

static lehr_status prepare(lh_exec *e, const pass *c, bool relu)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    const lh_traits *t = lh_device_traits(e->dev);
    int width = (int)t->vector_width;
    int vectors = LH_TUNABLE(e, "nv", vectors_per_row(c->out_c, width), 1, 2);
    int rows = LH_TUNABLE(e, "rows", width >= 16 ? 8 : 6, 4, 6, 8, 12);
    int grid_h = (int)lh_div_up((size_t)c->out_h, (size_t)c->out_stride_h);
    size_t wish = (size_t)LH_TUNABLE(e, "staged", STAGED_WISH_KB, 32, 64, 128, 256) * 1024;
    size_t limit = t->local_bytes < wish ? t->local_bytes : wish;
    int band = 1;
    while (band < grid_h && staged_bytes(c, p->r, p->s, c->out_w, band + 1) <= limit) band++;
    /* Bands of equal height. */
    band = (int)lh_div_up((size_t)grid_h, lh_div_up((size_t)grid_h, (size_t)band));
    e->number[BAND] = band;
    e->number[BLOCK] = vectors * width;
    e->number[STAGED_BYTES] = (int64_t)staged_bytes(c, p->r, p->s, c->out_w, band);
    char options[400];
    snprintf(options, sizeof options,
             "-DVW=%d -DNV=%d -DROWS=%d -DC=%d -DH=%d -DW=%d -DK=%d -DOH=%d -DOW=%d -DSH=%d "
             "-DSW=%d -DOSH=%d -DOSW=%d -DBAND=%d -DRELU=%d",
             width, vectors, rows, c->in_c, c->in_h, c->in_w, c->out_c, c->out_h,
             c->out_w, c->stride_h, c->stride_w, c->out_stride_h, c->out_stride_w, band, relu);
    lehr_status st = lh_exec_kernel(e, PACK, "conv/direct_cpu.cl", "pack", "%s", options);
    if (st != LEHR_OK) return st;
    return lh_exec_kernel(e, CONV, "conv/direct_cpu.cl", "conv_direct", "%s", options);
}

/* The packed weights of every class one after another, then the bias. */
static void reserve(lh_exec *e, const pass *c, size_t weights)
{
    e->workspace = (weights + blocks(e, c) * (size_t)e->number[BLOCK]) * sizeof(float);
}

/* Weight and bias offsets are in floats from the start of the workspace. */
static lehr_status run_residue(lh_exec *e, const pass *c, const residue *r, const lh_args *a,
                               cl_mem in, cl_mem w, cl_mem bias, cl_mem out, uint64_t weights_at,
                               uint64_t bias_at)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    if (r->grid_h < 1 || r->grid_w < 1) return LEHR_OK;
    lehr_status st = lh_kernel_args(e->dev, e->kernels[PACK], "mmmlliiiiiiiii", w, bias,
                                    a->workspace, weights_at, bias_at, c->weight_out, c->weight_in,
                                    r->taps_h, r->taps_w, r->r_first, r->r_step, r->s_first,
                                    r->s_step, p->s);
    if (st == LEHR_OK)
        st = lh_launch_tasks(e->dev, e->kernels[PACK], blocks(e, c), (size_t)c->in_c);
    if (st != LEHR_OK) return st;
    size_t bands = lh_div_up((size_t)r->grid_h, (size_t)e->number[BAND]);
    size_t tasks = (size_t)a->n * bands, shares = lh_div_up(TASKS_WISH, tasks);
    if (shares > blocks(e, c)) shares = blocks(e, c);
    st = lh_kernel_args(e->dev, e->kernels[CONV], "mmmllLiiiiiiiii", in, a->workspace, out,
                        weights_at, bias_at, (size_t)e->number[STAGED_BYTES], (int)bands,
                        r->grid_h, r->grid_w, r->ih0, r->iw0, r->taps_h, r->taps_w, r->oh0,
                        r->ow0);
    return st != LEHR_OK ? st : lh_launch_tasks(e->dev, e->kernels[CONV], tasks, shares);
}

const char *lh_conv_forward_direct_cpu_declines(const void *problem, const lh_traits *traits)
{
    pass c = forward_pass(problem);
    return declines(problem, &c, traits);
}

lehr_status lh_conv_forward_direct_cpu_prepare(lh_exec *e)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    pass c = forward_pass(p);
    residue r = forward_residue(p);
    lehr_status st = prepare(e, &c, p->act == LH_ACT_RELU);
    if (st == LEHR_OK) reserve(e, &c, packed_floats(e, &c, &r));
    return st;
}

lehr_status lh_conv_forward_direct_cpu_run(lh_exec *e, const lh_args *a)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    pass c = forward_pass(p);
    residue r = forward_residue(p);
    return run_residue(e, &c, &r, a, a->buf[LH_CONVF_X], a->buf[LH_CONVF_W],
                       p->bias ? a->buf[LH_CONVF_BIAS] : NULL, a->buf[LH_CONVF_Y], 0,
                       packed_floats(e, &c, &r));
}

const char *lh_conv_data_direct_cpu_declines(const void *problem, const lh_traits *traits)
{
    pass c = data_pass(problem);
    return declines(problem, &c, traits);
}

/* Floats of all classes before `count`. */
static size_t data_offset(const lh_exec *e, const pass *c, int count)
{
    size_t sum = 0;
    for (int i = 0; i < count; i++) {
        residue r = data_residue(lh_exec_problem(e), i);
        sum += packed_floats(e, c, &r);
    }
    return sum;
}

lehr_status lh_conv_data_direct_cpu_prepare(lh_exec *e)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    pass c = data_pass(p);
    lehr_status st = prepare(e, &c, false);
    if (st == LEHR_OK) reserve(e, &c, data_offset(e, &c, p->stride_h * p->stride_w));
    return st;
}

lehr_status lh_conv_data_direct_cpu_run(lh_exec *e, const lh_args *a)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    pass c = data_pass(p);
    int classes = p->stride_h * p->stride_w;
    lehr_status st = LEHR_OK;
    for (int i = 0; i < classes && st == LEHR_OK; i++) {
        residue r = data_residue(p, i);
        st = run_residue(e, &c, &r, a, a->buf[LH_CONVD_DY], a->buf[LH_CONVD_W], NULL,
                         a->buf[LH_CONVD_DX], data_offset(e, &c, i), data_offset(e, &c, classes));
    }
    return st;
}
