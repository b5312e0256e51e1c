/* SPDX-License-Identifier: MIT
 *
 * Choosing, preparing and running variants. */
#include "kernels/op.h"
#include "kernels/ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* The variant that LEHR_VARIANT ("op=variant,op=variant") asks for this op; "" when none. */
static void forced_name(const lh_op *op, char *out, size_t size)
{
    const char *text = lh_getenv("LEHR_VARIANT");
    size_t length = strlen(op->name);
    out[0] = '\0';
    for (; text && *text; text += strcspn(text, ",") + (text[strcspn(text, ",")] != '\0'))
        if (strncmp(text, op->name, length) == 0 && text[length] == '=') {
            snprintf(out, size, "%.*s", (int)strcspn(text + length + 1, ","), text + length + 1);
            return;
        }
}

static const lh_variant *find_variant(const lh_op *op, const char *name)
{
    for (unsigned i = 0; i < op->variant_count; i++)
        if (strcmp(op->variants[i].name, name) == 0) return &op->variants[i];
    return NULL;
}

static lehr_status fail_forced(lehr_device *dev, const lh_op *op, const char *name,
                               const char *reason)
{
    lh_str list = {0};
    for (unsigned i = 0; i < op->variant_count; i++)
        lh_str_printf(&list, "%s%s", i ? ", " : "", op->variants[i].name);
    lehr_status st = lh_fail(lh_device_context(dev), LEHR_E_USAGE,
                             "LEHR_VARIANT=%s=%s: %s; variants: %s", op->name, name, reason,
                             lh_str_text(&list));
    lh_str_free(&list);
    return st;
}

static lehr_status choose(lehr_device *dev, const lh_op *op, const void *problem,
                          const lh_variant **out)
{
    char forced[64], text[256];
    const lh_traits *traits = lh_device_traits(dev);
    forced_name(op, forced, sizeof forced);
    if (*forced) {
        const lh_variant *v = find_variant(op, forced);
        const char *reason = v ? v->declines(problem, traits) : "there is no such variant";
        if (reason) return fail_forced(dev, op, forced, reason);
        *out = v;
        return LEHR_OK;
    }
    lh_str reasons = {0};
    *out = NULL;
    for (unsigned i = 0; i < op->variant_count && !*out; i++) {
        const char *reason = op->variants[i].declines(problem, traits);
        if (!reason)
            *out = &op->variants[i];
        else
            lh_str_printf(&reasons, "\n  %s: %s", op->variants[i].name, reason);
    }
    op->describe(problem, text, sizeof text);
    lehr_status st = LEHR_OK;
    if (*out)
        lh_log(lh_device_context(dev), LEHR_LOG_DEBUG, "%s [%s] -> %s%s%s", op->name, text,
               (*out)->name, reasons.length ? "; declined:" : "", lh_str_text(&reasons));
    else
        st = lh_fail(lh_device_context(dev), LEHR_E_UNSUPPORTED, "%s [%s]: no kernel takes this:%s",
                     op->name, text, lh_str_text(&reasons));
    lh_str_free(&reasons);
    return st;
}

lehr_status lh_exec_create_variant(lehr_device *dev, const lh_op *op, const void *problem,
                                   const lh_variant *variant, lh_exec **out)
{
    lehr_context *ctx = lh_device_context(dev);
    *out = NULL;
    const char *wrong = op->invalid ? op->invalid(problem) : NULL;
    if (wrong) {
        char text[256];
        op->describe(problem, text, sizeof text);
        return lh_fail(ctx, LEHR_E_SHAPE, "%s [%s]: %s", op->name, text, wrong);
    }
    lh_exec *exec = lh_alloc(ctx, 1, sizeof *exec);
    if (!exec) return LEHR_E_MEMORY;
    exec->op = op;
    exec->dev = dev;
    exec->problem = lh_alloc(ctx, 1, op->problem_size);
    lehr_status st = exec->problem ? LEHR_OK : LEHR_E_MEMORY;
    if (st == LEHR_OK) memcpy(exec->problem, problem, op->problem_size);
    if (st == LEHR_OK && !variant) st = choose(dev, op, problem, &variant);
    exec->variant = variant;
    if (st == LEHR_OK) st = variant->prepare(exec);
    if (st != LEHR_OK) lh_exec_destroy(&exec);
    *out = exec;
    return st;
}

lehr_status lh_exec_create(lehr_device *dev, const lh_op *op, const void *problem, lh_exec **out)
{
    return lh_exec_create_variant(dev, op, problem, NULL, out);
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
