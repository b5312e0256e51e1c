/* SPDX-License-Identifier: MIT
 *
 * Loss, correctness and gradient of logits [n][K] with labels [n]: one work-item per sample.
 * -DK classes, -DL2=0|1, -DLOCAL: work-group size.  No local memory; sums run over classes in
 * order.  The soft-max is shifted by the largest logit.  A label outside 0..K-1 gives a NaN loss. */
#include "common.cl"

__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
void loss(__global const float *logits, __global const int *labels, __global float *value,
          __global float *correct, __global float *dlogits, int n, float smoothing, float scale)
{
    int i = (int)get_global_id(0);
    if (i >= n) return;
    __global const float *o = logits + (size_t)i * K;
    __global float *d = dlogits + (size_t)i * K;
    int label = labels[i], best = 0;
    bool finite = !isnan(o[0]);
    for (int j = 1; j < K; j++) {
        if (o[j] > o[best]) best = j;
        finite = finite && !isnan(o[j]);
    }
    correct[i] = finite && best == label ? 1.0f : 0.0f;
    bool known = label >= 0 && label < K;
    float sum = 0.0f;
#if L2
    for (int j = 0; j < K; j++) {
        float e = o[j] - (j == label ? 1.0f : 0.0f);
        sum = fma(e, e, sum);
        d[j] = 2.0f * e / K * scale;
    }
    value[i] = known ? sum / K : NAN;
#else
    float top = o[best], all = 0.0f;
    for (int j = 0; j < K; j++) {
        d[j] = exp(o[j] - top);
        sum += d[j];
        all += o[j] - top;
    }
    /* log softmax_j = o_j - top - log sum; "all" also carries a -infinity into the loss. */
    float log_sum = log(sum), mean = all / K;
    for (int j = 0; j < K; j++) {
        float t = (j == label ? 1.0f - smoothing : 0.0f) + smoothing / K;
        d[j] = (d[j] / sum - t) * scale;
    }
    float hit = known ? o[label] - top : NAN;
    value[i] = log_sum - (1.0f - smoothing) * hit - smoothing * mean;
#endif
}
