/* SPDX-License-Identifier: MIT
 *
 * The truth for convolution, in double: three loop nests over output, input and filter. */
#include "kernels/conv/variants.h"
#include "kernels/pool/pool.h"

#include <string.h>

/* One filter tap of one output position: the input element it reads, or that it lies on padding. */
typedef struct tap {
    size_t x; /* first channel of the input pixel */
    bool inside;
} tap;

static tap tap_at(const lh_conv_problem *p, int n, int op, int oq, int r, int s)
{
    int ih = op * p->stride_h - p->pad_top + r, iw = oq * p->stride_w - p->pad_left + s;
    tap t = {0, ih >= 0 && ih < p->h && iw >= 0 && iw < p->w};
    if (t.inside) t.x = (((size_t)n * p->h + ih) * p->w + iw) * p->c;
    return t;
}

static size_t weight(const lh_conv_problem *p, int k, int c, int r, int s)
{
    return (((size_t)k * p->c + c) * p->r + r) * p->s + s;
}

/* Calls visit for every (image, output position, tap) that lies inside the input. */
typedef void visitor(const lh_conv_problem *p, const lh_host_args *a, size_t y, size_t x, int r,
                     int s);

static void visit_taps(const lh_conv_problem *p, const lh_host_args *a, visitor *visit)
{
    for (int n = 0; n < a->n; n++)
        for (int op = 0; op < p->p; op++)
            for (int oq = 0; oq < p->q; oq++)
                for (int r = 0; r < p->r; r++)
                    for (int s = 0; s < p->s; s++) {
                        tap t = tap_at(p, n, op, oq, r, s);
                        size_t y = (((size_t)n * p->p + op) * p->q + oq) * p->k;
                        if (t.inside) visit(p, a, y, t.x, r, s);
                    }
}

static void forward_tap(const lh_conv_problem *p, const lh_host_args *a, size_t y, size_t x, int r,
                        int s)
{
    const double *in = a->buf[LH_CONVF_X], *w = a->buf[LH_CONVF_W];
    double *out = a->buf[LH_CONVF_Y];
    for (int k = 0; k < p->k; k++)
        for (int c = 0; c < p->c; c++) out[y + k] += in[x + c] * w[weight(p, k, c, r, s)];
}

static void statistics(const lh_conv_problem *p, const double *y, size_t count, double *stats)
{
    size_t k_count = (size_t)p->k;
    for (size_t k = 0; k < k_count; k++) {
        double pixels = (double)(count / k_count), sum = 0, squares = 0;
        for (size_t i = k; i < count; i += k_count) sum += y[i];
        stats[k] = sum / pixels;
        for (size_t i = k; i < count; i += k_count) squares += (y[i] - stats[k]) * (y[i] - stats[k]);
        stats[k_count + k] = squares / pixels;
    }
}

/* One element of y, for pooling, which does not keep them. */
static double output(const lh_conv_problem *p, const lh_host_args *a, int n, int op, int oq, int k)
{
    const double *in = a->buf[LH_CONVF_X], *w = a->buf[LH_CONVF_W], *bias = a->buf[LH_CONVF_BIAS];
    double sum = p->bias ? bias[k] : 0;
    for (int r = 0; r < p->r; r++)
        for (int s = 0; s < p->s; s++) {
            tap t = tap_at(p, n, op, oq, r, s);
            for (int c = 0; t.inside && c < p->c; c++) sum += in[t.x + (size_t)c] * w[weight(p, k, c, r, s)];
        }
    return p->act == LH_ACT_RELU && sum < 0 ? 0 : sum;
}

static void pooled(const lh_conv_problem *p, const lh_host_args *a)
{
    double *out = a->buf[LH_CONVF_Y];
    uint8_t *where = a->buf[LH_CONVF_WHERE];
    int rows = p->p / 2, cols = p->q / 2;
    for (int o = 0; o < a->n * rows * cols; o++)
        for (int k = 0; k < p->k; k++, out++) {
            uint8_t place = 0;
            for (int i = 0; i < 4; i++) {
                double y = output(p, a, o / (rows * cols), o / cols % rows * 2 + i / 2,
                                  o % cols * 2 + i % 2, k);
                if (i && !(y > *out) && y == y) continue;
                *out = y;
                place = (uint8_t)i;
            }
            if (p->where) *where++ = p->act == LH_ACT_RELU && !(*out > 0) ? LH_POOL_NOWHERE : place;
        }
}

void lh_conv_forward_reference(const void *problem, const lh_host_args *a)
{
    const lh_conv_problem *p = problem;
    if (p->pool) {
        pooled(p, a);
        return;
    }
    const double *bias = a->buf[LH_CONVF_BIAS];
    double *y = a->buf[LH_CONVF_Y];
    size_t count = lh_conv_y_count(p, a->n);
    for (size_t i = 0; i < count; i++) y[i] = p->bias ? bias[i % p->k] : 0;
    visit_taps(p, a, forward_tap);
    if (p->act == LH_ACT_RELU)
        for (size_t i = 0; i < count; i++) y[i] = y[i] < 0 ? 0 : y[i];
    if (p->stats) statistics(p, y, count, a->buf[LH_CONVF_STATS]);
}

static void data_tap(const lh_conv_problem *p, const lh_host_args *a, size_t y, size_t x, int r,
                     int s)
{
    const double *dy = a->buf[LH_CONVD_DY], *w = a->buf[LH_CONVD_W];
    double *dx = a->buf[LH_CONVD_DX];
    for (int k = 0; k < p->k; k++)
        for (int c = 0; c < p->c; c++) dx[x + c] += dy[y + k] * w[weight(p, k, c, r, s)];
}

/* add, mask and norm of a problem. */
static void after_data(const lh_conv_problem *p, const lh_host_args *a)
{
    const double *add = a->buf[LH_CONVD_ADD], *mask = a->buf[LH_CONVD_MASK];
    const double *x = a->buf[LH_CONVD_X], *scale = a->buf[LH_CONVD_SAVED];
    double *dx = a->buf[LH_CONVD_DX], *sums = a->buf[LH_CONVD_SUMS];
    size_t channels = (size_t)p->c;
    if (p->norm) memset(sums, 0, 2 * channels * sizeof *sums);
    for (size_t i = 0; i < lh_conv_x_count(p, a->n); i++) {
        size_t c = i % channels;
        if (p->add) dx[i] += add[i];
        if (p->mask && !(mask[i] > 0)) dx[i] = 0;
        if (!p->norm) continue;
        if (p->norm == LH_CONV_NORM_RELU && !(scale[c] * x[i] + scale[channels + c] > 0)) dx[i] = 0;
        sums[c] += dx[i];
        sums[channels + c] += dx[i] * (x[i] - scale[2 * channels + c]);
    }
}

void lh_conv_backward_data_reference(const void *problem, const lh_host_args *a)
{
    const lh_conv_problem *p = problem;
    memset(a->buf[LH_CONVD_DX], 0, lh_conv_x_count(p, a->n) * sizeof(double));
    visit_taps(p, a, data_tap);
    after_data(p, a);
}

static void filter_tap(const lh_conv_problem *p, const lh_host_args *a, size_t y, size_t x, int r,
                       int s)
{
    const double *in = a->buf[LH_CONVW_X], *dy = a->buf[LH_CONVW_DY];
    double *dw = a->buf[LH_CONVW_DW];
    for (int k = 0; k < p->k; k++)
        for (int c = 0; c < p->c; c++) dw[weight(p, k, c, r, s)] += dy[y + k] * in[x + c];
}

void lh_conv_backward_filter_reference(const void *problem, const lh_host_args *a)
{
    const lh_conv_problem *p = problem;
    const double *dy = a->buf[LH_CONVW_DY];
    double *dbias = a->buf[LH_CONVW_DBIAS];
    memset(a->buf[LH_CONVW_DW], 0, lh_conv_w_count(p) * sizeof(double));
    visit_taps(p, a, filter_tap);
    if (!p->bias) return;
    memset(dbias, 0, (size_t)p->k * sizeof(double));
    for (size_t i = 0; i < lh_conv_y_count(p, a->n); i++) dbias[i % p->k] += dy[i];
}
