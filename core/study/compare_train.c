/* SPDX-License-Identifier: MIT
 *
 * The comparison on a device: checks the methods before the first run, and hands each run to the
 * trainer. */
#include "core/study/study.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "core/runtime/runtime.h"
#include "core/train/tuning.h"

void lehr_compare_params_init(lehr_compare_params *params)
{
    assert(params);
    *params = (lehr_compare_params){.seeds = 5};
    lehr_train_params_init(&params->train);
}

typedef struct trainer {
    lehr_device *device;
    lehr_registry *registry;
    const lehr_model *model;
    const lehr_data *data;
} trainer;

static lehr_status train(void *user, const lehr_train_params *params, lehr_train_result *result)
{
    const trainer *t = user;
    return lehr_train(t->device, t->registry, t->model, t->data, params, result);
}

/* A schedule or a group that does not parse, or does not fit the budget, is a mistake to report before
 * the first run.  The split rounds; one update more or less an epoch decides nothing here. */
static lehr_status check_schedules(lehr_context *ctx, lehr_registry *registry,
                                   const lehr_model *model, const lehr_compare_params *params,
                                   const lehr_method *m, uint64_t train_count)
{
    lehr_train_params t = params->train;
    double used = (double)train_count * (1 - t.val_fraction);
    if (t.limit_train && (double)t.limit_train < used) used = (double)t.limit_train;
    if (!t.batch || !t.accumulate || !(used >= 1) || !t.epochs || !m->optimizer || !m->schedule)
        return LEHR_OK; /* the trainer says what is wrong */
    t.optimizer = m->optimizer;
    t.schedule = m->schedule;
    t.lr = m->lr;
    if (m->group) t.group = m->group;
    if (!(m->lr > 0 && isfinite(m->lr)))
        return lh_fail(ctx, LEHR_E_PARAM, "the learning rate is %g; it must be positive, e.g. 0.1",
                       m->lr);
    lh_tuning tuning;
    lehr_status status = lh_tuning_create(ctx, registry, model, &t, (uint64_t)used, &tuning);
    lh_tuning_free(&tuning);
    return status;
}

/* Every optimizer with its values written out.  Mistakes of the user end the comparison before the
 * first run; a plugin that cannot be loaded fails its own runs only. */
static lehr_status resolve_method(lehr_context *ctx, lehr_registry *registry, lehr_method *m,
                                  double weight_decay, char **text)
{
    double lr = 0;
    if (!m->optimizer) return LEHR_OK; /* refused by the check of names */
    lehr_status status = lehr_optimizer_resolve(ctx, registry, m->optimizer, weight_decay, text, &lr);
    if (status != LEHR_OK || !isnan(m->lr)) return status;
    m->lr = lr;
    if (lr > 0) return LEHR_OK;
    return lh_fail(ctx, LEHR_E_USAGE, "optimizer '%s' has no learning rate of its own; give lr",
                   m->optimizer);
}

static lehr_status resolve_methods(lehr_context *ctx, lehr_registry *registry,
                                   const lehr_model *model, const lehr_compare_params *params,
                                   uint64_t train_count, lehr_method *methods, char **texts)
{
    for (uint32_t i = 0; i < params->method_count; i++) {
        methods[i] = params->methods[i];
        lehr_status status = resolve_method(ctx, registry, &methods[i], params->train.weight_decay,
                                            &texts[i]);
        if (status == LEHR_OK)
            status = check_schedules(ctx, registry, model, params, &methods[i],
                                     train_count);
        if (status == LEHR_OK) continue;
        if (status != LEHR_E_PLUGIN) {
            lh_fail_context(ctx, "method '%s': ", methods[i].name ? methods[i].name : "");
            return status;
        }
        lh_enter(ctx);
    }
    return LEHR_OK;
}

lehr_status lehr_compare(lehr_device *device, lehr_registry *registry, const lehr_model *model,
                         const lehr_data *data, const lehr_compare_params *params)
{
    assert(device && registry && model && data && params);
    lehr_context *ctx = lh_device_context(device);
    lh_enter(ctx);
    lehr_compare_params resolved = *params;
    trainer t = {device, registry, model, data};
    lehr_model_info model_info;
    lehr_model_get_info(model, &model_info);
    lehr_method *methods = lh_alloc(ctx, params->method_count, sizeof *methods);
    char **texts = lh_alloc(ctx, params->method_count, sizeof *texts);
    lehr_status status = methods && texts ? LEHR_OK : LEHR_E_MEMORY;
    if (status == LEHR_OK)
        status = resolve_methods(ctx, registry, model, params, lehr_data_get_info(data)->train_count,
                                 methods, texts);
    if (status == LEHR_OK) {
        resolved.methods = methods;
        lh_study_subject subject = {.device = lehr_device_get_info(device),
                                    .data = lehr_data_get_info(data),
                                    .model = &model_info,
                                    .resolved = (const char *const *)texts};
        status = lh_compare_runs(ctx, &resolved, &subject, train, &t);
    }
    for (uint32_t i = 0; texts && i < params->method_count; i++) free(texts[i]);
    free(texts);
    free(methods);
    return status;
}
