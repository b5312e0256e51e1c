/* SPDX-License-Identifier: MIT
 *
 * Preparing and running variants; kernels/select.c chooses. */
#include "kernels/op.h"
#include "kernels/ops.h"
#include "kernels/select.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/runtime/cache.h"

#define LH_OP_EXTERN(symbol) extern const lh_op symbol;
LH_OPS(LH_OP_EXTERN)
#define LH_OP_ADDRESS(symbol) &symbol,
const lh_op *const lh_op_list[] = {LH_OPS(LH_OP_ADDRESS)};
const size_t lh_op_count = LH_COUNT(lh_op_list);

const lh_op *lh_op_find(const char *name)
{
    for (size_t i = 0; i < lh_op_count; i++)
        if (strcmp(lh_op_list[i]->name, name) == 0) return lh_op_list[i];
    return NULL;
}

double lh_op_bytes(const lh_op *op, const void *problem, int n)
{
    if (op->bytes) return op->bytes(problem, n);
    double sum = 0;
    for (unsigned i = 0; i < op->operand_count; i++) {
        double size = op->operands[i].type == LH_U8 ? 1 : 4;
        double passes = op->operands[i].use == LH_INOUT ? 2 : 1;
        sum += passes * size * (double)op->count(problem, i, n);
    }
    return sum;
}

size_t lh_local_size(const lh_traits *traits, size_t want)
{
    size_t limit = traits->max_work_group;
    if (traits->max_work_item[0] && traits->max_work_item[0] < limit)
        limit = traits->max_work_item[0];
    size_t size = 1;
    while (2 * size <= want && 2 * size <= limit) size *= 2;
    return size;
}

const char *lh_needs_cpu_family(const lh_traits *traits)
{
    return traits->cpu_family ? NULL : "needs the CPU family (explicit vectors, no barriers)";
}

const char *lh_needs_gpu_family(const lh_traits *traits)
{
    return traits->cpu_family ? "made for devices with real local memory" : NULL;
}

static lehr_status check_problem(lehr_device *dev, const lh_op *op, const void *problem)
{
    char text[LH_DESCRIBE];
    const char *wrong = op->invalid ? op->invalid(problem) : NULL;
    if (!wrong) return LEHR_OK;
    op->describe(problem, text, sizeof text);
    return lh_fail(lh_device_context(dev), LEHR_E_SHAPE, "%s [%s]: %s", op->name, text, wrong);
}

lehr_status lh_exec_create_variant(lehr_device *dev, const lh_op *op, const void *problem,
                                   const lh_variant *variant, lh_exec **out)
{
    lehr_context *ctx = lh_device_context(dev);
    *out = NULL;
    lehr_status st = check_problem(dev, op, problem);
    if (st != LEHR_OK) return st;
    lh_exec *exec = lh_alloc(ctx, 1, sizeof *exec);
    if (!exec) return LEHR_E_MEMORY;
    exec->op = op;
    exec->dev = dev;
    exec->problem = lh_alloc(ctx, 1, op->problem_size);
    st = exec->problem ? LEHR_OK : LEHR_E_MEMORY;
    if (st == LEHR_OK) memcpy(exec->problem, problem, op->problem_size);
    exec->variant = variant;
    if (st == LEHR_OK) st = variant->prepare(exec);
    if (st != LEHR_OK) lh_exec_destroy(&exec);
    *out = exec;
    return st;
}

/* First use: a kernel that this device has not been seen to compute rightly is compared with the
 * reference, while there is time for it (lh_self_test_left).  wrong: choose another. */
static lehr_status first_use(lh_exec *exec, const char *why, const char *text, bool *wrong)
{
    lh_verdict verdict = LH_VERDICT_UNKNOWN;
    *wrong = false;
    if (strcmp(why, "forced") == 0 || !(lh_self_test_left(exec->dev) > 0) ||
        lh_kept_find(exec->dev, LH_KEPT_GOOD, exec->op->name, text, exec->variant->name))
        return LEHR_OK;
    double start = lh_now();
    lehr_status st = lh_select_check(exec, &verdict);
    lh_self_test_spent(exec->dev, lh_now() - start);
    *wrong = verdict == LH_VERDICT_BAD;
    return st;
}

lehr_status lh_exec_create(lehr_device *dev, const lh_op *op, const void *problem, lh_exec **out)
{
    char text[LH_DESCRIBE] = "";
    bool wrong = true;
    lehr_status st = check_problem(dev, op, problem);
    *out = NULL;
    if (st == LEHR_OK) op->describe(problem, text, sizeof text);
    while (st == LEHR_OK && wrong) { /* each turn excludes one more variant */
        const lh_variant *variant = NULL;
        const char *why = NULL;
        lh_exec_destroy(out);
        st = lh_select(dev, op, problem, &variant, &why);
        if (st == LEHR_OK) st = lh_exec_create_variant(dev, op, problem, variant, out);
        if (st == LEHR_OK) st = first_use(*out, why, text, &wrong);
        if (st == LEHR_OK && !wrong)
            lh_kept_add(dev, &(lh_kept){.kind = LH_KEPT_CHOSEN, .op = op->name, .problem = text,
                                          .variant = variant->name, .note = why});
    }
    if (st != LEHR_OK) lh_exec_destroy(out);
    return st;
}

void lh_exec_destroy(lh_exec **exec)
{
    if (!exec || !*exec) return;
    for (unsigned i = 0; i < LH_MAX_KERNELS; i++) lh_kernel_free(&(*exec)->kernels[i]);
    free((*exec)->problem);
    free(*exec);
    *exec = NULL;
}

lehr_status lh_exec_run(lh_exec *exec, const lh_args *args)
{
    return exec->variant->run(exec, args);
}

lehr_status lh_exec_kernel(lh_exec *exec, unsigned index, const char *path, const char *kernel,
                           const char *options, ...)
{
    char text[1024];
    va_list args;
    va_start(args, options);
    vsnprintf(text, sizeof text, options, args);
    va_end(args);
    return lh_kernel_get(exec->dev, path, text, kernel, &exec->kernels[index]);
}
