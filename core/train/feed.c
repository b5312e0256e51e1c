/* SPDX-License-Identifier: MIT
 *
 * Data sets on the device. */
#include "core/train/feed.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/batch/batch.h"

enum { CROP_PAD = 4, CUTOUT_SIDE = 8, LISTS = 2 };

struct lh_feed {
    lehr_device *dev;
    cl_mem images, labels, order[LISTS], workspace;
    lh_exec *plain, *augmented;
    float mean[4], inv_std[4];
    size_t bytes;
    uint64_t count;
};

static const char *const augment_names[LH_AUGMENT_COUNT] = {"none", "standard", "cutout"};
static const char *const normalize_names[LH_NORMALIZE_COUNT] = {"dataset", "unit"};

const char *lh_augment_name(lh_augment augment) { return augment_names[augment]; }
const char *lh_normalize_name(lh_normalize normalize) { return normalize_names[normalize]; }

static int find(const char *const *names, int count, const char *name)
{
    int i = 0;
    while (i < count && strcmp(names[i], name) != 0) i++;
    return i;
}

lh_augment lh_augment_find(const char *name)
{
    return (lh_augment)find(augment_names, LH_AUGMENT_COUNT, name);
}

lh_normalize lh_normalize_find(const char *name)
{
    return (lh_normalize)find(normalize_names, LH_NORMALIZE_COUNT, name);
}

static lehr_status upload(lh_feed *f, const lehr_data *data, int test, const lehr_data_info *info)
{
    size_t image = (size_t)info->channels * info->height * info->width, n = (size_t)f->count;
    lehr_status st = lh_buffer_create(f->dev, n * image, &f->images);
    if (st == LEHR_OK)
        st = lh_buffer_write(f->dev, f->images, 0, n * image, lehr_data_images(data, test));
    if (st == LEHR_OK) st = lh_buffer_create(f->dev, n, &f->labels);
    if (st == LEHR_OK) st = lh_buffer_write(f->dev, f->labels, 0, n, lehr_data_labels(data, test));
    for (int i = 0; i < LISTS && st == LEHR_OK; i++)
        st = lh_buffer_create(f->dev, n * sizeof(int32_t), &f->order[i]);
    f->bytes = n * (image + 1 + LISTS * sizeof(int32_t));
    return st;
}

static lehr_status make_kernels(lh_feed *f, const lehr_data_info *info, int batch,
                                lh_augment augment)
{
    lh_batch_problem p = {.n = batch, .c = (int)info->channels, .h = (int)info->height,
                          .w = (int)info->width, .images = (int)f->count};
    lehr_status st = lh_exec_create(f->dev, &lh_batch, &p, &f->plain);
    if (augment != LH_AUGMENT_NONE && st == LEHR_OK) {
        p.pad = CROP_PAD;
        p.flip = true;
        p.cutout = augment == LH_AUGMENT_CUTOUT ? CUTOUT_SIDE : 0;
        st = lh_exec_create(f->dev, &lh_batch, &p, &f->augmented);
    }
    size_t workspace = st == LEHR_OK ? f->plain->workspace : 0;
    if (st == LEHR_OK && f->augmented && f->augmented->workspace > workspace)
        workspace = f->augmented->workspace;
    if (st == LEHR_OK && workspace) st = lh_buffer_create(f->dev, workspace, &f->workspace);
    return st;
}

lehr_status lh_feed_create(lehr_device *dev, const lehr_data *data, int test, int batch,
                           lh_augment augment, lh_normalize normalize, lh_feed **out)
{
    lehr_context *ctx = lh_device_context(dev);
    const lehr_data_info *info = lehr_data_get_info(data);
    *out = NULL;
    uint64_t count = test ? info->test_count : info->train_count;
    if (count == 0 || count > INT32_MAX)
        return lh_fail(ctx, LEHR_E_DATA, "data set '%s' has %llu %s images", info->name,
                       (unsigned long long)count, test ? "test" : "training");
    if (info->channels > 4)
        return lh_fail(ctx, LEHR_E_SHAPE, "data set '%s' has %u channels; at most 4 are supported",
                       info->name, info->channels);
    lh_feed *f = lh_alloc(ctx, 1, sizeof *f);
    if (!f) return LEHR_E_MEMORY;
    f->dev = dev;
    f->count = count;
    for (uint32_t c = 0; c < 4; c++) {
        bool use = normalize == LH_NORMALIZE_DATASET && c < info->channels;
        f->mean[c] = use ? info->mean[c] : 0;
        f->inv_std[c] = use && info->std[c] > 0 ? 1 / info->std[c] : 1;
    }
    if (count < (uint64_t)batch) batch = (int)count; /* no larger one is ever taken */
    lehr_status st = upload(f, data, test, info);
    if (st == LEHR_OK) st = make_kernels(f, info, batch, augment);
    if (st != LEHR_OK) lh_feed_destroy(&f);
    *out = f;
    return st;
}

void lh_feed_destroy(lh_feed **feed)
{
    if (!feed || !*feed) return;
    lh_feed *f = *feed;
    lh_exec_destroy(&f->plain);
    lh_exec_destroy(&f->augmented);
    lh_buffer_free(&f->images);
    lh_buffer_free(&f->labels);
    for (int i = 0; i < LISTS; i++) lh_buffer_free(&f->order[i]);
    lh_buffer_free(&f->workspace);
    free(f);
    *feed = NULL;
}

lehr_status lh_feed_order(lh_feed *f, int list, const int32_t *indices, uint64_t count)
{
    return lh_buffer_write(f->dev, f->order[list], 0, (size_t)count * sizeof *indices, indices);
}

lehr_status lh_feed_batch(lh_feed *f, lh_network *net, int list, uint64_t offset, int n,
                          bool augment, uint64_t seed, uint32_t epoch)
{
    lh_exec *exec = augment && f->augmented ? f->augmented : f->plain;
    lh_args a = {.workspace = f->workspace, .n = n, .seed = seed, .epoch = epoch, .offset = offset};
    a.buf[LH_BATCH_IMAGES] = f->images;
    a.buf[LH_BATCH_SOURCE_LABELS] = f->labels;
    a.buf[LH_BATCH_ORDER] = f->order[list];
    a.buf[LH_BATCH_X] = lh_network_input(net);
    a.buf[LH_BATCH_LABELS] = lh_network_labels(net);
    memcpy(a.scalar, f->mean, sizeof f->mean);
    memcpy(a.scalar + 4, f->inv_std, sizeof f->inv_std);
    return lh_exec_run(exec, &a);
}

void lh_feed_normalization(const lh_feed *f, float mean[4], float inv_std[4])
{
    memcpy(mean, f->mean, sizeof f->mean);
    memcpy(inv_std, f->inv_std, sizeof f->inv_std);
}

size_t lh_feed_bytes(const lh_feed *f) { return f->bytes; }
