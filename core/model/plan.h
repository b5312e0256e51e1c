/* SPDX-License-Identifier: MIT
 *
 * A network being planned; for core/model/plan*.c only.  plan.c has the values, the steps and the
 * problems of the ops, and decides what is fused; plan_forward.c and plan_backward.c make the steps of
 * the two directions. */
#ifndef LH_PLAN_H
#define LH_PLAN_H

#include "core/model/network_internal.h"
#include "kernels/batchnorm/batchnorm.h"
#include "kernels/conv/conv.h"
#include "kernels/dense/dense.h"
#include "kernels/dropout/dropout.h"
#include "kernels/flatten/flatten.h"
#include "kernels/pool/pool.h"
#include "kernels/shortcut/shortcut.h"

typedef struct lh_plan {
    lh_network *net;
    const lehr_model *m;
    int *consumers;     /* per layer: how many layers read it */
    int *fused_into;    /* per layer: the layer that computes it too, or -1 */
    int *eval_value;    /* per layer: the value evaluation reads (dropout reads through) */
    int *saved;         /* per batch normalisation: value of its saved statistics */
    int *statistics;    /* per convolution that makes a batch normalisation's: value, else -1 */
    int *sums;          /* per batch normalisation whose backward sums are given: value, else -1 */
    int *addition;      /* per batch normalisation: the addition that it computes too, or -1 */
    int *addend;        /* per such addition: that batch normalisation, or -1 */
    int *pooling;       /* per batch normalisation or conv: the pooling that it computes too, or -1 */
    int *where;         /* per max pooling: value that says where its maxima were, or -1 */
    int *pooled;        /* per such pooling: that layer, or -1 */
    int *gradient;      /* per layer: value of d output, or -1 */
    int *gradient_uses; /* per value: layers that still have it as their gradient */
    bool *needs_gradient;
    bool *undone;       /* per layer: the gradient has been through its fused ReLU already */
    int time;
    lehr_status status;
    lh_net_step scrap; /* written to, never read, when planning has failed already */
} lh_plan;

/* ---- plan.c: a failure stays in p->status; what is returned then may be used, to no effect ---- */
/* A new tensor of the timeline, alive from now on; its number. */
int lh_plan_value(lh_plan *p, size_t elements);
size_t lh_plan_per_image(const lh_layer *l);
/* One for a layer's output, for the whole batch. */
int lh_plan_output(lh_plan *p, int layer);
/* Appends a step at the current time; operands start out fixed and empty. */
lh_net_step *lh_plan_step(lh_plan *p, const lh_op *op, const void *problem, int layer,
                          lh_phase phase);
/* The step reads or writes a value, which lives until then at least. */
void lh_plan_use(lh_plan *p, lh_net_step *s, int operand, int value);
/* The step's operand is a tensor of a layer, "weight", …, or its gradient. */
void lh_plan_bind(lh_plan *p, lh_net_step *s, int operand, int layer, const char *suffix,
                  bool gradient);
/* False for -1, too. */
bool lh_plan_is_norm(const lh_plan *p, int layer);
lh_activation lh_plan_fused_act(const lh_plan *p, int layer);

/* Problems of the ops, from layers. */
lh_conv_problem lh_plan_conv(const lh_plan *p, int layer);
lh_dense_problem lh_plan_dense(const lh_plan *p, int layer);
lh_pool_problem lh_plan_pool(const lh_plan *p, int layer);
lh_batchnorm_problem lh_plan_norm(const lh_plan *p, int layer);
lh_shortcut_problem lh_plan_shortcut(const lh_plan *p, int layer);
lh_flatten_problem lh_plan_flatten(const lh_plan *p, int layer);
lh_activation_problem lh_plan_act(const lh_plan *p, int layer);
lh_dropout_problem lh_plan_dropout(const lh_plan *p, int layer);

/* ---- plan_forward.c ---- */
void lh_plan_forward(lh_plan *p);
void lh_plan_loss(lh_plan *p);

/* ---- plan_backward.c ---- */
/* Layer i, after all that read it. */
void lh_plan_backward(lh_plan *p, int i);

#endif
