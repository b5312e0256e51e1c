/* SPDX-License-Identifier: MIT
 *
 * From a path to a plugin's entry structure: permissions, hash, ELF look, dlopen, version.  A file
 * is loaded at most once per process by the dynamic linker and never unloaded: thread-local
 * destructors and runtimes it pulled in (OpenMP) would be left dangling. */
#define _GNU_SOURCE
#include "core/base/files.h"
#include "core/plugin/abi.h"
#include "core/plugin/host.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lehr_version.h"

enum { MAX_FILE = 256 << 20, TEXT_MAX = 1000, ENTRIES_MAX = 1000 };

static lehr_status fail(lehr_context *ctx, const char *path, const char *why)
{
    return lh_fail(ctx, LEHR_E_PLUGIN, "plugin %s: %s", path, why);
}

/* Another user could put code of theirs there: owner neither root nor us, or write permission.  In a
 * directory with the sticky bit others cannot replace what is not theirs. */
static const char *writable_by_others(const struct stat *info)
{
    if (info->st_uid != 0 && info->st_uid != geteuid()) return "belongs to another user";
    if (S_ISDIR(info->st_mode) && (info->st_mode & S_ISVTX)) return NULL;
    if (info->st_mode & S_IWOTH) return "is writable by everybody";
    if ((info->st_mode & S_IWGRP) && info->st_gid != getegid() && info->st_gid != 0)
        return "is writable by another group";
    return NULL;
}

static lehr_status distrust(lehr_context *ctx, const char *path, const char *why, lh_trust trust)
{
    if (trust != LH_TRUST_SEARCHED) {
        lh_log(ctx, LEHR_LOG_WARN, "plugin path %s %s", path, why);
        return LEHR_OK;
    }
    return lh_fail(
        ctx, LEHR_E_PLUGIN,
        "plugin path %s %s, so it is not searched: chmod go-w it and own it, or name the "
        "file with --plugin",
        path, why);
}

/* The path itself, and how many directories above it: who can write there can replace it. */
static unsigned levels_above(lh_trust trust)
{
    return trust == LH_TRUST_SEARCHED ? PATH_MAX : trust == LH_TRUST_NAMED ? 1 : 0;
}

lehr_status lh_path_check(lehr_context *ctx, const char *path, lh_trust trust)
{
    char *at = lh_strdup(ctx, path);
    lehr_status st = at ? LEHR_OK : LEHR_E_MEMORY;
    for (unsigned level = 0; st == LEHR_OK && level <= levels_above(trust); level++) {
        struct stat info;
        const char *why = stat(at, &info) != 0 ? strerror(errno) : writable_by_others(&info);
        if (level == 0 && why && stat(at, &info) != 0)
            st = lh_fail(ctx, LEHR_E_PLUGIN, "plugin path %s: %s", path, why);
        else if (why)
            st = distrust(ctx, at, why, trust);
        char *slash = strrchr(at, '/');
        if (!slash || !slash[1]) break;
        slash[slash == at ? 1 : 0] = '\0';
    }
    free(at);
    return st;
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

/* Is it one line of text that a terminal can be shown?  Control characters would move its cursor. */
static bool is_line(const char *text)
{
    size_t length = strnlen(text, TEXT_MAX + 1);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) return false;
    return length > 0 && length <= TEXT_MAX;
}

bool lh_text_valid(const char *text) { return text && is_line(text); }

static lehr_status check_version(lehr_context *ctx, const char *path, const lehr_plugin *p)
{
    if (!p)
        return fail(ctx, path, "lehr_plugin_v1() returned NULL: return the address of a static const "
                    "lehr_plugin");
    /* size and abi are the first two words in every version; nothing else is read before they fit.
     */
    unsigned major = p->abi >> 16, minor = p->abi & 0xffffu;
    if (major != LEHR_ABI_MAJOR || minor > LEHR_ABI_MINOR_LATEST)
        return lh_fail(
            ctx, LEHR_E_PLUGIN,
            "plugin %s: built for plugin ABI %u.%u, this lehr offers %d.%d; update lehr or "
            "build it with -DLEHR_ABI_MINOR=%d",
            path, major, minor, LEHR_ABI_MAJOR, LEHR_ABI_MINOR_LATEST, LEHR_ABI_MINOR_LATEST);
    if (p->size < LH_LEAST_PLUGIN)
        return lh_fail(
            ctx, LEHR_E_PLUGIN,
            "plugin %s: lehr_plugin.size is %u, at least %zu is needed: set it to sizeof", path,
            (unsigned)p->size, (size_t)LH_LEAST_PLUGIN);
    return LEHR_OK;
}

static lehr_status check_plugin(lehr_context *ctx, const char *path, const lehr_plugin *p)
{
    if (!p->id || !*p->id || !p->version || !*p->version)
        return fail(ctx, path, "id and version must be set");
    if (!is_line(p->id) || !is_line(p->version) || (p->license && !is_line(p->license)) ||
        (p->url && !is_line(p->url)))
        return fail(ctx, path, "id, version, license or url is longer than 1000 bytes or holds a "
                    "control character: write one plain line");
    if ((p->schedule_count && !p->schedules) || (p->optimizer_count && !p->optimizers) ||
        p->schedule_count > ENTRIES_MAX || p->optimizer_count > ENTRIES_MAX)
        return lh_fail(ctx, LEHR_E_PLUGIN,
                       "plugin %s: counts of schedules or optimizers do not fit their arrays: "
                       "schedule_count is %u, optimizer_count %u, and at most %d of each are loaded",
                       path, (unsigned)p->schedule_count, (unsigned)p->optimizer_count, ENTRIES_MAX);
    if (p->schedule_count + p->optimizer_count == 0)
        return fail(ctx, path, "holds no schedule and no optimizer: list one in schedules or "
                    "optimizers and set its count");
    return LEHR_OK;
}

/* The fields this host knows of what the plugin declares; the others are zero. */
static void copy_plugin(const lehr_plugin *from, lehr_plugin *to)
{
    *to = (lehr_plugin){0};
    memcpy(to, from, from->size < sizeof *to ? from->size : sizeof *to);
}

static lehr_status call_entry(lehr_context *ctx, void *handle, lh_plugin_file *out)
{
    const lehr_plugin *(*entry)(void) = NULL;
    void *symbol = dlsym(handle, "lehr_plugin_v1");
    if (!symbol) return fail(ctx, out->path, "exports no lehr_plugin_v1");
    memcpy(&entry, &symbol, sizeof entry);
    fenv_t env;
    fegetenv(&env);
    const lehr_plugin *plugin = entry(), *again = entry();
    fesetenv(&env);
    if (again != plugin)
        return fail(ctx, out->path, "lehr_plugin_v1() gives different results: return static data");
    lehr_status st = check_version(ctx, out->path, plugin);
    if (st != LEHR_OK) return st;
    copy_plugin(plugin, &out->plugin);
    return check_plugin(ctx, out->path, &out->plugin);
}

static lehr_status check_and_hash(lehr_context *ctx, lh_plugin_file *out)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    lehr_status st = read_file(ctx, out->path, &bytes, &size);
    if (st == LEHR_OK) st = lh_elf_check(ctx, out->path, bytes, size);
    if (st == LEHR_OK) lh_sha256(bytes, size, out->sha256);
    free(bytes);
    return st;
}

/* A -ffast-math object flushes denormals for the whole process, a runtime may set the locale or take
 * signals over: all is put back as it was. */
static lehr_status open_guarded(lehr_context *ctx, lh_plugin_file *out)
{
    lh_process_state *process = lh_process_save(ctx);
    lh_str changed = {0};
    fenv_t env;
    if (!process) return LEHR_E_MEMORY;
    fegetenv(&env);
    void *handle = dlopen(out->path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    fesetenv(&env);
    lehr_status st = handle ? call_entry(ctx, handle, out) : fail(ctx, out->path, dlerror());
    lh_process_restore(&process, &changed);
    if (changed.length)
        lh_log(ctx, LEHR_LOG_WARN, "plugin %s changed %s while it was loaded; it was put back: a plugin "
               "must leave that to the program", out->path, lh_str_text(&changed));
    lh_str_free(&changed);
    return st;
}

lehr_status lh_plugin_load(lehr_context *ctx, const char *path, lh_trust trust, lh_plugin_file *out)
{
    *out = (lh_plugin_file){0};
    out->path = realpath(path, NULL);
    if (!out->path) return fail(ctx, path, strerror(errno));
    lehr_status st = lh_path_check(ctx, out->path, trust);
    if (st == LEHR_OK) st = check_and_hash(ctx, out);
    if (st == LEHR_OK) st = open_guarded(ctx, out);
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
