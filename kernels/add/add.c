/* SPDX-License-Identifier: MIT
 *
 * Residual addition: problem, variant table, reference. */
#include "kernels/add/add.h"

#include <stdio.h>

#include "kernels/stream.h"

static size_t count(const void *problem, unsigned operand, int n) {
    (void)operand;
    return (size_t)n * ((const lh_add_problem *)problem)->per_image;
}

static int batch(const void *problem) {
    return ((const lh_add_problem *)problem)->n;
}

static const char *invalid(const void *problem) {
    const lh_add_problem *p = problem;
    if (p->n < 1 || p->per_image < 1) return "empty tensor";
    if (p->act != LH_ACT_NONE && p->act != LH_ACT_RELU) return "activation is not none or relu";
    return NULL;
}

static double flops(const void *problem, int n) {
    return (double)count(problem, 0, n);
}

static void describe(const void *problem, char *out, size_t size) {
    const lh_add_problem *p = problem;
    snprintf(out, size, "n=%d per_image=%zu act=%s", p->n, p->per_image,
             lh_activation_name(p->act));
}

void lh_add_reference(const void *problem, const lh_host_args *args) {
    const lh_add_problem *p = problem;
    const double *a = args->buf[LH_ADD_A], *b = args->buf[LH_ADD_B];
    double *y = args->buf[LH_ADD_Y];
    for (size_t i = 0; i < count(p, 0, args->n); i++) {
        double z = a[i] + b[i];
        y[i] = p->act == LH_ACT_RELU && z < 0 ? 0 : z;
    }
}

static lehr_status prepare(lh_exec *e, lh_stream how, const char *kernel) {
    const lh_add_problem *p = lh_exec_problem(e);
    return lh_stream_kernel(e, 0, how, "add/add.cl", kernel, "-DRELU=%d", p->act == LH_ACT_RELU);
}

static lehr_status prepare_elementwise(lh_exec *e) {
    return prepare(e, LH_STREAM_ELEMENTWISE, "add_elementwise");
}
static lehr_status prepare_tasks(lh_exec *e) {
    return prepare(e, LH_STREAM_TASKS, "add_tasks");
}

static lehr_status run(lh_exec *e, const lh_args *a, lh_stream how) {
    size_t total = count(lh_exec_problem(e), 0, a->n);
    lehr_status st = lh_kernel_args(e->dev, e->kernels[0], "mmml", a->buf[LH_ADD_A],
                                    a->buf[LH_ADD_B], a->buf[LH_ADD_Y], (uint64_t)total);
    return st != LEHR_OK ? st : lh_stream_launch(e, 0, how, total, total);
}

static lehr_status run_elementwise(lh_exec *e, const lh_args *a) {
    return run(e, a, LH_STREAM_ELEMENTWISE);
}
static lehr_status run_tasks(lh_exec *e, const lh_args *a) {
    return run(e, a, LH_STREAM_TASKS);
}

static const lh_operand operands[] = {
    {"a", LH_IN, LH_F32}, {"b", LH_IN, LH_F32}, {"y", LH_OUT, LH_F32}};
static const lh_variant variants[] = {
    {"tasks_cpu", lh_declines_without_cpu, prepare_tasks, run_tasks},
    {"elementwise", lh_declines_never, prepare_elementwise, run_elementwise}};

const lh_op lh_add_forward = {"add.forward",
                              sizeof(lh_add_problem),
                              LH_OPERANDS(operands),
                              LH_VARIANTS(variants),
                              count,
                              batch,
                              invalid,
                              lh_add_reference,
                              flops,
                              describe,
                              2e-7};
