/* SPDX-License-Identifier: MIT
 *
 * What is shown while a run goes on.  Lines go to standard output; the bar is drawn on standard error
 * when that is a terminal, at most ten times a second, and leaves no trace. */
#ifndef LEHR_CLI_PROGRESS_H
#define LEHR_CLI_PROGRESS_H

#include <lehr/train.h>

#include "cli/options.h"

typedef enum progress_kind { PROGRESS_NONE, PROGRESS_LINES, PROGRESS_BAR, PROGRESS_JSON } progress_kind;

typedef struct progress {
    progress_kind kind;
    bool utf8, colour, drawn;
    uint64_t stop_step; /* --max-steps, 0: the whole budget */
    uint64_t first_step; /* of this process: where a resumed run began */
    double first_seconds;
    double last_time; /* when something was last shown */
    double loss, accuracy; /* of the last batches, smoothed */
} progress;

/* From --progress and --quiet, else from what standard error is. */
void progress_start(progress *p, const settings *set);
/* Another run begins (comparison). */
void progress_reset(progress *p);
void progress_event(progress *p, const lehr_event *event);
/* Removes the bar; call before anything else is printed. */
void progress_clear(progress *p);
/* Text (settings, summary) is wanted: not quiet and not JSON. */
bool progress_wants_text(const progress *p, const settings *set);

#endif
