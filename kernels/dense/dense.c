/* SPDX-License-Identifier: MIT
 *
 * The fully connected layer: its three passes as matrix products.
 *   forward          y[n][out]  = x[n][in]   w[out][in]^T   + bias, ReLU in the product's epilogue
 *   backward_data    dx[n][in]  = dy[n][out] w[out][in]
 *   backward_filter  dw[out][in] = dy[n][out]^T x[n][in],  dbias = column sums of dy
 * The variant tables are the list of matmul backends (kernels/gemm/matmul.h). */
#include "kernels/dense/dense.h"

#include <stdio.h>

#include "kernels/gemm/matmul.h"

void lh_dense_forward_reference(const void *problem, const lh_host_args *args);
void lh_dense_backward_data_reference(const void *problem, const lh_host_args *args);
void lh_dense_backward_filter_reference(const void *problem, const lh_host_args *args);

enum { BIAS_SUM = LH_MATMUL_KERNELS }; /* kernel slot behind the product's */
enum { SUM_OFFSET = LH_MATMUL_NUMBERS }; /* where dbias' partial sums lie in the workspace */

static int batch(const void *problem) { return ((const lh_dense_problem *)problem)->n; }

static size_t count_x(const lh_dense_problem *p, int n) { return (size_t)n * (size_t)p->in; }
static size_t count_y(const lh_dense_problem *p, int n) { return (size_t)n * (size_t)p->out; }
static size_t count_w(const lh_dense_problem *p) { return (size_t)p->out * (size_t)p->in; }
static size_t count_bias(const lh_dense_problem *p) { return p->bias ? (size_t)p->out : 0; }

static size_t count_forward(const void *p, unsigned operand, int n)
{
    switch (operand) {
    case LH_DENSEF_X: return count_x(p, n);
    case LH_DENSEF_W: return count_w(p);
    case LH_DENSEF_BIAS: return count_bias(p);
    default: return count_y(p, n);
    }
}

static size_t count_data(const void *p, unsigned operand, int n)
{
    switch (operand) {
    case LH_DENSED_DY: return count_y(p, n);
    case LH_DENSED_W: return count_w(p);
    default: return count_x(p, n);
    }
}

static size_t count_filter(const void *p, unsigned operand, int n)
{
    switch (operand) {
    case LH_DENSEW_X: return count_x(p, n);
    case LH_DENSEW_DY: return count_y(p, n);
    case LH_DENSEW_DW: return count_w(p);
    default: return count_bias(p);
    }
}

static const char *invalid(const void *problem)
{
    const lh_dense_problem *p = problem;
    if (p->n < 1 || p->in < 1 || p->out < 1) return "empty tensor";
    if (p->act != LH_ACT_NONE && p->act != LH_ACT_RELU) return "only ReLU can be fused";
    return NULL;
}

static double flops(const void *problem, int n)
{
    const lh_dense_problem *p = problem;
    return 2.0 * n * p->in * p->out;
}

static void describe(const void *problem, char *out, size_t size)
{
    const lh_dense_problem *p = problem;
    snprintf(out, size, "n=%d in=%d out=%d bias=%d act=%s", p->n, p->in, p->out, p->bias,
             lh_activation_name(p->act));
}

static lh_matmul forward_product(const lh_exec *e, int n)
{
    const lh_dense_problem *p = lh_exec_problem(e);
    return (lh_matmul){.m = n, .n = p->out, .k = p->in, .trans_b = true, .alpha = 1,
                       .relu = p->act == LH_ACT_RELU};
}

static lh_matmul data_product(const lh_exec *e, int n)
{
    const lh_dense_problem *p = lh_exec_problem(e);
    return (lh_matmul){.m = n, .n = p->in, .k = p->out, .alpha = 1};
}

static lh_matmul filter_product(const lh_exec *e, int n)
{
    const lh_dense_problem *p = lh_exec_problem(e);
    return (lh_matmul){.m = p->out, .n = p->in, .k = n, .trans_a = true, .alpha = 1};
}

static lehr_status prepare_forward(lh_exec *e)
{
    lh_matmul largest = forward_product(e, batch(e->problem));
    return lh_matmul_of(e)->prepare(e, &largest);
}

static lehr_status prepare_data(lh_exec *e)
{
    lh_matmul largest = data_product(e, batch(e->problem));
    return lh_matmul_of(e)->prepare(e, &largest);
}

static lehr_status prepare_filter(lh_exec *e)
{
    const lh_dense_problem *p = lh_exec_problem(e);
    lh_matmul largest = filter_product(e, p->n);
    lehr_status st = lh_matmul_of(e)->prepare(e, &largest);
    if (st != LEHR_OK || !p->bias) return st;
    e->workspace = lh_round_up(e->workspace, sizeof(float));
    e->number[SUM_OFFSET] = (int64_t)e->workspace;
    e->workspace += lh_column_sum_workspace((size_t)p->n, p->out);
    return lh_column_sum_prepare(e, BIAS_SUM);
}

static lehr_status run_forward(lh_exec *e, const lh_args *a)
{
    lh_matmul p = forward_product(e, a->n);
    p.a = a->buf[LH_DENSEF_X];
    p.b = a->buf[LH_DENSEF_W];
    p.c = a->buf[LH_DENSEF_Y];
    p.bias = a->buf[LH_DENSEF_BIAS];
    p.workspace = a->workspace;
    return lh_matmul_of(e)->run(e, &p);
}

static lehr_status run_data(lh_exec *e, const lh_args *a)
{
    lh_matmul p = data_product(e, a->n);
    p.a = a->buf[LH_DENSED_DY];
    p.b = a->buf[LH_DENSED_W];
    p.c = a->buf[LH_DENSED_DX];
    p.workspace = a->workspace;
    return lh_matmul_of(e)->run(e, &p);
}

static lehr_status run_filter(lh_exec *e, const lh_args *a)
{
    const lh_dense_problem *problem = lh_exec_problem(e);
    lh_matmul p = filter_product(e, a->n);
    p.a = a->buf[LH_DENSEW_DY];
    p.b = a->buf[LH_DENSEW_X];
    p.c = a->buf[LH_DENSEW_DW];
    p.workspace = a->workspace;
    lehr_status st = lh_matmul_of(e)->run(e, &p);
    if (st != LEHR_OK || !problem->bias) return st;
    return lh_column_sum_run(e, BIAS_SUM, p.a, (size_t)a->n, problem->out,
                             a->buf[LH_DENSEW_DBIAS], a->workspace,
                             (size_t)e->number[SUM_OFFSET]);
}

#define DECLINES(id, name)                                                                         \
    static const char *declines_##id(const void *problem, const lh_traits *traits)                 \
    {                                                                                              \
        return lh_matmul_##id.declines(problem, traits);                                           \
    }
LH_MATMUL_BACKENDS(DECLINES)

#define FORWARD(id, name) {name, declines_##id, prepare_forward, run_forward},
#define DATA(id, name) {name, declines_##id, prepare_data, run_data},
#define FILTER(id, name) {name, declines_##id, prepare_filter, run_filter},
static const lh_variant forward_variants[] = {LH_MATMUL_BACKENDS(FORWARD)};
static const lh_variant data_variants[] = {LH_MATMUL_BACKENDS(DATA)};
static const lh_variant filter_variants[] = {LH_MATMUL_BACKENDS(FILTER)};

static const lh_operand forward_operands[] = {
    {"x", LH_IN, LH_F32}, {"w", LH_IN, LH_F32}, {"bias", LH_IN, LH_F32}, {"y", LH_OUT, LH_F32}};
static const lh_operand data_operands[] = {
    {"dy", LH_IN, LH_F32}, {"w", LH_IN, LH_F32}, {"dx", LH_OUT, LH_F32}};
static const lh_operand filter_operands[] = {{"x", LH_IN, LH_F32},
                                             {"dy", LH_IN, LH_F32},
                                             {"dw", LH_OUT, LH_F32},
                                             {"dbias", LH_OUT, LH_F32}};

static size_t terms_forward(const void *problem, int n)
{
    (void)n;
    return (size_t)((const lh_dense_problem *)problem)->in;
}

static size_t terms_data(const void *problem, int n)
{
    (void)n;
    return (size_t)((const lh_dense_problem *)problem)->out;
}

static size_t terms_filter(const void *problem, int n)
{
    (void)problem;
    return (size_t)n;
}

const lh_op lh_dense_forward = {
    "dense.forward", sizeof(lh_dense_problem), LH_OPERANDS(forward_operands),
    LH_VARIANTS(forward_variants), count_forward, batch, invalid, lh_dense_forward_reference, flops,
    describe, 0, terms_forward};
const lh_op lh_dense_backward_data = {
    "dense.backward_data", sizeof(lh_dense_problem), LH_OPERANDS(data_operands),
    LH_VARIANTS(data_variants), count_data, batch, invalid, lh_dense_backward_data_reference, flops,
    describe, 0, terms_data};
const lh_op lh_dense_backward_filter = {
    "dense.backward_filter", sizeof(lh_dense_problem), LH_OPERANDS(filter_operands),
    LH_VARIANTS(filter_variants), count_filter, batch, invalid,
    lh_dense_backward_filter_reference, flops, describe, 0, terms_filter};
