/* SPDX-License-Identifier: MIT
 *
 * The history of one run as columns of numbers, for charts and for time-to-target. */
#ifndef LH_STUDY_CURVES_H
#define LH_STUDY_CURVES_H

#include "core/train/history.h"

enum {
    LH_C_STEP,
    LH_C_EPOCH,
    LH_C_LR,
    LH_C_LOSS,
    LH_C_ACCURACY,
    LH_C_VAL_LOSS,
    LH_C_VAL_ACCURACY,
    LH_C_SECONDS,
    LH_C_VALUES, /* of what is scheduled beside the learning rate: one column for each name */
    LH_C_COUNT = LH_C_VALUES + LH_HISTORY_VALUES
};

/* Rows of one kind; a number that a row does not have is NaN. */
typedef struct lh_columns {
    size_t count, capacity;
    double *at[LH_C_COUNT];
} lh_columns;

typedef struct lh_curves {
    lh_columns steps, epochs;
    char *names[LH_HISTORY_VALUES]; /* "momentum", "group1.lr" */
    uint32_t name_count;
} lh_curves;

/* Reads RUN/history.jsonl.  A file that is missing or cannot be read gives empty curves and a
 * warning in the log: a report is worth having without them.  Errors: LEHR_E_MEMORY. */
lehr_status lh_curves_read(lehr_context *ctx, const char *run_dir, lh_curves *out);
void lh_curves_free(lh_curves *curves);

#endif
