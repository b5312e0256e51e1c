/* SPDX-License-Identifier: MIT
 *
 * The verbs eval, time and report. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/run.h"
#include "cli/text.h"
#include "cli/verbs.h"

static void print_eval(const settings *set, const lehr_eval_result *r)
{
    char loss[NUMBER_SIZE], accuracy[NUMBER_SIZE], count[NUMBER_SIZE], seconds[NUMBER_SIZE];
    const char *part = option_text(set, OPT_PART);
    if (option_flag(set, OPT_JSON)) {
        fputs("{\"part\": ", stdout);
        json_text(stdout, part);
        fputs(", \"loss\": ", stdout);
        json_number(stdout, r->loss);
        fputs(", \"accuracy\": ", stdout);
        json_number(stdout, r->accuracy);
        printf(", \"count\": %llu, \"seconds\": ", (unsigned long long)r->count);
        json_number(stdout, r->seconds);
        puts("}");
        return;
    }
    printf("%s  loss %s  accuracy %s%%  (%s images, %s s)\n", part, fixed_text(r->loss, 4, loss),
           fixed_text(100.0 * r->accuracy, 2, accuracy), count_text(r->count, count),
           fixed_text(r->seconds, 1, seconds));
}

int verb_eval(settings *set)
{
    session s;
    lehr_eval_result result = {0};
    if (!run_needs_data(set)) return EXIT_USAGE;
    if (!option_text(set, OPT_WEIGHTS)) {
        usage_error(set->verb, "--weights is missing; type: --weights FILE.safetensors, or --weights RUNDIR");
        return EXIT_USAGE;
    }
    if (access(option_text(set, OPT_WEIGHTS), R_OK) != 0) {
        usage_error(set->verb, "--weights %s cannot be read (%s)", option_text(set, OPT_WEIGHTS),
                    strerror(errno));
        return lehr_status_exit_code(LEHR_E_CHECKPOINT);
    }
    lehr_status st = session_start(&s, set);
    if (st == LEHR_OK && option_text(set, OPT_MODEL)) st = session_model(&s);
    if (st == LEHR_OK) st = session_device(&s);
    if (st == LEHR_OK) st = session_data(&s);
    if (st == LEHR_OK)
        st = lehr_evaluate(s.device, s.model, s.data, option_text(set, OPT_WEIGHTS),
                           strcmp(option_text(set, OPT_PART), "test") == 0,
                           (uint32_t)option_uint(set, OPT_BATCH), option_text(set, OPT_NORMALIZE),
                           &result);
    if (st == LEHR_OK) print_eval(set, &result);
    return session_end(&s, st);
}

/* ---- time ---- */

/* This object is a contract with other programs: no key is added or renamed. */
static void time_json(const session *s, const char *model, const lehr_time_result *r)
{
    fputs("{\"model\": ", stdout);
    json_text(stdout, model);
    printf(", \"batch\": %llu, \"device\": ", (unsigned long long)option_uint(s->set, OPT_BATCH));
    json_text(stdout, lehr_device_get_info(s->device)->name);
    fputs(", \"step_ms\": ", stdout);
    json_number(stdout, r->step_ms);
    fputs(", \"images_per_second\": ", stdout);
    json_number(stdout, r->images_per_second);
    fputs(", \"layers\": [", stdout);
    for (uint32_t i = 0; i < r->layer_count; i++) {
        const lehr_layer_time *l = &r->layers[i];
        fputs(i ? ", {\"name\": " : "{\"name\": ", stdout);
        json_text(stdout, l->name);
        fputs(", \"op\": ", stdout);
        json_text(stdout, l->op);
        fputs(", \"forward_ms\": ", stdout);
        json_number(stdout, l->forward_ms);
        fputs(", \"backward_ms\": ", stdout);
        json_number(stdout, l->backward_ms);
        fputs(", \"gflops\": ", stdout);
        json_number(stdout, l->gflops);
        fputs("}", stdout);
    }
    puts("]}");
}

static void time_table(const session *s, const char *model, const lehr_time_result *r)
{
    char a[NUMBER_SIZE], b[NUMBER_SIZE], c[NUMBER_SIZE];
    double forward = 0.0, backward = 0.0;
    printf("%s, batch %llu, on %s\n\n", model, (unsigned long long)option_uint(s->set, OPT_BATCH),
           lehr_device_get_info(s->device)->name);
    printf("%-16s  %-14s  %10s  %11s  %8s\n", "layer", "op", "forward ms", "backward ms", "GFLOP/s");
    for (uint32_t i = 0; i < r->layer_count; i++) {
        const lehr_layer_time *l = &r->layers[i];
        printf("%-16s  %-14s  %10s  %11s  %8s", l->name, l->op, fixed_text(l->forward_ms, 3, a),
               fixed_text(l->backward_ms, 3, b), fixed_text(l->gflops, 1, c));
        if (l->in) printf("  %s %s", l->backward_ms > 0.0 ? "forward in" : "in", l->in);
        putchar('\n');
        forward += l->forward_ms;
        backward += l->backward_ms;
    }
    printf("%-16s  %-14s  %10s  %11s\n\n", "sum", "", fixed_text(forward, 3, a),
           fixed_text(backward, 3, b));
    printf("step        %s ms (median)\nimages/s    %s\n", fixed_text(r->step_ms, 2, a),
           fixed_text(r->images_per_second, 1, b));
    if (r->launches) printf("launches    %llu a step\n", (unsigned long long)r->launches);
    run_print_memory(&r->memory);
}

int verb_time(settings *set)
{
    session s;
    lehr_model_info info;
    lehr_time_result result = {0};
    lehr_status st = session_start(&s, set);
    if (st == LEHR_OK) st = session_registry(&s);
    if (st == LEHR_OK) st = session_model(&s);
    if (st == LEHR_OK) st = session_device(&s);
    if (st == LEHR_OK)
        st = lehr_time(s.device, s.registry, s.model, (uint32_t)option_uint(set, OPT_BATCH),
                       (uint32_t)option_uint(set, OPT_STEPS), &result);
    if (st == LEHR_OK) {
        lehr_model_get_info(s.model, &info);
        if (option_flag(set, OPT_JSON))
            time_json(&s, info.name, &result);
        else
            time_table(&s, info.name, &result);
    }
    lehr_time_free(&result);
    return session_end(&s, st);
}

/* ---- report ---- */

int verb_report(settings *set)
{
    session s;
    char study[4096];
    const char *directory = set->args[0];
    snprintf(study, sizeof study, "%s/study.json", directory);
    lehr_status st = session_start(&s, set);
    if (st == LEHR_OK)
        st = access(study, F_OK) == 0 ? lehr_report_study(s.ctx, directory)
                                      : lehr_report_run(s.ctx, directory);
    if (st == LEHR_OK) printf("%s/report.html\n", directory);
    return session_end(&s, st);
}
