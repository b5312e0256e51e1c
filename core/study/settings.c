/* SPDX-License-Identifier: MIT
 *
 * study.json: what is compared, on what, under which settings.  A study that continues must agree
 * in everything that decides the numbers; device, command line and version are for the reader only.
 */
#include "core/study/study.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/files.h"

enum { STUDY_LIMIT = 16 << 20 };

/* ---- writing ---- */

static void key(lh_str *s, const char *name)
{
    char last = s->length ? s->text[s->length - 1] : '{';
    lh_str_printf(s, "%s\n    ", last == '{' ? "" : ",");
    lh_str_json(s, name);
    lh_str_add(s, ": ");
}

static void text_value(lh_str *s, const char *name, const char *text)
{
    key(s, name);
    if (text)
        lh_str_json(s, text);
    else
        lh_str_add(s, "null");
}

static void number_value(lh_str *s, const char *name, double value)
{
    key(s, name);
    lh_str_json_number(s, value);
}

static void count_value(lh_str *s, const char *name, uint64_t value)
{
    key(s, name);
    lh_str_printf(s, "%llu", (unsigned long long)value);
}

static void describe_device(lh_str *s, const lehr_device_info *device)
{
    lh_str_add(s, ",\n  \"device\": {");
    if (device) {
        text_value(s, "name", device->name);
        text_value(s, "platform", device->platform);
        text_value(s, "driver", device->driver);
        text_value(s, "family", device->family);
    }
    lh_str_add(s, "\n  }");
}

static void describe_data(lh_str *s, const lehr_data_info *data)
{
    lh_str_add(s, ",\n  \"data\": {");
    if (data) {
        text_value(s, "name", data->name);
        text_value(s, "spec", data->spec);
        text_value(s, "sha256", data->sha256);
        count_value(s, "channels", data->channels);
        count_value(s, "height", data->height);
        count_value(s, "width", data->width);
        count_value(s, "classes", data->classes);
        count_value(s, "train_count", data->train_count);
        count_value(s, "test_count", data->test_count);
    }
    lh_str_add(s, "\n  }");
}

static void describe_model(lh_str *s, const lehr_model_info *model)
{
    lh_str_add(s, ",\n  \"model\": {");
    if (model) {
        text_value(s, "name", model->name);
        count_value(s, "parameters", model->parameters);
        count_value(s, "forward_flops", model->forward_flops);
    }
    lh_str_add(s, "\n  }");
}

/* Everything that decides the numbers and is the same for all runs. */
static void describe_settings(lh_str *s, const lehr_train_params *t,
                              const lh_study_subject *subject)
{
    lh_str_add(s, ",\n  \"settings\": {");
    text_value(s, "data", subject->data ? subject->data->sha256 : "");
    text_value(s, "model", subject->model ? subject->model->text : "");
    count_value(s, "epochs", t->epochs);
    count_value(s, "max_steps", t->max_steps);
    count_value(s, "batch", t->batch);
    count_value(s, "accumulate", t->accumulate);
    count_value(s, "limit_train", t->limit_train);
    count_value(s, "limit_val", t->limit_val);
    number_value(s, "val_fraction", t->val_fraction);
    text_value(s, "augment", t->augment);
    text_value(s, "normalize", t->normalize);
    text_value(s, "loss", t->loss);
    count_value(s, "no_shuffle", t->no_shuffle);
    number_value(s, "weight_decay", t->weight_decay);
    number_value(s, "clip_norm", t->clip_norm);
    number_value(s, "clip_value", t->clip_value);
    number_value(s, "label_smoothing", t->label_smoothing);
    count_value(s, "early_stop", t->early_stop);
    text_value(s, "init", t->init);
    text_value(s, "group", t->group);
    lh_str_add(s, "\n  }");
}

static void describe_methods(lh_str *s, const lehr_compare_params *params,
                             const lh_study_subject *subject)
{
    lh_str_add(s, ",\n  \"methods\": [");
    for (uint32_t i = 0; i < params->method_count; i++) {
        const lehr_method *m = &params->methods[i];
        lh_str_add(s, i ? ",\n   {" : "\n   {");
        text_value(s, "name", m->name);
        text_value(s, "optimizer", m->optimizer);
        text_value(s, "schedule", m->schedule);
        number_value(s, "lr", m->lr);
        text_value(s, "group", m->group);
        if (subject->resolved && subject->resolved[i])
            text_value(s, "resolved", subject->resolved[i]);
        lh_str_add(s, "}");
    }
    lh_str_add(s, "\n  ]");
}

void lh_study_describe(lh_str *s, const lehr_compare_params *params,
                       const lh_study_subject *subject)
{
    lh_str_add(s, "{\n  \"format\": 1,\n  \"lehr\": ");
    lh_str_json(s, lehr_version());
    lh_str_add(s, ",\n  \"command\": ");
    lh_str_json(s, params->command ? params->command : "");
    lh_str_printf(s, ",\n  \"first_seed\": %llu,\n  \"seeds\": %u",
                  (unsigned long long)params->train.seed, params->seeds);
    lh_str_add(s, ",\n  \"target\": ");
    lh_str_json_number(s, params->target);
    describe_device(s, subject->device);
    describe_data(s, subject->data);
    describe_model(s, subject->model);
    describe_settings(s, &params->train, subject);
    describe_methods(s, params, subject);
    lh_str_add(s, "\n}\n");
}

/* ---- agreeing ---- */

static lehr_status differs(lehr_context *ctx, const char *dir, const char *what, const json_t *was,
                           const json_t *is)
{
    char *old = json_dumps(was, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    char *new = json_dumps(is, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    lehr_status status = lh_fail(ctx, LEHR_E_USAGE,
                                 "the study in '%s' was begun with %s %.200s, now %.200s was asked "
                                 "for; continue it with its own settings, or give another "
                                 "directory",
                                 dir, what, old ? old : "(not given)", new ? new : "(not given)");
    free(old);
    free(new);
    return status;
}

static lehr_status compare_key(lehr_context *ctx, const char *dir, const char *name,
                               const char *what, const json_t *was, const json_t *is)
{
    const json_t *a = json_object_get(was, name), *b = json_object_get(is, name);
    if (!a && json_is_null(b)) return LEHR_OK; /* a setting younger than the study, not used */
    return a && b && json_equal(a, b) ? LEHR_OK : differs(ctx, dir, what, a, b);
}

static lehr_status compare_methods(lehr_context *ctx, const char *dir, const json_t *was,
                                   const json_t *is)
{
    static const char *const keys[] = {"name", "optimizer", "schedule", "lr", "group"};
    if (json_array_size(was) != json_array_size(is)) return differs(ctx, dir, "methods", was, is);
    for (size_t i = 0; i < json_array_size(is); i++)
        for (size_t k = 0; k < LH_COUNT(keys); k++) {
            lehr_status status = compare_key(ctx, dir, keys[k], "a method's value",
                                             json_array_get(was, i), json_array_get(is, i));
            if (status != LEHR_OK) return status;
        }
    return LEHR_OK;
}

static lehr_status agree(lehr_context *ctx, const char *dir, const json_t *was, json_t *is)
{
    const char *name;
    json_t *value;
    json_t *settings = json_object_get(is, "settings");
    json_object_foreach(settings, name, value)
    {
        lehr_status status =
            compare_key(ctx, dir, name, name, json_object_get(was, "settings"), settings);
        if (status != LEHR_OK) return status;
    }
    lehr_status status = compare_key(ctx, dir, "first_seed", "first seed", was, is);
    if (status != LEHR_OK) return status;
    status =
        compare_methods(ctx, dir, json_object_get(was, "methods"), json_object_get(is, "methods"));
    if (status != LEHR_OK) return status;
    if (json_number_value(json_object_get(was, "seeds")) >
        json_number_value(json_object_get(is, "seeds")))
        return compare_key(ctx, dir, "seeds", "more seeds:", was, is);
    return LEHR_OK;
}

static lehr_status agree_with_file(lehr_context *ctx, const char *dir, const char *path, json_t *is)
{
    char *text = NULL;
    size_t bytes = 0;
    lehr_status status = lh_file_read(ctx, path, STUDY_LIMIT, LEHR_E_DATA, &text, &bytes);
    if (status != LEHR_OK) return status;
    json_error_t error;
    json_t *was = json_loadb(text, bytes, 0, &error);
    if (json_is_object(was))
        status = agree(ctx, dir, was, is);
    else
        status = lh_fail(ctx, LEHR_E_DATA, "%s: not a study (line %d: %s); give another directory",
                         path, error.line, error.text);
    json_decref(was);
    free(text);
    return status;
}

lehr_status lh_study_open(lehr_context *ctx, const char *dir, const char *text)
{
    lh_str path = {0};
    lh_path_join(&path, dir, "study.json");
    json_error_t error;
    json_t *is = json_loads(text, 0, &error);
    lehr_status status = LEHR_OK;
    if (!is)
        status =
            lh_fail(ctx, LEHR_E_USAGE, "the study's settings are not UTF-8 text: %s", error.text);
    else if (lh_file_exists(lh_str_text(&path)))
        status = agree_with_file(ctx, dir, lh_str_text(&path), is);
    if (status == LEHR_OK) status = lh_file_write_text(ctx, lh_str_text(&path), text);
    json_decref(is);
    lh_str_free(&path);
    return status;
}
