/* SPDX-License-Identifier: MIT
 *
 * Context, status texts, failing and logging. */
#define _GNU_SOURCE
#include "core/base/base.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lehr_version.h"

enum { MESSAGE_SIZE = 4096 };

struct lehr_context {
    lehr_context_params params;
    lehr_status status;
    char message[MESSAGE_SIZE];
};

typedef struct status_row {
    const char *name, *text;
    lehr_status value;
    int exit_code;
} status_row;

#define STATUS_ROW(name, value, exit_code, text) {#name, text, value, exit_code},
static const status_row status_rows[] = {
    LEHR_SHARED_STATUS_LIST(STATUS_ROW) LEHR_HOST_STATUS_LIST(STATUS_ROW)};
#undef STATUS_ROW

static const status_row *status_find(lehr_status status)
{
    static const status_row unknown = {"LEHR_E_?", "an unknown status", 1, 1};
    for (size_t i = 0; i < LH_COUNT(status_rows); i++)
        if (status_rows[i].value == status) return &status_rows[i];
    return &unknown;
}

const char *lehr_status_name(lehr_status status) { return status_find(status)->name; }
const char *lehr_status_text(lehr_status status) { return status_find(status)->text; }
int lehr_status_exit_code(lehr_status status) { return status_find(status)->exit_code; }
const char *lehr_version(void) { return LEHR_VERSION; }

lehr_status lehr_context_create(const lehr_context_params *params, lehr_context **out)
{
    assert(out);
    *out = NULL;
    lehr_context *ctx = calloc(1, sizeof *ctx);
    if (!ctx) return LEHR_E_MEMORY;
    if (params) ctx->params = *params;
    *out = ctx;
    return LEHR_OK;
}

void lehr_context_destroy(lehr_context **ctx)
{
    if (!ctx) return;
    free(*ctx);
    *ctx = NULL;
}

const char *lehr_context_message(const lehr_context *ctx) { return ctx ? ctx->message : ""; }

void lh_enter(lehr_context *ctx)
{
    ctx->status = LEHR_OK;
    ctx->message[0] = '\0';
}

lehr_status lh_fail(lehr_context *ctx, lehr_status code, const char *fmt, ...)
{
    assert(code != LEHR_OK);
    if (ctx->status != LEHR_OK) return code;
    ctx->status = code;
    va_list args;
    va_start(args, fmt);
    vsnprintf(ctx->message, sizeof ctx->message, fmt, args);
    va_end(args);
    return code;
}

void lh_fail_context(lehr_context *ctx, const char *fmt, ...)
{
    char prefix[512], old[MESSAGE_SIZE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(prefix, sizeof prefix, fmt, args);
    va_end(args);
    memcpy(old, ctx->message, sizeof old);
    lh_str joined = {0};
    lh_str_add(&joined, prefix);
    lh_str_add(&joined, old);
    if (!joined.failed) {
        strncpy(ctx->message, lh_str_text(&joined), sizeof ctx->message - 1);
        ctx->message[sizeof ctx->message - 1] = '\0';
    }
    lh_str_free(&joined);
}

void lh_log(lehr_context *ctx, uint32_t level, const char *fmt, ...)
{
    if (!ctx->params.log || level < ctx->params.log_level) return;
    char line[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    ctx->params.log(ctx->params.log_user, level, line);
}

void *lh_alloc(lehr_context *ctx, size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory)
        lh_fail(ctx, LEHR_E_MEMORY, "out of memory: %zu elements of %zu bytes", count, size);
    return memory;
}

char *lh_strdup(lehr_context *ctx, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = lh_alloc(ctx, size, 1);
    if (copy) memcpy(copy, text, size);
    return copy;
}

const char *lh_getenv(const char *name)
{
    const char *value = secure_getenv(name);
    return value && *value ? value : NULL;
}

double lh_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
