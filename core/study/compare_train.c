/* SPDX-License-Identifier: MIT
 *
 * The comparison on a device: checks the methods before the first run, and hands each run to the
 * trainer. */
#include "core/study/study.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "core/runtime/runtime.h"

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

/* Every optimizer with its values written out.  Mistakes of the user end the comparison before the
 * first run; a plugin that cannot be loaded fails its own runs only. */
static lehr_status resolve_methods(lehr_context *ctx, lehr_registry *registry,
                                   const lehr_compare_params *params, lehr_method *methods,
                                   char **texts)
{
    for (uint32_t i = 0; i < params->method_count; i++) {
        double lr = 0;
        methods[i] = params->methods[i];
        if (!methods[i].optimizer) continue; /* refused with the others' names later */
        lehr_status status =
            lehr_optimizer_resolve(ctx, registry, methods[i].optimizer, &texts[i], &lr);
        if (status == LEHR_E_PLUGIN) continue;
        if (status == LEHR_OK && isnan(methods[i].lr)) {
            methods[i].lr = lr;
            if (!(lr > 0))
                status = lh_fail(ctx, LEHR_E_USAGE, "'%s' has no learning rate of its own; give lr",
                                 methods[i].optimizer);
        }
        if (status != LEHR_OK) {
            lh_fail_context(ctx, "method '%s': ", methods[i].name ? methods[i].name : "");
            return status;
        }
    }
    lh_enter(ctx);
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
    if (status == LEHR_OK) status = resolve_methods(ctx, registry, params, methods, texts);
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
