/* SPDX-License-Identifier: MIT
 *
 * The statistics of a comparison: means with t intervals, paired differences over common seeds,
 * Holm's correction for testing many pairs.  Plain numbers in, plain numbers out. */
#ifndef LH_STUDY_STATISTICS_H
#define LH_STUDY_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>

/* A sample.  Values that are not finite are left out; count says how many were used. */
typedef struct lh_sample {
    size_t count;
    double mean;       /* NaN when count is 0 */
    double sd;         /* n - 1 in the denominator; NaN when count < 2 */
    double half_width; /* mean +- this is the 95 % t interval; NaN when count < 2 */
    double min, max;
} lh_sample;
lh_sample lh_sample_of(const double *values, size_t count);

/* P(|T| <= t) of Student's distribution with dof degrees of freedom, t >= 0. */
double lh_t_central(double t, unsigned dof);
/* The t with P(|T| <= t) = level: 2.776 for level 0.95, dof 4. */
double lh_t_quantile(double level, unsigned dof);

/* Two methods over the seeds that both have. */
typedef struct lh_paired {
    lh_sample difference; /* a - b, seed by seed */
    double p;             /* two-sided paired t test; NaN with fewer than two common seeds */
    double adjusted_p;    /* Holm over all pairs, set by lh_holm */
} lh_paired;
/* a[i] and b[i] are of the same seed; where one is not finite the seed is left out.  Differences
 * without any spread count as certain: p = 1 when they are all zero (ties), else p = 0. */
lh_paired lh_paired_of(const double *a, const double *b, size_t count);
/* Sets adjusted_p of all pairs; pairs without p are not counted (Holm, "A simple sequentially
 * rejective multiple test procedure", 1979). */
void lh_holm(lh_paired *pairs, size_t count);

/* Mean of y over x from x[0] to x[count-1] by trapezia: the area under a curve, per unit of x.
 * Points that are not finite are left out; NaN when fewer than one is left. */
double lh_mean_under_curve(const double *x, const double *y, size_t count);
/* Index of the first y that reaches target, or count when none does (miss). */
size_t lh_first_reaching(const double *y, size_t count, double target);

#endif
