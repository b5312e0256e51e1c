/* SPDX-License-Identifier: MIT
 *
 * core/plugin/host.h: the inside of the plugin host: loading files, checking tables, the registry,
 * what callbacks are given.  Only core/plugin includes it. */
#ifndef LH_PLUGIN_HOST_H
#define LH_PLUGIN_HOST_H

#include <fenv.h>

#include "core/base/base.h"
#include <lehr/schedule.h>

/* ---- what a callback is given ---- */
typedef struct lh_host {
    lehr_host api;
    lehr_context *ctx;
    char message[512]; /* from fail() */
    void *device;      /* lh_custom_side of a custom optimizer */
    const void *device_api; /* its lehr.device/1 */
} lh_host;

void lh_host_init(lh_host *host, lehr_context *ctx);
/* A plugin may change rounding or flush denormals: the floating-point environment is kept around
 * every call into one.  begin also clears the host's message. */
void lh_guard_begin(lh_host *host, fenv_t *env);
void lh_guard_end(const fenv_t *env);

/* ---- files ---- */
typedef struct lh_plugin_file {
    char *path; /* absolute, resolved */
    char sha256[65];
    lehr_plugin plugin; /* what this host knows of the file's own */
    uint32_t schedule_count, optimizer_count;
    bool built_in;
} lh_plugin_file;

/* How much an absolute path is trusted.  Found by search: it and every directory above it must not be
 * writable by others.  Named by the user: they are told of the file and its directory.  Of the
 * built-in directory: of the file. */
typedef enum lh_trust { LH_TRUST_SEARCHED, LH_TRUST_NAMED, LH_TRUST_INSTALLED } lh_trust;
lehr_status lh_path_check(lehr_context *ctx, const char *path, lh_trust trust);

/* Looks at an object's bytes before it is loaded, since its constructors run first. */
lehr_status lh_elf_check(lehr_context *ctx, const char *path, const unsigned char *bytes,
                         size_t size);
/* Checks path, hashes the file, loads it, calls its entry.  The file is never unloaded. */
lehr_status lh_plugin_load(lehr_context *ctx, const char *path, lh_trust trust,
                           lh_plugin_file *out);
void lh_plugin_file_free(lh_plugin_file *file);

/* ---- descriptors: checked copies, every span with this host's element size ---- */
lehr_status lh_schedule_copy(lehr_context *ctx, const char *path, const lehr_schedule *in,
                             lehr_schedule **out);
lehr_status lh_optimizer_copy(lehr_context *ctx, const char *path, const lehr_optimizer *in,
                              lehr_optimizer **out);
void lh_schedule_free(lehr_schedule **schedule);
void lh_optimizer_free(lehr_optimizer **optimizer);
/* Refuses what a pass (or the helpers before it) must not contain; where is "optimizer adam, pass
 * 1". */
lehr_status lh_rule_check(lehr_context *ctx, const char *where, const char *code, bool helpers);
/* [a-z][a-z0-9_]{0,30} */
bool lh_name_valid(const char *name);
/* One line of at most 1000 bytes without control characters; not empty, not NULL. */
bool lh_text_valid(const char *text);
/* A word of the schedule language ("then", "clip"): no schedule may be called so. */
bool lh_schedule_word(const char *name);

static inline const lehr_param *lh_params(const lehr_span *span) { return span->at; }

/* ---- the directory of the built-in plugins when the caller names none ---- */
char *lh_plugin_directory(lehr_context *ctx);

/* ---- registry, reporting to a given context ---- */
lehr_status lh_registry_schedule(lehr_registry *registry, lehr_context *ctx, const char *name,
                                 const lehr_schedule **out);
lehr_status lh_registry_optimizer(lehr_registry *registry, lehr_context *ctx, const char *name,
                                  const lehr_optimizer **out);

#endif
