/* SPDX-License-Identifier: MIT
 *
 * Shared by the parts of the report of a comparison and by that of a single run. */
#ifndef LH_STUDY_REPORT_H
#define LH_STUDY_REPORT_H

#include "core/study/analysis.h"

enum { LH_CHART_WIDTH = 570, LH_CHART_HEIGHT = 330 }; /* two beside each other on a page */

/* The report of a comparison while it is written. */
typedef struct lh_page {
    lehr_context *ctx;
    lh_str *s;
    const lh_study *study;
    const lh_analysis *a;
} lh_page;

/* report_tables.c */
void lh_put_method_table(lh_page *p);
void lh_put_target_table(lh_page *p);
void lh_put_pair_table(lh_page *p);
void lh_put_run_table(lh_page *p);

/* report_facts.c: parts of a report that study.json and run.json have in common. */
bool lh_report_synthetic(const json_t *root);
/* Says loudly that the images are not real, when they are not. */
void lh_report_data_banner(lh_str *s, const json_t *root);
/* Facts (inside <dl>): data, model, device; then the settings that are not "off". */
void lh_report_subject(lh_str *s, const json_t *root);
void lh_report_settings(lh_str *s, const json_t *root);
/* Writes DIR/report.html. */
lehr_status lh_report_write(lehr_context *ctx, const char *dir, const lh_str *s);

#endif
