/* SPDX-License-Identifier: MIT
 *
 * Safetensors: round trip, determinism, every damaged byte and every truncation noticed, malformed
 * headers refused, random mutations survived. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/files.h"
#include "core/base/philox.h"
#include "core/train/safetensors.h"

static lehr_context *ctx;
static char path[] = "/tmp/lehr-st-XXXXXX";

static void start(void)
{
    cr_assert_eq(lehr_context_create(NULL, &ctx), LEHR_OK);
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    close(fd);
}

static void stop(void)
{
    unlink(path);
    lehr_context_destroy(&ctx);
}

TestSuite(safetensors, .init = start, .fini = stop);

static const float weights[6] = {1.5f, -2.25f, 3.125f, 4e-7f, -5e8f, 0.1f};
static const double slots[2] = {0.1, -1e300};
static const uint8_t flags[3] = {1, 0, 255};
static const uint64_t counter[1] = {0xfedcba9876543210ull};

static const lh_st_entry sample[] = {
    {"b.flags", "U8", 1, {3}, flags, 3},    {"conv1.weight", "F32", 2, {2, 3}, weights, 24},
    {"counter", "U64", 0, {0}, counter, 8}, {"a \"quoted\"\n\xc3\xa9", "F64", 1, {2}, slots, 16},
    {"empty", "F32", 2, {0, 4}, NULL, 0},
};
static const char *const sample_metadata[] = {"step", "12", "schedule", "warmup(1ep) * \"x\"\t",
                                              NULL};

static void write_sample(void)
{
    lh_enter(ctx);
    cr_assert_eq(lh_safetensors_write(ctx, path, sample, LH_COUNT(sample), sample_metadata),
                 LEHR_OK, "%s", lehr_context_message(ctx));
}

static char *slurp(size_t *bytes)
{
    char *data;
    cr_assert_eq(lh_file_read(ctx, path, 0, LEHR_E_DATA, &data, bytes), LEHR_OK);
    return data;
}

static void put(const void *bytes, size_t count)
{
    FILE *f = fopen(path, "wb");
    cr_assert(f && fwrite(bytes, 1, count, f) == count && fclose(f) == 0);
}

static lehr_status try_read(void)
{
    lh_safetensors *file = NULL;
    lh_enter(ctx);
    lehr_status status = lh_safetensors_read(ctx, path, &file);
    cr_assert((status == LEHR_OK) == (file != NULL));
    lh_safetensors_free(&file);
    return status;
}

Test(safetensors, round_trip)
{
    lh_safetensors *file;
    write_sample();
    cr_assert_eq(lh_safetensors_read(ctx, path, &file), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_expect(lh_safetensors_verified(file));
    cr_expect_eq(lh_safetensors_count(file), LH_COUNT(sample));
    for (size_t i = 0; i < LH_COUNT(sample); i++) {
        const lh_st_entry *want = &sample[i], *got = lh_safetensors_find(file, want->name);
        cr_assert_not_null(got, "%s", want->name);
        cr_expect_str_eq(got->dtype, want->dtype);
        cr_expect_eq(got->ndim, want->ndim);
        for (uint32_t d = 0; d < want->ndim; d++) cr_expect_eq(got->dims[d], want->dims[d]);
        cr_assert_eq(got->bytes, want->bytes);
        if (want->bytes) {
            cr_expect_arr_eq(got->data, want->data, want->bytes);
            cr_expect_eq((uintptr_t)got->data % lh_st_dtype_size(got->dtype), 0);
        }
    }
    cr_expect_str_eq(lh_safetensors_metadata(file, "step"), "12");
    cr_expect_str_eq(lh_safetensors_metadata(file, "schedule"), "warmup(1ep) * \"x\"\t");
    cr_expect_null(lh_safetensors_metadata(file, "none"));
    cr_expect_null(lh_safetensors_find(file, "none"));
    cr_expect_null(lh_safetensors_at(file, LH_COUNT(sample)));
    lh_safetensors_free(&file);
    cr_expect_null(file);
}

Test(safetensors, same_input_in_any_order_gives_same_bytes)
{
    size_t n1, n2;
    lh_st_entry reversed[LH_COUNT(sample)];
    write_sample();
    char *one = slurp(&n1);
    for (size_t i = 0; i < LH_COUNT(sample); i++) reversed[i] = sample[LH_COUNT(sample) - 1 - i];
    cr_assert_eq(lh_safetensors_write(ctx, path, reversed, LH_COUNT(sample), sample_metadata),
                 LEHR_OK);
    char *two = slurp(&n2);
    cr_assert_eq(n1, n2);
    cr_expect_arr_eq(one, two, n1);
    uint64_t length;
    memcpy(&length, one, 8);
    cr_expect_eq(length % 8, 0);
    free(one);
    free(two);
}

Test(safetensors, empty_file_round_trips)
{
    lh_safetensors *file;
    cr_assert_eq(lh_safetensors_write(ctx, path, NULL, 0, NULL), LEHR_OK);
    cr_assert_eq(lh_safetensors_read(ctx, path, &file), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_expect_eq(lh_safetensors_count(file), 0);
    lh_safetensors_free(&file);
}

Test(safetensors, writer_refuses_what_could_not_be_read)
{
    lh_st_entry bad[2] = {sample[1], sample[1]};
    cr_expect_eq(lh_safetensors_write(ctx, path, bad, 2, NULL), LEHR_E_INTERNAL);
    bad[0].bytes = 20;
    lh_enter(ctx);
    cr_expect_eq(lh_safetensors_write(ctx, path, bad, 1, NULL), LEHR_E_INTERNAL);
    cr_expect(strstr(lehr_context_message(ctx), "conv1.weight"));
    bad[1].name = "__metadata__";
    cr_expect_eq(lh_safetensors_write(ctx, path, bad + 1, 1, NULL), LEHR_E_INTERNAL);
    const char *const own[] = {"lehr.x", "1", NULL}, *const twice[] = {"x", "1", "x", "2", NULL};
    cr_expect_eq(lh_safetensors_write(ctx, path, sample, 1, own), LEHR_E_INTERNAL);
    cr_expect_eq(lh_safetensors_write(ctx, path, sample, 1, twice), LEHR_E_INTERNAL);
    lh_enter(ctx);
    cr_expect_eq(lh_safetensors_write(ctx, "/nonexistent/x", sample, 1, NULL), LEHR_E_DISK);
}

Test(safetensors, every_flipped_bit_is_noticed)
{
    size_t bytes;
    write_sample();
    char *data = slurp(&bytes);
    for (size_t i = 0; i < bytes; i++)
        for (int bit = 0; bit < 8; bit++) {
            data[i] = (char)(data[i] ^ 1 << bit);
            put(data, bytes);
            cr_expect_eq(try_read(), LEHR_E_CHECKPOINT, "byte %zu bit %d", i, bit);
            cr_expect(strstr(lehr_context_message(ctx), path));
            data[i] = (char)(data[i] ^ 1 << bit);
        }
    /* the tensor that was hit is named */
    data[bytes - 1] ^= 1;
    put(data, bytes);
    cr_expect_eq(try_read(), LEHR_E_CHECKPOINT);
    cr_expect(strstr(lehr_context_message(ctx), "'b.flags'"), "%s", lehr_context_message(ctx));
    free(data);
}

Test(safetensors, every_truncation_and_any_tail_is_noticed)
{
    size_t bytes;
    write_sample();
    char *data = slurp(&bytes);
    for (size_t n = 0; n < bytes; n++) {
        put(data, n);
        cr_expect_eq(try_read(), LEHR_E_CHECKPOINT, "%zu bytes of %zu", n, bytes);
    }
    char *longer = calloc(1, bytes + 1);
    memcpy(longer, data, bytes);
    put(longer, bytes + 1);
    cr_expect_eq(try_read(), LEHR_E_CHECKPOINT);
    put(data, bytes);
    cr_expect_eq(try_read(), LEHR_OK);
    free(longer);
    free(data);
}

/* A file with this header and this many zero bytes of data. */
static void put_header(const char *header, size_t data_bytes)
{
    lh_str s = {0};
    uint64_t length = strlen(header);
    lh_str_add_bytes(&s, &length, 8);
    lh_str_add(&s, header);
    for (size_t i = 0; i < data_bytes; i++) lh_str_add_bytes(&s, "", 1);
    put(s.text, s.length);
    lh_str_free(&s);
}

#define T(dtype, shape, begin, end)                                                                \
    "{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" #begin "," #end "]}"

Test(safetensors, malformed_headers_are_named)
{
    static const struct {
        const char *header, *cause;
        size_t data;
    } rows[] = {
        {"", "not valid JSON", 0},
        {"[]", "not a JSON object", 0},
        {"{\"a\":1}", "malformed", 0},
        {"{\"a\":" T("F32", "1", 0, 4) ",\"a\":" T("F32", "1", 0, 4) "}", "duplicate", 4},
        {"{\"a\":" T("F32", "2", 0, 4) "}", "shape does not agree", 4},
        {"{\"a\":" T("F31", "1", 0, 4) "}", "dtype is not known", 4},
        {"{\"a\":" T("F32", "-1", 0, 4) "}", "shape is malformed", 4},
        {"{\"a\":" T("F32", "1.0", 0, 4) "}", "shape is malformed", 4},
        {"{\"a\":" T("F32", "4294967296,4294967296", 0, 0) "}", "impossibly large", 0},
        {"{\"a\":" T("F32", "1,1,1,1,1,1,1,1,1", 0, 4) "}", "more than 8", 4},
        {"{\"a\":" T("F32", "1", 4, 0) "}", "beyond the end", 4},
        {"{\"a\":" T("F32", "2", 0, 8) "}", "beyond the end", 4},
        {"{\"a\":" T("F32", "1", 0, 99999999999999999999) "}", "too big", 4},
        {"{\"a\":" T("F32", "1", 4, 8) "}", "hole", 8},
        {"{\"a\":" T("F32", "1", 0, 4) "}", "behind the last", 8},
        {"{\"a\":" T("F32", "2", 0, 8) ",\"b\":" T("F32", "1", 4, 8) "}", "overlaps", 8},
        {"{\"__metadata__\":[]}", "not an object", 0},
        {"{\"__metadata__\":{\"a\":1}}", "not a string", 0},
        {"{\"__metadata__\":{\"lehr.format\":\"1\"}}", "damaged", 0},
    };
    for (size_t i = 0; i < LH_COUNT(rows); i++) {
        put_header(rows[i].header, rows[i].data);
        cr_expect_eq(try_read(), LEHR_E_CHECKPOINT, "%s", rows[i].header);
        cr_expect(strstr(lehr_context_message(ctx), rows[i].cause), "%s: %s", rows[i].header,
                  lehr_context_message(ctx));
    }
    put("\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10);
    cr_expect_eq(try_read(), LEHR_E_CHECKPOINT);
    unlink(path);
    cr_expect_eq(try_read(), LEHR_E_CHECKPOINT);
    cr_expect(strstr(lehr_context_message(ctx), "No such file"));
}

/* Files of other tools: no hashes, tensors at odd places. */
Test(safetensors, foreign_files_are_accepted_and_aligned)
{
    lh_safetensors *file;
    put_header("{\"a\":" T("U8", "1", 0, 1) ",\"b\":" T("F32", "1", 1, 5) "}", 5);
    cr_assert_eq(lh_safetensors_read(ctx, path, &file), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_expect_not(lh_safetensors_verified(file));
    const lh_st_entry *b = lh_safetensors_find(file, "b");
    cr_expect_eq((uintptr_t)b->data % 4, 0);
    cr_expect_eq(*(const float *)b->data, 0.0f);
    cr_expect_str_eq(lh_safetensors_at(file, 0)->name, "a");
    lh_safetensors_free(&file);
}

/* Deletes and overwrites at a few random places; returns the new length. */
static size_t mutate(char *data, size_t bytes, uint64_t round)
{
    static const char words[] = "{}[]\",:0123456789-.e \\u\0\xff";
    uint32_t edits = 1 + lh_philox_draw(1, round, LH_STREAM_USER, 0).v[0] % 4;
    for (uint32_t e = 1; e <= edits && bytes > 1; e++) {
        lh_philox r = lh_philox_draw(1, round, LH_STREAM_USER, e);
        size_t at = lh_below(r.v[0], (uint32_t)bytes);
        if (r.v[1] % 3 == 0)
            memmove(data + at, data + at + 1, --bytes - at);
        else
            data[at] = r.v[1] % 3 == 1 ? (char)r.v[2] : words[r.v[2] % sizeof words];
    }
    return bytes;
}

Test(safetensors, random_mutations_never_crash)
{
    enum { ROUNDS = 10000 };
    size_t bytes[2], accepted = 0;
    char *seeds[2];
    write_sample();
    seeds[0] = slurp(&bytes[0]);
    put_header("{\"a\":" T("U8", "3", 0, 3) ",\"b\":" T("F32", "1,2", 3, 11) "}", 11);
    seeds[1] = slurp(&bytes[1]);
    char *copy = malloc(bytes[0] + bytes[1]);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        size_t which = round % 2;
        memcpy(copy, seeds[which], bytes[which]);
        put(copy, mutate(copy, bytes[which], round));
        accepted += try_read() == LEHR_OK;
    }
    cr_expect_lt(accepted, ROUNDS / 2);
    free(copy);
    free(seeds[0]);
    free(seeds[1]);
}
