/* SPDX-License-Identifier: MIT
 *
 * Opening a data set by its spec, and what all kinds share: allocation, hash, mean and standard
 * deviation, names. */
#define _GNU_SOURCE
#include "core/data/data.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/files.h"

static const lh_data_kind kinds[] = {
    {"cifar10", lh_data_open_cifar10},
    {"cifar100", lh_data_open_cifar100},
    {"idx", lh_data_open_idx},
    {"synthetic", lh_data_open_synthetic},
};

static size_t image_bytes(const lehr_data *data)
{
    return (size_t)data->info.channels * data->info.height * data->info.width;
}

static uint64_t part_count(const lehr_data *data, int test)
{
    return test ? data->info.test_count : data->info.train_count;
}

lehr_status lh_data_allocate(lehr_context *ctx, lehr_data *data, const uint32_t shape[3],
                             uint32_t classes, uint64_t train_count, uint64_t test_count)
{
    data->info.channels = shape[0];
    data->info.height = shape[1];
    data->info.width = shape[2];
    data->info.classes = classes;
    data->info.train_count = train_count;
    data->info.test_count = test_count;
    for (int part = 0; part < 2; part++) {
        size_t count = (size_t)part_count(data, part);
        data->images[part] = lh_alloc(ctx, count, image_bytes(data));
        data->labels[part] = lh_alloc(ctx, count, 1);
        if (!data->images[part] || !data->labels[part]) return LEHR_E_MEMORY;
    }
    return LEHR_OK;
}

lehr_status lh_data_set_spec(lehr_context *ctx, lehr_data *data, const char *kind,
                             const char *path, const char *suffix)
{
    char *real = realpath(path, NULL);
    int length = snprintf(data->info.spec, sizeof data->info.spec, "%s:%s%s", kind,
                          real ? real : path, suffix);
    free(real);
    if (length < 0 || (size_t)length >= sizeof data->info.spec)
        return lh_fail(ctx, LEHR_E_DATA, "the path '%s' is too long", path);
    return LEHR_OK;
}

lehr_status lh_data_set_names(lehr_context *ctx, lehr_data *data, const char *const *names)
{
    data->class_names = lh_alloc(ctx, data->info.classes, sizeof *data->class_names);
    if (!data->class_names) return LEHR_E_MEMORY;
    for (uint32_t i = 0; i < data->info.classes; i++) {
        data->class_names[i] = lh_strdup(ctx, names[i]);
        if (!data->class_names[i]) return LEHR_E_MEMORY;
    }
    return LEHR_OK;
}

static void hash_all(lehr_data *data)
{
    lh_sha256_state state;
    lh_sha256_start(&state);
    for (int part = 0; part < 2; part++) {
        size_t count = (size_t)part_count(data, part);
        lh_sha256_add(&state, data->images[part], count * image_bytes(data));
        lh_sha256_add(&state, data->labels[part], count);
    }
    lh_sha256_end(&state, data->info.sha256);
}

/* Per channel over the training part, in exact integers; a constant channel gets std 1. */
static void measure(lehr_data *data)
{
    size_t plane = (size_t)data->info.height * data->info.width;
    for (uint32_t c = 0; c < data->info.channels; c++) {
        uint64_t histogram[256] = {0}, sum = 0, squares = 0;
        uint64_t count = data->info.train_count * plane;
        for (uint64_t i = 0; i < data->info.train_count; i++) {
            const uint8_t *pixels = data->images[0] + i * image_bytes(data) + c * plane;
            for (size_t p = 0; p < plane; p++) histogram[pixels[p]]++;
        }
        for (uint64_t v = 0; v < 256; v++) {
            sum += v * histogram[v];
            squares += v * v * histogram[v];
        }
        double mean = count ? (double)sum / (double)count : 0;
        double variance = count ? (double)squares / (double)count - mean * mean : 0;
        data->info.mean[c] = (float)(mean / 255);
        data->info.std[c] = variance > 0 ? (float)(sqrt(variance) / 255) : 1.0f;
    }
}

/* What everybody uses for CIFAR-10, so that results compare with published ones. */
static void set_statistics(lehr_data *data)
{
    static const float mean[3] = {0.4914f, 0.4822f, 0.4465f}, std[3] = {0.2470f, 0.2435f, 0.2616f};
    if (strcmp(data->info.name, "cifar10") != 0) {
        measure(data);
        return;
    }
    memcpy(data->info.mean, mean, sizeof mean);
    memcpy(data->info.std, std, sizeof std);
}

static lehr_status unknown_kind(lehr_context *ctx, const char *spec, const char *name)
{
    lh_str list = {0};
    const char *names[LH_COUNT(kinds)];
    for (size_t i = 0; i < LH_COUNT(kinds); i++) names[i] = kinds[i].name;
    if (lh_file_exists(spec))
        lh_str_printf(&list, ": a kind stands in front of the path, for example cifar10:%s", spec);
    lh_str_suggest(&list, name, names, LH_COUNT(kinds));
    lehr_status status =
        lh_fail(ctx, LEHR_E_USAGE, "unknown data set '%s'%s", name, lh_str_text(&list));
    lh_str_free(&list);
    return status;
}

lehr_status lehr_data_open(lehr_context *ctx, const char *spec, lehr_data **out)
{
    assert(ctx && spec && out);
    char name[64];
    *out = NULL;
    lh_enter(ctx);
    size_t length = strcspn(spec, ":");
    snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name - 1),
             spec);
    const lh_data_kind *kind = NULL;
    for (size_t i = 0; i < LH_COUNT(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0) kind = &kinds[i];
    if (!kind) return unknown_kind(ctx, spec, name);
    lehr_data *data = lh_alloc(ctx, 1, sizeof *data);
    if (!data) return LEHR_E_MEMORY;
    snprintf(data->info.name, sizeof data->info.name, "%s", name);
    lehr_status status = kind->open(ctx, spec[length] ? spec + length + 1 : "", data);
    if (status) {
        lehr_data_destroy(&data);
        return status;
    }
    set_statistics(data);
    hash_all(data);
    *out = data;
    return LEHR_OK;
}

static lehr_status check_memory(lehr_context *ctx, const lehr_data *data, int part,
                                const uint8_t *labels)
{
    for (uint64_t i = 0; i < part_count(data, part); i++)
        if (labels[i] >= data->info.classes)
            return lh_fail(ctx, LEHR_E_DATA,
                           "label %u of %s image %llu (counted from 0) is not below %u classes",
                           labels[i], part ? "test" : "training", (unsigned long long)i,
                           data->info.classes);
    return LEHR_OK;
}

lehr_status lehr_data_from_memory(lehr_context *ctx, uint32_t channels, uint32_t height,
                                  uint32_t width, uint32_t classes, uint64_t train_count,
                                  const uint8_t *train_images, const uint8_t *train_labels,
                                  uint64_t test_count, const uint8_t *test_images,
                                  const uint8_t *test_labels, lehr_data **out)
{
    assert(ctx && out && (!train_count || (train_images && train_labels)));
    assert(!test_count || (test_images && test_labels));
    const uint8_t *images[2] = {train_images, test_images}, *labels[2] = {train_labels, test_labels};
    const uint64_t side = UINT16_MAX;
    *out = NULL;
    lh_enter(ctx);
    if (!channels || channels > 4 || !height || height > side || !width || width > side ||
        !classes || classes > LH_DATA_MAX_CLASSES || train_count > INT32_MAX ||
        test_count > INT32_MAX)
        return lh_fail(ctx, LEHR_E_USAGE,
                       "images of %u x %u x %u in %u classes: 1 to 4 channels, sides of 1 to 65535 "
                       "and 1 to 256 classes are supported",
                       channels, height, width, classes);
    lehr_data *data = lh_alloc(ctx, 1, sizeof *data);
    if (!data) return LEHR_E_MEMORY;
    snprintf(data->info.name, sizeof data->info.name, "memory");
    snprintf(data->info.spec, sizeof data->info.spec, "memory");
    lehr_status status = lh_data_allocate(ctx, data, (const uint32_t[]){channels, height, width},
                                          classes, train_count, test_count);
    for (int part = 0; part < 2 && !status; part++) {
        size_t count = (size_t)part_count(data, part);
        status = check_memory(ctx, data, part, labels[part]);
        if (!count || status) continue;
        memcpy(data->images[part], images[part], count * image_bytes(data));
        memcpy(data->labels[part], labels[part], count);
    }
    if (status) {
        lehr_data_destroy(&data);
        return status;
    }
    set_statistics(data);
    hash_all(data);
    *out = data;
    return LEHR_OK;
}

void lehr_data_destroy(lehr_data **data)
{
    if (!data || !*data) return;
    lehr_data *d = *data;
    for (int part = 0; part < 2; part++) {
        free(d->images[part]);
        free(d->labels[part]);
    }
    for (uint32_t i = 0; d->class_names && i < d->info.classes; i++) free(d->class_names[i]);
    free(d->class_names);
    free(d);
    *data = NULL;
}

const lehr_data_info *lehr_data_get_info(const lehr_data *data) { return &data->info; }

const uint8_t *lehr_data_images(const lehr_data *data, int test) { return data->images[test != 0]; }

const uint8_t *lehr_data_labels(const lehr_data *data, int test) { return data->labels[test != 0]; }

const char *lehr_data_class_name(const lehr_data *data, uint32_t label)
{
    return data->class_names && label < data->info.classes ? data->class_names[label] : NULL;
}
