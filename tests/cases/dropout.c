/* SPDX-License-Identifier: MIT
 *
 * Cases of kernels/dropout. */
#include "tests/cases/cases.h"

#include "core/base/philox.h"
#include "kernels/dropout/dropout.h"

static bool problem(int level, size_t i, void *out) {
    static const lh_dropout_problem quick[] = {{1, 1}, {3, 7}, {2, 64}, {3, 9001}};
    static const lh_dropout_problem bench[] = {{128, 65536}, {128, 512}};
    if (level == 2) return lh_case_row(bench, LH_COUNT(bench), sizeof *bench, i, out);
    return lh_case_row(quick, LH_COUNT(quick), sizeof *quick, i, out);
}

static void scalars(const void *problem, lh_host_args *args) {
    const lh_dropout_problem *p = problem;
    args->scalar[0] = p->per_image == 64 ? 0.0 : 0.3;
    args->seed = 0xfedcba9876543210ull;
    args->stream = LH_STREAM_DROPOUT + 16 * 2;
    args->epoch = 4000000000u;
}

const lh_case_list lh_cases_dropout_forward = {&lh_dropout_forward, problem, NULL, scalars};
const lh_case_list lh_cases_dropout_backward = {&lh_dropout_backward, problem, NULL, scalars};
