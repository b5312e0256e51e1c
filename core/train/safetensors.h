/* SPDX-License-Identifier: MIT
 *
 * Safetensors files: named arrays plus string metadata, the format of weights and checkpoints
 * (https://github.com/huggingface/safetensors: 8 bytes little-endian header length, a JSON header,
 * the arrays without gaps).  What we write carries a SHA-256 of every tensor and of the header in
 * __metadata__, so that reading notices any changed byte; files of other tools have none and are
 * accepted after the structural checks.  Nothing in a file can make the reader crash. */
#ifndef LH_SAFETENSORS_H
#define LH_SAFETENSORS_H

#include "core/base/base.h"

enum { LH_ST_MAX_DIMS = 8 };

typedef struct lh_st_entry {
    const char *name;
    const char *dtype; /* "F32", "F64", "I64", "U64", "U8"; others occur in files of other tools */
    uint32_t ndim;
    uint64_t dims[LH_ST_MAX_DIMS];
    const void *data; /* aligned to the element size */
    uint64_t bytes;   /* product of dims times element size */
} lh_st_entry;

/* Writes path atomically (lh_file_write_parts).  metadata: key, value, key, value, ..., NULL, or NULL;
 * keys beginning with "lehr." are this file's own and not allowed.  The same input gives the same
 * bytes whatever the order of the entries.  Errors: LEHR_E_DISK, LEHR_E_MEMORY, LEHR_E_INTERNAL for
 * entries that could not be read back. */
lehr_status lh_safetensors_write(lehr_context *ctx, const char *path, const lh_st_entry *entries,
                                 size_t count, const char *const *metadata);

typedef struct lh_safetensors lh_safetensors;

/* Reads and checks all of path.  Errors: LEHR_E_CHECKPOINT naming file, tensor and cause. */
lehr_status lh_safetensors_read(lehr_context *ctx, const char *path, lh_safetensors **out);
void lh_safetensors_free(lh_safetensors **file);

/* All results live as long as the file. */
size_t lh_safetensors_count(const lh_safetensors *file);
const lh_st_entry *lh_safetensors_at(const lh_safetensors *file, size_t i); /* in file order */
const lh_st_entry *lh_safetensors_find(const lh_safetensors *file, const char *name); /* or NULL */
const char *lh_safetensors_metadata(const lh_safetensors *file, const char *key);     /* or NULL */
/* True when the file carried our hashes (which then were right). */
bool lh_safetensors_verified(const lh_safetensors *file);

/* Bytes of an element, 0 for an unknown dtype. */
uint64_t lh_st_dtype_size(const char *dtype);

#endif
