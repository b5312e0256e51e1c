/* SPDX-License-Identifier: MIT
 *
 * Cases of kernels/flatten. */
#include "tests/cases/cases.h"

#include "kernels/flatten/flatten.h"

static bool problem(int level, size_t i, void *out) {
    static const lh_flatten_problem quick[] = {
        {1, 1, 1, 1}, {3, 64, 4, 4}, {3, 20, 5, 7}, {2, 3, 6, 1}, {2, 128, 1, 1},
        {2, 33, 5, 5}, {2, 128, 128, 130}}; /* the last goes past the caches */
    static const lh_flatten_problem bench[] = {{128, 64, 4, 4}, {128, 64, 6, 6}, {128, 64, 32, 32}};
    if (level == 2) return lh_case_row(bench, LH_COUNT(bench), sizeof *bench, i, out);
    return lh_case_row(quick, LH_COUNT(quick), sizeof *quick, i, out);
}

const lh_case_list lh_cases_flatten_forward = {&lh_flatten_forward, problem, NULL, NULL};
const lh_case_list lh_cases_flatten_backward = {&lh_flatten_backward, problem, NULL, NULL};
