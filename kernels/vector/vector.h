/* SPDX-License-Identifier: MIT
 *
 * Elementwise helpers on flat buffers of n * per_image elements; a = scalar[0].
 *   axpy: y += a * x;  scale: y *= a;  fill: y = a;  clip: y = min(max(y, -a), a);  copy: y = x */
#ifndef LH_VECTOR_H
#define LH_VECTOR_H

#include "kernels/op.h"

typedef enum lh_vector_kind {
    LH_VECTOR_AXPY,
    LH_VECTOR_SCALE,
    LH_VECTOR_FILL,
    LH_VECTOR_CLIP,
    LH_VECTOR_COPY
} lh_vector_kind;

typedef struct lh_vector_problem {
    int n;
    size_t per_image;
    lh_vector_kind kind;
} lh_vector_problem;

enum { LH_VECTOR_X, LH_VECTOR_Y }; /* x only for axpy and copy */
extern const lh_op lh_vector;

/* The truth, in double. */
void lh_vector_reference(const void *problem, const lh_host_args *args);

#endif
