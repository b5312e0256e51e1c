/* SPDX-License-Identifier: MIT
 *
 * The arithmetic of the learning-rate range test: plain arrays in, plain numbers out.  Losses may be
 * infinite: a run that blew up has an infinite loss from there on. */
#ifndef LH_STUDY_FIND_LR_H
#define LH_STUDY_FIND_LR_H

#include <lehr/find_lr.h>

#include "core/base/base.h"

/* Median; of an even count the mean of the two in the middle.  Sorts values. */
double lh_median(double *values, size_t count);

/* How many learning rates to each side the running median of a test of so many steps takes in. */
size_t lh_find_lr_radius(uint32_t steps);
/* Element i of the running median of values[0 .. count-1]: over i - radius .. i + radius, as far as
 * they exist.  scratch holds 2 * radius + 1 numbers. */
double lh_running_median(const double *values, size_t count, size_t i, size_t radius,
                         double *scratch);

/* Whether a loss counts as blown up: above four times the lowest and above the first one, or NaN. */
bool lh_find_lr_exceeds(double loss, double lowest, double first);

/* From result->count, lr and loss (a curve of a test of so many steps): cuts the curve off where the
 * loss is no longer finite, fills in smoothed, falls and all suggestions.  Errors: LEHR_E_MEMORY. */
lehr_status lh_find_lr_analyse(lehr_context *ctx, uint32_t steps, lehr_find_lr_result *result);

#endif
