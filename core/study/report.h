/* SPDX-License-Identifier: MIT
 *
 * Shared by the report of a comparison and that of a single run. */
#ifndef LH_STUDY_REPORT_H
#define LH_STUDY_REPORT_H

#include "core/study/analysis.h"

/* Writes DIR/report.html. */
lehr_status lh_report_write(lehr_context *ctx, const char *dir, const lh_str *s);

#endif
