/* SPDX-License-Identifier: MIT
 *
 * The truth for pooling, in double. */
#include "kernels/pool/pool.h"

#include <math.h>

typedef struct window {
    int top, left, bottom, right; /* clipped to the input; bottom and right exclusive */
} window;

static int at_least(int a, int b) {
    return a > b ? a : b;
}
static int at_most(int a, int b) {
    return a < b ? a : b;
}

static window window_of(const lh_pool_problem *p, int i, int j) {
    int top = i * p->stride_h - p->pad_top, left = j * p->stride_w - p->pad_left;
    return (window){at_least(top, 0), at_least(left, 0), at_most(top + p->r, p->h),
                    at_most(left + p->s, p->w)};
}

/* Index in x of element (n, i, j, c). */
static size_t at(const lh_pool_problem *p, int n, int i, int j, int c) {
    return (((size_t)n * p->h + i) * p->w + j) * p->c + c;
}

/* Index in x of the window's first maximum, or of its last NaN. */
static size_t first_maximum(const lh_pool_problem *p, const double *x, int n, int c, window v) {
    size_t best = at(p, n, v.top, v.left, c);
    for (int i = v.top; i < v.bottom; i++)
        for (int j = v.left; j < v.right; j++) {
            size_t here = at(p, n, i, j, c);
            if (x[here] > x[best] || isnan(x[here])) best = here;
        }
    return best;
}

/* The byte of output o of an image for element `best` of x. */
static uint8_t place_of(const lh_pool_problem *p, size_t best, int o, bool nowhere)
{
    int pixel = (int)(best / (size_t)p->c % (size_t)(p->h * p->w));
    int i = pixel / p->w - (o / p->q * p->stride_h - p->pad_top);
    int j = pixel % p->w - (o % p->q * p->stride_w - p->pad_left);
    return (uint8_t)(nowhere ? LH_POOL_NOWHERE : i * p->s + j);
}

/* Its inverse; false for nowhere, and for bytes that forward never writes. */
static bool place_at(const lh_pool_problem *p, int n, int c, int o, uint8_t place, size_t *best)
{
    int i = o / p->q * p->stride_h - p->pad_top + place / p->s;
    int j = o % p->q * p->stride_w - p->pad_left + place % p->s;
    if (place >= p->r * p->s || i < 0 || i >= p->h || j < 0 || j >= p->w) return false;
    *best = at(p, n, i, j, c);
    return true;
}

void lh_pool_forward_reference(const void *problem, const lh_host_args *a) {
    const lh_pool_problem *p = problem;
    const double *x = a->buf[LH_POOLF_X];
    double *y = a->buf[LH_POOLF_Y];
    uint8_t *where = a->buf[LH_POOLF_WHERE];
    for (int n = 0; n < a->n; n++)
        for (int o = 0; o < p->p * p->q; o++)
            for (int c = 0; c < p->c; c++, y++) {
                window v = window_of(p, o / p->q, o % p->q);
                double sum = 0;
                for (int i = v.top; i < v.bottom; i++)
                    for (int j = v.left; j < v.right; j++) sum += x[at(p, n, i, j, c)];
                size_t best = p->kind == LH_POOL_MAX ? first_maximum(p, x, n, c, v) : 0;
                *y = p->kind == LH_POOL_MAX ? x[best] : sum / (p->r * p->s);
                if (p->where) *where++ = place_of(p, best, o, p->relu && !(*y > 0));
            }
}

void lh_pool_backward_reference(const void *problem, const lh_host_args *a) {
    const lh_pool_problem *p = problem;
    const double *x = a->buf[LH_POOLB_X], *dy = a->buf[LH_POOLB_DY];
    const uint8_t *where = a->buf[LH_POOLB_WHERE];
    double *dx = a->buf[LH_POOLB_DX];
    for (size_t i = 0; i < (size_t)a->n * p->h * p->w * p->c; i++) dx[i] = 0;
    for (int n = 0; n < a->n; n++)
        for (int o = 0; o < p->p * p->q; o++)
            for (int c = 0; c < p->c; c++, dy++) {
                window v = window_of(p, o / p->q, o % p->q);
                size_t best;
                if (p->where) {
                    if (place_at(p, n, c, o, *where++, &best)) dx[best] += *dy;
                    continue;
                }
                if (p->kind == LH_POOL_MAX) {
                    best = first_maximum(p, x, n, c, v);
                    dx[best] += p->relu && !(x[best] > 0) ? 0 : *dy;
                    continue;
                }
                for (int i = v.top; i < v.bottom; i++)
                    for (int j = v.left; j < v.right; j++)
                        dx[at(p, n, i, j, c)] += *dy / (p->r * p->s);
            }
}
