/* SPDX-License-Identifier: MIT
 *
 * What the host offers to plugins while it calls them: log, fail, memory; and the guard around each
 * call. */
#include "core/plugin/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void host_log(const lehr_host *api, uint32_t level, const char *text)
{
    const lh_host *host = api->priv;
    lh_log(host->ctx, level, "%s", text ? text : "");
}

static lehr_status host_fail(const lehr_host *api, lehr_status code, const char *text)
{
    lh_host *host = api->priv;
    snprintf(host->message, sizeof host->message, "%s", text ? text : "");
    return code != LEHR_OK ? code : LEHR_E_INTERNAL;
}

static void *host_alloc(const lehr_host *api, size_t bytes)
{
    (void)api;
    size_t size = (bytes ? bytes + 63 : 64) / 64 * 64;
    if (size < bytes) return NULL;
    void *memory = aligned_alloc(64, size);
    if (memory) memset(memory, 0, size);
    return memory;
}

static void host_release(const lehr_host *api, void *memory)
{
    (void)api;
    free(memory);
}

static const void *host_ext(const lehr_host *api, const char *id)
{
    const lh_host *host = api->priv;
    return id && strcmp(id, "lehr.device/1") == 0 ? host->device_api : NULL;
}

void lh_host_init(lh_host *host, lehr_context *ctx)
{
    *host = (lh_host){.ctx = ctx,
                      .api = {.size = sizeof(lehr_host),
                              .abi = (uint32_t)LEHR_ABI_MAJOR << 16 | LEHR_ABI_MINOR_LATEST,
                              .version = lehr_version(),
                              .log = host_log,
                              .fail = host_fail,
                              .alloc = host_alloc,
                              .release = host_release,
                              .ext = host_ext}};
    host->api.priv = host;
}

void lh_guard_begin(lh_host *host, fenv_t *env)
{
    host->message[0] = '\0';
    fegetenv(env);
    fesetenv(FE_DFL_ENV); /* the same bits whatever the application's rounding */
}

void lh_guard_end(const fenv_t *env) { fesetenv(env); }
