/* SPDX-License-Identifier: MIT
 *
 * Cases of kernels/vector. */
#include "tests/cases/cases.h"

#include "kernels/vector/vector.h"

static bool problem(int level, size_t i, void *out) {
    lh_vector_problem *p = out;
    size_t kinds = LH_VECTOR_COPY + 1;
    if (level == 2) { /* bench: the largest activation of vgg6 at batch 128 */
        *p = (lh_vector_problem){128, 65536, (lh_vector_kind)i};
        return i < kinds;
    }
    /* One element; odd; more than one chunk of the task kernels. */
    static const size_t sizes[] = {1, 77, 9001};
    if (i >= kinds * LH_COUNT(sizes)) return false;
    *p = (lh_vector_problem){3, sizes[i / kinds], (lh_vector_kind)(i % kinds)};
    return true;
}

static void scalars(const void *problem, lh_host_args *args) {
    (void)problem;
    args->scalar[0] = 0.375;
}

const lh_case_list lh_cases_vector = {&lh_vector, problem, NULL, scalars};
