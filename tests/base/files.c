/* SPDX-License-Identifier: MIT
 *
 * Files: atomic replacement under injected limits, reading, lines, locks, SHA-256. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/files.h"
#include "tests/folder.h"

static lehr_context *ctx;
static char path[256];

static void start(void)
{
    cr_assert_eq(lehr_context_create(NULL, &ctx), LEHR_OK);
    folder_make();
    snprintf(path, sizeof path, "%s/file", dir);
}

static void stop(void)
{
    folder_remove();
    lehr_context_destroy(&ctx);
}

TestSuite(files, .init = start, .fini = stop);

static unsigned entries(void)
{
    unsigned count = 0;
    DIR *listing = opendir(dir);
    for (struct dirent *e = readdir(listing); e; e = readdir(listing))
        count += e->d_name[0] != '.' || strstr(e->d_name, ".tmp.") != NULL;
    closedir(listing);
    return count;
}

static void expect_content(const char *wanted)
{
    char *text;
    size_t bytes;
    cr_assert_eq(lh_file_read(ctx, path, 0, LEHR_E_DATA, &text, &bytes), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    cr_expect_str_eq(text, wanted);
    cr_expect_eq(bytes, strlen(wanted));
    free(text);
}

/* FIPS 180-4's million of "a", whole and in pieces of every kind: long ones may take another way. */
Test(files, sha256_in_pieces)
{
    static const char wanted[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
    static const size_t sizes[] = {1000000, 1, 63, 4096, 4097, 5000, 64, 9999};
    char *text = malloc(1000000), hex[LH_SHA256_HEX];
    memset(text, 'a', 1000000);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        lh_sha256_state state;
        size_t size = 0;
        lh_sha256_start(&state);
        for (size_t at = 0, k = i; at < 1000000; at += size, k = i == 1 ? 1 + (k + 1) % 7 : k) {
            size = sizes[k] < 1000000 - at ? sizes[k] : 1000000 - at;
            lh_sha256_add(&state, text + at, size);
        }
        lh_sha256_end(&state, hex);
        cr_expect_str_eq(hex, wanted, "pieces of %zu", sizes[i]);
    }
    free(text);
}

Test(files, sha256_known_answers)
{
    char hex[LH_SHA256_HEX];
    lh_sha256("abc", 3, hex);
    cr_expect_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    lh_sha256("", 0, hex);
    cr_expect_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    cr_assert_eq(lh_file_write_text(ctx, path, "abc"), LEHR_OK);
    cr_assert_eq(lh_sha256_file(ctx, path, hex), LEHR_OK);
    cr_expect_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

Test(files, write_replaces_and_leaves_nothing_beside)
{
    cr_assert_eq(lh_file_write_text(ctx, path, "first, longer"), LEHR_OK);
    cr_assert_eq(lh_file_write_parts(ctx, path, (lh_part[]){{"se", 2}, {"", 0}, {"cond", 4}}, 3),
                 LEHR_OK);
    expect_content("second");
    cr_expect_eq(entries(), 1);
}

/* A limit at every byte is a full disk at every byte. */
Test(files, full_disk_at_every_byte_keeps_the_old_file)
{
    static const char new_text[] = "this is the new content of the file";
    cr_assert_eq(lh_file_write_text(ctx, path, "old"), LEHR_OK);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, limit;
    getrlimit(RLIMIT_FSIZE, &before);
    for (size_t n = 0; n < strlen(new_text); n++) {
        limit = before;
        limit.rlim_cur = n;
        setrlimit(RLIMIT_FSIZE, &limit);
        lh_enter(ctx);
        lehr_status status = lh_file_write_text(ctx, path, new_text);
        setrlimit(RLIMIT_FSIZE, &before);
        cr_expect_eq(status, LEHR_E_DISK, "limit %zu", n);
        cr_expect(strstr(lehr_context_message(ctx), path), "%s", lehr_context_message(ctx));
        expect_content("old");
        cr_expect_eq(entries(), 1, "limit %zu left something", n);
    }
    cr_assert_eq(lh_file_write_text(ctx, path, new_text), LEHR_OK);
    expect_content(new_text);
}

/* Where it is missing, somebody's redirection may have made a regular file of that name. */
static bool full_device(void)
{
    struct stat info;
    return stat("/dev/full", &info) == 0 && S_ISCHR(info.st_mode);
}

Test(files, refuses_what_is_not_a_regular_file)
{
    cr_assert_eq(mkfifo(path, 0600), 0); /* a device would be lost if it failed to refuse */
    cr_expect_eq(lh_file_write_text(ctx, path, "x"), LEHR_E_DISK);
    cr_expect(strstr(lehr_context_message(ctx), "not a regular file"));
    lh_enter(ctx);
    cr_expect_eq(lh_file_write_text(ctx, dir, "x"), LEHR_E_DISK);
    lh_enter(ctx);
    cr_expect_eq(lh_file_write_text(ctx, "/nonexistent/a/b", "x"), LEHR_E_DISK);
    cr_expect(strstr(lehr_context_message(ctx), "No such file"));
    lh_enter(ctx);
    char *text;
    size_t bytes;
    cr_expect_eq(lh_file_read(ctx, "/dev/zero", 0, LEHR_E_DATA, &text, &bytes), LEHR_E_DATA);
    lh_enter(ctx);
    cr_expect_eq(lh_file_read(ctx, path, 0, LEHR_E_DATA, &text, &bytes), LEHR_E_DATA);
    lh_enter(ctx);
    cr_expect_eq(lh_file_read(ctx, dir, 0, LEHR_E_DATA, &text, &bytes), LEHR_E_DATA);
    cr_expect(strstr(lehr_context_message(ctx), "a directory"));
}

Test(files, follows_a_link)
{
    char link_path[300];
    snprintf(link_path, sizeof link_path, "%s/link", dir);
    cr_assert_eq(lh_file_write_text(ctx, path, "a"), LEHR_OK);
    cr_assert_eq(symlink("file", link_path), 0);
    cr_assert_eq(lh_file_write_text(ctx, link_path, "through"), LEHR_OK);
    struct stat st;
    cr_expect(lstat(link_path, &st) == 0 && S_ISLNK(st.st_mode));
    expect_content("through");
}

Test(files, read_limit)
{
    char *text;
    size_t bytes;
    cr_assert_eq(lh_file_write_text(ctx, path, "12345"), LEHR_OK);
    cr_expect_eq(lh_file_read(ctx, path, 4, LEHR_E_CHECKPOINT, &text, &bytes), LEHR_E_CHECKPOINT);
    cr_expect(strstr(lehr_context_message(ctx), "5 bytes; at most 4"));
    cr_expect_null(text);
    lh_enter(ctx);
    cr_expect_eq(lh_file_read(ctx, path, 5, LEHR_E_CHECKPOINT, &text, &bytes), LEHR_OK);
    free(text);
}

Test(files, directories)
{
    char deep[300];
    snprintf(deep, sizeof deep, "%s/a/b//c/", dir);
    cr_expect_eq(lh_make_dirs(ctx, deep), LEHR_OK);
    cr_expect(lh_is_dir(deep));
    cr_expect_eq(lh_make_dirs(ctx, deep), LEHR_OK);
    cr_assert_eq(lh_file_write_text(ctx, path, ""), LEHR_OK);
    snprintf(deep, sizeof deep, "%s/file/b", dir);
    cr_expect_eq(lh_make_dirs(ctx, deep), LEHR_E_DISK);
}

Test(files, temporaries_are_swept)
{
    char name[300];
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s/%s", dir, i ? ".model.safetensors.tmp.123" : ".tmp.keep");
        cr_assert_eq(lh_file_write_text(ctx, name, "x"), LEHR_OK);
    }
    cr_assert_eq(lh_file_write_text(ctx, path, "x"), LEHR_OK);
    lh_remove_temporaries(ctx, dir);
    cr_expect_not(lh_file_exists(name));
    cr_expect(lh_file_exists(path));
    snprintf(name, sizeof name, "%s/.tmp.keep", dir);
    cr_expect(lh_file_exists(name));
}

Test(files, lines_stay_whole_on_a_full_disk)
{
    lh_appender *a;
    cr_assert_eq(lh_appender_open(ctx, path, &a), LEHR_OK);
    cr_assert_eq(lh_appender_line(a, "one"), LEHR_OK);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, limit;
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = 7;
    setrlimit(RLIMIT_FSIZE, &limit);
    lehr_status status = lh_appender_line(a, "two");
    cr_expect_eq(status, LEHR_E_DISK);
    setrlimit(RLIMIT_FSIZE, &before);
    expect_content("one\n");
    lh_enter(ctx);
    cr_assert_eq(lh_appender_line(a, "three"), LEHR_OK);
    cr_assert_eq(lh_appender_sync(a), LEHR_OK);
    lh_appender_close(&a);
    cr_expect_null(a);
    expect_content("one\nthree\n");
}

Test(files, appending_to_a_full_device)
{
    lh_appender *a = NULL;
    if (!full_device()) cr_skip_test("/dev/full is no device here");
    cr_assert_eq(lh_appender_open(ctx, "/dev/full", &a), LEHR_OK);
    cr_expect_eq(lh_appender_line(a, "x"), LEHR_E_DISK);
    cr_expect(strstr(lehr_context_message(ctx), "No space left"));
    lh_appender_close(&a);
}

Test(files, lock_names_its_holder_and_dies_with_it)
{
    lh_lock *lock, *second;
    int ready[2], quit[2];
    char byte = 0;
    cr_assert(pipe(ready) == 0 && pipe(quit) == 0);
    pid_t child = fork();
    if (child == 0) {
        close(quit[1]);
        if (lh_lock_dir(ctx, dir, &lock) == LEHR_OK) byte = 1;
        if (write(ready[1], &byte, 1) != 1 || read(quit[0], &byte, 1) < 0) _exit(1);
        _exit(0); /* without unlocking */
    }
    close(quit[0]);
    cr_assert(read(ready[0], &byte, 1) == 1 && byte == 1);
    cr_expect_eq(lh_lock_dir(ctx, dir, &second), LEHR_E_USAGE);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "in use by process %ld", (long)child);
    cr_expect(strstr(lehr_context_message(ctx), wanted), "%s", lehr_context_message(ctx));
    close(quit[1]);
    waitpid(child, NULL, 0);
    lh_enter(ctx);
    cr_assert_eq(lh_lock_dir(ctx, dir, &second), LEHR_OK);
    lh_unlock_dir(&second);
    cr_expect_null(second);
}
