/* SPDX-License-Identifier: MIT
 *
 * Growing strings, JSON fragments, numbers as text independent of the locale, suggestions. */
#define _GNU_SOURCE
#include "core/base/base.h"

#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(lh_str *s, size_t more)
{
    size_t need = s->length + more + 1;
    if (s->failed) return false;
    if (need <= s->capacity) return true;
    size_t capacity = s->capacity ? s->capacity : 64;
    while (capacity < need) capacity *= 2;
    char *text = realloc(s->text, capacity);
    if (!text) {
        s->failed = true;
        return false;
    }
    s->text = text;
    s->capacity = capacity;
    return true;
}

void lh_str_add_bytes(lh_str *s, const void *bytes, size_t count)
{
    if (!reserve(s, count)) return;
    if (count) memcpy(s->text + s->length, bytes, count);
    s->length += count;
    s->text[s->length] = '\0';
}

void lh_str_add(lh_str *s, const char *text) { lh_str_add_bytes(s, text, strlen(text)); }

void lh_str_printf(lh_str *s, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int count = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (count >= 0 && reserve(s, (size_t)count)) {
        vsnprintf(s->text + s->length, (size_t)count + 1, fmt, again);
        s->length += (size_t)count;
    } else {
        s->failed = true;
    }
    va_end(again);
}

/* Length of the valid UTF-8 sequence at c, 0 when there is none (overlong forms and surrogates are
 * invalid: RFC 3629). */
static size_t utf8_length(const unsigned char *c)
{
    if (c[0] < 0x80) return 1;
    size_t length = c[0] >= 0xc2 && c[0] <= 0xdf   ? 2
                    : (c[0] & 0xf0) == 0xe0        ? 3
                    : c[0] >= 0xf0 && c[0] <= 0xf4 ? 4
                                                   : 0;
    for (size_t i = 1; i < length; i++)
        if ((c[i] & 0xc0) != 0x80) return 0;
    if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f)) return 0;
    if ((c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f)) return 0;
    return length;
}

void lh_str_json(lh_str *s, const char *text)
{
    lh_str_add(s, "\"");
    for (const unsigned char *c = (const unsigned char *)text; *c;) {
        size_t length = utf8_length(c);
        if (*c == '"' || *c == '\\')
            lh_str_printf(s, "\\%c", *c);
        else if (*c < 0x20)
            lh_str_printf(s, "\\u%04x", *c);
        else if (length)
            lh_str_add_bytes(s, c, length);
        else
            lh_str_add(s, "\xef\xbf\xbd"); /* U+FFFD: a file name need not be UTF-8, JSON must */
        c += length ? length : 1;
    }
    lh_str_add(s, "\"");
}

void lh_str_json_number(lh_str *s, double value)
{
    char text[40];
    if (!isfinite(value)) {
        lh_str_add(s, "null");
        return;
    }
    lh_format_double(value, text, sizeof text);
    lh_str_add(s, text);
}

void lh_str_clear(lh_str *s)
{
    s->length = 0;
    s->failed = false;
    if (s->text) s->text[0] = '\0';
}

void lh_str_free(lh_str *s)
{
    free(s->text);
    *s = (lh_str){0};
}

const char *lh_str_text(const lh_str *s) { return s->text ? s->text : ""; }

static locale_t c_locale(void) { return newlocale(LC_ALL_MASK, "C", (locale_t)0); }

lh_locale lh_locale_enter(void)
{
    lh_locale saved = {c_locale(), NULL};
    if (saved.c) saved.old = uselocale((locale_t)saved.c);
    return saved;
}

void lh_locale_leave(lh_locale saved)
{
    if (!saved.c) return;
    uselocale((locale_t)saved.old);
    freelocale((locale_t)saved.c);
}

bool lh_parse_double(const char *text, double *out)
{
    locale_t c = c_locale();
    char *end = NULL;
    double value = c ? strtod_l(text, &end, c) : strtod(text, &end);
    if (c) freelocale(c);
    bool space = *text == ' ' || *text == '\t' || *text == '\n';
    if (end == text || *end || space || !isfinite(value)) return false;
    *out = value;
    return true;
}

bool lh_parse_u64(const char *text, uint64_t *out)
{
    if (*text < '0' || *text > '9') return false;
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*end || errno) return false;
    *out = value;
    return true;
}

/* Writes value with the fewest digits that read back as the same number.  %g drops trailing zeros, so
 * `safe` digits (which every decimal of that length survives) already give the shortest text of all
 * numbers that have one; only subnormals, with fewer bits, are searched from one digit on. */
static void format_shortest(double value, bool single, char *out, size_t size)
{
    lh_locale saved = lh_locale_enter();
    double least = single ? (double)FLT_MIN : DBL_MIN;
    int safe = single ? FLT_DIG : DBL_DIG, most = single ? FLT_DECIMAL_DIG : DBL_DECIMAL_DIG;
    for (int digits = fabs(value) < least ? 1 : safe; digits <= most; digits++) {
        snprintf(out, size, "%.*g", digits, value);
        double back = single ? (double)strtof(out, NULL) : strtod(out, NULL);
        if (!(back != value)) break;
    }
    lh_locale_leave(saved);
}

void lh_format_double(double value, char *out, size_t size)
{
    format_shortest(value, false, out, size);
}

void lh_format_float(float value, char *out, size_t size)
{
    format_shortest((double)value, true, out, size);
}

unsigned lh_edit_distance(const char *a, const char *b)
{
    enum { LIMIT = 64 };
    size_t la = strnlen(a, LIMIT), lb = strnlen(b, LIMIT);
    unsigned row[LIMIT + 1];
    for (size_t j = 0; j <= lb; j++) row[j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[lb];
}

void lh_str_suggest(lh_str *s, const char *unknown, const char *const *known, size_t count)
{
    unsigned best = 3;
    const char *near = NULL;
    for (size_t i = 0; i < count; i++) {
        unsigned distance = lh_edit_distance(unknown, known[i]);
        if (distance < best) {
            best = distance;
            near = known[i];
        }
    }
    if (near) lh_str_printf(s, "; did you mean '%s'?", near);
    lh_str_add(s, "; known: ");
    for (size_t i = 0; i < count; i++) lh_str_printf(s, "%s%s", i ? ", " : "", known[i]);
}
