/* SPDX-License-Identifier: MIT
 *
 * What a plugin must leave alone in the process that loads it: floating-point environment, locale,
 * directory, signals, threads, output, environment, open files.  A watch compares before and after
 * and puts back what it can, so that one defect shows once. */
#define _GNU_SOURCE
#include "core/check/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <fenv.h>
#include <float.h>
#include <limits.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

enum { SIGNALS = 64 };

typedef struct snapshot {
    fenv_t fenv;
    char mode[80];
    char locale[256];
    locale_t thread_locale;
    char directory[PATH_MAX];
    mode_t mask;
    struct sigaction handlers[SIGNALS + 1];
    sigset_t blocked;
    uint32_t threads, children, descriptors;
    lh_str environment;
} snapshot;

struct lh_watch {
    snapshot before;
    int saved[2], file; /* where 1 and 2 went, what catches them */
};

/* Whether numbers below the smallest normal one are computed with, asked of the machine itself. */
static const char *subnormals(void)
{
    volatile double least = DBL_MIN, half = 0.5, subnormal = 4.9406564584124654e-324 * 1024, two = 2;
    volatile double product = least * half, sum = subnormal * two;
    if (product == 0) return "results below the smallest normal number become 0";
    return sum == 0 ? "subnormal numbers count as 0" : "";
}

const char *lh_float_mode(void)
{
    if (fegetround() != FE_TONEAREST) return "the rounding mode is another one";
    if (fegetexcept() != 0) return "floating-point exceptions trap";
    return subnormals();
}

static uint32_t entries_of(const char *path)
{
    uint32_t count = 0;
    DIR *directory = opendir(path);
    if (!directory) return 0;
    while (readdir(directory)) count++;
    closedir(directory);
    return count;
}

/* Child processes of this thread, where the system tells. */
static uint32_t children(void)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long)getpid());
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    size_t size = fread(text, 1, sizeof text, file);
    uint32_t count = 0;
    fclose(file);
    for (size_t i = 0; i < size; i++) count += text[i] == ' ';
    return count;
}

static void take(snapshot *s)
{
    fegetenv(&s->fenv);
    snprintf(s->mode, sizeof s->mode, "%s", lh_float_mode());
    const char *locale = setlocale(LC_ALL, NULL);
    snprintf(s->locale, sizeof s->locale, "%s", locale ? locale : "");
    s->thread_locale = uselocale((locale_t)0);
    if (!getcwd(s->directory, sizeof s->directory)) s->directory[0] = '\0';
    s->mask = umask(0);
    umask(s->mask);
    for (int i = 1; i <= SIGNALS; i++)
        if (sigaction(i, NULL, &s->handlers[i]) != 0) s->handlers[i].sa_handler = SIG_DFL;
    pthread_sigmask(SIG_BLOCK, NULL, &s->blocked);
    s->threads = entries_of("/proc/self/task");
    s->children = children();
    s->descriptors = entries_of("/proc/self/fd");
    for (char **e = environ; e && *e; e++) lh_str_printf(&s->environment, "%s\n", *e);
}

/* 1 and 2 lead into a file of memory; what the program itself still holds back is written before. */
static void catch_output(lh_watch *w)
{
    fflush(NULL);
    w->file = memfd_create("lehr-check-output", MFD_CLOEXEC);
    for (int i = 0; i < 2; i++) {
        w->saved[i] = w->file >= 0 ? fcntl(i + 1, F_DUPFD_CLOEXEC, 3) : -1;
        if (w->saved[i] >= 0) dup2(w->file, i + 1);
    }
}

static void release_output(lh_watch *w, lh_changes *out)
{
    struct stat info;
    char text[120] = "";
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        if (w->saved[i] < 0) continue;
        dup2(w->saved[i], i + 1);
        close(w->saved[i]);
    }
    if (w->file < 0) return;
    if (fstat(w->file, &info) == 0 && info.st_size > 0) {
        ssize_t size = pread(w->file, text, sizeof text - 1, 0);
        text[size > 0 ? size : 0] = '\0';
        text[strcspn(text, "\r\n")] = '\0';
        out->changed[LH_OUTPUT] = true;
        snprintf(out->text[LH_OUTPUT], sizeof out->text[0], "prints '%s'", text);
    }
    close(w->file);
}

lh_watch *lh_watch_begin(lehr_context *ctx)
{
    lh_watch *w = lh_alloc(ctx, 1, sizeof *w);
    if (!w) return NULL;
    catch_output(w);
    take(&w->before);
    return w;
}

static void differs(lh_changes *out, lh_aspect which, bool changed, const char *fmt, ...)
    LH_PRINTF(4, 5);
static void differs(lh_changes *out, lh_aspect which, bool changed, const char *fmt, ...)
{
    if (!changed || out->changed[which]) return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(out->text[which], sizeof out->text[0], fmt, args);
    va_end(args);
    out->changed[which] = true;
}

static void compare_signals(const snapshot *a, const snapshot *b, lh_changes *out)
{
    for (int i = 1; i <= SIGNALS; i++)
        differs(out, LH_SIGNALS, a->handlers[i].sa_handler != b->handlers[i].sa_handler,
                "changes what signal %d (%s) does", i, strsignal(i));
    for (int i = 1; i <= SIGNALS; i++)
        differs(out, LH_SIGNALS, sigismember(&a->blocked, i) != sigismember(&b->blocked, i),
                "changes whether signal %d (%s) is blocked", i, strsignal(i));
}

static void compare(const snapshot *a, const snapshot *b, lh_changes *out)
{
    differs(out, LH_FLOATING_POINT, strcmp(a->mode, b->mode) != 0, "%s afterwards",
            b->mode[0] ? b->mode : "the floating-point environment is another one");
    differs(out, LH_LOCALE, strcmp(a->locale, b->locale) != 0,
            "changes the locale of the process to %.100s", b->locale);
    differs(out, LH_LOCALE, a->thread_locale != b->thread_locale,
            "changes the locale of the thread");
    differs(out, LH_DIRECTORY, strcmp(a->directory, b->directory) != 0,
            "changes the working directory to %.140s", b->directory);
    differs(out, LH_DIRECTORY, a->mask != b->mask, "changes the file mode mask to %03o",
            (unsigned)b->mask);
    compare_signals(a, b, out);
    differs(out, LH_THREADS, b->threads > a->threads, "leaves %u threads running",
            (unsigned)(b->threads - a->threads));
    differs(out, LH_THREADS, b->children > a->children, "leaves %u processes running",
            (unsigned)(b->children - a->children));
    differs(out, LH_DESCRIPTORS, b->descriptors > a->descriptors, "leaves %u files open",
            (unsigned)(b->descriptors - a->descriptors));
    differs(out, LH_ENVIRONMENT,
            strcmp(lh_str_text(&a->environment), lh_str_text(&b->environment)) != 0,
            "changes the environment variables");
}

static void put_back(const snapshot *s)
{
    fesetenv(&s->fenv);
    setlocale(LC_ALL, s->locale);
    uselocale(s->thread_locale);
    if (s->directory[0] && chdir(s->directory) != 0) return;
    umask(s->mask);
    for (int i = 1; i <= SIGNALS; i++)
        if (i != SIGKILL && i != SIGSTOP) sigaction(i, &s->handlers[i], NULL);
    pthread_sigmask(SIG_SETMASK, &s->blocked, NULL);
}

void lh_watch_end(lh_watch *w, lh_changes *out)
{
    snapshot *after = calloc(1, sizeof *after);
    *out = (lh_changes){.changed = {false}};
    if (after) {
        take(after);
        compare(&w->before, after, out);
        lh_str_free(&after->environment);
    }
    free(after);
    put_back(&w->before);
    release_output(w, out);
    lh_str_free(&w->before.environment);
    free(w);
}

/* ---- the checks: what a watch saw while the file was loaded, and while everything was called ---- */

static int report(lehr_checker *c, const lh_changes *seen, lh_aspect which)
{
    static const char *const remedies[LH_ASPECTS] = {
        [LH_FLOATING_POINT] = "build and link without fast-math options; no fesetround()",
        [LH_LOCALE] = "call no setlocale(); numbers come parsed",
        [LH_DIRECTORY] = "call no chdir() or umask(); use absolute paths",
        [LH_SIGNALS] = "leave signals to the program",
        [LH_THREADS] = "start no thread or process; the host decides what runs when",
        [LH_OUTPUT] = "use host->log() or host->fail()",
        [LH_ENVIRONMENT] = "call no setenv() or putenv()",
        [LH_DESCRIPTORS] = "close what you open"};
    if (!seen->changed[which]) return LEHR_CHECK_OK;
    return lh_verdict(c, LEHR_CHECK_FAIL, remedies[which], "%s", seen->text[which]);
}

#define LOADING(name, which)                                                                       \
    int lh_check_loading_##name(lehr_checker *c)                                                   \
    {                                                                                              \
        return lh_check_load(c) ? report(c, &c->at_load, which) : LEHR_CHECK_FAIL;                 \
    }                                                                                              \
    int lh_check_running_##name(lehr_checker *c)                                                   \
    {                                                                                              \
        return lh_check_exercise(c) ? report(c, &c->at_run, which) : LEHR_CHECK_FAIL;              \
    }
LOADING(floating_point, LH_FLOATING_POINT)
LOADING(locale, LH_LOCALE)
LOADING(directory, LH_DIRECTORY)
LOADING(signals, LH_SIGNALS)
LOADING(threads, LH_THREADS)
LOADING(output, LH_OUTPUT)
LOADING(environment, LH_ENVIRONMENT)
LOADING(descriptors, LH_DESCRIPTORS)
