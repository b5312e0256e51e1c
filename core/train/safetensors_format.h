/* SPDX-License-Identifier: MIT
 *
 * Where our additions to a safetensors header stand; shared by writer and reader.  The header's hash
 * is taken over length field and header with the hash's own 64 characters as zeros. */
#ifndef LH_SAFETENSORS_FORMAT_H
#define LH_SAFETENSORS_FORMAT_H

#define ST_PREFIX "lehr."
#define ST_TENSOR_KEY ST_PREFIX "sha256:"
#define ST_HEADER_KEY ST_PREFIX "header_sha256"
#define ST_HEADER_START "{\"__metadata__\":{\"" ST_HEADER_KEY "\":\""
#define ST_ZERO_HASH "0000000000000000000000000000000000000000000000000000000000000000"

enum {
    ST_LENGTH_BYTES = 8,
    ST_HASH_CHARS = 64,
    ST_HASH_AT = ST_LENGTH_BYTES + (int)sizeof ST_HEADER_START - 1,
    ST_MAX_HEADER = 2 << 20 /* thousands of tensors; bounds what parsing JSON can allocate */
};

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors data is little-endian; this host would need byte swaps"
#endif

#endif
