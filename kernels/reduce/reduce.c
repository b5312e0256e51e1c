/* SPDX-License-Identifier: MIT
 *
 * Reductions to one number: problem, variant table, reference.  The slots of stage 1 are a fixed
 * function of the element count, so the result does not depend on the device's threads. */
#include "kernels/reduce/reduce.h"

#include <math.h>
#include <stdio.h>

#include "kernels/stream.h"

enum { MAX_SLOTS = 1024 };

static size_t total(const lh_reduce_problem *p, int n) {
    return (size_t)n * p->per_image;
}

static size_t count(const void *problem, unsigned operand, int n) {
    return operand == LH_REDUCE_Y ? 1 : total(problem, n);
}

static int batch(const void *problem) {
    return ((const lh_reduce_problem *)problem)->n;
}

static const char *invalid(const void *problem) {
    const lh_reduce_problem *p = problem;
    if (p->n < 1 || p->per_image < 1) return "empty tensor";
    if (p->kind < LH_REDUCE_SUM || p->kind > LH_REDUCE_MAXABS) return "unknown kind";
    return NULL;
}

static double flops(const void *problem, int n) {
    const lh_reduce_problem *p = problem;
    return (p->kind == LH_REDUCE_SUMSQ ? 2.0 : 1.0) * (double)total(p, n);
}

static void describe(const void *problem, char *out, size_t size) {
    static const char *const names[] = {"sum", "sumsq", "maxabs"};
    const lh_reduce_problem *p = problem;
    snprintf(out, size, "n=%d per_image=%zu kind=%s", p->n, p->per_image, names[p->kind]);
}

void lh_reduce_reference(const void *problem, const lh_host_args *args) {
    const lh_reduce_problem *p = problem;
    const double *x = args->buf[LH_REDUCE_X];
    double y = 0;
    for (size_t i = 0; i < total(p, args->n); i++) {
        if (p->kind == LH_REDUCE_SUM) y += x[i];
        if (p->kind == LH_REDUCE_SUMSQ) y += x[i] * x[i];
        if (p->kind == LH_REDUCE_MAXABS && !(fabs(x[i]) <= y) && !isnan(y)) y = fabs(x[i]);
    }
    *(double *)args->buf[LH_REDUCE_Y] = y;
}

/* Elements of a slot: a chunk, or more when that would give more than MAX_SLOTS. */
static size_t slot_size(size_t elements) {
    size_t size = lh_round_up(lh_div_up(elements, MAX_SLOTS), 64);
    return size > LH_STREAM_CHUNK ? size : LH_STREAM_CHUNK;
}

enum { LOCAL };                    /* number[]: work-items of a slot */
enum { SLOTS_KERNEL, ALL_KERNEL }; /* kernels[]: the two stages */

/* Both stages from one source; stage 2 adds up what stage 1 squared. */
static lehr_status prepare(lh_exec *e, const char *kernel, const char *define, size_t value) {
    const lh_reduce_problem *p = lh_exec_problem(e);
    size_t slots = lh_div_up(total(p, p->n), LH_STREAM_CHUNK);
    e->workspace = sizeof(float) * (slots < MAX_SLOTS ? slots : MAX_SLOTS);
    lh_reduce_kind again = p->kind == LH_REDUCE_SUMSQ ? LH_REDUCE_SUM : p->kind;
    lehr_status st = lh_exec_kernel(e, SLOTS_KERNEL, "reduce/reduce.cl", kernel, "-DKIND=%d %s=%zu",
                                    (int)p->kind, define, value);
    if (st != LEHR_OK) return st;
    return lh_exec_kernel(e, ALL_KERNEL, "reduce/reduce.cl", kernel, "-DKIND=%d %s=%zu", (int)again,
                          define, value);
}

static lehr_status prepare_tree(lh_exec *e) {
    size_t local = lh_local_size(lh_device_traits(e->dev), 256);
    e->number[LOCAL] = (int64_t)local;
    return prepare(e, "reduce_tree", "-DLOCAL", local);
}

static lehr_status prepare_tasks(lh_exec *e) {
    e->number[LOCAL] = 1;
    return prepare(e, "reduce_tasks", "-DVW", lh_vector_width(lh_device_traits(e->dev)));
}

static lehr_status stage(lh_exec *e, unsigned kernel, cl_mem from, cl_mem to, size_t elements,
                         size_t slot) {
    size_t local = (size_t)e->number[LOCAL];
    lehr_status st = lh_kernel_args(e->dev, e->kernels[kernel], "mmll", from, to,
                                    (uint64_t)elements, (uint64_t)slot);
    if (st != LEHR_OK) return st;
    return lh_launch_groups(e->dev, e->kernels[kernel], lh_div_up(elements, slot), local);
}

static lehr_status run(lh_exec *e, const lh_args *a) {
    size_t elements = total(lh_exec_problem(e), a->n), slot = slot_size(elements);
    size_t slots = lh_div_up(elements, slot);
    lehr_status st = stage(e, SLOTS_KERNEL, a->buf[LH_REDUCE_X], a->workspace, elements, slot);
    if (st != LEHR_OK) return st;
    return stage(e, ALL_KERNEL, a->workspace, a->buf[LH_REDUCE_Y], slots, slots);
}

static const lh_operand operands[] = {{"x", LH_IN, LH_F32}, {"y", LH_OUT, LH_F32}};
static const lh_variant variants[] = {{"tasks_cpu", lh_declines_without_cpu, prepare_tasks, run},
                                      {"tree", lh_declines_never, prepare_tree, run}};

const lh_op lh_reduce_all = {"reduce",
                             sizeof(lh_reduce_problem),
                             LH_OPERANDS(operands),
                             LH_VARIANTS(variants),
                             count,
                             batch,
                             invalid,
                             lh_reduce_reference,
                             flops,
                             describe,
                             2e-6};
