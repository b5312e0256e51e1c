/* SPDX-License-Identifier: MIT
 *
 * Elementwise helpers: problem, variant table, reference. */
#include "kernels/vector/vector.h"

#include <stdio.h>

#include "kernels/stream.h"

static size_t count(const void *problem, unsigned operand, int n) {
    const lh_vector_problem *p = problem;
    bool has_x = p->kind == LH_VECTOR_AXPY || p->kind == LH_VECTOR_COPY;
    return operand == LH_VECTOR_X && !has_x ? 0 : (size_t)n * p->per_image;
}

static int batch(const void *problem) {
    return ((const lh_vector_problem *)problem)->n;
}

static const char *invalid(const void *problem) {
    const lh_vector_problem *p = problem;
    if (p->n < 1 || p->per_image < 1) return "empty tensor";
    if (p->kind < LH_VECTOR_AXPY || p->kind > LH_VECTOR_COPY) return "unknown kind";
    return NULL;
}

static double flops(const void *problem, int n) {
    const lh_vector_problem *p = problem;
    double per_element = p->kind == LH_VECTOR_AXPY ? 2 : p->kind == LH_VECTOR_SCALE ? 1 : 0;
    return per_element * (double)count(problem, LH_VECTOR_Y, n);
}

/* fill and copy do not read y. */
static double bytes(const void *problem, int n) {
    const lh_vector_problem *p = problem;
    bool reads_y = p->kind != LH_VECTOR_FILL && p->kind != LH_VECTOR_COPY;
    return 4.0 * (double)((reads_y ? 2 : 1) * count(problem, LH_VECTOR_Y, n) +
                          count(problem, LH_VECTOR_X, n));
}

static void describe(const void *problem, char *out, size_t size) {
    static const char *const names[] = {"axpy", "scale", "fill", "clip", "copy"};
    const lh_vector_problem *p = problem;
    snprintf(out, size, "n=%d per_image=%zu kind=%s", p->n, p->per_image, names[p->kind]);
}

void lh_vector_reference(const void *problem, const lh_host_args *args) {
    const lh_vector_problem *p = problem;
    const double *x = args->buf[LH_VECTOR_X];
    double *y = args->buf[LH_VECTOR_Y], a = args->scalar[0];
    for (size_t i = 0; i < (size_t)args->n * p->per_image; i++) switch (p->kind) {
        case LH_VECTOR_AXPY:
            y[i] += a * x[i];
            break;
        case LH_VECTOR_SCALE:
            y[i] *= a;
            break;
        case LH_VECTOR_FILL:
            y[i] = a;
            break;
        case LH_VECTOR_CLIP:
            y[i] = y[i] > a ? a : y[i] < -a ? -a : y[i];
            break;
        case LH_VECTOR_COPY:
            y[i] = x[i];
            break;
        }
}

static lehr_status prepare_elementwise(lh_exec *e) {
    const lh_vector_problem *p = lh_exec_problem(e);
    return lh_stream_kernel(e, 0, LH_STREAM_ELEMENTWISE, "vector/vector.cl", "vector_elementwise",
                            "-DKIND=%d", (int)p->kind);
}

static lehr_status prepare_tasks(lh_exec *e) {
    const lh_vector_problem *p = lh_exec_problem(e);
    return lh_stream_kernel(e, 0, LH_STREAM_TASKS, "vector/vector.cl", "vector_tasks", "-DKIND=%d",
                            (int)p->kind);
}

static lehr_status run(lh_exec *e, const lh_args *a, lh_stream how) {
    size_t total = count(lh_exec_problem(e), LH_VECTOR_Y, a->n);
    lehr_status st = lh_kernel_args(e->dev, e->kernels[0], "mmlf", a->buf[LH_VECTOR_X],
                                    a->buf[LH_VECTOR_Y], (uint64_t)total, (double)a->scalar[0]);
    return st != LEHR_OK ? st : lh_stream_launch(e, 0, how, total, total);
}

static lehr_status run_elementwise(lh_exec *e, const lh_args *a) {
    return run(e, a, LH_STREAM_ELEMENTWISE);
}
static lehr_status run_tasks(lh_exec *e, const lh_args *a) {
    return run(e, a, LH_STREAM_TASKS);
}

static const lh_operand operands[] = {{"x", LH_IN, LH_F32}, {"y", LH_INOUT, LH_F32}};
static const lh_variant variants[] = {
    {"tasks_cpu", lh_declines_without_cpu, prepare_tasks, run_tasks},
    {"elementwise", lh_declines_never, prepare_elementwise, run_elementwise}};

const lh_op lh_vector = {"vector",
                         sizeof(lh_vector_problem),
                         LH_OPERANDS(operands),
                         LH_VARIANTS(variants),
                         count,
                         batch,
                         invalid,
                         lh_vector_reference,
                         flops,
                         describe,
                         2e-7,
                        .bytes = bytes};
