/* SPDX-License-Identifier: MIT
 *
 * Comparing methods over seeds under one budget. */
#ifndef LEHR_STUDY_H
#define LEHR_STUDY_H

#include <lehr/train.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lehr_method {
    const char *name;      /* shown in tables, names the run directory */
    const char *optimizer; /* "keras3:adam", "sgd(momentum=0.9)" */
    const char *schedule;  /* "constant()", "cosine(end=0); momentum: linear(end=0.85)" */
    double lr;             /* base learning rate; NaN: the one that belongs to the optimizer */
    const char *group;     /* parameter groups; NULL: those of train */
} lehr_method;

typedef struct lehr_compare_params {
    const lehr_method *methods;
    uint32_t method_count;
    uint32_t seeds;          /* how many: train.seed, train.seed + 1, ... */
    lehr_train_params train; /* common to all runs; optimizer, schedule, lr, out and resume are set
                                per run, group where a method has its own */
    const char *out;         /* directory of the study; an interrupted one continues */
    double target;           /* validation accuracy for time-to-target; 0: nine tenths of the best
                                method's mean */
    const char *command;     /* command line, for the report; or NULL */
    /* Told before each run that is started or continued; may be NULL. */
    void (*on_run)(void *user, const lehr_method *method, uint64_t seed, uint32_t run,
                   uint32_t runs);
    void *user;
} lehr_compare_params;

/* Everything zero or NULL but train (lehr_train_params_init) and seeds (5). */
void lehr_compare_params_init(lehr_compare_params *params);

/* A built-in preset: "tutorial" or "tutorial2017".  Time-based decay depends on the number of
 * epochs, so the text is made for it.  Errors: LEHR_E_USAGE (unknown name, with the list),
 * LEHR_E_MEMORY. Owner: the caller, lehr_preset_free. */
lehr_status lehr_preset_create(lehr_context *ctx, const char *name, uint64_t epochs,
                               lehr_method **methods, uint32_t *count);
/* NULL-safe, clears the pointer. */
void lehr_preset_free(lehr_method **methods, uint32_t count);
/* Name of preset number i, or NULL past the end. */
const char *lehr_preset_name(uint32_t i);

/* Runs methods x seeds into OUT/runs/METHOD-seedN; the same seed means the same initial weights,
 * data order and augmentation for every method.  Writes OUT/study.json, OUT/summary.csv and
 * OUT/report.html.  A diverged run is a row, not an error; so is a run whose plugin fails.  When
 * OUT holds a study with the same settings, finished runs are kept and an unfinished one is
 * resumed. Errors: LEHR_E_USAGE (settings differ from those in OUT, bad methods),
 * LEHR_E_INTERRUPTED (what is finished is summarised), others as lehr_train. */
lehr_status lehr_compare(lehr_device *device, lehr_registry *registry, const lehr_model *model,
                         const lehr_data *data, const lehr_compare_params *params);

/* The table of a study as text: a line for each method, then what can be said about their order.
 * unicode 1: may use characters beyond ASCII.  No device is needed.  Errors: LEHR_E_DATA.  Owner:
 * the caller, free(). */
lehr_status lehr_study_table(lehr_context *ctx, const char *out, uint32_t unicode, char **text);
/* Mean validation accuracy over epochs, one line for each method, drawn in width x height
 * characters. */
lehr_status lehr_study_chart(lehr_context *ctx, const char *out, uint32_t width, uint32_t height,
                             uint32_t unicode, uint32_t color, char **text);
/* Writes OUT/report.html again from the files in OUT.  Errors: LEHR_E_DATA, LEHR_E_DISK. */
lehr_status lehr_report_study(lehr_context *ctx, const char *out);
/* Writes RUN/report.html from run.json and history.jsonl of one training run.  Errors as above. */
lehr_status lehr_report_run(lehr_context *ctx, const char *run_dir);

#ifdef __cplusplus
}
#endif
#endif
