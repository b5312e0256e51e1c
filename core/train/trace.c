/* SPDX-License-Identifier: MIT
 *
 * The tracer: an updater over one tensor, one parameter group, gradients from the host. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/model/network.h"
#include "core/train/target.h"
#include <lehr/optimizer.h>

enum { SCHEDULES_MAX = 16, OF_LR = -1 };

/* A number with a schedule: the learning rate, or a parameter's place in the rule's table. */
typedef struct scheduled {
    int param;
    lehr_scheduler *scheduler;
} scheduled;

struct lehr_tracer {
    lehr_device *dev;
    lehr_context *ctx;
    lh_updater *updater;
    cl_mem weights, gradients, control;
    size_t count;
    uint64_t t; /* updates made */
    bool evaluated;
    lehr_registry *registry;
    lh_parameters parameters;
    scheduled schedules[SCHEDULES_MAX];
    uint32_t schedule_count;
    lh_str text; /* of the schedules */
};

static lehr_status count_elements(lehr_context *ctx, const lehr_tracer_params *params, size_t *count)
{
    uint64_t n = 1;
    bool fits = params->ndim >= 1 && params->ndim <= 4;
    for (uint32_t i = 0; fits && i < params->ndim; i++) {
        fits = params->dims[i] >= 1 && params->dims[i] <= UINT32_MAX && n * params->dims[i] <= INT32_MAX;
        if (fits) n *= params->dims[i];
    }
    *count = (size_t)n;
    return fits ? LEHR_OK
                : lh_fail(ctx, LEHR_E_SHAPE, "weights to trace need 1 to 4 dimensions and 1 to %d "
                          "elements", INT32_MAX);
}

static lehr_status make_updater(lehr_tracer *t, lehr_registry *registry,
                                const lehr_tracer_params *params)
{
    static const uint32_t roles[] = {LEHR_ROLE_OTHER, LEHR_ROLE_OTHER, LEHR_ROLE_DENSE,
                                     LEHR_ROLE_OTHER, LEHR_ROLE_CONV};
    lh_param tensor = {.name = "weights", .role = roles[params->ndim], .count = t->count,
                       .ndim = params->ndim};
    for (uint32_t i = 0; i < params->ndim; i++) tensor.dims[i] = params->dims[i];
    lh_param_group group = {.name = "weights", .count = t->count, .lr_scale = 1,
                            .weight_decay_scale = 1};
    lh_arena_layout layout = {.weights = t->weights, .gradients = t->gradients, .count = t->count,
                              .params = &tensor, .param_count = 1, .groups = &group,
                              .group_count = 1, .products = &lh_gemm_products};
    return lh_updater_create(t->dev, registry, params->optimizer, params->weight_decay, &layout,
                             &t->updater);
}

static lehr_status build(lehr_tracer *t, lehr_registry *registry, const lehr_tracer_params *params)
{
    const float control[2] = {1, 0}; /* gradients as they are; nothing is left out */
    lehr_status st = count_elements(t->ctx, params, &t->count);
    size_t bytes = t->count * sizeof(float);
    if (st == LEHR_OK) st = lh_buffer_create(t->dev, bytes, &t->weights);
    if (st == LEHR_OK) st = lh_buffer_create(t->dev, bytes, &t->gradients);
    if (st == LEHR_OK) st = lh_buffer_create(t->dev, sizeof control, &t->control);
    if (st == LEHR_OK) st = lh_buffer_write(t->dev, t->weights, 0, bytes, params->weights);
    if (st == LEHR_OK) st = lh_buffer_write(t->dev, t->control, 0, sizeof control, control);
    if (st == LEHR_OK) st = make_updater(t, registry, params);
    if (st == LEHR_OK)
        st = lh_parameters_read(t->ctx, registry, params->optimizer, params->weight_decay, &t->parameters);
    if (st == LEHR_OK && !isnan(params->base_lr)) lh_updater_set_base_lr(t->updater, params->base_lr);
    return st;
}

lehr_status lehr_tracer_create(lehr_device *device, lehr_registry *registry,
                               const lehr_tracer_params *params, lehr_tracer **out)
{
    lehr_context *ctx = lh_device_context(device);
    lh_enter(ctx);
    *out = NULL;
    lehr_tracer *t = lh_alloc(ctx, 1, sizeof *t);
    if (!t) return LEHR_E_MEMORY;
    t->dev = device;
    t->ctx = ctx;
    t->evaluated = params->evaluated != 0;
    t->registry = registry;
    lehr_status st = build(t, registry, params);
    if (st != LEHR_OK) lehr_tracer_destroy(&t);
    *out = t;
    return st;
}

/* ---- schedules ---- */

static lehr_status find_target(const lehr_tracer *t, const char *word, scheduled *out)
{
    out->param = OF_LR;
    if (*word && strcmp(word, "lr") != 0) {
        out->param = lh_parameters_find(&t->parameters, word);
        if (out->param < 0 || !lh_parameters_may_change(&t->parameters, out->param))
            return lh_fail(t->ctx, LEHR_E_USAGE, "'%s' is nothing that a trace of this optimizer can "
                           "schedule: lr, or a real parameter of which lehr plugin info says so", word);
        const char *slot = lh_parameters_missing_slot(&t->parameters, out->param);
        if (slot)
            return lh_fail(t->ctx, LEHR_E_PARAM, "%s is 0, so there is no %s to schedule it for: start "
                           "it above 0", word, slot);
    }
    for (uint32_t i = 0; i < t->schedule_count; i++)
        if (t->schedules[i].param == out->param)
            return lh_fail(t->ctx, LEHR_E_USAGE, "%s has two schedules: join them with *, + or then",
                           *word ? word : "lr");
    return LEHR_OK;
}

lehr_status lehr_tracer_schedule(lehr_tracer *t, const char *text, const lehr_budget *budget)
{
    char word[LH_TARGET_SIZE];
    const char *rest = NULL;
    scheduled item = {0};
    lehr_budget own = *budget;
    lh_enter(t->ctx);
    if (t->schedule_count == SCHEDULES_MAX)
        return lh_fail(t->ctx, LEHR_E_USAGE, "more than %d schedules", SCHEDULES_MAX);
    lh_target_read(t->ctx, t->registry, &t->parameters, text, word, &rest);
    lehr_status st = find_target(t, word, &item);
    if (st == LEHR_OK && item.param != OF_LR) {
        own.base = t->parameters.values[item.param];
        if (!(own.base > 0))
            return lh_fail(t->ctx, LEHR_E_PARAM, "%s is %g: a schedule needs a value above 0 to "
                           "start from", word, own.base);
    }
    if (st == LEHR_OK) st = lehr_scheduler_create(t->ctx, t->registry, rest, &own, &item.scheduler);
    if (st != LEHR_OK) return st;
    lh_str_printf(&t->text, "%s%s%s%s", t->text.length ? "; " : "", item.param == OF_LR ? "" : word,
                  item.param == OF_LR ? "" : ": ", lehr_scheduler_text(item.scheduler));
    t->schedules[t->schedule_count++] = item;
    return LEHR_OK;
}

const char *lehr_tracer_schedules(const lehr_tracer *t) { return lh_str_text(&t->text); }

const char *lehr_tracer_metric(const lehr_tracer *t)
{
    const char *metric = NULL;
    for (uint32_t i = 0; i < t->schedule_count && !metric; i++)
        metric = lehr_scheduler_metric(t->schedules[i].scheduler, 0);
    return metric;
}

/* The values of the update that follows t->t others. */
static lehr_status apply_schedules(lehr_tracer *t, double *lr)
{
    char range[96];
    for (uint32_t i = 0; i < t->schedule_count; i++) {
        const scheduled *item = &t->schedules[i];
        double value = NAN;
        lehr_status st = lehr_scheduler_value(item->scheduler, t->t, &value);
        if (st != LEHR_OK) return st;
        if (item->param == OF_LR) {
            *lr = value;
            continue;
        }
        if (!lh_parameters_in_range(&t->parameters, item->param, value, range, sizeof range))
            return lh_fail(t->ctx, LEHR_E_PARAM, "update %llu: %s would be %g, it must be %s",
                           (unsigned long long)t->t, t->parameters.table[item->param].name, value, range);
        lh_updater_set_param(t->updater, 0, (uint32_t)item->param, value);
    }
    return LEHR_OK;
}

/* ---- steps ---- */

/* Reads the weights; those of evaluation are in the arena only in between. */
static lehr_status give_weights(lehr_tracer *t, float *weights)
{
    bool swaps = t->evaluated && lh_updater_has_eval(t->updater);
    lehr_status st = LEHR_OK;
    if (swaps) st = lh_updater_enter_eval(t->updater, t->t, t->control);
    if (st == LEHR_OK) st = lh_buffer_read(t->dev, t->weights, 0, t->count * sizeof(float), weights);
    return st == LEHR_OK && swaps ? lh_updater_leave_eval(t->updater, t->t, t->control) : st;
}

lehr_status lehr_tracer_step(lehr_tracer *t, double lr, double loss, const float *gradient,
                             float *weights)
{
    lh_enter(t->ctx);
    lehr_status st = apply_schedules(t, &lr);
    if (st == LEHR_OK)
        st = lh_buffer_write(t->dev, t->gradients, 0, t->count * sizeof(float), gradient);
    if (lh_updater_needs_loss(t->updater)) lh_updater_set_loss(t->updater, loss);
    if (st == LEHR_OK) st = lh_updater_step(t->updater, ++t->t, lr, t->control);
    return st == LEHR_OK ? give_weights(t, weights) : st;
}

uint32_t lehr_tracer_needs_loss(const lehr_tracer *t) { return lh_updater_needs_loss(t->updater); }

const char *lehr_tracer_text(const lehr_tracer *t) { return lh_updater_text(t->updater); }

void lehr_tracer_destroy(lehr_tracer **tracer)
{
    if (!tracer || !*tracer) return;
    lehr_tracer *t = *tracer;
    for (uint32_t i = 0; i < t->schedule_count; i++)
        lehr_scheduler_destroy(&t->schedules[i].scheduler);
    lh_parameters_free(&t->parameters);
    lh_str_free(&t->text);
    lh_updater_destroy(&t->updater);
    lh_buffer_free(&t->weights);
    lh_buffer_free(&t->gradients);
    lh_buffer_free(&t->control);
    free(t);
    *tracer = NULL;
}
