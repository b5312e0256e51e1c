/* SPDX-License-Identifier: MIT
 *
 * Residual addition: y = act(a + b), act none or ReLU. */
#ifndef LH_ADD_H
#define LH_ADD_H

#include "kernels/activation/activation.h"

typedef struct lh_add_problem {
    int n;
    size_t per_image;
    lh_activation act;
} lh_add_problem;

enum { LH_ADD_A, LH_ADD_B, LH_ADD_Y };
extern const lh_op lh_add_forward;

/* The truth, in double. */
void lh_add_reference(const void *problem, const lh_host_args *args);

#endif
