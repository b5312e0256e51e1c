/* SPDX-License-Identifier: MIT
 *
 * The matrix product below the ops gemm and dense.*: one description, several backends.
 *   C[m][n] = act( alpha * op(A)[m][k] op(B)[k][n] + beta * C[m][n] + bias[n] )      row-major
 * A variant of either op is a backend plus the mapping of its operands onto an lh_matmul.  Backends
 * use kernel slots 0..LH_MATMUL_KERNELS-1 and numbers 0..LH_MATMUL_NUMBERS-1 of the exec; the op may
 * use those behind. */
#ifndef LH_MATMUL_H
#define LH_MATMUL_H

#include "kernels/op.h"

enum { LH_MATMUL_KERNELS = 4, LH_MATMUL_NUMBERS = 12 };

typedef struct lh_matmul {
    int m, n, k;
    bool trans_a, trans_b; /* A is stored [k][m], B is stored [n][k] */
    bool relu;             /* after the bias; a NaN stays a NaN */
    float alpha, beta;     /* beta = 0 never reads C */
    cl_mem a, b, c;
    cl_mem bias;      /* n numbers or NULL */
    cl_mem workspace; /* at least the bytes that prepare asked for */
} lh_matmul;

/* The flags that kernels get. */
enum { LH_MATMUL_BIAS = 1, LH_MATMUL_RELU = 2 };
static inline int lh_matmul_flags(const lh_matmul *p)
{
    return (p->bias ? LH_MATMUL_BIAS : 0) | (p->relu ? LH_MATMUL_RELU : 0);
}

typedef struct lh_matmul_backend {
    const char *(*declines)(const void *problem, const lh_traits *traits);
    /* largest: the biggest m, n, k that run will see (buffers unset); sets exec->workspace.  Run may
     * differ only in the dimension along which neighbours of A and B do not lie together. */
    lehr_status (*prepare)(lh_exec *exec, const lh_matmul *largest);
    lehr_status (*run)(lh_exec *exec, const lh_matmul *p);
} lh_matmul_backend;

/* One list: X(identifier, name of the variant), in the order of the variant tables. */
#define LH_MATMUL_BACKENDS(X)                                                                      \
    X(packed, "packed_cpu")                                                                        \
    X(tiled, "tiled")                                                                              \
    X(subgroup, "subgroup")                                                                        \
    X(clblast, "clblast")                                                                          \
    X(plain, "plain")

#define LH_MATMUL_EXTERN(id, name) extern const lh_matmul_backend lh_matmul_##id;
LH_MATMUL_BACKENDS(LH_MATMUL_EXTERN)
#undef LH_MATMUL_EXTERN

/* The backend of the variant that an exec was made for; the op's table must be in list order. */
const lh_matmul_backend *lh_matmul_of(const lh_exec *exec);

/* out[j] = sum over rows of x[row][j], x row-major [rows][cols]: partial sums of fixed slices of
 * rows, then the slices in order.  Uses kernel slots index and index + 1. */
size_t lh_column_sum_workspace(size_t rows, int cols);
lehr_status lh_column_sum_prepare(lh_exec *exec, unsigned index);
/* The partial sums lie offset bytes (a multiple of 4) into workspace. */
lehr_status lh_column_sum_run(lh_exec *exec, unsigned index, cl_mem x, size_t rows, int cols,
                              cl_mem out, cl_mem workspace, size_t offset);

#endif
