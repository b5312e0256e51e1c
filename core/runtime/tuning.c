/* SPDX-License-Identifier: MIT
 *
 * The tuning store: a list in memory, a text file behind it.  The file is a head of "# " lines, which
 * must be this device's, then one row a line: kind, op, problem, variant, parameters, ms, GFLOP/s, note,
 * separated by tabs.  Lines that make no sense are passed over with a warning. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "core/base/files.h"
#include "core/runtime/cache.h"
#include "core/runtime/device.h"

enum { FIELDS = 8, LOCK_TRIES = 100, MAX_BYTES = 64 << 20, MAX_PARAMETERS = 96 };

typedef struct entry {
    struct entry *next;
    lh_kept row;
    bool fresh; /* not in the file yet */
} entry;

struct lh_tuning_store {
    entry *first;
    char *path; /* "" when the cache is off */
    char *dir;
    lh_str head;
    double self_test_left;
};

static const char *const kinds[] = {"best", "good", "bad"};

/* ---- rows ---- */

static bool is_stored(lh_kept_kind kind) { return kind <= LH_KEPT_BAD; }

static void free_entry(entry *e)
{
    free((char *)e->row.op);
    free((char *)e->row.problem);
    free((char *)e->row.variant);
    free((char *)e->row.parameters);
    free((char *)e->row.note);
    free(e);
}

/* NULL stands for any. */
static bool same_text(const char *a, const char *b) { return !a || !b || strcmp(a, b) == 0; }

/* Best and recorded rows: one a problem; good and bad ones: one a variant with its
 * parameters, of either kind. */
static bool replaces(const lh_kept *a, const lh_kept *b)
{
    bool verdict = a->kind == LH_KEPT_GOOD || a->kind == LH_KEPT_BAD;
    bool other = b->kind == LH_KEPT_GOOD || b->kind == LH_KEPT_BAD;
    if (verdict != other || (!verdict && a->kind != b->kind)) return false;
    if (strcmp(a->op, b->op) != 0 || strcmp(a->problem, b->problem) != 0) return false;
    return !verdict || (strcmp(a->variant, b->variant) == 0 &&
                        strcmp(a->parameters, b->parameters) == 0);
}

static lehr_status add(lh_tuning_store *s, const lh_kept *row, bool fresh)
{
    entry *e = calloc(1, sizeof *e);
    if (!e) return LEHR_E_MEMORY;
    e->row = *row;
    e->row.op = strdup(row->op);
    e->row.problem = strdup(row->problem);
    e->row.variant = strdup(row->variant);
    e->row.parameters = strdup(row->parameters ? row->parameters : "");
    e->row.note = row->note ? strdup(row->note) : NULL;
    e->fresh = fresh && is_stored(row->kind);
    if (!e->row.op || !e->row.problem || !e->row.variant || !e->row.parameters ||
        (row->note && !e->row.note)) {
        free_entry(e);
        return LEHR_E_MEMORY;
    }
    for (entry **at = &s->first; *at;) {
        entry *old = *at;
        if (replaces(&e->row, &old->row)) {
            *at = old->next;
            free_entry(old);
        } else {
            at = &old->next;
        }
    }
    e->next = s->first;
    s->first = e;
    return LEHR_OK;
}

static lh_tuning_store *store_of(lehr_device *dev);

/* ---- the file ---- */

/* Cuts a line into its fields, in place; false when it is no row. */
static bool parse_row(char *line, lh_kept *row)
{
    char *field[FIELDS], *rest = line;
    for (int i = 0; i < FIELDS; i++)
        if (!(field[i] = strsep(&rest, "\t"))) return false;
    *row = (lh_kept){.op = field[1], .problem = field[2], .variant = field[3],
                     .parameters = field[4], .note = *field[7] ? field[7] : NULL};
    size_t kind = 0;
    while (kind < LH_COUNT(kinds) && strcmp(field[0], kinds[kind]) != 0) kind++;
    row->kind = (lh_kept_kind)kind;
    return kind < LH_COUNT(kinds) && *row->op && *row->problem && *row->variant && !rest &&
           strlen(field[4]) < MAX_PARAMETERS && lh_parse_double(field[5], &row->ms) &&
           lh_parse_double(field[6], &row->gflops);
}

static bool fits_a_line(const lh_kept *r)
{
    const char *const texts[] = {r->op, r->problem, r->variant, r->parameters,
                                 r->note ? r->note : ""};
    for (size_t i = 0; i < LH_COUNT(texts); i++)
        if (strpbrk(texts[i], "\t\r\n")) return false;
    return true;
}

static void print_row(lh_str *out, const lh_kept *r)
{
    char ms[40], gflops[40];
    lh_format_float((float)r->ms, ms, sizeof ms);
    lh_format_float((float)r->gflops, gflops, sizeof gflops);
    lh_str_printf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", kinds[r->kind], r->op, r->problem,
                  r->variant, r->parameters, ms, gflops, r->note ? r->note : "");
}

/* ---- the table that lehr comes with ---- */

/* Made by scripts/embed.py from kernels/shipped: a file a kind of device.  "# device: PATTERN" and the like
 * must match the lines of the head (fnmatch); rows follow as in the cache. */
typedef struct lh_shipped_source {
    const char *path, *text;
} lh_shipped_source;
extern const lh_shipped_source lh_shipped_sources[];
extern const size_t lh_shipped_source_count;

/* Whether a line of the device's head matches the pattern. */
static bool some_line_matches(const lh_str *head, const char *pattern)
{
    bool found = false;
    char *copy = strdup(lh_str_text(head)), *rest = copy, *line;
    while (!found && (line = rest ? strsep(&rest, "\n") : NULL) != NULL)
        found = fnmatch(pattern, line, 0) == 0;
    free(copy);
    return found;
}

static void add_shipped(lehr_device *dev, lh_tuning_store *s, const char *name, const char *text)
{
    bool mine = false;
    unsigned damaged = 0;
    char *copy = strdup(text), *rest = copy, *line;
    while ((line = rest ? strsep(&rest, "\n") : NULL) != NULL) {
        bool about = strncmp(line, "# device: ", 10) == 0;
        bool condition = about || strncmp(line, "# driver: ", 10) == 0 ||
                         strncmp(line, "# kernels: ", 11) == 0;
        lh_kept row;
        if (condition && !some_line_matches(&s->head, line)) break;
        mine |= about;
        if (!*line || *line == '#' || !mine) continue;
        if (parse_row(line, &row)) {
            row.kind = LH_KEPT_SHIPPED;
            add(s, &row, false);
        } else {
            damaged++;
        }
    }
    if (damaged) lh_log(dev->ctx, LEHR_LOG_WARN, "'%s': %u lines are no rows", name, damaged);
    free(copy);
}

/* LEHR_SHIPPED=off leaves it out. */
static void read_shipped(lehr_device *dev, lh_tuning_store *s)
{
    const char *wish = lh_getenv("LEHR_SHIPPED");
    if (wish && strcmp(wish, "off") == 0) return;
    for (size_t i = 0; i < lh_shipped_source_count; i++)
        add_shipped(dev, s, lh_shipped_sources[i].path, lh_shipped_sources[i].text);
}

void lh_kept_add_shipped(lehr_device *dev, const char *name, const char *text)
{
    lh_tuning_store *s = store_of(dev);
    if (s) add_shipped(dev, s, name, text);
}

lehr_status lh_kept_export(lehr_device *dev, lh_str *out)
{
    lh_tuning_store *s = store_of(dev);
    const lh_kept *row;
    if (!s) return LEHR_E_MEMORY;
    lh_str_add(out, lh_str_text(&s->head));
    for (size_t i = 0; (row = lh_kept_row(dev, LH_KEPT_BEST, i)) != NULL; i++)
        if (fits_a_line(row) && !(row->note && strcmp(row->note, "default") == 0)) print_row(out, row);
    return out->failed ? LEHR_E_MEMORY : LEHR_OK;
}

/* Adds the file's rows, but not over fresh ones.  Rows of other devices under the same name count as
 * damage. */
static void read_file(lehr_device *dev, lh_tuning_store *s)
{
    char *text = NULL;
    size_t bytes = 0;
    unsigned damaged = 0;
    if (!*s->path || !lh_file_exists(s->path)) return;
    if (lh_file_read(dev->ctx, s->path, MAX_BYTES, LEHR_E_DISK, &text, &bytes) != LEHR_OK) {
        lh_log(dev->ctx, LEHR_LOG_WARN, "%s: not used", lehr_context_message(dev->ctx));
        lh_enter(dev->ctx);
        return;
    }
    bool mine = strncmp(text, lh_str_text(&s->head), s->head.length) == 0;
    char *rest = mine ? text + s->head.length : NULL, *line;
    while ((line = rest ? strsep(&rest, "\n") : NULL) != NULL) {
        lh_kept row;
        if (!rest && *line) damaged++; /* no newline: torn */
        if (!rest || !*line || *line == '#') continue;
        if (!parse_row(line, &row)) {
            damaged++;
            continue;
        }
        bool known = false;
        for (entry *e = s->first; e; e = e->next) known |= e->fresh && replaces(&row, &e->row);
        if (!known) add(s, &row, false);
    }
    if (!mine)
        lh_log(dev->ctx, LEHR_LOG_WARN, "'%s' is damaged: it is not used and will be written anew",
               s->path);
    else if (damaged)
        lh_log(dev->ctx, LEHR_LOG_WARN, "'%s': %u damaged lines are passed over", s->path, damaged);
    free(text);
}

static double self_test_limit(void)
{
    const char *text = lh_getenv("LEHR_SELF_TEST");
    double seconds = 10;
    if (text) lh_parse_double(text, &seconds); /* checked when the device was opened */
    return seconds;
}

static lh_tuning_store *store_of(lehr_device *dev)
{
    if (dev->tuning) return dev->tuning;
    lh_tuning_store *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    char sources[LH_SHA256_HEX], key[LH_SHA256_HEX], name[48];
    lh_str path = {0};
    lh_sources_hash(sources);
    lh_str_add(&s->head, "# lehr tuning, version 2: kind, op, problem, variant, parameters, ms, "
               "GFLOP/s, note\n");
    lh_cache_identity(dev, &s->head);
    lh_str_printf(&s->head, "# sources: %s\n", sources);
    lh_sha256(lh_str_text(&s->head), s->head.length, key);
    snprintf(name, sizeof name, "tuning-%.16s.txt", key);
    s->dir = lh_cache_dir(dev->ctx);
    if (s->dir) lh_path_join(&path, s->dir, name);
    s->path = path.text ? path.text : strdup("");
    s->self_test_left = s->dir ? self_test_limit() : 0;
    dev->tuning = s;
    read_shipped(dev, s);
    if (s->path) read_file(dev, s);
    return s;
}

/* Waits a little for other writers; -1 when there is no lock to be had. */
static int lock_file(const lh_tuning_store *s)
{
    lh_str name = {0};
    lh_str_printf(&name, "%s.lock", s->path);
    int fd = open(lh_str_text(&name), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    lh_str_free(&name);
    for (int i = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
        struct timespec pause = {0, 20000000};
        if (i < LOCK_TRIES && (errno == EWOULDBLOCK || errno == EINTR)) {
            nanosleep(&pause, NULL);
            continue;
        }
        close(fd);
        fd = -1;
    }
    return fd;
}

static void write_file(lehr_device *dev, lh_tuning_store *s)
{
    lh_str text = {0};
    lh_str_add(&text, lh_str_text(&s->head));
    /* The list is youngest first; the file oldest first, so that it grows at its end. */
    size_t count = 0, i = 0;
    for (entry *e = s->first; e; e = e->next) count++;
    const lh_kept **rows = calloc(count + 1, sizeof *rows);
    for (entry *e = s->first; rows && e; e = e->next) rows[count - ++i] = &e->row;
    for (i = 0; rows && i < count; i++)
        if (is_stored(rows[i]->kind) && fits_a_line(rows[i])) print_row(&text, rows[i]);
    lehr_status st = rows && !text.failed ? lh_file_write_text(dev->ctx, s->path, lh_str_text(&text))
                                          : LEHR_E_MEMORY;
    if (st != LEHR_OK)
        lh_log(dev->ctx, LEHR_LOG_WARN, "what was learnt about kernels is not kept: %s",
               lehr_context_message(dev->ctx));
    for (entry *e = s->first; st == LEHR_OK && e; e = e->next) e->fresh = false;
    free(rows);
    lh_str_free(&text);
}

void lh_kept_save(lehr_device *dev)
{
    lh_tuning_store *s = dev->tuning;
    bool fresh = false;
    for (entry *e = s ? s->first : NULL; e; e = e->next) fresh |= e->fresh;
    if (!fresh || !s->path || !*s->path) return;
    char *message = strdup(lehr_context_message(dev->ctx)); /* a failure that is being told stays */
    int lock = -1;
    if (!message || *message) {
        free(message);
        return;
    }
    free(message);
    if (lh_make_dirs(dev->ctx, s->dir) == LEHR_OK) lock = lock_file(s);
    if (lock >= 0) {
        read_file(dev, s);
        write_file(dev, s);
        close(lock);
    } else {
        lh_log(dev->ctx, LEHR_LOG_INFO, "'%s' cannot be locked: nothing is kept there", s->path);
    }
    lh_enter(dev->ctx);
}

void lh_cache_release(lehr_device *dev)
{
    lh_tuning_store *s = dev->tuning;
    if (!s) return;
    lh_kept_save(dev);
    while (s->first) {
        entry *e = s->first;
        s->first = e->next;
        free_entry(e);
    }
    lh_str_free(&s->head);
    free(s->path);
    free(s->dir);
    free(s);
    dev->tuning = NULL;
}

/* ---- looking up and adding ---- */

const char *lh_kept_path(lehr_device *dev)
{
    lh_tuning_store *s = store_of(dev);
    return s && s->path ? s->path : "";
}

const lh_kept *lh_kept_find(lehr_device *dev, lh_kept_kind kind, const char *op,
                            const char *problem, const char *variant, const char *parameters)
{
    lh_tuning_store *s = store_of(dev);
    for (const entry *e = s ? s->first : NULL; e; e = e->next)
        if (e->row.kind == kind && strcmp(e->row.op, op) == 0 && same_text(problem, e->row.problem) &&
            same_text(variant, e->row.variant) && same_text(parameters, e->row.parameters))
            return &e->row;
    return NULL;
}

void lh_kept_drop(lehr_device *dev, lh_kept_kind kind, const char *op, const char *problem,
                  const char *variant, const char *parameters)
{
    lh_tuning_store *s = store_of(dev);
    for (entry **at = s ? &s->first : NULL; at && *at;) {
        entry *e = *at;
        if (e->fresh && e->row.kind == kind && strcmp(e->row.op, op) == 0 &&
            same_text(problem, e->row.problem) && same_text(variant, e->row.variant) &&
            same_text(parameters, e->row.parameters)) {
            *at = e->next;
            free_entry(e);
        } else {
            at = &e->next;
        }
    }
}

lehr_status lh_kept_add(lehr_device *dev, const lh_kept *row)
{
    lh_tuning_store *s = store_of(dev);
    return s ? add(s, row, true) : LEHR_E_MEMORY;
}

const lh_kept *lh_kept_row(lehr_device *dev, lh_kept_kind kind, size_t i)
{
    lh_tuning_store *s = store_of(dev);
    size_t count = 0;
    for (const entry *e = s ? s->first : NULL; e; e = e->next) count += e->row.kind == kind;
    for (const entry *e = s ? s->first : NULL; e && i < count; e = e->next)
        if (e->row.kind == kind && --count == i) return &e->row;
    return NULL;
}

void lh_kept_forget_run(lehr_device *dev)
{
    lh_tuning_store *s = dev->tuning;
    for (entry **at = s ? &s->first : NULL; at && *at;) {
        entry *e = *at;
        if (e->row.kind == LH_KEPT_RECORDED || e->row.kind == LH_KEPT_CHOSEN) {
            *at = e->next;
            free_entry(e);
        } else {
            at = &e->next;
        }
    }
}

double lh_self_test_left(lehr_device *dev)
{
    lh_tuning_store *s = store_of(dev);
    return s ? s->self_test_left : 0;
}

void lh_self_test_spent(lehr_device *dev, double seconds)
{
    lh_tuning_store *s = store_of(dev);
    if (s) s->self_test_left -= seconds;
}
