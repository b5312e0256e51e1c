/* SPDX-License-Identifier: MIT
 *
 * Measuring the variants of one problem. */
#ifndef LH_TUNE_H
#define LH_TUNE_H

#include "kernels/select.h"
#include <lehr/tune.h>

enum { LH_MAX_VARIANTS = 16 };

typedef struct lh_tune {
    lehr_tune_candidate rows[LH_MAX_VARIANTS]; /* one a variant, in the table's order */
    char reasons[LH_MAX_VARIANTS][256];        /* what rows[].reason point to */
    unsigned count;
    int winner;    /* row, -1: none was measured */
    bool is_default; /* the winner is what would be chosen without measuring */
    unsigned wrong;
} lh_tune;

/* Variants that neither decline nor were found wrong. */
unsigned lh_tune_choices(lehr_device *dev, const lh_op *op, const void *problem);
/* Checks and times; takes at least three rounds, then up to about `seconds`.  Nothing is stored but
 * verdicts on variants. */
lehr_status lh_tune_problem(lehr_device *dev, const lh_op *op, const void *problem, double seconds,
                            lh_tune *out);
/* Fills rows with what is chosen now, and why. */
lehr_status lh_tune_explain(lehr_device *dev, const lh_op *op, const void *problem, lh_tune *out);

#endif
