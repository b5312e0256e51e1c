/* SPDX-License-Identifier: MIT
 *
 * Signals of a long run: the first SIGINT or SIGTERM asks for a stop after the step, the second ends
 * the program at once; SIGUSR1 asks for a checkpoint; SIGPIPE is ignored (the files are the result). */
#ifndef LEHR_CLI_SIGNALS_H
#define LEHR_CLI_SIGNALS_H

#include <stdbool.h>

void signals_install(void);
/* Nonzero once a stop is wanted: the signal's number.  For lehr_train_params.stop_signal. */
const volatile int *signals_stop(void);
/* 128 + the signal that asked for a stop, or code when none did. */
int signals_exit_code(int code);
/* SIGUSR1 came since the last call. */
bool signals_take_snapshot(void);

#endif
