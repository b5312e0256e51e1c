/* SPDX-License-Identifier: MIT
 *
 * Pooling: problem, variant tables, hosts. */
#include "kernels/pool/pool.h"

#include <stdio.h>

#include "kernels/stream.h"

bool lh_pool_output(lh_pool_problem *p) {
    int height = p->h + p->pad_top + p->pad_bottom - p->r;
    int width = p->w + p->pad_left + p->pad_right - p->s;
    if (p->r < 1 || p->s < 1 || p->stride_h < 1 || p->stride_w < 1) return false;
    if (height < 0 || width < 0) return false;
    p->p = height / p->stride_h + 1;
    p->q = width / p->stride_w + 1;
    return true;
}

static size_t inputs(const lh_pool_problem *p, int n) {
    return (size_t)n * p->h * p->w * p->c;
}
static size_t outputs(const lh_pool_problem *p, int n) {
    return (size_t)n * p->p * p->q * p->c;
}

static size_t count_forward(const void *problem, unsigned operand, int n) {
    const lh_pool_problem *p = problem;
    if (operand == LH_POOLF_WHERE && !p->where) return 0;
    return operand == LH_POOLF_X ? inputs(p, n) : outputs(p, n);
}

static size_t count_backward(const void *problem, unsigned operand, int n) {
    const lh_pool_problem *p = problem;
    if (operand == LH_POOLB_X && (p->kind == LH_POOL_AVG || p->where)) return 0;
    if (operand == LH_POOLB_WHERE && !p->where) return 0;
    return operand == LH_POOLB_DY || operand == LH_POOLB_WHERE ? outputs(p, n) : inputs(p, n);
}

static int batch(const void *problem) {
    return ((const lh_pool_problem *)problem)->n;
}

static const char *invalid(const void *problem) {
    lh_pool_problem p = *(const lh_pool_problem *)problem;
    int rows = p.p, columns = p.q;
    if (p.n < 1 || p.c < 1 || p.h < 1 || p.w < 1) return "empty tensor";
    if (p.kind != LH_POOL_MAX && p.kind != LH_POOL_AVG) return "unknown kind";
    if (p.pad_top < 0 || p.pad_left < 0 || p.pad_bottom < 0 || p.pad_right < 0)
        return "negative padding";
    if (p.pad_top >= p.r || p.pad_bottom >= p.r || p.pad_left >= p.s || p.pad_right >= p.s)
        return "padding as large as the window: a window could lie outside the image";
    if (!lh_pool_output(&p)) return "the window does not fit the padded input";
    if (p.relu && p.kind != LH_POOL_MAX) return "only max pooling takes the ReLU before it along";
    if (p.where && (p.kind != LH_POOL_MAX || p.r * p.s >= LH_POOL_NOWHERE))
        return "only maxima of less than 255 pixels have a byte that says where";
    if (rows != p.p || columns != p.q) return "p and q are not what lh_pool_output gives";
    return NULL;
}

static double flops(const void *problem, int n) {
    const lh_pool_problem *p = problem;
    return (double)outputs(p, n) * p->r * p->s;
}

static void describe(const void *problem, char *out, size_t size) {
    const lh_pool_problem *p = problem;
    snprintf(out, size, "%s n=%d c=%d h=%d w=%d window=%dx%d stride=%dx%d pad=%d,%d,%d,%d%s%s",
             p->kind == LH_POOL_MAX ? "max" : "avg", p->n, p->c, p->h, p->w, p->r, p->s,
             p->stride_h, p->stride_w, p->pad_top, p->pad_left, p->pad_bottom, p->pad_right,
             p->relu ? " relu" : "", p->where ? " where" : "");
}

static void shape_options(const lh_pool_problem *p, char *out, size_t size) {
    snprintf(out, size,
             "-DMAX=%d -DC=%d -DH=%d -DW=%d -DR=%d -DS=%d -DSTRIDE_H=%d -DSTRIDE_W=%d -DTOP=%d "
             "-DLEFT=%d -DBOTTOM=%d -DRIGHT=%d -DP=%d -DQ=%d -DRELU=%d -DWHERE=%d",
             p->kind == LH_POOL_MAX, p->c, p->h, p->w, p->r, p->s, p->stride_h, p->stride_w,
             p->pad_top, p->pad_left, p->pad_bottom, p->pad_right, p->p, p->q, p->relu, p->where);
}

/* ---- one work-item per element ---- */

static lehr_status prepare_elements(lh_exec *e, const char *kernel) {
    char shape[256];
    shape_options(lh_exec_problem(e), shape, sizeof shape);
    return lh_stream_kernel(e, 0, LH_STREAM_ELEMENTWISE, "pool/elements.cl", kernel,
                            "%s", shape);
}

static lehr_status prepare_forward_elements(lh_exec *e) {
    return prepare_elements(e, "pool_forward");
}
static lehr_status prepare_backward_elements(lh_exec *e) {
    return prepare_elements(e, "pool_backward");
}

static lehr_status run_forward_elements(lh_exec *e, const lh_args *a) {
    size_t count = outputs(lh_exec_problem(e), a->n);
    lehr_status st = lh_kernel_args(e->dev, e->kernels[0], "mmml", a->buf[LH_POOLF_X],
                                    a->buf[LH_POOLF_Y], a->buf[LH_POOLF_WHERE], (uint64_t)count);
    return st != LEHR_OK ? st : lh_stream_launch(e, 0, LH_STREAM_ELEMENTWISE, count, count);
}

static lehr_status run_backward_elements(lh_exec *e, const lh_args *a) {
    size_t count = inputs(lh_exec_problem(e), a->n);
    lehr_status st = lh_kernel_args(e->dev, e->kernels[0], "mmmml", a->buf[LH_POOLB_X],
                                    a->buf[LH_POOLB_WHERE], a->buf[LH_POOLB_DY],
                                    a->buf[LH_POOLB_DX], (uint64_t)count);
    return st != LEHR_OK ? st : lh_stream_launch(e, 0, LH_STREAM_ELEMENTWISE, count, count);
}

/* ---- tasks: rows of the output, or images where windows overlap ---- */

enum { ROWS }; /* number[]: output rows of a task; 0: a task is an image */

static lehr_status prepare_tasks(lh_exec *e, const char *kernel, int rows) {
    const lh_pool_problem *p = lh_exec_problem(e);
    char shape[256];
    shape_options(p, shape, sizeof shape);
    e->number[ROWS] = rows;
    return lh_exec_kernel(e, 0, "pool/tasks.cl", kernel, "%s -DVW=%u -DROWS=%d", shape,
                          lh_channel_width(lh_device_traits(e->dev), p->c), rows);
}

/* Output rows whose input is about one chunk. */
static int rows_of_task(const lh_pool_problem *p) {
    size_t row = (size_t)p->stride_h * p->w * p->c;
    return row < LH_STREAM_CHUNK ? (int)(LH_STREAM_CHUNK / row) : 1;
}

static lehr_status prepare_forward_tasks(lh_exec *e) {
    return prepare_tasks(e, "pool_forward", rows_of_task(lh_exec_problem(e)));
}

static lehr_status prepare_backward_tasks(lh_exec *e) {
    const lh_pool_problem *p = lh_exec_problem(e);
    if (p->stride_h < p->r || p->stride_w < p->s)
        return prepare_tasks(e, "pool_backward_images", 0);
    return prepare_tasks(e, "pool_backward_cells", rows_of_task(p));
}

static lehr_status run_forward_tasks(lh_exec *e, const lh_args *a) {
    const lh_pool_problem *p = lh_exec_problem(e);
    size_t rows = (size_t)a->n * p->p;
    lehr_status st = lh_kernel_args(e->dev, e->kernels[0], "mmmu", a->buf[LH_POOLF_X],
                                    a->buf[LH_POOLF_Y], a->buf[LH_POOLF_WHERE], (unsigned)rows);
    if (st != LEHR_OK) return st;
    return lh_launch_tasks(e->dev, e->kernels[0], lh_div_up(rows, (size_t)e->number[ROWS]), 1);
}

static lehr_status run_backward_tasks(lh_exec *e, const lh_args *a) {
    const lh_pool_problem *p = lh_exec_problem(e);
    size_t rows = (size_t)a->n * p->p;
    lehr_status st =
        lh_kernel_args(e->dev, e->kernels[0], e->number[ROWS] ? "mmmmu" : "mmmm", a->buf[LH_POOLB_X],
                       a->buf[LH_POOLB_WHERE], a->buf[LH_POOLB_DY], a->buf[LH_POOLB_DX],
                       (unsigned)rows);
    if (st != LEHR_OK) return st;
    size_t tasks = e->number[ROWS] ? lh_div_up(rows, (size_t)e->number[ROWS]) : (size_t)a->n;
    return lh_launch_tasks(e->dev, e->kernels[0], tasks, 1);
}

static const lh_operand forward_operands[] = {
    {"x", LH_IN, LH_F32}, {"y", LH_OUT, LH_F32}, {"where", LH_OUT, LH_U8}};
static const lh_operand backward_operands[] = {
    {"x", LH_IN, LH_F32}, {"dy", LH_IN, LH_F32}, {"dx", LH_OUT, LH_F32}, {"where", LH_IN, LH_U8}};
static const lh_variant forward_variants[] = {
    {"tasks_cpu", lh_declines_without_cpu, prepare_forward_tasks, run_forward_tasks},
    {"elementwise", lh_declines_never, prepare_forward_elements, run_forward_elements}};
static const lh_variant backward_variants[] = {
    {"tasks_cpu", lh_declines_without_cpu, prepare_backward_tasks, run_backward_tasks},
    {"gather", lh_declines_never, prepare_backward_elements, run_backward_elements}};

static bool sample_backward(const void *problem, unsigned operand, uint64_t seed, void *out,
                            size_t count)
{
    const lh_pool_problem *p = problem;
    uint8_t *where = out;
    (void)seed;
    for (size_t i = 0; i < count && operand == LH_POOLB_WHERE; i++)
        where[i] = (uint8_t)(i * 7 / 3 % (size_t)(p->r * p->s + 1)); /* r * s: nowhere */
    return operand == LH_POOLB_WHERE;
}

const lh_op lh_pool_forward = {"pool.forward",
                               sizeof(lh_pool_problem),
                               LH_OPERANDS(forward_operands),
                               LH_VARIANTS(forward_variants),
                               count_forward,
                               batch,
                               invalid,
                               lh_pool_forward_reference,
                               flops,
                               describe,
                               1e-6};
const lh_op lh_pool_backward = {"pool.backward",
                                sizeof(lh_pool_problem),
                                LH_OPERANDS(backward_operands),
                                LH_VARIANTS(backward_variants),
                                count_backward,
                                batch,
                                invalid,
                                lh_pool_backward_reference,
                                flops,
                                describe,
                                1e-6,
                                .sample = sample_backward};
