/* SPDX-License-Identifier: MIT
 *
 * What is remembered between processes, in the user's cache directory: $LEHR_CACHE, else
 * $XDG_CACHE_HOME/lehr, else ~/.cache/lehr; LEHR_CACHE=off: nothing is read or written.  A cache may be
 * lost, damaged or read-only at any time: nothing here makes a lehr_ call fail. */
#ifndef LH_CACHE_H
#define LH_CACHE_H

#include "core/runtime/runtime.h"

/* ---- the tuning store: rows about (op, problem, variant) on this device ----
 * One text file a device, driver, family and set of kernel sources; all four are in its head.  Rows are
 * looked up by text; of several rows about the same thing the last one counts. */
typedef enum lh_kept_kind {
    LH_KEPT_BEST,    /* the variant that was measured to be the fastest: ms, gflops */
    LH_KEPT_GOOD,    /* agrees with the reference on this device */
    LH_KEPT_BAD,     /* does not, or cannot be built: note says how; never chosen again */
    LH_KEPT_SHIPPED, /* the fastest on such devices, from the table that lehr comes with; not stored */
    LH_KEPT_RECORDED, /* what a run that is being continued had chosen; not stored */
    LH_KEPT_CHOSEN    /* what was chosen since lh_kept_forget_run, note says why; not stored */
} lh_kept_kind;

typedef struct lh_kept {
    lh_kept_kind kind;
    const char *op, *problem, *variant;
    const char *parameters; /* "rows=6:nv=2"; "" or NULL: all by rule */
    double ms, gflops; /* LH_KEPT_BEST, else 0 */
    const char *note;  /* one line without tabs, or NULL; of LH_KEPT_BEST: what the default takes */
} lh_kept;

/* False when LEHR_CACHE=off or there is no directory: only what this process adds is known. */
bool lh_cache_on(const lehr_device *dev);
/* Path of the store's file, or "" when the cache is off; valid while the device lives. */
const char *lh_kept_path(lehr_device *dev);
/* The row of that kind, or NULL.  variant, parameters NULL: any. */
const lh_kept *lh_kept_find(lehr_device *dev, lh_kept_kind kind, const char *op,
                            const char *problem, const char *variant, const char *parameters);
/* Forgets a row that this process added. */
void lh_kept_drop(lehr_device *dev, lh_kept_kind kind, const char *op, const char *problem,
                  const char *variant, const char *parameters);
/* Adds or replaces; it is stored by the next lh_kept_save.  Texts are copied; one that could not stand in
 * a line of the file is left out of it.  LEHR_E_MEMORY sets no message. */
lehr_status lh_kept_add(lehr_device *dev, const lh_kept *row);
/* Row number i of a kind in the order of adding, or NULL past the end. */
const lh_kept *lh_kept_row(lehr_device *dev, lh_kept_kind kind, size_t i);
/* Forgets what is about one run: recorded and chosen variants. */
void lh_kept_forget_run(lehr_device *dev);
/* Rows for such devices as the text's head names, as kernels/shipped has them; name is for messages. */
void lh_kept_add_shipped(lehr_device *dev, const char *name, const char *text);
/* A table for kernels/shipped: the device's head, then the best rows that are not the default. */
lehr_status lh_kept_export(lehr_device *dev, lh_str *out);
/* Writes new rows: the file is read again under a lock, so that other processes' rows stay, and replaced
 * as a whole.  A failure is logged. */
void lh_kept_save(lehr_device *dev);

/* Seconds that checking kernels at first use may still take on this device (10 at first;
 * LEHR_SELF_TEST=SECONDS, 0: none; none when the cache is off, because every start would do it again). */
double lh_self_test_left(lehr_device *dev);
void lh_self_test_spent(lehr_device *dev, double seconds);

/* ---- the program cache: binaries of built programs, for drivers that keep none (trait
 * program_cache).  Files programs/SHA256.bin, named by source, options, device and driver. ---- */
/* A built program, or NULL: not there, damaged or refused by the driver (then removed). */
cl_program lh_program_load(lehr_device *dev, const char *text, const char *options);
/* Keeps the binary; afterwards the oldest files above LH_PROGRAM_CACHE_BYTES are removed. */
void lh_program_store(lehr_device *dev, const char *text, const char *options, cl_program program);
enum { LH_PROGRAM_CACHE_BYTES = 256 << 20 };
/* Removes the files of dir that were used longest ago until the rest has at most limit bytes. */
void lh_program_cache_trim(const char *dir, uint64_t limit);

/* For core/runtime: frees what lh_kept_* keep, after saving. */
void lh_cache_release(lehr_device *dev);
/* SHA-256 over all embedded kernel sources and the library's version. */
void lh_sources_hash(char *hex);
/* The cache directory, or NULL; the caller frees it. */
char *lh_cache_dir(lehr_context *ctx);
/* Device, driver, family and limits as lines of text: what binaries and measurements depend on. */
void lh_cache_identity(const lehr_device *dev, lh_str *out);

#endif
