/* SPDX-License-Identifier: MIT
 *
 * History: text of the lines, round trip, torn lines, cutting for a resumed run, mutations. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/files.h"
#include "core/base/philox.h"
#include "core/train/history.h"
#include "tests/folder.h"

static lehr_context *ctx;
static char path[128];
static unsigned warnings;

static void count_warning(void *user, uint32_t level, const char *line)
{
    (void)user;
    (void)line;
    warnings += level == LEHR_LOG_WARN;
}

static void start(void)
{
    lehr_context_params params = {.log = count_warning};
    cr_assert_eq(lehr_context_create(&params, &ctx), LEHR_OK);
    folder_make();
    snprintf(path, sizeof path, "%s/history.jsonl", dir);
}

static void stop(void)
{
    folder_remove();
    lehr_context_destroy(&ctx);
}

TestSuite(history, .init = start, .fini = stop);

static char *slurp(const char *name)
{
    char *text, full[200];
    size_t size;
    snprintf(full, sizeof full, "%s/%s", dir, name);
    cr_assert_eq(lh_file_read(ctx, full, 0, LEHR_E_DATA, &text, &size), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    return text;
}

static void put(const char *text)
{
    FILE *f = fopen(path, "wb");
    cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

/* Record of update `step` in a run with two updates an epoch; begun is when it was made. */
static lh_record step_record(uint64_t step, double begun)
{
    lh_record r = lh_record_new(LH_RECORD_STEP);
    r.step = step;
    r.epoch = (double)step / 2;
    r.lr = 0.1f / (float)step;
    r.loss = 2.302585092994046 / (double)step;
    r.accuracy = 0.125;
    r.seconds = begun + (double)step;
    return r;
}

/* Writes updates first..last and an epoch record after every second one. */
static void run(uint64_t first, uint64_t last, double begun)
{
    lh_history *h;
    cr_assert_eq(lh_history_open(ctx, dir, NULL, 0, &h), LEHR_OK, "%s", lehr_context_message(ctx));
    for (uint64_t step = first; step <= last; step++) {
        lh_record r = step_record(step, begun);
        cr_assert_eq(lh_history_add(h, &r), LEHR_OK);
        if (step % 2) continue;
        r.kind = LH_RECORD_EPOCH;
        r.val_loss = 1.5;
        r.val_accuracy = 0.5;
        cr_assert_eq(lh_history_add(h, &r), LEHR_OK);
    }
    cr_assert_eq(lh_history_save(h), LEHR_OK);
    lh_history_close(&h);
    cr_expect_null(h);
}

Test(history, lines_and_table)
{
    run(1, 2, 0);
    char *text = slurp("history.jsonl");
    cr_expect_str_eq(
        text, "{\"kind\":\"step\",\"step\":1,\"epoch\":0.5,\"lr\":0.1,\"loss\":2.302585092994046,"
              "\"accuracy\":0.125,\"val_loss\":null,\"val_accuracy\":null,\"seconds\":1,"
              "\"images_per_second\":null}\n"
              "{\"kind\":\"step\",\"step\":2,\"epoch\":1,\"lr\":0.05,\"loss\":1.151292546497023,"
              "\"accuracy\":0.125,\"val_loss\":null,\"val_accuracy\":null,\"seconds\":2,"
              "\"images_per_second\":null}\n"
              "{\"kind\":\"epoch\",\"step\":2,\"epoch\":1,\"lr\":0.05,\"loss\":1.151292546497023,"
              "\"accuracy\":0.125,\"val_loss\":1.5,\"val_accuracy\":0.5,\"seconds\":2,"
              "\"images_per_second\":null}\n");
    free(text);
    text = slurp("history.csv");
    cr_expect_str_eq(
        text, "kind,step,epoch,lr,loss,accuracy,val_loss,val_accuracy,seconds,images_per_second\n"
              "step,1,0.5,0.1,2.302585092994046,0.125,,,1,\n"
              "step,2,1,0.05,1.151292546497023,0.125,,,2,\n"
              "epoch,2,1,0.05,1.151292546497023,0.125,1.5,0.5,2,\n");
    free(text);
}

Test(history, reads_back_what_was_written)
{
    lh_records all;
    run(1, 9, 0);
    cr_assert_eq(lh_history_read(ctx, path, &all), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_assert_eq(all.count, 13);
    cr_expect_eq(all.rows[2].kind, LH_RECORD_EPOCH);
    cr_expect_eq(all.rows[2].val_accuracy, 0.5);
    cr_expect(isnan(all.rows[0].val_accuracy));
    for (size_t i = 0; i < all.count; i++) {
        cr_expect_eq((float)all.rows[i].lr, 0.1f / (float)all.rows[i].step);
        cr_expect_eq(all.rows[i].loss, 2.302585092994046 / (double)all.rows[i].step);
    }
    cr_expect_eq(warnings, 0);
    lh_records_free(&all);
    cr_expect_null(all.rows);
}

Test(history, every_truncation_reads_or_says_so)
{
    run(1, 2, 0);
    char *text = slurp("history.jsonl");
    size_t size = strlen(text);
    for (size_t n = 0; n <= size; n++) {
        lh_records all;
        FILE *f = fopen(path, "wb");
        cr_assert(f && fwrite(text, 1, n, f) == n && fclose(f) == 0);
        warnings = 0;
        cr_assert_eq(lh_history_read(ctx, path, &all), LEHR_OK);
        size_t lines = 0;
        for (size_t i = 0; i < n; i++) lines += text[i] == '\n';
        cr_expect_eq(all.count, lines);
        cr_expect_eq(warnings, n > 0 && text[n - 1] != '\n', "%zu bytes", n);
        lh_records_free(&all);
    }
    free(text);
}

Test(history, damage_in_the_middle_is_named)
{
    lh_records all;
    put("{\"kind\":\"step\",\"step\":1}\n{\"kind\":\"step\",}\n{\"kind\":\"step\",\"step\":3}\n");
    cr_expect_eq(lh_history_read(ctx, path, &all), LEHR_E_CHECKPOINT);
    cr_expect(strstr(lehr_context_message(ctx), "line 2"), "%s", lehr_context_message(ctx));
    cr_expect_null(all.rows);
    lh_enter(ctx);
    put("{\"kind\":\"step\",\"step\":1}\n{\"kind\":\"note\",\"text\":\"later\"}\n[]\n"
        "{\"kind\":\"epoch\",\"step\":3,\"new\":1}\n");
    cr_expect_eq(lh_history_read(ctx, path, &all), LEHR_OK);
    cr_expect_eq(all.count, 2);
    lh_records_free(&all);
    put("{\"kind\":\"step\",\"step\":1}\n{\"kind\":\"step\",\"step\":2}\n"
        "{\"kind\":\"epoch\",\"step\":2}\n"); /* as many records as bytes allow */
    cr_expect_eq(lh_history_read(ctx, path, &all), LEHR_OK);
    cr_expect_eq(all.count, 3);
    lh_records_free(&all);
    lh_str line = {0};
    lh_str_add(&line, "[");
    for (int i = 0; i < 100000; i++) lh_str_add(&line, "0,");
    lh_str_add(&line, "0]\n{}\n");
    put(line.text);
    lh_str_free(&line);
    cr_expect_eq(lh_history_read(ctx, path, &all), LEHR_E_CHECKPOINT);
    cr_expect(strstr(lehr_context_message(ctx), "bytes"), "%s", lehr_context_message(ctx));
}

/* Cuts the values of "seconds" out. */
static void drop_seconds(char *text)
{
    for (char *at = strstr(text, "\"seconds\":"); at; at = strstr(at + 10, "\"seconds\":")) {
        char *end = strchr(at, ',');
        memmove(at + 10, end, strlen(end) + 1);
    }
}

/* A run stopped after update `until` with a checkpoint at `step`, resumed there, and finished. */
Test(history, resumed_history_equals_the_uninterrupted_one)
{
    static const struct {
        uint64_t step, epochs, until;
    } stops[] = {{1, 0, 1}, {1, 0, 6}, {2, 1, 5}, {4, 2, 4}, {4, 2, 5}, {5, 2, 7}, {8, 4, 8}};
    run(1, 8, 0);
    char *whole = slurp("history.jsonl");
    drop_seconds(whole);
    for (size_t i = 0; i < LH_COUNT(stops); i++) {
        remove(path);
        run(1, stops[i].until, 0);
        FILE *f = fopen(path, "ab"); /* killed while writing */
        cr_assert(f && fputs("{\"kind\":\"st", f) >= 0 && fclose(f) == 0);
        cr_assert_eq(lh_history_truncate(ctx, dir, stops[i].step, stops[i].epochs), LEHR_OK);
        run(stops[i].step + 1, 8, 0.5);
        char *text = slurp("history.jsonl"), *table = slurp("history.csv");
        drop_seconds(text);
        cr_expect_str_eq(text, whole, "stop %zu", i);
        size_t rows = 0;
        for (const char *c = table; *c; c++) rows += *c == '\n';
        cr_expect_eq(rows, 13);
        free(text);
        free(table);
    }
    free(whole);
    /* the epoch's record is written after the checkpoint's: it is dropped and made again */
    cr_assert_eq(lh_history_truncate(ctx, dir, 4, 1), LEHR_OK);
    lh_records all;
    cr_assert_eq(lh_history_read(ctx, path, &all), LEHR_OK);
    cr_expect_eq(all.count, 5);
    lh_records_free(&all);
}

Test(history, cutting_without_a_file)
{
    cr_expect_eq(lh_history_truncate(ctx, dir, 0, 0), LEHR_OK);
    cr_expect_eq(warnings, 0);
    cr_expect_eq(lh_history_truncate(ctx, dir, 3, 0), LEHR_OK);
    cr_expect_eq(warnings, 1);
}

Test(history, a_device_is_no_history)
{
    lh_history *h;
    cr_assert_eq(symlink("/dev/null", path), 0);
    lehr_status status = lh_history_open(ctx, dir, NULL, 0, &h);
    cr_expect_eq(status, LEHR_E_CHECKPOINT, "a device is not a history");
    cr_expect_null(h);
}

Test(history, random_mutations_never_crash)
{
    run(1, 3, 0);
    char *text = slurp("history.jsonl");
    size_t size = strlen(text);
    char *copy = malloc(size + 1);
    for (uint64_t round = 0; round < 3000; round++) {
        memcpy(copy, text, size + 1);
        for (uint32_t e = 0; e < 3; e++) {
            lh_philox r = lh_philox_draw(2, round, LH_STREAM_USER, e);
            copy[lh_below(r.v[0], (uint32_t)size)] = (char)(r.v[1] % 3 ? 32 + r.v[2] % 95 : r.v[2]);
        }
        FILE *f = fopen(path, "wb");
        cr_assert(f && fwrite(copy, 1, size, f) == size && fclose(f) == 0);
        lh_records all;
        lh_enter(ctx);
        lehr_status status = lh_history_read(ctx, path, &all);
        cr_assert(status == LEHR_OK || status == LEHR_E_CHECKPOINT);
        lh_records_free(&all);
    }
    free(copy);
    free(text);
}
