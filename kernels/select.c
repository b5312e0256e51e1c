/* SPDX-License-Identifier: MIT
 *
 * Choosing among the variants of an op. */
#include "kernels/select.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/runtime/cache.h"

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

const char *lh_select_excludes(lehr_device *dev, const lh_op *op, const void *problem,
                               const lh_variant *variant)
{
    char text[LH_DESCRIBE];
    const char *reason = variant->declines(problem, lh_device_traits(dev));
    if (reason) return reason;
    op->describe(problem, text, sizeof text);
    const lh_kept *bad = lh_kept_find(dev, LH_KEPT_BAD, op->name, text, variant->name);
    return bad ? (bad->note ? bad->note : "it disagreed with the reference") : NULL;
}

/* The variant of a stored row, if it can still be had. */
static const lh_variant *stored(lehr_device *dev, const lh_op *op, const void *problem,
                                const char *text, lh_kept_kind kind)
{
    const lh_kept *row = lh_kept_find(dev, kind, op->name, text, NULL);
    if (!row) return NULL;
    const lh_variant *v = find_variant(op, row->variant);
    const char *reason = v ? lh_select_excludes(dev, op, problem, v) : "there is no such variant";
    if (!reason) return v;
    uint32_t level = kind == LH_KEPT_RECORDED ? LEHR_LOG_WARN : LEHR_LOG_INFO;
    lh_log(lh_device_context(dev), level, "%s [%s]: %s '%s' cannot be used again: %s%s", op->name,
           text, kind == LH_KEPT_RECORDED ? "the run's" : "the measured", row->variant, reason,
           kind == LH_KEPT_RECORDED ? "; the run goes on with other bits" : "");
    return NULL;
}

static lehr_status first(lehr_device *dev, const lh_op *op, const void *problem, const char *text,
                         const lh_variant **out)
{
    lh_str reasons = {0};
    for (unsigned i = 0; i < op->variant_count && !*out; i++) {
        const char *reason = lh_select_excludes(dev, op, problem, &op->variants[i]);
        if (!reason)
            *out = &op->variants[i];
        else
            lh_str_printf(&reasons, "\n  %s: %s", op->variants[i].name, reason);
    }
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

lehr_status lh_select(lehr_device *dev, const lh_op *op, const void *problem,
                      const lh_variant **out, const char **why)
{
    char name[64], text[LH_DESCRIBE];
    *why = "forced";
    *out = NULL;
    forced_name(op, name, sizeof name);
    if (*name) {
        *out = find_variant(op, name);
        const char *reason = *out ? (*out)->declines(problem, lh_device_traits(dev))
                                  : "there is no such variant";
        return reason ? fail_forced(dev, op, name, reason) : LEHR_OK;
    }
    op->describe(problem, text, sizeof text);
    *out = stored(dev, op, problem, text, LH_KEPT_RECORDED);
    *why = "recorded";
    if (*out) return LEHR_OK;
    *out = stored(dev, op, problem, text, LH_KEPT_BEST);
    *why = "measured";
    if (*out) return LEHR_OK;
    *why = "first";
    return first(dev, op, problem, text, out);
}

lehr_status lh_select_check(lh_exec *exec, lh_verdict *verdict)
{
    char text[LH_DESCRIBE];
    lh_str reason = {0};
    lehr_status st = lh_trial_check(exec, verdict, &reason);
    exec->op->describe(lh_exec_problem(exec), text, sizeof text);
    bool bad = *verdict == LH_VERDICT_BAD;
    if (st == LEHR_OK && bad)
        lh_log(lh_device_context(exec->dev), LEHR_LOG_WARN,
               "%s/%s computes wrong results on this device and will not be used [%s]: %s",
               exec->op->name, exec->variant->name, text, lh_str_text(&reason));
    if (st == LEHR_OK && *verdict != LH_VERDICT_UNKNOWN)
        lh_kept_add(exec->dev, &(lh_kept){.kind = bad ? LH_KEPT_BAD : LH_KEPT_GOOD,
                                            .op = exec->op->name, .problem = text,
                                            .variant = exec->variant->name,
                                            .note = bad ? lh_str_text(&reason) : NULL});
    lh_str_free(&reason);
    return st;
}
