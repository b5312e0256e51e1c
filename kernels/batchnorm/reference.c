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
        for (size_t i = c; i < m * c_count; i += c_count)
            y[i] = act(p, gamma[c] * (x[i] - mean) * inv_std + beta[c] + (p->add ? add[i] : 0));
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
    for (size_t i = 0; i < pixels(p, a->n) * c_count; i++) {
        size_t c = i % c_count;
        double z = gamma[c] * (x[i] - mean[c]) / sqrt(var[c] + p->eps) + beta[c];
        y[i] = act(p, z + (p->add ? add[i] : 0));
    }
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
        for (size_t i = c; i < m * c_count; i += c_count) {
            bool passes = p->given || p->act != LH_ACT_RELU || scale[c] * x[i] + shift[c] > 0;
            dx[i] = passes ? dy[i] : 0;
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
