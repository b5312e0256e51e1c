/* SPDX-License-Identifier: MIT
 *
 * What the curve of a range test suggests.  Smoothing is a running median: it keeps edges, so the
 * explosion at the end does not reach back into the lowest part before it, and single odd batches
 * vanish.  Distances on the learning-rate axis are of its logarithm throughout. */
#include "core/study/find_lr.h"

#include <math.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double lh_median(double *values, size_t count)
{
    if (count == 0) return NAN;
    qsort(values, count, sizeof *values, by_value);
    double upper = values[count / 2];
    return count % 2 ? upper : 0.5 * (values[count / 2 - 1] + upper);
}

size_t lh_find_lr_radius(uint32_t steps)
{
    return steps / 25 > 1 ? steps / 25 : 1;
}

double lh_running_median(const double *values, size_t count, size_t i, size_t radius,
                         double *scratch)
{
    size_t from = i > radius ? i - radius : 0, n = 0;
    size_t to = count - i > radius ? i + radius : count - 1;
    for (size_t k = from; k <= to; k++) scratch[n++] = values[k];
    return lh_median(scratch, n);
}

bool lh_find_lr_exceeds(double loss, double lowest, double first)
{
    return !(loss <= fmax(4 * lowest, first));
}

/* ---- suggestions ---- */

static size_t index_of_lowest(const lehr_find_lr_result *r)
{
    size_t lowest = 0;
    for (size_t i = 1; i < r->count; i++)
        if (r->smoothed[i] < r->smoothed[lowest]) lowest = i;
    return lowest;
}

/* Standard deviation of the losses around the smoothed curve up to index end, from the median of
 * their distances (1.4826 times that, for a normal distribution). */
static double scatter_of(const lehr_find_lr_result *r, size_t end, double *scratch)
{
    for (size_t i = 0; i <= end; i++) scratch[i] = fabs(r->loss[i] - r->smoothed[i]);
    return 1.4826 * lh_median(scratch, end + 1);
}

/* From where a tenth of the fall is made for good to where nine tenths are made. */
static void find_fall(lehr_find_lr_result *r, size_t lowest)
{
    double top = r->smoothed[0], fall = top - r->smoothed[lowest];
    size_t begin = lowest;
    while (begin > 0 && r->smoothed[begin] <= top - 0.1 * fall) begin--;
    size_t end = begin;
    while (r->smoothed[end] > top - 0.9 * fall) end++;
    r->fall_begins = r->lr[begin];
    r->fall_ends = r->lr[end];
    r->valley = cbrt(r->lr[begin] * r->lr[end] * r->lr[end]);
}

/* The steepest fall on the way to the lowest point; slopes are taken over radius to each side. */
static void find_steepest(lehr_find_lr_result *r, size_t lowest, size_t radius)
{
    double steepest = 0;
    for (size_t i = 0; i <= lowest; i++) {
        size_t a = i > radius ? i - radius : 0, b = i + radius < lowest ? i + radius : lowest;
        if (a == b) continue;
        double slope = (r->smoothed[b] - r->smoothed[a]) / log(r->lr[b] / r->lr[a]);
        if (!(slope < steepest)) continue;
        steepest = slope;
        r->steepest = r->lr[i];
    }
}

/* The last learning rate before the smoothed loss is above the threshold; the curve may end before
 * the median has followed the loss, so what is above it at the end is taken away too. */
static void find_stable(lehr_find_lr_result *r, size_t lowest)
{
    double first = r->smoothed[0], low = r->smoothed[lowest];
    double threshold = r->falls ? first : fmax(4 * low, first);
    size_t end = lowest;
    while (end + 1 < r->count && r->smoothed[end + 1] <= threshold) end++;
    while (end > lowest && r->loss[end] > threshold) end--;
    r->stable = r->lr[end];
}

lehr_status lh_find_lr_analyse(lehr_context *ctx, uint32_t steps, lehr_find_lr_result *r)
{
    size_t radius = lh_find_lr_radius(steps), finite = 0, lowest;
    r->fall_begins = r->fall_ends = r->valley = r->steepest = r->lowest = r->stable = NAN;
    while (finite < r->count && isfinite(r->loss[finite])) finite++;
    r->count = (uint32_t)finite;
    if (r->count == 0) return LEHR_OK;
    double *scratch = lh_alloc(ctx, r->count + 2 * radius + 1, sizeof *scratch);
    if (!scratch) return LEHR_E_MEMORY;
    for (size_t i = 0; i < r->count; i++)
        r->smoothed[i] = lh_running_median(r->loss, r->count, i, radius, scratch);
    lowest = index_of_lowest(r);
    r->lowest = r->lr[lowest];
    /* Three times the scatter: the lowest of many medians of noise lies that far down only rarely. */
    r->falls = r->smoothed[0] - r->smoothed[lowest] > 3 * scatter_of(r, lowest, scratch);
    if (r->falls) {
        find_fall(r, lowest);
        find_steepest(r, lowest, radius);
    }
    find_stable(r, lowest);
    free(scratch);
    return LEHR_OK;
}
