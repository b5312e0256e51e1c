/* SPDX-License-Identifier: MIT
 *
 * The verbs devices and models. */
#include <stdlib.h>
#include <string.h>

#include "cli/session.h"
#include "cli/text.h"
#include "cli/verbs.h"

enum { MAX_DEVICES = 64 };

/* ---- devices ---- */

static void device_json(const lehr_device_info *d)
{
    printf("{\"index\": %u, \"name\": ", d->index);
    json_text(stdout, d->name);
    fputs(", \"platform\": ", stdout);
    json_text(stdout, d->platform);
    fputs(", \"vendor\": ", stdout);
    json_text(stdout, d->vendor);
    fputs(", \"version\": ", stdout);
    json_text(stdout, d->version);
    fputs(", \"driver\": ", stdout);
    json_text(stdout, d->driver);
    fputs(", \"family\": ", stdout);
    json_text(stdout, d->family);
    printf(", \"is_cpu\": %s, \"compute_units\": %u, \"global_bytes\": %llu, \"local_bytes\": %llu, "
           "\"max_work_group\": %llu}", d->is_cpu ? "true" : "false", d->compute_units,
           (unsigned long long)d->global_bytes, (unsigned long long)d->local_bytes,
           (unsigned long long)d->max_work_group);
}

/* The length of a column: its head, or the longest text in it up to a limit. */
static int column_width(int head, int length) { return length > head ? (length < 44 ? length : 44) : head; }

static void device_table(const lehr_device_info *rows, uint32_t count)
{
    int name = 4, platform = 8;
    char memory[NUMBER_SIZE], local[NUMBER_SIZE];
    for (uint32_t i = 0; i < count; i++) {
        name = column_width(name, (int)strlen(rows[i].name));
        platform = column_width(platform, (int)strlen(rows[i].platform));
    }
    printf("%5s  %-*s  %-*s  %-6s  %5s  %8s  %10s  %8s\n", "index", name, "name", platform, "platform",
           "family", "units", "memory", "work-group", "local");
    for (uint32_t i = 0; i < count; i++)
        printf("%5u  %-*.*s  %-*.*s  %-6s  %5u  %8s  %10llu  %8s\n", rows[i].index, name, name,
               rows[i].name, platform, platform, rows[i].platform, rows[i].family,
               rows[i].compute_units, bytes_text(rows[i].global_bytes, memory),
               (unsigned long long)rows[i].max_work_group, bytes_text(rows[i].local_bytes, local));
}

int verb_devices(settings *set)
{
    session s;
    uint32_t count = 0;
    lehr_device_info *rows = calloc(MAX_DEVICES, sizeof *rows);
    lehr_status st = session_start(&s, set);
    if (st == LEHR_OK && !rows) st = LEHR_E_MEMORY;
    if (st == LEHR_OK) st = lehr_device_list(s.ctx, rows, MAX_DEVICES, &count);
    /* Opening explains why there is none. */
    if (st == LEHR_OK && count == 0) st = lehr_device_open(s.ctx, "auto", &s.device);
    if (count > MAX_DEVICES) count = MAX_DEVICES;
    if (st == LEHR_OK && option_flag(set, OPT_JSON)) {
        for (uint32_t i = 0; i < count; i++) {
            fputs(i ? ",\n " : "[", stdout);
            device_json(&rows[i]);
        }
        puts("]");
    } else if (st == LEHR_OK) {
        device_table(rows, count);
    }
    free(rows);
    return session_end(&s, st);
}

/* ---- models ---- */

static void model_row(const lehr_model_info *m)
{
    char parameters[NUMBER_SIZE], flops[NUMBER_SIZE], input[64];
    snprintf(input, sizeof input, "%ux%ux%u", m->channels, m->height, m->width);
    printf("%-12s  %9s  %7u  %6u  %12s  %16s\n", m->name, input, m->classes, m->layers,
           count_text(m->parameters, parameters), count_text(m->forward_flops, flops));
}

static void model_json(const lehr_model_info *m)
{
    fputs("{\"name\": ", stdout);
    json_text(stdout, m->name);
    printf(", \"input\": [%u, %u, %u], \"classes\": %u, \"layers\": %u, \"parameters\": %llu, "
           "\"forward_flops\": %llu}", m->channels, m->height, m->width, m->classes, m->layers,
           (unsigned long long)m->parameters, (unsigned long long)m->forward_flops);
}

static lehr_status list_models(session *s, bool json)
{
    lehr_status st = LEHR_OK;
    const char *name = NULL;
    if (!json)
        printf("%-12s  %9s  %7s  %6s  %12s  %16s\n", "name", "input", "classes", "layers",
               "parameters", "FLOPs per image");
    for (uint32_t i = 0; st == LEHR_OK && (name = lehr_model_builtin(i)) != NULL; i++) {
        lehr_model_info info;
        st = lehr_model_load(s->ctx, name, &s->model);
        if (st != LEHR_OK) break;
        lehr_model_get_info(s->model, &info);
        if (json) fputs(i ? ",\n " : "[", stdout);
        if (json)
            model_json(&info);
        else
            model_row(&info);
        lehr_model_destroy(&s->model);
    }
    if (json && st == LEHR_OK) puts("]");
    return st;
}

/* The parameters of one model, by the names that groups select them by. */
static lehr_status list_parameters(session *s, const char *model, bool json)
{
    lehr_parameter_info p;
    lehr_status st = lehr_model_load(s->ctx, model, &s->model);
    if (st != LEHR_OK) return st;
    if (!json) printf("%-32s  %-6s  %12s  shape\n", "name", "class", "numbers");
    for (uint32_t i = 0; lehr_model_parameter(s->model, i, &p); i++) {
        char count[NUMBER_SIZE];
        if (json) {
            fputs(i ? ",\n {\"name\": " : "[{\"name\": ", stdout);
            json_text(stdout, p.name);
            printf(", \"class\": \"%s\", \"count\": %llu, \"shape\": [", p.kind,
                   (unsigned long long)p.count);
        } else {
            printf("%-32s  %-6s  %12s  ", p.name, p.kind, count_text(p.count, count));
        }
        for (uint32_t d = 0; d < p.ndim; d++)
            printf("%s%llu", d ? (json ? ", " : "x") : "", (unsigned long long)p.dims[d]);
        fputs(json ? "]}" : "\n", stdout);
    }
    if (json) puts("]");
    return st;
}

int verb_models(settings *set)
{
    session s;
    const char *dump = option_text(set, OPT_DUMP);
    lehr_status st = session_start(&s, set);
    if (st == LEHR_OK && dump) {
        lehr_model_info info;
        st = lehr_model_load(s.ctx, dump, &s.model);
        if (st == LEHR_OK) {
            lehr_model_get_info(s.model, &info);
            fputs(info.text, stdout);
            if (*info.text && info.text[strlen(info.text) - 1] != '\n') putchar('\n');
        }
    } else if (st == LEHR_OK && set->arg_count) {
        st = list_parameters(&s, set->args[0], option_flag(set, OPT_JSON));
    } else if (st == LEHR_OK) {
        st = list_models(&s, option_flag(set, OPT_JSON));
    }
    return session_end(&s, st);
}
