/* SPDX-License-Identifier: MIT
 *
 * Turns the records of a history into columns. */
#include "core/study/curves.h"

#include <stdlib.h>

#include "core/base/files.h"

static lehr_status columns_reserve(lehr_context *ctx, lh_columns *c, uint32_t values)
{
    if (c->count < c->capacity) return LEHR_OK;
    size_t capacity = c->capacity ? 2 * c->capacity : 64;
    for (uint32_t i = 0; i < LH_C_VALUES + values; i++) {
        double *grown = realloc(c->at[i], capacity * sizeof *grown);
        if (!grown) return lh_fail(ctx, LEHR_E_MEMORY, "out of memory for a history");
        c->at[i] = grown;
    }
    c->capacity = capacity;
    return LEHR_OK;
}

/* A run that was resumed may tell some steps again: the later telling counts. */
static void drop_from(lh_columns *c, double step)
{
    while (c->count && c->at[LH_C_STEP][c->count - 1] >= step) c->count--;
}

static lehr_status columns_add(lehr_context *ctx, lh_columns *c, const lh_record *record,
                               uint32_t values)
{
    drop_from(c, (double)record->step);
    lehr_status status = columns_reserve(ctx, c, values);
    if (status != LEHR_OK) return status;
    c->at[LH_C_STEP][c->count] = (double)record->step;
    c->at[LH_C_EPOCH][c->count] = record->epoch;
    c->at[LH_C_LR][c->count] = record->lr;
    c->at[LH_C_LOSS][c->count] = record->loss;
    c->at[LH_C_ACCURACY][c->count] = record->accuracy;
    c->at[LH_C_VAL_LOSS][c->count] = record->val_loss;
    c->at[LH_C_VAL_ACCURACY][c->count] = record->val_accuracy;
    c->at[LH_C_SECONDS][c->count] = record->seconds;
    for (uint32_t i = 0; i < values; i++)
        c->at[LH_C_VALUES + i][c->count] = record->values[i];
    c->count++;
    return LEHR_OK;
}

lehr_status lh_curves_read(lehr_context *ctx, const char *run_dir, lh_curves *out)
{
    lh_str path = {0};
    lh_records records = {0};
    lehr_status status = LEHR_OK;
    *out = (lh_curves){0};
    lh_path_join(&path, run_dir, "history.jsonl");
    if (lh_file_exists(lh_str_text(&path)) &&
        lh_history_read(ctx, lh_str_text(&path), &records) != LEHR_OK) {
        lh_log(ctx, LEHR_LOG_WARN, "no curves of this run: %s", lehr_context_message(ctx));
        lh_enter(ctx);
    }
    for (size_t i = 0; i < records.count && status == LEHR_OK; i++)
        status =
            columns_add(ctx, records.rows[i].kind == LH_RECORD_STEP ? &out->steps : &out->epochs,
                        &records.rows[i], records.name_count);
    for (; out->name_count < records.name_count; out->name_count++) {
        out->names[out->name_count] = records.names[out->name_count];
        records.names[out->name_count] = NULL;
    }
    lh_records_free(&records);
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
    for (uint32_t i = 0; i < curves->name_count; i++) free(curves->names[i]);
    *curves = (lh_curves){0};
}
