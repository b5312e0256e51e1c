/* SPDX-License-Identifier: MIT
 *
 * Reading a study back from its directory. */
#include "core/study/study.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/files.h"

enum { STUDY_LIMIT = 16 << 20, METHOD_LIMIT = 10000, SEED_LIMIT = 100000 };

const char *lh_json_text(const json_t *root, const char *group, const char *key)
{
    const char *text = json_string_value(json_object_get(json_object_get(root, group), key));
    return text ? text : "";
}

double lh_json_number(const json_t *root, const char *group, const char *key)
{
    const json_t *value = json_object_get(json_object_get(root, group), key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* Everything but letters, digits, '.', '-' and '_' becomes '_': the name is typed by a user. */
void lh_run_dir(lh_str *s, const char *study_dir, const char *method, uint64_t seed)
{
    lh_str name = {0};
    for (const char *c = method; *c; c++) {
        bool plain =
            (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || strchr("0123456789-_", *c);
        bool dot = *c == '.' && c > method;
        lh_str_add_bytes(&name, plain || dot ? c : "_", 1);
    }
    lh_str runs = {0};
    lh_str_printf(&runs, "runs/%s-seed%llu", lh_str_text(&name), (unsigned long long)seed);
    lh_path_join(s, study_dir, lh_str_text(&runs));
    s->failed |= name.failed || runs.failed;
    lh_str_free(&name);
    lh_str_free(&runs);
}

void lh_study_free(lh_study *study)
{
    for (size_t i = 0; study->runs && i < (size_t)study->method_count * study->seed_count; i++)
        free(study->runs[i].message);
    free(study->runs);
    free(study->methods);
    free(study->dir);
    json_decref(study->about);
    *study = (lh_study){0};
}

static lehr_status load_about(lehr_context *ctx, lh_study *study)
{
    lh_str path = {0};
    char *text = NULL;
    size_t bytes = 0;
    lh_path_join(&path, study->dir, "study.json");
    lehr_status status =
        lh_file_read(ctx, lh_str_text(&path), STUDY_LIMIT, LEHR_E_DATA, &text, &bytes);
    if (status == LEHR_OK) {
        json_error_t error;
        study->about = json_loadb(text, bytes, 0, &error);
        if (!json_is_object(study->about))
            status = lh_fail(ctx, LEHR_E_DATA, "%s: not a study: line %d: %s", lh_str_text(&path),
                             error.line, error.text);
    }
    free(text);
    lh_str_free(&path);
    return status;
}

static const char *method_text(const json_t *method, const char *key)
{
    const char *text = json_string_value(json_object_get(method, key));
    return text ? text : "";
}

static lehr_status load_methods(lehr_context *ctx, lh_study *study)
{
    const json_t *methods = json_object_get(study->about, "methods");
    size_t count = json_array_size(methods);
    double seeds = json_number_value(json_object_get(study->about, "seeds"));
    if (!count || count > METHOD_LIMIT || !(seeds >= 1 && seeds <= SEED_LIMIT))
        return lh_fail(ctx, LEHR_E_DATA, "%s/study.json: no methods or no seeds", study->dir);
    study->method_count = (uint32_t)count;
    study->seed_count = (uint32_t)seeds;
    study->first_seed = (uint64_t)json_number_value(json_object_get(study->about, "first_seed"));
    study->methods = lh_alloc(ctx, count, sizeof *study->methods);
    study->runs = lh_alloc(ctx, count * study->seed_count, sizeof *study->runs);
    if (!study->methods || !study->runs) return LEHR_E_MEMORY;
    for (size_t m = 0; m < count; m++) {
        const json_t *method = json_array_get(methods, m);
        study->methods[m] = (lh_study_method){.name = method_text(method, "name"),
                                              .optimizer = method_text(method, "optimizer"),
                                              .schedule = method_text(method, "schedule"),
                                              .group = method_text(method, "group"),
                                              .resolved = method_text(method, "resolved"),
                                              .lr = NAN};
        const json_t *lr = json_object_get(method, "lr");
        if (json_is_number(lr)) study->methods[m].lr = json_number_value(lr);
    }
    return LEHR_OK;
}

static lehr_status load_runs(lehr_context *ctx, lh_study *study)
{
    lh_str dir = {0};
    lehr_status status = LEHR_OK;
    for (uint32_t m = 0; m < study->method_count && status == LEHR_OK; m++)
        for (uint32_t i = 0; i < study->seed_count && status == LEHR_OK; i++) {
            lh_run_record *run = lh_study_run(study, m, i);
            run->seed = study->first_seed + i;
            lh_run_dir(&dir, study->dir, study->methods[m].name, run->seed);
            status = lh_record_read(ctx, lh_str_text(&dir), run);
        }
    lh_str_free(&dir);
    return status;
}

lehr_status lh_study_load(lehr_context *ctx, const char *dir, lh_study *out)
{
    assert(ctx && dir && out);
    *out = (lh_study){.dir = lh_strdup(ctx, dir)};
    lehr_status status = out->dir ? load_about(ctx, out) : LEHR_E_MEMORY;
    if (status == LEHR_OK) status = load_methods(ctx, out);
    if (status == LEHR_OK) status = load_runs(ctx, out);
    if (status != LEHR_OK) lh_study_free(out);
    return status;
}
