/* SPDX-License-Identifier: MIT
 *
 * core/plugin/updater.h: the inside of an updater.  Only core/plugin includes it.
 *   optimizer.c   making one, slots, state, looking at it
 *   arena.c       groups, tensors, the table of chunks
 *   update.c      one update: passes, reductions, host numbers
 *   evaluation.c  weights for evaluation
 *   custom.c      lehr.custom/1 and lehr.device/1 */
#ifndef LH_PLUGIN_UPDATER_H
#define LH_PLUGIN_UPDATER_H

#include "core/plugin/opaque.h"
#include "core/plugin/optimizer.h"
#include "core/plugin/rule.h"

typedef struct lh_group {
    size_t offset, count;
    double lr_scale, weight_decay_scale;
    double own_lr, own_base; /* in place of lr * lr_scale; own_lr NaN: none */
    uint32_t first_chunk, chunk_count;
} lh_group;

/* A tensor, or a whole group where the layout names no tensors. */
typedef struct lh_target {
    const char *name;
    uint32_t role, group, ndim;
    uint64_t dims[4];
    size_t offset, count;
    bool claimed; /* by lehr.custom/1: no pass sees it */
} lh_target;

typedef struct lh_chunk { /* as in the generated source */
    cl_ulong first;
    cl_uint count, tensor;
} lh_chunk;

typedef struct lh_custom_side lh_custom_side;

struct lh_updater {
    lehr_device *dev;
    lehr_context *ctx;
    lh_host host;
    lh_rule rule;
    bool open;    /* rule is open */
    void *self;
    bool created; /* self came from create() */
    lh_keeper keeper;

    cl_mem weights, gradients;
    size_t count;
    lh_group *groups;
    lh_target *tensors;
    uint32_t group_count, tensor_count, chunk_count;
    char *names; /* of the tensors */

    size_t local;                       /* 0: CPU family */
    cl_kernel *kernels, finish;         /* by stage, then enter_eval, leave_eval */
    cl_mem chunks, begin;               /* table of chunks; first chunk and end of each tensor */
    cl_mem partial, values;             /* of reductions */

    cl_mem *slots;        /* by slot of the rule; NULL: takes no memory */
    uint32_t *saved;      /* slots that a checkpoint holds */
    uint32_t saved_count;
    double *state, *before; /* host state; before this update */
    double *scalars;      /* [pass, enter_eval, leave_eval][group][scalar] */
    double *params;       /* [group][parameter]: what the next update uses */
    double *all;          /* lehr_update.all */

    double loss;          /* of the step that is next, NaN: not told */
    double base_lr;       /* 0: not set */
    float last_lr;
    cl_mem *kept;         /* during evaluation: copies of what enter_eval changes; weights, slots */
    bool in_evaluation;
    lh_custom_side *custom;
    lh_str text, source;
};

/* optimizer.c: size of a work-group over a range, 0 on the CPU family. */
size_t lh_updater_local(const lehr_device *dev);

/* arena.c */
lehr_status lh_updater_copy_layout(lh_updater *u, const lh_arena_layout *layout);
/* After claims: the table of chunks and what reductions need. */
lehr_status lh_updater_make_chunks(lh_updater *u);

/* update.c */
lehr_status lh_updater_failed(lh_updater *u, lehr_status st);
/* What a callback is told; group group_count: the run as a whole, with the first group's values. */
lehr_update lh_updater_describe(lh_updater *u, uint32_t group, uint32_t pass, uint64_t t, double lr);
/* Asks scalar() for one group and pass; fails on numbers that are not finite. */
lehr_status lh_updater_ask_scalar(lh_updater *u, uint32_t group, uint32_t pass, uint64_t t,
                                  double lr);
/* One launch: a stage on a group. */
lehr_status lh_updater_launch(lh_updater *u, uint32_t stage, uint32_t group, double lr,
                              cl_mem control);

/* custom.c */
lehr_status lh_custom_open(lh_updater *u, const lh_arena_layout *layout);
void lh_custom_close(lh_updater *u);
lehr_status lh_custom_step(lh_updater *u, uint64_t t, double lr, cl_mem control);

#endif
