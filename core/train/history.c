/* SPDX-License-Identifier: MIT
 *
 * Writing, reading and cutting histories. */
#define _GNU_SOURCE
#include "core/train/history.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/files.h"

#define JSONL "history.jsonl"

enum { LONGEST_LINE = 1 << 16 }; /* bounds what parsing one line can allocate */

static const char *const kind_names[] = {[LH_RECORD_STEP] = "step", [LH_RECORD_EPOCH] = "epoch"};

/* The numbers of a record as a table: name, place in the struct, written as float. */
typedef struct field {
    const char *name;
    size_t offset;
    bool single;
} field;

#define FIELD_ROW(name) {#name, offsetof(lh_record, name), sizeof #name == 3 && #name[0] == 'l'},
static const field fields[] = {LH_HISTORY_FIELDS(FIELD_ROW)};
#undef FIELD_ROW

static double *value_of(lh_record *record, const field *f)
{
    return (double *)(void *)((char *)record + f->offset);
}

lh_record lh_record_new(lh_record_kind kind)
{
    lh_record record = {.kind = kind};
    for (size_t i = 0; i < LH_COUNT(fields); i++) *value_of(&record, &fields[i]) = NAN;
    for (size_t i = 0; i < LH_HISTORY_VALUES; i++) record.values[i] = NAN;
    return record;
}

/* ---- writing ---- */

struct lh_history {
    lehr_context *ctx;
    lh_appender *lines;
    lh_str csv_path, csv, line;
    char *names[LH_HISTORY_VALUES];
    uint32_t name_count;
};

/* The number's text, "" when it is not known. */
static void number_text(double value, bool single, char text[40])
{
    text[0] = '\0';
    if (!isfinite(value)) return;
    if (single)
        lh_format_float((float)value, text, 40);
    else
        lh_format_double(value, text, 40);
}

static void add_csv_header(lh_history *h)
{
    lh_str_add(&h->csv, "kind,step");
    for (size_t i = 0; i < LH_COUNT(fields); i++) lh_str_printf(&h->csv, ",%s", fields[i].name);
    for (uint32_t i = 0; i < h->name_count; i++) lh_str_printf(&h->csv, ",%s", h->names[i]);
    lh_str_add(&h->csv, "\n");
}

static void add_number(const char *name, double value, bool single, lh_str *json, lh_str *csv)
{
    char text[40];
    number_text(value, single, text);
    lh_str_printf(json, ",\"%s\":%s", name, text[0] ? text : "null");
    lh_str_printf(csv, ",%s", text);
}

/* Adds the record to both forms at once: formatting numbers is what costs. */
static void add_record(lh_history *h, const lh_record *source)
{
    lh_record record = *source;
    lh_str *json = &h->line, *csv = &h->csv;
    const char *kind = kind_names[record.kind];
    unsigned long long step = (unsigned long long)record.step;
    lh_str_printf(json, "{\"kind\":\"%s\",\"step\":%llu", kind, step);
    lh_str_printf(csv, "%s,%llu", kind, step);
    for (size_t i = 0; i < LH_COUNT(fields); i++)
        add_number(fields[i].name, *value_of(&record, &fields[i]), fields[i].single, json, csv);
    for (uint32_t i = 0; i < h->name_count; i++)
        add_number(h->names[i], record.values[i], true, json, csv);
    lh_str_add(json, "}");
    lh_str_add(csv, "\n");
}

/* The values of a record of a file in the order of this history's names. */
static lh_record reorder(const lh_history *h, const lh_records *old, const lh_record *row)
{
    lh_record record = *row;
    for (uint32_t i = 0; i < h->name_count; i++) {
        record.values[i] = NAN;
        for (uint32_t k = 0; k < old->name_count; k++)
            if (strcmp(h->names[i], old->names[k]) == 0) record.values[i] = row->values[k];
    }
    return record;
}

/* Fills the table with the lines that a resumed run already has. */
static lehr_status take_over(lh_history *h, const char *path)
{
    lh_records old = {0};
    if (!lh_file_exists(path)) return LEHR_OK;
    lehr_status status = lh_history_read(h->ctx, path, &old);
    for (size_t i = 0; i < old.count && !status; i++) {
        lh_str_clear(&h->line);
        lh_record record = reorder(h, &old, &old.rows[i]);
        add_record(h, &record);
    }
    lh_records_free(&old);
    return status;
}

static lehr_status copy_names(lh_history *h, const char *const *names, uint32_t count)
{
    for (; h->name_count < count && h->name_count < LH_HISTORY_VALUES; h->name_count++) {
        h->names[h->name_count] = lh_strdup(h->ctx, names[h->name_count]);
        if (!h->names[h->name_count]) return LEHR_E_MEMORY;
    }
    return LEHR_OK;
}

lehr_status lh_history_open(lehr_context *ctx, const char *dir, const char *const *names,
                            uint32_t name_count, lh_history **out)
{
    lh_str path = {0};
    lehr_status status = LEHR_OK;
    *out = NULL;
    lh_history *h = lh_alloc(ctx, 1, sizeof *h);
    if (!h) return LEHR_E_MEMORY;
    h->ctx = ctx;
    lh_path_join(&path, dir, JSONL);
    lh_path_join(&h->csv_path, dir, "history.csv");
    status = copy_names(h, names, name_count);
    add_csv_header(h);
    if (path.failed || h->csv_path.failed)
        status = lh_fail(ctx, LEHR_E_MEMORY, "out of memory for a path");
    if (!status) status = take_over(h, path.text);
    if (!status) status = lh_appender_open(ctx, path.text, &h->lines);
    lh_str_free(&path);
    if (status)
        lh_history_close(&h);
    else
        *out = h;
    return status;
}

lehr_status lh_history_add(lh_history *h, const lh_record *record)
{
    lh_str_clear(&h->line);
    add_record(h, record);
    if (h->line.failed || h->csv.failed)
        return lh_fail(h->ctx, LEHR_E_MEMORY, "out of memory for the history");
    return lh_appender_line(h->lines, h->line.text);
}

lehr_status lh_history_save(lh_history *h)
{
    lehr_status status = lh_appender_sync(h->lines);
    if (status) return status;
    return lh_file_write(h->ctx, h->csv_path.text, h->csv.text, h->csv.length);
}

void lh_history_close(lh_history **history)
{
    if (!history || !*history) return;
    lh_history *h = *history;
    lh_appender_close(&h->lines);
    lh_str_free(&h->csv_path);
    lh_str_free(&h->csv);
    lh_str_free(&h->line);
    for (uint32_t i = 0; i < h->name_count; i++) free(h->names[i]);
    free(h);
    *history = NULL;
}

/* ---- reading ---- */

static bool known_key(const char *key)
{
    if (strcmp(key, "kind") == 0 || strcmp(key, "step") == 0) return true;
    size_t i = 0;
    while (i < LH_COUNT(fields) && strcmp(fields[i].name, key) != 0) i++;
    return i < LH_COUNT(fields);
}

/* The place of a value's key, which is noted when it is new; LH_HISTORY_VALUES when there is none. */
static uint32_t value_place(lh_records *out, const char *key)
{
    uint32_t i = 0;
    while (i < out->name_count && strcmp(out->names[i], key) != 0) i++;
    if (i < out->name_count || i == LH_HISTORY_VALUES) return i;
    out->names[i] = strdup(key);
    if (!out->names[i]) return LH_HISTORY_VALUES;
    out->name_count++;
    return i;
}

static void take_values(json_t *object, lh_records *out, lh_record *record)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        if (known_key(key) || !(json_is_number(value) || json_is_null(value))) continue;
        uint32_t place = value_place(out, key);
        if (place < LH_HISTORY_VALUES && json_is_number(value))
            record->values[place] = json_number_value(value);
    }
}

/* Takes the numbers of one object; false when it is no record (which may be a later version's). */
static bool take_record(json_t *object, lh_records *out, lh_record *record)
{
    const char *kind = json_string_value(json_object_get(object, "kind"));
    const json_t *step = json_object_get(object, "step");
    size_t k = 0;
    while (k < LH_COUNT(kind_names) && (!kind || strcmp(kind, kind_names[k]) != 0)) k++;
    if (k == LH_COUNT(kind_names) || !json_is_integer(step) || json_integer_value(step) < 0)
        return false;
    *record = lh_record_new((lh_record_kind)k);
    record->step = (uint64_t)json_integer_value(step);
    for (size_t i = 0; i < LH_COUNT(fields); i++) {
        const json_t *value = json_object_get(object, fields[i].name);
        if (json_is_number(value)) *value_of(record, &fields[i]) = json_number_value(value);
    }
    take_values(object, out, record);
    return true;
}

/* Splits text into lines and hands each object on.  ends, when not NULL, gets the offset behind each
 * record's newline. */
static lehr_status parse_lines(lehr_context *ctx, const char *path, const char *text, size_t size,
                               lh_records *out, size_t *ends)
{
    size_t number = 0;
    for (size_t at = 0; at < size;) {
        const char *newline = memchr(text + at, '\n', size - at);
        size_t length = newline ? (size_t)(newline - text) - at : size - at;
        json_error_t error;
        json_t *object = NULL;
        snprintf(error.text, sizeof error.text, "a line of %zu bytes", length);
        if (length <= LONGEST_LINE)
            object = json_loadb(text + at, length, JSON_REJECT_DUPLICATES, &error);
        number++;
        if (!object && newline && at + length + 1 < size)
            return lh_fail(ctx, LEHR_E_CHECKPOINT,
                           "'%s', line %zu: %s: the file is damaged; move it away to go on "
                           "without it",
                           path, number, error.text);
        if (!object || !newline) {
            lh_log(ctx, LEHR_LOG_WARN, "'%s': the last line was cut short and is dropped", path);
            json_decref(object);
            break;
        }
        at += length + 1;
        if (take_record(object, out, &out->rows[out->count])) {
            if (ends) ends[out->count] = at;
            out->count++;
        }
        json_decref(object);
    }
    return LEHR_OK;
}

/* At least the number of records in a text: its lines. */
static size_t most_records(const char *text, size_t size)
{
    size_t lines = 1;
    for (size_t i = 0; i < size; i++) lines += text[i] == '\n';
    return lines;
}

lehr_status lh_history_read(lehr_context *ctx, const char *path, lh_records *out)
{
    char *text;
    size_t size;
    *out = (lh_records){0};
    lehr_status status = lh_file_read(ctx, path, 0, LEHR_E_CHECKPOINT, &text, &size);
    if (status) return status;
    out->rows = lh_alloc(ctx, most_records(text, size), sizeof *out->rows);
    status = out->rows ? parse_lines(ctx, path, text, size, out, NULL) : LEHR_E_MEMORY;
    free(text);
    if (status) lh_records_free(out);
    return status;
}

void lh_records_free(lh_records *records)
{
    if (!records) return;
    free(records->rows);
    for (uint32_t i = 0; i < records->name_count; i++) free(records->names[i]);
    *records = (lh_records){0};
}

/* ---- cutting ---- */

/* A record that a checkpoint after that many updates and epochs knows of. */
static bool known(const lh_record *record, uint64_t step, uint64_t epochs, uint64_t *seen)
{
    if (record->kind == LH_RECORD_STEP) return record->step <= step;
    (*seen)++;
    return *seen <= epochs && record->step <= step;
}

lehr_status lh_history_truncate(lehr_context *ctx, const char *dir, uint64_t step, uint64_t epochs)
{
    char *text = NULL;
    size_t size = 0, *ends = NULL;
    lh_records all = {0};
    lh_str path = {0}, kept = {0};
    lehr_status status = LEHR_OK;
    lh_path_join(&path, dir, JSONL);
    if (!lh_file_exists(lh_str_text(&path))) {
        if (step)
            lh_log(ctx, LEHR_LOG_WARN, "'%s' is missing: the run goes on with a new one",
                   lh_str_text(&path));
        goto done;
    }
    status = lh_file_read(ctx, lh_str_text(&path), 0, LEHR_E_CHECKPOINT, &text, &size);
    if (status) goto done;
    all.rows = lh_alloc(ctx, most_records(text, size), sizeof *all.rows);
    ends = lh_alloc(ctx, most_records(text, size), sizeof *ends);
    status = all.rows && ends ? parse_lines(ctx, path.text, text, size, &all, ends) : LEHR_E_MEMORY;
    uint64_t seen = 0, last = 0;
    size_t begin = 0;
    for (size_t i = 0; i < all.count && !status; i++) {
        if (known(&all.rows[i], step, epochs, &seen)) {
            lh_str_add_bytes(&kept, text + begin, ends[i] - begin);
            if (all.rows[i].kind == LH_RECORD_STEP) last = all.rows[i].step;
        }
        begin = ends[i];
    }
    if (!status && last != step)
        lh_log(ctx, LEHR_LOG_WARN, "'%s' ends at update %llu, the checkpoint stands at %llu",
               path.text, (unsigned long long)last, (unsigned long long)step);
    if (!status && kept.failed) status = lh_fail(ctx, LEHR_E_MEMORY, "out of memory for a history");
    if (!status && kept.length != size)
        status = lh_file_write(ctx, path.text, lh_str_text(&kept), kept.length);
done:
    free(text);
    free(ends);
    lh_records_free(&all);
    lh_str_free(&path);
    lh_str_free(&kept);
    return status;
}
