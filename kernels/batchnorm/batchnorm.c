/* SPDX-License-Identifier: MIT
 *
 * Batch normalisation: problem, variant tables. */
#include "kernels/batchnorm/batchnorm.h"

#include <limits.h>
#include <stdio.h>

#include "kernels/batchnorm/host.h"
#include "kernels/stream.h"

static size_t elements(const lh_batchnorm_problem *p, int n) {
    return (size_t)n * p->hw * p->c;
}

/* Of y and dy. */
static size_t pooled(const lh_batchnorm_problem *p, int n) {
    if (p->pool == LH_BATCHNORM_MEAN) return (size_t)n * p->c;
    return elements(p, n) / (p->pool == LH_BATCHNORM_MAX2 ? 4 : 1);
}

static size_t count_train(const void *problem, unsigned operand, int n) {
    const lh_batchnorm_problem *p = problem;
    if (operand == LH_BNT_X) return elements(p, n);
    if (operand == LH_BNT_Y) return pooled(p, n);
    if (operand == LH_BNT_ADD) return p->add ? elements(p, n) : 0;
    if (operand == LH_BNT_STATS) return p->given ? 2 * (size_t)p->c : 0;
    return (size_t)p->c * (operand == LH_BNT_SAVED ? 4 : 1);
}

static size_t count_eval(const void *problem, unsigned operand, int n) {
    const lh_batchnorm_problem *p = problem;
    if (operand == LH_BNE_ADD) return p->add ? elements(p, n) : 0;
    if (operand == LH_BNE_Y) return pooled(p, n);
    return operand == LH_BNE_X ? elements(p, n) : (size_t)p->c;
}

static size_t count_backward(const void *problem, unsigned operand, int n) {
    const lh_batchnorm_problem *p = problem;
    if (operand == LH_BNB_X || operand == LH_BNB_DX) return elements(p, n);
    if (operand == LH_BNB_DY) return pooled(p, n);
    if (operand == LH_BNB_SUMS) return p->given ? 2 * (size_t)p->c : 0;
    return (size_t)p->c * (operand == LH_BNB_SAVED ? 4 : 1);
}

static int batch(const void *problem) {
    return ((const lh_batchnorm_problem *)problem)->n;
}

static const char *invalid(const void *problem) {
    const lh_batchnorm_problem *p = problem;
    if (p->n < 1 || p->c < 1 || p->hw < 1) return "empty tensor";
    if (p->hw > INT_MAX / p->n) return "more than 2^31 pixels in a batch";
    if (!(p->eps >= 0)) return "negative eps";
    if (p->act != LH_ACT_NONE && p->act != LH_ACT_RELU) return "activation is not none or relu";
    if (p->pool && p->add) return "pooling excludes an addition";
    if (p->pool == LH_BATCHNORM_MAX2 && (p->w < 2 || p->w % 2 || p->hw % (2 * p->w)))
        return "pooling 2x2 needs an even number of rows and columns";
    return NULL;
}

static const char *invalid_backward(const void *problem) {
    const lh_batchnorm_problem *p = problem;
    return p->pool && p->given ? "pooling excludes given sums" : invalid(problem);
}

static double flops_train(const void *problem, int n) {
    return 6.0 * (double)elements(problem, n);
}
static double flops_eval(const void *problem, int n) {
    return 2.0 * (double)elements(problem, n);
}
static double flops_backward(const void *problem, int n) {
    return 10.0 * (double)elements(problem, n);
}

static void describe(const void *problem, char *out, size_t size) {
    const lh_batchnorm_problem *p = problem;
    static const char *const pools[] = {"", " mean", " max2 w="};
    int which = p->pool == LH_BATCHNORM_MAX2 ? 2 : p->pool == LH_BATCHNORM_MEAN;
    int end = snprintf(out, size, "n=%d c=%d hw=%d eps=%g momentum=%g act=%s%s%s%s", p->n, p->c,
                       p->hw, (double)p->eps, (double)p->momentum, lh_activation_name(p->act),
                       p->add ? " add" : "", p->given ? " given" : "", pools[which]);
    if (which == 2 && end > 0 && (size_t)end < size)
        snprintf(out + end, size - (size_t)end, "%d", p->w);
}

static const lh_operand train_operands[] = {{"x", LH_IN, LH_F32},
                                            {"gamma", LH_IN, LH_F32},
                                            {"beta", LH_IN, LH_F32},
                                            {"running_mean", LH_INOUT, LH_F32},
                                            {"running_var", LH_INOUT, LH_F32},
                                            {"y", LH_OUT, LH_F32},
                                            {"saved", LH_OUT, LH_F32},
                                            {"add", LH_IN, LH_F32},
                                            {"stats", LH_IN, LH_F32}};
static const lh_operand eval_operands[] = {{"x", LH_IN, LH_F32},    {"gamma", LH_IN, LH_F32},
                                           {"beta", LH_IN, LH_F32}, {"mean", LH_IN, LH_F32},
                                           {"var", LH_IN, LH_F32},  {"y", LH_OUT, LH_F32},
                                           {"add", LH_IN, LH_F32}};
static const lh_operand backward_operands[] = {{"x", LH_IN, LH_F32},     {"dy", LH_IN, LH_F32},
                                               {"gamma", LH_IN, LH_F32}, {"saved", LH_IN, LH_F32},
                                               {"dx", LH_OUT, LH_F32},   {"dgamma", LH_OUT, LH_F32},
                                               {"dbeta", LH_OUT, LH_F32},
                                               {"sums", LH_IN, LH_F32}};

static const lh_variant train_variants[] = {
    {"tasks_cpu", lh_declines_without_cpu, lh_batchnorm_prepare_train_tasks,
     lh_batchnorm_run_train},
    {"groups", lh_declines_never, lh_batchnorm_prepare_train_groups, lh_batchnorm_run_train}};
static const lh_variant eval_variants[] = {
    {"tasks_cpu", lh_declines_without_cpu, lh_batchnorm_prepare_eval_tasks, lh_batchnorm_run_eval},
    {"groups", lh_declines_never, lh_batchnorm_prepare_eval_groups, lh_batchnorm_run_eval}};
static const lh_variant backward_variants[] = {
    {"tasks_cpu", lh_batchnorm_declines_backward_tasks, lh_batchnorm_prepare_backward_tasks,
     lh_batchnorm_run_backward},
    {"groups", lh_declines_never, lh_batchnorm_prepare_backward_groups, lh_batchnorm_run_backward}};

/* Statistics of something like uniform numbers; half of them pass the ReLU. */
static bool sample_statistics(unsigned part, size_t c, double *out, size_t count) {
    for (size_t i = 0; i < count; i++) {
        double gamma = 0.5 + (double)(i % c % 7) / 8, mean = (double)(i % c % 5) / 16 - 0.125;
        double inv_std = 1.7, scale = gamma * inv_std;
        const double saved[] = {scale, 0.01 - mean * scale, mean, inv_std};
        out[i] = part ? 1 / (inv_std * inv_std) : saved[i / c % 4];
    }
    return true;
}

static bool sample_train(const void *problem, unsigned operand, uint64_t seed, void *out,
                         size_t count) {
    const lh_batchnorm_problem *p = problem;
    (void)seed;
    return (operand == LH_BNT_RUNNING_VAR || operand == LH_BNT_STATS) &&
           sample_statistics(1, (size_t)p->c, out, count);
}

static bool sample_eval(const void *problem, unsigned operand, uint64_t seed, void *out,
                        size_t count) {
    (void)seed;
    return operand == LH_BNE_VAR &&
           sample_statistics(1, (size_t)((const lh_batchnorm_problem *)problem)->c, out, count);
}

static bool sample_backward(const void *problem, unsigned operand, uint64_t seed, void *out,
                            size_t count) {
    (void)seed;
    return operand == LH_BNB_SAVED &&
           sample_statistics(0, (size_t)((const lh_batchnorm_problem *)problem)->c, out, count);
}

const lh_op lh_batchnorm_train = {"batchnorm.train",
                                  sizeof(lh_batchnorm_problem),
                                  LH_OPERANDS(train_operands),
                                  LH_VARIANTS(train_variants),
                                  count_train,
                                  batch,
                                  invalid,
                                  lh_batchnorm_train_reference,
                                  flops_train,
                                  describe,
                                  5e-6,
                                  .sample = sample_train};
const lh_op lh_batchnorm_eval = {"batchnorm.eval",
                                 sizeof(lh_batchnorm_problem),
                                 LH_OPERANDS(eval_operands),
                                 LH_VARIANTS(eval_variants),
                                 count_eval,
                                 batch,
                                 invalid,
                                 lh_batchnorm_eval_reference,
                                 flops_eval,
                                 describe,
                                 2e-6,
                                 .sample = sample_eval};
const lh_op lh_batchnorm_backward = {"batchnorm.backward",
                                     sizeof(lh_batchnorm_problem),
                                     LH_OPERANDS(backward_operands),
                                     LH_VARIANTS(backward_variants),
                                     count_backward,
                                     batch,
                                     invalid_backward,
                                     lh_batchnorm_backward_reference,
                                     flops_backward,
                                     describe,
                                     5e-6,
                                     .sample = sample_backward};
