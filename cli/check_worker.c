/* SPDX-License-Identifier: MIT
 *
 * A process of its own for checks of a plugin: started by posix_spawn of this program (drivers of
 * graphics devices do not survive a bare fork), watched, and stopped when it takes too long.  It may
 * crash or end at any point; what it found until then is in shared memory. */
#include "cli/check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/text.h"

extern char **environ;

enum { SHARED_FD = 3 };

uint32_t check_find(const char *name)
{
    const lehr_check *row = NULL;
    for (uint32_t i = 0; (row = lehr_check_row(i)) != NULL && i < CHECKS_MAX; i++)
        if (strcmp(row->name, name) == 0) return i;
    return CHECKS_MAX;
}

bool check_each_need(uint32_t i, const char **at, uint32_t *need)
{
    if (!*at) *at = lehr_check_row(i)->needs;
    while (*at && **at == ' ') ++*at;
    if (!*at || !**at) return false;
    char name[64];
    size_t length = strcspn(*at, " ");
    snprintf(name, sizeof name, "%.*s", (int)length, *at);
    *at += length;
    *need = check_find(name);
    return true;
}

/* A check that failed and that i needs, or that something needs which was skipped for it. */
static uint32_t failed_need(uint32_t i, const uint32_t *wanted, const lehr_check_result *results)
{
    const char *at = NULL;
    uint32_t k = 0;
    while (check_each_need(i, &at, &k)) {
        if (k == CHECKS_MAX || !wanted[k]) continue;
        if (results[k].verdict == LEHR_CHECK_FAIL) return k;
        uint32_t before = results[k].verdict == LEHR_CHECK_SKIP ? failed_need(k, wanted, results)
                                                                : CHECKS_MAX;
        if (before != CHECKS_MAX) return before;
    }
    return CHECKS_MAX;
}

int check_needs(uint32_t i, const uint32_t *wanted, const lehr_check_result *results,
                lehr_check_result *out)
{
    uint32_t failed = failed_need(i, wanted, results), k = 0;
    const char *at = NULL, *name = lehr_check_row(i)->name;
    while (failed == CHECKS_MAX && check_each_need(i, &at, &k)) {
        /* what does not apply to the first of a group does not apply to those behind it */
        if (k == CHECKS_MAX || !wanted[k] || results[k].verdict != LEHR_CHECK_SKIP) continue;
        if (strncmp(lehr_check_row(k)->name, name, strcspn(name, "/") + 1) != 0) continue;
        *out = results[k];
        return LEHR_CHECK_SKIP;
    }
    if (failed == CHECKS_MAX) return LEHR_CHECK_OK;
    *out = (lehr_check_result){.verdict = LEHR_CHECK_SKIP};
    snprintf(out->reason, sizeof out->reason, "%s failed", lehr_check_row(failed)->name);
    return LEHR_CHECK_SKIP;
}

/* ---- the worker ---- */

static void run_checks(check_shared *shared, lehr_checker *checker)
{
    for (uint32_t i = 0; i < CHECKS_MAX && lehr_check_row(i); i++) {
        if (!shared->wanted[i]) continue;
        lehr_check_result result = {.verdict = LEHR_CHECK_OK};
        shared->current = i;
        if (check_needs(i, shared->wanted, shared->results, &result) == LEHR_CHECK_OK &&
            lehr_checker_run(checker, i, &result) != LEHR_OK)
            result = (lehr_check_result){.verdict = LEHR_CHECK_SKIP, .reason = "no memory"};
        shared->results[i] = result;
        shared->done[i] = 1;
    }
}

/* argv: CHECK_WORKER, device, file.  Ends without leaving by main() where a check of that is not
 * wanted: a plugin's destructors would be run. */
int check_worker_main(int argc, char **argv)
{
    const struct rlimit none = {0, 0};
    lehr_context *ctx = NULL;
    lehr_checker *checker = NULL;
    if (argc != 3) return EXIT_FAILURE;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &none);
    check_shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, SHARED_FD, 0);
    close(SHARED_FD);
    if (shared == MAP_FAILED || lehr_context_create(NULL, &ctx) != LEHR_OK) return EXIT_FAILURE;
    lehr_checker_params params = {.file = argv[2], .device = argv[1], .call = shared->call,
                                  .call_size = CALL_SIZE};
    if (lehr_checker_create(ctx, &params, &checker) != LEHR_OK) return EXIT_FAILURE;
    run_checks(shared, checker);
    uint32_t last = check_find("whole/exit");
    if (last == CHECKS_MAX || !shared->wanted[last]) _exit(0);
    lehr_checker_destroy(&checker);
    lehr_context_destroy(&ctx);
    shared->current = last;
    return 0;
}

/* ---- starting one ---- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int spawn(check_worker *w, const char *file, const char *device)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t every, none;
    char *argv[] = {"lehr", CHECK_WORKER, (char *)(uintptr_t)device, (char *)(uintptr_t)file, NULL};
    sigfillset(&every);
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, w->output, 1);
    posix_spawn_file_actions_adddup2(&files, w->output, 2);
    posix_spawn_file_actions_adddup2(&files, w->memory, SHARED_FD);
    posix_spawnattr_setsigdefault(&attributes, &every);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0); /* so that its children can be stopped with it */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETPGROUP);
    int code = posix_spawn(&w->pid, "/proc/self/exe", &files, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (code != 0) w->pid = 0;
    return code;
}

/* A descriptor above the one that the worker finds it at. */
static int memory_file(const char *name)
{
    int low = memfd_create(name, MFD_CLOEXEC);
    if (low < 0 || low > SHARED_FD) return low;
    int high = fcntl(low, F_DUPFD_CLOEXEC, SHARED_FD + 1);
    close(low);
    return high;
}

bool check_worker_start(check_worker *w, const char *file, const char *device,
                        const uint32_t *wanted)
{
    *w = (check_worker){.memory = memory_file("lehr-check"), .output = memory_file("lehr-output")};
    bool ok = w->memory >= 0 && w->output >= 0 &&
              ftruncate(w->memory, (off_t)sizeof *w->shared) == 0;
    if (ok) {
        void *at = mmap(NULL, sizeof *w->shared, PROT_READ | PROT_WRITE, MAP_SHARED, w->memory, 0);
        w->shared = at == MAP_FAILED ? NULL : at;
    }
    if (w->shared) {
        memcpy(w->shared->wanted, wanted, sizeof w->shared->wanted);
        w->since = now();
        ok = spawn(w, file, device) == 0;
    }
    if (!w->shared || !ok) check_worker_end(w);
    return w->pid != 0;
}

void check_worker_end(check_worker *w)
{
    int status = 0;
    if (w->pid) {
        kill(-w->pid, SIGKILL);
        while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR) continue;
    }
    if (w->shared) munmap(w->shared, sizeof *w->shared);
    if (w->memory >= 0) close(w->memory);
    if (w->output >= 0) close(w->output);
    *w = (check_worker){.memory = -1, .output = -1};
}

/* ---- watching it ---- */

/* The last line that it printed: what abort() or a sanitizer says. */
static void add_output(const check_worker *w, char *reason, size_t size)
{
    char text[2048];
    off_t end = lseek(w->output, 0, SEEK_END);
    off_t from = end > (off_t)sizeof text - 1 ? end - ((off_t)sizeof text - 1) : 0;
    ssize_t count = end > 0 ? pread(w->output, text, sizeof text - 1, from) : 0;
    if (count <= 0) return;
    while (count > 0 && (text[count - 1] == '\n' || text[count - 1] == '\r')) count--;
    text[count] = '\0';
    const char *line = strrchr(text, '\n') ? strrchr(text, '\n') + 1 : text;
    size_t used = strlen(reason);
    if (*line && used < size) snprintf(reason + used, size - used, "; it printed '%.200s'", line);
}

static void explain(const check_worker *w, int status, char *reason, size_t size)
{
    char call[CALL_SIZE];
    snprintf(call, sizeof call, "%s", w->shared->call);
    call[sizeof call - 1] = '\0';
    if (WIFSIGNALED(status))
        snprintf(reason, size, "the process was ended by signal %d (%s); last call: %s",
                 WTERMSIG(status), strsignal(WTERMSIG(status)), call);
    else
        snprintf(reason, size, "the process was ended by exit(%d); last call: %s",
                 WEXITSTATUS(status), call);
    add_output(w, reason, size);
}

static bool all_done(const check_shared *shared)
{
    for (uint32_t i = 0; i < CHECKS_MAX; i++)
        if (shared->wanted[i] && !shared->done[i]) return false;
    return true;
}

check_end check_worker_poll(check_worker *w, double (*limit)(uint32_t check, void *user), void *user,
                            char *reason, size_t size)
{
    int status = 0;
    pid_t ended = waitpid(w->pid, &status, WNOHANG);
    if (ended == w->pid) {
        kill(-w->pid, SIGKILL); /* what it left running */
        w->pid = 0;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && all_done(w->shared))
            return CHECK_ENDED;
        explain(w, status, reason, size);
        return CHECK_LOST;
    }
    uint32_t current = w->shared->current;
    if (current != w->current) {
        w->current = current;
        w->since = now();
    }
    double seconds = limit(current, user);
    if (now() - w->since <= seconds) return CHECK_RUNNING;
    snprintf(reason, size, "still running after %.3g s; last call: %.*s", seconds, CALL_SIZE - 1,
             w->shared->call);
    add_output(w, reason, size);
    return CHECK_LOST;
}
