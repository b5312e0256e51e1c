/* SPDX-License-Identifier: MIT
 *
 * Matrix product, row-major: C[m][n] = alpha * op(A) op(B) + beta * C, op(A) [m][k], op(B) [k][n].
 * alpha = scalar[0], beta = scalar[1] (beta = 0 never reads C).  Variants: our own for CPUs (packed,
 * register tiles) and GPUs (local memory), CLBlast, plain. */
#ifndef LH_GEMM_H
#define LH_GEMM_H

#include "kernels/op.h"

typedef struct lh_gemm_problem {
    int m, n, k;
    bool trans_a, trans_b; /* A is stored [k][m], B is stored [n][k] */
} lh_gemm_problem;

enum { LH_GEMM_A, LH_GEMM_B, LH_GEMM_C };
extern const lh_op lh_gemm;

#endif
