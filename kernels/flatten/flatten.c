/* SPDX-License-Identifier: MIT
 *
 * Flatten: problem, variant tables, reference. */
#include "kernels/flatten/flatten.h"

#include <stdio.h>

#include "kernels/stream.h"

static size_t count(const void *problem, unsigned operand, int n) {
    const lh_flatten_problem *p = problem;
    (void)operand;
    return (size_t)n * p->c * p->h * p->w;
}

static int batch(const void *problem) {
    return ((const lh_flatten_problem *)problem)->n;
}

static const char *invalid(const void *problem) {
    const lh_flatten_problem *p = problem;
    return p->n < 1 || p->c < 1 || p->h < 1 || p->w < 1 ? "empty tensor" : NULL;
}

static double flops(const void *problem, int n) {
    (void)problem;
    (void)n;
    return 0;
}

static void describe(const void *problem, char *out, size_t size) {
    const lh_flatten_problem *p = problem;
    snprintf(out, size, "n=%d c=%d h=%d w=%d", p->n, p->c, p->h, p->w);
}

static void transpose(const double *in, double *out, int images, int rows, int columns) {
    for (int i = 0; i < images; i++)
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < columns; c++)
                out[((size_t)i * columns + c) * rows + r] =
                    in[((size_t)i * rows + r) * columns + c];
}

void lh_flatten_forward_reference(const void *problem, const lh_host_args *a) {
    const lh_flatten_problem *p = problem;
    transpose(a->buf[LH_FLATTEN_IN], a->buf[LH_FLATTEN_OUT], a->n, p->h * p->w, p->c);
}

void lh_flatten_backward_reference(const void *problem, const lh_host_args *a) {
    const lh_flatten_problem *p = problem;
    transpose(a->buf[LH_FLATTEN_IN], a->buf[LH_FLATTEN_OUT], a->n, p->c, p->h * p->w);
}

static lehr_status prepare(lh_exec *e, bool tasks, int rows, int columns) {
    if (tasks) {
        int width = (int)lh_vector_width(lh_device_traits(e->dev));
        size_t bytes = count(lh_exec_problem(e), 0, batch(e->problem)) * sizeof(float);
        while (width > rows || width > columns) width /= 2;
        return lh_exec_kernel(e, 0, "flatten/flatten.cl", "flatten_images",
                              "-DIMAGES -DVW=%d -DROWS=%d -DCOLUMNS=%d -DSTREAM=%d", width, rows,
                              columns, bytes >= LH_PAST_CACHES);
    }
    return lh_stream_kernel(e, 0, LH_STREAM_ELEMENTWISE, "flatten/flatten.cl", "flatten_elements",
                            "-DROWS=%d -DCOLUMNS=%d", rows, columns);
}

static lehr_status prepare_forward(lh_exec *e, bool tasks) {
    const lh_flatten_problem *p = lh_exec_problem(e);
    return prepare(e, tasks, p->h * p->w, p->c);
}

static lehr_status prepare_backward(lh_exec *e, bool tasks) {
    const lh_flatten_problem *p = lh_exec_problem(e);
    return prepare(e, tasks, p->c, p->h * p->w);
}

static lehr_status forward_images(lh_exec *e) {
    return prepare_forward(e, true);
}
static lehr_status forward_elements(lh_exec *e) {
    return prepare_forward(e, false);
}
static lehr_status backward_images(lh_exec *e) {
    return prepare_backward(e, true);
}
static lehr_status backward_elements(lh_exec *e) {
    return prepare_backward(e, false);
}

static lehr_status run_images(lh_exec *e, const lh_args *a) {
    lehr_status st =
        lh_kernel_args(e->dev, e->kernels[0], "mm", a->buf[LH_FLATTEN_IN], a->buf[LH_FLATTEN_OUT]);
    return st != LEHR_OK ? st : lh_launch_tasks(e->dev, e->kernels[0], (size_t)a->n, 1);
}

static lehr_status run_elements(lh_exec *e, const lh_args *a) {
    size_t total = count(lh_exec_problem(e), 0, a->n);
    lehr_status st = lh_kernel_args(e->dev, e->kernels[0], "mml", a->buf[LH_FLATTEN_IN],
                                    a->buf[LH_FLATTEN_OUT], (uint64_t)total);
    return st != LEHR_OK ? st : lh_stream_launch(e, 0, LH_STREAM_ELEMENTWISE, total, total);
}

static const lh_operand operands[] = {{"in", LH_IN, LH_F32}, {"out", LH_OUT, LH_F32}};
static const lh_variant forward_variants[] = {
    {"images_cpu", lh_declines_without_cpu, forward_images, run_images},
    {"elementwise", lh_declines_never, forward_elements, run_elements}};
static const lh_variant backward_variants[] = {
    {"images_cpu", lh_declines_without_cpu, backward_images, run_images},
    {"elementwise", lh_declines_never, backward_elements, run_elements}};

/* A copy is exact. */
const lh_op lh_flatten_forward = {"flatten.forward",
                                  sizeof(lh_flatten_problem),
                                  LH_OPERANDS(operands),
                                  LH_VARIANTS(forward_variants),
                                  count,
                                  batch,
                                  invalid,
                                  lh_flatten_forward_reference,
                                  flops,
                                  describe,
                                  1e-30};
const lh_op lh_flatten_backward = {"flatten.backward",
                                   sizeof(lh_flatten_problem),
                                   LH_OPERANDS(operands),
                                   LH_VARIANTS(backward_variants),
                                   count,
                                   batch,
                                   invalid,
                                   lh_flatten_backward_reference,
                                   flops,
                                   describe,
                                   1e-30};
