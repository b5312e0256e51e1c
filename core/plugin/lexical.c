/* SPDX-License-Identifier: MIT
 *
 * What a pass may not contain.  The check is lexical: it keeps a rule inside its element (no way
 * out of the function, no other memory, no synchronisation), so that fusing it into a loop is safe.
 * Helper functions of a preamble may return. */
#include "core/plugin/rule.h"

#include <ctype.h>
#include <string.h>

static const char *const banned_words[] = {"return",
                                           "goto",
                                           "asm",
                                           "__asm",
                                           "__asm__",
                                           "global",
                                           "__global",
                                           "local",
                                           "__local",
                                           "constant",
                                           "__constant",
                                           "private",
                                           "__private",
                                           "generic",
                                           "kernel",
                                           "__kernel",
                                           "barrier",
                                           "work_group_barrier",
                                           "mem_fence",
                                           "read_mem_fence",
                                           "write_mem_fence",
                                           "prefetch",
                                           "printf",
                                           "async_work_group_copy",
                                           "async_work_group_strided_copy",
                                           "wait_group_events",
                                           "static",
                                           "extern",
                                           "mad",
                                           "_Pragma",
                                           "__attribute__"};
static const char *const banned_prefixes[] = {"get_", "atom_", "atomic_", "native_", "half_", "lh_",
                                              "work_group_", "sub_group_"};

static bool banned(const char *word, size_t length)
{
    for (size_t i = 0; i < LH_COUNT(banned_words); i++)
        if (strlen(banned_words[i]) == length && memcmp(word, banned_words[i], length) == 0)
            return true;
    for (size_t i = 0; i < LH_COUNT(banned_prefixes); i++) {
        size_t prefix = strlen(banned_prefixes[i]);
        if (length >= prefix && memcmp(word, banned_prefixes[i], prefix) == 0) return true;
    }
    return false;
}

typedef struct scan {
    lehr_context *ctx;
    const char *where;
    unsigned line;
    char open[64]; /* brackets that wait for their partner */
    size_t depth;
} scan;

static lehr_status refuse(const scan *s, const char *what, const char *word, size_t length)
{
    return lh_fail(s->ctx, LEHR_E_PLUGIN, "%s, line %u: '%.*s' %s", s->where, s->line, (int)length,
                   word, what);
}

static lehr_status bracket(scan *s, const char *at)
{
    char partner = *at == ')' ? '(' : *at == ']' ? '[' : *at == '}' ? '{' : '\0';
    if (!partner) {
        if (s->depth == sizeof s->open) return refuse(s, "is nested too deeply", at, 1);
        s->open[s->depth++] = *at;
        return LEHR_OK;
    }
    if (s->depth == 0 || s->open[--s->depth] != partner)
        return refuse(s, "closes nothing that is open", at, 1);
    return LEHR_OK;
}

/* Length of a comment at text, 0 when there is none there; counts its lines. */
static size_t comment(scan *s, const char *text)
{
    if (text[0] != '/' || (text[1] != '/' && text[1] != '*')) return 0;
    bool line = text[1] == '/';
    const char *end = line ? strchr(text, '\n') : strstr(text + 2, "*/");
    size_t length = end ? (size_t)(end - text) + (line ? 0 : 2) : strlen(text);
    for (size_t i = 0; i < length; i++) s->line += text[i] == '\n';
    return length;
}

/* Other spellings of # and of brackets, and of lines: a compiler would see what this check does
 * not. */
static lehr_status check_spelling(const scan *s, const char *code)
{
    static const char *const spellings[] = {"\\", "<%", "%>", "<:", ":>", "%:", ("?" "?")};
    for (size_t i = 0; i < LH_COUNT(spellings); i++)
        if (strstr(code, spellings[i]))
            return refuse(s, "is not allowed in a rule", spellings[i], strlen(spellings[i]));
    const char *open = code;
    while ((open = strstr(open, "/*")) != NULL) {
        open = strstr(open + 2, "*/");
        if (!open) return refuse(s, "is never closed", "/*", 2);
        open += 2;
    }
    return LEHR_OK;
}

lehr_status lh_rule_check(lehr_context *ctx, const char *where, const char *code, bool helpers)
{
    scan s = {.ctx = ctx, .where = where, .line = 1};
    lehr_status st = check_spelling(&s, code);
    for (const char *at = code; *at && st == LEHR_OK;) {
        size_t length = comment(&s, at);
        if (length == 0) {
            length = 1;
            if (*at == '\n') s.line++;
            if (isalpha((unsigned char)*at) || *at == '_') {
                while (isalnum((unsigned char)at[length]) || at[length] == '_') length++;
                bool way_out = helpers && length == 6 && memcmp(at, "return", 6) == 0;
                if (!way_out && banned(at, length))
                    st = refuse(&s, "is not allowed in a rule", at, length);
            } else if (isdigit((unsigned char)*at)) {
                while (isalnum((unsigned char)at[length]) || at[length] == '.') length++;
            } else if (strchr("#\"'@$`", *at)) {
                st = refuse(&s, "is not allowed in a rule", at, 1);
            } else if (strchr("()[]{}", *at)) {
                st = bracket(&s, at);
            }
        }
        at += length;
    }
    if (st == LEHR_OK && s.depth > 0)
        st = refuse(&s, "is never closed", &s.open[s.depth - 1], 1);
    return st;
}

/* ---- which names a piece of code uses ---- */

static bool in_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

/* Behind a name, white space and closing brackets: does an assignment follow? */
static bool assigned(const char *at)
{
    while (isspace((unsigned char)*at) || *at == ')') at++;
    if (at[0] == '/' && (at[1] == '*' || at[1] == '/')) return true; /* not worth knowing */
    if (at[0] == '=') return at[1] != '=';
    if (at[0] && strchr("+-*/%&|^", at[0]) && at[1] == '=') return true;
    if ((at[0] == '<' && at[1] == '<') || (at[0] == '>' && at[1] == '>')) return at[2] == '=';
    return (at[0] == '+' && at[1] == '+') || (at[0] == '-' && at[1] == '-');
}

/* Before a name: ++, -- or & (its address, but not &&), or a comment behind which one may stand. */
static bool stepped(const char *code, const char *at)
{
    while (at > code && (isspace((unsigned char)at[-1]) || at[-1] == '(')) at--;
    size_t ampersands = 0;
    while (at > code && at[-1] == '&') at--, ampersands++;
    if (ampersands || at - code < 2) return ampersands % 2 == 1;
    if (at[-1] == '/') return at[-2] == '*';
    return (at[-1] == '+' || at[-1] == '-') && at[-2] == at[-1];
}

unsigned lh_code_uses(const char *code, const char *name)
{
    scan s = {.line = 1};
    size_t wanted = strlen(name);
    unsigned uses = 0;
    for (const char *at = code; *at;) {
        size_t length = comment(&s, at);
        if (length == 0) {
            length = 1;
            while (in_word(at[0]) && in_word(at[length])) length++;
            if (length == wanted && memcmp(at, name, wanted) == 0)
                uses |= LH_READS |
                        (assigned(at + length) || stepped(code, at) ? (unsigned)LH_WRITES : 0u);
        }
        at += length;
    }
    return uses;
}
