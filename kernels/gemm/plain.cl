/* SPDX-License-Identifier: MIT
 *
 * C[m][n] = act(alpha * op(A) op(B) + beta * C + bias), one work-item per element of C.
 * Any device; A and B are read through strides, so one program serves all transposes.
 * Launch: 1-D, m * n work-items rounded up to LOCAL.  Sums over k in ascending order. */
#include "common.cl"

#define HAS_BIAS 1
#define HAS_RELU 2

__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
void matmul_plain(__global const float *a, __global const float *b, __global float *c,
                  __global const float *bias, int m, int n, int k, ulong a_row, ulong a_k,
                  ulong b_k, ulong b_col, float alpha, float beta, int flags)
{
    size_t at = get_global_id(0), row = at / n, col = at % n;
    if (row >= (size_t)m) return;
    __global const float *x = a + row * a_row, *y = b + col * b_col;
    float sum = 0.0f;
    for (int i = 0; i < k; i++) sum = fma(x[i * a_k], y[i * b_k], sum);
    sum *= alpha;
    if (beta != 0.0f) sum = fma(beta, c[at], sum);
    if (flags & HAS_BIAS) sum += bias[col];
    if (flags & HAS_RELU) sum = sum < 0.0f ? 0.0f : sum;
    c[at] = sum;
}
