/* SPDX-License-Identifier: MIT
 *
 * GPU family: the 1x1 convolution with stride 1 and no padding is a plain matrix product over the
 * pixels, whose weights [K][C] need no packing: the tiled backend of kernels/gemm does all three
 * passes.  Pixels of a batch are the rows of x and dy. */
#include "kernels/conv/variants.h"
#include "kernels/gemm/matmul.h"

enum { BIAS_SUM = LH_MATMUL_KERNELS };
enum { SUM_OFFSET = LH_MATMUL_NUMBERS };

static const char *declines(const lh_conv_problem *p, const lh_traits *traits)
{
    if (p->r != 1 || p->s != 1 || p->stride_h != 1 || p->stride_w != 1)
        return "needs a 1x1 filter with stride 1";
    if (p->p != p->h || p->q != p->w || p->pad_top || p->pad_left) return "needs no padding";
    if (p->n * (double)p->h * (double)p->w > 2e9) return "the batch has more than 2e9 pixels";
    return lh_matmul_tiled.declines(p, traits);
}

static int pixels(const lh_conv_problem *p, int n) { return n * p->h * p->w; }

static lh_matmul forward_product(const lh_conv_problem *p, int n)
{
    return (lh_matmul){.m = pixels(p, n), .n = p->k, .k = p->c, .trans_b = true, .alpha = 1,
                       .relu = p->act == LH_ACT_RELU};
}

static lh_matmul data_product(const lh_conv_problem *p, int n)
{
    return (lh_matmul){.m = pixels(p, n), .n = p->c, .k = p->k, .alpha = 1};
}

static lh_matmul filter_product(const lh_conv_problem *p, int n)
{
    return (lh_matmul){.m = p->k, .n = p->c, .k = pixels(p, n), .trans_a = true, .alpha = 1};
}

const char *lh_conv_forward_gpu_pointwise_declines(const void *problem, const lh_traits *traits)
{
    return declines(problem, traits);
}

const char *lh_conv_data_gpu_pointwise_declines(const void *problem, const lh_traits *traits)
{
    return declines(problem, traits);
}

const char *lh_conv_filter_gpu_pointwise_declines(const void *problem, const lh_traits *traits)
{
    return declines(problem, traits);
}

lehr_status lh_conv_forward_gpu_pointwise_prepare(lh_exec *e)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    lh_matmul largest = forward_product(p, p->n);
    return lh_matmul_tiled.prepare(e, &largest);
}

lehr_status lh_conv_data_gpu_pointwise_prepare(lh_exec *e)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    lh_matmul largest = data_product(p, p->n);
    return lh_matmul_tiled.prepare(e, &largest);
}

lehr_status lh_conv_filter_gpu_pointwise_prepare(lh_exec *e)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    lh_matmul largest = filter_product(p, p->n);
    lehr_status st = lh_matmul_tiled.prepare(e, &largest);
    if (st != LEHR_OK || !p->bias) return st;
    e->number[SUM_OFFSET] = (int64_t)e->workspace;
    e->workspace += lh_column_sum_workspace((size_t)largest.k, p->k);
    return lh_column_sum_prepare(e, BIAS_SUM);
}

lehr_status lh_conv_forward_gpu_pointwise_run(lh_exec *e, const lh_args *a)
{
    lh_matmul p = forward_product(lh_exec_problem(e), a->n);
    p.a = a->buf[LH_CONVF_X];
    p.b = a->buf[LH_CONVF_W];
    p.c = a->buf[LH_CONVF_Y];
    p.bias = a->buf[LH_CONVF_BIAS];
    p.workspace = a->workspace;
    return lh_matmul_tiled.run(e, &p);
}

lehr_status lh_conv_data_gpu_pointwise_run(lh_exec *e, const lh_args *a)
{
    lh_matmul p = data_product(lh_exec_problem(e), a->n);
    p.a = a->buf[LH_CONVD_DY];
    p.b = a->buf[LH_CONVD_W];
    p.c = a->buf[LH_CONVD_DX];
    p.workspace = a->workspace;
    return lh_matmul_tiled.run(e, &p);
}

lehr_status lh_conv_filter_gpu_pointwise_run(lh_exec *e, const lh_args *a)
{
    const lh_conv_problem *problem = lh_exec_problem(e);
    lh_matmul p = filter_product(problem, a->n);
    p.a = a->buf[LH_CONVW_DY];
    p.b = a->buf[LH_CONVW_X];
    p.c = a->buf[LH_CONVW_DW];
    p.workspace = a->workspace;
    lehr_status st = lh_matmul_tiled.run(e, &p);
    if (st != LEHR_OK || !problem->bias) return st;
    return lh_column_sum_run(e, BIAS_SUM, p.a, (size_t)p.k, p.m, a->buf[LH_CONVW_DBIAS],
                             a->workspace, (size_t)e->number[SUM_OFFSET]);
}
