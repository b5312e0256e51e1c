/* SPDX-License-Identifier: MIT
 *
 * The truth for the fully connected layer, in double. */
#include "kernels/dense/dense.h"

void lh_dense_forward_reference(const void *problem, const lh_host_args *args);
void lh_dense_backward_data_reference(const void *problem, const lh_host_args *args);
void lh_dense_backward_filter_reference(const void *problem, const lh_host_args *args);

void lh_dense_forward_reference(const void *problem, const lh_host_args *args)
{
    const lh_dense_problem *p = problem;
    const double *x = args->buf[LH_DENSEF_X], *w = args->buf[LH_DENSEF_W];
    const double *bias = args->buf[LH_DENSEF_BIAS];
    double *y = args->buf[LH_DENSEF_Y];
    size_t in = (size_t)p->in, out = (size_t)p->out;
    for (size_t n = 0; n < (size_t)args->n; n++)
        for (size_t o = 0; o < out; o++) {
            double sum = p->bias ? bias[o] : 0;
            for (size_t i = 0; i < in; i++) sum += x[n * in + i] * w[o * in + i];
            y[n * out + o] = p->act == LH_ACT_RELU && sum < 0 ? 0 : sum;
        }
}

void lh_dense_backward_data_reference(const void *problem, const lh_host_args *args)
{
    const lh_dense_problem *p = problem;
    const double *dy = args->buf[LH_DENSED_DY], *w = args->buf[LH_DENSED_W];
    double *dx = args->buf[LH_DENSED_DX];
    size_t in = (size_t)p->in, out = (size_t)p->out;
    for (size_t n = 0; n < (size_t)args->n; n++)
        for (size_t i = 0; i < in; i++) {
            double sum = 0;
            for (size_t o = 0; o < out; o++) sum += dy[n * out + o] * w[o * in + i];
            dx[n * in + i] = sum;
        }
}

void lh_dense_backward_filter_reference(const void *problem, const lh_host_args *args)
{
    const lh_dense_problem *p = problem;
    const double *x = args->buf[LH_DENSEW_X], *dy = args->buf[LH_DENSEW_DY];
    double *dw = args->buf[LH_DENSEW_DW], *dbias = args->buf[LH_DENSEW_DBIAS];
    size_t in = (size_t)p->in, out = (size_t)p->out, batch = (size_t)args->n;
    for (size_t o = 0; o < out; o++) {
        for (size_t i = 0; i < in; i++) {
            double sum = 0;
            for (size_t n = 0; n < batch; n++) sum += dy[n * out + o] * x[n * in + i];
            dw[o * in + i] = sum;
        }
        if (!p->bias) continue;
        dbias[o] = 0;
        for (size_t n = 0; n < batch; n++) dbias[o] += dy[n * out + o];
    }
}
