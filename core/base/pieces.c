/* SPDX-License-Identifier: MIT
 *
 * Cutting specifications ("warmup(1ep); momentum: linear(end=0.85)") at separators that stand outside of
 * brackets and quotes. */
#include <string.h>

#include "core/base/base.h"

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* Past the quoted text that begins at a quote; to the end when it is never closed. */
static const char *past_quoted(const char *c)
{
    char quote = *c++;
    while (*c && *c != quote) c += *c == '\\' && c[1] ? 2 : 1;
    return *c ? c + 1 : c;
}

bool lh_text_cut(const char **rest, char separator, lh_piece *out)
{
    const char *start = *rest, *c = start;
    int depth = 0;
    if (!start) return false;
    while (*c && !(*c == separator && depth == 0)) {
        if (*c == '"' || *c == '\'') {
            c = past_quoted(c);
            continue;
        }
        if (*c == '(' || *c == '[' || *c == '{') depth++;
        if ((*c == ')' || *c == ']' || *c == '}') && depth > 0) depth--;
        c++;
    }
    *rest = *c ? c + 1 : NULL;
    while (start < c && blank(*start)) start++;
    while (c > start && blank(c[-1])) c--;
    *out = (lh_piece){start, (size_t)(c - start)};
    return true;
}

bool lh_piece_is(lh_piece piece, const char *text)
{
    return strlen(text) == piece.length && memcmp(text, piece.at, piece.length) == 0;
}

char *lh_piece_copy(lehr_context *ctx, lh_piece piece)
{
    char *copy = lh_alloc(ctx, piece.length + 1, 1);
    if (copy && piece.length) memcpy(copy, piece.at, piece.length);
    return copy;
}
