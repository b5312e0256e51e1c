/* SPDX-License-Identifier: MIT
 *
 * The inside of a network; for core/model only.  plan*.c makes the steps, weights.c the tensors,
 * network.c the buffers and the running. */
#ifndef LH_NETWORK_INTERNAL_H
#define LH_NETWORK_INTERNAL_H

#include "core/model/network.h"

enum { LH_FIXED = -1 }; /* an operand that is no value: a parameter, a statistic, a label */

/* A tensor in the timeline.  first: -1 exists before step 0; last: the last step that reads it. */
typedef struct lh_value {
    size_t bytes;
    int first, last;
    int block; /* and where in it */
    size_t offset;
    cl_mem mem; /* a view of the block */
} lh_value;

typedef enum lh_phase { LH_PHASE_TRAIN, LH_PHASE_EVAL, LH_PHASE_LOSS, LH_PHASE_BACKWARD } lh_phase;

typedef struct lh_net_step {
    lh_exec *exec;
    lh_phase phase;
    int layer, time;
    int value[LH_MAX_OPERANDS]; /* value number, or LH_FIXED and args.buf is set */
    lh_args args;
} lh_net_step;

typedef struct lh_block {
    size_t bytes;
    cl_mem mem;
} lh_block;

struct lh_network {
    lehr_context *ctx;
    lehr_device *dev;
    const lehr_model *model;
    int batch;
    lh_loss_kind loss;
    bool training, tags;

    lh_named_tensor *tensors;
    uint32_t tensor_count;
    lh_param *params;
    lh_param_group *groups;
    lh_arena_layout layout;
    cl_mem stats;
    size_t stats_count;
    cl_mem *tensor_view;   /* per tensor: its part of weights or stats */
    cl_mem *gradient_view; /* per tensor: its part of gradients; NULL for stats */

    lh_value *values;
    int value_count, value_capacity;
    lh_net_step *steps;
    int step_count, step_capacity;
    lh_block *blocks;
    int block_count;
    int input_value, logits_value;
    int *layer_value; /* per layer: the value of its output */
    int *done_in;     /* per layer: the layer whose step computes it too, or -1 */
    cl_mem labels, loss_values, correct_values, workspace;
    struct lh_filters *filters; /* transformed once a forward pass; NULL: none */
    size_t workspace_bytes, bytes, least_bytes;
};

/* weights.c */
lehr_status lh_network_make_tensors(lh_network *net, const lh_grouping *grouping);
/* Number of a layer's tensor, "weight", "bias", "running_mean", "running_var"; -1 when it has none. */
int lh_network_find_tensor(const lh_network *net, int layer, const char *suffix);
/* plan.c: steps and values, lifetimes included. */
lehr_status lh_network_plan(lh_network *net);
/* filters.c: finds what can be made of the weights ahead; and queues it, before every forward pass. */
lehr_status lh_network_plan_filters(lh_network *net);
lehr_status lh_network_make_filters(lh_network *net);

#endif
