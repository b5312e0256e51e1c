/* SPDX-License-Identifier: MIT
 *
 * A second process that compiles kernels beside a first start: compilers inside OpenCL drivers take one
 * kernel at a time in a process, and keep the results on disk for all. */
#ifndef LEHR_CLI_COMPILE_H
#define LEHR_CLI_COMPILE_H

#include "cli/session.h"

typedef struct compile_aside {
    int pid, input; /* 0: none; the end of its standard input */
} compile_aside;

/* Starts `lehr tune --compile` for the session's device, model and batch, if kernels of the CPU family are
 * used for the first time there.  It works from the last kernel to the first.  Nothing depends on it. */
void compile_start(compile_aside *aside, session *s);
/* It is needed no longer: it ends after the kernel it is at.  May be called again. */
void compile_release(compile_aside *aside);
/* Waits for it. */
void compile_end(compile_aside *aside);

#endif
