/* SPDX-License-Identifier: MIT
 *
 * The library objects that a verb works with, opened as it needs them and closed together. */
#ifndef LEHR_CLI_SESSION_H
#define LEHR_CLI_SESSION_H

#include <stdbool.h>

#include <lehr/lehr.h>

#include "cli/options.h"

typedef struct session {
    const settings *set;
    lehr_context *ctx;
    lehr_registry *registry;
    lehr_device *device;
    lehr_model *model;
    lehr_data *data;
} session;

/* Makes the context; its log goes to standard error (warnings only without --verbose). */
lehr_status session_start(session *s, const settings *set);
/* The built-in plugins, and those of --plugin and of positional arguments (verbs that have FILE…). */
lehr_status session_registry(session *s);
lehr_status session_device(session *s);
lehr_status session_model(session *s);
lehr_status session_data(session *s);
/* --tune and LEHR_TUNE: measures what was not measured yet, and says so where text is wanted. */
lehr_status session_tune(session *s, bool text);
/* Whether it would. */
bool session_tunes(const session *s);
/* A plugin argument that is a file: it has a '/' or ends in .so. */
bool session_names_file(const char *text);
/* Closes everything.  When status is a failure its message goes to standard error.  Returns the
 * exit code. */
int session_end(session *s, lehr_status status);

#endif
