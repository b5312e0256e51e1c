/* SPDX-License-Identifier: MIT
 *
 * Cases of kernels/pool. */
#include "tests/cases/cases.h"

#include "core/base/philox.h"
#include "kernels/pool/pool.h"

/* n c h w kind r s stride_h stride_w pad_top pad_left pad_bottom pad_right p q relu where */
static const lh_pool_problem quick[] = {
    {3, 32, 8, 8, LH_POOL_MAX, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0}, /* the usual one */
    {2, 5, 9, 7, LH_POOL_MAX, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0},  /* rows and columns left over */
    {2, 16, 7, 9, LH_POOL_MAX, 3, 3, 2, 2, 1, 1, 1, 1, 0, 0}, /* overlapping, padded */
    {2, 20, 6, 6, LH_POOL_MAX, 2, 3, 3, 4, 0, 1, 1, 0, 0, 0}, /* gaps between windows */
    {3, 3, 5, 5, LH_POOL_MAX, 3, 3, 1, 1, 1, 1, 1, 1, 0, 0},  /* overlapping everywhere */
    {2, 24, 4, 4, LH_POOL_MAX, 4, 4, 4, 4, 0, 0, 0, 0, 0, 0}, /* global */
    {3, 32, 8, 8, LH_POOL_MAX, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, true}, /* behind a ReLU */
    {2, 16, 7, 9, LH_POOL_MAX, 3, 3, 2, 2, 1, 1, 1, 1, 0, 0, true},
    {3, 32, 8, 8, LH_POOL_MAX, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, true, true}, /* with bytes that say where */
    {2, 5, 9, 7, LH_POOL_MAX, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, false, true},
    {2, 16, 7, 9, LH_POOL_MAX, 3, 3, 2, 2, 1, 1, 1, 1, 0, 0, true, true},
    {2, 20, 6, 6, LH_POOL_MAX, 2, 3, 3, 4, 0, 1, 1, 0, 0, 0, false, true},
    {1, 4, 15, 17, LH_POOL_MAX, 14, 16, 1, 1, 0, 3, 3, 0, 0, 0, true, true}, /* places up to 223 */
    {3, 32, 8, 8, LH_POOL_AVG, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0},
    {2, 48, 8, 8, LH_POOL_AVG, 8, 8, 8, 8, 0, 0, 0, 0, 0, 0}, /* global average */
    {2, 10, 7, 7, LH_POOL_AVG, 7, 7, 1, 1, 0, 0, 0, 0, 0, 0}, /* the same, stride 1 */
    {2, 8, 7, 9, LH_POOL_AVG, 3, 3, 2, 2, 1, 0, 0, 1, 0, 0},  /* overlapping, padded unevenly */
    {2, 1, 6, 7, LH_POOL_AVG, 1, 2, 2, 3, 0, 1, 0, 1, 0, 0},  /* gaps, padded */
};
static const lh_pool_problem bench[] = {
    {128, 64, 32, 32, LH_POOL_MAX, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0},
    {128, 128, 16, 16, LH_POOL_MAX, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0},
    {128, 64, 32, 32, LH_POOL_MAX, 3, 3, 2, 2, 1, 1, 1, 1, 0, 0},
    {128, 64, 32, 32, LH_POOL_AVG, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0},
    {128, 256, 8, 8, LH_POOL_AVG, 8, 8, 8, 8, 0, 0, 0, 0, 0, 0},
    {128, 32, 30, 30, LH_POOL_MAX, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, true},
    {128, 32, 30, 30, LH_POOL_MAX, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, true, true},
    {128, 64, 13, 13, LH_POOL_MAX, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, true, true},
    {128, 64, 13, 13, LH_POOL_MAX, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, true},
};

static bool problem(int level, size_t i, void *out) {
    bool found = level == 2 ? lh_case_row(bench, LH_COUNT(bench), sizeof *bench, i, out)
                            : lh_case_row(quick, LH_COUNT(quick), sizeof *quick, i, out);
    if (found) lh_pool_output(out);
    return found;
}

/* Few different values: most windows hold their maximum several times. */
static void fill(const void *problem, unsigned operand, uint64_t seed, void *out, size_t count) {
    const lh_pool_problem *p = problem;
    double *x = out;
    lh_case_uniform(seed, x, count);
    if (operand == LH_POOLF_X && p->kind == LH_POOL_MAX)
        for (size_t i = 0; i < count; i++) x[i] = (double)(int)(4 * x[i]) / 4 - 0.125;
}

/* Places of all windows, some of them in the padding, and nowhere. */
static void fill_backward(const void *problem, unsigned operand, uint64_t seed, void *out, size_t count)
{
    const lh_pool_problem *p = problem;
    uint8_t *where = out;
    if (operand != LH_POOLB_WHERE) {
        fill(problem, operand, seed, out, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        int place = (int)(lh_philox_draw(seed, i, LH_STREAM_USER, 0).v[0] % (unsigned)(p->r * p->s + 1));
        where[i] = (uint8_t)(place == p->r * p->s ? LH_POOL_NOWHERE : place);
    }
}

const lh_case_list lh_cases_pool_forward = {&lh_pool_forward, problem, fill, NULL};
const lh_case_list lh_cases_pool_backward = {&lh_pool_backward, problem, fill_backward, NULL};
