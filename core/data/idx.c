/* SPDX-License-Identifier: MIT
 *
 * IDX files as MNIST, Fashion-MNIST and EMNIST use them: a big-endian magic number (00 00 08 and the
 * number of dimensions), the dimensions, then bytes.  Args: DIR[,classes=N]. */
#include "core/data/data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/files.h"

enum { MAX_SIDE = 65535 };

typedef struct idx_file {
    lh_str path;
    char *bytes;
    uint32_t dims[3]; /* count, height, width */
    const uint8_t *values;
} idx_file;

static uint32_t big_endian(const char *bytes)
{
    const unsigned char *b = (const unsigned char *)bytes;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Finds "train-images-idx3-ubyte" and the like; some copies have a dot for the second dash. */
static lehr_status find_file(lehr_context *ctx, const char *dir, const char *part,
                             const char *noun, unsigned rank, lh_str *path)
{
    char name[64];
    for (int dot = 0; dot < 2; dot++) {
        snprintf(name, sizeof name, "%s-%s%cidx%u-ubyte", part, noun, dot ? '.' : '-', rank);
        lh_path_join(path, dir, name);
        if (lh_file_exists(lh_str_text(path))) return LEHR_OK;
        lh_str_add(path, ".gz");
        if (lh_file_exists(lh_str_text(path)))
            return lh_fail(ctx, LEHR_E_DATA, "'%s' is still packed: gunzip it", lh_str_text(path));
    }
    if (!lh_is_dir(dir)) return lh_fail(ctx, LEHR_E_DATA, "there is no directory '%s'", dir);
    return lh_fail(ctx, LEHR_E_DATA, "there is no %s-%s-idx%u-ubyte in '%s'", part, noun, rank, dir);
}

static lehr_status load(lehr_context *ctx, const char *dir, const char *part, const char *noun,
                        unsigned rank, idx_file *file)
{
    size_t size, header = 4 + 4 * (size_t)rank;
    lehr_status status = find_file(ctx, dir, part, noun, rank, &file->path);
    if (!status)
        status = lh_file_read(ctx, lh_str_text(&file->path), 0, LEHR_E_DATA, &file->bytes, &size);
    if (status) return status;
    const char *path = lh_str_text(&file->path);
    uint32_t wanted = 0x0800 + rank, magic = size >= 4 ? big_endian(file->bytes) : 0;
    if (size >= 2 && magic >> 16 == 0x1f8b)
        return lh_fail(ctx, LEHR_E_DATA, "'%s' is compressed (gzip): unpack it first", path);
    if (magic != wanted)
        return lh_fail(ctx, LEHR_E_DATA,
                       "'%s' begins with %08x instead of %08x: it is no IDX file of %s", path, magic,
                       wanted, noun);
    if (size < header)
        return lh_fail(ctx, LEHR_E_DATA, "'%s' ends within its header: it is incomplete", path);
    uint64_t values = 1;
    for (unsigned d = 0; d < rank; d++) {
        file->dims[d] = big_endian(file->bytes + 4 + 4 * d);
        if (!file->dims[d] || file->dims[d] > (d ? (uint32_t)MAX_SIDE : (uint32_t)INT32_MAX))
            return lh_fail(ctx, LEHR_E_DATA, "'%s': dimension %u is %u", path, d, file->dims[d]);
        values *= file->dims[d]; /* at most 2^63: no overflow */
    }
    if (values != size - header)
        return lh_fail(ctx, LEHR_E_DATA,
                       "'%s' announces %llu bytes of %s and has %llu: it is damaged or incomplete",
                       path, (unsigned long long)values, noun, (unsigned long long)(size - header));
    file->values = (const uint8_t *)file->bytes + header;
    return LEHR_OK;
}

static lehr_status check_labels(lehr_context *ctx, const idx_file *file, uint32_t classes)
{
    for (uint32_t i = 0; i < file->dims[0]; i++)
        if (file->values[i] >= classes)
            return lh_fail(ctx, LEHR_E_DATA,
                           "'%s', record %u (counted from 0): label %u is not below %u; for more "
                           "classes: idx:DIR,classes=N",
                           lh_str_text(&file->path), i, file->values[i], classes);
    return LEHR_OK;
}

/* images and labels of both parts must agree in number, and both parts in size. */
static lehr_status check_agreement(lehr_context *ctx, idx_file images[2], idx_file labels[2])
{
    for (int part = 0; part < 2; part++) {
        if (images[part].dims[0] != labels[part].dims[0])
            return lh_fail(ctx, LEHR_E_DATA, "'%s' has %u images, '%s' has %u labels",
                           lh_str_text(&images[part].path), images[part].dims[0],
                           lh_str_text(&labels[part].path), labels[part].dims[0]);
    }
    if (images[0].dims[1] != images[1].dims[1] || images[0].dims[2] != images[1].dims[2])
        return lh_fail(ctx, LEHR_E_DATA, "'%s' has images of %u x %u, '%s' of %u x %u",
                       lh_str_text(&images[0].path), images[0].dims[1], images[0].dims[2],
                       lh_str_text(&images[1].path), images[1].dims[1], images[1].dims[2]);
    return LEHR_OK;
}

static lehr_status read_all(lehr_context *ctx, const char *dir, uint32_t classes, lehr_data *data,
                            idx_file images[2], idx_file labels[2])
{
    static const char *const parts[] = {"train", "t10k"};
    lehr_status status = LEHR_OK;
    for (int part = 0; part < 2 && !status; part++) {
        status = load(ctx, dir, parts[part], "images", 3, &images[part]);
        if (!status) status = load(ctx, dir, parts[part], "labels", 1, &labels[part]);
        if (!status) status = check_labels(ctx, &labels[part], classes);
    }
    if (!status) status = check_agreement(ctx, images, labels);
    if (!status)
        status = lh_data_allocate(ctx, data,
                                  (const uint32_t[]){1, images[0].dims[1], images[0].dims[2]},
                                  classes, images[0].dims[0], images[1].dims[0]);
    for (int part = 0; part < 2 && !status; part++) {
        size_t count = images[part].dims[0];
        size_t pixels = (size_t)images[part].dims[1] * images[part].dims[2];
        memcpy(data->images[part], images[part].values, count * pixels);
        memcpy(data->labels[part], labels[part].values, count);
    }
    return status;
}

/* Splits "DIR,classes=N"; a directory name may hold commas of its own. */
static lehr_status parse_args(lehr_context *ctx, const char *args, lh_str *dir, uint32_t *classes)
{
    static const char option[] = ",classes=";
    const char *comma = strrchr(args, ',');
    *classes = 10;
    if (!comma || strncmp(comma, option, sizeof option - 1) != 0) {
        lh_str_add(dir, args);
        return LEHR_OK;
    }
    uint64_t value;
    if (!lh_parse_u64(comma + sizeof option - 1, &value) || value < 1 ||
        value > LH_DATA_MAX_CLASSES)
        return lh_fail(ctx, LEHR_E_USAGE, "idx: '%s' is not a number of classes (1 to %d)",
                       comma + sizeof option - 1, LH_DATA_MAX_CLASSES);
    *classes = (uint32_t)value;
    lh_str_add_bytes(dir, args, (size_t)(comma - args));
    return LEHR_OK;
}

lehr_status lh_data_open_idx(lehr_context *ctx, const char *args, lehr_data *data)
{
    idx_file images[2] = {0}, labels[2] = {0};
    lh_str dir = {0};
    uint32_t classes;
    char suffix[32] = "";
    lehr_status status = parse_args(ctx, args, &dir, &classes);
    if (!status && !dir.length)
        status = lh_fail(ctx, LEHR_E_USAGE, "idx needs a directory: idx:DIR");
    if (!status) status = read_all(ctx, dir.text, classes, data, images, labels);
    if (classes != 10) snprintf(suffix, sizeof suffix, ",classes=%u", classes);
    if (!status) status = lh_data_set_spec(ctx, data, "idx", dir.text, suffix);
    for (int part = 0; part < 2; part++) {
        free(images[part].bytes);
        free(labels[part].bytes);
        lh_str_free(&images[part].path);
        lh_str_free(&labels[part].path);
    }
    lh_str_free(&dir);
    return status;
}
