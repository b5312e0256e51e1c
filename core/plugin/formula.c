/* SPDX-License-Identifier: MIT
 *
 * Formulas: a recursive-descent compiler to postfix instructions, and their evaluation on a small
 * fixed stack.
 *
 *   choice := or [ '?' choice ':' choice ]        unary := ( '-' | '+' | '!' ) unary | power
 *   or     := and { '||' and }                    power := atom [ ( '^' | '**' ) unary ]
 *   and    := order { '&&' order }                atom  := number | name | '(' choice ')'
 *   order  := sum [ comparison sum ]                       | name '(' choice { ',' choice } ')'
 *   sum    := product { ( '+' | '-' ) product }
 *   product := unary { ( '*' | '/' | '%' ) unary }
 *
 * Nothing is evaluated early: both sides of ? : are, and one is chosen. */
#include "core/plugin/formula.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 64, SIZE_MAX_OPS = 512, STACK_MAX = 64 };

typedef double (*unary_fn)(double);
typedef double (*binary_fn)(double, double);

typedef enum op_kind { OP_NUMBER, OP_INPUT, OP_ONE, OP_TWO, OP_CHOOSE } op_kind;

typedef struct op {
    op_kind kind;
    double number;
    size_t input; /* offset in lh_formula_input */
    unary_fn one;
    binary_fn two;
} op;

struct lh_formula {
    op *ops;
    uint32_t count;
    unsigned needs;
    char *text;
};

/* ---- the operations ---- */

static double negate(double a) { return -a; }
static double not_(double a) { return a == 0; }
static double sign(double a) { return (a > 0) - (a < 0); }
static double add(double a, double b) { return a + b; }
static double subtract(double a, double b) { return a - b; }
static double multiply(double a, double b) { return a * b; }
static double divide(double a, double b) { return a / b; }
static double less(double a, double b) { return a < b; }
static double less_equal(double a, double b) { return a <= b; }
static double greater(double a, double b) { return a > b; }
static double greater_equal(double a, double b) { return a >= b; }
static double equal(double a, double b) { return a == b; }
static double unequal(double a, double b) { return a != b; }
static double both(double a, double b) { return a != 0 && b != 0; }
static double either(double a, double b) { return a != 0 || b != 0; }
/* NaN on either side stays NaN. */
static double least(double a, double b) { return isnan(a) || a < b ? a : b; }
static double greatest(double a, double b) { return isnan(a) || a > b ? a : b; }

static const struct {
    const char *name;
    unary_fn one;
    binary_fn two; /* min and max take two or more */
} functions[] = {
    {"abs", fabs, NULL},    {"acos", acos, NULL},    {"asin", asin, NULL},  {"atan", atan, NULL},
    {"ceil", ceil, NULL},   {"cos", cos, NULL},      {"cosh", cosh, NULL},  {"exp", exp, NULL},
    {"floor", floor, NULL}, {"log", log, NULL},      {"log10", log10, NULL}, {"log2", log2, NULL},
    {"round", round, NULL}, {"sign", sign, NULL},    {"sin", sin, NULL},    {"sinh", sinh, NULL},
    {"sqrt", sqrt, NULL},   {"tan", tan, NULL},      {"tanh", tanh, NULL},  {"trunc", trunc, NULL},
    {"max", NULL, greatest}, {"min", NULL, least},   {"mod", NULL, fmod},   {"pow", NULL, pow},
    {"clip", NULL, NULL},   {"if", NULL, NULL}};

static const struct {
    const char *name;
    size_t input;
    unsigned needs;
} inputs[] = {
    {"step", offsetof(lh_formula_input, step), 0},
    {"epoch", offsetof(lh_formula_input, epoch), LH_FORMULA_EPOCH},
    {"total", offsetof(lh_formula_input, total), LH_FORMULA_TOTAL},
    {"base", offsetof(lh_formula_input, base), 0},
    {"p", offsetof(lh_formula_input, p), LH_FORMULA_TOTAL},
    {"steps_per_epoch", offsetof(lh_formula_input, steps_per_epoch), LH_FORMULA_EPOCH}};

/* ---- compiling ---- */

typedef struct compiler {
    lh_cursor *c;
    lh_formula *f;
    char quote;
    unsigned depth; /* of the text */
    uint32_t stack; /* values on the stack so far */
} compiler;

static lehr_status choice(compiler *m);

/* takes: how many values the instruction removes before it leaves one. */
static lehr_status emit(compiler *m, op o, uint32_t takes)
{
    lh_formula *f = m->f;
    if (f->count == SIZE_MAX_OPS)
        return lh_spec_fail(m->c, LEHR_E_USAGE, m->c->at, "a formula of more than %d operations",
                            SIZE_MAX_OPS);
    m->stack += 1 - takes;
    if (m->stack > STACK_MAX)
        return lh_spec_fail(m->c, LEHR_E_USAGE, m->c->at,
                            "more than %d values wait for their operation: use brackets",
                            STACK_MAX);
    f->ops[f->count++] = o;
    return LEHR_OK;
}

static lehr_status emit_two(compiler *m, binary_fn two)
{
    return emit(m, (op){.kind = OP_TWO, .two = two}, 2);
}

static bool accept_text(compiler *m, const char *text)
{
    lh_skip_space(m->c);
    if (strncmp(m->c->text + m->c->at, text, strlen(text)) != 0) return false;
    m->c->at += strlen(text);
    return true;
}

static char peek(compiler *m)
{
    lh_skip_space(m->c);
    return m->c->text[m->c->at];
}

static lehr_status wanted(compiler *m, const char *what)
{
    char at = peek(m);
    if (at == m->quote || at == '\0')
        return lh_spec_fail(m->c, LEHR_E_USAGE, m->c->at, "the formula ends where %s is wanted",
                            what);
    return lh_spec_fail(m->c, LEHR_E_USAGE, m->c->at, "'%c' where %s is wanted", at, what);
}

static bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool digit(char c) { return c >= '0' && c <= '9'; }

static lehr_status number(compiler *m)
{
    lh_cursor *c = m->c;
    const char *t = c->text;
    char digits[64];
    size_t start = c->at;
    double value = 0;
    while (digit(t[c->at]) || t[c->at] == '.') c->at++;
    if (t[c->at] == 'e' || t[c->at] == 'E') {
        size_t sign_ = t[c->at + 1] == '-' || t[c->at + 1] == '+';
        if (digit(t[c->at + 1 + sign_])) c->at += 1 + sign_;
        while (digit(t[c->at])) c->at++;
    }
    size_t length = c->at - start;
    bool good = length < sizeof digits;
    if (good) memcpy(digits, t + start, length);
    if (good) digits[length] = '\0';
    if (!good || !lh_parse_double(digits, &value))
        return lh_spec_fail(c, LEHR_E_USAGE, start, "this is no number");
    if (letter(t[c->at]))
        return lh_spec_fail(c, LEHR_E_USAGE, c->at,
                            "a formula has no units: write an operator between number and name");
    return emit(m, (op){.kind = OP_NUMBER, .number = value}, 0);
}

static lehr_status unknown_name(compiler *m, size_t start, const char *name, bool call)
{
    const char *known[LH_COUNT(functions) + LH_COUNT(inputs) + 1];
    size_t count = 0;
    lh_str text = {0};
    for (size_t i = 0; i < LH_COUNT(inputs) && !call; i++) known[count++] = inputs[i].name;
    if (!call) known[count++] = "pi";
    for (size_t i = 0; i < LH_COUNT(functions) && call; i++) known[count++] = functions[i].name;
    lh_str_suggest(&text, name, known, count);
    lehr_status st = lh_spec_fail(m->c, LEHR_E_USAGE, start, "a formula knows no %s '%s'%s",
                                  call ? "function" : "name", name, lh_str_text(&text));
    lh_str_free(&text);
    return st;
}

/* The instructions of a call whose arguments are on the stack. */
static lehr_status apply(compiler *m, size_t i, size_t start, unsigned count)
{
    const char *name = functions[i].name;
    bool three = !functions[i].one && !functions[i].two;
    bool many = strcmp(name, "min") == 0 || strcmp(name, "max") == 0;
    unsigned want = functions[i].one ? 1 : three ? 3 : 2;
    if (count < want || (count > want && !many))
        return lh_spec_fail(m->c, LEHR_E_USAGE, start, "%s takes %u value%s%s, not %u", name, want,
                            want == 1 ? "" : "s", many ? " or more" : "", count);
    if (functions[i].one) return emit(m, (op){.kind = OP_ONE, .one = functions[i].one}, 1);
    if (three) return emit(m, (op){.kind = OP_CHOOSE}, 3); /* if; clip does not come here */
    lehr_status st = LEHR_OK;
    while (st == LEHR_OK && count-- > 1) st = emit_two(m, functions[i].two);
    return st;
}

/* Arguments of a call; clip(x, lo, hi) = min(max(x, lo), hi) joins them as they come. */
static lehr_status call(compiler *m, size_t start, const char *name)
{
    size_t i = 0;
    while (i < LH_COUNT(functions) && strcmp(functions[i].name, name) != 0) i++;
    if (i == LH_COUNT(functions)) return unknown_name(m, start, name, true);
    bool clip = strcmp(name, "clip") == 0;
    unsigned count = 0;
    for (;;) {
        lehr_status st = choice(m);
        if (st == LEHR_OK && clip && count == 1) st = emit_two(m, greatest);
        if (st == LEHR_OK && clip && count == 2) st = emit_two(m, least);
        if (st != LEHR_OK) return st;
        count++;
        if (accept_text(m, ")")) break;
        if (!accept_text(m, ",")) return wanted(m, "',' or ')'");
    }
    if (!clip) return apply(m, i, start, count);
    if (count == 3) return LEHR_OK;
    return lh_spec_fail(m->c, LEHR_E_USAGE, start, "clip takes 3 values, not %u", count);
}

static lehr_status name_or_call(compiler *m)
{
    lh_cursor *c = m->c;
    char name[32];
    size_t start = c->at;
    while (letter(c->text[c->at]) || digit(c->text[c->at])) c->at++;
    size_t length = c->at - start;
    if (length >= sizeof name)
        return lh_spec_fail(c, LEHR_E_USAGE, start, "a name is longer than 31 characters");
    memcpy(name, c->text + start, length);
    name[length] = '\0';
    if (accept_text(m, "(")) return call(m, start, name);
    if (strcmp(name, "pi") == 0)
        return emit(m, (op){.kind = OP_NUMBER, .number = 3.14159265358979323846}, 0);
    for (size_t i = 0; i < LH_COUNT(inputs); i++) {
        if (strcmp(inputs[i].name, name) != 0) continue;
        m->f->needs |= inputs[i].needs;
        return emit(m, (op){.kind = OP_INPUT, .input = inputs[i].input}, 0);
    }
    return unknown_name(m, start, name, false);
}

static lehr_status atom(compiler *m)
{
    char c = peek(m);
    if (digit(c) || c == '.') return number(m);
    if (letter(c)) return name_or_call(m);
    if (!accept_text(m, "(")) return wanted(m, "a number, a name or '('");
    lehr_status st = choice(m);
    return st == LEHR_OK && !accept_text(m, ")") ? wanted(m, "')'") : st;
}

static lehr_status unary(compiler *m)
{
    unary_fn one = NULL;
    if (++m->depth > DEPTH_MAX)
        return lh_spec_fail(m->c, LEHR_E_USAGE, m->c->at, "more than %d levels", DEPTH_MAX);
    lehr_status st;
    if (accept_text(m, "-")) {
        one = negate;
        st = unary(m);
    } else if (peek(m) == '!' && m->c->text[m->c->at + 1] != '=') {
        m->c->at++;
        one = not_;
        st = unary(m);
    } else if (accept_text(m, "+")) {
        st = unary(m);
    } else {
        st = atom(m);
        if (st == LEHR_OK && (accept_text(m, "^") || accept_text(m, "**"))) {
            st = unary(m);
            if (st == LEHR_OK) st = emit_two(m, pow);
        }
    }
    m->depth--;
    return st == LEHR_OK && one ? emit(m, (op){.kind = OP_ONE, .one = one}, 1) : st;
}

static lehr_status product(compiler *m)
{
    lehr_status st = unary(m);
    while (st == LEHR_OK) {
        binary_fn two = accept_text(m, "*")   ? multiply
                        : accept_text(m, "/") ? divide
                        : accept_text(m, "%") ? fmod
                                              : NULL;
        if (!two) break;
        st = unary(m);
        if (st == LEHR_OK) st = emit_two(m, two);
    }
    return st;
}

static lehr_status sum(compiler *m)
{
    lehr_status st = product(m);
    while (st == LEHR_OK) {
        binary_fn two = accept_text(m, "+") ? add : accept_text(m, "-") ? subtract : NULL;
        if (!two) break;
        st = product(m);
        if (st == LEHR_OK) st = emit_two(m, two);
    }
    return st;
}

static binary_fn comparison(compiler *m)
{
    static const struct {
        const char *text;
        binary_fn two;
    } all[] = {{"<=", less_equal}, {">=", greater_equal}, {"==", equal},
               {"!=", unequal},    {"<", less},           {">", greater}};
    for (size_t i = 0; i < LH_COUNT(all); i++)
        if (accept_text(m, all[i].text)) return all[i].two;
    return NULL;
}

static lehr_status order(compiler *m)
{
    lehr_status st = sum(m);
    binary_fn two = st == LEHR_OK ? comparison(m) : NULL;
    if (!two) return st;
    st = sum(m);
    if (st == LEHR_OK) st = emit_two(m, two);
    if (st == LEHR_OK && comparison(m))
        return lh_spec_fail(m->c, LEHR_E_USAGE, m->c->at - 1,
                            "comparisons in a row: write a < b && b < c");
    return st;
}

static lehr_status and(compiler *m)
{
    lehr_status st = order(m);
    while (st == LEHR_OK && accept_text(m, "&&")) {
        st = order(m);
        if (st == LEHR_OK) st = emit_two(m, both);
    }
    return st;
}

static lehr_status or(compiler *m)
{
    lehr_status st = and(m);
    while (st == LEHR_OK && accept_text(m, "||")) {
        st = and(m);
        if (st == LEHR_OK) st = emit_two(m, either);
    }
    return st;
}

static lehr_status choice(compiler *m)
{
    if (++m->depth > DEPTH_MAX)
        return lh_spec_fail(m->c, LEHR_E_USAGE, m->c->at, "more than %d levels", DEPTH_MAX);
    lehr_status st = or(m);
    if (st == LEHR_OK && accept_text(m, "?")) {
        st = choice(m);
        if (st == LEHR_OK && !accept_text(m, ":")) st = wanted(m, "':'");
        if (st == LEHR_OK) st = choice(m);
        if (st == LEHR_OK) st = emit(m, (op){.kind = OP_CHOOSE}, 3);
    }
    m->depth--;
    return st;
}

static lehr_status compile(compiler *m)
{
    lehr_status st = choice(m);
    if (st != LEHR_OK) return st;
    if (peek(m) == m->quote) return LEHR_OK;
    if (peek(m) == '=')
        return lh_spec_fail(m->c, LEHR_E_USAGE, m->c->at, "'=' assigns; to compare write ==");
    return wanted(m, "an operator or the end");
}

lehr_status lh_formula_parse(lh_cursor *c, char quote, lh_formula **out)
{
    *out = NULL;
    size_t start = c->at, length = 0;
    while (c->text[start + length] && c->text[start + length] != quote) length++;
    if (!c->text[start + length])
        return lh_spec_fail(c, LEHR_E_USAGE, start - 1, "this quotation mark is never closed");
    lh_formula *f = lh_alloc(c->ctx, 1, sizeof *f);
    if (!f) return LEHR_E_MEMORY;
    compiler m = {.c = c, .f = f, .quote = quote};
    f->ops = lh_alloc(c->ctx, SIZE_MAX_OPS, sizeof *f->ops);
    f->text = lh_alloc(c->ctx, length + 1, 1);
    lehr_status st = f->ops && f->text ? LEHR_OK : LEHR_E_MEMORY;
    if (st == LEHR_OK) memcpy(f->text, c->text + start, length);
    if (st == LEHR_OK) st = compile(&m);
    if (st != LEHR_OK) {
        lh_formula_free(f);
        return st;
    }
    c->at = start + length + 1;
    *out = f;
    return LEHR_OK;
}

void lh_formula_free(lh_formula *f)
{
    if (!f) return;
    free(f->ops);
    free(f->text);
    free(f);
}

/* ---- evaluation ---- */

double lh_formula_value(const lh_formula *f, const lh_formula_input *in)
{
    double stack[STACK_MAX];
    double *top = stack; /* one past the last value */
    for (uint32_t i = 0; i < f->count; i++) {
        const op *o = &f->ops[i];
        switch (o->kind) {
        case OP_NUMBER: *top++ = o->number; break;
        case OP_INPUT: memcpy(top++, (const char *)in + o->input, sizeof *top); break;
        case OP_ONE: top[-1] = o->one(top[-1]); break;
        case OP_TWO:
            top--;
            top[-1] = o->two(top[-1], top[0]);
            break;
        case OP_CHOOSE: /* a NaN condition chooses neither */
            top -= 2;
            top[-1] = isnan(top[-1]) ? top[-1] : top[-1] != 0 ? top[0] : top[1];
            break;
        }
    }
    return stack[0];
}

unsigned lh_formula_needs(const lh_formula *f) { return f->needs; }
const char *lh_formula_text(const lh_formula *f) { return f->text; }
