/* SPDX-License-Identifier: MIT
 *
 * Activation functions, elementwise over any layout.
 *   forward:  y = f(x)
 *   backward: dx = dy * f'(x)            (dx may be the same buffer as dy)
 * relu max(x, 0); leaky x > 0 ? x : slope * x; sigmoid 1 / (1 + e^-x); tanh; gelu x * Phi(x) with
 * the exact error function; silu x * sigmoid(x). */
#ifndef LH_ACTIVATION_H
#define LH_ACTIVATION_H

#include "kernels/op.h"

/* X(enum suffix, name in model files) */
#define LH_ACTIVATIONS(X)                                                                          \
    X(RELU, "relu")                                                                                \
    X(LEAKY, "leaky")                                                                              \
    X(SIGMOID, "sigmoid")                                                                          \
    X(TANH, "tanh")                                                                                \
    X(GELU, "gelu")                                                                                \
    X(SILU, "silu")

#define LH_ACT_ENUM(suffix, name) LH_ACT_##suffix,
typedef enum lh_activation { LH_ACT_NONE, LH_ACTIVATIONS(LH_ACT_ENUM) LH_ACT_COUNT } lh_activation;
#undef LH_ACT_ENUM

typedef struct lh_activation_problem {
    int n;              /* images */
    size_t per_image;   /* elements of one image */
    lh_activation kind; /* not LH_ACT_NONE */
    float slope;        /* of leaky; ignored by the others */
} lh_activation_problem;

/* Operands of lh_activation_forward and lh_activation_backward. */
enum { LH_ACTF_X, LH_ACTF_Y };
enum { LH_ACTB_X, LH_ACTB_DY, LH_ACTB_DX };

extern const lh_op lh_activation_forward, lh_activation_backward;

/* "relu" …; LH_ACT_NONE when the name is unknown.  And back. */
lh_activation lh_activation_find(const char *name);
const char *lh_activation_name(lh_activation kind);

#endif
