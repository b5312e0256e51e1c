/* SPDX-License-Identifier: MIT
 *
 * Student's t by its finite series for whole degrees of freedom (Abramowitz & Stegun 26.7.3 and
 * 26.7.4): exact to rounding, needs no gamma function.  Samples are small (seeds), so simplicity
 * wins over speed everywhere. */
#include "core/study/statistics.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

/* Value i of a sample, or of the differences of two. */
static double value_at(const double *a, const double *b, size_t i)
{
    return b ? a[i] - b[i] : a[i];
}

static lh_sample sample_of(const double *a, const double *b, size_t count)
{
    lh_sample s = {.mean = NAN, .sd = NAN, .half_width = NAN, .min = NAN, .max = NAN};
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        double value = value_at(a, b, i);
        if (!isfinite(value)) continue;
        sum += value;
        s.min = fmin(s.min, value); /* fmin and fmax pass over the NaN they start from */
        s.max = fmax(s.max, value);
        s.count++;
    }
    if (!s.count) return s;
    bool equal = !(s.max > s.min); /* then no rounding in the mean, and an sd of exactly 0 */
    s.mean = equal ? s.min : sum / (double)s.count;
    if (s.count < 2) return s;
    for (size_t i = 0; i < count; i++) {
        double value = value_at(a, b, i);
        if (isfinite(value)) squares += (value - s.mean) * (value - s.mean);
    }
    s.sd = sqrt(squares / (double)(s.count - 1));
    s.half_width = lh_t_quantile(0.95, (unsigned)s.count - 1) * s.sd / sqrt((double)s.count);
    return s;
}

lh_sample lh_sample_of(const double *values, size_t count)
{
    return sample_of(values, NULL, count);
}

/* ---- Student's t ---- */

double lh_t_central(double t, unsigned dof)
{
    if (!(t > 0)) return 0;
    double theta = atan(t / sqrt(dof)), cosine = cos(theta), sine = sin(theta);
    bool odd = dof % 2;
    double term = odd ? cosine : 1, sum = dof == 1 ? 0 : term;
    for (unsigned k = odd ? 3 : 2; k + 2 <= dof; k += 2) {
        term *= cosine * cosine * (k - 1) / k;
        sum += term;
    }
    return odd ? 2 / pi * (theta + sine * sum) : sine * sum;
}

double lh_t_quantile(double level, unsigned dof)
{
    double low = 0, high = 1;
    if (dof < 1 || !(level < 1)) return NAN;
    while (lh_t_central(high, dof) < level && high < 1e15) high *= 2;
    for (int i = 0; i < 200 && high - low > 1e-13 * high; i++) {
        double middle = 0.5 * (low + high);
        if (lh_t_central(middle, dof) < level)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

/* ---- pairs ---- */

lh_paired lh_paired_of(const double *a, const double *b, size_t count)
{
    lh_paired pair = {.difference = sample_of(a, b, count), .p = NAN, .adjusted_p = NAN};
    const lh_sample *d = &pair.difference;
    if (d->count < 2) return pair;
    if (d->sd > 0)
        pair.p = 1 - lh_t_central(fabs(d->mean) / (d->sd / sqrt((double)d->count)),
                                  (unsigned)d->count - 1);
    else
        pair.p = d->mean == 0 ? 1 : 0;
    pair.p = fmin(fmax(pair.p, 0), 1);
    return pair;
}

/* The pair with the smallest p that has no adjusted value yet; count when all have one. */
static size_t next_smallest(const lh_paired *pairs, size_t count)
{
    size_t best = count;
    for (size_t i = 0; i < count; i++) {
        if (isnan(pairs[i].p) || !isnan(pairs[i].adjusted_p)) continue;
        if (best == count || pairs[i].p < pairs[best].p) best = i;
    }
    return best;
}

void lh_holm(lh_paired *pairs, size_t count)
{
    size_t tested = 0;
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
        pairs[i].adjusted_p = NAN;
        tested += !isnan(pairs[i].p);
    }
    for (size_t rank = 0; rank < tested; rank++) {
        lh_paired *pair = &pairs[next_smallest(pairs, count)];
        largest = fmax(largest, fmin(1, (double)(tested - rank) * pair->p));
        pair->adjusted_p = largest;
    }
}

/* ---- curves ---- */

double lh_mean_under_curve(const double *x, const double *y, size_t count)
{
    double area = 0, first = NAN, last_x = NAN, last_y = NAN;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(x[i]) || !isfinite(y[i])) continue;
        if (isnan(first))
            first = x[i];
        else
            area += (x[i] - last_x) * 0.5 * (y[i] + last_y);
        last_x = x[i];
        last_y = y[i];
    }
    return last_x > first ? area / (last_x - first) : last_y;
}

size_t lh_first_reaching(const double *y, size_t count, double target)
{
    for (size_t i = 0; i < count; i++)
        if (y[i] >= target) return i;
    return count;
}
