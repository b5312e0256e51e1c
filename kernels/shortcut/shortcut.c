/* SPDX-License-Identifier: MIT
 *
 * Option-A shortcut: problem, variant tables, reference. */
#include "kernels/shortcut/shortcut.h"

#include <stdio.h>

#include "kernels/stream.h"

static int rows(const lh_shortcut_problem *p) {
    return (p->h + p->stride - 1) / p->stride;
}
static int columns(const lh_shortcut_problem *p) {
    return (p->w + p->stride - 1) / p->stride;
}

static size_t inputs(const lh_shortcut_problem *p, int n) {
    return (size_t)n * p->h * p->w * p->c;
}
static size_t outputs(const lh_shortcut_problem *p, int n) {
    return (size_t)n * rows(p) * columns(p) * p->k;
}

static size_t count_forward(const void *problem, unsigned operand, int n) {
    return operand == LH_SHORTCUTF_X ? inputs(problem, n) : outputs(problem, n);
}

static size_t count_backward(const void *problem, unsigned operand, int n) {
    return operand == LH_SHORTCUTB_DX ? inputs(problem, n) : outputs(problem, n);
}

static int batch(const void *problem) {
    return ((const lh_shortcut_problem *)problem)->n;
}

static const char *invalid(const void *problem) {
    const lh_shortcut_problem *p = problem;
    if (p->n < 1 || p->c < 1 || p->h < 1 || p->w < 1) return "empty tensor";
    if (p->stride < 1) return "stride below 1";
    if (p->k < p->c) return "fewer output than input channels";
    return NULL;
}

static double flops(const void *problem, int n) {
    (void)problem;
    (void)n;
    return 0;
}

static void describe(const void *problem, char *out, size_t size) {
    const lh_shortcut_problem *p = problem;
    snprintf(out, size, "n=%d c=%d h=%d w=%d k=%d stride=%d", p->n, p->c, p->h, p->w, p->k,
             p->stride);
}

/* Index in x of what y's element (n, i, j, o) takes; false: it is a padded channel. */
static bool source(const lh_shortcut_problem *p, int n, int i, int j, int o, size_t *out) {
    int c = o - (p->k - p->c) / 2;
    *out = (((size_t)n * p->h + i * p->stride) * p->w + j * p->stride) * p->c + (size_t)c;
    return c >= 0 && c < p->c;
}

void lh_shortcut_forward_reference(const void *problem, const lh_host_args *a) {
    const lh_shortcut_problem *p = problem;
    const double *x = a->buf[LH_SHORTCUTF_X];
    double *y = a->buf[LH_SHORTCUTF_Y];
    size_t from = 0;
    for (int n = 0; n < a->n; n++)
        for (int i = 0; i < rows(p); i++)
            for (int j = 0; j < columns(p); j++)
                for (int o = 0; o < p->k; o++, y++) *y = source(p, n, i, j, o, &from) ? x[from] : 0;
}

void lh_shortcut_backward_reference(const void *problem, const lh_host_args *a) {
    const lh_shortcut_problem *p = problem;
    const double *dy = a->buf[LH_SHORTCUTB_DY];
    double *dx = a->buf[LH_SHORTCUTB_DX];
    size_t to = 0;
    for (size_t i = 0; i < inputs(p, a->n); i++) dx[i] = 0;
    for (int n = 0; n < a->n; n++)
        for (int i = 0; i < rows(p); i++)
            for (int j = 0; j < columns(p); j++)
                for (int o = 0; o < p->k; o++, dy++)
                    if (source(p, n, i, j, o, &to)) dx[to] = *dy;
}

static void shape_options(const lh_shortcut_problem *p, char *out, size_t size) {
    snprintf(out, size, "-DC=%d -DH=%d -DW=%d -DK=%d -DP=%d -DQ=%d -DSTRIDE=%d -DLOW=%d", p->c,
             p->h, p->w, p->k, rows(p), columns(p), p->stride, (p->k - p->c) / 2);
}

static lehr_status prepare_elements(lh_exec *e, const char *kernel) {
    char shape[256];
    shape_options(lh_exec_problem(e), shape, sizeof shape);
    return lh_stream_kernel(e, 0, LH_STREAM_ELEMENTWISE, "shortcut/shortcut.cl", kernel, "%s",
                            shape);
}

static lehr_status prepare_rows(lh_exec *e, const char *kernel) {
    char shape[256];
    shape_options(lh_exec_problem(e), shape, sizeof shape);
    return lh_exec_kernel(e, 0, "shortcut/shortcut.cl", kernel, "-DROWS %s", shape);
}

static lehr_status forward_elements(lh_exec *e) {
    return prepare_elements(e, "shortcut_forward_elements");
}
static lehr_status backward_elements(lh_exec *e) {
    return prepare_elements(e, "shortcut_backward_elements");
}
static lehr_status forward_rows(lh_exec *e) {
    return prepare_rows(e, "shortcut_forward_rows");
}
static lehr_status backward_rows(lh_exec *e) {
    return prepare_rows(e, "shortcut_backward_rows");
}

/* Both passes take operand 0 and write operand 1. */
static lehr_status run_elements(lh_exec *e, const lh_args *a) {
    size_t count = e->op->count(lh_exec_problem(e), 1, a->n);
    lehr_status st =
        lh_kernel_args(e->dev, e->kernels[0], "mml", a->buf[0], a->buf[1], (uint64_t)count);
    return st != LEHR_OK ? st : lh_stream_launch(e, 0, LH_STREAM_ELEMENTWISE, count, count);
}

static lehr_status run_rows(lh_exec *e, const lh_args *a) {
    const lh_shortcut_problem *p = lh_exec_problem(e);
    int per_image = e->op == &lh_shortcut_forward ? rows(p) : p->h;
    lehr_status st = lh_kernel_args(e->dev, e->kernels[0], "mm", a->buf[0], a->buf[1]);
    return st != LEHR_OK ? st : lh_launch_tasks(e->dev, e->kernels[0], (size_t)a->n * per_image, 1);
}

static const lh_operand forward_operands[] = {{"x", LH_IN, LH_F32}, {"y", LH_OUT, LH_F32}};
static const lh_operand backward_operands[] = {{"dy", LH_IN, LH_F32}, {"dx", LH_OUT, LH_F32}};
static const lh_variant forward_variants[] = {
    {"rows_cpu", lh_declines_without_cpu, forward_rows, run_rows},
    {"elementwise", lh_declines_never, forward_elements, run_elements}};
static const lh_variant backward_variants[] = {
    {"rows_cpu", lh_declines_without_cpu, backward_rows, run_rows},
    {"elementwise", lh_declines_never, backward_elements, run_elements}};

/* A copy is exact. */
const lh_op lh_shortcut_forward = {"shortcut.forward",
                                   sizeof(lh_shortcut_problem),
                                   LH_OPERANDS(forward_operands),
                                   LH_VARIANTS(forward_variants),
                                   count_forward,
                                   batch,
                                   invalid,
                                   lh_shortcut_forward_reference,
                                   flops,
                                   describe,
                                   1e-30};
const lh_op lh_shortcut_backward = {"shortcut.backward",
                                    sizeof(lh_shortcut_problem),
                                    LH_OPERANDS(backward_operands),
                                    LH_VARIANTS(backward_variants),
                                    count_backward,
                                    batch,
                                    invalid,
                                    lh_shortcut_backward_reference,
                                    flops,
                                    describe,
                                    1e-30};
