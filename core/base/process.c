/* SPDX-License-Identifier: MIT
 *
 * The parts of a process that code loaded into it must leave alone: locale, working directory, signal
 * handlers.  Looked at before, compared and put back after. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/base.h"

struct lh_process_state {
    char *locale;
    int directory; /* -1: the working directory has no name or may not be opened */
    struct sigaction handlers[NSIG];
    bool has[NSIG]; /* numbers that the C library keeps to itself have none */
};

lh_process_state *lh_process_save(lehr_context *ctx)
{
    lh_process_state *s = lh_alloc(ctx, 1, sizeof *s);
    const char *locale = setlocale(LC_ALL, NULL);
    if (!s) return NULL;
    s->locale = lh_strdup(ctx, locale ? locale : "C");
    s->directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (int i = 1; i < NSIG; i++) s->has[i] = sigaction(i, NULL, &s->handlers[i]) == 0;
    if (s->locale) return s;
    if (s->directory >= 0) close(s->directory);
    free(s);
    return NULL;
}

static void add(lh_str *changed, const char *what)
{
    lh_str_printf(changed, "%s%s", changed->length ? ", " : "", what);
}

static void restore_locale(const lh_process_state *s, lh_str *changed)
{
    const char *now = setlocale(LC_ALL, NULL);
    if (now && strcmp(now, s->locale) == 0) return;
    add(changed, "the locale");
    setlocale(LC_ALL, s->locale);
}

static void restore_directory(const lh_process_state *s, lh_str *changed)
{
    struct stat before, now;
    if (s->directory < 0 || fstat(s->directory, &before) != 0) return;
    if (stat(".", &now) == 0 && now.st_dev == before.st_dev && now.st_ino == before.st_ino) return;
    add(changed, fchdir(s->directory) == 0 ? "the working directory"
                                           : "the working directory (which cannot be put back)");
}

static void restore_handlers(const lh_process_state *s, lh_str *changed)
{
    for (int i = 1; i < NSIG; i++) {
        struct sigaction now;
        if (!s->has[i] || sigaction(i, NULL, &now) != 0) continue;
        if (now.sa_sigaction == s->handlers[i].sa_sigaction &&
            now.sa_handler == s->handlers[i].sa_handler)
            continue;
        sigaction(i, &s->handlers[i], NULL);
        lh_str_printf(changed, "%sthe handler of signal %d", changed->length ? ", " : "", i);
    }
}

void lh_process_restore(lh_process_state **state, lh_str *changed)
{
    lh_process_state *s = *state;
    if (!s) return;
    restore_locale(s, changed);
    restore_directory(s, changed);
    restore_handlers(s, changed);
    if (s->directory >= 0) close(s->directory);
    free(s->locale);
    free(s);
    *state = NULL;
}
