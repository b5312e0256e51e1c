/* SPDX-License-Identifier: MIT
 *
 * The readers of image files: small made-up sets, each wrong in one way, and random damage. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <lehr/data.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/files.h"
#include "core/base/philox.h"
#include "tests/folder.h"

enum { PIXELS = 3072 };

static lehr_context *ctx;

static void start(void)
{
    cr_assert_eq(lehr_context_create(NULL, &ctx), LEHR_OK);
    folder_make();
    setenv("HOME", dir, 1);
    unsetenv("LEHR_DATA");
    unsetenv("XDG_DATA_HOME");
}

static void empty(void)
{
    char command[200];
    snprintf(command, sizeof command, "rm -rf '%s'/*", dir);
    cr_expect_eq(system(command), 0);
}

static void stop(void)
{
    folder_remove();
    lehr_context_destroy(&ctx);
}

TestSuite(readers, .init = start, .fini = stop);

static void put(const char *name, const void *bytes, size_t count)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    cr_assert_eq(lh_make_dirs(ctx, path), LEHR_OK);
    *slash = '/';
    FILE *f = fopen(path, "wb");
    cr_assert(f && fwrite(bytes, 1, count, f) == count && fclose(f) == 0);
}

/* Byte j of image i of a file: something that tells file, image and place apart. */
static uint8_t pixel(size_t file, size_t i, size_t j) { return (uint8_t)(file * 31 + i * 7 + j); }

static void put_records(const char *name, size_t file, size_t records, size_t label_bytes,
                        unsigned classes)
{
    size_t record = label_bytes + PIXELS;
    uint8_t *bytes = malloc(records * record + 1);
    for (size_t i = 0; i < records; i++) {
        uint8_t *at = bytes + i * record;
        at[0] = 1;
        at[label_bytes - 1] = (uint8_t)((file + i) % classes);
        for (size_t j = 0; j < PIXELS; j++) at[label_bytes + j] = pixel(file, i, j);
    }
    put(name, bytes, records * record);
    free(bytes);
}

static void put_cifar10(const char *folder)
{
    char name[100];
    for (size_t file = 1; file <= 5; file++) {
        snprintf(name, sizeof name, "%sdata_batch_%zu.bin", folder, file);
        put_records(name, file, 18 + file, 1, 10);
    }
    snprintf(name, sizeof name, "%stest_batch.bin", folder);
    put_records(name, 6, 4, 1, 10);
}

static lehr_status try_open(const char *kind, const char *below, lehr_data **out)
{
    char spec[300];
    snprintf(spec, sizeof spec, "%s:%s%s", kind, dir, below);
    return lehr_data_open(ctx, spec, out);
}

/* Opening must fail with LEHR_E_DATA and a message that has both texts. */
static void expect_refused(const char *kind, const char *text1, const char *text2)
{
    lehr_data *data = NULL;
    cr_expect_eq(try_open(kind, "", &data), LEHR_E_DATA, "%s", text1);
    cr_expect_null(data);
    const char *message = lehr_context_message(ctx);
    cr_expect(strstr(message, text1) && strstr(message, text2), "'%s' '%s': %s", text1, text2,
              message);
}

static void expect_cifar10(lehr_data *data)
{
    const lehr_data_info *info = lehr_data_get_info(data);
    cr_expect_str_eq(info->name, "cifar10");
    cr_expect_eq(info->train_count, 19 + 20 + 21 + 22 + 23);
    cr_expect_eq(info->test_count, 4);
    cr_expect(info->channels == 3 && info->height == 32 && info->width == 32);
    cr_expect_eq(info->classes, 10);
    cr_expect_float_eq(info->mean[0], 0.4914f, 1e-7);
    cr_expect_float_eq(info->std[2], 0.2616f, 1e-7);
    cr_expect_eq(strlen(info->sha256), 64);
    size_t second = 19; /* first image of the second file */
    cr_expect_eq(lehr_data_labels(data, 0)[second + 3], 2 + 3);
    cr_expect_eq(lehr_data_images(data, 0)[(second + 3) * PIXELS + 9], pixel(2, 3, 9));
    cr_expect_eq(lehr_data_labels(data, 1)[3], 9);
    cr_expect_eq(lehr_data_images(data, 1)[3 * PIXELS + 3071], pixel(6, 3, 3071));
    cr_expect_str_eq(lehr_data_class_name(data, 9), "truck");
    cr_expect_null(lehr_data_class_name(data, 10));
    lehr_data_destroy(&data);
    cr_expect_null(data);
}

Test(readers, cifar10_is_found_where_it_may_lie)
{
    static const char *const folders[] = {"", "cifar-10-batches-bin/"};
    lehr_data *data;
    for (size_t i = 0; i < LH_COUNT(folders); i++) {
        put_cifar10(folders[i]);
        cr_assert_eq(try_open("cifar10", "", &data), LEHR_OK, "%s", lehr_context_message(ctx));
        cr_expect(strstr(lehr_data_get_info(data)->spec, dir));
        expect_cifar10(data);
        empty();
    }
    put_cifar10(".local/share/lehr/cifar-10-batches-bin/");
    cr_assert_eq(lehr_data_open(ctx, "cifar10", &data), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_expect(strstr(lehr_data_get_info(data)->spec, "share/lehr/cifar-10-batches-bin"));
    expect_cifar10(data);
    setenv("XDG_DATA_HOME", "/nonexistent", 1);
    cr_expect_eq(lehr_data_open(ctx, "cifar10", &data), LEHR_E_DATA);
    cr_expect(strstr(lehr_context_message(ctx), "/nonexistent/lehr") &&
                  strstr(lehr_context_message(ctx), "fetch-cifar10"),
              "%s", lehr_context_message(ctx));
    put_cifar10("sets/cifar10/");
    char sets[100];
    snprintf(sets, sizeof sets, "%s/sets", dir);
    setenv("LEHR_DATA", sets, 1);
    cr_assert_eq(lehr_data_open(ctx, "cifar10", &data), LEHR_OK, "%s", lehr_context_message(ctx));
    expect_cifar10(data);
    char command[200];
    snprintf(command, sizeof command, "rm -rf '%s'/.local", dir);
    cr_expect_eq(system(command), 0);
}

Test(readers, cifar10_wrong_in_one_way)
{
    char *bytes = calloc(1, 20 * 3073);
    lehr_data *data;
    expect_refused("cifar10", "no data_batch_1.bin", "fetch-cifar10");
    put("data_batch_1", "x", 1);
    expect_refused("cifar10", "this is the python version", "the binary version is needed");
    empty();
    put("cifar-10-batches-py/data_batch_1", "x", 1);
    expect_refused("cifar10", "this is the python version", "the binary version is needed");
    empty();
    put("data_batch_1.mat", "x", 1);
    expect_refused("cifar10", "Matlab version", "binary version is needed");
    empty();
    put("cifar-10-binary.tar.gz", "x", 1);
    expect_refused("cifar10", "still packed", "tar xzf");
    cr_expect_eq(try_open("cifar10", "/cifar-10-binary.tar.gz", &data), LEHR_E_DATA);
    cr_expect(strstr(lehr_context_message(ctx), "is an archive"));
    cr_expect_eq(try_open("cifar10", "/none", &data), LEHR_E_DATA);
    cr_expect(strstr(lehr_context_message(ctx), "no directory"));
    empty();

    put_cifar10("");
    put("data_batch_3.bin", "", 0);
    expect_refused("cifar10", "data_batch_3.bin", "is empty");
    put("data_batch_3.bin", bytes, 3 * 3073 - 1);
    expect_refused("cifar10", "has 9218 bytes", "not a multiple of 3073");
    put("data_batch_3.bin", "\x80\x02}q\x01", 5);
    expect_refused("cifar10", "data_batch_3.bin", "this is the python version");
    put("data_batch_3.bin", "\x1f\x8b\x08", 3);
    expect_refused("cifar10", "data_batch_3.bin", "gzip");
    bytes[17 * 3073] = (char)200;
    put("data_batch_3.bin", bytes, 20 * 3073);
    expect_refused("cifar10", "data_batch_3.bin', record 17 ", "label 200 is not below 10");
    put_cifar10("");
    char path[300];
    snprintf(path, sizeof path, "%s/test_batch.bin", dir);
    unlink(path);
    expect_refused("cifar10", "test_batch.bin' is missing", "incomplete");
    cr_assert_eq(mkdir(path, 0777), 0);
    expect_refused("cifar10", "test_batch.bin", "not a regular file");
    free(bytes);
}

Test(readers, cifar100)
{
    lehr_data *data;
    put_records("train.bin", 0, 150, 2, 100);
    expect_refused("cifar100", "test.bin' is missing", "CIFAR-100");
    put_records("test.bin", 1, 3, 2, 100);
    cr_assert_eq(try_open("cifar100", "", &data), LEHR_OK, "%s", lehr_context_message(ctx));
    const lehr_data_info *info = lehr_data_get_info(data);
    cr_expect(info->classes == 100 && info->train_count == 150 && info->test_count == 3);
    cr_expect_eq(lehr_data_labels(data, 0)[77], 77);
    cr_expect_eq(lehr_data_images(data, 1)[PIXELS + 1], pixel(1, 1, 1));
    cr_expect_null(lehr_data_class_name(data, 1));
    cr_expect(info->mean[0] > 0.3f && info->mean[0] < 0.7f && info->std[0] > 0.1f);
    lehr_data_destroy(&data);
    lh_str names = {0};
    for (int i = 0; i < 100; i++) lh_str_printf(&names, "name%d\r\n", i);
    put("fine_label_names.txt", names.text, names.length);
    lh_str_free(&names);
    cr_assert_eq(try_open("cifar100", "", &data), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_expect_str_eq(lehr_data_class_name(data, 99), "name99");
    lehr_data_destroy(&data);
    put_records("train.bin", 0, 150, 2, 101);
    expect_refused("cifar100", "record 100 ", "label 100 is not below 100");
    empty();
    put("train", "x", 1);
    expect_refused("cifar100", "python version", "CIFAR-100");
}

static const char images_head[] = "\0\0\x08\x03\0\0\0\x03\0\0\0\x02\0\0\0\x04";
static const char labels_head[] = "\0\0\x08\x01\0\0\0\x03";

/* Three images of 2 x 4 each; the part's bytes follow its header. */
static void put_idx(void)
{
    char images[16 + 24], labels[8 + 3];
    memcpy(images, images_head, 16);
    memcpy(labels, labels_head, 8);
    for (int i = 0; i < 24; i++) images[16 + i] = (char)(10 * i);
    memcpy(labels + 8, "\x00\x09\x05", 3);
    put("train-images-idx3-ubyte", images, sizeof images);
    put("train-labels-idx1-ubyte", labels, sizeof labels);
    put("t10k-images.idx3-ubyte", images, sizeof images);
    put("t10k-labels.idx1-ubyte", labels, sizeof labels);
}

Test(readers, idx)
{
    lehr_data *data;
    put_idx();
    cr_assert_eq(try_open("idx", "", &data), LEHR_OK, "%s", lehr_context_message(ctx));
    const lehr_data_info *info = lehr_data_get_info(data);
    cr_expect(info->channels == 1 && info->height == 2 && info->width == 4 && info->classes == 10);
    cr_expect(info->train_count == 3 && info->test_count == 3);
    cr_expect_eq(lehr_data_images(data, 0)[9], 90);
    cr_expect_eq(lehr_data_labels(data, 1)[1], 9);
    lehr_data_destroy(&data);
    cr_expect_eq(try_open("idx", ",classes=9", &data), LEHR_E_DATA);
    cr_expect(
        strstr(lehr_context_message(ctx), "record 1 (counted from 0): label 9 is not below 9"));
    cr_expect_eq(try_open("idx", ",classes=x", &data), LEHR_E_USAGE);
    cr_assert_eq(try_open("idx", ",classes=47", &data), LEHR_OK);
    cr_expect_eq(lehr_data_get_info(data)->classes, 47);
    cr_expect(strstr(lehr_data_get_info(data)->spec, ",classes=47"));
    lehr_data_destroy(&data);
    cr_expect_eq(lehr_data_open(ctx, "idx", &data), LEHR_E_USAGE);
    put("t10k-images.idx3-ubyte", "\0\0\x08\x03\0\0\0\x03\0\0\0\x01\0\0\0\x04............", 28);
    expect_refused("idx", "has images of 2 x 4", "of 1 x 4");
    put("t10k-images.idx3-ubyte", "\0\0\x08\x03\0\0\0\x03\0\0\0\x02\0\0\0\x01......", 22);
    expect_refused("idx", "has images of 2 x 4", "of 2 x 1");
    put("train-labels-idx1-ubyte", "\0\0\x08\x01\0\0\0\x03\1\2\3\4", 12);
    expect_refused("idx", "announces 3 bytes of labels and has 4", "damaged");
    put("train-labels-idx1-ubyte", "\0\0\x08\x01\0\0\0\x02\1\2", 10);
    expect_refused("idx", "has 3 images", "has 2 labels");
    put("train-labels-idx1-ubyte", "\0\0\x08\x01\0\0\0\x03\1\2", 10);
    expect_refused("idx", "announces 3 bytes of labels and has 2", "damaged or incomplete");
    put("train-labels-idx1-ubyte", "\0\0\x08\x03\0\0\0\x03\1\2", 10);
    expect_refused("idx", "begins with 00000803 instead of 00000801", "no IDX file of labels");
    put("train-labels-idx1-ubyte", "\x1f\x8b\x08\0", 4);
    expect_refused("idx", "gzip", "train-labels");
    put("train-labels-idx1-ubyte", "\0\0\x08", 3);
    expect_refused("idx", "begins with", "train-labels");
    put("train-images-idx3-ubyte", "\0\0\x08\x03\xff\xff\xff\xff\0\0\xff\xff\0\0\xff\xff", 16);
    expect_refused("idx", "dimension 0 is 4294967295", "train-images");
    put("train-images-idx3-ubyte", "\0\0\x08\x03\x7f\xff\xff\xff\0\0\xff\xff\0\0\xff\xff", 16);
    expect_refused("idx", "damaged or incomplete", "train-images");
    empty();
    put("train-images-idx3-ubyte.gz", "x", 1);
    expect_refused("idx", "still packed", "gunzip");
}

/* Random edits of every file: refused or read, never a crash. */
Test(readers, random_damage_never_crashes)
{
    static const char *const names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                        "t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"};
    unsigned opened = 0;
    for (uint64_t round = 0; round < 1500; round++) {
        put_idx();
        char path[300], *bytes;
        size_t size;
        lh_philox r = lh_philox_draw(3, round, LH_STREAM_USER, 0);
        snprintf(path, sizeof path, "%s/%s", dir, names[r.v[0] % 4]);
        cr_assert_eq(lh_file_read(ctx, path, 0, LEHR_E_DATA, &bytes, &size), LEHR_OK);
        bytes[lh_below(r.v[1], (uint32_t)size)] = (char)r.v[2];
        size_t kept = r.v[3] % 4 ? size : r.v[2] % size;
        put(names[r.v[0] % 4], bytes, kept);
        free(bytes);
        lehr_data *data = NULL;
        lehr_status status = try_open("idx", "", &data);
        cr_assert(status == LEHR_OK || status == LEHR_E_DATA);
        opened += status == LEHR_OK;
        lehr_data_destroy(&data);
    }
    cr_expect(opened > 100 && opened < 1400, "%u of 1500 opened", opened);
}
