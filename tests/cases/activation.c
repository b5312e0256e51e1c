/* SPDX-License-Identifier: MIT
 *
 * Cases of kernels/activation. */
#include "tests/cases/cases.h"

#include "kernels/activation/activation.h"

static bool problem(int level, size_t i, void *out)
{
    lh_activation_problem *p = out;
    if (level == 2) { /* bench: the largest activation of vgg6 at batch 128 */
        *p = (lh_activation_problem){128, 65536, (lh_activation)(i + 1), 0.01f};
        return i + 1 < LH_ACT_COUNT;
    }
    static const size_t sizes[] = {1, 7, 128, 1000};
    size_t kinds = LH_ACT_COUNT - 1;
    if (i == kinds * LH_COUNT(sizes)) { /* large enough to go past the caches */
        *p = (lh_activation_problem){3, 1398150, LH_ACT_SILU, 0.1f};
        return true;
    }
    if (i > kinds * LH_COUNT(sizes)) return false;
    *p = (lh_activation_problem){3, sizes[i / kinds], (lh_activation)(i % kinds + 1), 0.1f};
    return true;
}

static void fill(const void *p, unsigned operand, uint64_t seed, void *out, size_t count)
{
    (void)p;
    (void)operand;
    double *x = out;
    lh_case_uniform(seed, x, count);
    for (size_t i = 0; i < count; i++) x[i] *= 4; /* both tails of the functions */
}

const lh_case_list lh_cases_activation_forward = {&lh_activation_forward, problem, fill, NULL};
const lh_case_list lh_cases_activation_backward = {&lh_activation_backward, problem, fill, NULL};
