/* SPDX-License-Identifier: MIT
 *
 * The truth for gemm, in double. */
#include "kernels/gemm/gemm.h"

void lh_gemm_reference(const void *problem, const lh_host_args *args);

void lh_gemm_reference(const void *problem, const lh_host_args *args)
{
    const lh_gemm_problem *p = problem;
    const double *a = args->buf[LH_GEMM_A], *b = args->buf[LH_GEMM_B];
    double *c = args->buf[LH_GEMM_C], alpha = args->scalar[0], beta = args->scalar[1];
    size_t m = (size_t)p->m, n = (size_t)p->n, k = (size_t)p->k;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t l = 0; l < k; l++)
                sum += a[p->trans_a ? l * m + i : i * k + l] *
                       b[p->trans_b ? j * k + l : l * n + j];
            c[i * n + j] = alpha * sum + (beta != 0 ? beta * c[i * n + j] : 0);
        }
}
