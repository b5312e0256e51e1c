/* SPDX-License-Identifier: MIT
 *
 * Preparing and running variants; kernels/select.c chooses. */
#include "kernels/loops.h"
#include "kernels/op.h"
#include "kernels/ops.h"
#include "kernels/select.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/runtime/cache.h"

enum { LH_MAX_REFUSED = 16 };

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

bool lh_bytes_agree(const lh_op *op, const void *got, const void *want, size_t count)
{
    const unsigned char *a = got, *b = want;
    size_t differ = 0;
    for (size_t i = 0; i < count; i++) differ += a[i] != b[i];
    return (double)differ <= op->misplaced * (double)count;
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

/* ---- parameters ---- */

/* The value of name in "rows=6:nv=2", 0 when it is not there. */
static int wanted_value(const char *text, const char *name)
{
    size_t length = strlen(name);
    int value = 0;
    for (; *text; text += strcspn(text, ":") + (text[strcspn(text, ":")] != '\0')) {
        if (strncmp(text, name, length) != 0 || text[length] != '=') continue;
        for (text += length + 1; *text >= '0' && *text <= '9' && value < 100000; text++)
            value = 10 * value + (*text - '0');
        return *text == '\0' || *text == ':' ? value : 0;
    }
    return 0;
}

int lh_exec_tunable(lh_exec *e, const char *name, int rule, const int *values, size_t count)
{
    if (e->tunable_count == LH_MAX_TUNABLES) return rule;
    lh_tunable *t = &e->tunables[e->tunable_count++];
    int wanted = wanted_value(e->wanted, name);
    *t = (lh_tunable){.name = name, .rule = rule, .value = rule};
    for (size_t i = 0; i < count && i < LH_MAX_VALUES; i++) {
        t->values[i] = values[i];
        if (values[i] == wanted) t->value = wanted;
    }
    return t->value;
}

void lh_exec_parameters_with(const lh_exec *e, unsigned index, int value, char out[LH_PARAMETERS])
{
    size_t used = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < e->tunable_count; i++) {
        const lh_tunable *t = &e->tunables[i];
        char one[LH_PARAMETERS];
        int used_value = i == index ? value : t->value;
        if (used_value == t->rule) continue;
        int length = snprintf(one, sizeof one, "%s%s=%d", used ? ":" : "", t->name, used_value);
        if (used + (size_t)length >= LH_PARAMETERS) return;
        memcpy(out + used, one, (size_t)length + 1);
        used += (size_t)length;
    }
}

void lh_exec_parameters(const lh_exec *e, char out[LH_PARAMETERS])
{
    lh_exec_parameters_with(e, LH_MAX_TUNABLES, 0, out);
}

/* Everything that was asked for was taken. */
static lehr_status check_parameters(const lh_exec *e)
{
    lh_str known = {0};
    size_t length = 0;
    const char *wrong = NULL;
    for (const char *text = e->wanted; *text && !wrong; text += length + (text[length] == ':')) {
        bool taken = false;
        length = strcspn(text, ":");
        for (unsigned i = 0; i < e->tunable_count; i++) {
            const lh_tunable *t = &e->tunables[i];
            size_t name = strlen(t->name);
            taken |= strncmp(text, t->name, name) == 0 && text[name] == '=' &&
                     t->value == wanted_value(e->wanted, t->name);
        }
        if (!taken) wrong = text;
    }
    if (!wrong) return LEHR_OK;
    for (unsigned i = 0; i < e->tunable_count; i++) {
        const lh_tunable *t = &e->tunables[i];
        lh_str_printf(&known, "%s%s=%d", i ? "; " : "", t->name, t->rule);
        for (unsigned k = 0; k < LH_MAX_VALUES && t->values[k]; k++)
            if (t->values[k] != t->rule) lh_str_printf(&known, "|%d", t->values[k]);
    }
    lehr_status st = lh_fail(lh_device_context(e->dev), LEHR_E_USAGE,
                             "%s/%s cannot have %.*s here; its parameters: %s", e->op->name,
                             e->variant->name, (int)strcspn(wrong, ":"), wrong,
                             known.length ? lh_str_text(&known) : "none");
    lh_str_free(&known);
    return st;
}

/* ---- preparing ---- */

lehr_status lh_exec_create_with(lehr_device *dev, const lh_op *op, const void *problem,
                                const lh_variant *variant, const char *parameters, lh_exec **out)
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
    exec->wanted = parameters ? parameters : "";
    if (st == LEHR_OK) st = variant->prepare(exec);
    if (st == LEHR_OK) st = check_parameters(exec);
    exec->wanted = "";
    if (st != LEHR_OK) lh_exec_destroy(&exec);
    *out = exec;
    return st;
}

lehr_status lh_exec_create_variant(lehr_device *dev, const lh_op *op, const void *problem,
                                   const lh_variant *variant, lh_exec **out)
{
    return lh_exec_create_with(dev, op, problem, variant, "", out);
}

/* First use: a kernel that this device has not been seen to compute rightly is compared with the
 * reference, while there is time for it (lh_self_test_left).  wrong: choose another. */
static lehr_status first_use(lh_exec *exec, const lh_choice *choice, const char *text, bool *wrong)
{
    lh_verdict verdict = LH_VERDICT_UNKNOWN;
    *wrong = false;
    if (strcmp(choice->why, "forced") == 0 || !(lh_self_test_left(exec->dev) > 0) ||
        lh_kept_find(exec->dev, LH_KEPT_GOOD, exec->op->name, text, exec->variant->name,
                     choice->parameters))
        return LEHR_OK;
    double start = lh_now();
    lehr_status st = lh_select_check(exec, &verdict);
    lh_self_test_spent(exec->dev, lh_now() - start);
    *wrong = verdict == LH_VERDICT_BAD;
    return st;
}

/* What this driver refused while looking for a kernel; the first failure is told when nothing is left. */
typedef struct refusals {
    lh_choice at[LH_MAX_REFUSED];
    unsigned count;
    lehr_status status;
    lh_str message;
} refusals;

/* The driver does not build or launch this one, or it does not know these parameters (any more): it is
 * remembered as unusable.  Lack of memory is no such thing, nor is what was forced. */
static bool is_refused(lehr_device *dev, const lh_choice *c, lehr_status st, uint64_t before)
{
    return strcmp(c->why, "forced") != 0 &&
           (lh_refused_count(dev) != before || st == LEHR_E_UNSUPPORTED ||
            (st == LEHR_E_USAGE && *c->parameters));
}

static void refuse(lehr_device *dev, const lh_op *op, const char *text, const lh_choice *c,
                   lehr_status st, refusals *r)
{
    lehr_context *ctx = lh_device_context(dev);
    lh_str note = {0};
    lh_str_printf(&note, "cannot be used on this device: %s", lehr_context_message(ctx));
    for (char *at = note.text; at && *at; at++)
        if (*at == '\n' || *at == '\t' || *at == '\r') *at = ' ';
    lh_log(ctx, LEHR_LOG_WARN, "%s/%s%s%s %s; the next kernel is used [%s]", op->name,
           c->variant->name, *c->parameters ? ":" : "", c->parameters, lh_str_text(&note), text);
    if (r->count == 0) {
        r->status = st;
        lh_str_add(&r->message, lehr_context_message(ctx));
    }
    lh_enter(ctx);
    lh_kept_add(dev, &(lh_kept){.kind = LH_KEPT_BAD, .op = op->name, .problem = text,
                                .variant = c->variant->name, .parameters = c->parameters,
                                .note = lh_str_text(&note)});
    if (r->count < LH_MAX_REFUSED) r->at[r->count++] = *c;
    lh_str_free(&note);
}

/* When nothing was left the driver's compiler itself is at fault, say: nothing is remembered of it. */
static lehr_status forgive(lehr_device *dev, const lh_op *op, const char *text, refusals *r)
{
    for (unsigned i = 0; i < r->count; i++)
        lh_kept_drop(dev, LH_KEPT_BAD, op->name, text, r->at[i].variant->name, r->at[i].parameters);
    lh_enter(lh_device_context(dev));
    return lh_fail(lh_device_context(dev), r->status, "%s", lh_str_text(&r->message));
}

lehr_status lh_exec_create(lehr_device *dev, const lh_op *op, const void *problem, lh_exec **out)
{
    char text[LH_DESCRIBE] = "";
    refusals refused = {0};
    bool again = true;
    lehr_status st = check_problem(dev, op, problem);
    *out = NULL;
    if (st == LEHR_OK && lh_self_test_left(dev) > 0) st = lh_loops_check(dev, false);
    if (st == LEHR_OK) op->describe(problem, text, sizeof text);
    while (st == LEHR_OK && again) { /* each turn excludes one more */
        lh_choice choice;
        uint64_t before = lh_refused_count(dev);
        lh_exec_destroy(out);
        again = false;
        st = lh_select(dev, op, problem, &choice);
        if (st != LEHR_OK) {
            if (refused.count) st = forgive(dev, op, text, &refused);
            break;
        }
        st = lh_exec_create_with(dev, op, problem, choice.variant, choice.parameters, out);
        if (st == LEHR_OK) st = first_use(*out, &choice, text, &again);
        if (st != LEHR_OK && is_refused(dev, &choice, st, before)) {
            refuse(dev, op, text, &choice, st, &refused);
            again = true;
            st = LEHR_OK;
        }
        if (st == LEHR_OK && !again)
            lh_kept_add(dev, &(lh_kept){.kind = LH_KEPT_CHOSEN, .op = op->name, .problem = text,
                                        .variant = choice.variant->name,
                                        .parameters = choice.parameters, .note = choice.why});
    }
    if (st != LEHR_OK) lh_exec_destroy(out);
    lh_str_free(&refused.message);
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
    int length = vsnprintf(text, sizeof text, options, args);
    va_end(args);
    const lh_traits *traits = lh_device_traits(exec->dev);
    if (!traits->cpu_family && !traits->unroll && length >= 0 && (size_t)length < sizeof text)
        snprintf(text + length, sizeof text - (size_t)length, " -DUNROLL=0");
    return lh_kernel_get(exec->dev, path, text, kernel, &exec->kernels[index]);
}
