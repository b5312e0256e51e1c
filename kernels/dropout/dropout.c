/* SPDX-License-Identifier: MIT
 *
 * Dropout: problem, variant table, reference.  Both passes are the same arithmetic. */
#include "kernels/dropout/dropout.h"

#include <stdio.h>

#include "core/base/philox.h"
#include "kernels/stream.h"

static size_t count(const void *problem, unsigned operand, int n) {
    (void)operand;
    return (size_t)n * ((const lh_dropout_problem *)problem)->per_image;
}

static int batch(const void *problem) {
    return ((const lh_dropout_problem *)problem)->n;
}

static const char *invalid(const void *problem) {
    const lh_dropout_problem *p = problem;
    return p->n < 1 || p->per_image < 1 ? "empty tensor" : NULL;
}

static double flops(const void *problem, int n) {
    return (double)count(problem, 0, n);
}

static void describe(const void *problem, char *out, size_t size) {
    const lh_dropout_problem *p = problem;
    snprintf(out, size, "n=%d per_image=%zu", p->n, p->per_image);
}

void lh_dropout_reference(const void *problem, const lh_host_args *a) {
    const double *x = a->buf[LH_DROPF_X], rate = a->scalar[0];
    double *y = a->buf[LH_DROPF_Y];
    for (size_t i = 0; i < count(problem, 0, a->n); i++) {
        lh_philox r = lh_philox_draw(a->seed, i / 4, a->stream, a->epoch);
        y[i] = lh_uniform(r.v[i % 4]) >= rate ? x[i] / (1 - rate) : 0;
    }
}

static lehr_status prepare_elementwise(lh_exec *e) {
    return lh_stream_kernel(e, 0, LH_STREAM_ELEMENTWISE, "dropout/dropout.cl",
                            "dropout_elementwise", "%s", "");
}

static lehr_status prepare_tasks(lh_exec *e) {
    return lh_stream_kernel(e, 0, LH_STREAM_TASKS, "dropout/dropout.cl", "dropout_tasks", "%s", "");
}

static lehr_status run(lh_exec *e, const lh_args *a, lh_stream how) {
    size_t total = count(lh_exec_problem(e), 0, a->n);
    double rate = (double)a->scalar[0];
    lehr_status st =
        lh_kernel_args(e->dev, e->kernels[0], "mmlluuff", a->buf[LH_DROPF_X], a->buf[LH_DROPF_Y],
                       (uint64_t)total, a->seed, a->stream, a->epoch, rate, 1 / (1 - rate));
    return st != LEHR_OK ? st : lh_stream_launch(e, 0, how, lh_div_up(total, 4), total);
}

static lehr_status run_elementwise(lh_exec *e, const lh_args *a) {
    return run(e, a, LH_STREAM_ELEMENTWISE);
}

static lehr_status run_tasks(lh_exec *e, const lh_args *a) {
    return run(e, a, LH_STREAM_TASKS);
}

static const lh_operand forward_operands[] = {{"x", LH_IN, LH_F32}, {"y", LH_OUT, LH_F32}};
static const lh_operand backward_operands[] = {{"dy", LH_IN, LH_F32}, {"dx", LH_OUT, LH_F32}};
static const lh_variant variants[] = {
    {"tasks_cpu", lh_declines_without_cpu, prepare_tasks, run_tasks},
    {"elementwise", lh_declines_never, prepare_elementwise, run_elementwise}};

const lh_op lh_dropout_forward = {"dropout.forward",
                                  sizeof(lh_dropout_problem),
                                  LH_OPERANDS(forward_operands),
                                  LH_VARIANTS(variants),
                                  count,
                                  batch,
                                  invalid,
                                  lh_dropout_reference,
                                  flops,
                                  describe,
                                  3e-7};
const lh_op lh_dropout_backward = {"dropout.backward",
                                   sizeof(lh_dropout_problem),
                                   LH_OPERANDS(backward_operands),
                                   LH_VARIANTS(variants),
                                   count,
                                   batch,
                                   invalid,
                                   lh_dropout_reference,
                                   flops,
                                   describe,
                                   3e-7};
