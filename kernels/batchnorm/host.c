/* SPDX-License-Identifier: MIT
 *
 * Building and launching batch normalisation.  Slots are a fixed function of the problem (never of
 * the device's threads): "per" pixels each, at most MAX_SLOTS of them. */
#include "kernels/batchnorm/host.h"

#include <stdio.h>

#include "kernels/stream.h"

enum { MAX_SLOTS = 1024, MAX_COLUMNS = 1024 };

/* number[]: */
enum {
    TASKS, /* 1: kernels of tasks.cl, 0: of groups.cl */
    PER,   /* pixels of a slot */
    APPLY, /* tasks: pixels of x of a task of apply; groups: work-group size */
    LANES_C,
    LANES_P, /* tasks: vector width, 1; groups: work-group of the sums */
    MERGE_C,
    MERGE_P, /* the same of the slots' sums */
};

/* kernels[], in order of launch: */
enum { SUMS, MERGE, LAST };
/* MERGE where statistics are given; its work-groups. */
enum { GIVEN_LOCAL = 64 };

static size_t pixels(const lh_exec *e, int n) {
    return (size_t)n * ((const lh_batchnorm_problem *)e->problem)->hw;
}

static size_t most(size_t a, size_t b) {
    return a > b ? a : b;
}

/* Vectors summed at a time, at most `limit`: their sums, and the channel's numbers, stay in registers. */
static int block_size(int vectors, int limit) {
    for (int block = limit; block > 1; block--)
        if (vectors % block == 0) return block;
    return 1;
}

/* A given dy has been through the ReLU's backward already. */
static bool relu(const lh_exec *e)
{
    const lh_batchnorm_problem *p = e->problem;
    return p->act == LH_ACT_RELU && !(p->given && e->op == &lh_batchnorm_backward);
}

static bool backward(const lh_exec *e) {
    return e->op == &lh_batchnorm_backward;
}

/* Pixels that a task takes together. */
static size_t unit(const lh_exec *e)
{
    const lh_batchnorm_problem *p = lh_exec_problem(e);
    if (p->pool == LH_BATCHNORM_MAX2) return 2 * (size_t)p->w;
    return p->pool == LH_BATCHNORM_MEAN && !backward(e) ? (size_t)p->hw : 1;
}

/* Bytes of what apply writes. */
static size_t applied(const lh_exec *e)
{
    _Static_assert((int)LH_BNT_Y == (int)LH_BNE_Y, "y is one operand of train and eval");
    const lh_batchnorm_problem *p = lh_exec_problem(e);
    return sizeof(float) * e->op->count(p, backward(e) ? LH_BNB_DX : LH_BNT_Y, p->n);
}

static void tasks_geometry(lh_exec *e, unsigned kernel, char *shape, size_t size) {
    (void)kernel;
    const lh_batchnorm_problem *p = lh_exec_problem(e);
    unsigned width = lh_channel_width(lh_device_traits(e->dev), p->c);
    size_t chunk = most(1, LH_STREAM_CHUNK / (size_t)p->c);
    size_t per = most(chunk, lh_div_up(pixels(e, p->n), MAX_SLOTS));
    int limit = 8;
    if (backward(e) && p->pool == LH_BATCHNORM_MAX2) /* half a row's gradients wait: 32 KiB at most */
        while (limit > 1 && (size_t)limit * width * (size_t)p->w > 8192) limit--;
    e->number[TASKS] = 1;
    e->number[PER] = (int64_t)(backward(e) ? lh_round_up(per, unit(e)) : per);
    e->number[APPLY] = (int64_t)lh_round_up(chunk, unit(e));
    e->number[LANES_C] = width;
    e->number[LANES_P] = 1;
    snprintf(shape, size, "-DC=%d -DVW=%u -DBLOCK=%d", p->c, width,
             block_size(p->c / (int)width, limit));
}

/* Channels of a work-group, a power of two. */
static size_t channel_lanes(const lh_batchnorm_problem *p, size_t most_lanes, size_t group)
{
    size_t lanes = 1;
    while (lanes < most_lanes && lanes < (size_t)p->c && lanes < group) lanes *= 2;
    return lanes;
}

/* Many pixels: wide lines of memory.  Few slots: many lanes, so that a lane waits for few of them. */
static void groups_geometry(lh_exec *e, unsigned kernel, char *shape, size_t size) {
    const lh_batchnorm_problem *p = lh_exec_problem(e);
    const lh_traits *traits = lh_device_traits(e->dev);
    size_t local = lh_local_size(traits, 128), group = lh_local_size(traits, 256);
    size_t lanes_c = channel_lanes(p, 32, group), lanes_p = group / lanes_c;
    size_t merge_c = channel_lanes(p, 8, group);
    /* A few dozen pixels per lane, and enough groups to fill a device. */
    size_t per = most(lanes_p, 4096 / (size_t)p->c);
    e->number[TASKS] = 0;
    e->number[PER] = (int64_t)most(per, lh_div_up(pixels(e, p->n), MAX_SLOTS));
    e->number[APPLY] = (int64_t)local;
    e->number[LANES_C] = (int64_t)lanes_c;
    e->number[LANES_P] = (int64_t)lanes_p;
    e->number[MERGE_C] = (int64_t)merge_c;
    e->number[MERGE_P] = (int64_t)(group / merge_c);
    if (kernel == MERGE) lanes_c = merge_c;
    snprintf(shape, size, "-DC=%d -DLC=%zu -DLP=%zu -DLOCAL=%zu", p->c, lanes_c, group / lanes_c, local);
}

/* What kernels that see the activation, an addition or a pooling need beside the shape.  The others go
 * without, and layers of one shape share them. */
static void full_options(const lh_exec *e, const char *shape, char *options, size_t size)
{
    const lh_batchnorm_problem *p = lh_exec_problem(e);
    int end = snprintf(options, size, "%s -DRELU=%d -DADD=%d", shape, relu(e), p->add);
    size_t at = (size_t)end;
    if (e->number[TASKS])
        at += (size_t)snprintf(options + at, size - at, " -DPAST=%d -DAPPLY=%d",
                               applied(e) >= LH_PAST_CACHES, (int)e->number[APPLY]);
    if (p->pool == LH_BATCHNORM_MAX2) snprintf(options + at, size - at, " -DPOOL=1 -DW=%d", p->w);
    if (p->pool == LH_BATCHNORM_MEAN) snprintf(options + at, size - at, " -DPOOL=2 -DHW=%d", p->hw);
}

/* Floats of part [slots][2][C]. */
static size_t part_size(const lh_exec *e) {
    const lh_batchnorm_problem *p = lh_exec_problem(e);
    return lh_div_up(pixels(e, p->n), (size_t)e->number[PER]) * 2 * (size_t)p->c;
}

/* Where a family's kernel for this problem is. */
static const char *source(const lh_exec *e, bool tasks, unsigned kernel)
{
    const lh_batchnorm_problem *p = lh_exec_problem(e);
    if (!tasks) return "batchnorm/groups.cl";
    bool pooled = p->pool == LH_BATCHNORM_MAX2 ? kernel == LAST || (backward(e) && kernel == SUMS)
                                               : p->pool && kernel == LAST && !backward(e);
    return pooled ? "batchnorm/pooled_tasks.cl" : "batchnorm/tasks.cl";
}

static lehr_status prepare(lh_exec *e, bool tasks, const char *const kernels[3]) {
    char shape[128], options[256];
    lehr_status st = LEHR_OK;
    for (unsigned i = 0; i < 3 && st == LEHR_OK; i++) {
        bool general = i == MERGE || (i == SUMS && !backward(e));
        (tasks ? tasks_geometry : groups_geometry)(e, i, shape, sizeof shape);
        full_options(e, shape, options, sizeof options);
        if (kernels[i])
            st = lh_exec_kernel(e, i, source(e, tasks, i), kernels[i], "%s",
                                general ? shape : options);
    }
    return st;
}

const char *lh_batchnorm_declines_backward_tasks(const void *problem, const lh_traits *traits)
{
    const lh_batchnorm_problem *p = problem;
    if (p->pool == LH_BATCHNORM_MAX2 && p->w > MAX_COLUMNS) return "pools rows of at most 1024 pixels";
    return lh_declines_without_cpu(problem, traits);
}

static lehr_status prepare_train(lh_exec *e, bool tasks) {
    static const char *const kernels[] = {"batchnorm_statistics", "batchnorm_merge",
                                          "batchnorm_apply"};
    static const char *const given[] = {NULL, NULL, "batchnorm_apply"};
    const lh_batchnorm_problem *p = lh_exec_problem(e);
    lehr_status st = prepare(e, tasks, p->given ? given : kernels);
    if (!p->given) e->workspace = sizeof(float) * part_size(e);
    if (st != LEHR_OK || !p->given) return st;
    return lh_exec_kernel(e, MERGE, "batchnorm/given.cl", "batchnorm_given", "-DC=%d -DLOCAL=%zu", p->c,
                          lh_local_size(lh_device_traits(e->dev), GIVEN_LOCAL));
}

static lehr_status prepare_eval(lh_exec *e, bool tasks) {
    static const char *const kernels[] = {NULL, "batchnorm_coefficients", "batchnorm_apply"};
    const lh_batchnorm_problem *p = lh_exec_problem(e);
    e->workspace = sizeof(float) * 2 * (size_t)p->c;
    return prepare(e, tasks, kernels);
}

static lehr_status prepare_backward(lh_exec *e, bool tasks) {
    static const char *const kernels[] = {"batchnorm_backward_sums", "batchnorm_backward_merge",
                                          "batchnorm_backward_apply"};
    static const char *const given[] = {NULL, "batchnorm_backward_merge",
                                        "batchnorm_backward_apply"};
    const lh_batchnorm_problem *p = lh_exec_problem(e);
    lehr_status st = prepare(e, tasks, p->given ? given : kernels);
    e->workspace = sizeof(float) * ((p->given ? 0 : part_size(e)) + 3 * (size_t)p->c);
    return st;
}

lehr_status lh_batchnorm_prepare_train_tasks(lh_exec *e) {
    return prepare_train(e, true);
}
lehr_status lh_batchnorm_prepare_train_groups(lh_exec *e) {
    return prepare_train(e, false);
}
lehr_status lh_batchnorm_prepare_eval_tasks(lh_exec *e) {
    return prepare_eval(e, true);
}
lehr_status lh_batchnorm_prepare_eval_groups(lh_exec *e) {
    return prepare_eval(e, false);
}
lehr_status lh_batchnorm_prepare_backward_tasks(lh_exec *e) {
    return prepare_backward(e, true);
}
lehr_status lh_batchnorm_prepare_backward_groups(lh_exec *e) {
    return prepare_backward(e, false);
}

/* ---- launches: per slot, per channel, per pixel ---- */

static lehr_status launch_sums(lh_exec *e, size_t m, unsigned kernel) {
    const lh_batchnorm_problem *p = lh_exec_problem(e);
    size_t slots = lh_div_up(m, (size_t)e->number[PER]);
    if (e->number[TASKS]) return lh_launch_tasks(e->dev, e->kernels[kernel], slots, 1);
    const size_t local[2] = {(size_t)e->number[LANES_C], (size_t)e->number[LANES_P]};
    const size_t global[2] = {lh_round_up((size_t)p->c, local[0]), slots * local[1]};
    return lh_launch(e->dev, e->kernels[kernel], 2, global, local);
}

static lehr_status launch_merge(lh_exec *e) {
    const lh_batchnorm_problem *p = lh_exec_problem(e);
    if (e->number[TASKS])
        return lh_launch_tasks(e->dev, e->kernels[MERGE], (size_t)(p->c / e->number[LANES_C]), 1);
    const size_t local[2] = {(size_t)e->number[MERGE_C], (size_t)e->number[MERGE_P]};
    const size_t global[2] = {lh_round_up((size_t)p->c, local[0]), local[1]};
    return lh_launch(e->dev, e->kernels[MERGE], 2, global, local);
}

static lehr_status launch_apply(lh_exec *e, const lh_args *a) {
    size_t size = (size_t)e->number[APPLY], m = pixels(e, a->n);
    if (e->number[TASKS]) return lh_launch_tasks(e->dev, e->kernels[LAST], lh_div_up(m, size), 1);
    unsigned written = backward(e) ? LH_BNB_DX : LH_BNT_Y;
    return lh_launch_1d(e->dev, e->kernels[LAST], e->op->count(e->problem, written, a->n), size);
}

static lehr_status run_given(lh_exec *e, const lh_args *a, size_t m, double momentum)
{
    const lh_batchnorm_problem *p = lh_exec_problem(e);
    lehr_status st = lh_kernel_args(e->dev, e->kernels[MERGE], "mmmmmmuff", a->buf[LH_BNT_STATS],
                                    a->buf[LH_BNT_GAMMA], a->buf[LH_BNT_BETA],
                                    a->buf[LH_BNT_RUNNING_MEAN], a->buf[LH_BNT_RUNNING_VAR],
                                    a->buf[LH_BNT_SAVED], (unsigned)m, (double)p->eps, momentum);
    return st != LEHR_OK ? st
                         : lh_launch_1d(e->dev, e->kernels[MERGE], (size_t)p->c,
                                        lh_local_size(lh_device_traits(e->dev), GIVEN_LOCAL));
}

/* saved and the running statistics. */
static lehr_status run_statistics(lh_exec *e, const lh_args *a, size_t m)
{
    const lh_batchnorm_problem *p = lh_exec_problem(e);
    unsigned count = (unsigned)m, per = (unsigned)e->number[PER];
    double momentum = (double)(a->scalar[0] > 0 ? a->scalar[0] : p->momentum);
    if (p->given) return run_given(e, a, m, momentum);
    lehr_status st = lh_kernel_args(e->dev, e->kernels[SUMS], "mmuu", a->buf[LH_BNT_X],
                                    a->workspace, count, per);
    if (st == LEHR_OK) st = launch_sums(e, m, SUMS);
    if (st == LEHR_OK)
        st = lh_kernel_args(e->dev, e->kernels[MERGE], "mmmmmmuuff", a->workspace,
                            a->buf[LH_BNT_GAMMA], a->buf[LH_BNT_BETA], a->buf[LH_BNT_RUNNING_MEAN],
                            a->buf[LH_BNT_RUNNING_VAR], a->buf[LH_BNT_SAVED], count, per,
                            (double)p->eps, momentum);
    return st != LEHR_OK ? st : launch_merge(e);
}

/* NULL where the problem does not have it. */
static cl_mem added(const lh_exec *e, const lh_args *a, unsigned operand)
{
    return ((const lh_batchnorm_problem *)e->problem)->add ? a->buf[operand] : NULL;
}

lehr_status lh_batchnorm_run_train(lh_exec *e, const lh_args *a)
{
    size_t m = pixels(e, a->n);
    lehr_status st = run_statistics(e, a, m);
    if (st == LEHR_OK)
        st = lh_kernel_args(e->dev, e->kernels[LAST], "mmmmu", a->buf[LH_BNT_X],
                            a->buf[LH_BNT_SAVED], added(e, a, LH_BNT_ADD), a->buf[LH_BNT_Y],
                            (unsigned)m);
    return st != LEHR_OK ? st : launch_apply(e, a);
}

lehr_status lh_batchnorm_run_eval(lh_exec *e, const lh_args *a) {
    const lh_batchnorm_problem *p = lh_exec_problem(e);
    size_t m = pixels(e, a->n);
    lehr_status st = lh_kernel_args(e->dev, e->kernels[MERGE], "mmmmmf", a->buf[LH_BNE_GAMMA],
                                    a->buf[LH_BNE_BETA], a->buf[LH_BNE_MEAN], a->buf[LH_BNE_VAR],
                                    a->workspace, (double)p->eps);
    if (st == LEHR_OK) st = launch_merge(e);
    if (st == LEHR_OK)
        st = lh_kernel_args(e->dev, e->kernels[LAST], "mmmmu", a->buf[LH_BNE_X], a->workspace,
                            added(e, a, LH_BNE_ADD), a->buf[LH_BNE_Y], (unsigned)m);
    return st != LEHR_OK ? st : launch_apply(e, a);
}

lehr_status lh_batchnorm_run_backward(lh_exec *e, const lh_args *a) {
    const lh_batchnorm_problem *p = lh_exec_problem(e);
    size_t m = pixels(e, a->n);
    unsigned count = (unsigned)m, per = p->given ? count : (unsigned)e->number[PER];
    lehr_status st = LEHR_OK;
    if (!p->given) {
        st = lh_kernel_args(e->dev, e->kernels[SUMS], "mmmmuu", a->buf[LH_BNB_X],
                            a->buf[LH_BNB_DY], a->buf[LH_BNB_SAVED], a->workspace, count, per);
        if (st == LEHR_OK) st = launch_sums(e, m, SUMS);
    }
    if (st == LEHR_OK)
        st = lh_kernel_args(e->dev, e->kernels[MERGE], "mmimmmmuu", a->workspace,
                            p->given ? a->buf[LH_BNB_SUMS] : a->workspace, p->given ? 0 : 3 * p->c,
                            a->buf[LH_BNB_GAMMA], a->buf[LH_BNB_SAVED], a->buf[LH_BNB_DGAMMA],
                            a->buf[LH_BNB_DBETA], count, per);
    if (st == LEHR_OK) st = launch_merge(e);
    if (st == LEHR_OK)
        st = lh_kernel_args(e->dev, e->kernels[LAST], "mmmmmu", a->buf[LH_BNB_X], a->buf[LH_BNB_DY],
                            a->buf[LH_BNB_SAVED], a->workspace, a->buf[LH_BNB_DX], count);
    return st != LEHR_OK ? st : launch_apply(e, a);
}
