/* SPDX-License-Identifier: MIT
 *
 * Curves from CSV: a header that names the columns (or none: the first two are step and lr), '#'
 * lines and empty ones skipped, x strictly ascending, values finite and not negative. */
#include "core/plugin/curve.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/files.h"

enum { BYTES_MAX = 64 << 20, COLUMNS_MAX = 64 };

typedef struct point {
    double x, y;
} point;

struct lh_curve {
    point *points;
    size_t count;
    char *bytes; /* the file */
    size_t size;
    char sha256[LH_SHA256_HEX];
};

typedef struct reader {
    lehr_context *ctx;
    const char *path;
    size_t line, x, y; /* columns */
    bool known, epochs;
    double scale; /* updates per unit of x */
    lh_curve *curve;
    size_t capacity;
} reader;

static lehr_status wrong(const reader *r, const char *why)
{
    return lh_fail(r->ctx, LEHR_E_PARAM, "table '%s', line %zu: %s", r->path, r->line, why);
}

/* Cuts a line at its commas, blanks and quotation marks around the words removed. */
static size_t split(char *line, char **words)
{
    size_t count = 0;
    while (line && count < COLUMNS_MAX) {
        char *end = strchr(line, ',');
        if (end) *end++ = '\0';
        line += strspn(line, " \t\"");
        size_t length = strlen(line);
        while (length && strchr(" \t\r\"", line[length - 1])) length--;
        line[length] = '\0';
        words[count++] = line;
        line = end;
    }
    return count;
}

/* True when the line is a header; sets the columns. */
static lehr_status read_header(reader *r, char **words, size_t count, bool *is_header)
{
    size_t none = COLUMNS_MAX, step = none, epoch = none, lr = none;
    double number;
    *is_header = !lh_parse_double(words[0], &number);
    if (!*is_header) {
        r->x = 0;
        r->y = 1;
        return LEHR_OK;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], "step") == 0) step = i;
        if (strcmp(words[i], "epoch") == 0) epoch = i;
        if (strcmp(words[i], "lr") == 0 || strcmp(words[i], "value") == 0) lr = i;
    }
    if (lr == none || (step == none && epoch == none))
        return wrong(r, "the header must name a column step or epoch, and a column lr");
    r->epochs = step == none;
    r->x = r->epochs ? epoch : step;
    r->y = lr;
    if (r->epochs && r->scale == 0)
        return wrong(r, "the length of an epoch is not known: give a column step");
    return LEHR_OK;
}

static lehr_status add_point(reader *r, char **words, size_t count)
{
    lh_curve *c = r->curve;
    point p;
    if (r->x >= count || r->y >= count) return wrong(r, "a column is missing");
    if (!lh_parse_double(words[r->x], &p.x) || !lh_parse_double(words[r->y], &p.y))
        return wrong(r, "a column is no finite number");
    if (r->epochs) p.x *= r->scale;
    if (!(p.x >= 0) || !(p.y >= 0)) return wrong(r, "a number is below 0");
    if (c->count && !(p.x > c->points[c->count - 1].x))
        return wrong(r, "its step or epoch is not above the one before");
    if (c->count == r->capacity) {
        size_t more = r->capacity ? 2 * r->capacity : 64;
        point *points = realloc(c->points, more * sizeof *points);
        if (!points) return lh_fail(r->ctx, LEHR_E_MEMORY, "out of memory");
        c->points = points;
        r->capacity = more;
    }
    c->points[c->count++] = p;
    return LEHR_OK;
}

static lehr_status read_line(reader *r, char *line)
{
    char *words[COLUMNS_MAX];
    line[strcspn(line, "\r")] = '\0';
    if (line[0] == '#' || line[strspn(line, " \t")] == '\0') return LEHR_OK;
    size_t count = split(line, words);
    bool header = false;
    lehr_status st = r->known ? LEHR_OK : read_header(r, words, count, &header);
    r->known = true;
    return st != LEHR_OK || header ? st : add_point(r, words, count);
}

static lehr_status read_lines(reader *r, char *text)
{
    lehr_status st = LEHR_OK;
    for (char *line = text; line && st == LEHR_OK;) {
        char *end = strchr(line, '\n');
        if (end) *end++ = '\0';
        r->line++;
        st = read_line(r, line);
        line = end;
    }
    if (st == LEHR_OK && r->curve->count == 0) st = wrong(r, "there is no point");
    return st;
}

lehr_status lh_curve_read(lehr_context *ctx, const char *path, uint64_t steps_per_epoch,
                          lh_curve **out)
{
    char *text = NULL;
    size_t bytes = 0;
    *out = NULL;
    lh_curve *curve = lh_alloc(ctx, 1, sizeof *curve);
    if (!curve) return LEHR_E_MEMORY;
    reader r = {.ctx = ctx, .path = path, .scale = (double)steps_per_epoch, .curve = curve};
    lehr_status st = lh_file_read(ctx, path, BYTES_MAX, LEHR_E_PARAM, &text, &bytes);
    if (st == LEHR_OK) lh_sha256(text, bytes, curve->sha256);
    if (st == LEHR_OK && strlen(text) != bytes) st = wrong(&r, "there is a zero byte: no text");
    if (st == LEHR_OK) curve->bytes = lh_strdup(ctx, text);
    if (st == LEHR_OK && !curve->bytes) st = LEHR_E_MEMORY;
    curve->size = bytes;
    if (st == LEHR_OK) st = read_lines(&r, text);
    free(text);
    if (st != LEHR_OK) {
        lh_curve_free(curve);
        return st;
    }
    *out = curve;
    return LEHR_OK;
}

void lh_curve_free(lh_curve *curve)
{
    if (!curve) return;
    free(curve->points);
    free(curve->bytes);
    free(curve);
}

double lh_curve_value(const lh_curve *curve, double x, bool hold)
{
    size_t low = 0, high = curve->count; /* points before low are <= x, from high on above */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (curve->points[middle].x <= x)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0) return curve->points[0].y;
    const point *a = &curve->points[low - 1];
    if (hold || low == curve->count) return a->y;
    return a->y + (a[1].y - a->y) * ((x - a->x) / (a[1].x - a->x));
}

lehr_status lh_curve_save(lehr_context *ctx, const lh_curve *curve, const char *path)
{
    return lh_file_write(ctx, path, curve->bytes, curve->size);
}

double lh_curve_end(const lh_curve *curve) { return curve->points[curve->count - 1].x; }
const char *lh_curve_sha256(const lh_curve *curve) { return curve->sha256; }
