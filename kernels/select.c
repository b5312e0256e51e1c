/* SPDX-License-Identifier: MIT
 *
 * Choosing among the variants of an op. */
#include "kernels/select.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/runtime/cache.h"

static const lh_variant *find_variant(const lh_op *op, const char *name)
{
    for (unsigned i = 0; i < op->variant_count; i++)
        if (strcmp(op->variants[i].name, name) == 0) return &op->variants[i];
    return NULL;
}

/* What LEHR_VARIANT ("op=variant:rows=6,op=variant") asks for this op: variant and parameters; false
 * when nothing. */
static bool forced(const lh_op *op, char *name, size_t size, char *parameters)
{
    const char *text = lh_getenv("LEHR_VARIANT");
    size_t length = strlen(op->name);
    for (; text && *text; text += strcspn(text, ",") + (text[strcspn(text, ",")] != '\0')) {
        if (strncmp(text, op->name, length) != 0 || text[length] != '=') continue;
        text += length + 1;
        size_t whole = strcspn(text, ","), head = strcspn(text, ",:");
        snprintf(name, size, "%.*s", (int)head, text);
        snprintf(parameters, LH_PARAMETERS, "%.*s", (int)(whole - head), text + head);
        if (*parameters) memmove(parameters, parameters + 1, strlen(parameters));
        return *name != '\0';
    }
    return false;
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

/* Every op that LEHR_VARIANT names must exist: a misspelt one would force nothing, silently. */
static lehr_status check_forced(lehr_device *dev)
{
    const char *text = lh_getenv("LEHR_VARIANT");
    for (; text && *text; text += strcspn(text, ",") + (text[strcspn(text, ",")] != '\0')) {
        char name[64];
        size_t length = strcspn(text, "=,");
        snprintf(name, sizeof name, "%.*s", (int)length, text);
        if (text[length] == '=' && lh_op_find(name)) continue;
        const char *known[64];
        size_t count = 0;
        for (; count < lh_op_count && count < LH_COUNT(known); count++)
            known[count] = lh_op_list[count]->name;
        lh_str list = {0};
        lh_str_suggest(&list, name, known, count);
        lehr_status st = lh_fail(lh_device_context(dev), LEHR_E_USAGE,
                                 "LEHR_VARIANT: '%s' is not OP=VARIANT with a known op%s", name,
                                 lh_str_text(&list));
        lh_str_free(&list);
        return st;
    }
    return LEHR_OK;
}

const char *lh_select_excludes(lehr_device *dev, const lh_op *op, const void *problem,
                               const lh_variant *variant, const char *parameters)
{
    char text[LH_DESCRIBE];
    const char *reason = variant->declines(problem, lh_device_traits(dev));
    if (reason) return reason;
    op->describe(problem, text, sizeof text);
    const lh_kept *bad = lh_kept_find(dev, LH_KEPT_BAD, op->name, text, variant->name, parameters);
    return bad ? (bad->note ? bad->note : "it disagreed with the reference") : NULL;
}

/* Takes what a stored row says, if that can still be had. */
static bool stored(lehr_device *dev, const lh_op *op, const void *problem, const char *text,
                   lh_kept_kind kind, lh_choice *out)
{
    static const char *const whose[] = {[LH_KEPT_RECORDED] = "the run's", [LH_KEPT_BEST] = "the measured",
                                        [LH_KEPT_SHIPPED] = "the shipped"};
    static const char *const why[] = {[LH_KEPT_RECORDED] = "recorded", [LH_KEPT_BEST] = "measured",
                                      [LH_KEPT_SHIPPED] = "shipped"};
    const lh_kept *row = lh_kept_find(dev, kind, op->name, text, NULL, NULL);
    if (!row) return false;
    const char *parameters = row->parameters ? row->parameters : "";
    const lh_variant *v = find_variant(op, row->variant);
    const char *reason = v ? lh_select_excludes(dev, op, problem, v, parameters)
                           : "there is no such variant";
    if (!reason) {
        out->variant = v;
        out->why = why[kind];
        snprintf(out->parameters, sizeof out->parameters, "%s", parameters);
        return true;
    }
    bool recorded = kind == LH_KEPT_RECORDED;
    lh_log(lh_device_context(dev), recorded ? LEHR_LOG_WARN : LEHR_LOG_INFO,
           "%s [%s]: %s '%s%s%s' cannot be used again: %s%s", op->name, text, whose[kind],
           row->variant, *parameters ? ":" : "", parameters, reason,
           recorded ? "; the run goes on with other bits" : "");
    return false;
}

static lehr_status first(lehr_device *dev, const lh_op *op, const void *problem, const char *text,
                         lh_choice *out)
{
    lh_str reasons = {0};
    out->why = "first";
    for (unsigned i = 0; i < op->variant_count && !out->variant; i++) {
        const char *reason = lh_select_excludes(dev, op, problem, &op->variants[i], "");
        if (!reason)
            out->variant = &op->variants[i];
        else
            lh_str_printf(&reasons, "\n  %s: %s", op->variants[i].name, reason);
    }
    lehr_status st = LEHR_OK;
    if (out->variant)
        lh_log(lh_device_context(dev), LEHR_LOG_DEBUG, "%s [%s] -> %s%s%s", op->name, text,
               out->variant->name, reasons.length ? "; declined:" : "", lh_str_text(&reasons));
    else
        st = lh_fail(lh_device_context(dev), LEHR_E_UNSUPPORTED, "%s [%s]: no kernel takes this:%s",
                     op->name, text, lh_str_text(&reasons));
    lh_str_free(&reasons);
    return st;
}

lehr_status lh_select_default(lehr_device *dev, const lh_op *op, const void *problem, lh_choice *out)
{
    char text[LH_DESCRIBE];
    *out = (lh_choice){0};
    op->describe(problem, text, sizeof text);
    if (stored(dev, op, problem, text, LH_KEPT_SHIPPED, out)) return LEHR_OK;
    return first(dev, op, problem, text, out);
}

lehr_status lh_select(lehr_device *dev, const lh_op *op, const void *problem, lh_choice *out)
{
    char name[64], text[LH_DESCRIBE];
    *out = (lh_choice){.why = "forced"};
    lehr_status st = check_forced(dev);
    if (st != LEHR_OK) return st;
    if (forced(op, name, sizeof name, out->parameters)) {
        out->variant = find_variant(op, name);
        const char *reason = out->variant ? out->variant->declines(problem, lh_device_traits(dev))
                                          : "there is no such variant";
        return reason ? fail_forced(dev, op, name, reason) : LEHR_OK;
    }
    op->describe(problem, text, sizeof text);
    if (stored(dev, op, problem, text, LH_KEPT_RECORDED, out) ||
        stored(dev, op, problem, text, LH_KEPT_BEST, out))
        return LEHR_OK;
    return lh_select_default(dev, op, problem, out);
}

static void keep_verdict(lh_exec *exec, const char *wrong)
{
    char text[LH_DESCRIBE], parameters[LH_PARAMETERS];
    exec->op->describe(lh_exec_problem(exec), text, sizeof text);
    lh_exec_parameters(exec, parameters);
    if (wrong)
        lh_log(lh_device_context(exec->dev), LEHR_LOG_WARN,
               "%s/%s%s%s computes wrong results on this device and will not be used [%s]: %s",
               exec->op->name, exec->variant->name, *parameters ? ":" : "", parameters, text, wrong);
    lh_kept_add(exec->dev, &(lh_kept){.kind = wrong ? LH_KEPT_BAD : LH_KEPT_GOOD, .op = exec->op->name,
                                      .problem = text, .variant = exec->variant->name,
                                      .parameters = parameters, .note = wrong});
}

void lh_select_reject(lh_exec *exec, const char *reason) { keep_verdict(exec, reason); }

lehr_status lh_select_check(lh_exec *exec, lh_verdict *verdict)
{
    lh_str reason = {0};
    lehr_status st = lh_trial_check(exec, verdict, &reason);
    if (st == LEHR_OK && *verdict != LH_VERDICT_UNKNOWN)
        keep_verdict(exec, *verdict == LH_VERDICT_BAD ? lh_str_text(&reason) : NULL);
    lh_str_free(&reason);
    return st;
}
