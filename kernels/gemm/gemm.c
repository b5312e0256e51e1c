/* SPDX-License-Identifier: MIT
 *
 * The gemm op: problem, checks, and its variant table made from the list of matmul backends. */
#include "kernels/gemm/gemm.h"

#include <stdio.h>

#include "kernels/gemm/matmul.h"

void lh_gemm_reference(const void *problem, const lh_host_args *a);

static const lh_matmul_backend *const backends[] = {
#define BACKEND(id, name) &lh_matmul_##id,
    LH_MATMUL_BACKENDS(BACKEND)
#undef BACKEND
};

const lh_matmul_backend *lh_matmul_of(const lh_exec *exec)
{
    return backends[exec->variant - exec->op->variants];
}

static size_t count(const void *problem, unsigned operand, int n)
{
    const lh_gemm_problem *p = problem;
    (void)n;
    if (operand == LH_GEMM_A) return (size_t)p->m * (size_t)p->k;
    if (operand == LH_GEMM_B) return (size_t)p->k * (size_t)p->n;
    return (size_t)p->m * (size_t)p->n;
}

static int batch(const void *problem)
{
    (void)problem;
    return 1; /* no images */
}

static const char *invalid(const void *problem)
{
    const lh_gemm_problem *p = problem;
    return p->m < 1 || p->n < 1 || p->k < 1 ? "empty matrix" : NULL;
}

static double flops(const void *problem, int n)
{
    const lh_gemm_problem *p = problem;
    (void)n;
    return 2.0 * p->m * p->n * p->k;
}

/* C is not read: beta is 0 in every use of ours. */
static double bytes(const void *problem, int n)
{
    return 4.0 * (double)(count(problem, LH_GEMM_A, n) + count(problem, LH_GEMM_B, n) +
                          count(problem, LH_GEMM_C, n));
}

static void describe(const void *problem, char *out, size_t size)
{
    const lh_gemm_problem *p = problem;
    snprintf(out, size, "m=%d n=%d k=%d trans_a=%d trans_b=%d", p->m, p->n, p->k, p->trans_a,
             p->trans_b);
}

static lh_matmul product(const lh_exec *e)
{
    const lh_gemm_problem *p = lh_exec_problem(e);
    return (lh_matmul){.m = p->m, .n = p->n, .k = p->k, .trans_a = p->trans_a,
                       .trans_b = p->trans_b, .alpha = 1};
}

static lehr_status prepare(lh_exec *e)
{
    lh_matmul largest = product(e);
    return lh_matmul_of(e)->prepare(e, &largest);
}

static lehr_status run(lh_exec *e, const lh_args *a)
{
    lh_matmul p = product(e);
    p.a = a->buf[LH_GEMM_A];
    p.b = a->buf[LH_GEMM_B];
    p.c = a->buf[LH_GEMM_C];
    p.alpha = a->scalar[0];
    p.beta = a->scalar[1];
    p.workspace = a->workspace;
    return lh_matmul_of(e)->run(e, &p);
}

#define DECLINES(id, name)                                                                         \
    static const char *declines_##id(const void *problem, const lh_traits *traits)                 \
    {                                                                                              \
        return lh_matmul_##id.declines(problem, traits);                                           \
    }
LH_MATMUL_BACKENDS(DECLINES)

#define ROW(id, name) {name, declines_##id, prepare, run},
static const lh_variant variants[] = {LH_MATMUL_BACKENDS(ROW)};

static const lh_operand operands[] = {
    {"a", LH_IN, LH_F32}, {"b", LH_IN, LH_F32}, {"c", LH_INOUT, LH_F32}};

static size_t terms(const void *problem, int n)
{
    (void)n;
    return (size_t)((const lh_gemm_problem *)problem)->k;
}

const lh_op lh_gemm = {"gemm", sizeof(lh_gemm_problem), LH_OPERANDS(operands),
                       LH_VARIANTS(variants), count, batch, invalid, lh_gemm_reference, flops,
                       describe, 0, terms, .bytes = bytes};
