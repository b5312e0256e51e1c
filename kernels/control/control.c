/* SPDX-License-Identifier: MIT
 *
 * The control op: table, reference, launch. */
#include "kernels/control/control.h"

#include <math.h>
#include <stdio.h>

enum { LOCAL };

static size_t count(const void *problem, unsigned operand, int n)
{
    const lh_control_problem *p = problem;
    switch (operand) {
    case LH_CONTROL_SUMSQ: return p->clip ? 1 : 0;
    case LH_CONTROL_METRICS: return (size_t)p->rows * LH_METRIC_WIDTH;
    case LH_CONTROL_CONTROL: return 2;
    default: return (size_t)n;
    }
}

static int batch(const void *problem) { return ((const lh_control_problem *)problem)->n; }

static const char *invalid(const void *problem)
{
    const lh_control_problem *p = problem;
    return p->n < 1 || p->rows < 1 ? "empty batch or no rows" : NULL;
}

static double flops(const void *problem, int n)
{
    (void)problem;
    return 2.0 * n;
}

/* One row of metrics. */
static double bytes(const void *problem, int n)
{
    const lh_control_problem *p = problem;
    return 8.0 * n + 4.0 * (2 * LH_METRIC_WIDTH + 4 + p->clip);
}

static void describe(const void *problem, char *out, size_t size)
{
    const lh_control_problem *p = problem;
    snprintf(out, size, "n=%d rows=%d clip=%d", p->n, p->rows, p->clip);
}

static void reference(const void *problem, const lh_host_args *a)
{
    const lh_control_problem *p = problem;
    const double *loss = a->buf[LH_CONTROL_LOSS], *correct = a->buf[LH_CONTROL_CORRECT];
    const double *sumsq = a->buf[LH_CONTROL_SUMSQ];
    double *row = (double *)a->buf[LH_CONTROL_METRICS] + a->offset * LH_METRIC_WIDTH;
    double *control = a->buf[LH_CONTROL_CONTROL];
    double sums[2] = {0, 0};
    for (int i = 0; i < a->n; i++) {
        sums[0] += loss[i];
        sums[1] += correct[i];
    }
    bool replace = a->scalar[0] > 0;
    row[LH_METRIC_LOSS] = sums[0] + (replace ? 0 : row[LH_METRIC_LOSS]);
    row[LH_METRIC_CORRECT] = sums[1] + (replace ? 0 : row[LH_METRIC_CORRECT]);
    row[3] = 0;
    if (replace) row[LH_METRIC_NORM] = 0;
    if (!(a->scalar[1] > 0)) return;
    double norm = p->clip ? sqrt(*sumsq) : 0, clip = a->scalar[2];
    row[LH_METRIC_NORM] = norm;
    control[0] = clip > 0 && norm > clip ? clip / norm : 1;
    if (!isfinite(row[LH_METRIC_LOSS]) || !isfinite(norm)) control[1] = 1;
}

static const char *declines(const void *problem, const lh_traits *traits)
{
    (void)problem;
    (void)traits;
    return NULL;
}

static lehr_status prepare(lh_exec *e)
{
    const lh_control_problem *p = lh_exec_problem(e);
    const lh_traits *t = lh_device_traits(e->dev);
    e->number[LOCAL] = t->cpu_family ? 1 : (int64_t)lh_local_size(t, 64);
    return lh_exec_kernel(e, 0, "control/control.cl", "control", "-DLOCAL=%d -DCLIP=%d",
                          (int)e->number[LOCAL], p->clip);
}

static lehr_status run(lh_exec *e, const lh_args *a)
{
    const lh_control_problem *p = lh_exec_problem(e);
    cl_mem loss = a->buf[LH_CONTROL_LOSS];
    cl_mem sumsq = p->clip ? a->buf[LH_CONTROL_SUMSQ] : loss; /* unread, but some drivers want one */
    lehr_status st = lh_kernel_args(
        e->dev, e->kernels[0], "mmmmmiuiif", loss, a->buf[LH_CONTROL_CORRECT], sumsq,
        a->buf[LH_CONTROL_METRICS], a->buf[LH_CONTROL_CONTROL], a->n, (unsigned)a->offset,
        a->scalar[0] > 0, a->scalar[1] > 0, (double)a->scalar[2]);
    size_t local = (size_t)e->number[LOCAL];
    return st != LEHR_OK ? st : lh_launch_1d(e->dev, e->kernels[0], local, local);
}

static const lh_operand operands[] = {{"loss", LH_IN, LH_F32},
                                      {"correct", LH_IN, LH_F32},
                                      {"sumsq", LH_IN, LH_F32},
                                      {"metrics", LH_INOUT, LH_F32},
                                      {"control", LH_INOUT, LH_F32}};
static const lh_variant variants[] = {
    {.name = "one_group", .declines = declines, .prepare = prepare, .run = run}};

/* A sum of squares. */
static bool sample(const void *problem, unsigned operand, uint64_t seed, void *out, size_t count)
{
    (void)problem;
    if (operand != LH_CONTROL_SUMSQ) return false;
    for (size_t i = 0; i < count; i++) ((double *)out)[i] = 0.25 + (double)(seed % 7);
    return true;
}

const lh_op lh_control = {"control", sizeof(lh_control_problem), LH_OPERANDS(operands),
                          LH_VARIANTS(variants), count, batch, invalid, reference, flops, describe,
                          1e-5, .sample = sample, .bytes = bytes};
