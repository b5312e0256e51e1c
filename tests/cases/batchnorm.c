/* SPDX-License-Identifier: MIT
 *
 * Cases of kernels/batchnorm. */
#include "tests/cases/cases.h"

#include "kernels/batchnorm/batchnorm.h"

/* n c hw eps momentum act */
static const lh_batchnorm_problem quick[] = {
    {3, 64, 100, 1e-5f, 0.1f, LH_ACT_RELU},  /* one block of four vectors, several slots */
    {2, 32, 96, 1e-5f, 0.1f, LH_ACT_RELU, false, false, LH_BATCHNORM_MAX2, 8},
    {2, 16, 2100, 1e-5f, 0.1f, LH_ACT_NONE}, /* slots with a tail */
    {5, 160, 49, 1e-3f, 0.01f, LH_ACT_RELU}, /* several blocks */
    {4, 12, 9, 1e-5f, 0.1f, LH_ACT_RELU},    /* narrow vectors */
    {3, 7, 10, 1e-5f, 0.1f, LH_ACT_NONE},    /* no vector divides the channels */
    {65, 48, 1, 1e-5f, 0.1f, LH_ACT_RELU},   /* behind a dense layer */
    {1, 3, 1, 0.25f, 0.1f, LH_ACT_NONE},     /* a single pixel: variance 0 */
    {3, 64, 100, 1e-5f, 0.1f, LH_ACT_RELU, true, true}, /* with addition, sums given */
    {4, 12, 9, 1e-5f, 0.1f, LH_ACT_NONE, false, true},
    {3, 7, 10, 1e-5f, 0.1f, LH_ACT_RELU, true, false},
    {2, 160, 60, 1e-5f, 0.1f, LH_ACT_RELU, false, false, LH_BATCHNORM_MAX2, 6}, /* several blocks */
    {5, 12, 48, 1e-5f, 0.1f, LH_ACT_NONE, false, false, LH_BATCHNORM_MAX2, 12},
    {2, 3, 4000, 1e-5f, 0.1f, LH_ACT_RELU, false, false, LH_BATCHNORM_MAX2, 20}, /* slots cut short */
    {3, 48, 64, 1e-5f, 0.1f, LH_ACT_RELU, false, false, LH_BATCHNORM_MEAN, 0},
    {4, 7, 15, 1e-5f, 0.1f, LH_ACT_NONE, false, false, LH_BATCHNORM_MEAN, 0},
};
static const lh_batchnorm_problem bench[] = {
    {128, 64, 1024, 1e-5f, 0.1f, LH_ACT_RELU}, {128, 64, 1024, 1e-5f, 0.1f, LH_ACT_NONE},
    {128, 128, 256, 1e-5f, 0.1f, LH_ACT_RELU}, {128, 256, 64, 1e-5f, 0.1f, LH_ACT_RELU},
    {128, 16, 1024, 1e-5f, 0.1f, LH_ACT_RELU},
    {128, 64, 1024, 1e-5f, 0.1f, LH_ACT_RELU, false, false, LH_BATCHNORM_MAX2, 32},
    {128, 128, 256, 1e-5f, 0.1f, LH_ACT_RELU, false, false, LH_BATCHNORM_MAX2, 16},
    {128, 256, 64, 1e-5f, 0.1f, LH_ACT_RELU, false, false, LH_BATCHNORM_MEAN, 0},
};

static bool problem(int level, size_t i, void *out) {
    if (level == 2) return lh_case_row(bench, LH_COUNT(bench), sizeof *bench, i, out);
    return lh_case_row(quick, LH_COUNT(quick), sizeof *quick, i, out);
}

/* Element i of x: channels differ in mean (up to 30 deviations from 0) and deviation. */
static void fill_x(const lh_batchnorm_problem *p, uint64_t seed, double *x, size_t count) {
    lh_case_uniform(seed, x, count);
    for (size_t i = 0; i < count; i++) {
        int c = (int)(i % (size_t)p->c);
        x[i] = (0.5 + c % 3) * (x[i] + (c % 5 - 2) * 9);
    }
}

static void positive(uint64_t seed, double *x, size_t count) {
    lh_case_uniform(seed, x, count);
    for (size_t i = 0; i < count; i++) x[i] = 1.25 + x[i];
}

static void fill_train(const void *problem, unsigned operand, uint64_t seed, void *out,
                       size_t count) {
    if (operand == LH_BNT_X)
        fill_x(problem, seed, out, count);
    else if (operand == LH_BNT_RUNNING_VAR || operand == LH_BNT_STATS)
        positive(seed, out, count);
    else
        lh_case_uniform(seed, out, count);
}

static void fill_eval(const void *problem, unsigned operand, uint64_t seed, void *out,
                      size_t count) {
    if (operand == LH_BNE_VAR)
        positive(seed, out, count);
    else
        lh_case_uniform(seed, out, count);
    (void)problem;
}

/* saved is close to what train would have saved for x and this gamma: half of z passes the relu. */
static void fill_backward(const void *problem, unsigned operand, uint64_t seed, void *out,
                          size_t count) {
    const lh_batchnorm_problem *p = problem;
    double *x = out;
    if (operand == LH_BNB_X) {
        fill_x(p, seed, out, count);
        return;
    }
    lh_case_uniform(seed, x, count);
    if (operand != LH_BNB_SAVED) return;
    size_t c_count = (size_t)p->c;
    for (size_t c = 0; c < c_count; c++) {
        double deviation = (0.5 + (int)(c % 3)) * 0.577, gamma = x[c], shift = 0.3 * x[c_count + c];
        double mean = (0.5 + (int)(c % 3)) * ((int)(c % 5) - 2) * 9;
        x[c] = gamma / deviation;
        x[c_count + c] = shift - mean * x[c];
        x[2 * c_count + c] = mean;
        x[3 * c_count + c] = 1 / deviation;
    }
}

const lh_case_list lh_cases_batchnorm_train = {&lh_batchnorm_train, problem, fill_train, NULL};
const lh_case_list lh_cases_batchnorm_eval = {&lh_batchnorm_eval, problem, fill_eval, NULL};
const lh_case_list lh_cases_batchnorm_backward = {&lh_batchnorm_backward, problem, fill_backward,
                                                  NULL};
