/* SPDX-License-Identifier: MIT
 *
 * The registry: which plugins are loaded, and finding a schedule or an optimizer by name. Built-ins
 * are files of a directory like any other; only their directory is loaded at once.  Other names are
 * looked for as lehr-NAME.so on the search path when they are asked for. */
#define _GNU_SOURCE
#include "core/plugin/host.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct lehr_registry {
    lehr_context *ctx;
    bool no_plugins;
    lh_plugin_file *files;
    lehr_schedule **schedules;
    lehr_optimizer **optimizers;
    uint32_t file_count, schedule_count, optimizer_count;
};

static void *grow(lehr_context *ctx, void *array, uint32_t count, size_t element)
{
    void *more = realloc(array, ((size_t)count + 1) * element);
    if (!more) lh_fail(ctx, LEHR_E_MEMORY, "out of memory while loading plugins");
    return more;
}

static const lehr_schedule *known_schedule(const lehr_registry *r, const char *name)
{
    for (uint32_t i = 0; i < r->schedule_count; i++)
        if (strcmp(r->schedules[i]->name, name) == 0) return r->schedules[i];
    return NULL;
}

static const lehr_optimizer *known_optimizer(const lehr_registry *r, const char *name)
{
    for (uint32_t i = 0; i < r->optimizer_count; i++)
        if (strcmp(r->optimizers[i]->name, name) == 0) return r->optimizers[i];
    return NULL;
}

static lehr_status taken(lehr_context *ctx, const char *path, const char *kind, const char *name)
{
    return lh_fail(ctx, LEHR_E_PLUGIN,
                   "plugin %s: %s '%s' exists already and cannot be replaced: rename it", path,
                   kind, name);
}

static lehr_status add_schedules(lehr_registry *r, lehr_context *ctx, const lh_plugin_file *file)
{
    for (uint32_t i = 0; i < file->plugin.schedule_count; i++) {
        lehr_schedule *d = NULL;
        lehr_status st = lh_schedule_copy(ctx, file->path, file->plugin.schedules[i], &d);
        if (st != LEHR_OK) return st;
        void *more = grow(ctx, r->schedules, r->schedule_count, sizeof d);
        if (more) r->schedules = more;
        if (more && !known_schedule(r, d->name)) {
            r->schedules[r->schedule_count++] = d;
            continue;
        }
        st = more ? taken(ctx, file->path, "schedule", d->name) : LEHR_E_MEMORY;
        lh_schedule_free(&d);
        return st;
    }
    return LEHR_OK;
}

static lehr_status add_optimizers(lehr_registry *r, lehr_context *ctx, const lh_plugin_file *file)
{
    for (uint32_t i = 0; i < file->plugin.optimizer_count; i++) {
        lehr_optimizer *d = NULL;
        lehr_status st = lh_optimizer_copy(ctx, file->path, file->plugin.optimizers[i], &d);
        if (st != LEHR_OK) return st;
        void *more = grow(ctx, r->optimizers, r->optimizer_count, sizeof d);
        if (more) r->optimizers = more;
        if (more && !known_optimizer(r, d->name)) {
            r->optimizers[r->optimizer_count++] = d;
            continue;
        }
        st = more ? taken(ctx, file->path, "optimizer", d->name) : LEHR_E_MEMORY;
        lh_optimizer_free(&d);
        return st;
    }
    return LEHR_OK;
}

static bool loaded(const lehr_registry *r, const char *path)
{
    for (uint32_t i = 0; i < r->file_count; i++)
        if (strcmp(r->files[i].path, path) == 0) return true;
    return false;
}

/* run.json and messages tell plugins apart by their id. */
static lehr_status id_free(const lehr_registry *r, lehr_context *ctx, const lh_plugin_file *file)
{
    for (uint32_t i = 0; i < r->file_count; i++)
        if (strcmp(r->files[i].plugin.id, file->plugin.id) == 0)
            return lh_fail(ctx, LEHR_E_PLUGIN, "plugin %s: its id '%s' is that of %s already: give it "
                           "one of its own", file->path, file->plugin.id, r->files[i].path);
    return LEHR_OK;
}

/* All of a file's descriptors become known, or none. */
static lehr_status add_file(lehr_registry *r, lehr_context *ctx, const char *path, lh_trust trust)
{
    lh_plugin_file file;
    lehr_status st = lh_plugin_load(ctx, path, trust, &file);
    if (st != LEHR_OK) return st;
    file.built_in = trust == LH_TRUST_INSTALLED;
    if (loaded(r, file.path)) {
        lh_plugin_file_free(&file);
        return LEHR_OK;
    }
    st = id_free(r, ctx, &file);
    uint32_t schedules = r->schedule_count, optimizers = r->optimizer_count;
    void *more = grow(ctx, r->files, r->file_count, sizeof file);
    if (!more) st = LEHR_E_MEMORY;
    if (more) r->files = more;
    if (st == LEHR_OK) st = add_schedules(r, ctx, &file);
    if (st == LEHR_OK) st = add_optimizers(r, ctx, &file);
    if (st == LEHR_OK) {
        file.schedule_count = file.plugin.schedule_count;
        file.optimizer_count = file.plugin.optimizer_count;
        r->files[r->file_count++] = file;
        lh_log(ctx, LEHR_LOG_DEBUG, "plugin %s %s: %s, SHA-256 %s", file.plugin.id,
               file.plugin.version, file.path, file.sha256);
        return LEHR_OK;
    }
    while (r->schedule_count > schedules) lh_schedule_free(&r->schedules[--r->schedule_count]);
    while (r->optimizer_count > optimizers) lh_optimizer_free(&r->optimizers[--r->optimizer_count]);
    lh_plugin_file_free(&file);
    return st;
}

/* ---- the built-in directory ---- */

static int plugin_entry(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 8 && strncmp(entry->d_name, "lehr-", 5) == 0 &&
           strcmp(entry->d_name + length - 3, ".so") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static lehr_status add_directory(lehr_registry *r, const char *directory)
{
    struct dirent **entries = NULL;
    lehr_status st = lh_path_check(r->ctx, directory, LH_TRUST_INSTALLED);
    if (st != LEHR_OK) return st;
    int count = scandir(directory, &entries, plugin_entry, by_bytes);
    if (count <= 0)
        st = lh_fail(r->ctx, LEHR_E_PLUGIN,
                     "plugin directory %s: %s; install lehr or set LEHR_PLUGIN_DIR", directory,
                     count < 0 ? strerror(errno) : "holds no lehr-*.so");
    for (int i = 0; i < count; i++) {
        lh_str path = {0};
        lh_str_printf(&path, "%s/%s", directory, entries[i]->d_name);
        if (st == LEHR_OK) st = add_file(r, r->ctx, lh_str_text(&path), LH_TRUST_INSTALLED);
        lh_str_free(&path);
        free(entries[i]);
    }
    free(entries);
    return st;
}

lehr_status lehr_registry_create(lehr_context *ctx, const lehr_registry_params *params,
                                 lehr_registry **out)
{
    static const lehr_registry_params none = {0};
    lh_enter(ctx);
    *out = NULL;
    if (!params) params = &none;
    if (params->no_plugins && params->file_count)
        return lh_fail(ctx, LEHR_E_USAGE,
                       "plugin %s is named while plugins are turned off: leave out --no-plugins, or "
                       "the file", params->files[0]);
    lehr_registry *r = lh_alloc(ctx, 1, sizeof *r);
    if (!r) return LEHR_E_MEMORY;
    r->ctx = ctx;
    r->no_plugins = params->no_plugins != 0;
    char *directory =
        params->directory ? lh_strdup(ctx, params->directory) : lh_plugin_directory(ctx);
    lehr_status st = directory ? add_directory(r, directory) : LEHR_E_MEMORY;
    free(directory);
    for (uint32_t i = 0; i < params->file_count && st == LEHR_OK; i++)
        st = add_file(r, ctx, params->files[i], LH_TRUST_NAMED);
    if (st != LEHR_OK) lehr_registry_destroy(&r);
    *out = r;
    return st;
}

void lehr_registry_destroy(lehr_registry **registry)
{
    if (!registry || !*registry) return;
    lehr_registry *r = *registry;
    for (uint32_t i = 0; i < r->schedule_count; i++) lh_schedule_free(&r->schedules[i]);
    for (uint32_t i = 0; i < r->optimizer_count; i++) lh_optimizer_free(&r->optimizers[i]);
    for (uint32_t i = 0; i < r->file_count; i++) lh_plugin_file_free(&r->files[i]);
    free(r->schedules);
    free(r->optimizers);
    free(r->files);
    free(r);
    *registry = NULL;
}

uint32_t lehr_registry_plugin_count(const lehr_registry *registry) { return registry->file_count; }

void lehr_registry_plugin(const lehr_registry *registry, uint32_t i, lehr_plugin_info *out)
{
    const lh_plugin_file *file = &registry->files[i];
    *out = (lehr_plugin_info){.id = file->plugin.id,
                              .version = file->plugin.version,
                              .path = file->path,
                              .sha256 = file->sha256,
                              .schedule_count = file->schedule_count,
                              .optimizer_count = file->optimizer_count,
                              .license = file->plugin.license,
                              .url = file->plugin.url,
                              .abi = file->plugin.abi,
                              .built_in = file->built_in};
}

const lehr_schedule *lehr_registry_schedule(const lehr_registry *registry, uint32_t i)
{
    return i < registry->schedule_count ? registry->schedules[i] : NULL;
}

const lehr_optimizer *lehr_registry_optimizer(const lehr_registry *registry, uint32_t i)
{
    return i < registry->optimizer_count ? registry->optimizers[i] : NULL;
}

/* ---- finding by name ---- */

/* Absolute directories only: never the working directory. */
static lehr_status search_in(lehr_registry *r, lehr_context *ctx, const char *directory,
                             const char *name, bool *found)
{
    lh_str path = {0};
    lh_str_printf(&path, "%s/lehr-%s.so", directory, name);
    char *real = directory[0] == '/' ? realpath(lh_str_text(&path), NULL) : NULL;
    lehr_status st = LEHR_OK;
    *found = real != NULL;
    if (real) st = lh_path_check(ctx, directory, LH_TRUST_SEARCHED); /* a link there may be replaced */
    if (real && st == LEHR_OK) st = add_file(r, ctx, real, LH_TRUST_SEARCHED);
    if (real && st == LEHR_OK && !known_schedule(r, name) && !known_optimizer(r, name))
        st = lh_fail(ctx, LEHR_E_PLUGIN, "plugin %s: holds no schedule and no optimizer '%s', which its "
                     "file name promises: rename the file, or load it with --plugin", real, name);
    free(real);
    lh_str_free(&path);
    return st;
}

static void search_path(lh_str *out)
{
    const char *path = lh_getenv("LEHR_PLUGIN_PATH"), *data = lh_getenv("XDG_DATA_HOME"),
               *home = lh_getenv("HOME");
    if (path) lh_str_printf(out, "%s:", path);
    if (data)
        lh_str_printf(out, "%s/lehr/plugins", data);
    else if (home)
        lh_str_printf(out, "%s/.local/share/lehr/plugins", home);
}

static lehr_status search(lehr_registry *r, lehr_context *ctx, const char *name)
{
    if (r->no_plugins || !lh_name_valid(name)) return LEHR_OK;
    lh_str path = {0};
    search_path(&path);
    lehr_status st = LEHR_OK;
    bool found = false;
    char *rest = path.text;
    for (char *directory; st == LEHR_OK && !found && (directory = strsep(&rest, ":")) != NULL;)
        st = search_in(r, ctx, directory, name, &found);
    lh_str_free(&path);
    return st;
}

static lehr_status unknown(lehr_context *ctx, const char *kind, const char *name,
                           const char *const *names, size_t count)
{
    lh_str text = {0};
    lh_str_printf(&text, "unknown %s '%s'", kind, name);
    lh_str_suggest(&text, name, names, count);
    lehr_status st = lh_fail(ctx, LEHR_E_USAGE, "%s", lh_str_text(&text));
    lh_str_free(&text);
    return st;
}

lehr_status lh_registry_schedule(lehr_registry *r, lehr_context *ctx, const char *name,
                                 const lehr_schedule **out)
{
    *out = known_schedule(r, name);
    if (*out) return LEHR_OK;
    lehr_status st = search(r, ctx, name);
    if (st != LEHR_OK) return st;
    *out = known_schedule(r, name);
    if (*out) return LEHR_OK;
    const char **names = lh_alloc(ctx, r->schedule_count, sizeof *names);
    if (!names) return LEHR_E_MEMORY;
    for (uint32_t i = 0; i < r->schedule_count; i++) names[i] = r->schedules[i]->name;
    st = unknown(ctx, "schedule", name, names, r->schedule_count);
    free(names);
    return st;
}

lehr_status lh_registry_optimizer(lehr_registry *r, lehr_context *ctx, const char *name,
                                  const lehr_optimizer **out)
{
    *out = known_optimizer(r, name);
    if (*out) return LEHR_OK;
    lehr_status st = search(r, ctx, name);
    if (st != LEHR_OK) return st;
    *out = known_optimizer(r, name);
    if (*out) return LEHR_OK;
    const char **names = lh_alloc(ctx, r->optimizer_count, sizeof *names);
    if (!names) return LEHR_E_MEMORY;
    for (uint32_t i = 0; i < r->optimizer_count; i++) names[i] = r->optimizers[i]->name;
    st = unknown(ctx, "optimizer", name, names, r->optimizer_count);
    free(names);
    return st;
}

lehr_status lehr_registry_find_schedule(lehr_registry *registry, const char *name,
                                        const lehr_schedule **out)
{
    lh_enter(registry->ctx);
    return lh_registry_schedule(registry, registry->ctx, name, out);
}

lehr_status lehr_registry_find_optimizer(lehr_registry *registry, const char *name,
                                         const lehr_optimizer **out)
{
    lh_enter(registry->ctx);
    return lh_registry_optimizer(registry, registry->ctx, name, out);
}

lehr_status lehr_registry_name_free(lehr_registry *registry, uint32_t optimizer, const char *name)
{
    lehr_context *ctx = registry->ctx;
    lh_enter(ctx);
    if (!lh_name_valid(name))
        return lh_fail(ctx, LEHR_E_USAGE, "'%s' is no name for a plugin: at most 31 of a-z, 0-9 and _, "
                       "beginning with a letter", name);
    if (!optimizer && lh_schedule_word(name))
        return lh_fail(ctx, LEHR_E_USAGE, "'%s' is a word of the schedule language: choose another name",
                       name);
    if (optimizer ? known_optimizer(registry, name) != NULL : known_schedule(registry, name) != NULL)
        return lh_fail(ctx, LEHR_E_USAGE, "%s '%s' exists already: choose another name",
                       optimizer ? "optimizer" : "schedule", name);
    return LEHR_OK;
}
