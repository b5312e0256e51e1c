/* SPDX-License-Identifier: MIT
 *
 * core/base: what every floor above uses: context internals, failing with a message, logging,
 * growing strings, the environment.  Knows nothing of OpenCL. */
#ifndef LH_BASE_H
#define LH_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lehr/context.h>

#if defined(__GNUC__)
#define LH_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#else
#define LH_PRINTF(fmt, first)
#endif

#define LH_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- failing ---- */

/* Sets code and sentence together and returns code.  The first failure since the last lh_enter()
 * wins: later calls, made while unwinding, keep the first sentence. */
lehr_status lh_fail(lehr_context *ctx, lehr_status code, const char *fmt, ...) LH_PRINTF(3, 4);
/* Every public function that can fail calls this first: it clears the last message. */
void lh_enter(lehr_context *ctx);
/* Puts "prefix" in front of the current message (to add what was being done). */
void lh_fail_context(lehr_context *ctx, const char *fmt, ...) LH_PRINTF(2, 3);

void lh_log(lehr_context *ctx, uint32_t level, const char *fmt, ...) LH_PRINTF(3, 4);

/* ---- memory: zeroed, sets LEHR_E_MEMORY's message and returns NULL on failure; free() it ---- */
void *lh_alloc(lehr_context *ctx, size_t count, size_t size);
char *lh_strdup(lehr_context *ctx, const char *text);

/* ---- growing string; zero-initialise, lh_str_free at the end.  Allocation failure is sticky:
 * text stays valid ("" or what fitted) and failed is set. ---- */
typedef struct lh_str {
    char *text; /* NUL-terminated once anything was added; NULL before */
    size_t length, capacity;
    bool failed;
} lh_str;
void lh_str_add(lh_str *s, const char *text);
void lh_str_add_bytes(lh_str *s, const void *bytes, size_t count);
void lh_str_printf(lh_str *s, const char *fmt, ...) LH_PRINTF(2, 3);
/* Adds text as a JSON string with quotes and escapes; bytes that are no UTF-8 become U+FFFD. */
void lh_str_json(lh_str *s, const char *text);
/* Adds a number as JSON: shortest form that round-trips; NaN and infinities become null. */
void lh_str_json_number(lh_str *s, double value);
void lh_str_clear(lh_str *s);
void lh_str_free(lh_str *s);
/* The text, never NULL. */
const char *lh_str_text(const lh_str *s);

/* ---- text in the C locale, whatever setlocale() says ---- */
/* Parses a whole string as a finite number; false when it is not one. */
bool lh_parse_double(const char *text, double *out);
bool lh_parse_u64(const char *text, uint64_t *out);
/* The shortest decimal text that reads back as the same double; out holds >= 32 bytes. */
void lh_format_double(double value, char *out, size_t size);
/* The same for a float: 0.1f gives "0.1", not "0.10000000149011612". */
void lh_format_float(float value, char *out, size_t size);

/* Puts this thread into the C locale (so that printf writes 0.5, not 0,5) and back. */
typedef struct lh_locale {
    void *c, *old;
} lh_locale;
lh_locale lh_locale_enter(void);
void lh_locale_leave(lh_locale saved);

/* The one place that reads the environment; NULL in a set-user-id process or when unset/empty. */
const char *lh_getenv(const char *name);

/* ---- what code that is loaded into the process must leave alone ---- */
/* Locale, working directory and signal handlers as they are; NULL when out of memory. */
typedef struct lh_process_state lh_process_state;
lh_process_state *lh_process_save(lehr_context *ctx);
/* Puts back what differs and adds its names to changed ("the locale, the handler of signal 11").
 * NULL-safe, clears the pointer. */
void lh_process_restore(lh_process_state **state, lh_str *changed);

/* Levenshtein distance (at most 64 characters), for "did you mean". */
unsigned lh_edit_distance(const char *a, const char *b);
/* Adds "; did you mean 'x'?" (when one is near) and "; known: a, b, c" to s. */
void lh_str_suggest(lh_str *s, const char *unknown, const char *const *known, size_t count);

/* A part of a text, not terminated. */
typedef struct lh_piece {
    const char *at;
    size_t length;
} lh_piece;
/* Cuts the next piece off *rest, up to the next separator outside of brackets and quotes, without the
 * blanks around it; *rest is then behind the separator, NULL after the last piece.  False when *rest is
 * NULL. */
bool lh_text_cut(const char **rest, char separator, lh_piece *out);
bool lh_piece_is(lh_piece piece, const char *text);
/* The piece as a string; owner: the caller.  NULL with LEHR_E_MEMORY's message. */
char *lh_piece_copy(lehr_context *ctx, lh_piece piece);

/* Seconds on a clock that only goes forward. */
double lh_now(void);

#endif
