/* SPDX-License-Identifier: MIT
 *
 * Cases of kernels/loss. */
#include "tests/cases/cases.h"

#include "core/base/philox.h"
#include "kernels/loss/loss.h"

static bool problem(int level, size_t i, void *out) {
    static const lh_loss_problem quick[] = {
        {1, 1, LH_LOSS_CROSS_ENTROPY},
        {130, 10, LH_LOSS_CROSS_ENTROPY},
        {7, 10, LH_LOSS_CROSS_ENTROPY},
        {5, 100, LH_LOSS_CROSS_ENTROPY},
        {3, 2, LH_LOSS_CROSS_ENTROPY},
        {130, 10, LH_LOSS_L2},
        {3, 1, LH_LOSS_L2},
    };
    static const lh_loss_problem bench[] = {
        {128, 10, LH_LOSS_CROSS_ENTROPY}, {128, 100, LH_LOSS_CROSS_ENTROPY}, {128, 10, LH_LOSS_L2}};
    if (level == 2) return lh_case_row(bench, LH_COUNT(bench), sizeof *bench, i, out);
    return lh_case_row(quick, LH_COUNT(quick), sizeof *quick, i, out);
}

static void fill(const void *problem, unsigned operand, uint64_t seed, void *out, size_t count) {
    const lh_loss_problem *p = problem;
    if (operand == LH_LOSS_LABELS) {
        for (size_t i = 0; i < count; i++)
            ((int32_t *)out)[i] =
                (int32_t)lh_below(lh_philox_draw(seed, i, LH_STREAM_USER, 0).v[0], (lh_u32)p->k);
        return;
    }
    double *x = out;
    lh_case_uniform(seed, x, count);
    /* Large enough that a soft-max without a shift overflows, with ties for the largest. */
    for (size_t i = 0; i < count; i++)
        x[i] = i / (size_t)p->k % 3 == 0   ? 4 * x[i]
               : i / (size_t)p->k % 3 == 1 ? 100 + 5 * x[i]
                                           : (double)(int)(2 * x[i]);
}

static void scalars(const void *problem, lh_host_args *args) {
    const lh_loss_problem *p = problem;
    args->scalar[0] = args->n % 2 ? 0.0 : 0.1;
    args->scalar[1] = 1.0 / p->n;
}

const lh_case_list lh_cases_loss = {&lh_loss, problem, fill, scalars};
