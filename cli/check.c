/* SPDX-License-Identifier: MIT
 *
 * The verb plugin check: each check of lehr/check.h in a process of its own, several at a time; what
 * needs an earlier check waits for it.  --quick runs all of them in one process first, and only when
 * something is wrong there each in its own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/check.h"
#include "cli/session.h"
#include "cli/text.h"
#include "cli/verbs.h"

enum { EXIT_PLUGIN = 9, SLOTS_MAX = 4, NAP_NS = 2000000, DEVICE_FACTOR = 6 };
enum { WAITING, RUNNING, DONE };

static const char *const words[] = {"ok", "warn", "FAIL", "skip"};
static const char debug_remedy[] =
    "build it with -g -fsanitize=address,undefined, or make that call in a debugger";

typedef struct report {
    const char *file, *device;
    double timeout;
    uint32_t count;
    uint32_t wanted[CHECKS_MAX];
    int state[CHECKS_MAX];
    lehr_check_result results[CHECKS_MAX];
} report;

static double limit_of(uint32_t check, void *user)
{
    const report *r = user;
    const lehr_check *row = lehr_check_row(check);
    return r->timeout * (row && row->device ? DEVICE_FACTOR : 1);
}

static void lost(report *r, uint32_t check, const char *reason)
{
    lehr_check_result *out = &r->results[check];
    *out = (lehr_check_result){.verdict = LEHR_CHECK_FAIL};
    snprintf(out->reason, sizeof out->reason, "%s", reason);
    snprintf(out->remedy, sizeof out->remedy, "%s", debug_remedy);
    r->state[check] = DONE;
}

static void nap(void)
{
    const struct timespec time = {0, NAP_NS};
    nanosleep(&time, NULL);
}

/* ---- each check in its own process ---- */

typedef struct slot {
    check_worker worker;
    uint32_t check;
} slot;

static bool waits(const report *r, uint32_t i)
{
    const char *at = NULL;
    uint32_t k = 0;
    while (check_each_need(i, &at, &k))
        if (k < CHECKS_MAX && r->wanted[k] && r->state[k] != DONE) return true;
    return false;
}

/* Starts the first check that can be started; true when one was, or was decided without a process. */
static bool start_next(report *r, slot *s)
{
    for (uint32_t i = 0; i < r->count; i++) {
        if (r->state[i] != WAITING) continue;
        if (waits(r, i)) continue;
        if (check_needs(i, r->wanted, r->results, &r->results[i]) != LEHR_CHECK_OK) {
            r->state[i] = DONE;
            return true;
        }
        uint32_t one[CHECKS_MAX] = {0};
        one[i] = 1;
        s->check = i;
        r->state[i] = RUNNING;
        if (!check_worker_start(&s->worker, r->file, r->device, one))
            lost(r, i, "no process could be started");
        return true;
    }
    return false;
}

static void finish(report *r, slot *s)
{
    char reason[sizeof r->results->reason];
    check_end end = check_worker_poll(&s->worker, limit_of, r, reason, sizeof reason);
    if (end == CHECK_RUNNING) return;
    if (end == CHECK_ENDED) {
        r->results[s->check] = s->worker.shared->results[s->check];
        r->state[s->check] = DONE;
    } else {
        lost(r, s->check, reason);
    }
    check_worker_end(&s->worker);
}

static bool all_done(const report *r)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (r->state[i] != DONE) return false;
    return true;
}

static void run_apart(report *r)
{
    slot slots[SLOTS_MAX];
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    int count = processors < 1 ? 1 : processors > SLOTS_MAX ? SLOTS_MAX : (int)processors;
    for (int i = 0; i < count; i++) slots[i] = (slot){.worker = {.memory = -1, .output = -1}};
    for (uint32_t i = 0; i < r->count; i++) r->state[i] = r->wanted[i] ? WAITING : DONE;
    while (!all_done(r)) {
        for (int i = 0; i < count; i++) {
            while (!slots[i].worker.pid && start_next(r, &slots[i])) continue;
            if (slots[i].worker.pid) finish(r, &slots[i]);
        }
        nap();
    }
}

/* ---- all in one ---- */

/* True when everything that was wanted is ok or skipped. */
static bool run_together(report *r)
{
    char reason[sizeof r->results->reason];
    check_worker worker;
    check_end end = CHECK_RUNNING;
    if (!check_worker_start(&worker, r->file, r->device, r->wanted)) return false;
    while ((end = check_worker_poll(&worker, limit_of, r, reason, sizeof reason)) == CHECK_RUNNING)
        nap();
    bool good = end == CHECK_ENDED;
    for (uint32_t i = 0; i < r->count && good; i++) {
        r->results[i] = worker.shared->results[i];
        if (r->results[i].verdict == LEHR_CHECK_FAIL || r->results[i].verdict == LEHR_CHECK_WARN)
            good = false;
    }
    check_worker_end(&worker);
    return good;
}

/* ---- printing ---- */

static uint32_t tally(const report *r, int verdict)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < r->count; i++)
        count += r->wanted[i] && r->results[i].verdict == verdict;
    return count;
}

/* How many checks of one group, from i on, are skipped for the same reason. */
static uint32_t same_skips(const report *r, uint32_t i)
{
    const char *name = lehr_check_row(i)->name;
    size_t group = strcspn(name, "/") + 1;
    uint32_t end = i;
    while (end < r->count && r->wanted[end] && r->results[end].verdict == LEHR_CHECK_SKIP &&
           strncmp(lehr_check_row(end)->name, name, group) == 0 &&
           strcmp(r->results[end].reason, r->results[i].reason) == 0)
        end++;
    return end - i;
}

static void print_text(const report *r)
{
    printf("%s\n", r->file);
    for (uint32_t i = 0; i < r->count; i++) {
        const lehr_check *row = lehr_check_row(i);
        const lehr_check_result *result = &r->results[i];
        if (!r->wanted[i]) continue;
        bool bad = result->verdict == LEHR_CHECK_FAIL || result->verdict == LEHR_CHECK_WARN;
        uint32_t skips = same_skips(r, i);
        char name[64];
        snprintf(name, sizeof name, "%s", row->name);
        if (skips > 1)
            snprintf(name, sizeof name, "%.*s/* (%u)", (int)strcspn(row->name, "/"), row->name,
                     skips);
        printf("  %-4s  %-24s ", words[result->verdict & 3], name);
        if (skips > 1) i += skips - 1;
        print_wrapped(stdout, skips ? result->reason : row->text, 33, 110);
        if (!bad) continue;
        printf("        ");
        print_wrapped(stdout, result->reason, 8, 110);
        if (!result->remedy[0]) continue;
        printf("        to do: ");
        print_wrapped(stdout, result->remedy, 15, 110);
    }
    printf("%u ok, %u warnings, %u failed, %u skipped\n", tally(r, LEHR_CHECK_OK),
           tally(r, LEHR_CHECK_WARN), tally(r, LEHR_CHECK_FAIL), tally(r, LEHR_CHECK_SKIP));
}

static void json_member(const char *name, const char *text)
{
    printf(", \"%s\": ", name);
    json_text(stdout, text);
}

static void print_json(const report *r)
{
    const char *comma = "";
    fputs("{\"file\": ", stdout);
    json_text(stdout, r->file);
    printf(", \"ok\": %u, \"warn\": %u, \"fail\": %u, \"skip\": %u, \"checks\": [",
           tally(r, LEHR_CHECK_OK), tally(r, LEHR_CHECK_WARN), tally(r, LEHR_CHECK_FAIL),
           tally(r, LEHR_CHECK_SKIP));
    for (uint32_t i = 0; i < r->count; i++) {
        const lehr_check_result *result = &r->results[i];
        if (!r->wanted[i]) continue;
        printf("%s\n {\"name\": ", comma);
        comma = ",";
        json_text(stdout, lehr_check_row(i)->name);
        json_member("verdict", words[result->verdict & 3]);
        json_member("text", lehr_check_row(i)->text);
        if (result->reason[0]) json_member("reason", result->reason);
        if (result->remedy[0]) json_member("remedy", result->remedy);
        fputs("}", stdout);
    }
    puts("]}");
}

static int list_checks(bool json)
{
    const lehr_check *row = NULL;
    for (uint32_t i = 0; (row = lehr_check_row(i)) != NULL; i++) {
        if (!json) {
            printf("%-24s %s\n", row->name, row->text);
            continue;
        }
        fputs(i ? ",\n {\"name\": " : "[{\"name\": ", stdout);
        json_text(stdout, row->name);
        json_member("text", row->text);
        json_member("needs", row->needs ? row->needs : "");
        printf(", \"device\": %s}", row->device ? "true" : "false");
    }
    if (json) puts("]");
    return 0;
}

/* ---- the verb ---- */

/* "schedules/pure" itself, or "schedules" for the group. */
static bool matches(const char *name, const char *wish)
{
    size_t length = strlen(wish);
    if (length && wish[length - 1] == '/') length--;
    return strncmp(name, wish, length) == 0 && (name[length] == '\0' || name[length] == '/');
}

static bool select_checks(const settings *set, report *r)
{
    static const char *const groups[] = {"binary",     "loading", "entry",  "structs", "tables", "schedules",
                                         "optimizers", "running", "device", "whole"};
    const option_value *only = &set->values[OPT_ONLY];
    const char *names[CHECKS_MAX];
    for (r->count = 0; r->count < CHECKS_MAX && lehr_check_row(r->count); r->count++)
        names[r->count] = lehr_check_row(r->count)->name;
    for (uint32_t i = 0; i < r->count && only->item_count == 0; i++) r->wanted[i] = 1;
    for (size_t k = 0; k < only->item_count; k++) {
        uint32_t found = 0;
        for (uint32_t i = 0; i < r->count; i++)
            if (matches(names[i], only->items[k])) found = r->wanted[i] = 1;
        if (found) continue;
        const char *near = nearest_word(only->items[k], groups, sizeof groups / sizeof *groups);
        if (!near) near = nearest_word(only->items[k], names, r->count);
        return usage_error(set->verb, "--only %s: there is no such check or group%s%s; "
                                      "lehr plugin check --list shows all",
                           only->items[k], near ? "; did you mean " : "", near ? near : "");
    }
    return true;
}

static int check_file(const settings *set, const char *file)
{
    report *r = calloc(1, sizeof *r);
    if (!r) return EXIT_FAILURE;
    *r = (report){.file = file, .device = option_text(set, OPT_DEVICE),
                  .timeout = option_real(set, OPT_TIMEOUT)};
    int code = EXIT_USAGE;
    if (select_checks(set, r)) {
        if (!option_flag(set, OPT_QUICK) || !run_together(r)) run_apart(r);
        code = tally(r, LEHR_CHECK_FAIL) ? EXIT_PLUGIN : 0;
        if (option_flag(set, OPT_JSON))
            print_json(r);
        else
            print_text(r);
    }
    free(r);
    fflush(stdout);
    return code;
}

/* A device that the user named must exist; without one the checks that need it are skipped. */
static int check_device(settings *set)
{
    session s;
    if (!option_given(set, OPT_DEVICE)) return 0;
    lehr_status st = session_start(&s, set);
    if (st == LEHR_OK) st = session_device(&s);
    return session_end(&s, st);
}

int verb_plugin_check(settings *set)
{
    int code = 0;
    if (option_flag(set, OPT_LIST)) return list_checks(option_flag(set, OPT_JSON));
    if (set->arg_count == 0) {
        usage_error(set->verb, "name the file of a plugin, or give --list");
        return EXIT_USAGE;
    }
    code = check_device(set);
    if (code != 0) return code;
    for (size_t i = 0; i < set->arg_count; i++) {
        if (access(set->args[i], R_OK) != 0) {
            fprintf(stderr, "lehr plugin check: %s: %s\n", set->args[i], strerror(errno));
            code = EXIT_PLUGIN;
            continue;
        }
        int one = check_file(set, set->args[i]);
        if (one == EXIT_USAGE) return one;
        if (one != 0) code = one;
    }
    return code;
}
