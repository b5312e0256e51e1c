/* SPDX-License-Identifier: MIT
 *
 * Reading safetensors files.  Everything the header claims is checked against the file's size before
 * it is used: lengths, offsets (no overlap, no hole, nothing left over), dtype times shape. */
#include "core/train/safetensors.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/files.h"
#include "core/train/safetensors_format.h"

struct lh_safetensors {
    char *bytes;  /* the whole file */
    json_t *root; /* owns names and metadata */
    json_t *metadata;
    lh_st_entry *entries;
    void **copies; /* of tensors that stand unaligned in the file; NULL entries else */
    size_t count;
    bool verified;
};

/* What the checks carry around. */
typedef struct reading {
    lehr_context *ctx;
    const char *path;
    lh_safetensors *file;
    size_t size, header_length;
} reading;

static const char *data_start(const reading *r)
{
    return r->file->bytes + ST_LENGTH_BYTES + r->header_length;
}

static uint64_t data_size(const reading *r) { return r->size - ST_LENGTH_BYTES - r->header_length; }

static lehr_status parse_header(reading *r)
{
    if (r->size < ST_LENGTH_BYTES)
        return lh_fail(r->ctx, LEHR_E_CHECKPOINT,
                       "'%s' has %zu bytes and is no safetensors file: it is damaged or incomplete",
                       r->path, r->size);
    uint64_t length = 0;
    for (int i = 0; i < ST_LENGTH_BYTES; i++)
        length |= (uint64_t)(unsigned char)r->file->bytes[i] << (8 * i);
    if (length > r->size - ST_LENGTH_BYTES || length > ST_MAX_HEADER)
        return lh_fail(r->ctx, LEHR_E_CHECKPOINT,
                       "'%s' announces a header of %" PRIu64 " bytes in a file of %zu: it is no "
                       "safetensors file, or damaged or incomplete",
                       r->path, length, r->size);
    r->header_length = (size_t)length;
    json_error_t error;
    r->file->root = json_loadb(r->file->bytes + ST_LENGTH_BYTES, r->header_length,
                               JSON_REJECT_DUPLICATES, &error);
    if (!r->file->root)
        return lh_fail(r->ctx, LEHR_E_CHECKPOINT, "'%s': the header is not valid JSON: %s (byte %d)",
                       r->path, error.text, error.position);
    if (!json_is_object(r->file->root))
        return lh_fail(r->ctx, LEHR_E_CHECKPOINT, "'%s': the header is not a JSON object", r->path);
    return LEHR_OK;
}

/* Metadata must map strings to strings.  A key of ours without the header hash at its place means
 * that exactly this place was changed. */
static lehr_status check_metadata(reading *r)
{
    lh_safetensors *f = r->file;
    const char *key;
    json_t *value;
    bool ours = false;
    f->metadata = json_object_get(f->root, "__metadata__");
    if (!f->metadata) return LEHR_OK;
    if (!json_is_object(f->metadata))
        return lh_fail(r->ctx, LEHR_E_CHECKPOINT, "'%s': __metadata__ is not an object", r->path);
    json_object_foreach(f->metadata, key, value)
    {
        if (!json_is_string(value))
            return lh_fail(r->ctx, LEHR_E_CHECKPOINT, "'%s': metadata '%s' is not a string", r->path,
                           key);
        ours = ours || strncmp(key, ST_PREFIX, strlen(ST_PREFIX)) == 0;
    }
    size_t end = ST_HASH_AT + ST_HASH_CHARS;
    f->verified = ST_LENGTH_BYTES + r->header_length >= end &&
                  memcmp(f->bytes + ST_LENGTH_BYTES, ST_HEADER_START, strlen(ST_HEADER_START)) == 0;
    if (!ours && !f->verified) return LEHR_OK;
    char hex[LH_SHA256_HEX] = "";
    if (f->verified) {
        lh_sha256_state state;
        lh_sha256_start(&state);
        lh_sha256_add(&state, f->bytes, ST_HASH_AT);
        lh_sha256_add(&state, ST_ZERO_HASH, ST_HASH_CHARS);
        lh_sha256_add(&state, f->bytes + end, ST_LENGTH_BYTES + r->header_length - end);
        lh_sha256_end(&state, hex);
    }
    if (!f->verified || memcmp(f->bytes + ST_HASH_AT, hex, ST_HASH_CHARS) != 0)
        return lh_fail(r->ctx, LEHR_E_CHECKPOINT,
                       "'%s': the header does not agree with its SHA-256: the file is damaged",
                       r->path);
    return LEHR_OK;
}

/* A member of a tensor's description, which must be there and be what the test says. */
static bool read_u64(const json_t *value, uint64_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static lehr_status tensor_fail(const reading *r, const char *name, const char *cause)
{
    return lh_fail(r->ctx, LEHR_E_CHECKPOINT, "'%s': tensor '%s': %s", r->path, name, cause);
}

static lehr_status read_entry(reading *r, const char *name, const json_t *value, lh_st_entry *e)
{
    uint64_t begin, end;
    const json_t *shape = json_object_get(value, "shape");
    const json_t *offsets = json_object_get(value, "data_offsets");
    e->name = name;
    e->dtype = json_string_value(json_object_get(value, "dtype"));
    if (!e->dtype || !json_is_array(shape) || !json_is_array(offsets) ||
        json_array_size(offsets) != 2 || !read_u64(json_array_get(offsets, 0), &begin) ||
        !read_u64(json_array_get(offsets, 1), &end))
        return tensor_fail(r, name, "dtype, shape or data_offsets are missing or malformed");
    uint64_t bytes = lh_st_dtype_size(e->dtype);
    if (!bytes) return tensor_fail(r, name, "its dtype is not known");
    if (json_array_size(shape) > LH_ST_MAX_DIMS)
        return tensor_fail(r, name, "it has more than 8 dimensions");
    e->ndim = (uint32_t)json_array_size(shape);
    for (uint32_t d = 0; d < e->ndim; d++) {
        if (!read_u64(json_array_get(shape, d), &e->dims[d]))
            return tensor_fail(r, name, "its shape is malformed");
        if (e->dims[d] && bytes > UINT64_MAX / e->dims[d])
            return tensor_fail(r, name, "its shape is impossibly large");
        bytes *= e->dims[d];
    }
    if (begin > end || end > data_size(r))
        return tensor_fail(r, name,
                           "its data lies beyond the end of the file: it is damaged or incomplete");
    if (bytes != end - begin)
        return tensor_fail(r, name, "its shape does not agree with its number of bytes");
    e->bytes = bytes;
    e->data = data_start(r) + begin;
    return LEHR_OK;
}

static int by_place(const void *a, const void *b)
{
    const lh_st_entry *x = a, *y = b;
    const char *px = x->data, *py = y->data;
    if (px != py) return px < py ? -1 : 1;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

static lehr_status read_entries(reading *r)
{
    lh_safetensors *f = r->file;
    const char *name;
    json_t *value;
    size_t capacity = json_object_size(f->root);
    f->entries = lh_alloc(r->ctx, capacity, sizeof *f->entries);
    f->copies = lh_alloc(r->ctx, capacity, sizeof *f->copies);
    if (!f->entries || !f->copies) return LEHR_E_MEMORY;
    json_object_foreach(f->root, name, value)
    {
        if (strcmp(name, "__metadata__") == 0) continue;
        lehr_status status = read_entry(r, name, value, &f->entries[f->count]);
        if (status) return status;
        f->count++;
    }
    qsort(f->entries, f->count, sizeof *f->entries, by_place);
    const char *place = data_start(r);
    for (size_t i = 0; i < f->count; i++) {
        const char *data = f->entries[i].data;
        if (data != place)
            return tensor_fail(r, f->entries[i].name,
                               data < place ? "it overlaps another tensor"
                                            : "there is a hole in front of its data");
        place += f->entries[i].bytes;
    }
    if (place != f->bytes + r->size)
        return lh_fail(r->ctx, LEHR_E_CHECKPOINT,
                       "'%s': %zu bytes behind the last tensor: the file is damaged", r->path,
                       (size_t)(f->bytes + r->size - place));
    return LEHR_OK;
}

static lehr_status verify_tensor(reading *r, const lh_st_entry *e)
{
    char hex[LH_SHA256_HEX];
    lh_str key = {0};
    lh_str_printf(&key, ST_TENSOR_KEY "%s", e->name);
    if (key.failed) return lh_fail(r->ctx, LEHR_E_MEMORY, "out of memory for a name");
    const char *wanted = lh_safetensors_metadata(r->file, lh_str_text(&key));
    lh_str_free(&key);
    if (!wanted) return tensor_fail(r, e->name, "its SHA-256 is missing: the file is damaged");
    lh_sha256(e->data, (size_t)e->bytes, hex);
    if (strcmp(wanted, hex) != 0)
        return tensor_fail(r, e->name, "its data does not agree with its SHA-256: it is damaged");
    return LEHR_OK;
}

/* Other tools may place tensors at odd offsets; C may not read them there. */
static lehr_status align(reading *r, size_t i)
{
    lh_st_entry *e = &r->file->entries[i];
    if (!e->bytes || (uintptr_t)e->data % lh_st_dtype_size(e->dtype) == 0) return LEHR_OK;
    void *copy = lh_alloc(r->ctx, (size_t)e->bytes, 1);
    if (!copy) return LEHR_E_MEMORY;
    memcpy(copy, e->data, (size_t)e->bytes);
    r->file->copies[i] = copy;
    e->data = copy;
    return LEHR_OK;
}

static lehr_status read_all(reading *r)
{
    lh_safetensors *f = r->file;
    lehr_status status =
        lh_file_read(r->ctx, r->path, 0, LEHR_E_CHECKPOINT, &f->bytes, &r->size);
    if (!status) status = parse_header(r);
    if (!status) status = check_metadata(r);
    if (!status) status = read_entries(r);
    for (size_t i = 0; i < f->count && !status && f->verified; i++)
        status = verify_tensor(r, &f->entries[i]);
    for (size_t i = 0; i < f->count && !status; i++) status = align(r, i);
    return status;
}

lehr_status lh_safetensors_read(lehr_context *ctx, const char *path, lh_safetensors **out)
{
    *out = NULL;
    lh_safetensors *file = lh_alloc(ctx, 1, sizeof *file);
    if (!file) return LEHR_E_MEMORY;
    reading r = {.ctx = ctx, .path = path, .file = file};
    lehr_status status = read_all(&r);
    if (status)
        lh_safetensors_free(&file);
    else
        *out = file;
    return status;
}

void lh_safetensors_free(lh_safetensors **file)
{
    if (!file || !*file) return;
    lh_safetensors *f = *file;
    /* count may stand short of a half-read list, copies are only made for complete ones */
    for (size_t i = 0; i < f->count; i++) free(f->copies[i]);
    free(f->copies);
    free(f->entries);
    json_decref(f->root);
    free(f->bytes);
    free(f);
    *file = NULL;
}

size_t lh_safetensors_count(const lh_safetensors *file) { return file->count; }

const lh_st_entry *lh_safetensors_at(const lh_safetensors *file, size_t i)
{
    return i < file->count ? &file->entries[i] : NULL;
}

const lh_st_entry *lh_safetensors_find(const lh_safetensors *file, const char *name)
{
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->entries[i].name, name) == 0) return &file->entries[i];
    return NULL;
}

const char *lh_safetensors_metadata(const lh_safetensors *file, const char *key)
{
    return json_string_value(json_object_get(file->metadata, key));
}

bool lh_safetensors_verified(const lh_safetensors *file) { return file->verified; }
