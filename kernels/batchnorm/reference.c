/* SPDX-License-Identifier: MIT
 *
 * The truth for batch normalisation, in double. */
#include "kernels/batchnorm/batchnorm.h"

#include <math.h>

static size_t pixels(const lh_batchnorm_problem *p, int n) {
    return (size_t)n * p->hw;
}

/* Mean and biased variance of channel c of x [m][channels]. */
static void moments(const double *x, size_t m, size_t channels, size_t c, double *mean, double *var)
{
    *mean = *var = 0;
    for (size_t i = 0; i < m; i++) *mean += x[i * channels + c];
    *mean /= (double)m;
    for (size_t i = 0; i < m; i++) {
        double d = x[i * channels + c] - *mean;
        *var += d * d;
    }
    *var /= (double)m;
}

static double act(const lh_batchnorm_problem *p, double z) {
    return p->act == LH_ACT_RELU && z < 0 ? 0 : z;
}

static size_t pooled_pixels(const lh_batchnorm_problem *p, int n)
{
    if (p->pool == LH_BATCHNORM_MEAN) return (size_t)n;
    return pixels(p, n) / (p->pool == LH_BATCHNORM_MAX2 ? 4 : 1);
}

/* Pixel k, 0 … 3, of the window that makes pooled pixel o. */
static size_t window_pixel(const lh_batchnorm_problem *p, size_t o, size_t k)
{
    size_t w = (size_t)p->w, row = o / (w / 2), column = o % (w / 2);
    return (2 * row + k / 2) * w + 2 * column + k % 2;
}

/* y at pooled pixel o, from act(gamma * (x - mean) * inv_std + beta + add) of one channel. */
static double forward_pixel(const lh_batchnorm_problem *p, const double *x, const double *add,
                            size_t o, double scale, double mean, double beta)
{
    size_t c = (size_t)p->c, count = p->pool == LH_BATCHNORM_MAX2 ? 4 : 1;
    if (p->pool == LH_BATCHNORM_MEAN) count = (size_t)p->hw;
    double sum = 0, most = -INFINITY;
    for (size_t k = 0; k < count; k++) {
        size_t i = p->pool == LH_BATCHNORM_MAX2 ? window_pixel(p, o, k) : o * count + k;
        double y = act(p, scale * (x[i * c] - mean) + beta + (add ? add[i * c] : 0));
        sum += y;
        if (y > most || isnan(y)) most = y;
    }
    return p->pool == LH_BATCHNORM_MAX2 ? most : sum / (double)count;
}

void lh_batchnorm_train_reference(const void *problem, const lh_host_args *a) {
    const lh_batchnorm_problem *p = problem;
    const double *x = a->buf[LH_BNT_X], *gamma = a->buf[LH_BNT_GAMMA], *beta = a->buf[LH_BNT_BETA];
    double *running_mean = a->buf[LH_BNT_RUNNING_MEAN], *running_var = a->buf[LH_BNT_RUNNING_VAR];
    double *y = a->buf[LH_BNT_Y], *saved = a->buf[LH_BNT_SAVED];
    const double *add = a->buf[LH_BNT_ADD], *stats = a->buf[LH_BNT_STATS];
    double momentum = a->scalar[0] > 0 ? a->scalar[0] : p->momentum;
    size_t m = pixels(p, a->n), c_count = (size_t)p->c;
    for (size_t c = 0; c < c_count; c++) {
        double mean = 0, variance = 0;
        moments(x, m, c_count, c, &mean, &variance);
        if (p->given) {
            mean = stats[c];
            variance = stats[c_count + c];
        }
        double inv_std = 1 / sqrt(variance + p->eps);
        for (size_t o = 0; o < pooled_pixels(p, a->n); o++)
            y[o * c_count + c] = forward_pixel(p, x + c, p->add ? add + c : NULL, o,
                                               gamma[c] * inv_std, mean, beta[c]);
        saved[c] = gamma[c] * inv_std;
        saved[c_count + c] = beta[c] - mean * gamma[c] * inv_std;
        saved[2 * c_count + c] = mean;
        saved[3 * c_count + c] = inv_std;
        double unbiased = variance * (double)m / (double)(m > 1 ? m - 1 : 1);
        running_mean[c] = (1 - momentum) * running_mean[c] + momentum * mean;
        running_var[c] = (1 - momentum) * running_var[c] + momentum * unbiased;
    }
}

void lh_batchnorm_eval_reference(const void *problem, const lh_host_args *a) {
    const lh_batchnorm_problem *p = problem;
    const double *x = a->buf[LH_BNE_X], *gamma = a->buf[LH_BNE_GAMMA], *beta = a->buf[LH_BNE_BETA];
    const double *mean = a->buf[LH_BNE_MEAN], *var = a->buf[LH_BNE_VAR];
    const double *add = a->buf[LH_BNE_ADD];
    double *y = a->buf[LH_BNE_Y];
    size_t c_count = (size_t)p->c;
    for (size_t i = 0; i < pooled_pixels(p, a->n) * c_count; i++) {
        size_t c = i % c_count;
        y[i] = forward_pixel(p, x + c, p->add ? add + c : NULL, i / c_count,
                             gamma[c] / sqrt(var[c] + p->eps), mean[c], beta[c]);
    }
}

/* dz of pooled pixels goes where act(z), rounded to float as the device has it, is a window's first
 * maximum or last NaN: what is equal in float need not be in double. */
static void unpool_max(const lh_batchnorm_problem *p, const double *x, const double *dy, size_t count,
                       double scale, double shift, double *dz)
{
    size_t c = (size_t)p->c;
    for (size_t o = 0; o < count; o++) {
        size_t best = window_pixel(p, o, 0);
        float most = -INFINITY;
        for (size_t k = 0; k < 4; k++) {
            size_t i = window_pixel(p, o, k);
            float y = (float)act(p, (double)fmaf((float)x[i * c], (float)scale, (float)shift));
            dz[i * c] = 0;
            if (!(y > most || isnan(y))) continue;
            most = y;
            best = i;
        }
        dz[best * c] = dy[o * c];
    }
}

/* The gradient of one channel's activations. */
static void unpool(const lh_batchnorm_problem *p, const double *x, const double *dy, size_t m,
                   double scale, double shift, double *dz)
{
    size_t c = (size_t)p->c, hw = (size_t)p->hw;
    if (p->pool == LH_BATCHNORM_MAX2) unpool_max(p, x, dy, m / 4, scale, shift, dz);
    for (size_t i = 0; i < m && p->pool != LH_BATCHNORM_MAX2; i++)
        dz[i * c] = p->pool == LH_BATCHNORM_MEAN ? dy[i / hw * c] / (double)hw : dy[i * c];
}

void lh_batchnorm_backward_reference(const void *problem, const lh_host_args *a) {
    const lh_batchnorm_problem *p = problem;
    const double *x = a->buf[LH_BNB_X], *dy = a->buf[LH_BNB_DY], *gamma = a->buf[LH_BNB_GAMMA];
    const double *scale = a->buf[LH_BNB_SAVED];
    const double *sums = a->buf[LH_BNB_SUMS];
    double *dx = a->buf[LH_BNB_DX], *dgamma = a->buf[LH_BNB_DGAMMA];
    double *dbeta = a->buf[LH_BNB_DBETA];
    size_t m = pixels(p, a->n), c_count = (size_t)p->c;
    const double *shift = scale + c_count, *mean = shift + c_count, *inv_std = mean + c_count;
    for (size_t c = 0; c < c_count; c++) {
        dgamma[c] = dbeta[c] = 0;
        unpool(p, x + c, dy + c, m, scale[c], shift[c], dx + c);
        for (size_t i = c; i < m * c_count; i += c_count) {
            bool passes = p->given || p->act != LH_ACT_RELU || scale[c] * x[i] + shift[c] > 0;
            if (!passes) dx[i] = 0;
            dbeta[c] += dx[i];
            dgamma[c] += dx[i] * (x[i] - mean[c]) * inv_std[c];
        }
        if (p->given) {
            dbeta[c] = sums[c];
            dgamma[c] = sums[c_count + c] * inv_std[c];
        }
        for (size_t i = c; i < m * c_count; i += c_count) {
            double xhat = (x[i] - mean[c]) * inv_std[c];
            dx[i] = gamma[c] * inv_std[c] *
                    (dx[i] - dbeta[c] / (double)m - xhat * dgamma[c] / (double)m);
        }
    }
}
