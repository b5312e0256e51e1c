/* SPDX-License-Identifier: MIT
 *
 * The verbs that look into one plugin: plugin info and plugin source. */
#include <stdlib.h>
#include <string.h>

#include "cli/describe.h"
#include "cli/run.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "cli/verbs.h"

enum { COLUMN = 19 };

/* ---- what is shown ---- */

/* A plugin, where its entries begin in the registry, and which of them to show. */
typedef struct subject {
    const session *s;
    lehr_plugin_info info;
    uint32_t schedule, optimizer;
    const char *name; /* NULL: all */
} subject;

/* Entry i of the plugin, NULL when it is not asked for. */
static const lehr_schedule *schedule_of(const subject *p, uint32_t i)
{
    const lehr_schedule *d = lehr_registry_schedule(p->s->registry, p->schedule + i);
    return d && (!p->name || strcmp(d->name, p->name) == 0) ? d : NULL;
}

static const lehr_optimizer *optimizer_of(const subject *p, uint32_t i)
{
    const lehr_optimizer *d = lehr_registry_optimizer(p->s->registry, p->optimizer + i);
    return d && (!p->name || strcmp(d->name, p->name) == 0) ? d : NULL;
}

static bool shows_something(const subject *p)
{
    bool found = false;
    for (uint32_t i = 0; i < p->info.schedule_count; i++) found = found || schedule_of(p, i);
    for (uint32_t i = 0; i < p->info.optimizer_count; i++) found = found || optimizer_of(p, i);
    return found;
}

/* The value a slot's `when` has by default: without it the slot takes no memory. */
static bool slot_by_default(const lehr_optimizer *d, const lehr_slot *slot)
{
    if (!slot->when) return true;
    for (uint32_t i = 0; i < d->params.count; i++) {
        lehr_param p;
        span_element(&d->params, i, &p, sizeof p);
        if (strcmp(p.name, slot->when) == 0) return p.def != 0;
    }
    return true;
}

static unsigned bytes_per_weight(const lehr_optimizer *d)
{
    unsigned bytes = 0;
    for (uint32_t i = 0; i < d->slots.count; i++) {
        lehr_slot slot;
        span_element(&d->slots, i, &slot, sizeof slot);
        if (slot_by_default(d, &slot)) bytes += (unsigned)sizeof(float);
    }
    return bytes;
}

/* ---- as text ---- */

static void line(const char *label, const char *text)
{
    printf("    %-14s ", label);
    print_wrapped(stdout, text, COLUMN, terminal_width(stdout));
}

static void print_params(const lehr_span *params)
{
    for (uint32_t i = 0; i < params->count; i++) {
        lehr_param p;
        span_element(params, i, &p, sizeof p);
        describe_param(&p, terminal_width(stdout));
    }
}

static void print_presets(const char *name, const lehr_span *presets)
{
    for (uint32_t i = 0; i < presets->count; i++) {
        char text[1024];
        lehr_preset p;
        span_element(presets, i, &p, sizeof p);
        snprintf(text, sizeof text, "%s:%s = %s(%s)%s%s", p.prefix, name, name, p.values,
                 p.source ? "; from " : "", p.source ? p.source : "");
        line(i ? "" : "presets", text);
    }
}

static void print_vars(const lehr_span *vars)
{
    for (uint32_t i = 0; i < vars->count; i++) {
        char text[1024], number[NUMBER_SIZE];
        lehr_var v;
        span_element(vars, i, &v, sizeof v);
        snprintf(text, sizeof text, "%s: %s, starts at %s", v.name, v.doc ? v.doc : "",
                 number_text(v.init, number));
        line(i ? "" : "state", text);
    }
}

static void print_schedule(const lehr_schedule *d)
{
    printf("\nschedule %s\n", d->name);
    line("formula", d->doc);
    if (d->observe) line("metric", d->metric);
    if (d->flags & LEHR_S_NEEDS_TOTAL) line("needs", "a budget: the number of updates of the run");
    print_params(&d->params);
    print_presets(d->name, &d->presets);
    print_vars(&d->state);
}

static void print_slots(const lehr_optimizer *d)
{
    char text[1024];
    snprintf(text, sizeof text, "%u bytes per weight beside weight and gradient%s",
             bytes_per_weight(d), d->flags & LEHR_O_CUSTOM ? ", and what it allocates itself" : "");
    line("memory", text);
    for (uint32_t i = 0; i < d->slots.count; i++) {
        lehr_slot slot;
        span_element(&d->slots, i, &slot, sizeof slot);
        snprintf(text, sizeof text, "%s: %s (4 bytes%s%s%s)", slot.name, slot.doc ? slot.doc : "",
                 slot.kind == LEHR_SLOT_SCRATCH ? ", scratch" : "",
                 slot.when ? ", only with " : "", slot.when ? slot.when : "");
        line(i ? "" : "slots", text);
    }
}

static void add_reductions(char *text, size_t size, const lehr_pass *pass, uint32_t number)
{
    static const char *const scopes[] = {"per tensor", "over all", "over all, to the host"};
    for (uint32_t i = 0; i < pass->reduces.count; i++) {
        lehr_reduce r;
        size_t end = strlen(text);
        span_element(&pass->reduces, i, &r, sizeof r);
        snprintf(text + end, size - end, "; after pass %u: %s = %s(%s) %s", number, r.name,
                 r.op == LEHR_MAX ? "max" : "sum", r.expr, scopes[r.scope < 3 ? r.scope : 1]);
    }
}

static void print_passes(const lehr_optimizer *d)
{
    char text[4096];
    snprintf(text, sizeof text, "%u pass%s", d->passes.count, d->passes.count == 1 ? "" : "es");
    for (uint32_t i = 0; i < d->passes.count; i++) {
        lehr_pass pass;
        span_element(&d->passes, i, &pass, sizeof pass);
        add_reductions(text, sizeof text, &pass, i + 1);
    }
    if (d->enter_eval || d->leave_eval) strcat(text, "; evaluates with other weights");
    if (d->flags & LEHR_O_NEEDS_LOSS) strcat(text, "; needs the loss (waits for the device)");
    if (d->flags & LEHR_O_CUSTOM) strcat(text, "; has a step of its own (lehr.custom/1)");
    line("update", text);
}

static void print_optimizer(const lehr_optimizer *d)
{
    char number[NUMBER_SIZE];
    printf("\noptimizer %s\n", d->name);
    line("formula", d->doc);
    line("lr", d->lr > 0 ? number_text(d->lr, number) : "must be given");
    print_params(&d->params);
    print_presets(d->name, &d->presets);
    print_slots(d);
    print_passes(d);
    print_vars(&d->state);
}

static void print_plugin(const subject *p)
{
    printf("%s  %s%s\n", p->info.id, p->info.version, p->info.built_in ? "  (built in)" : "");
    line("file", p->info.path);
    line("sha256", p->info.sha256);
    printf("    %-14s %u.%u\n", "abi", p->info.abi >> 16, p->info.abi & 0xffffu);
    if (p->info.license) line("license", p->info.license);
    if (p->info.url) line("url", p->info.url);
    for (uint32_t i = 0; i < p->info.schedule_count; i++)
        if (schedule_of(p, i)) print_schedule(schedule_of(p, i));
    for (uint32_t i = 0; i < p->info.optimizer_count; i++)
        if (optimizer_of(p, i)) print_optimizer(optimizer_of(p, i));
}

/* ---- as JSON ---- */

static void json_pair(const char *before, const char *key, const char *text)
{
    printf("%s\"%s\": ", before, key);
    if (text)
        json_text(stdout, text);
    else
        fputs("null", stdout);
}

static void json_params(const lehr_span *params)
{
    fputs(", \"parameters\": [", stdout);
    for (uint32_t i = 0; i < params->count; i++) {
        lehr_param p;
        span_element(params, i, &p, sizeof p);
        fputs(i ? ", " : "", stdout);
        describe_param_json(&p);
    }
    fputs("]", stdout);
}

static void json_presets(const lehr_span *presets)
{
    fputs(", \"presets\": [", stdout);
    for (uint32_t i = 0; i < presets->count; i++) {
        lehr_preset p;
        span_element(presets, i, &p, sizeof p);
        json_pair(i ? ", {" : "{", "prefix", p.prefix);
        json_pair(", ", "values", p.values);
        json_pair(", ", "source", p.source);
        fputs("}", stdout);
    }
    fputs("]", stdout);
}

static void json_vars(const lehr_span *vars)
{
    fputs(", \"state\": [", stdout);
    for (uint32_t i = 0; i < vars->count; i++) {
        lehr_var v;
        span_element(vars, i, &v, sizeof v);
        json_pair(i ? ", {" : "{", "name", v.name);
        json_pair(", ", "doc", v.doc);
        fputs(", \"init\": ", stdout);
        json_number(stdout, v.init);
        fputs("}", stdout);
    }
    fputs("]", stdout);
}

static void json_schedule(const lehr_schedule *d)
{
    json_pair("{", "name", d->name);
    json_pair(", ", "doc", d->doc);
    json_pair(", ", "metric", d->observe ? d->metric : NULL);
    printf(", \"needs_total\": %s", d->flags & LEHR_S_NEEDS_TOTAL ? "true" : "false");
    json_params(&d->params);
    json_presets(&d->presets);
    json_vars(&d->state);
    fputs("}", stdout);
}

static void json_slots(const lehr_optimizer *d)
{
    printf(", \"bytes_per_weight\": %u, \"slots\": [", bytes_per_weight(d));
    for (uint32_t i = 0; i < d->slots.count; i++) {
        lehr_slot slot;
        span_element(&d->slots, i, &slot, sizeof slot);
        json_pair(i ? ", {" : "{", "name", slot.name);
        json_pair(", ", "doc", slot.doc);
        json_pair(", ", "when", slot.when);
        printf(", \"scratch\": %s, \"bytes_per_weight\": %u}",
               slot.kind == LEHR_SLOT_SCRATCH ? "true" : "false", (unsigned)sizeof(float));
    }
    fputs("]", stdout);
}

static void json_passes(const lehr_optimizer *d)
{
    fputs(", \"passes\": [", stdout);
    for (uint32_t i = 0; i < d->passes.count; i++) {
        lehr_pass pass;
        span_element(&d->passes, i, &pass, sizeof pass);
        json_pair(i ? ", {" : "{", "code", pass.code);
        fputs(", \"reductions\": [", stdout);
        for (uint32_t k = 0; k < pass.reduces.count; k++) {
            lehr_reduce r;
            span_element(&pass.reduces, k, &r, sizeof r);
            json_pair(k ? ", {" : "{", "name", r.name);
            json_pair(", ", "expr", r.expr);
            json_pair(", ", "op", r.op == LEHR_MAX ? "max" : "sum");
            printf(", \"scope\": %u}", r.scope);
        }
        fputs("]}", stdout);
    }
    fputs("]", stdout);
}

static void json_optimizer(const lehr_optimizer *d)
{
    json_pair("{", "name", d->name);
    json_pair(", ", "doc", d->doc);
    fputs(", \"lr\": ", stdout);
    if (d->lr > 0)
        json_number(stdout, d->lr);
    else
        fputs("null", stdout);
    json_params(&d->params);
    json_presets(&d->presets);
    json_slots(d);
    json_vars(&d->state);
    json_passes(d);
    printf(", \"evaluation_weights\": %s, \"needs_loss\": %s, \"custom\": %s}",
           d->enter_eval || d->leave_eval ? "true" : "false",
           d->flags & LEHR_O_NEEDS_LOSS ? "true" : "false",
           d->flags & LEHR_O_CUSTOM ? "true" : "false");
}

static void json_plugin(const subject *p)
{
    const char *between = "";
    json_pair("{", "id", p->info.id);
    json_pair(", ", "version", p->info.version);
    json_pair(", ", "license", p->info.license);
    json_pair(", ", "url", p->info.url);
    printf(", \"abi\": \"%u.%u\", \"built_in\": %s", p->info.abi >> 16, p->info.abi & 0xffffu,
           p->info.built_in ? "true" : "false");
    json_pair(", ", "path", p->info.path);
    json_pair(", ", "sha256", p->info.sha256);
    fputs(", \"schedules\": [", stdout);
    for (uint32_t i = 0; i < p->info.schedule_count; i++) {
        const lehr_schedule *d = schedule_of(p, i);
        if (!d) continue;
        fputs(between, stdout);
        json_schedule(d);
        between = ", ";
    }
    fputs("], \"optimizers\": [", stdout);
    between = "";
    for (uint32_t i = 0; i < p->info.optimizer_count; i++) {
        const lehr_optimizer *d = optimizer_of(p, i);
        if (!d) continue;
        fputs(between, stdout);
        json_optimizer(d);
        between = ", ";
    }
    fputs("]}", stdout);
}

/* ---- finding it ---- */

/* "keras3:adam(beta1=0.95)" is the optimizer adam. */
static char *plain_name(const char *text)
{
    const char *colon = strchr(text, ':'), *bracket = strchr(text, '(');
    if (colon && (!bracket || colon < bracket)) text = colon + 1;
    return strndup(text, strcspn(text, "("));
}

static bool unknown_name(const session *s, const char *name)
{
    const char *names[512];
    size_t count = 0;
    const lehr_schedule *schedule = NULL;
    const lehr_optimizer *optimizer = NULL;
    for (uint32_t i = 0; count < 256 && (schedule = lehr_registry_schedule(s->registry, i)); i++)
        names[count++] = schedule->name;
    for (uint32_t i = 0; count < 512 && (optimizer = lehr_registry_optimizer(s->registry, i)); i++)
        names[count++] = optimizer->name;
    const char *near = nearest_word(name, names, count);
    return usage_error(s->set->verb,
                       "there is no schedule, optimizer or plugin id '%s'%s%s%s; type: lehr plugin "
                       "list, or name a file: ./lehr-%s.so",
                       name, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "",
                       name);
}

/* Shows the plugins that match; false when none does. */
static bool show(const session *s, const char *file, const char *name, bool by_id)
{
    subject p = {.s = s};
    bool json = option_flag(s->set, OPT_JSON), found = false;
    for (uint32_t i = 0; i < lehr_registry_plugin_count(s->registry); i++) {
        lehr_registry_plugin(s->registry, i, &p.info);
        p.name = file || by_id ? NULL : name;
        bool match = file    ? strcmp(p.info.path, file) == 0
                     : by_id ? strcmp(p.info.id, name) == 0
                             : shows_something(&p);
        if (match) {
            if (json) fputs(found ? ",\n " : "[", stdout);
            if (!json && found) putchar('\n');
            (json ? json_plugin : print_plugin)(&p);
            found = true;
        }
        p.schedule += p.info.schedule_count;
        p.optimizer += p.info.optimizer_count;
    }
    if (found && json) puts("]");
    return found;
}

/* A name that is not loaded yet is looked for on the search path; what is found there and refused is
 * an error. */
static lehr_status load_by_name(session *s, const char *name)
{
    const lehr_schedule *schedule = NULL;
    const lehr_optimizer *optimizer = NULL;
    lehr_status st = lehr_registry_find_schedule(s->registry, name, &schedule);
    if (st == LEHR_E_USAGE) st = lehr_registry_find_optimizer(s->registry, name, &optimizer);
    return st == LEHR_E_USAGE ? LEHR_OK : st;
}

int verb_plugin_info(settings *set)
{
    session s;
    bool known = true;
    const char *given = set->args[0];
    char *name = NULL, *file = session_names_file(given) ? realpath(given, NULL) : NULL;
    lehr_status st = session_start(&s, set);
    if (st == LEHR_OK) st = session_registry(&s);
    if (st == LEHR_OK && !file) {
        name = plain_name(given);
        st = name ? load_by_name(&s, name) : LEHR_E_MEMORY;
    }
    if (st == LEHR_OK)
        known = show(&s, file, name, false) || (!file && show(&s, NULL, given, true)) ||
                unknown_name(&s, given);
    int code = session_end(&s, st);
    free(name);
    free(file);
    return known ? code : EXIT_USAGE;
}

/* ---- source ---- */

int verb_plugin_source(settings *set)
{
    session s;
    char *text = NULL;
    lehr_status st = session_start(&s, set);
    if (st == LEHR_OK) st = session_registry(&s);
    if (st == LEHR_OK) st = session_device(&s);
    if (st == LEHR_OK)
        st = lehr_optimizer_source(s.device, s.registry, set->args[0], given_weight_decay(set), &text);
    if (st == LEHR_OK) fputs(text, stdout);
    free(text);
    return session_end(&s, st);
}
