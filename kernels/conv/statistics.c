/* SPDX-License-Identifier: MIT
 *
 * Forward convolution: statistics of y for the batch normalisation behind it, whichever variant made y. */
#include "kernels/conv/statistics.h"

#include "kernels/conv/variants.h"

enum { PASS = 10, MERGE };            /* exec->kernels */
enum { PASS_PER = 22 };               /* number[]: pixels of a part of PASS, else 0 */
enum { MAX_PARTS = 1024, ALIGN = 16 /* floats */ };

static size_t pixels(const lh_conv_problem *p, int n)
{
    return (size_t)n * (size_t)p->p * (size_t)p->q;
}

/* Work-groups of channels x lanes: neighbours read neighbouring channels. */
static void group_shape(const lh_exec *e, size_t most_channels, size_t shape[2])
{
    size_t group = lh_local_size(lh_device_traits(e->dev), 256);
    size_t k = (size_t)((const lh_conv_problem *)e->problem)->k;
    shape[0] = 1;
    while (shape[0] < most_channels && shape[0] < k && shape[0] < group) shape[0] *= 2;
    shape[1] = group / shape[0];
}

/* Many pixels: wide lines of memory.  Few parts: many lanes, so that a lane waits for few of them. */
static void shape_of(const lh_exec *e, unsigned kernel, size_t shape[2])
{
    group_shape(e, kernel == PASS ? 32 : 8, shape);
}

static lehr_status build(lh_exec *e, unsigned index, const char *kernel)
{
    size_t shape[2];
    shape_of(e, index, shape);
    return lh_exec_kernel(e, index, "conv/gpu_statistics.cl", kernel, "-DC=%d -DLC=%zu -DLP=%zu",
                          ((const lh_conv_problem *)e->problem)->k, shape[0], shape[1]);
}

lehr_status lh_conv_statistics_prepare(lh_exec *e)
{
    const lh_conv_problem *p = e->problem;
    if (!p->stats) return LEHR_OK;
    size_t m = pixels(p, p->n), shape[2];
    e->number[PASS_PER] = 0;
    if (e->number[LH_STATS_PER] == 0) {
        shape_of(e, PASS, shape);
        size_t per = lh_div_up(m, MAX_PARTS), least = 8 * shape[1];
        e->number[LH_STATS_PER] = e->number[PASS_PER] = (int64_t)(per > least ? per : least);
        lehr_status st = build(e, PASS, "statistics_pass");
        if (st != LEHR_OK) return st;
    }
    size_t at = lh_round_up(e->workspace / sizeof(float), ALIGN);
    size_t parts = lh_div_up(m, (size_t)e->number[LH_STATS_PER]);
    e->number[LH_STATS_AT] = (int64_t)at;
    e->workspace = (at + parts * 2 * (size_t)p->k) * sizeof(float);
    return build(e, MERGE, "statistics_merge");
}

static lehr_status launch(lh_exec *e, unsigned kernel, size_t parts)
{
    size_t shape[2], k = (size_t)((const lh_conv_problem *)e->problem)->k;
    shape_of(e, kernel, shape);
    const size_t global[2] = {lh_round_up(k, shape[0]), parts * shape[1]};
    return lh_launch(e->dev, e->kernels[kernel], 2, global, shape);
}

lehr_status lh_conv_statistics_run(lh_exec *e, const lh_args *a)
{
    const lh_conv_problem *p = e->problem;
    if (!p->stats) return LEHR_OK;
    unsigned m = (unsigned)pixels(p, a->n), per = (unsigned)e->number[LH_STATS_PER];
    uint64_t at = (uint64_t)e->number[LH_STATS_AT];
    lehr_status st = LEHR_OK;
    if (e->number[PASS_PER]) {
        st = lh_kernel_args(e->dev, e->kernels[PASS], "mmluu", a->buf[LH_CONVF_Y], a->workspace, at, m,
                            per);
        if (st == LEHR_OK) st = launch(e, PASS, lh_div_up(m, per));
    }
    if (st == LEHR_OK)
        st = lh_kernel_args(e->dev, e->kernels[MERGE], "mluum", a->workspace, at, m, per,
                            a->buf[LH_CONVF_STATS]);
    return st != LEHR_OK ? st : launch(e, MERGE, 1);
}
