/* SPDX-License-Identifier: MIT
 *
 * A plain program for tests from outside: writes a known safetensors file, or lists and checks one.
 *   safetensors_tool write FILE VERSION     four tensors whose values depend on VERSION
 *   safetensors_tool list FILE              name, dtype, shape and SHA-256 of each tensor
 * Exit code: the status' own (0, 5, 7), 2 for a wrong call. */
#include <inttypes.h>
#include <lehr/context.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/files.h"
#include "core/train/safetensors.h"

static lehr_status write_known(lehr_context *ctx, const char *path, const char *version)
{
    float weights[24];
    double slots[2];
    uint8_t flags[3];
    int64_t counter = (int64_t)strlen(version) - 1000000007;
    float v = (float)atof(version);
    for (int i = 0; i < 24; i++) weights[i] = v + (float)i / 8;
    for (int i = 0; i < 2; i++) slots[i] = (double)v / 3 + i;
    for (int i = 0; i < 3; i++) flags[i] = (uint8_t)(i * 100);
    const lh_st_entry entries[] = {
        {"conv1.weight", "F32", 4, {2, 3, 2, 2}, weights, sizeof weights},
        {"slots", "F64", 1, {2}, slots, sizeof slots},
        {"flags", "U8", 1, {3}, flags, sizeof flags},
        {"counter", "I64", 0, {0}, &counter, sizeof counter},
    };
    const char *const metadata[] = {"version", version, "text", "a \"b\"\n\xc3\xa9", NULL};
    return lh_safetensors_write(ctx, path, entries, LH_COUNT(entries), metadata);
}

static lehr_status list(lehr_context *ctx, const char *path)
{
    lh_safetensors *file;
    lehr_status status = lh_safetensors_read(ctx, path, &file);
    if (status) return status;
    const char *version = lh_safetensors_metadata(file, "version");
    printf("%s %s\n", lh_safetensors_verified(file) ? "verified" : "foreign",
           version ? version : "-");
    for (size_t i = 0; i < lh_safetensors_count(file); i++) {
        char hex[LH_SHA256_HEX];
        const lh_st_entry *e = lh_safetensors_at(file, i);
        lh_sha256(e->data, (size_t)e->bytes, hex);
        printf("%s %s (", e->name, e->dtype);
        for (uint32_t d = 0; d < e->ndim; d++) printf("%s%" PRIu64, d ? "," : "", e->dims[d]);
        printf(") %s\n", hex);
    }
    lh_safetensors_free(&file);
    return LEHR_OK;
}

int main(int count, char **args)
{
    lehr_context *ctx;
    lehr_status status = LEHR_E_USAGE;
    if (lehr_context_create(NULL, &ctx) != LEHR_OK) return 1;
    if (count == 4 && strcmp(args[1], "write") == 0) status = write_known(ctx, args[2], args[3]);
    if (count == 3 && strcmp(args[1], "list") == 0) status = list(ctx, args[2]);
    if (status) fprintf(stderr, "safetensors_tool: %s\n", lehr_context_message(ctx));
    lehr_context_destroy(&ctx);
    return lehr_status_exit_code(status);
}
