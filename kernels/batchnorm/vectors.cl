/* SPDX-License-Identifier: MIT
 *
 * What tasks.cl and pooled_tasks.cl have in common; their heads name the options. */
#include "common.cl"

#define WIDE (BLOCK * VW)
#define ZERO ((LH_V)(0.0f))

/* A NaN stays a NaN: it is not below zero. */
#if RELU
#define ACT(z) select(z, ZERO, (z) < ZERO)
#define THROUGH(x, dy, scale, shift) select(ZERO, dy, fma(x, scale, shift) > ZERO)
#else
#define ACT(z) (z)
#define THROUGH(x, dy, scale, shift) (dy)
#endif

#if PAST
#define PUT LH_VSTREAM
#else
#define PUT LH_VSTORE
#endif
