/* SPDX-License-Identifier: MIT
 *
 * The problems of a model's training step, one by one: tuning, explaining, checking. */
#define _GNU_SOURCE /* strsep */
#include <lehr/tune.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/model/network_internal.h"
#include "core/runtime/cache.h"
#include "kernels/loops.h"
#include "kernels/tune.h"

/* A problem that occurs in the model; steps that share it count once. */
typedef struct item {
    const lh_op *op;
    void *problem;
    const char *layer; /* the model's */
    bool has_parameters;
    char text[LH_DESCRIBE];
} item;

typedef struct items {
    item *at;
    int count;
} items;

static void free_items(items *list)
{
    for (int i = 0; i < list->count; i++) free(list->at[i].problem);
    free(list->at);
    *list = (items){0};
}

static bool is_known(const items *list, const item *new)
{
    for (int i = 0; i < list->count; i++)
        if (list->at[i].op == new->op && strcmp(list->at[i].text, new->text) == 0) return true;
    return false;
}

/* Plans the step without compiling anything. */
static lehr_status collect(lehr_device *dev, const lehr_model *model, int batch, items *list)
{
    lehr_context *ctx = lh_device_context(dev);
    lh_network *net = NULL;
    double left = lh_self_test_left(dev); /* the caller checks kernels itself */
    *list = (items){0};
    lh_self_test_spent(dev, left);
    lh_device_dry(dev, true);
    lehr_status st = lh_network_create(dev, model, batch, LH_LOSS_CROSS_ENTROPY, true, &net);
    lh_device_dry(dev, false);
    lh_self_test_spent(dev, -left);
    if (st == LEHR_OK) list->at = lh_alloc(ctx, (size_t)net->step_count, sizeof *list->at);
    if (st == LEHR_OK && !list->at) st = LEHR_E_MEMORY;
    for (int i = 0; st == LEHR_OK && i < net->step_count; i++) {
        const lh_exec *exec = net->steps[i].exec;
        item new = {.op = exec->op, .layer = model->layers[net->steps[i].layer].name,
                    .has_parameters = exec->tunable_count > 0};
        exec->op->describe(lh_exec_problem(exec), new.text, sizeof new.text);
        if (is_known(list, &new)) continue;
        new.problem = lh_alloc(ctx, 1, exec->op->problem_size);
        if (new.problem)
            memcpy(new.problem, lh_exec_problem(exec), exec->op->problem_size);
        else
            st = LEHR_E_MEMORY;
        if (new.problem) list->at[list->count++] = new;
    }
    lh_network_destroy(&net);
    return st;
}

/* Keeps the problems whose op begins with prefix, and with measuring only those with a choice. */
static lehr_status narrow(lehr_device *dev, items *list, const lehr_tune_params *p)
{
    int kept = 0;
    size_t length = p->op ? strlen(p->op) : 0;
    bool known = length == 0;
    for (int i = 0; i < list->count; i++) {
        item *it = &list->at[i];
        bool match = length == 0 || strncmp(it->op->name, p->op, length) == 0;
        known |= match;
        if (match && p->first_use && !p->explain &&
            lh_kept_find(dev, LH_KEPT_BEST, it->op->name, it->text, NULL, NULL))
            match = false; /* and known stays */
        if (match && (p->explain || it->has_parameters ||
                      lh_tune_choices(dev, it->op, it->problem) > 1))
            list->at[kept++] = *it;
        else
            free(it->problem);
    }
    list->count = kept;
    if (known) return LEHR_OK;
    lh_str names = {0};
    for (size_t i = 0; i < lh_op_count; i++)
        lh_str_printf(&names, "%s%s", i ? ", " : "", lh_op_list[i]->name);
    lehr_status st = lh_fail(lh_device_context(dev), LEHR_E_USAGE,
                             "the model has no op that begins with '%s'; ops: %s", p->op,
                             lh_str_text(&names));
    lh_str_free(&names);
    return st;
}

void lehr_tune_params_init(lehr_tune_params *params)
{
    *params = (lehr_tune_params){.batch = 128, .seconds = 60};
}

static void keep_winner(lehr_device *dev, const item *it, const lh_tune *tune)
{
    const lehr_tune_candidate *row = &tune->rows[tune->winner];
    const lehr_tune_candidate *base = tune->base >= 0 ? &tune->rows[tune->base] : row;
    char note[160] = "default";
    if (!tune->is_default)
        snprintf(note, sizeof note, "default: %s%s%s %.4g ms", base->variant,
                 *base->parameters ? ":" : "", base->parameters, base->ms);
    lh_kept_add(dev, &(lh_kept){.kind = LH_KEPT_BEST, .op = it->op->name, .problem = it->text,
                                  .variant = row->variant,
                                .parameters = row->parameters, .ms = row->ms,
                                .note = note, .gflops = isfinite(row->gflops) ? row->gflops : 0});
}

/* One problem, given an equal share of the time that is left; given up when all of it is used twice. */
static lehr_status one(lehr_device *dev, const items *list, int i, const lehr_tune_params *p,
                       double until, lehr_tune_result *result, int *stop)
{
    const item *it = &list->at[i];
    double left = until - lh_now(), share = left / (list->count - i);
    lh_tune tune;
    lehr_status st = p->explain ? lh_tune_explain(dev, it->op, it->problem, &tune)
                                : lh_tune_problem(dev, it->op, it->problem, share, left + p->seconds,
                                                  &tune);
    if (st != LEHR_OK) return st;
    if (!p->explain && tune.winner >= 0) {
        result->measured++;
        result->changed += !tune.is_default;
        if (!p->dry_run) keep_winner(dev, it, &tune);
    }
    result->wrong += tune.wrong;
    lehr_tune_problem told = {it->layer, it->op->name, it->text, (uint32_t)i, (uint32_t)list->count,
                              tune.count, tune.rows};
    if (p->on_problem) *stop = p->on_problem(p->user, &told);
    return LEHR_OK;
}

lehr_status lehr_tune(lehr_device *device, const lehr_model *model, const lehr_tune_params *params,
                      lehr_tune_result *result)
{
    lehr_context *ctx = lh_device_context(device);
    lehr_tune_result own;
    items list;
    int stop = 0;
    double begin = lh_now(), saved = begin;
    lh_enter(ctx);
    if (!result) result = &own;
    *result = (lehr_tune_result){.path = ""};
    if (params->batch < 1 || params->batch > 65536 || !(params->seconds > 0))
        return lh_fail(ctx, LEHR_E_PARAM, "batch must be in [1, 65536] and seconds above 0");
    lehr_status st = collect(device, model, (int)params->batch, &list);
    if (st == LEHR_OK) st = narrow(device, &list, params);
    result->problems = (uint32_t)list.count;
    double until = lh_now() + params->seconds;
    for (int i = 0; i < list.count && st == LEHR_OK && !stop; i++) {
        if (!params->explain && lh_now() >= until) break;
        st = one(device, &list, i, params, until, result, &stop);
        if (st == LEHR_OK && lh_now() - saved > 2) {
            lh_kept_save(device);
            saved = lh_now();
        }
    }
    free_items(&list);
    if (st == LEHR_OK) lh_kept_save(device);
    result->seconds = lh_now() - begin;
    result->path = lh_kept_path(device);
    return st;
}

/* As for training, but without the check at first use. */
static lehr_status create_unchecked(lehr_device *dev, const item *it, lh_exec **exec)
{
    double left = lh_self_test_left(dev);
    lh_self_test_spent(dev, left);
    lehr_status st = lh_exec_create(dev, it->op, it->problem, exec);
    lh_self_test_spent(dev, -left);
    return st;
}

lehr_status lehr_self_test(lehr_device *device, const lehr_model *model, double seconds,
                           lehr_self_test_result *result)
{
    items list;
    double begin = lh_now();
    lh_enter(lh_device_context(device));
    lehr_status st = lh_loops_check(device, true);
    if (st != LEHR_OK) return st;
    st = collect(device, model, 2, &list);
    result->kernels += (uint32_t)list.count;
    double until = lh_now() + seconds;
    for (int i = 0; i < list.count && st == LEHR_OK && lh_now() < until; i++) {
        lh_exec *exec = NULL;
        lh_verdict verdict = LH_VERDICT_UNKNOWN;
        st = create_unchecked(device, &list.at[i], &exec);
        if (st == LEHR_OK) st = lh_select_check(exec, &verdict);
        if (st == LEHR_OK) result->checked += verdict != LH_VERDICT_UNKNOWN;
        if (st == LEHR_OK) result->wrong += verdict == LH_VERDICT_BAD;
        lh_exec_destroy(&exec);
    }
    free_items(&list);
    if (st == LEHR_OK) lh_kept_save(device);
    result->seconds += lh_now() - begin;
    return st;
}

/* Drivers compile a kernel for good when it is first run: on one image of random data. */
static lehr_status compile_one(lehr_device *dev, const item *it)
{
    lh_exec *exec = NULL;
    lh_trial *trial = NULL;
    lehr_status st = create_unchecked(dev, it, &exec);
    if (st == LEHR_OK) st = lh_trial_create(dev, it->op, it->problem, 1, 4000, false, &trial);
    if (st == LEHR_OK) st = lh_trial_run(trial, exec);
    lh_trial_destroy(&trial);
    lh_exec_destroy(&exec);
    return st;
}

lehr_status lehr_compile(lehr_device *device, const lehr_model *model, uint32_t batch,
                         int (*stop)(void *user), void *user, uint32_t *compiled)
{
    items list;
    uint32_t count = 0;
    lh_enter(lh_device_context(device));
    if (batch < 1 || batch > 65536)
        return lh_fail(lh_device_context(device), LEHR_E_PARAM, "batch must be in [1, 65536]");
    lehr_status st = collect(device, model, (int)batch, &list);
    for (int i = list.count - 1; i >= 0 && st == LEHR_OK && !(stop && stop(user)); i--, count++)
        st = compile_one(device, &list.at[i]);
    free_items(&list);
    if (compiled) *compiled = count;
    return st;
}

int lehr_is_compiled(lehr_device *device, const lehr_model *model, uint32_t batch)
{
    items list;
    lh_enter(lh_device_context(device));
    lehr_status st = collect(device, model, (int)batch, &list);
    bool known = st == LEHR_OK && lh_self_test_left(device) > 0;
    for (int i = 0; i < list.count && known; i++)
        known = lh_trial_images(list.at[i].op, list.at[i].problem) == 0 ||
                lh_kept_find(device, LH_KEPT_GOOD, list.at[i].op->name, list.at[i].text, NULL, NULL);
    free_items(&list);
    if (st != LEHR_OK) lh_enter(lh_device_context(device));
    return known || !(lh_self_test_left(device) > 0);
}

lehr_status lehr_tune_export(lehr_device *device, void (*line)(void *user, const char *text),
                             void *user)
{
    lh_str text = {0};
    lh_enter(lh_device_context(device));
    lehr_status st = lh_kept_export(device, &text);
    for (char *rest = text.text, *at; st == LEHR_OK && rest && (at = strsep(&rest, "\n")) != NULL;)
        if (*at) line(user, at);
    lh_str_free(&text);
    return st == LEHR_OK ? st : lh_fail(lh_device_context(device), st, "out of memory");
}
