/* SPDX-License-Identifier: MIT
 *
 * Cases of kernels/add. */
#include "tests/cases/cases.h"

#include "kernels/add/add.h"

static bool problem(int level, size_t i, void *out) {
    static const lh_add_problem quick[] = {
        {1, 1, LH_ACT_NONE}, {3, 77, LH_ACT_NONE}, {3, 9001, LH_ACT_NONE},
        {1, 1, LH_ACT_RELU}, {3, 77, LH_ACT_RELU}, {3, 9001, LH_ACT_RELU},
    };
    static const lh_add_problem bench[] = {
        {128, 65536, LH_ACT_NONE}, {128, 65536, LH_ACT_RELU}, {128, 16384, LH_ACT_RELU}};
    if (level == 2) return lh_case_row(bench, LH_COUNT(bench), sizeof *bench, i, out);
    return lh_case_row(quick, LH_COUNT(quick), sizeof *quick, i, out);
}

const lh_case_list lh_cases_add_forward = {&lh_add_forward, problem, NULL, NULL};
