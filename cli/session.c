/* SPDX-License-Identifier: MIT
 *
 * Opening and closing of the library objects; the log; the message of a failure. */
#include "cli/session.h"

#include <stdlib.h>
#include <string.h>

#include <lehr/tune.h>

#include "cli/text.h"

static void print_log(void *user, uint32_t level, const char *line)
{
    static const char *const names[] = {"debug", "info", "warning"};
    (void)user;
    fprintf(stderr, "lehr: %s: %s\n", names[level < 2 ? level : 2], line);
}

lehr_status session_start(session *s, const settings *set)
{
    lehr_context_params params = {.log = print_log, .log_level = LEHR_LOG_WARN};
    if (option_flag(set, OPT_VERBOSE)) params.log_level = LEHR_LOG_DEBUG;
    *s = (session){.set = set};
    return lehr_context_create(&params, &s->ctx);
}

bool session_names_file(const char *text)
{
    size_t length = strlen(text);
    return strchr(text, '/') || (length > 3 && strcmp(text + length - 3, ".so") == 0);
}

/* Positional arguments that are plugin files. */
static size_t file_arguments(const settings *set)
{
    if (set->verb->id == VERB_PLUGIN_LIST) return set->arg_count;
    return set->verb->id == VERB_PLUGIN_INFO && session_names_file(set->args[0]) ? 1 : 0;
}

lehr_status session_registry(session *s)
{
    const option_value *given = &s->set->values[OPT_PLUGIN];
    size_t count = given->item_count + file_arguments(s->set);
    const char **files = calloc(count + 1, sizeof *files);
    if (!files) return LEHR_E_MEMORY;
    for (size_t i = 0; i < count; i++)
        files[i] = i < given->item_count ? given->items[i] : s->set->args[i - given->item_count];
    /* --no-plugins beats a configuration file's; beside --plugin it is an error of the registry. */
    if (option_flag(s->set, OPT_NO_PLUGINS) && given->source == FROM_CONFIG && count == given->item_count)
        count = 0;
    lehr_registry_params params = {.files = files, .file_count = (uint32_t)count,
                                   .no_plugins = option_flag(s->set, OPT_NO_PLUGINS)};
    lehr_status st = lehr_registry_create(s->ctx, &params, &s->registry);
    free(files);
    return st;
}

lehr_status session_device(session *s)
{
    return lehr_device_open(s->ctx, option_text(s->set, OPT_DEVICE), &s->device);
}

lehr_status session_model(session *s)
{
    return lehr_model_load(s->ctx, option_text(s->set, OPT_MODEL), &s->model);
}

/* Seconds, 0: not at all. */
static double tune_seconds(const settings *set)
{
    const char *variable = getenv("LEHR_TUNE");
    double seconds = 0;
    if (option_flag(set, OPT_TUNE)) seconds = option_real(set, OPT_TUNE);
    if (option_flag(set, OPT_TUNE)) return seconds > 0 ? seconds : 60;
    /* Other values were refused when the device was opened. */
    return variable && parse_real(variable, &seconds) && seconds > 0 ? seconds : 0;
}

bool session_tunes(const session *s) { return tune_seconds(s->set) > 0; }

lehr_status session_tune(session *s, bool text)
{
    lehr_tune_params params;
    lehr_tune_result result;
    char limit[NUMBER_SIZE], took[NUMBER_SIZE];
    lehr_tune_params_init(&params);
    params.batch = (uint32_t)option_uint(s->set, OPT_BATCH);
    params.seconds = tune_seconds(s->set);
    params.first_use = 1;
    if (!(params.seconds > 0)) return LEHR_OK;
    lehr_status st = lehr_tune(s->device, s->model, &params, &result);
    if (st != LEHR_OK || !text) return st;
    printf("tuning      limit %s s: %u of %u problems that were not measured before, in %s s; %u with "
           "another kernel than the default\n", number_text(params.seconds, limit), result.measured,
           result.problems, fixed_text(result.seconds, 1, took), result.changed);
    fflush(stdout);
    return st;
}

lehr_status session_data(session *s)
{
    return lehr_data_open(s->ctx, option_text(s->set, OPT_DATA), &s->data);
}

int session_end(session *s, lehr_status status)
{
    if (status != LEHR_OK) {
        const char *message = s->ctx ? lehr_context_message(s->ctx) : "";
        fflush(stdout);
        fprintf(stderr, "lehr %s: %s\n", s->set->verb->name,
                *message ? message : lehr_status_text(status));
    }
    lehr_data_destroy(&s->data);
    lehr_model_destroy(&s->model);
    lehr_device_destroy(&s->device);
    lehr_registry_destroy(&s->registry);
    lehr_context_destroy(&s->ctx);
    return lehr_status_exit_code(status);
}
