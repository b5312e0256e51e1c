/* SPDX-License-Identifier: MIT
 *
 * Checks one variant on one problem against the double reference. */
#ifndef LH_TEST_HARNESS_H
#define LH_TEST_HARNESS_H

#include "tests/cases/cases.h"

typedef struct lh_check_counts {
    unsigned checked, declined;
    unsigned settled; /* variants whose parameters were tried, a bit each */
} lh_check_counts;

/* Every accepting variant of list->op on every problem of a level, at the full batch and at a tail
 * batch: within tolerance of the reference, nothing written outside outputs, inputs untouched, the
 * same bits twice, workspace contents irrelevant; every value of the parameters on one case.  Returns
 * "" or what failed (static buffer). */
const char *lh_check_list(lehr_device *dev, const lh_case_list *list, int level,
                          lh_check_counts *counts);

#endif
