/* SPDX-License-Identifier: MIT
 *
 * Convolution without any trick: correct for every shape on every device, the last row of each
 * table.  x NHWC, w logical [K][C][R][S], y NHWC.  One work-item per output element (forward),
 * input element (backward data, a gather) or weight (backward filter); no local memory; shapes are
 * arguments, so that one build serves all layers.  -DLOCAL: work-group size.
 * Summation order: forward r, s, c; backward data r, s, k; backward filter q within p within n,
 * each level in a float of its own so that rounding does not grow with the batch. */
#include "common.cl"

#define SHAPE                                                                                      \
    int C, int H, int W, int K, int R, int S, int stride_h, int stride_w, int pad_top,             \
        int pad_left, int P, int Q
#define GROUP __attribute__((reqd_work_group_size(LOCAL, 1, 1)))

__kernel GROUP void conv_forward(__global const float *x, __global const float *w,
                                 __global const float *bias, __global float *y, ulong count,
                                 int relu, SHAPE)
{
    size_t i = get_global_id(0);
    if (i >= count) return;
    int k = i % K, q = i / K % Q, p = i / K / Q % P;
    size_t n = i / K / Q / P;
    float sum = bias ? bias[k] : 0.0f;
    for (int r = 0; r < R; r++) {
        int ih = p * stride_h - pad_top + r;
        if (ih < 0 || ih >= H) continue;
        for (int s = 0; s < S; s++) {
            int iw = q * stride_w - pad_left + s;
            if (iw < 0 || iw >= W) continue;
            __global const float *px = x + ((n * H + ih) * W + iw) * C;
            __global const float *pw = w + (size_t)k * C * R * S + r * S + s;
            for (int c = 0; c < C; c++) sum = fma(px[c], pw[c * R * S], sum);
        }
    }
    y[i] = relu && sum < 0.0f ? 0.0f : sum; /* a NaN stays a NaN */
}

__kernel GROUP void conv_backward_data(__global const float *dy, __global const float *w,
                                       __global float *dx, ulong count, SHAPE)
{
    size_t i = get_global_id(0);
    if (i >= count) return;
    int c = i % C, iw = i / C % W, ih = i / C / W % H;
    size_t n = i / C / W / H;
    float sum = 0.0f;
    for (int r = 0; r < R; r++) {
        int top = ih + pad_top - r, p = top / stride_h;
        if (top < 0 || p * stride_h != top || p >= P) continue;
        for (int s = 0; s < S; s++) {
            int left = iw + pad_left - s, q = left / stride_w;
            if (left < 0 || q * stride_w != left || q >= Q) continue;
            __global const float *py = dy + ((n * P + p) * Q + q) * K;
            __global const float *pw = w + c * R * S + r * S + s;
            for (int k = 0; k < K; k++) sum = fma(py[k], pw[(size_t)k * C * R * S], sum);
        }
    }
    dx[i] = sum;
}

__kernel GROUP void conv_backward_filter(__global const float *x, __global const float *dy,
                                         __global float *dw, ulong count, int N, SHAPE)
{
    size_t i = get_global_id(0);
    if (i >= count) return;
    int s = i % S, r = i / S % R, c = i / S / R % C, k = i / S / R / C;
    float sum = 0.0f;
    for (int n = 0; n < N; n++) {
        float image = 0.0f;
        for (int p = 0; p < P; p++) {
            int ih = p * stride_h - pad_top + r;
            if (ih < 0 || ih >= H) continue;
            float row = 0.0f;
            for (int q = 0; q < Q; q++) {
                int iw = q * stride_w - pad_left + s;
                if (iw < 0 || iw >= W) continue;
                row = fma(x[(((size_t)n * H + ih) * W + iw) * C + c],
                          dy[(((size_t)n * P + p) * Q + q) * K + k], row);
            }
            image += row;
        }
        sum += image;
    }
    dw[i] = sum;
}

__kernel GROUP void conv_backward_bias(__global const float *dy, __global float *dbias, int N,
                                       int K, int P, int Q)
{
    int k = get_global_id(0);
    if (k >= K) return;
    float sum = 0.0f;
    for (int n = 0; n < N; n++) {
        float image = 0.0f;
        for (int p = 0; p < P; p++) {
            float row = 0.0f;
            for (int q = 0; q < Q; q++) row += dy[(((size_t)n * P + p) * Q + q) * K + k];
            image += row;
        }
        sum += image;
    }
    dbias[k] = sum;
}
