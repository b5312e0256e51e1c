/* SPDX-License-Identifier: MIT
 *
 * Memory that a plugin is given: fenced by pages that cannot be touched, and a host that counts what
 * is taken and given back. */
#define _GNU_SOURCE
#include "core/check/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

bool lh_fence_open(lh_fence *fence, const void *from, size_t size, size_t slack)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), length = (size + slack + page) / page * page;
    *fence = (lh_fence){.length = length};
    void *base = mmap(NULL, length + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return false;
    fence->base = (unsigned char *)base + page;
    if (mprotect(fence->base, length, PROT_READ | PROT_WRITE) != 0) {
        lh_fence_close(fence);
        return false;
    }
    memset(fence->base, 0xff, length); /* what lies before is NaN */
    fence->at = fence->base + length - size - slack;
    memset(fence->at, 0, size + slack);
    if (from && size) memcpy(fence->at, from, size);
    return true;
}

bool lh_fence_lock(lh_fence *fence, bool read_only)
{
    if (!fence->base || fence->locked == read_only) return true;
    fence->locked = read_only;
    return mprotect(fence->base, fence->length, read_only ? PROT_READ : PROT_READ | PROT_WRITE) == 0;
}

void lh_fence_close(lh_fence *fence)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (fence->base) munmap(fence->base - page, fence->length + 2 * page);
    *fence = (lh_fence){.at = NULL};
}

/* ---- the host ---- */

static void host_log(const lehr_host *api, uint32_t level, const char *text)
{
    (void)api;
    (void)level;
    (void)text;
}

static lehr_status host_fail(const lehr_host *api, lehr_status code, const char *text)
{
    lh_check_host *host = api->priv;
    host->failed = true;
    snprintf(host->message, sizeof host->message, "%s", text ? text : "");
    return code != LEHR_OK ? code : LEHR_E_INTERNAL;
}

static void *host_alloc(const lehr_host *api, size_t bytes)
{
    lh_check_host *host = api->priv;
    size_t size = (bytes ? bytes + 63 : 64) / 64 * 64;
    host->allocations++;
    if (host->allocations == host->fail_at || size < bytes || host->live_count == LH_LIVE)
        return NULL;
    void *memory = aligned_alloc(64, size);
    if (!memory) return NULL;
    memset(memory, 0, size);
    host->live[host->live_count++] = memory;
    return memory;
}

static void host_release(const lehr_host *api, void *memory)
{
    lh_check_host *host = api->priv;
    if (!memory) return;
    for (uint32_t i = 0; i < host->live_count; i++) {
        if (host->live[i] != memory) continue;
        host->live[i] = host->live[--host->live_count];
        host->releases++;
        free(memory);
        return;
    }
    host->foreign = true; /* not ours, or twice: freeing it would end the process */
}

static const void *host_ext(const lehr_host *api, const char *id)
{
    (void)api;
    (void)id;
    return NULL;
}

void lh_check_host_init(lh_check_host *host)
{
    *host = (lh_check_host){.api = {.size = sizeof(lehr_host),
                                    .abi = (uint32_t)LEHR_ABI_MAJOR << 16 | LEHR_ABI_MINOR_LATEST,
                                    .version = lehr_version(),
                                    .log = host_log,
                                    .fail = host_fail,
                                    .alloc = host_alloc,
                                    .release = host_release,
                                    .ext = host_ext}};
    host->api.priv = host;
}
