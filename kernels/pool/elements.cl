/* SPDX-License-Identifier: MIT
 *
 * Pooling over NHWC, one work-item per element of the result (channels fastest, so neighbours read
 * neighbours), work-groups of -DLOCAL.  -DMAX=0|1 -DC -DH -DW -DR -DS -DSTRIDE_H -DSTRIDE_W -DTOP
 * -DLEFT (padding) -DP -DQ -DRELU -DWHERE.  No local memory.  Backward gathers: windows in row order, the
 * first maximum of each found again, or told by where (WHERE). */
#include "common.cl"

#define AT(i, j) (((i) * W + (j)) * C)

/* The first maximum or last NaN of the window at (p, q); x points at the image's channel. */
int find_maximum(__global const float *x, int p, int q)
{
    int top = max(p * STRIDE_H - TOP, 0), bottom = min(p * STRIDE_H - TOP + R, H);
    int left = max(q * STRIDE_W - LEFT, 0), right = min(q * STRIDE_W - LEFT + S, W);
    int best = AT(top, left);
    float m = x[best];
    for (int i = top; i < bottom; i++)
        for (int j = left; j < right; j++) {
            float v = x[AT(i, j)];
            if (v > m || isnan(v)) {
                m = v;
                best = AT(i, j);
            }
        }
    return best;
}

float window_sum(__global const float *x, int p, int q)
{
    int top = max(p * STRIDE_H - TOP, 0), bottom = min(p * STRIDE_H - TOP + R, H);
    int left = max(q * STRIDE_W - LEFT, 0), right = min(q * STRIDE_W - LEFT + S, W);
    float sum = 0.0f;
    for (int i = top; i < bottom; i++)
        for (int j = left; j < right; j++) sum += x[AT(i, j)];
    return sum;
}

__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
void pool_forward(__global const float *x, __global float *y, __global uchar *where, ulong count)
{
    size_t o = get_global_id(0);
    if (o >= count) return;
    int c = (int)(o % C), q = (int)(o / C % Q), p = (int)(o / (C * Q) % P);
    x += o / (C * Q * P) * (H * W * C) + c;
#if MAX
    int best = find_maximum(x, p, q);
    float m = x[best];
    y[o] = m;
#if WHERE
    int row = best / (W * C), column = best / C % W;
    int place = (row - (p * STRIDE_H - TOP)) * S + column - (q * STRIDE_W - LEFT);
    where[o] = (uchar)(RELU && !(m > 0.0f) ? 255 : place);
#endif
#else
    y[o] = window_sum(x, p, q) / (R * S);
#endif
}

__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
void pool_backward(__global const float *x, __global const uchar *where,
                   __global const float *dy, __global float *dx, ulong count)
{
    size_t o = get_global_id(0);
    if (o >= count) return;
    int c = (int)(o % C), j = (int)(o / C % W), i = (int)(o / (C * W) % H);
    size_t n = o / (C * W * H);
    dy += n * (P * Q * C) + c;
#if WHERE
    where += n * (P * Q * C) + c;
#elif MAX
    x += n * (H * W * C) + c;
#endif
    /* Windows p with p * STRIDE_H - TOP <= i < p * STRIDE_H - TOP + R, and so for q. */
    int p0 = max((i + TOP - R + STRIDE_H) / STRIDE_H, 0), p1 = min((i + TOP) / STRIDE_H, P - 1);
    int q0 = max((j + LEFT - S + STRIDE_W) / STRIDE_W, 0), q1 = min((j + LEFT) / STRIDE_W, Q - 1);
    float sum = 0.0f;
    for (int p = p0; p <= p1; p++)
        for (int q = q0; q <= q1; q++) {
            float d = dy[(p * Q + q) * C];
#if WHERE
            int place = (i - (p * STRIDE_H - TOP)) * S + j - (q * STRIDE_W - LEFT);
            if (where[(p * Q + q) * C] == place) sum += d;
#elif MAX
            if (find_maximum(x, p, q) == AT(i, j)) sum += d;
#if RELU
            if (!(x[AT(i, j)] > 0.0f)) sum = 0.0f;
#endif
#else
            sum += d / (R * S);
#endif
        }
    dx[o] = sum;
}
