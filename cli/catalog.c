/* SPDX-License-Identifier: MIT
 *
 * The verbs that show what plugins offer: schedule list, optimizer list, plugin list. */
#include <string.h>

#include "cli/describe.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "cli/verbs.h"

static void print_entry(const char *name, const char *doc, const lehr_span *params,
                        const lehr_span *presets)
{
    unsigned width = terminal_width(stdout);
    printf("%s  ", name);
    print_wrapped(stdout, doc ? doc : "", 4, width);
    for (uint32_t i = 0; i < params->count; i++) {
        lehr_param p;
        span_element(params, i, &p, sizeof p);
        describe_param(&p, width);
    }
    for (uint32_t i = 0; i < presets->count; i++) {
        lehr_preset preset;
        span_element(presets, i, &preset, sizeof preset);
        printf("    %s:%s = %s(%s)\n", preset.prefix, name, name, preset.values);
    }
}

/* One line of a list: name, learning rate (NULL: no such column) and formula. */
static void print_line(const char *name, int name_width, const char *lr, const char *doc)
{
    enum { RATE = 7 };
    unsigned indent = (unsigned)name_width + 2 + (lr ? RATE + 2 : 0);
    printf("%-*s  ", name_width, name);
    if (lr) printf("%-*s  ", RATE, lr);
    print_wrapped(stdout, doc ? doc : "", indent, terminal_width(stdout));
}

static void list_schedules(const session *s)
{
    const lehr_schedule *e = NULL;
    int widest = 0;
    for (uint32_t i = 0; (e = lehr_registry_schedule(s->registry, i)); i++)
        if ((int)strlen(e->name) > widest) widest = (int)strlen(e->name);
    printf("%-*s  value (t: updates made, base: --lr)\n", widest, "name");
    for (uint32_t i = 0; (e = lehr_registry_schedule(s->registry, i)); i++)
        print_line(e->name, widest, NULL, e->doc);
    printf("\nParameters and presets: lehr schedule list NAME\n");
}

int verb_schedule_list(settings *set)
{
    session s;
    const lehr_schedule *e = NULL;
    lehr_status st = session_start(&s, set);
    if (st == LEHR_OK) st = session_registry(&s);
    if (st == LEHR_OK && set->arg_count == 0) list_schedules(&s);
    for (size_t i = 0; i < set->arg_count && st == LEHR_OK; i++) {
        st = lehr_registry_find_schedule(s.registry, set->args[i], &e);
        if (st == LEHR_OK) print_entry(e->name, e->doc, &e->params, &e->presets);
    }
    return session_end(&s, st);
}

static void print_optimizer(const lehr_optimizer *e)
{
    char lr[NUMBER_SIZE];
    print_entry(e->name, e->doc, &e->params, &e->presets);
    if (e->lr > 0.0) printf("    default lr %s\n", number_text(e->lr, lr));
}

static lehr_status print_named_optimizers(const session *s, const settings *set)
{
    lehr_status st = LEHR_OK;
    for (size_t i = 0; i < set->arg_count && st == LEHR_OK; i++) {
        const lehr_optimizer *e = NULL;
        st = lehr_registry_find_optimizer(s->registry, set->args[i], &e);
        if (st == LEHR_OK) print_optimizer(e);
    }
    return st;
}

int verb_optimizer_list(settings *set)
{
    session s;
    const lehr_optimizer *e = NULL;
    int widest = 0;
    lehr_status st = session_start(&s, set);
    if (st == LEHR_OK) st = session_registry(&s);
    if (st == LEHR_OK && set->arg_count) st = print_named_optimizers(&s, set);
    if (st != LEHR_OK || set->arg_count) return session_end(&s, st);
    for (uint32_t i = 0; (e = lehr_registry_optimizer(s.registry, i)); i++)
        if ((int)strlen(e->name) > widest) widest = (int)strlen(e->name);
    printf("%-*s  %-7s  update (g: gradient, w: weight)\n", widest, "name", "lr");
    for (uint32_t i = 0; (e = lehr_registry_optimizer(s.registry, i)); i++) {
        char lr[NUMBER_SIZE];
        print_line(e->name, widest, e->lr > 0.0 ? number_text(e->lr, lr) : "-", e->doc);
    }
    printf("\nParameters and presets: lehr optimizer list NAME\n");
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
    lehr_plugin_info part = *p;
    printf("%-28s  %-8s", p->id, p->version);
    part.optimizer_count = 0;
    plugin_names(s, &part, schedule, optimizer, "  schedule ", ", ", false);
    part = *p;
    part.schedule_count = 0;
    plugin_names(s, &part, schedule, optimizer, "  optimizer ", ", ", false);
    putchar('\n');
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
    if (!json && count) printf("\nFile, SHA-256, parameters: lehr plugin info NAME\n");
    return session_end(&s, st);
}
