/* SPDX-License-Identifier: MIT
 *
 * Cases of kernels/dense: the layers of the built-in models, odd sizes, with and without bias. */
#include "tests/cases/cases.h"

#include "kernels/dense/dense.h"

static bool problem(int level, size_t i, void *out)
{
    static const lh_dense_problem quick[] = {
        {4, 16, 10, true, LH_ACT_NONE},   {2, 1, 1, true, LH_ACT_RELU},
        {33, 70, 45, true, LH_ACT_RELU},  {130, 64, 10, false, LH_ACT_NONE},
        {5, 300, 64, false, LH_ACT_RELU}, {300, 24, 40, true, LH_ACT_NONE},
        {16, 1024, 64, true, LH_ACT_RELU}};
    static const lh_dense_problem longer[] = {
        {128, 1024, 64, true, LH_ACT_RELU},  {128, 2304, 512, true, LH_ACT_RELU},
        {128, 64, 10, true, LH_ACT_NONE},    {128, 512, 10, true, LH_ACT_NONE},
        {1000, 17, 129, true, LH_ACT_RELU},  {1, 3072, 100, true, LH_ACT_NONE},
        {513, 31, 33, false, LH_ACT_RELU},   {7, 129, 257, true, LH_ACT_NONE}};
    static const lh_dense_problem bench[] = {{128, 1024, 64, true, LH_ACT_RELU},
                                             {128, 2304, 512, true, LH_ACT_RELU},
                                             {128, 512, 10, true, LH_ACT_NONE},
                                             {128, 512, 1024, true, LH_ACT_RELU}};
    if (level == 2) return lh_case_row(bench, LH_COUNT(bench), sizeof *bench, i, out);
    if (level == 1) return lh_case_row(longer, LH_COUNT(longer), sizeof *longer, i, out);
    return lh_case_row(quick, LH_COUNT(quick), sizeof *quick, i, out);
}

const lh_case_list lh_cases_dense_forward = {&lh_dense_forward, problem, NULL, NULL};
const lh_case_list lh_cases_dense_backward_data = {&lh_dense_backward_data, problem, NULL, NULL};
const lh_case_list lh_cases_dense_backward_filter = {&lh_dense_backward_filter, problem, NULL,
                                                     NULL};
