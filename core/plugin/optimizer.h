/* SPDX-License-Identifier: MIT
 *
 * core/plugin/optimizer.h: an optimizer rule at work on the flat arenas of weights and gradients.
 *
 * The rule comes from a plugin as text; each pass becomes one launch per parameter group over a
 * contiguous range, passes without a reduction between them one launch together.  Learning rate,
 * parameters and scalars are kernel arguments: a schedule never compiles anything.  The updater owns
 * the slots (momentum and the like), each as large as the arena and laid out like it. */
#ifndef LH_PLUGIN_OPTIMIZER_H
#define LH_PLUGIN_OPTIMIZER_H

#include "core/runtime/runtime.h"
#include <lehr/schedule.h>

/* One tensor in the arena. */
typedef struct lh_param {
    const char *name;
    uint32_t role;        /* LEHR_ROLE_... of lehr/plugin.h */
    size_t offset, count; /* elements; offsets are padded to base_align */
    uint64_t dims[4];
    uint32_t ndim, group;
} lh_param;

/* Parameters that are updated with the same numbers: a contiguous range of the arena, its padding
 * included. */
typedef struct lh_param_group {
    const char *name;
    size_t offset, count;
    double lr_scale;           /* multiplies the learning rate of this group */
    double weight_decay_scale; /* 0: no weight decay (biases, normalisation) */
} lh_param_group;

/* Matrix products for optimizers that need them, from a floor above: C = alpha op(A) op(B) + beta C,
 * row-major and dense; A is stored [k][m] with trans_a, B [n][k] with trans_b. */
typedef struct lh_product {
    int m, n, k;
    bool trans_a, trans_b;
    float alpha, beta;
    cl_mem a, b, c;
} lh_product;
typedef struct lh_products {
    lehr_status (*create)(lehr_device *dev, void **self);
    lehr_status (*run)(void *self, const lh_product *product);
    void (*destroy)(void **self);
} lh_products;

/* Weights and gradients are buffers of count floats with the same layout.  Padding must hold finite
 * numbers.  The arrays are copied, the buffers are not retained. */
typedef struct lh_arena_layout {
    cl_mem weights, gradients;
    size_t count;
    const lh_param *params;
    uint32_t param_count;
    const lh_param_group *groups;
    uint32_t group_count;
    const lh_products *products; /* NULL: rules that need matrix products fail */
} lh_arena_layout;

typedef struct lh_updater lh_updater;

/* Compiles the rule of spec ("adam(beta1=0.9)", "keras3:adam") and makes its slots.  weight_decay:
 * the user's, NaN when not given (the rule's own default or the spec's value then holds).  Errors:
 * LEHR_E_USAGE, LEHR_E_PARAM, LEHR_E_PLUGIN, LEHR_E_UNSUPPORTED (parts of the ABI this version does
 * not run), LEHR_E_DEVICE (the rule does not compile; the message points into its text). */
lehr_status lh_updater_create(lehr_device *dev, lehr_registry *reg, const char *spec,
                              double weight_decay, const lh_arena_layout *layout, lh_updater **out);
void lh_updater_destroy(lh_updater **updater);

/* The learning rate that schedules start from, for rules that ask for it (a weight decay that follows
 * the schedule but not its base).  Not set: each update's own. */
void lh_updater_set_base_lr(lh_updater *updater, double base_lr);

/* Queues one update of all groups.  t counts updates from 1; lr is the scheduled value of this
 * update; control is a device buffer of two floats {gradient scale, halt}: gradients are multiplied
 * by the first; when the second is not 0 nothing is changed, weights and slots keep their bits
 * (host state moves on unless the rule reads numbers back: save it before if an update may be tried
 * again).  At t = 1 slots that start as a copy of the weights are filled.  Waits only for rules with
 * LEHR_OVER_ALL_TO_HOST. */
lehr_status lh_updater_step(lh_updater *updater, uint64_t t, double lr, cl_mem control);
/* Launches every kernel once with the halt flag up, which it leaves up in control. */
lehr_status lh_updater_warm_up(lh_updater *updater, cl_mem control);
/* The loss of the step whose update is next, for rules that need it: without one, or with one that
 * is not finite, lh_updater_step changes nothing for them. */
bool lh_updater_needs_loss(const lh_updater *updater);
void lh_updater_set_loss(lh_updater *updater, double loss);
/* Weights for evaluation: from enter to leave the arena holds the weights that the rule wants to be
 * judged by; without a rule of its own for leaving they are put back bit for bit.  t: updates made; 0:
 * nothing is done.  enter after enter, and leave without, do nothing. */
bool lh_updater_has_eval(const lh_updater *updater);
lehr_status lh_updater_enter_eval(lh_updater *updater, uint64_t t, cl_mem control);
lehr_status lh_updater_leave_eval(lh_updater *updater, uint64_t t, cl_mem control);
/* Parameter `param` (its place in the rule's table) of a group, from the next update on; it starts as
 * the spec's value, times weight_decay_scale where it is weight_decay.  A kernel argument: nothing is
 * compiled.  The caller has checked the range. */
void lh_updater_set_param(lh_updater *updater, uint32_t group, uint32_t param, double value);
/* A group's learning rate in place of lr * lr_scale, from the next update on, and what its schedule
 * starts from; lr NaN: as without. */
void lh_updater_set_lr(lh_updater *updater, uint32_t group, double lr, double base_lr);
/* The float handed to the kernel in the last update (of a group with lr_scale 1). */
float lh_updater_last_lr(const lh_updater *updater);
/* The rule with every value, "sgd(momentum=0.9, …)"; valid while the updater lives. */
const char *lh_updater_text(const lh_updater *updater);
/* The generated kernel. */
const char *lh_updater_source(const lh_updater *updater);

/* Device state for checkpoints: whole buffers of layout.count floats (no scratch slots). */
uint32_t lh_updater_slot_count(const lh_updater *updater);
const char *lh_updater_slot_name(const lh_updater *updater, uint32_t i);
cl_mem lh_updater_slot(const lh_updater *updater, uint32_t i);

/* Host state for checkpoints: the rule's state variables, one set for the whole run. */
uint32_t lh_updater_state_count(const lh_updater *updater);
void lh_updater_get_state(const lh_updater *updater, double *out);
void lh_updater_set_state(lh_updater *updater, const double *in);

/* Bytes of slots per weight, scratch slots included, for tables. */
uint32_t lh_updater_bytes_per_weight(const lh_updater *updater);

#endif
