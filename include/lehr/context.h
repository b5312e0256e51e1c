/* SPDX-License-Identifier: MIT
 *
 * The context: error message and log sink of everything made with it.  No device is needed.
 * Thread rule: one context is used by one thread at a time. */
#ifndef LEHR_CONTEXT_H
#define LEHR_CONTEXT_H

#include <lehr/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lehr_context lehr_context;

/* Receives log lines (UTF-8, no newline).  level: LEHR_LOG_DEBUG, LEHR_LOG_INFO, LEHR_LOG_WARN. */
typedef void (*lehr_log_fn)(void *user, uint32_t level, const char *line);

typedef struct lehr_context_params {
    lehr_log_fn log; /* NULL: log lines are dropped */
    void *log_user;
    uint32_t log_level; /* least level handed to log; 0 = LEHR_LOG_DEBUG */
} lehr_context_params;

/* Makes a context.  params may be NULL.  Errors: LEHR_E_MEMORY.  Owner: the caller. */
lehr_status lehr_context_create(const lehr_context_params *params, lehr_context **out);
/* Destroys it after everything made with it; NULL-safe, clears the pointer. */
void lehr_context_destroy(lehr_context **ctx);
/* The sentence that explains the last failed call ("" when none failed).  Valid until the next
 * call with this context. */
const char *lehr_context_message(const lehr_context *ctx);
/* The library's version, "0.1.0". */
const char *lehr_version(void);

#ifdef __cplusplus
}
#endif
#endif
