/* SPDX-License-Identifier: MIT
 *
 * CIFAR-10 and CIFAR-100, binary version (https://www.cs.toronto.edu/~kriz/cifar.html): files of
 * records, each label bytes followed by 3 planes of 32 x 32 bytes.  A set with fewer records per file
 * is fine.  Wrong layouts are recognised and said. */
#include "core/data/data.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/files.h"

enum { PIXELS = 3 * 32 * 32, MAX_FILES = 6 };

typedef struct layout {
    const char *kind, *title, *folder; /* folder: what the archive unpacks to */
    const char *archive, *python_folder, *python_file, *matlab_file;
    const char *files[MAX_FILES];      /* training files, then the test file */
    size_t file_count;
    uint32_t label_bytes, classes;     /* the last label byte is the class */
    const char *names;                 /* file with the class names, or NULL */
} layout;

static const layout cifar10 = {
    .kind = "cifar10", .title = "CIFAR-10", .folder = "cifar-10-batches-bin",
    .archive = "cifar-10-binary.tar.gz", .python_folder = "cifar-10-batches-py",
    .python_file = "data_batch_1", .matlab_file = "data_batch_1.mat",
    .files = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
              "data_batch_5.bin", "test_batch.bin"},
    .file_count = 6, .label_bytes = 1, .classes = 10,
};

static const layout cifar100 = {
    .kind = "cifar100", .title = "CIFAR-100", .folder = "cifar-100-binary",
    .archive = "cifar-100-binary.tar.gz", .python_folder = "cifar-100-python",
    .python_file = "train", .matlab_file = "train.mat",
    .files = {"train.bin", "test.bin"},
    .file_count = 2, .label_bytes = 2, .classes = 100, .names = "fine_label_names.txt",
};

static const char *const cifar10_names[] = {"airplane", "automobile", "bird", "cat", "deer",
                                            "dog", "frog", "horse", "ship", "truck"};

/* ---- finding the directory ---- */

static bool exists_in(const char *dir, const char *name)
{
    lh_str path = {0};
    lh_path_join(&path, dir, name);
    bool found = !path.failed && lh_file_exists(path.text);
    lh_str_free(&path);
    return found;
}

/* Whether dir has the first training file, or dir's subfolder has; dir is changed to that. */
static bool settle(const layout *l, lh_str *dir)
{
    if (dir->failed) return false;
    if (exists_in(dir->text, l->files[0])) return true;
    lh_str below = {0};
    lh_path_join(&below, dir->text, l->folder);
    bool found = !below.failed && exists_in(below.text, l->files[0]);
    if (found) {
        lh_str_clear(dir);
        lh_str_add(dir, below.text);
    }
    lh_str_free(&below);
    return found;
}

/* Why a directory that the user named has no such data set. */
static lehr_status explain(lehr_context *ctx, const layout *l, const char *dir)
{
    const char *fetch = strcmp(l->kind, "cifar10") == 0 ? "; scripts/fetch-cifar10 gets it" : "";
    size_t length = strlen(dir);
    if (!lh_file_exists(dir))
        return lh_fail(ctx, LEHR_E_DATA, "there is no directory '%s'", dir);
    if (!lh_is_dir(dir)) {
        bool packed = length > 3 && strcmp(dir + length - 3, ".gz") == 0;
        return lh_fail(ctx, LEHR_E_DATA, "'%s' is %s", dir,
                       packed ? "an archive: unpack it (tar xzf) and give the directory"
                              : "a file: give the directory that holds it");
    }
    if (exists_in(dir, l->python_file) || exists_in(dir, l->python_folder))
        return lh_fail(ctx, LEHR_E_DATA,
                       "'%s': this is the python version of %s; the binary version is needed (%s)%s",
                       dir, l->title, l->archive, fetch);
    if (exists_in(dir, l->matlab_file))
        return lh_fail(ctx, LEHR_E_DATA,
                       "'%s': this is the Matlab version of %s; the binary version is needed (%s)%s",
                       dir, l->title, l->archive, fetch);
    if (exists_in(dir, l->archive))
        return lh_fail(ctx, LEHR_E_DATA, "'%s/%s' is still packed: tar xzf %s there", dir,
                       l->archive, l->archive);
    return lh_fail(ctx, LEHR_E_DATA, "there is no %s in '%s' or in its folder %s%s", l->files[0],
                   dir, l->folder, fetch);
}

/* Where fetch-cifar10 puts it; empty when there is no home. */
static void default_dir(const layout *l, lh_str *dir)
{
    const char *data_home = lh_getenv("XDG_DATA_HOME"), *home = lh_getenv("HOME");
    if (!data_home && !home) return;
    lh_str_printf(dir, "%s%s/lehr/%s", data_home ? data_home : home,
                  data_home ? "" : "/.local/share", l->folder);
}

static lehr_status find_default(lehr_context *ctx, const layout *l, lh_str *dir)
{
    lh_str looked = {0};
    const char *given = lh_getenv("LEHR_DATA");
    for (int i = 0; i < 3; i++) {
        lh_str_clear(dir);
        if (i == 0 && given) lh_str_add(dir, given);
        if (i == 1 && given) lh_path_join(dir, given, l->kind);
        if (i == 2) default_dir(l, dir);
        if (!dir->length) continue;
        if (settle(l, dir)) {
            lh_str_free(&looked);
            return LEHR_OK;
        }
        lh_str_printf(&looked, "%s%s", looked.length ? ", " : "", lh_str_text(dir));
    }
    lehr_status status =
        lh_fail(ctx, LEHR_E_DATA,
                "no %s found (looked in: %s): give its directory (%s:DIR), set LEHR_DATA, %sor use "
                "the built-in images (synthetic)",
                l->title, looked.length ? looked.text : "nowhere, HOME is not set", l->kind,
                l == &cifar10 ? "run scripts/fetch-cifar10, " : "");
    lh_str_free(&looked);
    return status;
}

/* ---- reading ---- */

static lehr_status file_records(lehr_context *ctx, const layout *l, const char *path,
                                uint64_t *records)
{
    uint64_t bytes = 0, record = l->label_bytes + PIXELS;
    if (!lh_file_exists(path))
        return lh_fail(ctx, LEHR_E_DATA, "'%s' is missing: %s is incomplete", path, l->title);
    if (!lh_file_size(path, &bytes))
        return lh_fail(ctx, LEHR_E_DATA, "'%s' is not a regular file", path);
    if (!bytes) return lh_fail(ctx, LEHR_E_DATA, "'%s' is empty", path);
    *records = bytes / record;
    if (bytes % record == 0) return LEHR_OK;
    unsigned char magic[2] = {0};
    if (bytes >= 2 && lh_file_read_into(ctx, path, LEHR_E_DATA, magic, 2) != LEHR_OK)
        return LEHR_E_DATA;
    if (magic[0] == 0x80 && magic[1] >= 2 && magic[1] <= 5) /* a Python pickle */
        return lh_fail(ctx, LEHR_E_DATA,
                       "'%s': this is the python version of %s; the binary version is needed (%s)",
                       path, l->title, l->archive);
    if (magic[0] == 0x1f && magic[1] == 0x8b)
        return lh_fail(ctx, LEHR_E_DATA, "'%s' is compressed (gzip): unpack it first", path);
    return lh_fail(ctx, LEHR_E_DATA,
                   "'%s' has %llu bytes, which is not a multiple of %llu (one image and its label): "
                   "it is no binary %s file, or damaged or incomplete",
                   path, (unsigned long long)bytes, (unsigned long long)record, l->title);
}

/* Splits the records of one file into labels and images. */
static lehr_status read_records(lehr_context *ctx, const layout *l, const char *path,
                                uint64_t records, uint8_t *images, uint8_t *labels)
{
    char *bytes;
    size_t size, record = l->label_bytes + PIXELS;
    lehr_status status = lh_file_read(ctx, path, 0, LEHR_E_DATA, &bytes, &size);
    if (status) return status;
    if (size != records * record)
        status = lh_fail(ctx, LEHR_E_DATA, "'%s' changed while being read", path);
    for (uint64_t i = 0; i < records && !status; i++) {
        const uint8_t *at = (const uint8_t *)bytes + i * record;
        labels[i] = at[l->label_bytes - 1];
        if (labels[i] >= l->classes)
            status = lh_fail(ctx, LEHR_E_DATA,
                             "'%s', record %llu (counted from 0): label %u is not below %u", path,
                             (unsigned long long)i, labels[i], l->classes);
        memcpy(images + i * PIXELS, at + l->label_bytes, PIXELS);
    }
    free(bytes);
    return status;
}

static lehr_status read_all(lehr_context *ctx, const layout *l, const char *dir, lehr_data *data)
{
    lh_str path = {0};
    uint64_t records[MAX_FILES] = {0}, train = 0, done = 0;
    lehr_status status = LEHR_OK;
    size_t test = l->file_count - 1;
    for (size_t i = 0; i < l->file_count && !status; i++) {
        lh_path_join(&path, dir, l->files[i]);
        status = path.failed ? lh_fail(ctx, LEHR_E_MEMORY, "out of memory for a path")
                             : file_records(ctx, l, path.text, &records[i]);
        if (i < test) train += records[i];
    }
    if (!status)
        status = lh_data_allocate(ctx, data, (const uint32_t[]){3, 32, 32}, l->classes, train,
                                  records[test]);
    for (size_t i = 0; i < l->file_count && !status; i++) {
        int part = i == test;
        uint64_t first = part ? 0 : done;
        lh_path_join(&path, dir, l->files[i]);
        status = read_records(ctx, l, path.text, records[i], data->images[part] + first * PIXELS,
                              data->labels[part] + first);
        done += records[i];
    }
    lh_str_free(&path);
    return status;
}

/* One name a line; a set without the file, or with fewer lines, goes without names. */
static lehr_status read_names(lehr_context *ctx, const layout *l, const char *dir, lehr_data *data)
{
    char *text;
    size_t size, count = 0;
    const char *names[LH_DATA_MAX_CLASSES];
    lh_str path = {0};
    if (!exists_in(dir, l->names)) return LEHR_OK;
    lh_path_join(&path, dir, l->names);
    lehr_status status =
        lh_file_read(ctx, lh_str_text(&path), 64 * 1024, LEHR_E_DATA, &text, &size);
    lh_str_free(&path);
    if (status) return status;
    for (char *at = text; *at && count < l->classes;) {
        size_t length = strcspn(at, "\r\n");
        bool last = !at[length];
        at[length] = '\0';
        if (length) names[count++] = at;
        at += length + !last;
    }
    if (count == l->classes) status = lh_data_set_names(ctx, data, names);
    free(text);
    return status;
}

static lehr_status open_layout(lehr_context *ctx, const layout *l, const char *args,
                               lehr_data *data)
{
    lehr_status status = LEHR_OK;
    lh_str dir = {0};
    if (*args) {
        lh_str_add(&dir, args);
        if (!settle(l, &dir)) status = explain(ctx, l, args);
    } else {
        status = find_default(ctx, l, &dir);
    }
    if (!status) status = read_all(ctx, l, dir.text, data);
    if (!status) status = lh_data_set_spec(ctx, data, l->kind, dir.text, "");
    if (!status && l->names) status = read_names(ctx, l, dir.text, data);
    if (!status && !l->names) status = lh_data_set_names(ctx, data, cifar10_names);
    lh_str_free(&dir);
    return status;
}

lehr_status lh_data_open_cifar10(lehr_context *ctx, const char *args, lehr_data *data)
{
    return open_layout(ctx, &cifar10, args, data);
}

lehr_status lh_data_open_cifar100(lehr_context *ctx, const char *args, lehr_data *data)
{
    return open_layout(ctx, &cifar100, args, data);
}
