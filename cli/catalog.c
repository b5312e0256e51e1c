/* SPDX-License-Identifier: MIT
 *
 * The verbs that show what plugins offer: schedule list, optimizer list, plugin list. */
#include <string.h>

#include "cli/session.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "cli/verbs.h"

enum { PARAM_COLUMN = 19 };

/* ---- schedules and optimizers ---- */

/* Element i of a span whose elements may be shorter than this program's. */
static void span_element(const lehr_span *span, uint32_t i, void *out, size_t size)
{
    size_t given = span->stride < size ? span->stride : size;
    memset(out, 0, size);
    memcpy(out, (const char *)span->at + (size_t)i * span->stride, given);
}

/* ", 0 to 1", ", above 0", nothing without bounds. */
static void add_bounds(char *out, size_t size, const lehr_param *p)
{
    char low[NUMBER_SIZE], high[NUMBER_SIZE];
    bool open_min = p->flags & LEHR_P_OPEN_MIN, open_max = p->flags & LEHR_P_OPEN_MAX;
    bool has_min = p->min > -LEHR_ANY, has_max = p->max < LEHR_ANY;
    size_t end = strlen(out);
    const char *min = number_text(p->min, low), *max = number_text(p->max, high);
    if (p->kind != LEHR_REAL && p->kind != LEHR_INT) return;
    if (has_min && has_max)
        snprintf(out + end, size - end, ", %s%s to %s%s", open_min ? "above " : "", min,
                 open_max ? "below " : "", max);
    else if (has_min)
        snprintf(out + end, size - end, ", %s%s%s", open_min ? "above " : "", min,
                 open_min ? "" : " or more");
    else if (has_max)
        snprintf(out + end, size - end, ", %s%s", open_max ? "below " : "at most ", max);
}

/* "; default 0.9" or "; must be given". */
static void add_default(char *out, size_t size, const lehr_param *p)
{
    char number[NUMBER_SIZE];
    size_t end = strlen(out), choice = p->def >= 0 ? (size_t)p->def : 0;
    const char *text = p->text ? p->text : number_text(p->def, number);
    for (size_t i = 0; p->kind == LEHR_CHOICE && p->choices && p->choices[i]; i++)
        if (i == choice) text = p->choices[i];
    bool none = p->flags & LEHR_P_REQUIRED || (p->kind == LEHR_DURATION && !p->text);
    snprintf(out + end, size - end, none ? "; must be given" : "; default %s", text);
}

static void print_param(const lehr_param *p, unsigned width)
{
    static const char *const kinds[] = {"number",   "whole number", "0 or 1",
                                        "one of",   "duration",     "number, or % of the base"};
    char text[1024];
    const char *kind = p->kind < sizeof kinds / sizeof *kinds ? kinds[p->kind] : "number";
    snprintf(text, sizeof text, "%s (%s%s", p->doc ? p->doc : "",
             p->flags & LEHR_P_LIST ? "list of: " : "", kind);
    for (size_t i = 0; p->kind == LEHR_CHOICE && p->choices && p->choices[i]; i++) {
        size_t end = strlen(text);
        snprintf(text + end, sizeof text - end, "%s %s", i ? "," : "", p->choices[i]);
    }
    add_bounds(text, sizeof text, p);
    add_default(text, sizeof text, p);
    printf("    %-14s ", p->name);
    size_t end = strlen(text);
    snprintf(text + end, sizeof text - end, ")");
    print_wrapped(stdout, text, PARAM_COLUMN, width);
}

static void print_entry(const char *name, const char *doc, const lehr_span *params,
                        const lehr_span *presets)
{
    unsigned width = terminal_width(stdout);
    printf("%s  ", name);
    print_wrapped(stdout, doc ? doc : "", 4, width);
    for (uint32_t i = 0; i < params->count; i++) {
        lehr_param p;
        span_element(params, i, &p, sizeof p);
        print_param(&p, width);
    }
    for (uint32_t i = 0; i < presets->count; i++) {
        lehr_preset preset;
        span_element(presets, i, &preset, sizeof preset);
        printf("    %s:%s = %s(%s)\n", preset.prefix, name, name, preset.values);
    }
}

int verb_schedule_list(settings *set)
{
    session s;
    const lehr_schedule *e = NULL;
    lehr_status st = session_start(&s, set);
    if (st == LEHR_OK) st = session_registry(&s);
    for (uint32_t i = 0; st == LEHR_OK && (e = lehr_registry_schedule(s.registry, i)); i++)
        print_entry(e->name, e->doc, &e->params, &e->presets);
    return session_end(&s, st);
}

int verb_optimizer_list(settings *set)
{
    session s;
    char lr[NUMBER_SIZE];
    const lehr_optimizer *e = NULL;
    lehr_status st = session_start(&s, set);
    if (st == LEHR_OK) st = session_registry(&s);
    for (uint32_t i = 0; st == LEHR_OK && (e = lehr_registry_optimizer(s.registry, i)); i++) {
        print_entry(e->name, e->doc, &e->params, &e->presets);
        if (e->lr > 0.0) printf("    default lr %s\n", number_text(e->lr, lr));
    }
    return session_end(&s, st);
}

/* ---- plugins ---- */

/* The registry's entries are in the plugins' order: those of one plugin are a run of them. */
static void plugin_names(const session *s, const lehr_plugin_info *p, uint32_t schedule,
                         uint32_t optimizer, const char *before, const char *between, bool quoted)
{
    for (uint32_t i = 0; i < p->schedule_count + p->optimizer_count; i++) {
        const char *name = i < p->schedule_count
                               ? lehr_registry_schedule(s->registry, schedule + i)->name
                               : lehr_registry_optimizer(s->registry,
                                                         optimizer + i - p->schedule_count)->name;
        fputs(i ? between : before, stdout);
        if (quoted)
            json_text(stdout, name);
        else
            fputs(name, stdout);
    }
}

static void plugin_json(const session *s, const lehr_plugin_info *p, uint32_t schedule,
                        uint32_t optimizer)
{
    lehr_plugin_info part = *p;
    fputs("{\"id\": ", stdout);
    json_text(stdout, p->id);
    fputs(", \"version\": ", stdout);
    json_text(stdout, p->version);
    fputs(", \"path\": ", stdout);
    json_text(stdout, p->path);
    fputs(", \"sha256\": ", stdout);
    json_text(stdout, p->sha256);
    fputs(", \"schedules\": [", stdout);
    part.optimizer_count = 0;
    plugin_names(s, &part, schedule, optimizer, "", ", ", true);
    fputs("], \"optimizers\": [", stdout);
    part = *p;
    part.schedule_count = 0;
    plugin_names(s, &part, schedule, optimizer, "", ", ", true);
    fputs("]}", stdout);
}

static void plugin_text(const session *s, const lehr_plugin_info *p, uint32_t schedule,
                        uint32_t optimizer)
{
    printf("%s  %s\n", p->id, p->version);
    fputs(p->schedule_count ? "    schedule   " : "    optimizer  ", stdout);
    plugin_names(s, p, schedule, optimizer, "", ", ", false);
    printf("\n    file       %s\n    sha256     %s\n", p->path, p->sha256);
}

int verb_plugin_list(settings *set)
{
    session s;
    uint32_t schedule = 0, optimizer = 0;
    bool json = option_flag(set, OPT_JSON);
    lehr_status st = session_start(&s, set);
    if (st == LEHR_OK) st = session_registry(&s);
    uint32_t count = st == LEHR_OK ? lehr_registry_plugin_count(s.registry) : 0;
    for (uint32_t i = 0; i < count; i++) {
        lehr_plugin_info info;
        lehr_registry_plugin(s.registry, i, &info);
        if (json) fputs(i ? ",\n " : "[", stdout);
        if (json)
            plugin_json(&s, &info, schedule, optimizer);
        else
            plugin_text(&s, &info, schedule, optimizer);
        schedule += info.schedule_count;
        optimizer += info.optimizer_count;
    }
    if (json && st == LEHR_OK) puts(count ? "]" : "[]");
    return session_end(&s, st);
}
