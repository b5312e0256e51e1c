/* SPDX-License-Identifier: MIT
 *
 * Reading calls: names, numbers with units, words and lists.  Every failure names the column. */
#include "core/plugin/spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool digit(char c) { return c >= '0' && c <= '9'; }

lehr_status lh_spec_fail(const lh_cursor *c, lehr_status code, size_t at, const char *fmt, ...)
{
    lh_str text = {0};
    char line[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    lh_str_printf(&text, "%s '%.300s', column %zu: %s", c->what, c->text, at + 1, line);
    lehr_status st = lh_fail(c->ctx, code, "%s", lh_str_text(&text));
    lh_str_free(&text);
    return st;
}

void lh_skip_space(lh_cursor *c)
{
    while (c->text[c->at] && strchr(" \t\r\n", c->text[c->at])) c->at++;
}

bool lh_accept(lh_cursor *c, char c0)
{
    lh_skip_space(c);
    if (c->text[c->at] != c0) return false;
    c->at++;
    return true;
}

static lehr_status unexpected(const lh_cursor *c, const char *wanted)
{
    const char *at = c->text + c->at;
    if (!*at)
        return lh_spec_fail(c, LEHR_E_USAGE, c->at, "the text ends where %s is wanted", wanted);
    return lh_spec_fail(c, LEHR_E_USAGE, c->at, "'%c' where %s is wanted", *at, wanted);
}

/* Copies what is between start and c->at; false when it does not fit. */
static bool copy_text(const lh_cursor *c, size_t start, char *out, size_t size)
{
    size_t length = c->at - start;
    if (length >= size) return false;
    memcpy(out, c->text + start, length);
    out[length] = '\0';
    return true;
}

static lehr_status read_name(lh_cursor *c, const char *wanted, char *out, size_t size)
{
    lh_skip_space(c);
    size_t start = c->at;
    if (!letter(c->text[c->at])) return unexpected(c, wanted);
    while (letter(c->text[c->at]) || digit(c->text[c->at])) c->at++;
    if (copy_text(c, start, out, size)) return LEHR_OK;
    return lh_spec_fail(c, LEHR_E_USAGE, start, "a name is longer than %zu characters", size - 1);
}

/* Digits, point, exponent; "1ep" is 1 with a unit, "1e5" is not. */
static void skip_number(lh_cursor *c)
{
    const char *t = c->text;
    if (t[c->at] == '-' || t[c->at] == '+') c->at++;
    while (digit(t[c->at]) || t[c->at] == '.') c->at++;
    if (t[c->at] != 'e' && t[c->at] != 'E') return;
    size_t sign = t[c->at + 1] == '-' || t[c->at + 1] == '+';
    if (!digit(t[c->at + 1 + sign])) return;
    c->at += 1 + sign;
    while (digit(t[c->at])) c->at++;
}

lehr_status lh_read_number(lh_cursor *c, lh_term *out)
{
    static const char *const units[] = {"", "ep", "st", "samples", "%"};
    char digits[64];
    lh_skip_space(c);
    *out = (lh_term){.is_number = true, .column = c->at};
    size_t start = c->at;
    skip_number(c);
    if (!copy_text(c, start, digits, sizeof digits) || !lh_parse_double(digits, &out->number)) {
        c->at = start;
        return unexpected(c, "a number");
    }
    start = c->at;
    if (c->text[c->at] == '%') c->at++;
    while (letter(c->text[c->at])) c->at++;
    bool fits = copy_text(c, start, out->unit, sizeof out->unit);
    for (size_t i = 0; i < LH_COUNT(units) && fits; i++)
        if (strcmp(out->unit, units[i]) == 0) return LEHR_OK;
    return lh_spec_fail(
        c, LEHR_E_USAGE, start,
        "unknown unit '%.*s'; known: ep (epochs), st (updates), samples, %% (of the "
        "run, or of the base value)",
        (int)(c->at - start), c->text + start);
}

/* Words may hold points: val.loss. */
static lehr_status read_term(lh_cursor *c, lh_term *out)
{
    lh_skip_space(c);
    size_t start = c->at;
    if (!letter(c->text[c->at])) {
        if (!c->text[c->at] || !strchr("+-.0123456789", c->text[c->at]))
            return unexpected(c, "a value");
        return lh_read_number(c, out);
    }
    *out = (lh_term){.column = start};
    while (letter(c->text[c->at]) || digit(c->text[c->at]) || c->text[c->at] == '.') c->at++;
    if (copy_text(c, start, out->word, sizeof out->word)) return LEHR_OK;
    return lh_spec_fail(c, LEHR_E_USAGE, start, "a word is longer than 63 characters");
}

static lehr_status add_term(lh_cursor *c, lh_arg *arg)
{
    lh_term *more = realloc(arg->terms, (arg->count + 1) * sizeof *more);
    if (!more) return lh_fail(c->ctx, LEHR_E_MEMORY, "out of memory");
    arg->terms = more;
    return read_term(c, &arg->terms[arg->count++]);
}

/* A value, or two with an arrow between them: 0 -> 1. */
static lehr_status read_values(lh_cursor *c, lh_arg *arg)
{
    lehr_status st = add_term(c, arg);
    if (st != LEHR_OK) return st;
    lh_skip_space(c);
    if (strncmp(c->text + c->at, "->", 2) != 0) return LEHR_OK;
    c->at += 2;
    arg->is_arrow = true;
    return add_term(c, arg);
}

static lehr_status read_list(lh_cursor *c, lh_arg *arg)
{
    arg->is_list = true;
    if (lh_accept(c, ']')) return LEHR_OK;
    for (;;) {
        lehr_status st = add_term(c, arg);
        if (st != LEHR_OK) return st;
        if (lh_accept(c, ']')) return LEHR_OK;
        if (!lh_accept(c, ',')) return unexpected(c, "',' or ']'");
    }
}

/* name = value, or a value alone. */
static lehr_status read_arg(lh_cursor *c, lh_arg *arg)
{
    lh_skip_space(c);
    arg->column = c->at;
    size_t start = c->at, after = start;
    while (letter(c->text[after]) || digit(c->text[after])) after++;
    size_t sign = after + strspn(c->text + after, " \t");
    if (letter(c->text[start]) && c->text[sign] == '=') {
        lehr_status st = read_name(c, "a parameter's name", arg->name, sizeof arg->name);
        if (st != LEHR_OK) return st;
        c->at = sign + 1;
    }
    return lh_accept(c, '[') ? read_list(c, arg) : read_values(c, arg);
}

static lehr_status add_arg(lh_cursor *c, lh_call *call)
{
    lh_arg *more = realloc(call->args, (call->count + 1) * sizeof *more);
    if (!more) return lh_fail(c->ctx, LEHR_E_MEMORY, "out of memory");
    call->args = more;
    call->args[call->count] = (lh_arg){.is_list = false};
    return read_arg(c, &call->args[call->count++]);
}

lehr_status lh_read_args(lh_cursor *c, lh_call *out)
{
    *out = (lh_call){.count = 0};
    lh_skip_space(c);
    while (c->text[c->at]) {
        lehr_status st = add_arg(c, out);
        if (st != LEHR_OK) return st;
        lh_skip_space(c);
        if (c->text[c->at] && !lh_accept(c, ',')) return unexpected(c, "','");
    }
    return LEHR_OK;
}

lehr_status lh_read_call(lh_cursor *c, lh_call *out)
{
    *out = (lh_call){.count = 0};
    lh_skip_space(c);
    out->column = c->at;
    lehr_status st = read_name(c, "a name", out->name, sizeof out->name);
    if (st == LEHR_OK && lh_accept(c, ':')) {
        memcpy(out->prefix, out->name, sizeof out->prefix);
        st = read_name(c, "a name", out->name, sizeof out->name);
    }
    if (st != LEHR_OK || !lh_accept(c, '(') || lh_accept(c, ')')) return st;
    for (;;) {
        st = add_arg(c, out);
        if (st != LEHR_OK) return st;
        if (lh_accept(c, ')')) return LEHR_OK;
        if (!lh_accept(c, ',')) return unexpected(c, "',' or ')'");
    }
}

void lh_call_free(lh_call *call)
{
    for (uint32_t i = 0; i < call->count; i++) free(call->args[i].terms);
    free(call->args);
    *call = (lh_call){.count = 0};
}
