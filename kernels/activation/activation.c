/* SPDX-License-Identifier: MIT
 *
 * Activation ops: problem, variant tables, launch. */
#include "kernels/activation/activation.h"

#include <stdio.h>
#include <string.h>

#include "kernels/stream.h"

void lh_activation_forward_reference(const void *problem, const lh_host_args *a);
void lh_activation_backward_reference(const void *problem, const lh_host_args *a);

#define NAME(suffix, name) name,
static const char *const names[] = {"none", LH_ACTIVATIONS(NAME)};
#undef NAME

lh_activation lh_activation_find(const char *name)
{
    for (int i = 1; i < LH_ACT_COUNT; i++)
        if (strcmp(name, names[i]) == 0) return (lh_activation)i;
    return LH_ACT_NONE;
}

const char *lh_activation_name(lh_activation kind)
{
    return names[kind];
}

static size_t count(const void *problem, unsigned operand, int n)
{
    const lh_activation_problem *p = problem;
    (void)operand;
    return (size_t)n * p->per_image;
}

static int batch(const void *problem)
{
    return ((const lh_activation_problem *)problem)->n;
}

static const char *invalid(const void *problem)
{
    const lh_activation_problem *p = problem;
    if (p->n < 1 || p->per_image < 1) return "empty tensor";
    if (p->kind <= LH_ACT_NONE || p->kind >= LH_ACT_COUNT) return "unknown activation";
    return NULL;
}

static double flops(const void *problem, int n)
{
    return (double)count(problem, 0, n);
}

static void describe(const void *problem, char *out, size_t size)
{
    const lh_activation_problem *p = problem;
    snprintf(out, size, "n=%d per_image=%zu kind=%s", p->n, p->per_image, names[p->kind]);
}

static lehr_status prepare(lh_exec *e, lh_stream how, const char *kernel)
{
    const lh_activation_problem *p = lh_exec_problem(e);
    return lh_stream_kernel(
        e, 0, how, how == LH_STREAM_TASKS ? "activation/tasks.cl" : "activation/elementwise.cl",
        kernel, "-DKIND=%d -DSTREAM=%d", (int)p->kind, LH_PAST_CACHES / (int)sizeof(float));
}

static lehr_status run_forward(lh_exec *e, const lh_args *a, lh_stream how)
{
    const lh_activation_problem *p = lh_exec_problem(e);
    size_t total = count(p, 0, a->n);
    lehr_status st = lh_kernel_args(e->dev, e->kernels[0], "mmlf", a->buf[LH_ACTF_X],
                                    a->buf[LH_ACTF_Y], (uint64_t)total, (double)p->slope);
    return st != LEHR_OK ? st : lh_stream_launch(e, 0, how, total, total);
}

static lehr_status run_backward(lh_exec *e, const lh_args *a, lh_stream how)
{
    const lh_activation_problem *p = lh_exec_problem(e);
    size_t total = count(p, 0, a->n);
    lehr_status st =
        lh_kernel_args(e->dev, e->kernels[0], "mmmlf", a->buf[LH_ACTB_X], a->buf[LH_ACTB_DY],
                       a->buf[LH_ACTB_DX], (uint64_t)total, (double)p->slope);
    return st != LEHR_OK ? st : lh_stream_launch(e, 0, how, total, total);
}

static lehr_status prepare_forward(lh_exec *e)
{
    return prepare(e, LH_STREAM_ELEMENTWISE, "activation_forward");
}
static lehr_status prepare_backward(lh_exec *e)
{
    return prepare(e, LH_STREAM_ELEMENTWISE, "activation_backward");
}
static lehr_status prepare_forward_tasks(lh_exec *e)
{
    return prepare(e, LH_STREAM_TASKS, "activation_forward");
}
static lehr_status prepare_backward_tasks(lh_exec *e)
{
    return prepare(e, LH_STREAM_TASKS, "activation_backward");
}
static lehr_status forward_elements(lh_exec *e, const lh_args *a)
{
    return run_forward(e, a, LH_STREAM_ELEMENTWISE);
}
static lehr_status backward_elements(lh_exec *e, const lh_args *a)
{
    return run_backward(e, a, LH_STREAM_ELEMENTWISE);
}
static lehr_status forward_tasks(lh_exec *e, const lh_args *a)
{
    return run_forward(e, a, LH_STREAM_TASKS);
}
static lehr_status backward_tasks(lh_exec *e, const lh_args *a)
{
    return run_backward(e, a, LH_STREAM_TASKS);
}

static const lh_operand forward_operands[] = {{"x", LH_IN, LH_F32}, {"y", LH_OUT, LH_F32}};
static const lh_operand backward_operands[] = {
    {"x", LH_IN, LH_F32}, {"dy", LH_IN, LH_F32}, {"dx", LH_OUT, LH_F32}};
static const lh_variant forward_variants[] = {
    {"tasks_cpu", lh_declines_without_cpu, prepare_forward_tasks, forward_tasks},
    {"elementwise", lh_declines_never, prepare_forward, forward_elements}};
static const lh_variant backward_variants[] = {
    {"tasks_cpu", lh_declines_without_cpu, prepare_backward_tasks, backward_tasks},
    {"elementwise", lh_declines_never, prepare_backward, backward_elements}};

const lh_op lh_activation_forward = {"activation.forward",
                                     sizeof(lh_activation_problem),
                                     LH_OPERANDS(forward_operands),
                                     LH_VARIANTS(forward_variants),
                                     count,
                                     batch,
                                     invalid,
                                     lh_activation_forward_reference,
                                     flops,
                                     describe,
                                     2e-6};
const lh_op lh_activation_backward = {"activation.backward",
                                      sizeof(lh_activation_problem),
                                      LH_OPERANDS(backward_operands),
                                      LH_VARIANTS(backward_variants),
                                      count,
                                      batch,
                                      invalid,
                                      lh_activation_backward_reference,
                                      flops,
                                      describe,
                                      2e-6};
