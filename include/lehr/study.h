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
    const char *optimizer, *schedule;
    double lr;
} lehr_method;

typedef struct lehr_compare_params {
    const lehr_method *methods;
    uint32_t method_count;
    uint32_t seeds;            /* seeds 1..seeds (params.seed is the first) */
    lehr_train_params train;   /* optimizer, schedule, lr, seed, out, resume are set per run */
    const char *out;           /* directory of the study; an interrupted one continues */
    /* Told before each run; may be NULL. */
    void (*on_run)(void *user, const lehr_method *method, uint64_t seed, uint32_t run, uint32_t runs);
    void *user;
} lehr_compare_params;

/* The built-in preset "tutorial" (or "tutorial2017"): methods and count; NULL for an unknown name.
 * Time-based decay depends on the number of epochs, so the text is made for it; free with
 * lehr_preset_free. */
lehr_status lehr_preset_create(lehr_context *ctx, const char *name, uint64_t epochs,
                               lehr_method **methods, uint32_t *count);
void lehr_preset_free(lehr_method **methods, uint32_t count);

/* Runs methods x seeds; writes summary.csv, report.html, and a run directory each; a diverged run is a
 * row, not an error.  Errors as lehr_train. */
lehr_status lehr_compare(lehr_device *device, lehr_registry *registry, const lehr_model *model,
                         const lehr_data *data, const lehr_compare_params *params);

#ifdef __cplusplus
}
#endif
#endif
