/* SPDX-License-Identifier: MIT
 *
 * Reads history.jsonl (one object a line, told apart by "kind") into columns. */
#include "core/study/curves.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/files.h"

static const char *const column_names[LH_C_COUNT] = {
    "step", "epoch", "lr", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"};

static lehr_status columns_reserve(lehr_context *ctx, lh_columns *c)
{
    if (c->count < c->capacity) return LEHR_OK;
    size_t capacity = c->capacity ? 2 * c->capacity : 64;
    for (int i = 0; i < LH_C_COUNT; i++) {
        double *grown = realloc(c->at[i], capacity * sizeof *grown);
        if (!grown) return lh_fail(ctx, LEHR_E_MEMORY, "out of memory for a history");
        c->at[i] = grown;
    }
    c->capacity = capacity;
    return LEHR_OK;
}

/* A run that was resumed from a checkpoint may tell some steps again: the later telling counts. */
static void drop_from(lh_columns *c, double step)
{
    while (c->count && c->at[LH_C_STEP][c->count - 1] >= step) c->count--;
}

static lehr_status columns_add(lehr_context *ctx, lh_columns *c, const json_t *row)
{
    const json_t *step = json_object_get(row, "step");
    if (json_is_number(step)) drop_from(c, json_number_value(step));
    lehr_status status = columns_reserve(ctx, c);
    if (status != LEHR_OK) return status;
    for (int i = 0; i < LH_C_COUNT; i++) {
        const json_t *value = json_object_get(row, column_names[i]);
        c->at[i][c->count] = json_is_number(value) ? json_number_value(value) : NAN;
    }
    c->count++;
    return LEHR_OK;
}

static lehr_status read_line(lehr_context *ctx, const char *line, size_t length, lh_curves *out)
{
    json_t *row = json_loadb(line, length, 0, NULL);
    const char *kind = json_string_value(json_object_get(row, "kind"));
    lehr_status status = LEHR_OK;
    if (kind && strcmp(kind, "step") == 0) status = columns_add(ctx, &out->steps, row);
    if (kind && strcmp(kind, "epoch") == 0) status = columns_add(ctx, &out->epochs, row);
    json_decref(row);
    return status;
}

lehr_status lh_curves_read(lehr_context *ctx, const char *run_dir, lh_curves *out)
{
    lh_str path = {0};
    char *text = NULL;
    size_t bytes = 0;
    lehr_status status = LEHR_OK;
    *out = (lh_curves){0};
    lh_path_join(&path, run_dir, "history.jsonl");
    if (lh_file_exists(lh_str_text(&path)))
        status = lh_file_read(ctx, lh_str_text(&path), 0, LEHR_E_DATA, &text, &bytes);
    for (size_t at = 0; status == LEHR_OK && at < bytes;) {
        const char *end = memchr(text + at, '\n', bytes - at);
        size_t length = end ? (size_t)(end - text) - at : bytes - at;
        status = read_line(ctx, text + at, length, out);
        at += length + 1;
    }
    free(text);
    lh_str_free(&path);
    if (status != LEHR_OK) lh_curves_free(out);
    return status;
}

void lh_curves_free(lh_curves *curves)
{
    for (int i = 0; i < LH_C_COUNT; i++) {
        free(curves->steps.at[i]);
        free(curves->epochs.at[i]);
    }
    *curves = (lh_curves){0};
}
