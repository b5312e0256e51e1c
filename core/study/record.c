/* SPDX-License-Identifier: MIT
 *
 * The result of one run as a small JSON file, written in one piece when the run is over (its
 * presence means "do not run again"), and the table of all of them as CSV. */
#include "core/study/study.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/files.h"

enum { RESULT_LIMIT = 1 << 20 };

static const char *const state_names[] = {"missing", "finished", "diverged", "failed"};

/* The numbers of a record by name, for reading and writing alike. */
typedef struct number_field {
    const char *name;
    size_t offset;
} number_field;

#define FIELD(name)                                                                                \
    {                                                                                              \
#name, offsetof(lh_run_record, name)                                                       \
    }
static const number_field number_fields[] = {
    FIELD(final_val_accuracy), FIELD(best_val_accuracy), FIELD(test_accuracy), FIELD(final_loss),
    FIELD(val_loss),           FIELD(test_loss),         FIELD(seconds)};
#undef FIELD

static double *number_at(lh_run_record *record, size_t i)
{
    return (double *)(void *)((char *)record + number_fields[i].offset);
}

void lh_record_clear(lh_run_record *record)
{
    free(record->message);
    *record = (lh_run_record){.state = LH_RUN_MISSING, .seed = record->seed};
    for (size_t i = 0; i < LH_COUNT(number_fields); i++) *number_at(record, i) = NAN;
}

static lh_run_state state_of(const char *name)
{
    for (size_t i = 0; name && i < LH_COUNT(state_names); i++)
        if (strcmp(name, state_names[i]) == 0) return (lh_run_state)i;
    return LH_RUN_MISSING;
}

static lehr_status record_parse(lehr_context *ctx, const char *path, const char *text, size_t bytes,
                                lh_run_record *record)
{
    json_error_t error;
    json_t *root = json_loadb(text, bytes, 0, &error);
    if (!json_is_object(root)) {
        json_decref(root);
        return lh_fail(ctx, LEHR_E_DATA,
                       "%s: not a result file (line %d: %s); remove it to run this method and seed "
                       "again",
                       path, error.line, error.text);
    }
    record->state = state_of(json_string_value(json_object_get(root, "state")));
    record->epochs = (uint64_t)json_number_value(json_object_get(root, "epochs"));
    record->steps = (uint64_t)json_number_value(json_object_get(root, "steps"));
    for (size_t i = 0; i < LH_COUNT(number_fields); i++) {
        json_t *value = json_object_get(root, number_fields[i].name);
        if (json_is_number(value)) *number_at(record, i) = json_number_value(value);
    }
    const char *message = json_string_value(json_object_get(root, "message"));
    record->message = message ? lh_strdup(ctx, message) : NULL;
    json_decref(root);
    return LEHR_OK;
}

lehr_status lh_record_read(lehr_context *ctx, const char *run_dir, lh_run_record *record)
{
    lh_str path = {0};
    char *text = NULL;
    size_t bytes = 0;
    lehr_status status = LEHR_OK;
    lh_record_clear(record);
    lh_path_join(&path, run_dir, "result.json");
    if (lh_file_exists(lh_str_text(&path))) {
        status = lh_file_read(ctx, lh_str_text(&path), RESULT_LIMIT, LEHR_E_DATA, &text, &bytes);
        if (status == LEHR_OK) status = record_parse(ctx, lh_str_text(&path), text, bytes, record);
    }
    free(text);
    lh_str_free(&path);
    return status;
}

lehr_status lh_record_write(lehr_context *ctx, const char *run_dir, const char *method,
                            const lh_run_record *record)
{
    lh_str s = {0}, path = {0};
    lh_run_record copy = *record;
    lh_str_add(&s, "{\n  \"method\": ");
    lh_str_json(&s, method);
    lh_str_printf(&s, ",\n  \"seed\": %llu,\n  \"state\": \"%s\"", (unsigned long long)record->seed,
                  state_names[record->state]);
    lh_str_printf(&s, ",\n  \"epochs\": %llu,\n  \"steps\": %llu",
                  (unsigned long long)record->epochs, (unsigned long long)record->steps);
    for (size_t i = 0; i < LH_COUNT(number_fields); i++) {
        lh_str_printf(&s, ",\n  \"%s\": ", number_fields[i].name);
        lh_str_json_number(&s, *number_at(&copy, i));
    }
    if (record->message) {
        lh_str_add(&s, ",\n  \"message\": ");
        lh_str_json(&s, record->message);
    }
    lh_str_add(&s, "\n}\n");
    lh_path_join(&path, run_dir, "result.json");
    lehr_status status = s.failed || path.failed
                             ? lh_fail(ctx, LEHR_E_MEMORY, "out of memory for a result")
                             : lh_file_write_text(ctx, lh_str_text(&path), lh_str_text(&s));
    lh_str_free(&s);
    lh_str_free(&path);
    return status;
}

/* ---- summary.csv ---- */

/* RFC 4180: quoted only when it has to be. */
static void csv_text(lh_str *s, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        lh_str_add(s, text);
        return;
    }
    lh_str_add(s, "\"");
    for (; *text; text++) {
        if (*text == '"') lh_str_add(s, "\"");
        lh_str_add_bytes(s, text, 1);
    }
    lh_str_add(s, "\"");
}

/* A comma and the number; an unknown one is an empty cell. */
static void csv_number(lh_str *s, double value)
{
    char text[40] = "";
    if (isfinite(value)) lh_format_double(value, text, sizeof text);
    lh_str_printf(s, ",%s", text);
}

static void csv_row(lh_str *s, const char *method, const lh_run_record *r)
{
    csv_text(s, method);
    lh_str_printf(s, ",%llu,%llu", (unsigned long long)r->seed, (unsigned long long)r->epochs);
    csv_number(s, r->final_val_accuracy);
    csv_number(s, r->best_val_accuracy);
    csv_number(s, r->test_accuracy);
    csv_number(s, r->final_loss);
    csv_number(s, r->val_loss);
    csv_number(s, r->test_loss);
    csv_number(s, r->seconds);
    lh_str_printf(s, ",%d,%llu,%s\n", r->state == LH_RUN_DIVERGED, (unsigned long long)r->steps,
                  state_names[r->state]);
}

lehr_status lh_summary_write(lehr_context *ctx, const lh_study *study)
{
    lh_str s = {0}, path = {0};
    lh_str_add(&s, "method,seed,epochs,final_val_accuracy,best_val_accuracy,test_accuracy,"
                   "final_loss,val_loss,test_loss,seconds,diverged,steps,status\n");
    for (uint32_t m = 0; m < study->method_count; m++)
        for (uint32_t i = 0; i < study->seed_count; i++) {
            const lh_run_record *run = lh_study_run(study, m, i);
            if (run->state != LH_RUN_MISSING) csv_row(&s, study->methods[m].name, run);
        }
    lh_path_join(&path, study->dir, "summary.csv");
    lehr_status status = s.failed || path.failed
                             ? lh_fail(ctx, LEHR_E_MEMORY, "out of memory for the summary")
                             : lh_file_write_text(ctx, lh_str_text(&path), lh_str_text(&s));
    lh_str_free(&s);
    lh_str_free(&path);
    return status;
}
