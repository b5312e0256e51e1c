/* SPDX-License-Identifier: MIT
 *
 * Cases of kernels/control: replacing and adding, with and without clipping. */
#include "tests/cases/cases.h"

#include "kernels/control/control.h"

static bool problem(int level, size_t i, void *out)
{
    static const lh_control_problem rows[] = {
        {7, 3, false}, {130, 3, true}, {1, 3, true}, {129, 3, false}};
    return level < 2 && lh_case_row(rows, LH_COUNT(rows), sizeof *rows, i, out);
}

static void fill(const void *p, unsigned operand, uint64_t seed, void *out, size_t count)
{
    (void)p;
    double *x = out;
    lh_case_uniform(seed, x, count);
    if (operand == LH_CONTROL_SUMSQ) x[0] = 6.25;
    if (operand == LH_CONTROL_CONTROL) x[1] = 0;
}

static void scalars(const void *problem, lh_host_args *a)
{
    const lh_control_problem *p = problem;
    a->offset = 1;
    a->scalar[0] = p->n % 2;
    a->scalar[1] = p->n != 7;
    a->scalar[2] = 0.5;
}

const lh_case_list lh_cases_control = {&lh_control, problem, fill, scalars};
