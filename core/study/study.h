/* SPDX-License-Identifier: MIT
 *
 * A study on disk: OUT/study.json says what is compared and under which settings, every finished
 * run has OUT/runs/METHOD-seedN/result.json beside its history; table, chart and report are made
 * from these files only, so they can be made again at any time. */
#ifndef LH_STUDY_STUDY_H
#define LH_STUDY_STUDY_H

#include <jansson.h>
#include <lehr/study.h>

#include "core/base/base.h"

typedef enum lh_run_state {
    LH_RUN_MISSING, /* not run, or not to its end */
    LH_RUN_FINISHED,
    LH_RUN_DIVERGED, /* a result: the loss was not finite */
    LH_RUN_FAILED    /* a plugin failed; run again when the study continues */
} lh_run_state;

/* What is known of one run; numbers not known are NaN. */
typedef struct lh_run_record {
    lh_run_state state;
    uint64_t seed, epochs, steps;
    double final_val_accuracy, best_val_accuracy, test_accuracy;
    double final_loss, val_loss, test_loss, seconds;
    char *message; /* why it diverged or failed; NULL: nothing to say */
} lh_run_record;

typedef struct lh_study_method {
    const char *name, *optimizer, *schedule, *group, *resolved; /* borrowed from about */
    double lr;
} lh_study_method;

typedef struct lh_study {
    char *dir;
    json_t *about; /* study.json */
    uint32_t method_count, seed_count;
    uint64_t first_seed;
    lh_study_method *methods;
    lh_run_record *runs; /* method_count x seed_count, seeds of one method together */
} lh_study;

static inline lh_run_record *lh_study_run(const lh_study *study, uint32_t method, uint32_t seed)
{
    return &study->runs[(size_t)method * study->seed_count + seed];
}

/* ---- study.c ---- */
lehr_status lh_study_load(lehr_context *ctx, const char *dir, lh_study *out);
void lh_study_free(lh_study *study);
/* A text or number of study.json or run.json, "data" "name"; "" or NaN when it is not there. */
const char *lh_json_text(const json_t *root, const char *group, const char *key);
double lh_json_number(const json_t *root, const char *group, const char *key);
/* Sets s to the directory of a run. */
void lh_run_dir(lh_str *s, const char *study_dir, const char *method, uint64_t seed);

/* ---- record.c ---- */
void lh_record_clear(lh_run_record *record); /* to MISSING, everything NaN; frees the message */
/* record.message is owned by the record.  A result.json that is not there is a MISSING run. */
lehr_status lh_record_read(lehr_context *ctx, const char *run_dir, lh_run_record *record);
lehr_status lh_record_write(lehr_context *ctx, const char *run_dir, const char *method,
                            const lh_run_record *record);
/* OUT/summary.csv from all runs that have a result. */
lehr_status lh_summary_write(lehr_context *ctx, const lh_study *study);

/* ---- settings.c ---- */
/* What a study is about, apart from the parameters of the comparison. */
typedef struct lh_study_subject {
    const lehr_device_info *device;
    const lehr_data_info *data;
    const lehr_model_info *model;
    const char *const *resolved; /* optimizers with every value written out; NULL: not known */
} lh_study_subject;
/* The text of study.json. */
void lh_study_describe(lh_str *s, const lehr_compare_params *params,
                       const lh_study_subject *subject);
/* Writes OUT/study.json, or checks that the one that is there agrees with text (more seeds are
 * welcome). */
lehr_status lh_study_open(lehr_context *ctx, const char *dir, const char *text);

/* ---- compare.c: the loop over runs, with the trainer behind a pointer so that it can be tested
 * ---- */
typedef lehr_status (*lh_run_fn)(void *user, const lehr_train_params *params,
                                 lehr_train_result *result);
lehr_status lh_compare_runs(lehr_context *ctx, const lehr_compare_params *params,
                            const lh_study_subject *subject, lh_run_fn run, void *user);

#endif
