/* SPDX-License-Identifier: MIT
 *
 * The plain backend: one work-item per element, on every device.  The last row of the tables. */
#include "kernels/gemm/matmul.h"

enum { LOCAL };

static const char *declines(const void *problem, const lh_traits *traits)
{
    (void)problem;
    (void)traits;
    return NULL;
}

static lehr_status prepare(lh_exec *e, const lh_matmul *largest)
{
    (void)largest;
    e->number[LOCAL] = (int64_t)lh_local_size(lh_device_traits(e->dev), 128);
    return lh_exec_kernel(e, 0, "gemm/plain.cl", "matmul_plain", "-DLOCAL=%d",
                          (int)e->number[LOCAL]);
}

static lehr_status run(lh_exec *e, const lh_matmul *p)
{
    uint64_t a_row = p->trans_a ? 1 : (uint64_t)p->k, a_k = p->trans_a ? (uint64_t)p->m : 1;
    uint64_t b_k = p->trans_b ? 1 : (uint64_t)p->n, b_col = p->trans_b ? (uint64_t)p->k : 1;
    lehr_status st = lh_kernel_args(e->dev, e->kernels[0], "mmmmiiillllffi", p->a, p->b, p->c,
                                    p->bias, p->m, p->n, p->k, a_row, a_k, b_k, b_col,
                                    (double)p->alpha, (double)p->beta, lh_matmul_flags(p));
    if (st != LEHR_OK) return st;
    return lh_launch_1d(e->dev, e->kernels[0], (size_t)p->m * (size_t)p->n,
                        (size_t)e->number[LOCAL]);
}

const lh_matmul_backend lh_matmul_plain = {declines, prepare, run};
