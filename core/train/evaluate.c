/* SPDX-License-Identifier: MIT
 *
 * Evaluating a weights file or the newest checkpoint of a run. */
#include "core/train/trainer.h"

#include <stdlib.h>
#include <string.h>

#include "core/train/safetensors.h"
#include "kernels/control/control.h"

/* Everything an evaluation holds. */
typedef struct evaluation {
    lh_trainer t; /* only what lh_trainer_evaluate reads is set */
    lh_settings *stored;
    lh_safetensors *file; /* when the weights file describes its model */
    lehr_model *own_model;
    char *checkpoint;
    int32_t *order;
} evaluation;

/* A run directory brings its model, normalisation and newest checkpoint. */
static lehr_status open_run(evaluation *e, const char *dir, const char **weights,
                            const char **normalize)
{
    lehr_context *ctx = e->t.ctx;
    lehr_status st = lh_settings_read(ctx, dir, &e->stored);
    if (st != LEHR_OK) return st;
    const char *text = lh_settings_text(e->stored, "model", "text");
    if (!e->t.model && text) {
        st = lehr_model_parse(ctx, lh_settings_text(e->stored, "model", "name"), text,
                              &e->own_model);
        e->t.model = e->own_model;
    }
    if (!*normalize) *normalize = lh_settings_text(e->stored, "settings", "normalize");
    if (st == LEHR_OK) e->checkpoint = lh_checkpoint_newest(ctx, dir);
    *weights = e->checkpoint;
    return st == LEHR_OK && !e->checkpoint ? LEHR_E_CHECKPOINT : st;
}

/* A weights file that we wrote says its model and normalisation; other tools' files do not. */
static lehr_status open_file(evaluation *e, const char *path, const char **normalize)
{
    if (e->t.model && *normalize) return LEHR_OK;
    lehr_status st = lh_safetensors_read(e->t.ctx, path, &e->file);
    const char *text = st == LEHR_OK ? lh_safetensors_metadata(e->file, "model") : NULL;
    if (text && !e->t.model) {
        const char *name = lh_safetensors_metadata(e->file, "model_name");
        st = lehr_model_parse(e->t.ctx, name, text, &e->own_model);
        e->t.model = e->own_model;
    }
    if (text && !*normalize) *normalize = lh_safetensors_metadata(e->file, "normalize");
    return st;
}

static lehr_status make_buffers(evaluation *e)
{
    lh_trainer *t = &e->t;
    lh_control_problem problem = {(int)t->p.batch, LH_ROWS, false};
    lehr_status st = lh_exec_create(t->dev, &lh_control, &problem, &t->control);
    if (st == LEHR_OK)
        st = lh_buffer_create(t->dev, LH_ROWS * LH_METRIC_WIDTH * sizeof(float), &t->metrics);
    if (st == LEHR_OK) st = lh_buffer_create(t->dev, 2 * sizeof(float), &t->control_buffer);
    if (st == LEHR_OK && t->control->workspace)
        st = lh_buffer_create(t->dev, t->control->workspace, &t->workspace);
    return st;
}

static lehr_status check(evaluation *e, const char *normalize)
{
    lehr_context *ctx = e->t.ctx;
    if (!e->t.model)
        return lh_fail(ctx, LEHR_E_USAGE, "the weights file does not say its model; name it with "
                       "--model");
    if (lh_normalize_find(normalize) == LH_NORMALIZE_COUNT)
        return lh_fail(ctx, LEHR_E_USAGE, "normalize is dataset or unit, not '%s'", normalize);
    lehr_model_info m;
    const lehr_data_info *d = lehr_data_get_info(e->t.data);
    lehr_model_get_info(e->t.model, &m);
    if (m.channels != d->channels || m.height != d->height || m.width != d->width ||
        m.classes < d->classes)
        return lh_fail(ctx, LEHR_E_SHAPE, "model '%s' (%ux%ux%u, %u classes) does not fit data set "
                       "'%s' (%ux%ux%u, %u classes)", m.name, m.channels, m.height, m.width,
                       m.classes, d->name, d->channels, d->height, d->width, d->classes);
    return LEHR_OK;
}

static lehr_status run(evaluation *e, const char *weights, int test, const char *normalize,
                       lehr_eval_result *result)
{
    lh_trainer *t = &e->t;
    const lehr_data_info *info = lehr_data_get_info(t->data);
    uint64_t count = test ? info->test_count : info->train_count;
    lehr_status st = lh_is_dir(weights) ? open_run(e, weights, &weights, &normalize)
                                        : open_file(e, weights, &normalize);
    if (st == LEHR_OK) st = check(e, normalize ? normalize : "dataset");
    if (st == LEHR_OK)
        st = lh_feed_create(t->dev, t->data, test, (int)t->p.batch, LH_AUGMENT_NONE,
                            lh_normalize_find(normalize ? normalize : "dataset"), &t->feed);
    if (st == LEHR_OK)
        st = lh_network_create(t->dev, t->model, (int)t->p.batch, LH_LOSS_CROSS_ENTROPY, false,
                               &t->net);
    if (st == LEHR_OK) st = make_buffers(e);
    if (st == LEHR_OK) st = lh_weights_load(t->ctx, t->dev, t->net, weights);
    e->order = st == LEHR_OK ? lh_alloc(t->ctx, (size_t)count, sizeof *e->order) : NULL;
    if (st == LEHR_OK && !e->order) st = LEHR_E_MEMORY;
    for (uint64_t i = 0; e->order && i < count; i++) e->order[i] = (int32_t)i;
    if (st == LEHR_OK) st = lh_feed_order(t->feed, LH_LIST_VALIDATION, e->order, count);
    double start = lh_now();
    if (st == LEHR_OK)
        st = lh_trainer_evaluate(t, t->feed, LH_LIST_VALIDATION, count, &result->loss,
                                 &result->accuracy);
    result->seconds = lh_now() - start;
    result->count = count;
    return st;
}

lehr_status lehr_evaluate(lehr_device *device, const lehr_model *model, const lehr_data *data,
                          const char *weights, int test, uint32_t batch, const char *normalize,
                          lehr_eval_result *result)
{
    evaluation e = {.t = {.ctx = lh_device_context(device), .dev = device, .model = model,
                          .data = data}};
    lh_enter(e.t.ctx);
    e.t.p.batch = batch ? batch : 128;
    *result = (lehr_eval_result){0};
    lehr_status st = run(&e, weights, test, normalize, result);
    lh_trainer_release(&e.t);
    lehr_model_destroy(&e.own_model);
    lh_safetensors_free(&e.file);
    lh_settings_free(&e.stored);
    free(e.checkpoint);
    free(e.order);
    return st;
}
