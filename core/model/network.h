/* SPDX-License-Identifier: MIT
 *
 * A network is a model on a device: parameters in flat arenas, an ordered list of prepared kernels
 * for forward, loss and backward, and buffers shared by lifetime.
 *
 *   weights    one arena, every tensor padded to the device's alignment, one contiguous range a
 *              parameter group; without groups of the user's group 0 holds what weight decay applies to
 *              (conv and dense weights), group 1 biases and normalisation
 *   gradients  the same layout
 *   stats      running mean and variance of batch normalisation
 *   values     activations and their gradients: in memory that is re-used when their last reader has run
 *
 * Everything is queued in order; nothing here waits. */
#ifndef LH_NETWORK_H
#define LH_NETWORK_H

#include "core/model/tensors.h"
#include "core/plugin/optimizer.h"
#include "kernels/loss/loss.h"
#include "kernels/op.h"

typedef struct lh_network lh_network;

/* Matrix products on the device for optimizers; networks put them into their layout. */
extern const lh_products lh_gemm_products;

/* Which parameter group each tensor belongs to.  Groups are contiguous in the arena, in this order. */
typedef struct lh_grouping {
    const lh_param_group *groups; /* offset and count are found; names must outlive the network */
    uint32_t count;
    const uint32_t *of;           /* by number of lh_model_tensors; not read for statistics */
} lh_grouping;

/* training false: only the evaluation steps and no gradients.  grouping NULL: two groups, weights and
 * bias_norm (without weight decay).  Errors: LEHR_E_DEVICE (memory: the
 * message says how much the plan wants), LEHR_E_UNSUPPORTED, LEHR_E_MEMORY. */
lehr_status lh_network_create(lehr_device *dev, const lehr_model *model, int batch,
                              lh_loss_kind loss, bool training, lh_network **out);
lehr_status lh_network_create_grouped(lehr_device *dev, const lehr_model *model, int batch,
                                      lh_loss_kind loss, bool training,
                                      const lh_grouping *grouping, lh_network **out);
void lh_network_destroy(lh_network **net);

/* Initial weights (Philox: element, LH_STREAM_INIT, tensor number) and running statistics. */
lehr_status lh_network_initialise(lh_network *net, uint64_t seed);

/* The largest rate of the model's dropout layers, 0: none. */
double lh_model_dropout(const lehr_model *model);
/* Rate of the layers with that rate in the passes to come; the others keep their proportion to it.  A
 * kernel argument; rate == lh_model_dropout() is the model as it is, bit for bit. */
void lh_network_set_dropout(lh_network *net, double rate);
/* Forward pass of n images from lh_network_input.  train: batch statistics and dropout keyed by
 * (seed, draw); else running statistics, no dropout. */
lehr_status lh_network_forward(lh_network *net, int n, bool train, uint64_t seed, uint32_t draw);
/* Momentum of the running statistics of all layers from now on; 0: each layer's own.  1 / k at batch k
 * gives the plain mean over batches. */
void lh_network_set_momentum(lh_network *net, float momentum);
/* Loss and correctness per sample, and d logits times scale. */
lehr_status lh_network_loss(lh_network *net, int n, float smoothing, float scale);
/* All gradients into the gradient arena (overwritten). */
lehr_status lh_network_backward(lh_network *net, int n);
/* Runs everything once on poor data so that drivers compile every launch before step 0.  Call before
 * lh_network_initialise. */
lehr_status lh_network_warm_up(lh_network *net);

cl_mem lh_network_input(const lh_network *net);         /* f32 NHWC [batch] */
cl_mem lh_network_labels(const lh_network *net);        /* i32 [batch] */
cl_mem lh_network_loss_values(const lh_network *net);   /* f32 [batch] */
cl_mem lh_network_correct_values(const lh_network *net);/* f32 [batch] */
cl_mem lh_network_logits(const lh_network *net);        /* f32 [batch][classes] */
const lh_arena_layout *lh_network_layout(const lh_network *net);
cl_mem lh_network_stats(const lh_network *net);
size_t lh_network_stats_count(const lh_network *net);   /* elements */
uint32_t lh_network_tensor_count(const lh_network *net);
const lh_named_tensor *lh_network_tensor(const lh_network *net, uint32_t i);
int lh_network_batch(const lh_network *net);
const lehr_model *lh_network_model(const lh_network *net);
/* Bytes of all device buffers of the network; lh_network_memory tells them apart. */
size_t lh_network_bytes(const lh_network *net);
typedef struct lh_network_memory {
    size_t weights;   /* and gradients, running statistics, labels, losses */
    size_t values;    /* activations and their gradients, placed by lifetime */
    size_t least;     /* most of these alive at one time: no plan needs less */
    size_t workspace;
} lh_network_memory;
lh_network_memory lh_network_get_memory(const lh_network *net);

/* Variants chosen, one line each "layer op variant", for run.json. */
void lh_network_describe(const lh_network *net, lh_str *out);

/* Name of the layer whose step computes this one's output too; NULL: its own, if any. */
const char *lh_network_done_in(const lh_network *net, int layer);

/* Profiling: tag 2 * layer is forward, 2 * layer + 1 backward; layers + 1 pairs (last: loss). */
void lh_network_set_tags(lh_network *net, bool on);

/* After a forward pass gone wrong: name of the first layer, in order, whose parameters or output are
 * not finite, and which of the two; NULL when everything is finite.  Waits.  Needs values that are
 * still there: it re-runs the forward pass layer by layer. */
lehr_status lh_network_find_nonfinite(lh_network *net, int n, uint64_t seed, uint32_t draw,
                                      const char **layer, const char **what);

#endif
