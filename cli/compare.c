/* SPDX-License-Identifier: MIT
 *
 * The verb compare: methods from --preset and --method, progress over all runs, the summary table. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/progress.h"
#include "cli/run.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "cli/verbs.h"

typedef struct comparison {
    session s;
    progress p;
    lehr_method *preset;
    uint32_t preset_count;
    lehr_method *methods; /* the preset's, then those of --method */
    uint32_t count;
    char **copies; /* of --method's texts, cut into pieces, and room to join some of them */
    size_t copy_count;
    const char *directory;
} comparison;

/* ---- 'name: optimizer=SPEC; schedule=SPEC; lr=X' ---- */

static char *trim(char *text)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length && strchr(" \t", text[length - 1])) text[--length] = '\0';
    return text;
}

/* A second schedule or group is one more: "cosine(); momentum: linear(end=0.85)".  Shorter than the
 * method's text, where each has its "schedule=" as well. */
static const char *join(char *room, const char *value)
{
    if (*room) strcat(room, "; ");
    return strcat(room, value);
}

static bool take_part(const settings *set, lehr_method *method, char *part, char *schedule_room,
                      char *group_room)
{
    char *equals = strchr(part, '=');
    if (!equals)
        return usage_error(set->verb, "--method '%s': '%s' is not NAME=VALUE; write optimizer=SPEC; "
                           "schedule=SPEC; lr=X", method->name, part);
    *equals = '\0';
    const char *key = trim(part), *value = trim(equals + 1);
    if (!*value)
        return usage_error(set->verb, "--method '%s': %s has no value", method->name, key);
    if (strcmp(key, "optimizer") == 0) {
        method->optimizer = value;
    } else if (strcmp(key, "schedule") == 0) {
        method->schedule = join(schedule_room, value);
    } else if (strcmp(key, "group") == 0) {
        method->group = join(group_room, value);
    } else if (strcmp(key, "lr") == 0) {
        if (!parse_real(value, &method->lr) || !(method->lr > 0.0))
            return usage_error(set->verb, "--method '%s': lr '%s' is not a number above 0",
                               method->name, value);
    } else {
        return usage_error(set->verb, "--method '%s': unknown part '%s'; known: optimizer, schedule, lr, "
                           "group",
                           method->name, key);
    }
    return true;
}

/* The end of a part: a ';' outside of quotes. */
static char *part_end(char *at)
{
    char quote = '\0';
    for (; *at && (quote || *at != ';'); at++) {
        if (quote && *at == quote)
            quote = '\0';
        else if (!quote && (*at == '"' || *at == '\''))
            quote = *at;
    }
    return at;
}

/* text: as given, with twice as much room behind it. */
static bool parse_method(const settings *set, char *text, size_t length, lehr_method *method)
{
    char *schedule_room = text + length + 1, *group_room = schedule_room + length + 1;
    char *colon = strchr(text, ':'), *equals = strchr(text, '=');
    *method = (lehr_method){.optimizer = "sgd", .lr = NAN};
    if (!colon || (equals && equals < colon))
        return usage_error(set->verb, "--method '%s' has no name; write 'NAME: optimizer=SPEC; "
                           "schedule=SPEC; lr=X'", text);
    *colon = '\0';
    method->name = trim(text);
    if (!*method->name || strchr(method->name, '/') || method->name[0] == '.')
        return usage_error(set->verb, "--method: '%s' cannot be a method's name: it names a directory",
                           method->name);
    for (char *part = colon + 1, *end = part; end; part = end + 1) {
        end = part_end(part);
        bool last = *end == '\0';
        *end = '\0';
        part = trim(part);
        if (*part && !take_part(set, method, part, schedule_room, group_room))
            return false;
        if (last) break;
    }
    if (!method->schedule) method->schedule = "constant()";
    return true;
}

static bool names_differ(const settings *set, const comparison *c)
{
    for (uint32_t i = 0; i < c->count; i++)
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(c->methods[i].name, c->methods[j].name) == 0)
                return usage_error(set->verb, "two methods are named '%s'; give each its own name",
                                   c->methods[i].name);
    return true;
}

static bool collect_methods(const settings *set, comparison *c)
{
    const option_value *given = &set->values[OPT_METHOD];
    c->methods = calloc(c->preset_count + given->item_count + 1, sizeof *c->methods);
    c->copies = calloc(given->item_count + 1, sizeof *c->copies);
    if (!c->methods || !c->copies) return usage_error(set->verb, "out of memory");
    for (uint32_t i = 0; i < c->preset_count; i++) c->methods[c->count++] = c->preset[i];
    for (size_t i = 0; i < given->item_count; i++) {
        size_t length = strlen(given->items[i]);
        char *copy = calloc(length + 1, 3);
        if (!copy) return usage_error(set->verb, "out of memory");
        memcpy(copy, given->items[i], length);
        c->copies[c->copy_count++] = copy;
        if (!parse_method(set, copy, length, &c->methods[c->count])) return false;
        c->count++;
    }
    return names_differ(set, c);
}

static void comparison_free(comparison *c)
{
    lehr_preset_free(&c->preset, c->preset_count);
    for (size_t i = 0; i < c->copy_count; i++) free(c->copies[i]);
    free(c->copies);
    free(c->methods);
}

/* ---- while it runs ---- */

static void on_run(void *user, const lehr_method *method, uint64_t seed, uint32_t run, uint32_t runs)
{
    comparison *c = user;
    progress_reset(&c->p);
    if (c->p.kind == PROGRESS_JSON) {
        fputs("{\"kind\": \"run\", \"method\": ", stdout);
        json_text(stdout, method->name);
        printf(", \"seed\": %llu, \"run\": %u, \"runs\": %u}\n", (unsigned long long)seed, run, runs);
    } else if (progress_wants_text(&c->p, c->s.set)) {
        printf("[%u/%u] %s, seed %llu\n", run, runs, method->name, (unsigned long long)seed);
    }
    fflush(stdout);
}

static int on_event(void *user, const lehr_event *event)
{
    comparison *c = user;
    progress_event(&c->p, event);
    return signals_take_snapshot() ? LEHR_CHECKPOINT : LEHR_CONTINUE;
}

static void print_settings(const comparison *c)
{
    const settings *set = c->s.set;
    char lr[NUMBER_SIZE];
    run_print_device(&c->s);
    run_print_plugins(&c->s);
    run_print_data(&c->s);
    run_print_model(&c->s);
    run_print_common(set);
    for (uint32_t i = 0; i < c->count; i++) {
        const lehr_method *m = &c->methods[i];
        printf("%-12s%s: %s, %s, lr %s%s%s\n", i ? "" : "methods", m->name, m->optimizer, m->schedule,
               isnan(m->lr) ? "the optimizer's default" : number_text(m->lr, lr),
               m->group ? ", group " : "", m->group ? m->group : "");
    }
    printf("runs        %u methods x %llu seeds, %llu epochs, into %s\n\n", c->count,
           (unsigned long long)option_uint(set, OPT_SEEDS),
           (unsigned long long)option_uint(set, OPT_EPOCHS), c->directory);
    fflush(stdout);
}

static lehr_status compare(comparison *c)
{
    session *s = &c->s;
    lehr_compare_params params;
    char *command = settings_command(s->set);
    lehr_compare_params_init(&params);
    run_params(&params.train, s->set);
    params.methods = c->methods;
    params.method_count = c->count;
    params.seeds = (uint32_t)option_uint(s->set, OPT_SEEDS);
    params.out = c->directory;
    params.target = option_real(s->set, OPT_TARGET);
    params.command = command;
    params.on_run = on_run;
    params.user = c;
    params.train.on_event = on_event;
    params.train.user = c;
    progress_start(&c->p, s->set);
    if (progress_wants_text(&c->p, s->set)) print_settings(c);
    signals_install();
    lehr_status st = session_tune(s, progress_wants_text(&c->p, s->set));
    if (st == LEHR_OK)
        st = lehr_compare(s->device, s->registry, s->model, s->data, &params);
    progress_clear(&c->p);
    free(command);
    return st;
}

/* Table and chart of what is finished. */
static lehr_status print_study(const comparison *c)
{
    enum { CHART_LINES = 16, CHART_WIDTH = 100 };
    char *table = NULL, *chart = NULL;
    unsigned width = terminal_width(stdout);
    uint32_t utf8 = terminal_utf8();
    lehr_status st = lehr_study_table(c->s.ctx, c->directory, utf8, &table);
    if (st == LEHR_OK)
        st = lehr_study_chart(c->s.ctx, c->directory, width < CHART_WIDTH ? width : CHART_WIDTH,
                              CHART_LINES, utf8, terminal_colour(stdout), &chart);
    if (st == LEHR_OK)
        printf("\n%s\n%s\nsummary     %s/summary.csv\nreport      %s/report.html\n", table, chart,
               c->directory, c->directory);
    free(table);
    free(chart);
    return st;
}

static lehr_status open_objects(comparison *c)
{
    session *s = &c->s;
    const char *preset = option_text(s->set, OPT_PRESET);
    lehr_status st = LEHR_OK;
    if (preset)
        st = lehr_preset_create(s->ctx, preset, option_uint(s->set, OPT_EPOCHS), &c->preset,
                                &c->preset_count);
    if (st == LEHR_OK) st = session_registry(s);
    if (st == LEHR_OK) st = session_model(s);
    return st;
}

int verb_compare(settings *set)
{
    comparison c = {0};
    char buffer[256];
    if (!run_needs_data(set)) return EXIT_USAGE;
    if (!option_text(set, OPT_PRESET) && set->values[OPT_METHOD].item_count == 0) {
        usage_error(set->verb, "no methods; type: --preset tutorial, or --method 'NAME: optimizer=SPEC; "
                    "schedule=SPEC; lr=X' for each method");
        return EXIT_USAGE;
    }
    lehr_status st = session_start(&c.s, set);
    if (st == LEHR_OK) st = open_objects(&c);
    bool good = st != LEHR_OK || collect_methods(set, &c);
    if (st == LEHR_OK && good) st = session_device(&c.s);
    if (st == LEHR_OK && good) st = session_data(&c.s);
    c.directory = option_text(set, OPT_OUT);
    if (st == LEHR_OK && good && !c.directory) {
        good = run_free_directory(set, "compare", buffer, sizeof buffer);
        c.directory = buffer;
    }
    if (st == LEHR_OK && good) {
        st = compare(&c);
        bool text = progress_wants_text(&c.p, set);
        if (st == LEHR_OK && text) st = print_study(&c);
        if (st == LEHR_E_INTERRUPTED && text)
            printf("\ncontinue    the same command with --out %s\n", c.directory);
    }
    comparison_free(&c);
    int code = session_end(&c.s, st);
    if (st == LEHR_E_INTERRUPTED) return signals_exit_code(code);
    return good ? code : EXIT_USAGE;
}
