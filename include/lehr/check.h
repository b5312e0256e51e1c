/* SPDX-License-Identifier: MIT
 *
 * The validator of plugins: some eighty checks of one file, each with a stable name "group/name".
 *
 * A checker loads the file and calls everything in it with unusual arguments, so a defective plugin
 * may crash, hang or end the process: run it in a process of its own that may be lost (the program's
 * "lehr plugin check" does so for each check).  It also redirects file descriptors 1 and 2 while it
 * looks at what a plugin prints, and sets LEHR_TRAITS while it opens devices. */
#ifndef LEHR_CHECK_H
#define LEHR_CHECK_H

#include <lehr/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One row of the list of checks. */
typedef struct lehr_check {
    const char *name;  /* "schedules/pure" */
    const char *text;  /* what must hold, one line */
    const char *needs; /* earlier checks, separated by a space; when one of them failed, this one tells
                          nothing new and is skipped; NULL: none */
    uint32_t device;   /* 1: opens an OpenCL device, which takes seconds */
} lehr_check;
/* Check number i; NULL past the end. */
const lehr_check *lehr_check_row(uint32_t i);

enum {
    LEHR_CHECK_OK = 0,
    LEHR_CHECK_WARN = 1, /* works, but is likely to surprise somebody */
    LEHR_CHECK_FAIL = 2, /* breaks a rule of docs/plugin-abi.md */
    LEHR_CHECK_SKIP = 3  /* cannot be told here, or does not apply; reason says why */
};
typedef struct lehr_check_result {
    int32_t verdict;
    char reason[760]; /* "" when ok */
    char remedy[260]; /* what to do about it; "" when ok or skipped */
} lehr_check_result;

typedef struct lehr_checker lehr_checker;
typedef struct lehr_checker_params {
    const char *file;   /* the plugin */
    const char *device; /* as for lehr_device_open; NULL: auto */
    /* Receives a description of each call into the plugin before it is made, so that whoever looks
     * at a dead process knows its last one; may lie in shared memory; NULL: none is kept. */
    char *call;
    uint32_t call_size; /* bytes of call */
} lehr_checker_params;

/* Nothing of the file is touched before a check asks for it.  Errors: LEHR_E_MEMORY.  Thread rule:
 * one thread.  Owner: the caller. */
lehr_status lehr_checker_create(lehr_context *ctx, const lehr_checker_params *params,
                                lehr_checker **out);
void lehr_checker_destroy(lehr_checker **checker);
/* Runs check number i, without looking at what it needs.  The verdict is in out (which may lie in
 * shared memory); the status tells only of trouble of the checker's own: LEHR_E_USAGE (no such
 * check), LEHR_E_MEMORY. */
lehr_status lehr_checker_run(lehr_checker *checker, uint32_t i, lehr_check_result *out);

#ifdef __cplusplus
}
#endif
#endif
