/* SPDX-License-Identifier: MIT
 *
 * Cases of kernels/batch. */
#include "tests/cases/cases.h"

#include "core/base/philox.h"
#include "kernels/batch/batch.h"

static bool problem(int level, size_t i, void *out) {
    static const lh_batch_problem quick[] = {
        {5, 3, 32, 32, 12, 0, false, 0}, {12, 3, 32, 32, 12, 4, true, 0},
        {9, 3, 32, 32, 12, 4, true, 8},  {3, 1, 28, 28, 7, 0, false, 0},
        {4, 4, 5, 7, 6, 2, true, 3},     {4, 2, 5, 7, 6, 0, true, 0},
        {4, 1, 5, 7, 6, 0, false, 4},
    };
    static const lh_batch_problem bench[] = {{128, 3, 32, 32, 5000, 0, false, 0},
                                             {128, 3, 32, 32, 5000, 4, true, 0},
                                             {128, 3, 32, 32, 5000, 4, true, 8}};
    if (level == 2) return lh_case_row(bench, LH_COUNT(bench), sizeof *bench, i, out);
    return lh_case_row(quick, LH_COUNT(quick), sizeof *quick, i, out);
}

static void fill(const void *problem, unsigned operand, uint64_t seed, void *out, size_t count) {
    const lh_batch_problem *p = problem;
    if (operand >= LH_BATCH_X) return;
    for (size_t i = 0; i < count; i++) {
        lh_u32 bits = lh_philox_draw(seed, i, LH_STREAM_USER, 0).v[0];
        if (operand == LH_BATCH_ORDER) /* 7 and images have no common factor in these cases */
            ((int32_t *)out)[i] = (int32_t)((i * 7 + 3) % (size_t)p->images);
        else
            ((uint8_t *)out)[i] = (uint8_t)bits;
    }
}

static void scalars(const void *problem, lh_host_args *args) {
    const lh_batch_problem *p = problem;
    const double mean[] = {0.49, 0.48, 0.45, 0.5}, inv_std[] = {4.05, 4.11, 3.82, 2};
    for (int c = 0; c < 4; c++) {
        args->scalar[c] = mean[c];
        args->scalar[4 + c] = inv_std[c];
    }
    args->seed = 0x123456789abcdefull;
    args->epoch = 3;
    args->offset = (uint64_t)(p->images - args->n);
}

const lh_case_list lh_cases_batch = {&lh_batch, problem, fill, scalars};
