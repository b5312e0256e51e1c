/* SPDX-License-Identifier: MIT
 *
 * Files that survive a crash: atomic replacement, whole-file reading with a limit, append-only lines,
 * the lock of a run directory, SHA-256.  Failures are LEHR_E_DISK with the path and the system's
 * reason unless said otherwise; nothing here prints or changes the working directory. */
#ifndef LH_FILES_H
#define LH_FILES_H

#include <nettle/sha2.h>

#include "core/base/base.h"

/* ---- SHA-256; hex holds 65 bytes ---- */
enum { LH_SHA256_HEX = 65 };
typedef struct sha256_ctx lh_sha256_state;
void lh_sha256_start(lh_sha256_state *state);
void lh_sha256_add(lh_sha256_state *state, const void *bytes, size_t count);
void lh_sha256_end(lh_sha256_state *state, char *hex);
void lh_sha256(const void *bytes, size_t count, char *hex);
/* Of a whole file, read in pieces. */
lehr_status lh_sha256_file(lehr_context *ctx, const char *path, char *hex);

/* ---- writing ---- */
typedef struct lh_part {
    const void *data;
    size_t bytes;
} lh_part;

/* Replaces path by the parts joined.  The bytes go to ".name.tmp.pid" beside it, are synced, and then
 * take the name; the directory is synced too.  On failure the old file is untouched and the temporary
 * one removed.  A symbolic link is followed; anything else that is not a regular file is refused. */
lehr_status lh_file_write_parts(lehr_context *ctx, const char *path, const lh_part *parts,
                                size_t count);
lehr_status lh_file_write(lehr_context *ctx, const char *path, const void *data, size_t bytes);
lehr_status lh_file_write_text(lehr_context *ctx, const char *path, const char *text);

/* mkdir -p: existing directories are fine. */
lehr_status lh_make_dirs(lehr_context *ctx, const char *path);
/* Removes temporary files that a killed process left in dir.  Call with the lock held. */
void lh_remove_temporaries(lehr_context *ctx, const char *dir);
/* Removes a file; one that does not exist is fine. */
lehr_status lh_file_remove(lehr_context *ctx, const char *path);

/* ---- reading ---- */
bool lh_file_exists(const char *path); /* any kind of file */
bool lh_is_dir(const char *path);
bool lh_file_size(const char *path, uint64_t *bytes); /* regular files only */

/* Reads a whole regular file of at most limit bytes (0: no limit); out gets a NUL after the last byte
 * and is freed by the caller.  Failures carry `code`. */
lehr_status lh_file_read(lehr_context *ctx, const char *path, uint64_t limit, lehr_status code,
                         char **out, size_t *bytes);
/* Fills buffer with exactly `bytes` from the start of the file.  Failures carry `code`. */
lehr_status lh_file_read_into(lehr_context *ctx, const char *path, lehr_status code, void *buffer,
                              size_t bytes);

/* Sets s to "dir/name". */
void lh_path_join(lh_str *s, const char *dir, const char *name);

/* ---- append-only lines ---- */
typedef struct lh_appender lh_appender;
/* Opens or creates path for appending. */
lehr_status lh_appender_open(lehr_context *ctx, const char *path, lh_appender **out);
/* Adds text and a newline with one write(2); when that fails half way the torn line is cut off. */
lehr_status lh_appender_line(lh_appender *appender, const char *text);
lehr_status lh_appender_sync(lh_appender *appender);
/* NULL-safe, clears the pointer; does not sync. */
void lh_appender_close(lh_appender **appender);

/* ---- one process per run directory ---- */
typedef struct lh_lock lh_lock;
/* Locks dir (which exists) through dir/.lock, or fails with LEHR_E_USAGE naming the process that
 * holds it.  The lock dies with the process, however it ends. */
lehr_status lh_lock_dir(lehr_context *ctx, const char *dir, lh_lock **out);
void lh_unlock_dir(lh_lock **lock);

#endif
