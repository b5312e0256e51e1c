/* SPDX-License-Identifier: MIT
 *
 * run.json: what a run is.  One table of settings drives writing, reading back and comparing. */
#include "core/train/trainer.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/runtime/cache.h"

typedef enum setting_type { SETTING_TEXT, SETTING_REAL, SETTING_U64, SETTING_U32 } setting_type;

typedef struct setting {
    const char *key;
    setting_type type;
    size_t offset;
    bool fixed; /* a resumed run must agree in it */
} setting;

#define ROW(field, type, fixed) {#field, type, offsetof(lehr_train_params, field), fixed}
static const setting settings_table[] = {
    ROW(optimizer, SETTING_TEXT, true),
    ROW(schedule, SETTING_TEXT, true),
    ROW(group, SETTING_TEXT, true),
    ROW(lr, SETTING_REAL, true),
    ROW(epochs, SETTING_U64, true),
    ROW(max_steps, SETTING_U64, false),
    ROW(batch, SETTING_U32, true),
    ROW(accumulate, SETTING_U32, true),
    ROW(seed, SETTING_U64, true),
    ROW(limit_train, SETTING_U64, true),
    ROW(limit_val, SETTING_U64, true),
    ROW(val_fraction, SETTING_REAL, true),
    ROW(augment, SETTING_TEXT, true),
    ROW(normalize, SETTING_TEXT, true),
    ROW(loss, SETTING_TEXT, true),
    ROW(no_shuffle, SETTING_U32, true),
    ROW(weight_decay, SETTING_REAL, true),
    ROW(clip_norm, SETTING_REAL, true),
    ROW(clip_value, SETTING_REAL, true),
    ROW(label_smoothing, SETTING_REAL, true),
    ROW(early_stop, SETTING_U32, true),
    ROW(checkpoint_every, SETTING_TEXT, false),
    ROW(init, SETTING_TEXT, false),
    ROW(save_weights, SETTING_TEXT, false),
};
#undef ROW

struct lh_settings {
    json_t *root;
};

static void *at(void *params, const setting *s) { return (char *)params + s->offset; }
static const void *at_const(const lehr_train_params *params, const setting *s)
{
    return (const char *)params + s->offset;
}

/* ---- writing ---- */

static void add_value(lh_str *s, const setting *row, const lehr_train_params *p)
{
    const void *value = at_const(p, row);
    const char *text;
    switch (row->type) {
    case SETTING_TEXT:
        text = *(const char *const *)value;
        if (text)
            lh_str_json(s, text);
        else
            lh_str_add(s, "null");
        break;
    case SETTING_REAL: lh_str_json_number(s, *(const double *)value); break;
    case SETTING_U64: lh_str_printf(s, "%llu", (unsigned long long)*(const uint64_t *)value); break;
    case SETTING_U32: lh_str_printf(s, "%u", *(const uint32_t *)value); break;
    }
}

static void add_settings(lh_str *s, const lehr_train_params *p)
{
    lh_str_add(s, "  \"settings\": {");
    for (size_t i = 0; i < LH_COUNT(settings_table); i++) {
        lh_str_printf(s, "%s\n    \"%s\": ", i ? "," : "", settings_table[i].key);
        add_value(s, &settings_table[i], p);
    }
    lh_str_add(s, "\n  },\n");
}

static void add_pair(lh_str *s, const char *key, const char *value, const char *end)
{
    lh_str_printf(s, "    \"%s\": ", key);
    lh_str_json(s, value);
    lh_str_add(s, end);
}

static void add_number(lh_str *s, const char *key, double value, const char *end)
{
    lh_str_printf(s, "    \"%s\": ", key);
    lh_str_json_number(s, value);
    lh_str_add(s, end);
}

/* Each group: what was given, and the tensors that it came to. */
static void add_groups(lh_str *s, const lh_tuning *tuning)
{
    const lh_groups *g = &tuning->groups;
    if (g->count) lh_str_add(s, "    \"groups\": [");
    for (uint32_t k = 0; k < g->count; k++) {
        const char *comma = "";
        lh_str_add(s, k ? ",\n      {\"group\": " : "\n      {\"group\": ");
        lh_str_json(s, g->at[k].text);
        lh_str_add(s, ", \"tensors\": [");
        for (uint32_t i = 0; i < g->tensor_count; i++) {
            if (g->tensors[i].is_stat || g->owner[i] != k) continue;
            lh_str_add(s, comma);
            lh_str_json(s, g->tensors[i].name);
            comma = ", ";
        }
        lh_str_add(s, "]}");
    }
    if (g->count) lh_str_add(s, "\n    ],\n");
}

static void add_model(lh_str *s, const lh_trainer *t)
{
    lehr_model_info info;
    lehr_model_get_info(t->model, &info);
    lh_str_add(s, "  \"model\": {\n");
    add_pair(s, "name", info.name, ",\n");
    add_number(s, "parameters", (double)info.parameters, ",\n");
    add_pair(s, "text", info.text, "\n  },\n");
}

static void add_data(lh_str *s, const lh_trainer *t)
{
    const lehr_data_info *info = lehr_data_get_info(t->data);
    float mean[4], inv_std[4];
    lh_feed_normalization(t->feed, mean, inv_std);
    lh_str_add(s, "  \"data\": {\n");
    add_pair(s, "name", info->name, ",\n");
    add_pair(s, "spec", info->spec, ",\n");
    add_pair(s, "sha256", info->sha256, ",\n");
    add_number(s, "train_count", (double)t->split.train_count, ",\n");
    add_number(s, "val_count", (double)t->split.val_count, ",\n");
    add_number(s, "test_count", (double)info->test_count, ",\n");
    lh_str_add(s, "    \"normalization\": {\"formula\": \"(pixel / 255 - mean) / std\", \"mean\": [");
    for (uint32_t c = 0; c < info->channels && c < 4; c++) {
        lh_str_add(s, c ? ", " : "");
        lh_str_json_number(s, (double)mean[c]);
    }
    lh_str_add(s, "], \"std\": [");
    for (uint32_t c = 0; c < info->channels && c < 4; c++) {
        lh_str_add(s, c ? ", " : "");
        lh_str_json_number(s, 1.0 / (double)inv_std[c]);
    }
    lh_str_add(s, "]}\n  },\n");
}

static void add_device(lh_str *s, const lh_trainer *t)
{
    const lehr_device_info *d = lehr_device_get_info(t->dev);
    lh_str_add(s, "  \"device\": {\n");
    add_pair(s, "name", d->name, ",\n");
    add_pair(s, "platform", d->platform, ",\n");
    add_pair(s, "driver", d->driver, ",\n");
    add_pair(s, "version", d->version, ",\n");
    add_pair(s, "family", d->family, ",\n");
    add_number(s, "buffers_bytes", (double)(lh_network_bytes(t->net) + lh_feed_bytes(t->feed)),
               "\n  },\n");
}

static void add_plugins(lh_str *s, const lh_trainer *t)
{
    lh_str_add(s, "  \"plugins\": [");
    uint32_t count = t->registry ? lehr_registry_plugin_count(t->registry) : 0;
    for (uint32_t i = 0; i < count; i++) {
        lehr_plugin_info info;
        lehr_registry_plugin(t->registry, i, &info);
        lh_str_printf(s, "%s\n    {\"id\": ", i ? "," : "");
        lh_str_json(s, info.id);
        lh_str_add(s, ", \"version\": ");
        lh_str_json(s, info.version);
        lh_str_add(s, ", \"path\": ");
        lh_str_json(s, info.path);
        lh_str_add(s, ", \"sha256\": ");
        lh_str_json(s, info.sha256);
        lh_str_add(s, "}");
    }
    lh_str_add(s, "\n  ],\n");
}

static void add_kernels(lh_str *s, const lh_trainer *t)
{
    lh_str lines = {0};
    lh_network_describe(t->net, &lines);
    lh_str_add(s, "  \"kernels\": [");
    const char *at_line = lh_str_text(&lines);
    for (bool first = true; *at_line; first = false) {
        size_t length = strcspn(at_line, "\n");
        char line[192];
        snprintf(line, sizeof line, "%.*s", (int)(length < 190 ? length : 190), at_line);
        lh_str_add(s, first ? "\n    " : ",\n    ");
        lh_str_json(s, line);
        at_line += length + (at_line[length] != '\0');
    }
    lh_str_add(s, "\n  ],\n");
    lh_str_free(&lines);
}

/* Which kernel answers what, and why: a run that is continued takes the same again. */
static void add_choices(lh_str *s, const lh_trainer *t)
{
    const lh_kept *row;
    lh_str_add(s, "  \"choices\": [");
    for (size_t i = 0; (row = lh_kept_row(t->dev, LH_KEPT_CHOSEN, i)) != NULL; i++) {
        const char *const texts[][2] = {{"op", row->op}, {"problem", row->problem},
                                        {"variant", row->variant},
                                        {"parameters", row->parameters}, {"why", row->note}};
        lh_str_add(s, i ? ",\n    {" : "\n    {");
        for (size_t k = 0; k < LH_COUNT(texts); k++) {
            lh_str_printf(s, "%s\"%s\": ", k ? ", " : "", texts[k][0]);
            lh_str_json(s, texts[k][1] ? texts[k][1] : "");
        }
        lh_str_add(s, "}");
    }
    lh_str_add(s, "\n  ],\n");
}

static void add_result(lh_str *s, const lh_trainer *t, bool finished)
{
    const lehr_train_result *r = t->result;
    lh_str_printf(s, "  \"finished\": %s,\n  \"result\": {\n", finished ? "true" : "false");
    add_number(s, "steps", (double)r->steps, ",\n");
    add_number(s, "epochs", (double)r->epochs, ",\n");
    add_number(s, "loss", r->loss, ",\n");
    add_number(s, "accuracy", r->accuracy, ",\n");
    add_number(s, "val_loss", r->val_loss, ",\n");
    add_number(s, "val_accuracy", r->val_accuracy, ",\n");
    add_number(s, "best_val_accuracy", r->best_val_accuracy, ",\n");
    add_number(s, "best_epoch", (double)r->best_epoch, ",\n");
    add_number(s, "test_loss", r->test_loss, ",\n");
    add_number(s, "test_accuracy", r->test_accuracy, ",\n");
    add_number(s, "seconds", r->seconds, ",\n");
    add_number(s, "diverged", r->diverged, ",\n");
    add_number(s, "stopped_early", r->stopped_early, "\n  }\n");
}

lehr_status lh_settings_write(lh_trainer *t, bool finished)
{
    lh_str s = {0}, path = {0};
    lh_str_add(&s, "{\n  \"format\": 1,\n  \"lehr\": ");
    lh_str_json(&s, lehr_version());
    lh_str_add(&s, ",\n");
    add_settings(&s, &t->p);
    lh_str_add(&s, "  \"resolved\": {\n");
    add_pair(&s, "optimizer", lh_updater_text(t->updater), ",\n");
    add_pair(&s, "schedule", lh_str_text(&t->tuning.text), ",\n");
    add_groups(&s, &t->tuning);
    add_number(&s, "steps_per_epoch", (double)t->steps_per_epoch, ",\n");
    add_number(&s, "total_steps", (double)t->total_steps, "\n  },\n");
    add_model(&s, t);
    add_data(&s, t);
    add_device(&s, t);
    add_plugins(&s, t);
    add_kernels(&s, t);
    add_choices(&s, t);
    add_result(&s, t, finished);
    lh_str_add(&s, "}\n");
    lh_path_join(&path, t->p.out, "run.json");
    lehr_status st = s.failed || path.failed
                         ? lh_fail(t->ctx, LEHR_E_MEMORY, "out of memory writing run.json")
                         : lh_file_write_text(t->ctx, lh_str_text(&path), lh_str_text(&s));
    lh_str_free(&s);
    lh_str_free(&path);
    return st;
}

/* ---- reading ---- */

lehr_status lh_settings_read(lehr_context *ctx, const char *dir, lh_settings **out)
{
    lh_str path = {0};
    char *text = NULL;
    size_t bytes = 0;
    json_error_t error;
    lh_path_join(&path, dir, "run.json");
    *out = NULL;
    lehr_status st = lh_file_read(ctx, lh_str_text(&path), 16u << 20, LEHR_E_CHECKPOINT, &text,
                                  &bytes);
    lh_settings *s = st == LEHR_OK ? lh_alloc(ctx, 1, sizeof *s) : NULL;
    if (st == LEHR_OK && !s) st = LEHR_E_MEMORY;
    if (st == LEHR_OK) {
        s->root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
        if (!json_is_object(json_object_get(s->root, "settings")))
            st = lh_fail(ctx, LEHR_E_CHECKPOINT, "'%s' is not a run description: %s",
                         lh_str_text(&path), s->root ? "no settings in it" : error.text);
    }
    if (st != LEHR_OK) lh_settings_free(&s);
    *out = s;
    free(text);
    lh_str_free(&path);
    return st;
}

void lh_settings_free(lh_settings **settings)
{
    if (!settings || !*settings) return;
    json_decref((*settings)->root);
    free(*settings);
    *settings = NULL;
}

lehr_status lh_settings_recall(const lh_settings *settings, lehr_device *dev)
{
    const json_t *rows = json_object_get(settings->root, "choices");
    lehr_status st = LEHR_OK;
    for (size_t i = 0; i < json_array_size(rows) && st == LEHR_OK; i++) {
        const json_t *row = json_array_get(rows, i);
        const char *op = json_string_value(json_object_get(row, "op"));
        const char *problem = json_string_value(json_object_get(row, "problem"));
        const char *variant = json_string_value(json_object_get(row, "variant"));
        const char *parameters = json_string_value(json_object_get(row, "parameters"));
        if (op && problem && variant)
            st = lh_kept_add(dev, &(lh_kept){.kind = LH_KEPT_RECORDED, .op = op, .problem = problem,
                                             .variant = variant, .parameters = parameters});
    }
    return st == LEHR_OK ? st : lh_fail(lh_device_context(dev), st, "out of memory reading run.json");
}

const char *lh_settings_text(const lh_settings *settings, const char *section, const char *key)
{
    return json_string_value(json_object_get(json_object_get(settings->root, section), key));
}

static bool same(const setting *row, const lehr_train_params *a, const lehr_train_params *b);

/* Settings that a resumed run may change are taken from the file only where the caller left them. */
void lh_settings_apply(const lh_settings *settings, lehr_train_params *p)
{
    const json_t *stored = json_object_get(settings->root, "settings");
    lehr_train_params defaults;
    lehr_train_params_init(&defaults);
    for (size_t i = 0; i < LH_COUNT(settings_table); i++) {
        const setting *row = &settings_table[i];
        const json_t *v = json_object_get(stored, row->key);
        bool callers = !row->fixed && (row->type != SETTING_TEXT || !same(row, p, &defaults));
        if (!v && row->fixed && row->type == SETTING_TEXT) /* younger than the run: not used */
            *(const char **)at(p, row) = *(const char *const *)at_const(&defaults, row);
        if (!v || callers) continue;
        switch (row->type) {
        case SETTING_TEXT: *(const char **)at(p, row) = json_string_value(v); break;
        case SETTING_REAL:
            *(double *)at(p, row) = json_is_number(v) ? json_number_value(v) : NAN;
            break;
        case SETTING_U64: *(uint64_t *)at(p, row) = (uint64_t)json_integer_value(v); break;
        case SETTING_U32: *(uint32_t *)at(p, row) = (uint32_t)json_integer_value(v); break;
        }
    }
}

static bool same(const setting *row, const lehr_train_params *a, const lehr_train_params *b)
{
    lh_str x = {0}, y = {0};
    add_value(&x, row, a);
    add_value(&y, row, b);
    bool equal = strcmp(lh_str_text(&x), lh_str_text(&y)) == 0;
    lh_str_free(&x);
    lh_str_free(&y);
    return equal;
}

static lehr_status fail_differs(lehr_context *ctx, const setting *row,
                                const lehr_train_params *stored, const lehr_train_params *given)
{
    lh_str x = {0}, y = {0};
    add_value(&x, row, stored);
    add_value(&y, row, given);
    lehr_status st = lh_fail(ctx, LEHR_E_USAGE,
                             "the run was started with %s %s, not %s; leave it out to continue the "
                             "run, or start a new one in another directory", row->key,
                             lh_str_text(&x), lh_str_text(&y));
    lh_str_free(&x);
    lh_str_free(&y);
    return st;
}

lehr_status lh_settings_compare(lehr_context *ctx, const lh_settings *settings,
                                const lehr_train_params *p, const lehr_model *model,
                                const lehr_data *data)
{
    lehr_train_params stored = *p;
    lh_settings_apply(settings, &stored);
    for (size_t i = 0; i < LH_COUNT(settings_table); i++)
        if (settings_table[i].fixed && !same(&settings_table[i], &stored, p))
            return fail_differs(ctx, &settings_table[i], &stored, p);
    lehr_model_info info;
    lehr_model_get_info(model, &info);
    const char *text = lh_settings_text(settings, "model", "text");
    const char *hash = lh_settings_text(settings, "data", "sha256");
    if (!text || strcmp(text, info.text) != 0)
        return lh_fail(ctx, LEHR_E_USAGE, "the run was started with another model ('%s')",
                       lh_settings_text(settings, "model", "name"));
    if (!hash || strcmp(hash, lehr_data_get_info(data)->sha256) != 0)
        return lh_fail(ctx, LEHR_E_DATA, "the run was started with other data (%s)",
                       lh_settings_text(settings, "data", "spec"));
    return LEHR_OK;
}

/* Resolved schedules name the hash of each table that they were read from. */
lehr_status lh_settings_same_tables(lehr_context *ctx, const char *dir, const char *schedules)
{
    static const char key[] = "sha256=";
    lh_settings *stored = NULL;
    lehr_status st = lh_settings_read(ctx, dir, &stored);
    if (st != LEHR_OK) return st;
    const char *at = lh_settings_text(stored, "resolved", "schedule");
    while (st == LEHR_OK && at && (at = strstr(at, key)) != NULL) {
        char hash[sizeof key + 64];
        snprintf(hash, sizeof hash, "%s", at);
        if (!strstr(schedules, hash))
            st = lh_fail(ctx, LEHR_E_USAGE, "a table of the schedule has changed since the run was "
                         "started; put the file with %s back, or start a new run", hash);
        at += sizeof key - 1;
    }
    lh_settings_free(&stored);
    return st;
}

/* ---- checking ---- */

static lehr_status check_words(lehr_context *ctx, const lehr_train_params *p)
{
    if (lh_augment_find(p->augment) == LH_AUGMENT_COUNT)
        return lh_fail(ctx, LEHR_E_USAGE, "augment is none, standard or cutout, not '%s'",
                       p->augment);
    if (lh_normalize_find(p->normalize) == LH_NORMALIZE_COUNT)
        return lh_fail(ctx, LEHR_E_USAGE, "normalize is dataset or unit, not '%s'", p->normalize);
    if (strcmp(p->loss, "cross_entropy") != 0 && strcmp(p->loss, "l2") != 0)
        return lh_fail(ctx, LEHR_E_USAGE, "loss is cross_entropy or l2, not '%s'", p->loss);
    return LEHR_OK;
}

lehr_status lh_settings_check(lehr_context *ctx, const lehr_train_params *p)
{
    const struct {
        const char *name;
        double value, min, max;
        bool open_max;
    } ranges[] = {
        {"epochs", (double)p->epochs, 1, 1e9, false},
        {"batch", p->batch, 1, 65536, false},
        {"accumulate", p->accumulate, 1, 65536, false},
        {"val_fraction", p->val_fraction, 0, 1, true},
        {"weight_decay", isnan(p->weight_decay) ? 0 : p->weight_decay, 0, 1e6, false},
        {"clip_norm", p->clip_norm, 0, 1e30, false},
        {"clip_value", p->clip_value, 0, 1e30, false},
        {"label_smoothing", p->label_smoothing, 0, 1, true},
    };
    for (size_t i = 0; i < LH_COUNT(ranges); i++)
        if (!(ranges[i].value >= ranges[i].min && ranges[i].value <= ranges[i].max) ||
            (ranges[i].open_max && ranges[i].value >= ranges[i].max))
            return lh_fail(ctx, LEHR_E_PARAM, "%s is %g; it must be in [%g, %g%c", ranges[i].name,
                           ranges[i].value, ranges[i].min, ranges[i].max,
                           ranges[i].open_max ? ')' : ']');
    if (!isnan(p->lr) && !(p->lr > 0 && p->lr <= 3e38)) /* a float on the device */
        return lh_fail(ctx, LEHR_E_PARAM, "the learning rate is %g; it must be a positive number, "
                       "e.g. 0.1", p->lr);
    if (p->seed > INT64_MAX)
        return lh_fail(ctx, LEHR_E_PARAM, "the seed must be below 2^63");
    return check_words(ctx, p);
}
