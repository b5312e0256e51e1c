/* SPDX-License-Identifier: MIT
 *
 * The settings of a run that is resumed, from its run.json. */
#ifndef LEHR_CLI_RUNFILE_H
#define LEHR_CLI_RUNFILE_H

#include "cli/options.h"

typedef struct runfile {
    char *text; /* the whole file */
} runfile;

/* False after a message when directory/run.json cannot be read. */
bool runfile_open(runfile *file, const settings *set, const char *directory);
void runfile_close(runfile *file);
/* The value of section.key as text, a string without its quotes and escapes; NULL when it is not there
 * or null.  Owner: the caller, free(). */
char *runfile_value(const runfile *file, const char *section, const char *key);
/* Sets every option of a run that was not given to what the run was started with, so that what was given
 * can be compared with it. */
bool runfile_fill(const runfile *file, settings *set);

#endif
