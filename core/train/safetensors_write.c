/* SPDX-License-Identifier: MIT
 *
 * Writing safetensors files.  Entries are ordered by element size, largest first, then by name: so
 * every tensor is aligned without gaps (which the format forbids) and the bytes do not depend on
 * the caller's order.  The header's own hash stands at a fixed place (safetensors_format.h). */
#include "core/train/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/files.h"
#include "core/train/safetensors_format.h"

uint64_t lh_st_dtype_size(const char *dtype) {
    static const struct {
        const char *name;
        uint64_t size;
    } rows[] = {
        {"F32", 4}, {"F64", 8}, {"U8", 1},   {"I64", 8},     {"U64", 8},
        {"I32", 4}, {"U32", 4}, {"F16", 2},  {"BF16", 2},    {"I16", 2},
        {"U16", 2}, {"I8", 1},  {"BOOL", 1}, {"F8_E5M2", 1}, {"F8_E4M3", 1},
    };
    for (size_t i = 0; i < LH_COUNT(rows); i++)
        if (strcmp(rows[i].name, dtype) == 0) return rows[i].size;
    return 0;
}

static int by_size_and_name(const void *a, const void *b) {
    const lh_st_entry *x = *(const lh_st_entry *const *)a, *y = *(const lh_st_entry *const *)b;
    uint64_t sx = lh_st_dtype_size(x->dtype), sy = lh_st_dtype_size(y->dtype);
    if (sx != sy) return sx > sy ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(const lh_st_entry *const *)a)->name, (*(const lh_st_entry *const *)b)->name);
}

/* What would make a file that the reader refuses is refused here, before anything is written. */
static lehr_status check_entry(lehr_context *ctx, const char *path, const lh_st_entry *e) {
    uint64_t bytes = lh_st_dtype_size(e->dtype);
    if (!bytes || e->ndim > LH_ST_MAX_DIMS || strcmp(e->name, "__metadata__") == 0)
        return lh_fail(ctx, LEHR_E_INTERNAL,
                       "'%s': tensor '%s' (%s, %u dimensions) cannot be stored", path, e->name,
                       e->dtype, e->ndim);
    for (uint32_t d = 0; d < e->ndim; d++) {
        if (e->dims[d] && bytes > UINT64_MAX / e->dims[d])
            bytes = UINT64_MAX;
        else
            bytes *= e->dims[d];
    }
    if (bytes != e->bytes || (e->bytes && !e->data))
        return lh_fail(ctx, LEHR_E_INTERNAL,
                       "'%s': tensor '%s' has %" PRIu64 " bytes, its shape needs %" PRIu64, path,
                       e->name, e->bytes, bytes);
    return LEHR_OK;
}

static lehr_status check_all(lehr_context *ctx, const char *path, const lh_st_entry **order,
                             size_t count, const char *const *metadata) {
    for (size_t i = 0; i < count; i++) {
        lehr_status status = check_entry(ctx, path, order[i]);
        if (status) return status;
    }
    qsort(order, count, sizeof *order, by_name);
    for (size_t i = 1; i < count; i++)
        if (strcmp(order[i - 1]->name, order[i]->name) == 0)
            return lh_fail(ctx, LEHR_E_INTERNAL, "'%s': two tensors are named '%s'", path,
                           order[i]->name);
    for (const char *const *m = metadata; m && *m; m += 2) {
        bool again = strncmp(*m, ST_PREFIX, strlen(ST_PREFIX)) == 0;
        for (const char *const *other = metadata; other != m; other += 2)
            again = again || strcmp(*other, *m) == 0;
        if (again)
            return lh_fail(ctx, LEHR_E_INTERNAL, "'%s': metadata key '%s' is taken", path, *m);
    }
    return LEHR_OK;
}

static void add_tensor_hash(lh_str *header, const lh_st_entry *e) {
    char hex[LH_SHA256_HEX];
    lh_str key = {0};
    lh_sha256(e->data ? e->data : "", (size_t)e->bytes, hex);
    lh_str_printf(&key, ST_TENSOR_KEY "%s", e->name);
    lh_str_add(header, ",");
    lh_str_json(header, lh_str_text(&key));
    lh_str_printf(header, ":\"%s\"", hex);
    header->failed = header->failed || key.failed;
    lh_str_free(&key);
}

static void add_tensor(lh_str *header, const lh_st_entry *e, uint64_t begin) {
    lh_str_add(header, ",");
    lh_str_json(header, e->name);
    lh_str_printf(header, ":{\"dtype\":\"%s\",\"shape\":[", e->dtype);
    for (uint32_t d = 0; d < e->ndim; d++)
        lh_str_printf(header, "%s%" PRIu64, d ? "," : "", e->dims[d]);
    lh_str_printf(header, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", begin, begin + e->bytes);
}

/* Length field and header as they will stand in the file, the header's hash filled in. */
static void build_header(lh_str *header, const lh_st_entry **order, size_t count,
                         const char *const *metadata) {
    char hex[LH_SHA256_HEX];
    uint64_t begin = 0;
    lh_str_add_bytes(header, "\0\0\0\0\0\0\0\0", ST_LENGTH_BYTES);
    lh_str_add(header, ST_HEADER_START ST_ZERO_HASH "\",\"" ST_PREFIX "format\":\"1\"");
    for (size_t i = 0; i < count; i++) add_tensor_hash(header, order[i]);
    for (const char *const *m = metadata; m && *m; m += 2) {
        lh_str_add(header, ",");
        lh_str_json(header, m[0]);
        lh_str_add(header, ":");
        lh_str_json(header, m[1]);
    }
    lh_str_add(header, "}");
    for (size_t i = 0; i < count; i++) {
        add_tensor(header, order[i], begin);
        begin += order[i]->bytes;
    }
    lh_str_add(header, "}");
    while (header->length % 8 && !header->failed) lh_str_add(header, " ");
    if (header->failed) return;
    uint64_t length = header->length - ST_LENGTH_BYTES;
    for (int i = 0; i < ST_LENGTH_BYTES; i++) header->text[i] = (char)(length >> (8 * i) & 0xff);
    lh_sha256(header->text, header->length, hex);
    memcpy(header->text + ST_HASH_AT, hex, ST_HASH_CHARS);
}

lehr_status lh_safetensors_write(lehr_context *ctx, const char *path, const lh_st_entry *entries,
                                 size_t count, const char *const *metadata) {
    lehr_status status = LEHR_E_MEMORY;
    lh_str header = {0};
    const lh_st_entry **order = lh_alloc(ctx, count, sizeof *order);
    lh_part *parts = lh_alloc(ctx, count + 1, sizeof *parts);
    if (!order || !parts) goto done;
    for (size_t i = 0; i < count; i++) order[i] = &entries[i];
    status = check_all(ctx, path, order, count, metadata);
    if (status) goto done;
    qsort(order, count, sizeof *order, by_size_and_name);
    build_header(&header, order, count, metadata);
    if (header.failed) {
        status = lh_fail(ctx, LEHR_E_MEMORY, "out of memory for the header of '%s'", path);
        goto done;
    }
    if (header.length > ST_MAX_HEADER) {
        status = lh_fail(ctx, LEHR_E_INTERNAL, "the header of '%s' would have %zu bytes", path,
                         header.length);
        goto done;
    }
    parts[0] = (lh_part){header.text, header.length};
    for (size_t i = 0; i < count; i++)
        parts[i + 1] = (lh_part){order[i]->data, (size_t)order[i]->bytes};
    status = lh_file_write_parts(ctx, path, parts, count + 1);
done:
    lh_str_free(&header);
    free(order);
    free(parts);
    return status;
}
