/* SPDX-License-Identifier: MIT
 *
 * Numbers, JSON fragments, wrapping and near words. */
#include "cli/text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *number_text(double value, char out[NUMBER_SIZE])
{
    if (isnan(value)) return "-";
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(out, NUMBER_SIZE, "%.*g", digits, value);
        if (!(strtod(out, NULL) != value)) break;
    }
    /* 10, not 1e+01 */
    if (strchr(out, 'e') && fabs(value) >= 1.0 && fabs(value) < 1e15)
        snprintf(out, NUMBER_SIZE, "%.0f", value);
    return out;
}

const char *fixed_text(double value, int decimals, char out[NUMBER_SIZE])
{
    if (isnan(value)) return "-";
    if (fabs(value) >= 1e9)
        snprintf(out, NUMBER_SIZE, "%.*g", decimals + 1, value);
    else
        snprintf(out, NUMBER_SIZE, "%.*f", decimals, value);
    return out;
}

const char *count_text(uint64_t value, char out[NUMBER_SIZE])
{
    char digits[NUMBER_SIZE];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value), n = 0;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0) out[n++] = ',';
        out[n++] = digits[i];
    }
    out[n] = '\0';
    return out;
}

const char *clock_text(double seconds, char out[NUMBER_SIZE])
{
    if (!(seconds >= 0 && seconds < 1e9)) return "-";
    unsigned long s = (unsigned long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(out, NUMBER_SIZE, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, NUMBER_SIZE, "%lu:%02lu", s / 60, s % 60);
    return out;
}

const char *bytes_text(uint64_t bytes, char out[NUMBER_SIZE])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1024;
        unit++;
    }
    snprintf(out, NUMBER_SIZE, value < 10 && unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return out;
}

bool parse_uint(const char *text, uint64_t *out)
{
    if (*text < '0' || *text > '9') return false;
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*end || errno) return false;
    *out = value;
    return true;
}

bool parse_real(const char *text, double *out)
{
    char *end = NULL;
    double value = strtod(text, &end);
    bool space = *text == ' ' || *text == '\t' || *text == '\n';
    if (end == text || *end || space || !isfinite(value)) return false;
    *out = value;
    return true;
}

void json_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            fprintf(out, "\\%c", *c);
        else if (*c < 0x20)
            fprintf(out, "\\u%04x", *c);
        else
            fputc(*c, out);
    }
    fputc('"', out);
}

void json_number(FILE *out, double value)
{
    char text[NUMBER_SIZE];
    fputs(isfinite(value) ? number_text(value, text) : "null", out);
}

/* Bytes of UTF-8 that start a character: what a line's width is counted in. */
static unsigned columns(const char *text, size_t length)
{
    unsigned n = 0;
    for (size_t i = 0; i < length; i++) n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

void print_wrapped(FILE *out, const char *text, unsigned indent, unsigned width)
{
    unsigned column = indent;
    bool first = true;
    while (*text) {
        if (*text == '\n') {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
            first = true;
            text++;
            continue;
        }
        size_t length = strcspn(text, " \n");
        unsigned size = columns(text, length);
        if (!first && column + 1 + size > width) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            fputc(' ', out);
            column++;
        }
        fwrite(text, 1, length, out);
        column += size;
        first = false;
        text += length;
        while (*text == ' ') text++;
    }
    fputc('\n', out);
}

/* Levenshtein distance of words of at most 63 letters. */
static unsigned distance(const char *a, const char *b)
{
    enum { LIMIT = 64 };
    size_t la = strlen(a), lb = strlen(b);
    unsigned row[LIMIT];
    if (la >= LIMIT || lb >= LIMIT) return LIMIT;
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

const char *nearest_word(const char *typed, const char *const *known, size_t count)
{
    const char *near = NULL;
    /* A third of the letters may be wrong; one may be in a short word. */
    unsigned best = (unsigned)strlen(typed) / 3 + 2;
    for (size_t i = 0; i < count; i++) {
        unsigned d = distance(typed, known[i]);
        bool begins = strlen(typed) >= 3 && strncmp(known[i], typed, strlen(typed)) == 0;
        if (begins && d > 1) d = 1;
        if (d < best) {
            best = d;
            near = known[i];
        }
    }
    return near;
}

bool choice_contains(const char *choices, const char *word)
{
    size_t length = strlen(word);
    for (const char *c = choices; *c;) {
        size_t n = strcspn(c, "|");
        if (n == length && strncmp(c, word, n) == 0) return true;
        c += n + (c[n] == '|');
    }
    return false;
}
