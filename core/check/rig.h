/* SPDX-License-Identifier: MIT
 *
 * An optimizer at work on a small arena of known numbers, for the checks that need a device. */
#ifndef LH_CHECK_TRIAL_H
#define LH_CHECK_TRIAL_H

#include "core/check/check.h"

/* A matrix, a vector, and a bias in a group of its own; weights before and behind belong to nobody.
 * A group reaches to the next one: what lies behind its tensors is padding. */
enum {
    LH_RIG_ARENA = 9216,
    LH_RIG_FIRST = 1024,
    LH_RIG_MATRIX = 4000, /* 100 x 40 */
    LH_RIG_VECTOR_AT = 5120,
    LH_RIG_VECTOR = 2000,
    LH_RIG_BIAS_AT = 7168,
    LH_RIG_BIAS = 700,
    LH_RIG_LAST = 8192,
    LH_RIG_SLOTS = 16
};

typedef struct lh_rig {
    lehr_checker *c;
    lehr_device *dev;
    const lehr_optimizer *d;
    lh_updater *updater;
    lh_subject subject; /* for its values */
    cl_mem weights, gradients, control;
    uint32_t *ids;      /* which numbers stand where; LH_RIG_ARENA of them */
    float *w, *g;       /* as last written or read */
    double lr;
} lh_rig;

/* How the arena is cut into groups. */
typedef enum lh_cut { LH_TWO_GROUPS, LH_ONE_GROUP } lh_cut;

/* spec NULL: defaults.  family 0: the device as it is; 1: taken for a GPU.  permuted: the numbers stand
 * in another order.  False after a verdict. */
bool lh_rig_open(lehr_checker *c, const lehr_optimizer *d, const char *spec, int family, lh_cut cut,
                   bool permuted, lh_rig *out);
void lh_rig_close(lh_rig *t);
/* The device; false after a verdict. */
bool lh_rig_device(lehr_checker *c, int family, lehr_device **out);

/* Number i of weights (draw 0) and of the gradient of an update, in [-1, 1). */
float lh_rig_number(uint64_t draw, uint32_t i);
void lh_rig_gradient(lh_rig *t, uint64_t update, double scale); /* into g */
bool lh_rig_put(lh_rig *t, cl_mem to, const float *from);
bool lh_rig_get(lh_rig *t, cl_mem from, float *to);
bool lh_rig_control(lh_rig *t, float scale, float halt);
/* Update number n with what is in g.  False after a verdict. */
bool lh_rig_step(lh_rig *t, uint64_t n);
/* Updates from..to with random gradients; weights are in w afterwards. */
bool lh_rig_run(lh_rig *t, uint64_t from, uint64_t to);
/* True for places that belong to a tensor. */
bool lh_rig_in_tensor(uint32_t i);
/* Each weight is updated on its own: nothing is summed over others. */
bool lh_rig_elementwise(const lehr_optimizer *d);

/* reference.c: the passes in double, by a kernel of this check's own; w (LH_RIG_ARENA numbers) holds
 * the weights before and after updates 1..count with random gradients.  False when the device or the
 * rule is not for it; reason says why. */
bool lh_rig_reference(lh_rig *t, uint64_t count, double *w, const char **reason);

#endif
