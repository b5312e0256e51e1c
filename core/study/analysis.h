/* SPDX-License-Identifier: MIT
 *
 * What a study says: each method over its seeds, every pair of methods, and the sentences that may
 * honestly be drawn from them.  Table, chart and report only lay this out. */
#ifndef LH_STUDY_ANALYSIS_H
#define LH_STUDY_ANALYSIS_H

#include "core/study/curves.h"
#include "core/study/statistics.h"
#include "core/study/study.h"

/* Mean over seeds of one column at every epoch, with mean - sd and mean + sd. */
typedef struct lh_mean_curve {
    size_t count;
    double *x, *mean, *low, *high;
} lh_mean_curve;

/* One method.  The samples are over its finished runs. */
typedef struct lh_method_summary {
    const lh_study_method *method;
    uint32_t finished, diverged, failed, missing;
    lh_sample final_val, best_val, test, final_loss, val_loss, test_loss, seconds;
    lh_sample area;   /* mean validation accuracy over the epochs of a run */
    uint32_t reached; /* runs whose validation accuracy reached the target */
    lh_sample target_epochs, target_steps, target_seconds;        /* over the runs that did */
    lh_mean_curve val_accuracy_curve, loss_curve, val_loss_curve; /* accuracy in percent */
    lh_columns lr; /* steps of the first run that has any */
} lh_method_summary;

typedef struct lh_analysis {
    const lh_study *study;
    lh_method_summary *methods;
    uint32_t *order;  /* methods by falling mean score; as given when not ranked */
    lh_paired *pairs; /* see lh_analysis_pair */
    size_t pair_count;
    bool ranked;   /* two seeds or more */
    bool on_test;  /* the score is the test accuracy, else the final validation accuracy */
    double target; /* NaN: none */
} lh_analysis;

lehr_status lh_analyse(lehr_context *ctx, const lh_study *study, lh_analysis *out);
void lh_analysis_free(lh_analysis *a);
/* The score's sample of a method, and a pair (a < b in the study's order: difference a - b). */
const lh_sample *lh_analysis_score(const lh_analysis *a, uint32_t method);
const lh_paired *lh_analysis_pair(const lh_analysis *a, uint32_t first, uint32_t second);
/* Ends of the 95 % interval in percent, kept within 0 and 100; false when there is none. */
bool lh_percent_interval(const lh_sample *share, double *low, double *high);
bool lh_distinguishable(const lh_paired *pair);

/* Plain sentences, one a line: whether there is a ranking, what cannot be told apart, what
 * diverged. */
void lh_analysis_sentences(const lh_analysis *a, lh_str *s);

#endif
