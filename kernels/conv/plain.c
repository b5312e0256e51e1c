/* SPDX-License-Identifier: MIT
 *
 * Host side of plain.cl: the variants that take every problem on every device. */
#include "kernels/conv/variants.h"

enum { LOCAL }; /* exec->number */

#define SHAPE_TYPES "iiiiiiiiiiii"
#define SHAPE(p)                                                                                   \
    p->c, p->h, p->w, p->k, p->r, p->s, p->stride_h, p->stride_w, p->pad_top, p->pad_left, p->p,  \
        p->q

static const char *takes_all(const void *problem, const lh_traits *traits)
{
    (void)problem;
    (void)traits;
    return NULL;
}

static lehr_status prepare(lh_exec *e, unsigned index, const char *kernel)
{
    e->number[LOCAL] = (int64_t)lh_local_size(lh_device_traits(e->dev), 64);
    return lh_exec_kernel(e, index, "conv/plain.cl", kernel, "-DLOCAL=%d", (int)e->number[LOCAL]);
}

static lehr_status launch(lh_exec *e, unsigned index, size_t count)
{
    return lh_launch_1d(e->dev, e->kernels[index], count, (size_t)e->number[LOCAL]);
}

const char *lh_conv_forward_plain_declines(const void *problem, const lh_traits *traits)
{
    return takes_all(problem, traits);
}

lehr_status lh_conv_forward_plain_prepare(lh_exec *e) { return prepare(e, 0, "conv_forward"); }

lehr_status lh_conv_forward_plain_run(lh_exec *e, const lh_args *a)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    size_t count = lh_conv_y_count(p, a->n);
    lehr_status st =
        lh_kernel_args(e->dev, e->kernels[0], "mmmmli" SHAPE_TYPES, a->buf[LH_CONVF_X],
                       a->buf[LH_CONVF_W], p->bias ? a->buf[LH_CONVF_BIAS] : NULL,
                       a->buf[LH_CONVF_Y], (uint64_t)count, (int)(p->act == LH_ACT_RELU), SHAPE(p));
    return st != LEHR_OK ? st : launch(e, 0, count);
}

const char *lh_conv_data_plain_declines(const void *problem, const lh_traits *traits)
{
    return takes_all(problem, traits);
}

lehr_status lh_conv_data_plain_prepare(lh_exec *e) { return prepare(e, 0, "conv_backward_data"); }

lehr_status lh_conv_data_plain_run(lh_exec *e, const lh_args *a)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    size_t count = lh_conv_x_count(p, a->n);
    lehr_status st = lh_kernel_args(e->dev, e->kernels[0], "mmml" SHAPE_TYPES, a->buf[LH_CONVD_DY],
                                    a->buf[LH_CONVD_W], a->buf[LH_CONVD_DX], (uint64_t)count,
                                    SHAPE(p));
    return st != LEHR_OK ? st : launch(e, 0, count);
}

const char *lh_conv_filter_plain_declines(const void *problem, const lh_traits *traits)
{
    return takes_all(problem, traits);
}

lehr_status lh_conv_filter_plain_prepare(lh_exec *e)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    lehr_status st = prepare(e, 0, "conv_backward_filter");
    return st != LEHR_OK || !p->bias ? st : prepare(e, 1, "conv_backward_bias");
}

lehr_status lh_conv_filter_plain_run(lh_exec *e, const lh_args *a)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    size_t count = lh_conv_w_count(p);
    lehr_status st =
        lh_kernel_args(e->dev, e->kernels[0], "mmmli" SHAPE_TYPES, a->buf[LH_CONVW_X],
                       a->buf[LH_CONVW_DY], a->buf[LH_CONVW_DW], (uint64_t)count, a->n, SHAPE(p));
    if (st == LEHR_OK) st = launch(e, 0, count);
    if (st != LEHR_OK || !p->bias) return st;
    st = lh_kernel_args(e->dev, e->kernels[1], "mmiiii", a->buf[LH_CONVW_DY],
                        a->buf[LH_CONVW_DBIAS], a->n, p->k, p->p, p->q);
    return st != LEHR_OK ? st : launch(e, 1, (size_t)p->k);
}
