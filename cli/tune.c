/* SPDX-License-Identifier: MIT
 *
 * The verb tune: measuring kernels, or telling which are used and why. */
#include <math.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <lehr/tune.h>

#include "cli/session.h"
#include "cli/text.h"
#include "cli/verbs.h"

typedef struct report {
    const settings *set;
    uint32_t told; /* problems */
} report;

static void problem_json(const report *r, const lehr_tune_problem *p)
{
    fputs(r->told ? ",\n {\"layer\": " : "\n {\"layer\": ", stdout);
    json_text(stdout, p->layer);
    fputs(", \"op\": ", stdout);
    json_text(stdout, p->op);
    fputs(", \"problem\": ", stdout);
    json_text(stdout, p->problem);
    fputs(", \"variants\": [", stdout);
    for (uint32_t i = 0; i < p->candidate_count; i++) {
        const lehr_tune_candidate *c = &p->candidates[i];
        fputs(i ? ",\n  {\"variant\": " : "\n  {\"variant\": ", stdout);
        json_text(stdout, c->variant);
        fputs(", \"parameters\": ", stdout);
        json_text(stdout, c->parameters);
        fputs(", \"outcome\": ", stdout);
        json_text(stdout, c->outcome);
        fputs(", \"reason\": ", stdout);
        json_text(stdout, c->reason);
        fputs(", \"ms\": ", stdout);
        json_number(stdout, c->ms);
        fputs(", \"gflops\": ", stdout);
        json_number(stdout, c->gflops);
        fputs("}", stdout);
    }
    fputs("]}", stdout);
}

static void problem_text(const report *r, const lehr_tune_problem *p)
{
    char ms[NUMBER_SIZE], gflops[NUMBER_SIZE], name[160];
    bool explain = option_flag(r->set, OPT_EXPLAIN);
    printf("%s%s: %s [%s]\n", r->told ? "\n" : "", p->layer, p->op, p->problem);
    for (uint32_t i = 0; i < p->candidate_count; i++) {
        const lehr_tune_candidate *c = &p->candidates[i];
        if (!explain && strcmp(c->outcome, "excluded") == 0) continue;
        snprintf(name, sizeof name, "%s%s%s", c->variant, *c->parameters ? ":" : "", c->parameters);
        printf("  %-22s %-10s", name, c->outcome);
        if (!isnan(c->ms))
            printf(" %10s ms %8s GFLOP/s", fixed_text(c->ms, 3, ms), fixed_text(c->gflops, 1, gflops));
        printf("%s%s\n", *c->reason ? " " : "", c->reason);
    }
    fflush(stdout);
}

static int on_problem(void *user, const lehr_tune_problem *problem)
{
    report *r = user;
    if (option_flag(r->set, OPT_JSON))
        problem_json(r, problem);
    else
        problem_text(r, problem);
    r->told++;
    return 0;
}

static void print_end(const settings *set, const lehr_tune_result *r)
{
    char seconds[NUMBER_SIZE];
    bool store = !option_flag(set, OPT_EXPLAIN) && !option_flag(set, OPT_DRY_RUN);
    if (option_flag(set, OPT_JSON)) {
        printf("],\n \"problems\": %u, \"measured\": %u, \"changed\": %u, \"wrong\": %u, \"seconds\": ",
               r->problems, r->measured, r->changed, r->wrong);
        json_number(stdout, r->seconds);
        fputs(", \"stored\": ", stdout);
        json_text(stdout, store ? r->path : "");
        puts("}");
        return;
    }
    if (option_flag(set, OPT_EXPLAIN)) return;
    printf("\n%u of %u problems with a choice measured in %s s, %u with another kernel than the default, "
           "%u kernels wrong\n", r->measured, r->problems, fixed_text(r->seconds, 1, seconds), r->changed,
           r->wrong);
    if (r->measured < r->problems) puts("the rest had no time: give a larger --seconds, or --op");
    if (store && r->measured) printf("stored in %s\n", *r->path ? r->path : "nothing: LEHR_CACHE=off");
}

/* Standard input has ended: who started this needs it no longer.  Others have a terminal or a file there,
 * which do not hang up. */
static int input_ended(void *user)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = 0};
    (void)user;
    return poll(&input, 1, 0) > 0 && input.revents & (POLLHUP | POLLERR);
}

static lehr_status compile(const session *s)
{
    uint32_t count = 0;
    lehr_status st = lehr_compile(s->device, s->model, (uint32_t)option_uint(s->set, OPT_BATCH),
                                  input_ended, NULL, &count);
    if (st == LEHR_OK && option_flag(s->set, OPT_JSON))
        printf("{\"compiled\": %u}\n", count);
    else if (st == LEHR_OK)
        printf("compiled the kernels of %u problems\n", count);
    return st;
}

static void print_line(void *user, const char *text)
{
    (void)user;
    puts(text);
}

int verb_tune(settings *set)
{
    session s;
    lehr_tune_params params;
    lehr_tune_result result;
    report r = {.set = set};
    lehr_status st = session_start(&s, set);
    if (st == LEHR_OK) st = session_model(&s);
    if (st == LEHR_OK) st = session_device(&s);
    if (st == LEHR_OK && option_flag(set, OPT_EXPORT))
        return session_end(&s, lehr_tune_export(s.device, print_line, NULL));
    if (st == LEHR_OK && option_flag(set, OPT_COMPILE)) return session_end(&s, compile(&s));
    if (st == LEHR_OK) {
        lehr_tune_params_init(&params);
        params.batch = (uint32_t)option_uint(set, OPT_BATCH);
        params.seconds = option_real(set, OPT_SECONDS);
        params.op = option_text(set, OPT_OP);
        params.explain = option_flag(set, OPT_EXPLAIN);
        params.dry_run = option_flag(set, OPT_DRY_RUN);
        params.on_problem = on_problem;
        params.user = &r;
        if (option_flag(set, OPT_JSON)) {
            fputs("{\"device\": ", stdout);
            json_text(stdout, lehr_device_get_info(s.device)->name);
            fputs(", \"choices\": [", stdout);
        }
        st = lehr_tune(s.device, s.model, &params, &result);
        print_end(set, &result);
    }
    return session_end(&s, st);
}
