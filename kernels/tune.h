/* SPDX-License-Identifier: MIT
 *
 * Measuring the variants of one problem, and their parameters. */
#ifndef LH_TUNE_H
#define LH_TUNE_H

#include "kernels/select.h"
#include <lehr/tune.h>

enum { LH_MAX_VARIANTS = 16, LH_MAX_ROWS = LH_MAX_VARIANTS + 6 };

typedef struct lh_tune {
    lehr_tune_candidate rows[LH_MAX_ROWS]; /* one a variant, in the table's order, then settings */
    char reasons[LH_MAX_ROWS][256];        /* what rows[].reason point to */
    char parameters[LH_MAX_ROWS][LH_PARAMETERS];
    unsigned count;
    int winner;      /* row, -1: none was measured */
    int base;        /* row of what would be used without measuring, -1 */
    bool is_default; /* the winner is what would be chosen without measuring */
    unsigned wrong, settings; /* found wrong; parameter settings that were tried */
} lh_tune;

/* Variants that neither decline nor were found wrong. */
unsigned lh_tune_choices(lehr_device *dev, const lh_op *op, const void *problem);
/* Checks and times; takes at least three rounds, then up to about `seconds`.  After `limit` seconds the
 * problem is given up as soon as what is being tried is done: no winner.  Nothing is stored but verdicts. */
lehr_status lh_tune_problem(lehr_device *dev, const lh_op *op, const void *problem, double seconds,
                            double limit, lh_tune *out);
/* Fills rows with what is chosen now, and why. */
lehr_status lh_tune_explain(lehr_device *dev, const lh_op *op, const void *problem, lh_tune *out);

#endif
