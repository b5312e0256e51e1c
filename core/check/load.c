/* SPDX-License-Identifier: MIT
 *
 * Loading the file under a watch, its entry, checked copies of its descriptors; and the checks of
 * entry and structures. */
#define _GNU_SOURCE
#include "core/check/check.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4 };

typedef const lehr_plugin *entry_fn(void);

static void open_file(lehr_checker *c)
{
    entry_fn *entry = NULL;
    char *path = realpath(c->file, NULL);
    lh_note(c, "dlopen() (constructors of the file)");
    void *handle = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) : NULL;
    const char *error = handle ? NULL : dlerror();
    free(path);
    void *symbol = handle ? dlsym(handle, "lehr_plugin_v1") : NULL;
    if (!symbol) {
        snprintf(c->load_error, sizeof c->load_error, "%s",
                 error ? error : "lehr_plugin_v1 is not exported");
        return;
    }
    memcpy(&entry, &symbol, sizeof entry);
    lh_note(c, "lehr_plugin_v1()");
    c->plugin = entry();
}

bool lh_check_load(lehr_checker *c)
{
    if (!c->load_tried) {
        lh_watch *watch = lh_watch_begin(c->ctx);
        open_file(c);
        if (watch) lh_watch_end(watch, &c->at_load);
    }
    c->load_tried = true;
    if (!c->load_error[0]) return true;
    lh_verdict(c, LEHR_CHECK_FAIL, "link with -Wl,--no-undefined to see what is missing", "%s",
               c->load_error);
    return false;
}

int lh_check_loading_opens(lehr_checker *c)
{
    return lh_check_load(c) ? LEHR_CHECK_OK : LEHR_CHECK_FAIL;
}

/* ---- the entry ---- */

static entry_fn *entry_of(lehr_checker *c)
{
    entry_fn *entry = NULL;
    char *path = realpath(c->file, NULL);
    void *handle = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) : NULL;
    void *symbol = handle ? dlsym(handle, "lehr_plugin_v1") : NULL;
    free(path);
    memcpy(&entry, &symbol, sizeof entry);
    return entry;
}

int lh_check_entry_same(lehr_checker *c)
{
    if (!lh_check_load(c)) return LEHR_CHECK_FAIL;
    entry_fn *entry = entry_of(c);
    if (!entry || !c->plugin)
        return lh_verdict(c, LEHR_CHECK_FAIL, "return static data", "lehr_plugin_v1() gives NULL");
    lehr_plugin first;
    size_t size = c->plugin->size < sizeof first ? c->plugin->size : sizeof first;
    memcpy(&first, c->plugin, size);
    for (int i = 0; i < 3; i++) {
        lh_note(c, "lehr_plugin_v1(), call %d", i + 2);
        if (entry() != c->plugin)
            return lh_verdict(c, LEHR_CHECK_FAIL, "return a pointer to static data",
                              "lehr_plugin_v1() gives another pointer at call %d", i + 2);
        if (memcmp(&first, c->plugin, size) != 0)
            return lh_verdict(c, LEHR_CHECK_FAIL, "make the structure static and const",
                              "lehr_plugin_v1() changes its structure at call %d", i + 2);
    }
    return LEHR_CHECK_OK;
}

typedef struct caller {
    pthread_t thread;
    entry_fn *entry;
    const lehr_plugin *want;
    bool started, same;
} caller;

static void *call_often(void *user)
{
    caller *one = user;
    one->same = true;
    for (int i = 0; i < 1000; i++) one->same = one->same && one->entry() == one->want;
    return NULL;
}

int lh_check_entry_threads(lehr_checker *c)
{
    caller callers[THREADS];
    bool same = true;
    if (!lh_check_load(c)) return LEHR_CHECK_FAIL;
    lh_note(c, "lehr_plugin_v1() from four threads");
    for (int i = 0; i < THREADS; i++) {
        callers[i] = (caller){.entry = entry_of(c), .want = c->plugin};
        callers[i].started = pthread_create(&callers[i].thread, NULL, call_often, &callers[i]) == 0;
    }
    for (int i = 0; i < THREADS; i++) {
        if (callers[i].started) pthread_join(callers[i].thread, NULL);
        same = same && (!callers[i].started || callers[i].same);
    }
    if (same) return LEHR_CHECK_OK;
    return lh_verdict(c, LEHR_CHECK_FAIL, "return a pointer to static data",
                      "lehr_plugin_v1() gives different pointers in different threads");
}

int lh_check_entry_accepted(lehr_checker *c)
{
    lh_plugin_file file;
    if (!lh_check_load(c)) return LEHR_CHECK_FAIL;
    lh_note(c, "lehr_plugin_v1()");
    lh_enter(c->inner);
    if (lh_plugin_load(c->inner, c->file, LH_TRUST_NAMED, &file) != LEHR_OK)
        return lh_verdict(c, LEHR_CHECK_FAIL,
                          "use LEHR_SCHEDULE_PLUGIN or LEHR_OPTIMIZER_PLUGIN, or set the fields as "
                          "they do",
                          "%s", lehr_context_message(c->inner));
    lh_plugin_file_free(&file);
    return LEHR_CHECK_OK;
}

/* ---- structures ---- */

/* What a struct of another size than this version's must mean. */
static int size_verdict(lehr_checker *c, const char *what, const char *name, size_t size,
                        size_t want)
{
    bool newest = (c->plugin->abi & 0xffffu) == LEHR_ABI_MINOR_LATEST;
    if (size >= want && (size == want || !newest)) return LEHR_CHECK_OK;
    return lh_verdict(c, size < want ? LEHR_CHECK_FAIL : LEHR_CHECK_WARN,
                      "set size to sizeof of the structure",
                      "size of %s %s is %zu; ABI %d.%u has %zu", what, name, size, LEHR_ABI_MAJOR,
                      (unsigned)(c->plugin->abi & 0xffffu), want);
}

int lh_check_structs_sizes(lehr_checker *c)
{
    if (!lh_check_load(c)) return LEHR_CHECK_FAIL;
    const lehr_plugin *p = c->plugin;
    int verdict = size_verdict(c, "plugin", p->id, p->size, sizeof *p);
    for (uint32_t i = 0; i < p->schedule_count && verdict == LEHR_CHECK_OK; i++)
        verdict = !p->schedules[i]
                      ? lh_verdict(c, LEHR_CHECK_FAIL, "leave no gaps", "schedule %u is NULL", i)
                      : size_verdict(c, "schedule", p->schedules[i]->name, p->schedules[i]->size,
                                     sizeof(lehr_schedule));
    for (uint32_t i = 0; i < p->optimizer_count && verdict == LEHR_CHECK_OK; i++)
        verdict = !p->optimizers[i]
                      ? lh_verdict(c, LEHR_CHECK_FAIL, "leave no gaps", "optimizer %u is NULL", i)
                      : size_verdict(c, "optimizer", p->optimizers[i]->name, p->optimizers[i]->size,
                                     sizeof(lehr_optimizer));
    return verdict;
}

/* In 1.0 there is nothing that asks for more than minor 0. */
int lh_check_structs_abi(lehr_checker *c)
{
    if (!lh_check_load(c)) return LEHR_CHECK_FAIL;
    unsigned minor = c->plugin->abi & 0xffffu;
    if (minor == 0) return LEHR_CHECK_OK;
    return lh_verdict(c, LEHR_CHECK_WARN,
                      "leave LEHR_ABI_MINOR out unless you use what came later",
                      "asks for ABI %d.%u, so that older versions of lehr refuse it",
                      LEHR_ABI_MAJOR, minor);
}

static int ask(lehr_checker *c, const char *what, const char *name,
               const void *(*ext)(const char *id))
{
    static const char *const ids[] = {"org.example.nothing/1", "lehr.nothing/999", "lehr.custom/999",
                                      "", "lehr"};
    for (size_t i = 0; i < LH_COUNT(ids) && ext; i++) {
        lh_note(c, "ext(\"%s\") of %s %s", ids[i], what, name);
        if (ext(ids[i]))
            return lh_verdict(c, LEHR_CHECK_FAIL, "compare the whole id with strcmp()",
                              "ext() of %s %s answers \"%s\", which it cannot know", what, name,
                              ids[i]);
    }
    return LEHR_CHECK_OK;
}

int lh_check_structs_extensions(lehr_checker *c)
{
    if (!lh_check_load(c)) return LEHR_CHECK_FAIL;
    const lehr_plugin *p = c->plugin;
    int verdict = ask(c, "plugin", p->id, p->ext);
    for (uint32_t i = 0; i < p->schedule_count && verdict == LEHR_CHECK_OK; i++)
        verdict = ask(c, "schedule", p->schedules[i]->name, p->schedules[i]->ext);
    for (uint32_t i = 0; i < p->optimizer_count && verdict == LEHR_CHECK_OK; i++)
        verdict = ask(c, "optimizer", p->optimizers[i]->name, p->optimizers[i]->ext);
    return verdict;
}

/* ---- copies ---- */

static lehr_status copy_all(lehr_checker *c)
{
    const lehr_plugin *p = c->plugin;
    c->schedules = lh_alloc(c->inner, p->schedule_count, sizeof *c->schedules);
    c->optimizers = lh_alloc(c->inner, p->optimizer_count, sizeof *c->optimizers);
    lehr_status st = c->schedules && c->optimizers ? LEHR_OK : LEHR_E_MEMORY;
    for (uint32_t i = 0; i < p->schedule_count && st == LEHR_OK; i++) {
        st = lh_schedule_copy(c->inner, c->file, p->schedules[i], &c->schedules[i]);
        if (st == LEHR_OK) c->schedule_count++;
    }
    for (uint32_t i = 0; i < p->optimizer_count && st == LEHR_OK; i++) {
        st = lh_optimizer_copy(c->inner, c->file, p->optimizers[i], &c->optimizers[i]);
        if (st == LEHR_OK) c->optimizer_count++;
    }
    return st;
}

bool lh_check_copy(lehr_checker *c)
{
    if (!lh_check_load(c)) return false;
    if (!c->copy_tried) {
        lh_enter(c->inner);
        lh_note(c, "none: its tables are read");
        if (copy_all(c) != LEHR_OK)
            snprintf(c->copy_error, sizeof c->copy_error, "%s", lehr_context_message(c->inner));
    }
    c->copy_tried = true;
    if (!c->copy_error[0]) return true;
    lh_verdict(c, LEHR_CHECK_FAIL, "correct that row; docs/plugin-abi.md describes the tables", "%s",
               c->copy_error);
    return false;
}
