/* SPDX-License-Identifier: MIT
 *
 * Forward convolution with stats (conv.h): mean and variance of y per channel, in two stages: parts, of so
 * many pixels each, then one sum over them in order.  A variant whose epilogue makes the parts says in
 * prepare how many pixels a part has, and writes part [parts][2][k] (mean, sum of squared deviations
 * from it) at that place of the workspace; for the others one more pass over y does. */
#ifndef LH_CONV_STATISTICS_H
#define LH_CONV_STATISTICS_H

#include "kernels/conv/conv.h"

/* exec->number[]: pixels of a part, 0 or unset: one more pass; where part begins, in floats (for run). */
enum { LH_STATS_PER = 20, LH_STATS_AT = 21 };

/* Behind the variant's own. */
lehr_status lh_conv_statistics_prepare(lh_exec *exec);
lehr_status lh_conv_statistics_run(lh_exec *exec, const lh_args *args);

#endif
