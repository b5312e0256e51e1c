/* SPDX-License-Identifier: MIT
 *
 * <lehr/ops.h>: operations by name, problems as text, checks on the application's buffers.  One table
 * of fields for each problem struct; everything else comes from the op itself. */
#include <lehr/ops.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/activation/activation.h"
#include "kernels/add/add.h"
#include "kernels/batchnorm/batchnorm.h"
#include "kernels/conv/conv.h"
#include "kernels/dense/dense.h"
#include "kernels/dropout/dropout.h"
#include "kernels/flatten/flatten.h"
#include "kernels/gemm/gemm.h"
#include "kernels/loss/loss.h"
#include "kernels/pool/pool.h"
#include "kernels/reduce/reduce.h"
#include "kernels/shortcut/shortcut.h"
#include "kernels/vector/vector.h"

typedef enum field_type { F_INT, F_SIZE, F_BOOL, F_FLOAT, F_ACT, F_CHOICE } field_type;

enum { MAX_TARGETS = 4 };

typedef struct field {
    const char *name;
    field_type type;
    const char *def;      /* default as text; NULL: required */
    const char *choices;  /* F_CHOICE: "max avg", the value is the index */
    unsigned char targets; /* how many members it sets */
    size_t offset[MAX_TARGETS];
} field;

struct lehr_op {
    lh_exec *exec;
    cl_mem workspace;
};

#define AT(member) offsetof(PROBLEM, member)
#define NEED(name) {#name, F_INT, NULL, NULL, 1, {AT(name)}}
#define ACT {"act", F_ACT, "none", NULL, 1, {AT(act)}}
#define PER_IMAGE {"per_image", F_SIZE, NULL, NULL, 1, {AT(per_image)}}
#define STRIDE_PAD(stride)                                                                         \
    {"stride", F_INT, stride, NULL, 2, {AT(stride_h), AT(stride_w)}},                              \
    {"pad", F_INT, "0", NULL, 4, {AT(pad_top), AT(pad_left), AT(pad_bottom), AT(pad_right)}}

#define PROBLEM lh_conv_problem
static const field conv_fields[] = {NEED(n), NEED(c), NEED(h), NEED(w), NEED(k), NEED(r), NEED(s),
                                    STRIDE_PAD("1"), {"bias", F_BOOL, "0", NULL, 1, {AT(bias)}},
                                    ACT};
#undef PROBLEM
#define PROBLEM lh_pool_problem
static const field pool_fields[] = {NEED(n), NEED(c), NEED(h), NEED(w), NEED(r), NEED(s),
                                    STRIDE_PAD("1"),
                                    {"kind", F_CHOICE, "max", "max avg", 1, {AT(kind)}}};
#undef PROBLEM
#define PROBLEM lh_dense_problem
static const field dense_fields[] = {NEED(n), NEED(in), NEED(out),
                                     {"bias", F_BOOL, "0", NULL, 1, {AT(bias)}}, ACT};
#undef PROBLEM
#define PROBLEM lh_activation_problem
static const field activation_fields[] = {NEED(n), PER_IMAGE,
                                          {"kind", F_ACT, NULL, NULL, 1, {AT(kind)}},
                                          {"slope", F_FLOAT, "0.01", NULL, 1, {AT(slope)}}};
#undef PROBLEM
#define PROBLEM lh_batchnorm_problem
static const field batchnorm_fields[] = {NEED(n), NEED(c), NEED(hw),
                                         {"eps", F_FLOAT, "1e-5", NULL, 1, {AT(eps)}},
                                         {"momentum", F_FLOAT, "0.1", NULL, 1, {AT(momentum)}},
                                         ACT};
#undef PROBLEM
#define PROBLEM lh_add_problem
static const field add_fields[] = {NEED(n), PER_IMAGE, ACT};
#undef PROBLEM
#define PROBLEM lh_dropout_problem
static const field dropout_fields[] = {NEED(n), PER_IMAGE};
#undef PROBLEM
#define PROBLEM lh_flatten_problem
static const field flatten_fields[] = {NEED(n), NEED(c), NEED(h), NEED(w)};
#undef PROBLEM
#define PROBLEM lh_gemm_problem
static const field gemm_fields[] = {NEED(m), NEED(n), NEED(k),
                                    {"trans_a", F_BOOL, "0", NULL, 1, {AT(trans_a)}},
                                    {"trans_b", F_BOOL, "0", NULL, 1, {AT(trans_b)}}};
#undef PROBLEM
#define PROBLEM lh_loss_problem
static const field loss_fields[] = {
    NEED(n), NEED(k),
    {"kind", F_CHOICE, "cross_entropy", "cross_entropy l2", 1, {AT(kind)}}};
#undef PROBLEM
#define PROBLEM lh_reduce_problem
static const field reduce_fields[] = {
    NEED(n), PER_IMAGE, {"kind", F_CHOICE, "sum", "sum sumsq maxabs", 1, {AT(kind)}}};
#undef PROBLEM
#define PROBLEM lh_shortcut_problem
static const field shortcut_fields[] = {NEED(n), NEED(c), NEED(h), NEED(w), NEED(k), NEED(stride)};
#undef PROBLEM
#define PROBLEM lh_vector_problem
static const field vector_fields[] = {
    NEED(n), PER_IMAGE,
    {"kind", F_CHOICE, NULL, "axpy scale fill clip copy", 1, {AT(kind)}}};
#undef PROBLEM

static bool conv_output(void *problem) { return lh_conv_output(problem); }
static bool pool_output(void *problem) { return lh_pool_output(problem); }

/* The problems that can be written as text; output derives p and q. */
static const struct family {
    const char *name; /* operations "name" and "name.…" */
    const field *fields;
    size_t count, size;
    bool (*output)(void *problem);
} families[] = {
#define FAMILY(name, output) {#name, name##_fields, LH_COUNT(name##_fields),                       \
                              sizeof(lh_##name##_problem), output}
    FAMILY(conv, conv_output),
    FAMILY(pool, pool_output),
    FAMILY(dense, NULL),
    FAMILY(activation, NULL),
    FAMILY(batchnorm, NULL),
    FAMILY(add, NULL),
    FAMILY(dropout, NULL),
    FAMILY(flatten, NULL),
    FAMILY(gemm, NULL),
    FAMILY(loss, NULL),
    FAMILY(reduce, NULL),
    FAMILY(shortcut, NULL),
    FAMILY(vector, NULL),
};

static const struct family *family_of(const lh_op *op)
{
    size_t length = strcspn(op->name, ".");
    for (size_t i = 0; i < LH_COUNT(families); i++)
        if (strlen(families[i].name) == length && op->problem_size == families[i].size &&
            strncmp(families[i].name, op->name, length) == 0)
            return &families[i];
    return NULL;
}

const char *lehr_op_name(uint32_t i)
{
    for (size_t k = 0; k < lh_op_count; k++)
        if (family_of(lh_op_list[k]) && i-- == 0) return lh_op_list[k]->name;
    return NULL;
}

static void add_help(lh_str *s, const struct family *f)
{
    for (size_t i = 0; i < f->count; i++)
        lh_str_printf(s, "%s%s%s%s", i ? " " : "", f->fields[i].name, f->fields[i].def ? "=" : "",
                      f->fields[i].def ? f->fields[i].def : "");
}

static lehr_status fail_unknown_op(lehr_context *ctx, const char *name)
{
    const char *known[64];
    size_t count = 0;
    while (count < LH_COUNT(known) && (known[count] = lehr_op_name((uint32_t)count))) count++;
    lh_str s = {0};
    lh_str_suggest(&s, name, known, count);
    lehr_status st = lh_fail(ctx, LEHR_E_USAGE, "no operation '%s'%s", name, lh_str_text(&s));
    lh_str_free(&s);
    return st;
}

lehr_status lehr_op_help(lehr_context *ctx, const char *name, char *out, size_t size)
{
    lh_enter(ctx);
    const lh_op *op = lh_op_find(name);
    const struct family *f = op ? family_of(op) : NULL;
    if (size) out[0] = '\0';
    if (!f) return fail_unknown_op(ctx, name);
    lh_str s = {0};
    add_help(&s, f);
    snprintf(out, size, "%s", lh_str_text(&s));
    lh_str_free(&s);
    return LEHR_OK;
}

/* Index of word in "max avg", -1 when it is not there. */
static int choice_index(const char *choices, const char *word)
{
    size_t length = strlen(word);
    for (int i = 0; *choices; i++) {
        size_t n = strcspn(choices, " ");
        if (n == length && strncmp(choices, word, n) == 0) return i;
        choices += n + strspn(choices + n, " ");
    }
    return -1;
}

/* Sets one field from text; false when the text is no value for it. */
static bool set_field(const field *f, const char *text, void *problem)
{
    double number = 0;
    bool is_number = lh_parse_double(text, &number);
    bool whole = is_number && number >= 0 && number <= 2147483647.0 && number == (double)(int)number;
    int value = whole ? (int)number : 0;
    if (f->type == F_ACT) {
        value = (int)lh_activation_find(text);
        whole = value != LH_ACT_NONE || (f->def && strcmp(text, "none") == 0);
    } else if (f->type == F_CHOICE) {
        value = choice_index(f->choices, text);
        whole = value >= 0;
    } else if (f->type == F_BOOL) {
        whole = whole && value <= 1;
    }
    if (f->type == F_FLOAT ? !is_number : !whole) return false;
    for (unsigned i = 0; i < f->targets; i++) {
        char *at = (char *)problem + f->offset[i];
        size_t size = (size_t)value;
        float real = (float)number;
        bool flag = value != 0;
        if (f->type == F_SIZE)
            memcpy(at, &size, sizeof size);
        else if (f->type == F_FLOAT)
            memcpy(at, &real, sizeof real);
        else if (f->type == F_BOOL)
            memcpy(at, &flag, sizeof flag);
        else
            memcpy(at, &value, sizeof value);
    }
    return true;
}

static lehr_status fail_problem(lehr_context *ctx, const lh_op *op, const char *what,
                                const char *which)
{
    lh_str s = {0};
    add_help(&s, family_of(op));
    lehr_status st = lh_fail(ctx, LEHR_E_USAGE, "%s: %s '%s'; a problem says: %s", op->name, what,
                             which, lh_str_text(&s));
    lh_str_free(&s);
    return st;
}

/* "name=value" of length n; marks the field as seen. */
static lehr_status apply_word(lehr_context *ctx, const lh_op *op, const char *text, size_t n,
                              void *problem, bool *seen)
{
    const struct family *f = family_of(op);
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)n, text);
    char *value = strchr(word, '=');
    if (!value || n >= sizeof word) return fail_problem(ctx, op, "not NAME=VALUE:", word);
    *value++ = '\0';
    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->fields[i].name, word) != 0) continue;
        seen[i] = true;
        if (set_field(&f->fields[i], value, problem)) return LEHR_OK;
        value[-1] = '=';
        return fail_problem(ctx, op, "unusable value", word);
    }
    return fail_problem(ctx, op, "unknown field", word);
}

static lehr_status parse_problem(lehr_context *ctx, const lh_op *op, const char *text,
                                 void *problem)
{
    const struct family *f = family_of(op);
    bool seen[16] = {false};
    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        size_t n = strcspn(text, " ");
        lehr_status st = apply_word(ctx, op, text, n, problem, seen);
        if (st != LEHR_OK) return st;
        text += n;
    }
    for (size_t i = 0; i < f->count; i++) {
        if (seen[i]) continue;
        if (!f->fields[i].def) return fail_problem(ctx, op, "missing", f->fields[i].name);
        set_field(&f->fields[i], f->fields[i].def, problem);
    }
    if (f->output && !f->output(problem))
        return lh_fail(ctx, LEHR_E_SHAPE, "%s: the window does not fit the padded input", op->name);
    return LEHR_OK;
}

lehr_status lehr_op_create(lehr_device *device, const char *name, const char *problem,
                           lehr_op **out)
{
    lehr_context *ctx = lh_device_context(device);
    lh_enter(ctx);
    *out = NULL;
    const lh_op *op = lh_op_find(name);
    if (!op || !family_of(op)) return fail_unknown_op(ctx, name);
    lehr_op *self = lh_alloc(ctx, 1, sizeof *self);
    void *shape = lh_alloc(ctx, 1, op->problem_size);
    lehr_status st = self && shape ? LEHR_OK : LEHR_E_MEMORY;
    if (st == LEHR_OK) st = parse_problem(ctx, op, problem, shape);
    if (st == LEHR_OK) st = lh_exec_create(device, op, shape, &self->exec);
    if (st == LEHR_OK && self->exec->workspace)
        st = lh_buffer_create(device, self->exec->workspace, &self->workspace);
    free(shape);
    if (st != LEHR_OK && self) lehr_op_destroy(&self);
    *out = self;
    return st;
}

void lehr_op_destroy(lehr_op **op)
{
    if (!op || !*op) return;
    lh_exec_destroy(&(*op)->exec);
    lh_buffer_free(&(*op)->workspace);
    free(*op);
    *op = NULL;
}

uint32_t lehr_op_operand_count(const lehr_op *op) { return op->exec->op->operand_count; }
const char *lehr_op_variant(const lehr_op *op) { return op->exec->variant->name; }

static uint64_t operand_bytes(const lh_exec *e, unsigned i, int n)
{
    size_t size = e->op->operands[i].type == LH_U8 ? 1 : 4;
    return e->op->count(lh_exec_problem(e), i, n) * size;
}

void lehr_op_get_operand(const lehr_op *op, uint32_t i, lehr_op_operand *out)
{
    const lh_exec *e = op->exec;
    const lh_operand *o = &e->op->operands[i];
    int n = e->op->batch(lh_exec_problem(e));
    *out = (lehr_op_operand){o->name, (uint32_t)o->use, (uint32_t)o->type,
                             e->op->count(lh_exec_problem(e), i, n), operand_bytes(e, i, n)};
}

static lehr_status check_buffer(lh_exec *e, unsigned i, int n, cl_mem buffer)
{
    lehr_context *ctx = lh_device_context(e->dev);
    uint64_t need = operand_bytes(e, i, n);
    size_t have = 0;
    const char *name = e->op->operands[i].name;
    if (need == 0) return LEHR_OK;
    if (!buffer)
        return lh_fail(ctx, LEHR_E_PARAM, "%s: operand %u '%s' has no buffer", e->op->name, i, name);
    lehr_status st = lh_cl_check(ctx, clGetMemObjectInfo(buffer, CL_MEM_SIZE, sizeof have, &have, NULL),
                                 "%s: the buffer of operand %u '%s'", e->op->name, i, name);
    if (st == LEHR_OK && have < need)
        st = lh_fail(ctx, LEHR_E_SHAPE, "%s: operand %u '%s' needs %llu bytes, its buffer has %zu",
                     e->op->name, i, name, (unsigned long long)need, have);
    return st;
}

lehr_status lehr_op_run(lehr_op *op, const lehr_op_args *args)
{
    lh_exec *e = op->exec;
    lehr_context *ctx = lh_device_context(e->dev);
    lh_enter(ctx);
    uint32_t largest = (uint32_t)e->op->batch(lh_exec_problem(e));
    uint32_t n = args->n ? args->n : largest;
    if (n > largest)
        return lh_fail(ctx, LEHR_E_SHAPE, "%s: batch %u, prepared for at most %u", e->op->name, n,
                       largest);
    lh_args a = {.workspace = op->workspace, .n = (int)n, .seed = args->seed,
                 .stream = args->stream, .epoch = args->epoch};
    memcpy(a.scalar, args->scalar, sizeof a.scalar);
    for (unsigned i = 0; i < e->op->operand_count; i++) {
        cl_mem buffer = i < args->buffer_count ? args->buffers[i] : NULL;
        lehr_status st = check_buffer(e, i, (int)n, buffer);
        if (st != LEHR_OK) return st;
        a.buf[i] = buffer;
    }
    return lh_exec_run(e, &a);
}
