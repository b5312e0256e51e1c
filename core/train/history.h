/* SPDX-License-Identifier: MIT
 *
 * The history of a run: history.jsonl, one JSON object a line in the order of events, is the truth;
 * history.csv is made from it.  docs/run-directory.md describes both. */
#ifndef LH_HISTORY_H
#define LH_HISTORY_H

#include "core/base/base.h"

/* X(name): the numbers of a record after kind and step, in their order in the files.  lr is kept and
 * written as the float that the kernel got; numbers that are not known are NaN, null in JSON. */
#define LH_HISTORY_FIELDS(X)                                                                       \
    X(epoch)                                                                                       \
    X(lr)                                                                                          \
    X(loss)                                                                                        \
    X(accuracy)                                                                                    \
    X(val_loss)                                                                                    \
    X(val_accuracy)                                                                                \
    X(seconds)                                                                                     \
    X(images_per_second)

enum { LH_HISTORY_VALUES = 24 }; /* scheduled hyperparameters at most */

typedef enum lh_record_kind { LH_RECORD_STEP, LH_RECORD_EPOCH } lh_record_kind;

#define LH_RECORD_FIELD(name) double name;
typedef struct lh_record {
    lh_record_kind kind;
    uint64_t step;                     /* updates made */
    LH_HISTORY_FIELDS(LH_RECORD_FIELD) /* epoch: completed ones, with fraction; seconds: training */
    double values[LH_HISTORY_VALUES];  /* of what is scheduled beside lr; floats, as the kernel got them */
} lh_record;
#undef LH_RECORD_FIELD

/* A record of that kind with step 0 and all numbers unknown. */
lh_record lh_record_new(lh_record_kind kind);

/* ---- writing ---- */
typedef struct lh_history lh_history;

/* Opens dir/history.jsonl for appending; what stands there already (lh_history_truncate) stays.  names:
 * keys of a record's values, "momentum"; at most LH_HISTORY_VALUES, not kept. */
lehr_status lh_history_open(lehr_context *ctx, const char *dir, const char *const *names,
                            uint32_t name_count, lh_history **out);
/* Appends one line at once (one write): a killed run loses nothing that was added. */
lehr_status lh_history_add(lh_history *history, const lh_record *record);
/* Makes all lines durable and writes dir/history.csv anew: at checkpoints, epochs and the end. */
lehr_status lh_history_save(lh_history *history);
/* NULL-safe, clears the pointer; does not save. */
void lh_history_close(lh_history **history);

/* ---- reading ---- */
typedef struct lh_records {
    lh_record *rows;
    size_t count;
    char *names[LH_HISTORY_VALUES]; /* keys of the rows' values: numbers of the file beside the fields */
    uint32_t name_count;
} lh_records;

/* Reads a history.jsonl.  A last line without its newline or cut short (the process was killed while
 * writing) is dropped and logged.  Unknown kinds, and keys beyond
 * LH_HISTORY_VALUES, are passed over.  Errors: LEHR_E_CHECKPOINT
 * with file and line. */
lehr_status lh_history_read(lehr_context *ctx, const char *path, lh_records *out);
void lh_records_free(lh_records *records); /* NULL-safe, zeroes it */

/* Prepares resuming from a checkpoint made after `step` updates and `epochs` epoch records: later
 * lines are dropped, by writing the file anew atomically.  A missing file, or one that ends before
 * that step, is logged only: the weights are what must not be lost. */
lehr_status lh_history_truncate(lehr_context *ctx, const char *dir, uint64_t step, uint64_t epochs);

#endif
