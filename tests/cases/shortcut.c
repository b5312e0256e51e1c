/* SPDX-License-Identifier: MIT
 *
 * Cases of kernels/shortcut. */
#include "tests/cases/cases.h"

#include "kernels/shortcut/shortcut.h"

static bool problem(int level, size_t i, void *out) {
    static const lh_shortcut_problem quick[] = {{3, 16, 8, 8, 32, 2},
                                                {2, 3, 7, 5, 8, 2},
                                                {2, 4, 3, 3, 4, 1},
                                                {2, 5, 7, 7, 6, 3},
                                                {1, 1, 1, 1, 2, 2}};
    static const lh_shortcut_problem bench[] = {{128, 16, 32, 32, 32, 2}, {128, 32, 16, 16, 64, 2}};
    if (level == 2) return lh_case_row(bench, LH_COUNT(bench), sizeof *bench, i, out);
    return lh_case_row(quick, LH_COUNT(quick), sizeof *quick, i, out);
}

const lh_case_list lh_cases_shortcut_forward = {&lh_shortcut_forward, problem, NULL, NULL};
const lh_case_list lh_cases_shortcut_backward = {&lh_shortcut_backward, problem, NULL, NULL};
