/* SPDX-License-Identifier: MIT
 *
 * Running the built program in a shell and looking at what it prints. */
#ifndef LEHR_TEST_SPAWN_H
#define LEHR_TEST_SPAWN_H

typedef struct spawned {
    int code;   /* exit code; 128 + n after signal n */
    char *out, *err; /* standard output and error, never NULL; freed by spawn_free */
} spawned;

/* Runs "lehr ARGUMENTS" with sh in a fresh empty directory (the same one for the whole process).  before
 * stands in front of the program: "COLUMNS=40 " or "". */
spawned spawn(const char *before, const char *arguments);
/* The same where no OpenCL driver exists. */
spawned spawn_without_devices(const char *arguments);
/* Any shell text; $LEHR is the program. */
spawned spawn_shell(const char *text);
/* "lehr ARGUMENTS" with standard output and error on a terminal of this many columns; all that it shows is
 * in out. */
spawned spawn_terminal(unsigned columns, const char *environment, const char *arguments);
void spawn_free(spawned *s);
/* The directory in which everything runs. */
const char *spawn_directory(void);

#endif
