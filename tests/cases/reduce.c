/* SPDX-License-Identifier: MIT
 *
 * Cases of kernels/reduce. */
#include "tests/cases/cases.h"

#include "kernels/reduce/reduce.h"

static bool problem(int level, size_t i, void *out) {
    lh_reduce_problem *p = out;
    size_t kinds = LH_REDUCE_MAXABS + 1;
    if (level == 2) { /* bench: the largest activation of vgg6 at batch 128 */
        *p = (lh_reduce_problem){128, 65536, (lh_reduce_kind)i};
        return i < kinds;
    }
    if (level == 1) { /* as many slots as there can be */
        *p = (lh_reduce_problem){2, 8500000, (lh_reduce_kind)i};
        return i < kinds;
    }
    /* One element; below a vector; several slots with a tail. */
    static const size_t sizes[] = {1, 7, 100003};
    if (i >= kinds * LH_COUNT(sizes)) return false;
    *p = (lh_reduce_problem){2, sizes[i / kinds], (lh_reduce_kind)(i % kinds)};
    return true;
}

/* Off centre, so that a sum is not small beside its terms. */
static void fill(const void *p, unsigned operand, uint64_t seed, void *out, size_t count) {
    (void)p;
    (void)operand;
    double *x = out;
    lh_case_uniform(seed, x, count);
    for (size_t i = 0; i < count; i++) x[i] += 0.5;
}

const lh_case_list lh_cases_reduce_all = {&lh_reduce_all, problem, fill, NULL};
