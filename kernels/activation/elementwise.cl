/* SPDX-License-Identifier: MIT
 *
 * y = f(x) and dx = dy * f'(x), one work-item per element, any layout.
 * -DKIND: value of lh_activation; -DLOCAL: work-group size.  No local memory. */
#include "common.cl"

#define RELU 1
#define LEAKY 2
#define SIGMOID 3
#define TANH 4
#define GELU 5
#define SILU 6

float act_value(float x, float slope)
{
#if KIND == RELU
    return x < 0.0f ? 0.0f : x; /* a NaN stays a NaN */
#elif KIND == LEAKY
    return x > 0.0f ? x : slope * x;
#elif KIND == SIGMOID
    return 1.0f / (1.0f + exp(-x));
#elif KIND == TANH
    return tanh(x);
#elif KIND == GELU
    return 0.5f * x * (1.0f + erf(x * 0.70710678118654752f));
#else
    return x / (1.0f + exp(-x));
#endif
}

float act_slope(float x, float slope)
{
#if KIND == RELU
    return x > 0.0f ? 1.0f : 0.0f;
#elif KIND == LEAKY
    return x > 0.0f ? 1.0f : slope;
#elif KIND == SIGMOID
    float s = 1.0f / (1.0f + exp(-x));
    return s * (1.0f - s);
#elif KIND == TANH
    float t = tanh(x);
    return 1.0f - t * t;
#elif KIND == GELU
    return 0.5f * (1.0f + erf(x * 0.70710678118654752f)) +
           x * 0.39894228040143268f * exp(-0.5f * x * x);
#else
    float s = 1.0f / (1.0f + exp(-x));
    return s * (1.0f + x * (1.0f - s));
#endif
}

__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
void activation_forward(__global const float *x, __global float *y, ulong count, float slope)
{
    size_t i = get_global_id(0);
    if (i < count) y[i] = act_value(x[i], slope);
}

__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
void activation_backward(__global const float *x, __global const float *dy, __global float *dx,
                         ulong count, float slope)
{
    size_t i = get_global_id(0);
    if (i < count) dx[i] = dy[i] * act_slope(x[i], slope);
}
