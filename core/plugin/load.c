/* SPDX-License-Identifier: MIT
 *
 * From a path to a plugin's entry structure: permissions, hash, ELF look, dlopen, version.  A file
 * is loaded at most once per process by the dynamic linker and never unloaded: thread-local
 * destructors and runtimes it pulled in (OpenMP) would be left dangling. */
#define _GNU_SOURCE
#include "core/plugin/host.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lehr_version.h"

enum { MAX_FILE = 256 << 20 };

static lehr_status fail(lehr_context *ctx, const char *path, const char *why)
{
    return lh_fail(ctx, LEHR_E_PLUGIN, "plugin %s: %s", path, why);
}

/* Another user could put code of theirs there: owner neither root nor us, or write permission. */
static const char *writable_by_others(const struct stat *info)
{
    if (info->st_mode & S_IWOTH) return "is writable by everybody";
    if ((info->st_mode & S_IWGRP) && info->st_gid != getegid() && info->st_gid != 0)
        return "is writable by another group";
    if (info->st_uid != 0 && info->st_uid != geteuid()) return "belongs to another user";
    return NULL;
}

lehr_status lh_path_check(lehr_context *ctx, const char *path, lh_trust trust)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return lh_fail(ctx, LEHR_E_PLUGIN, "plugin path %s: %s", path, strerror(errno));
    const char *why = writable_by_others(&info);
    if (!why) return LEHR_OK;
    if (trust == LH_TRUST_NAMED) {
        lh_log(ctx, LEHR_LOG_WARN, "plugin path %s %s", path, why);
        return LEHR_OK;
    }
    return lh_fail(
        ctx, LEHR_E_PLUGIN,
        "plugin path %s %s, so it is not searched: chmod go-w it and own it, or name the "
        "file with --plugin",
        path, why);
}

static lehr_status read_file(lehr_context *ctx, const char *path, unsigned char **bytes,
                             size_t *size)
{
    struct stat info;
    if (stat(path, &info) != 0) return fail(ctx, path, strerror(errno));
    if (!S_ISREG(info.st_mode)) return fail(ctx, path, "is not a file");
    if (info.st_size > MAX_FILE) return fail(ctx, path, "is larger than 256 MiB");
    FILE *file = fopen(path, "rb");
    if (!file) return fail(ctx, path, strerror(errno));
    *size = (size_t)info.st_size;
    *bytes = lh_alloc(ctx, *size, 1);
    lehr_status st = *bytes ? LEHR_OK : LEHR_E_MEMORY;
    if (st == LEHR_OK && fread(*bytes, 1, *size, file) != *size)
        st = fail(ctx, path, "cannot be read to its end");
    fclose(file);
    if (st != LEHR_OK) {
        free(*bytes);
        *bytes = NULL;
    }
    return st;
}

static lehr_status check_version(lehr_context *ctx, const char *path, const lehr_plugin *p)
{
    if (!p) return fail(ctx, path, "lehr_plugin_v1() returned NULL");
    /* size and abi are the first two words in every version; nothing else is read before they fit.
     */
    unsigned major = p->abi >> 16, minor = p->abi & 0xffffu;
    if (major != LEHR_ABI_MAJOR || minor > LEHR_ABI_MINOR_LATEST)
        return lh_fail(
            ctx, LEHR_E_PLUGIN,
            "plugin %s: built for plugin ABI %u.%u, this lehr offers %d.%d; update lehr or "
            "build it with -DLEHR_ABI_MINOR=%d",
            path, major, minor, LEHR_ABI_MAJOR, LEHR_ABI_MINOR_LATEST, LEHR_ABI_MINOR_LATEST);
    if (p->size < sizeof *p)
        return lh_fail(
            ctx, LEHR_E_PLUGIN,
            "plugin %s: lehr_plugin.size is %u, at least %zu is needed: set it to sizeof", path,
            (unsigned)p->size, sizeof *p);
    if (!p->id || !*p->id || !p->version || !*p->version)
        return fail(ctx, path, "id and version must be set");
    if ((p->schedule_count && !p->schedules) || (p->optimizer_count && !p->optimizers) ||
        p->schedule_count > 1000 || p->optimizer_count > 1000)
        return fail(ctx, path, "counts of schedules or optimizers do not fit their arrays");
    if (p->schedule_count + p->optimizer_count == 0)
        return fail(ctx, path, "holds no schedule and no optimizer");
    return LEHR_OK;
}

static lehr_status call_entry(lehr_context *ctx, void *handle, lh_plugin_file *out)
{
    const lehr_plugin *(*entry)(void) = NULL;
    void *symbol = dlsym(handle, "lehr_plugin_v1");
    if (!symbol) return fail(ctx, out->path, "exports no lehr_plugin_v1");
    memcpy(&entry, &symbol, sizeof entry);
    fenv_t env;
    fegetenv(&env);
    out->plugin = entry();
    const lehr_plugin *again = entry();
    fesetenv(&env);
    if (again != out->plugin)
        return fail(ctx, out->path, "lehr_plugin_v1() gives different results: return static data");
    return check_version(ctx, out->path, out->plugin);
}

static lehr_status check_and_hash(lehr_context *ctx, lh_plugin_file *out)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    lehr_status st = read_file(ctx, out->path, &bytes, &size);
    if (st == LEHR_OK) st = lh_elf_check(ctx, out->path, bytes, size);
    if (st == LEHR_OK) SHA256Data(bytes, size, out->sha256);
    free(bytes);
    return st;
}

lehr_status lh_plugin_load(lehr_context *ctx, const char *path, lh_trust trust, lh_plugin_file *out)
{
    *out = (lh_plugin_file){0};
    out->path = realpath(path, NULL);
    if (!out->path) return fail(ctx, path, strerror(errno));
    lehr_status st = lh_path_check(ctx, out->path, trust);
    if (st == LEHR_OK) st = check_and_hash(ctx, out);
    if (st == LEHR_OK) {
        fenv_t env;
        fegetenv(&env); /* a -ffast-math object flushes denormals for the whole process */
        void *handle = dlopen(out->path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        fesetenv(&env);
        st = handle ? call_entry(ctx, handle, out) : fail(ctx, out->path, dlerror());
    }
    if (st != LEHR_OK) lh_plugin_file_free(out);
    return st;
}

void lh_plugin_file_free(lh_plugin_file *file)
{
    free(file->path);
    *file = (lh_plugin_file){0};
}

/* The object that holds this code: liblehr.so, or a program linked with the static library. */
static char *own_path(void)
{
    Dl_info info;
    static const char anchor = 0;
    const char *name = dladdr(&anchor, &info) && info.dli_fname ? info.dli_fname : "";
    char *path = strchr(name, '/') ? realpath(name, NULL) : NULL;
    return path ? path : realpath("/proc/self/exe", NULL);
}

static bool is_directory(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

char *lh_plugin_directory(lehr_context *ctx)
{
    static const char build[] = LEHR_BUILD_PLUGIN_DIR;
    const char *named = lh_getenv("LEHR_PLUGIN_DIR");
    if (named) return lh_strdup(ctx, named);
    char *own = own_path();
    size_t root = (size_t)(strrchr(build, '/') - build) + 1;
    bool in_build = own && strncmp(own, build, root) == 0;
    char beside[PATH_MAX + 32] = "";
    if (own && strrchr(own, '/')) /* an installation that was moved as a whole */
        snprintf(beside, sizeof beside, "%.*s/lehr/plugins", (int)(strrchr(own, '/') - own), own);
    free(own);
    if (in_build) return lh_strdup(ctx, build);
    if (is_directory(beside)) return lh_strdup(ctx, beside);
    return lh_strdup(ctx, is_directory(LEHR_PLUGIN_DIR) ? LEHR_PLUGIN_DIR : build);
}
