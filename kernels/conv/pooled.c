/* SPDX-License-Identifier: MIT
 *
 * Forward convolution: 2x2 max pooling behind it for variants that do not do it themselves. */
#include "kernels/conv/pooled.h"

#include "kernels/conv/variants.h"
#include "kernels/pool/pool.h"
#include "kernels/stream.h"

enum { PASS = 9 }; /* exec->kernels */

static bool apart(const lh_exec *e)
{
    return ((const lh_conv_problem *)e->problem)->pool && !e->number[LH_CONV_POOLS];
}

lehr_status lh_conv_pooled_prepare(lh_exec *e)
{
    if (!apart(e)) return LEHR_OK;
    const lh_conv_problem *p = e->problem;
    size_t at = lh_round_up(e->workspace, lh_device_traits(e->dev)->base_align);
    e->number[LH_CONV_POOLED_AT] = (int64_t)at;
    e->workspace = at + lh_conv_y_count(p, p->n) * sizeof(float);
    return lh_stream_kernel(e, PASS, LH_STREAM_ELEMENTWISE, "pool/elements.cl", "pool_forward",
                            "-DMAX=1 -DC=%d -DH=%d -DW=%d -DR=2 -DS=2 -DSTRIDE_H=2 -DSTRIDE_W=2 "
                            "-DTOP=0 -DLEFT=0 -DP=%d -DQ=%d -DRELU=%d -DWHERE=%d",
                            p->k, p->p, p->q, p->p / 2, p->q / 2, p->act == LH_ACT_RELU, p->where);
}

static lehr_status run_apart(lh_exec *e, const lh_args *a, lh_args *inner,
                             lehr_status (*run)(lh_exec *exec, const lh_args *args))
{
    cl_mem y = inner->buf[LH_CONVF_Y];
    size_t count = e->op->count(e->problem, LH_CONVF_Y, a->n);
    lehr_status st = run(e, inner);
    if (st == LEHR_OK)
        st = lh_kernel_args(e->dev, e->kernels[PASS], "mmml", y, a->buf[LH_CONVF_Y],
                            a->buf[LH_CONVF_WHERE], (uint64_t)count);
    return st != LEHR_OK ? st : lh_stream_launch(e, PASS, LH_STREAM_ELEMENTWISE, count, count);
}

lehr_status lh_conv_pooled_run(lh_exec *e, const lh_args *a,
                               lehr_status (*run)(lh_exec *exec, const lh_args *args))
{
    if (!apart(e)) return run(e, a);
    lh_args inner = *a;
    size_t bytes = lh_conv_y_count(e->problem, a->n) * sizeof(float);
    lehr_status st = lh_buffer_view(e->dev, a->workspace, (size_t)e->number[LH_CONV_POOLED_AT], bytes,
                                    &inner.buf[LH_CONVF_Y]);
    if (st != LEHR_OK) return st;
    st = run_apart(e, a, &inner, run);
    lh_buffer_free(&inner.buf[LH_CONVF_Y]);
    return st;
}
