/* SPDX-License-Identifier: MIT
 *
 * The truth for activations, in double. */
#include "kernels/activation/activation.h"

#include <math.h>

static const double sqrt_half = 0.70710678118654752440, inv_sqrt_2pi = 0.39894228040143267794;

static double value(lh_activation kind, double x, double slope)
{
    switch (kind) {
    case LH_ACT_RELU:
        return x > 0 ? x : 0;
    case LH_ACT_LEAKY:
        return x > 0 ? x : slope * x;
    case LH_ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case LH_ACT_TANH:
        return tanh(x);
    case LH_ACT_GELU:
        return 0.5 * x * (1 + erf(x * sqrt_half));
    case LH_ACT_SILU:
        return x / (1 + exp(-x));
    default:
        return NAN;
    }
}

static double slope_at(lh_activation kind, double x, double slope)
{
    double s = 1 / (1 + exp(-x)), t = tanh(x);
    switch (kind) {
    case LH_ACT_RELU:
        return x > 0 ? 1 : 0;
    case LH_ACT_LEAKY:
        return x > 0 ? 1 : slope;
    case LH_ACT_SIGMOID:
        return s * (1 - s);
    case LH_ACT_TANH:
        return 1 - t * t;
    case LH_ACT_GELU:
        return 0.5 * (1 + erf(x * sqrt_half)) + x * inv_sqrt_2pi * exp(-0.5 * x * x);
    case LH_ACT_SILU:
        return s * (1 + x * (1 - s));
    default:
        return NAN;
    }
}

void lh_activation_forward_reference(const void *problem, const lh_host_args *a);
void lh_activation_backward_reference(const void *problem, const lh_host_args *a);

void lh_activation_forward_reference(const void *problem, const lh_host_args *a)
{
    const lh_activation_problem *p = problem;
    const double *x = a->buf[LH_ACTF_X];
    double *y = a->buf[LH_ACTF_Y];
    for (size_t i = 0; i < (size_t)a->n * p->per_image; i++) y[i] = value(p->kind, x[i], p->slope);
}

void lh_activation_backward_reference(const void *problem, const lh_host_args *a)
{
    const lh_activation_problem *p = problem;
    const double *x = a->buf[LH_ACTB_X], *dy = a->buf[LH_ACTB_DY];
    double *dx = a->buf[LH_ACTB_DX];
    for (size_t i = 0; i < (size_t)a->n * p->per_image; i++)
        dx[i] = dy[i] * slope_at(p->kind, x[i], p->slope);
}
