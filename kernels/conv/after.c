/* SPDX-License-Identifier: MIT
 *
 * Behind backward data: other gradients added, a ReLU's mask and the sums of the batch normalisation before
 * it, in one pass over dx instead of three.  (In the convolutions' own epilogues this was slower: the
 * other operands come from memory, which waits less for one long pass.)  Slots are a function of the
 * problem, never of the device's threads. */
#include "kernels/conv/after.h"

#include <stdio.h>

#include "kernels/conv/variants.h"
#include "kernels/stream.h"

enum { PASS = 10, MERGE };     /* exec->kernels */
enum { PER = 20, PART };       /* number[]: pixels of a slot; where part begins, in floats */
enum { MAX_SLOTS = 1024, ALIGN = 16 /* floats */ };

static const lh_conv_problem *problem_of(const lh_exec *e) { return e->problem; }

static bool has_any(const lh_exec *e)
{
    return problem_of(e)->add || problem_of(e)->mask || problem_of(e)->norm != LH_CONV_NORM_NONE;
}

static size_t pixels(const lh_exec *e, int n)
{
    return (size_t)n * (size_t)problem_of(e)->h * (size_t)problem_of(e)->w;
}

/* Work-groups of after_groups.cl: channels x lanes.  Many pixels: wide lines of memory.  Few slots: many
 * lanes, so that a lane waits for few of them. */
static void group_shape(const lh_exec *e, unsigned kernel, size_t shape[2])
{
    size_t most = kernel == PASS ? 32 : 8;
    size_t group = lh_local_size(lh_device_traits(e->dev), 256), c = (size_t)problem_of(e)->c;
    shape[0] = 1;
    while (shape[0] < most && shape[0] < c && shape[0] < group) shape[0] *= 2;
    shape[1] = group / shape[0];
}

/* Vectors of channels that are gone through together. */
static int vectors_together(int vectors)
{
    return vectors % 4 == 0 ? 4 : vectors % 2 == 0 ? 2 : 1;
}

static lehr_status build(lh_exec *e, unsigned index, const char *kernel)
{
    const lh_conv_problem *p = e->problem;
    const lh_traits *traits = lh_device_traits(e->dev);
    unsigned width = lh_channel_width(traits, p->c);
    size_t shape[2];
    char geometry[64];
    group_shape(e, index, shape);
    if (traits->cpu_family)
        snprintf(geometry, sizeof geometry, "-DVW=%u -DVECTORS=%d", width,
                 vectors_together(p->c / (int)width));
    else
        snprintf(geometry, sizeof geometry, "-DLC=%zu -DLP=%zu", shape[0], shape[1]);
    return lh_exec_kernel(e, index,
                          traits->cpu_family ? "conv/after_tasks.cl" : "conv/after_groups.cl",
                          kernel, "-DC=%d %s -DADD=%d -DMASK=%d -DNORM=%d -DRELU=%d", p->c, geometry,
                          p->add, p->mask, p->norm != LH_CONV_NORM_NONE,
                          p->norm == LH_CONV_NORM_RELU);
}

lehr_status lh_conv_after_prepare(lh_exec *e)
{
    const lh_conv_problem *p = e->problem;
    if (!has_any(e)) return LEHR_OK;
    size_t m = pixels(e, p->n), per = lh_div_up(LH_STREAM_CHUNK, (size_t)p->c);
    if (per < lh_div_up(m, MAX_SLOTS)) per = lh_div_up(m, MAX_SLOTS);
    e->number[PER] = (int64_t)per;
    lehr_status st = build(e, PASS, "after_pass");
    if (st != LEHR_OK || p->norm == LH_CONV_NORM_NONE) return st;
    size_t part = lh_round_up(e->workspace / sizeof(float), ALIGN);
    e->number[PART] = (int64_t)part;
    e->workspace = (part + lh_div_up(m, per) * 2 * (size_t)p->c) * sizeof(float);
    return build(e, MERGE, "after_merge");
}

/* Per channel, and per slot of them. */
static lehr_status launch(lh_exec *e, unsigned kernel, size_t slots)
{
    const lh_traits *traits = lh_device_traits(e->dev);
    size_t shape[2], wide = (size_t)problem_of(e)->c;
    if (traits->cpu_family && kernel == PASS)
        return lh_launch_tasks(e->dev, e->kernels[kernel], slots, 1);
    if (traits->cpu_family)
        return lh_launch_tasks(e->dev, e->kernels[kernel],
                               wide / lh_channel_width(traits, problem_of(e)->c), 1);
    group_shape(e, kernel, shape);
    const size_t global[2] = {lh_round_up(wide, shape[0]), slots * shape[1]};
    return lh_launch(e->dev, e->kernels[kernel], 2, global, shape);
}

lehr_status lh_conv_after_run(lh_exec *e, const lh_args *a)
{
    const lh_conv_problem *p = e->problem;
    if (!has_any(e)) return LEHR_OK;
    size_t m = pixels(e, a->n), per = (size_t)e->number[PER], slots = lh_div_up(m, per);
    bool norm = p->norm != LH_CONV_NORM_NONE;
    lehr_status st = lh_kernel_args(
        e->dev, e->kernels[PASS], "mmmmmmluu", a->buf[LH_CONVD_DX],
        p->add ? a->buf[LH_CONVD_ADD] : NULL, p->mask ? a->buf[LH_CONVD_MASK] : NULL,
        norm ? a->buf[LH_CONVD_X] : NULL, norm ? a->buf[LH_CONVD_SAVED] : NULL,
        norm ? a->workspace : NULL, (uint64_t)e->number[PART], (unsigned)m, (unsigned)per);
    if (st == LEHR_OK) st = launch(e, PASS, slots);
    if (st != LEHR_OK || !norm) return st;
    st = lh_kernel_args(e->dev, e->kernels[MERGE], "mlum", a->workspace, (uint64_t)e->number[PART],
                        (unsigned)slots, a->buf[LH_CONVD_SUMS]);
    return st != LEHR_OK ? st : launch(e, MERGE, 1);
}
