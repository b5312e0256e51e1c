/* SPDX-License-Identifier: MIT
 *
 * What is remembered between processes: the tuning store and the cache of programs.  Both must survive
 * damage, other writers and a directory that cannot be written. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/files.h"
#include "core/runtime/cache.h"
#include "tests/cache_rig.h"

TestSuite(cache, .init = cache_open, .fini = cache_close);

static void add_with(lehr_device *to, lh_kept_kind kind, const char *problem, const char *variant,
                     const char *parameters)
{
    cr_assert_eq(lh_kept_add(to, &(lh_kept){.kind = kind, .op = "op", .problem = problem,
                                            .variant = variant, .parameters = parameters, .ms = 0.5,
                                            .gflops = 64,
                                            .note = kind == LH_KEPT_BAD ? "y is off" : NULL}), LEHR_OK);
}

static void add(lehr_device *to, lh_kept_kind kind, const char *problem, const char *variant)
{
    add_with(to, kind, problem, variant, NULL);
}

/* The stored variant, or "". */
static const char *best(const char *problem)
{
    const lh_kept *row = lh_kept_find(dev, LH_KEPT_BEST, "op", problem, NULL, NULL);
    return row ? row->variant : "";
}

static void reopen(void)
{
    lehr_device_destroy(&dev);
    warnings[0] = '\0';
    open_device(&dev);
}

static char *read_store(char *path, size_t size)
{
    char *text = NULL;
    size_t bytes = 0;
    snprintf(path, size, "%s", lh_kept_path(dev));
    cr_assert_eq(lh_file_read(ctx, path, 0, LEHR_E_DISK, &text, &bytes), LEHR_OK);
    return text;
}

static void expect_damage(const char *path, const char *text, const char *warning)
{
    cr_assert_eq(lh_file_write_text(ctx, path, text), LEHR_OK);
    reopen();
    best("n=1");
    cr_expect(strstr(warnings, warning) != NULL, "wanted '%s', got '%s'", warning, warnings);
}

Test(cache, rows_come_back_and_damage_is_passed_over)
{
    char path[256];
    lh_str damaged = {0};
    open_device(&dev);
    add(dev, LH_KEPT_BEST, "n=1", "one");
    add(dev, LH_KEPT_BEST, "n=1", "two"); /* replaces it */
    add(dev, LH_KEPT_BAD, "n=2", "one");
    add(dev, LH_KEPT_GOOD, "n=2", "two");
    add(dev, LH_KEPT_RECORDED, "n=3", "one");
    add(dev, LH_KEPT_CHOSEN, "n=3", "one");
    reopen();
    cr_expect_str_eq(best("n=1"), "two");
    const lh_kept *row = lh_kept_find(dev, LH_KEPT_BEST, "op", "n=1", "two", NULL);
    cr_assert_not_null(row);
    cr_expect(row->ms == 0.5 && row->gflops == 64 && !row->note);
    cr_expect_str_eq(lh_kept_find(dev, LH_KEPT_BAD, "op", "n=2", "one", NULL)->note, "y is off");
    cr_expect_not_null(lh_kept_find(dev, LH_KEPT_GOOD, "op", "n=2", "two", NULL));
    cr_expect_null(lh_kept_find(dev, LH_KEPT_RECORDED, "op", NULL, NULL, NULL), "a run's choice was stored");
    cr_expect_null(lh_kept_find(dev, LH_KEPT_CHOSEN, "op", NULL, NULL, NULL), "a run's choice was stored");
    cr_expect_str_eq(warnings, "");

    char *text = read_store(path, sizeof path);
    cr_expect(strstr(text, "\nbest\top\tn=1\ttwo\t\t0.5\t64\t\n"), "%s", text);
    cr_expect(strstr(text, "\n# sources: "), "rows would outlive the kernels: %s", text);
    lh_str_printf(&damaged, "%sbest\top\tn=4\nnonsense\nbest\top\tn=5\tfive\t\t1\t1\t\nbest\top\tn=6\tsix",
                  text);
    expect_damage(path, lh_str_text(&damaged), "3 damaged lines");
    cr_expect_str_eq(best("n=1"), "two");
    cr_expect_str_eq(best("n=5"), "five");
    cr_expect_str_eq(best("n=6"), "");
    expect_damage(path, "best\top\tn=1\tfalse\t\t1\t1\t\n", "is damaged");
    cr_expect_str_eq(best("n=1"), "");
    add(dev, LH_KEPT_BEST, "n=7", "seven"); /* and it is written anew */
    reopen();
    cr_expect_str_eq(best("n=7"), "seven");
    cr_expect_str_eq(warnings, "");
    lh_str_free(&damaged);
    free(text);
}

/* Verdicts are about a variant with its parameters; the best one has its own. */
Test(cache, parameters_come_back)
{
    char path[256], long_field[200];
    lh_str damaged = {0};
    open_device(&dev);
    add_with(dev, LH_KEPT_BEST, "n=1", "one", "rows=6:nv=2");
    add_with(dev, LH_KEPT_GOOD, "n=1", "one", "rows=6:nv=2");
    add_with(dev, LH_KEPT_BAD, "n=1", "one", "rows=8");
    add_with(dev, LH_KEPT_BAD, "n=1", "two", NULL);
    add_with(dev, LH_KEPT_BAD, "n=1", "three", "rows=8");
    lh_kept_drop(dev, LH_KEPT_BAD, "op", "n=1", "three", "rows=8");
    reopen();
    const lh_kept *row = lh_kept_find(dev, LH_KEPT_BEST, "op", "n=1", NULL, NULL);
    cr_assert_not_null(row);
    cr_expect_str_eq(row->parameters, "rows=6:nv=2");
    cr_expect_not_null(lh_kept_find(dev, LH_KEPT_GOOD, "op", "n=1", "one", "rows=6:nv=2"));
    cr_expect_not_null(lh_kept_find(dev, LH_KEPT_BAD, "op", "n=1", "one", "rows=8"));
    cr_expect_null(lh_kept_find(dev, LH_KEPT_BAD, "op", "n=1", "one", ""), "another setting");
    cr_expect_null(lh_kept_find(dev, LH_KEPT_GOOD, "op", "n=1", "one", ""), "another setting");
    cr_expect_str_eq(lh_kept_find(dev, LH_KEPT_BAD, "op", "n=1", "two", NULL)->parameters, "");
    cr_expect_null(lh_kept_find(dev, LH_KEPT_BAD, "op", "n=1", "three", NULL), "it was dropped");
    lh_kept_drop(dev, LH_KEPT_BAD, "op", "n=1", "two", NULL);
    cr_expect_not_null(lh_kept_find(dev, LH_KEPT_BAD, "op", "n=1", "two", NULL), "what is stored stays");
    char *text = read_store(path, sizeof path);
    cr_expect(strstr(text, "\nbest\top\tn=1\tone\trows=6:nv=2\t0.5\t64\t\n"), "%s", text);
    memset(long_field, 'x', sizeof long_field - 1);
    long_field[sizeof long_field - 1] = '\0';
    lh_str_printf(&damaged, "%sbest\top\tn=4\tfour\t1\t1\t\nbest\top\tn=5\tfive\t%s\t1\t1\t\n", text,
                  long_field); /* the fields of version 1; parameters that nothing has */
    expect_damage(path, lh_str_text(&damaged), "2 damaged lines");
    cr_expect_str_eq(best("n=4"), "");
    cr_expect_str_eq(best("n=5"), "");
    cr_expect_str_eq(best("n=1"), "one");
    lh_str_free(&damaged);
    free(text);
}

/* The table that lehr comes with: rows for devices whose head its own matches, looked up, never stored. */
Test(cache, shipped_rows)
{
    static const char row[] = "best\top\tn=1\tone\trows=6\t0.5\t64\t\nbest\top\tn=2\ttwo\t\t0.5\t64\t\n";
    static const char *const others[] = {"# device: nothing like it*\n", "# device: *\n# driver: none\n",
                                         "# device: *\n# kernels: family none*\n", ""};
    char text[512], path[256];
    open_device(&dev);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(text, sizeof text, "# a table\n%s%s", others[i], row);
        lh_kept_add_shipped(dev, "test", text);
        cr_expect_null(lh_kept_find(dev, LH_KEPT_SHIPPED, "op", "n=1", NULL, NULL), "%s", others[i]);
    }
    snprintf(text, sizeof text, "# device: *\n# driver: *\n# kernels: family *\n%snonsense\n", row);
    lh_kept_add_shipped(dev, "test", text);
    cr_expect(strstr(warnings, "'test': 1 lines are no rows"), "%s", warnings);
    const lh_kept *found = lh_kept_find(dev, LH_KEPT_SHIPPED, "op", "n=1", NULL, NULL);
    cr_assert_not_null(found);
    cr_expect_str_eq(found->parameters, "rows=6");
    cr_expect_str_eq(best("n=1"), "", "it was not measured here");
    add(dev, LH_KEPT_RECORDED, "n=1", "one");
    add(dev, LH_KEPT_CHOSEN, "n=1", "one");
    lh_kept_forget_run(dev);
    cr_expect_null(lh_kept_find(dev, LH_KEPT_RECORDED, "op", "n=1", NULL, NULL));
    cr_expect_null(lh_kept_find(dev, LH_KEPT_CHOSEN, "op", "n=1", NULL, NULL));
    cr_expect_not_null(lh_kept_find(dev, LH_KEPT_SHIPPED, "op", "n=2", NULL, NULL));
    add(dev, LH_KEPT_BEST, "n=3", "three");
    cr_assert_eq(lh_kept_add(dev, &(lh_kept){.kind = LH_KEPT_BEST, .op = "op", .problem = "n=4",
                                             .variant = "four", .note = "default"}), LEHR_OK);
    lh_str table = {0};
    cr_assert_eq(lh_kept_export(dev, &table), LEHR_OK);
    cr_expect(strstr(lh_str_text(&table), "# device: ") != NULL);
    cr_expect(strstr(lh_str_text(&table), "best\top\tn=3\tthree") != NULL);
    cr_expect_null(strstr(lh_str_text(&table), "n=1"));
    cr_expect_null(strstr(lh_str_text(&table), "n=4"), "what would be used anyway");
    lh_str_free(&table);
    reopen();
    free(read_store(path, sizeof path));
    cr_expect_null(lh_kept_find(dev, LH_KEPT_SHIPPED, "op", "n=1", NULL, NULL), "stored");
}

/* The table in the source tree has no damage, and is for devices of its own kind. */
Test(cache, shipped_tables_are_whole)
{
    open_device(&dev);
    lh_kept_find(dev, LH_KEPT_BEST, "op", "n=1", NULL, NULL);
    cr_expect_str_eq(warnings, "");
}

/* Two writers that opened the store when it was empty. */
Test(cache, writers_do_not_lose_each_others_rows)
{
    lehr_device *other = NULL;
    open_device(&dev);
    open_device(&other);
    cr_expect_str_eq(best("n=1"), "");
    cr_expect_null(lh_kept_find(other, LH_KEPT_BEST, "op", "n=1", NULL, NULL));
    add(dev, LH_KEPT_BEST, "n=1", "first");
    add(other, LH_KEPT_BEST, "n=2", "second");
    add(dev, LH_KEPT_BEST, "n=3", "first");
    add(other, LH_KEPT_BEST, "n=3", "second");
    lh_kept_save(dev);
    lehr_device_destroy(&other); /* saves */
    reopen();
    cr_expect_str_eq(best("n=1"), "first");
    cr_expect_str_eq(best("n=2"), "second");
    cr_expect_str_eq(best("n=3"), "second", "what is saved last holds");
}

/* Nothing that goes wrong here fails a call, nor changes what it says. */
Test(cache, can_be_off_or_unwritable)
{
    char path[128];
    setenv("LEHR_CACHE", "off", 1);
    open_device(&dev);
    add(dev, LH_KEPT_BEST, "n=1", "one");
    cr_expect_str_eq(best("n=1"), "one");
    cr_expect_not(lh_self_test_left(dev) > 0, "a check that cannot be remembered");
    reopen();
    cr_expect_str_eq(best("n=1"), "");
    snprintf(path, sizeof path, "%s/file/below", dir); /* no directory can be made there */
    cr_assert_eq(lh_file_write_text(ctx, strcat(strcpy(path, dir), "/file"), "x"), LEHR_OK);
    setenv("LEHR_CACHE", strcat(path, "/below"), 1);
    reopen();
    add(dev, LH_KEPT_BEST, "n=1", "one");
    lh_kept_save(dev);
    cr_expect_str_eq(lehr_context_message(ctx), "");
    lh_fail(ctx, LEHR_E_DATA, "the failure that is being told");
    lehr_device_destroy(&dev);
    cr_expect_str_eq(lehr_context_message(ctx), "the failure that is being told");
}

/* ---- programs ---- */

static const char source[] = "__kernel void twice(__global float *x) { x[get_global_id(0)] *= FACTOR; }\n";
static const char options[] = "-DFACTOR=2.0f";

/* What the kernel makes of 3. */
static float run_kernel(cl_program program)
{
    cl_kernel kernel = NULL;
    cl_mem x = NULL;
    float value = 3;
    cr_assert_eq(lh_kernel_create(dev, program, "twice", &kernel), LEHR_OK);
    cr_assert_eq(lh_buffer_create(dev, sizeof value, &x), LEHR_OK);
    cr_assert_eq(lh_buffer_write(dev, x, 0, sizeof value, &value), LEHR_OK);
    cr_assert_eq(lh_kernel_args(dev, kernel, "m", x), LEHR_OK);
    cr_assert_eq(lh_launch_1d(dev, kernel, 1, 1), LEHR_OK);
    cr_assert_eq(lh_buffer_read(dev, x, 0, sizeof value, &value), LEHR_OK);
    lh_kernel_free(&kernel);
    lh_buffer_free(&x);
    return value;
}

/* Number of cached programs; the path of the last one. */
static unsigned programs(char *path, size_t size)
{
    char where[96];
    unsigned count = 0;
    snprintf(where, sizeof where, "%s/programs", dir);
    DIR *d = opendir(where);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.') continue;
        snprintf(path, size, "%s/%s", where, e->d_name);
        count++;
    }
    if (d) closedir(d);
    return count;
}

static void build(float wanted)
{
    cl_program program = NULL;
    reopen();
    cr_assert_eq(lh_program_from_text(dev, "twice", source, options, &program), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    cr_expect_eq(run_kernel(program), wanted);
}

Test(cache, programs_are_loaded_and_damage_means_source)
{
    char path[512] = "";
    build(6);
    cr_expect_eq(programs(path, sizeof path), 0, "this driver has a cache of its own");
    setenv("LEHR_TRAITS", "program_cache=1", 1);
    build(6);
    cr_assert_eq(programs(path, sizeof path), 1);
    reopen();
    cl_program program = lh_program_load(dev, source, options);
    cr_assert_not_null(program, "the binary is not taken");
    cr_expect_eq(run_kernel(program), 6);
    clReleaseProgram(program);
    cr_expect_null(lh_program_load(dev, source, "-DFACTOR=3.0f"), "other options");
    cr_expect_null(lh_program_load(dev, "other", options), "other source");

    char *bytes = NULL;
    size_t size = 0;
    cr_assert_eq(lh_file_read(ctx, path, 0, LEHR_E_DISK, &bytes, &size), LEHR_OK);
    const size_t places[] = {0, 20, 100, size / 2, size - 1};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        bytes[places[i]] ^= 1;
        cr_assert_eq(lh_file_write(ctx, path, bytes, size), LEHR_OK);
        bytes[places[i]] ^= 1;
        cr_expect_null(lh_program_load(dev, source, options), "byte %zu is wrong", places[i]);
        cr_expect_not(lh_file_exists(path), "the damaged file is still there");
    }
    cr_assert_eq(lh_file_write(ctx, path, bytes, size / 2), LEHR_OK);
    build(6); /* cut short: built from source, and stored again */
    cr_expect_not_null(program = lh_program_load(dev, source, options));
    if (program) clReleaseProgram(program);
    free(bytes);
    unlink(path);
    setenv("LEHR_CACHE", "off", 1);
    build(6);
    cr_expect_eq(programs(path, sizeof path), 0, "LEHR_CACHE=off");
}

/* The files used longest ago go first, and only files of the cache. */
Test(cache, programs_have_a_limit)
{
    char path[512], names[4][100];
    for (int i = 0; i < 4; i++) {
        const struct timespec times[2] = {{1000000 - 1000 * i, 0}, {1000000 - 1000 * i, 0}};
        snprintf(names[i], sizeof names[i], "%063d%d.bin", 0, i);
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        cr_assert_eq(lh_file_write(ctx, path, "0123456789", 10), LEHR_OK);
        cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
    }
    snprintf(path, sizeof path, "%s/other.bin", dir);
    cr_assert_eq(lh_file_write(ctx, path, "0123456789", 10), LEHR_OK);
    lh_program_cache_trim(dir, 40);
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        cr_expect(lh_file_exists(path));
    }
    lh_program_cache_trim(dir, 25);
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        cr_expect_eq(lh_file_exists(path), i < 2, "file %d", i);
    }
    snprintf(path, sizeof path, "%s/other.bin", dir);
    cr_expect(lh_file_exists(path));
}
