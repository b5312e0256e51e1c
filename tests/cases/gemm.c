/* SPDX-License-Identifier: MIT
 *
 * Cases of kernels/gemm: all transposes, tails in every dimension, one alpha/beta per case. */
#include "tests/cases/cases.h"

#include <math.h>

#include "kernels/gemm/gemm.h"

static bool problem(int level, size_t i, void *out)
{
    /* Each in all four transposes: tails everywhere; many blocks of k. */
    static const lh_gemm_problem turned[] = {
        {13, 33, 300, false, false}, {64, 64, 64, false, false}, {65, 31, 7, false, false}};
    static const lh_gemm_problem quick[] = {
        {1, 1, 1, false, false},    {3, 70, 5, true, false},     {8, 32, 16, false, true},
        {150, 97, 20, true, true},  {140, 40, 270, false, true}, {140, 40, 270, false, false},
        {10, 20, 1100, true, true}, {10, 20, 1100, true, false}, {256, 256, 20, false, false},
        {256, 64, 20, false, true}, {64, 256, 20, true, false},  {256, 32, 20, true, true},
        {50, 100, 110, true, false}, {9, 33, 1030, false, false}, {18, 40, 1030, false, true},
        {64, 100, 40, false, true}, {1, 40, 70, false, true},    {300, 530, 16, false, false}};
    static const lh_gemm_problem bench[] = {{512, 512, 512, false, false},
                                            {1024, 1024, 1024, false, false},
                                            {2048, 2048, 2048, false, false},
                                            {128, 1024, 512, false, true},
                                            {128, 512, 2304, false, true},
                                            {512, 2304, 128, true, false},
                                            {32768, 64, 576, false, false},
                                            {32768, 256, 64, false, true},
                                            {32768, 64, 256, false, true},
                                            {64, 576, 32768, true, false},
                                            {512, 4096, 128, true, false},
                                            {128, 4096, 512, false, false},
                                            {128, 512, 4096, false, true},
                                            {512, 4096, 128, false, false},
                                            {128, 10, 256, false, true},
                                            {128, 256, 10, false, false},
                                            {10, 256, 128, true, false},
                                            {1, 1024, 1024, false, true},
                                            {16, 1024, 1024, false, true},
                                            {1000, 1000, 1000, true, true}};
    if (level == 2) return lh_case_row(bench, LH_COUNT(bench), sizeof *bench, i, out);
    lh_gemm_problem *p = out;
    if (level == 1) { /* the sweep: every m, n, k of a small grid around the tile sizes */
        static const int sizes[] = {1, 2, 7, 8, 9, 31, 33, 64, 129};
        size_t s = LH_COUNT(sizes);
        if (!lh_case_part(4 * s * s * s, i, &i)) return false;
        *p = (lh_gemm_problem){sizes[i / 4 % s], sizes[i / 4 / s % s], sizes[i / 4 / s / s],
                               i & 1, (i & 2) != 0};
        return true;
    }
    size_t many = 4 * LH_COUNT(turned);
    if (i >= many) return lh_case_row(quick, LH_COUNT(quick), sizeof *quick, i - many, out);
    *p = turned[i / 4];
    p->trans_a = i & 1;
    p->trans_b = (i & 2) != 0;
    return true;
}

/* Every second sum of sizes keeps C (beta != 0). */
static bool keeps_c(const lh_gemm_problem *p) { return (p->m + p->n + p->k) % 2 == 0; }

static void fill(const void *p, unsigned operand, uint64_t seed, void *out, size_t count)
{
    double *x = out;
    const lh_gemm_problem *product = p;
    lh_case_uniform(seed, x, count);
    /* Few results: off centre, so that the largest is not small beside the terms that it is a sum of. */
    if (operand != LH_GEMM_C && product->m * product->n < 64)
        for (size_t i = 0; i < count; i++) x[i] += 0.5;
    if (operand == LH_GEMM_C && !keeps_c(p)) /* beta = 0 must not read C: poison shows it */
        for (size_t i = 0; i < count; i++) x[i] = NAN;
}

static void scalars(const void *problem, lh_host_args *args)
{
    bool keep = keeps_c(problem);
    args->scalar[0] = keep ? 0.75 : 1;
    args->scalar[1] = keep ? -0.5 : 0;
}

const lh_case_list lh_cases_gemm = {&lh_gemm, problem, fill, scalars};
