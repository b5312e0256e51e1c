/* SPDX-License-Identifier: MIT
 *
 * Binaries of built programs on disk, for drivers without a cache of their own.  A file is a head, "lehr
 * program 1", the SHA-256 of the rest and a newline each, then the binary; its name is the SHA-256 of
 * all that the binary depends on.  What is damaged or refused is removed and built from source. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/files.h"
#include "core/runtime/cache.h"
#include "core/runtime/device.h"

static const char magic[] = "lehr program 1\n";
enum { HEAD = sizeof magic - 1 + LH_SHA256_HEX, MAX_BINARY = 64 << 20 };

/* Directory and file of a program; false when the cache is off. */
static bool place_of(const lehr_device *dev, const char *text, const char *options, lh_str *dir,
                     lh_str *path)
{
    if (!dev->traits.program_cache) return false;
    char *root = lh_cache_dir(dev->ctx);
    if (!root) return false;
    lh_str identity = {0};
    lh_sha256_state state;
    char hex[LH_SHA256_HEX], name[LH_SHA256_HEX + 8];
    lh_cache_identity(dev, &identity);
    lh_sha256_start(&state);
    lh_sha256_add(&state, lh_str_text(&identity), identity.length + 1);
    lh_sha256_add(&state, options, strlen(options) + 1);
    lh_sha256_add(&state, text, strlen(text));
    lh_sha256_end(&state, hex);
    snprintf(name, sizeof name, "%s.bin", hex);
    lh_path_join(dir, root, "programs");
    lh_path_join(path, lh_str_text(dir), name);
    bool good = !identity.failed && !dir->failed && !path->failed;
    lh_str_free(&identity);
    free(root);
    return good;
}

/* The binary inside a file's bytes, or NULL. */
static const unsigned char *checked(const char *bytes, size_t size)
{
    char hex[LH_SHA256_HEX];
    if (size <= HEAD || memcmp(bytes, magic, sizeof magic - 1) != 0) return NULL;
    lh_sha256(bytes + HEAD, size - HEAD, hex);
    const char *stored = bytes + sizeof magic - 1;
    if (memcmp(stored, hex, LH_SHA256_HEX - 1) != 0 || bytes[HEAD - 1] != '\n') return NULL;
    return (const unsigned char *)bytes + HEAD;
}

/* NULL: the driver refuses it (another version of its format, say). */
static cl_program from_binary(const lehr_device *dev, const unsigned char *binary, size_t size,
                              const char *options)
{
    cl_int code = CL_SUCCESS, status = CL_SUCCESS;
    cl_program program = clCreateProgramWithBinary(dev->cl, 1, &dev->id, &size, &binary, &status,
                                                   &code);
    if (code == CL_SUCCESS && status == CL_SUCCESS &&
        clBuildProgram(program, 1, &dev->id, options, NULL, NULL) == CL_SUCCESS)
        return program;
    if (code == CL_SUCCESS && program) clReleaseProgram(program);
    return NULL;
}

cl_program lh_program_load(lehr_device *dev, const char *text, const char *options)
{
    lh_str dir = {0}, path = {0};
    char *bytes = NULL;
    size_t size = 0;
    cl_program program = NULL;
    if (place_of(dev, text, options, &dir, &path) && lh_file_exists(path.text)) {
        if (lh_file_read(dev->ctx, path.text, MAX_BINARY + HEAD, LEHR_E_DISK, &bytes, &size) !=
            LEHR_OK)
            lh_enter(dev->ctx); /* as if it were not there */
        const unsigned char *binary = bytes ? checked(bytes, size) : NULL;
        if (binary) program = from_binary(dev, binary, size - HEAD, options);
        if (program) {
            utimensat(AT_FDCWD, path.text, NULL, 0); /* used: the oldest go first */
        } else {
            lh_log(dev->ctx, LEHR_LOG_INFO, "'%s' cannot be used: building from source", path.text);
            unlink(path.text);
        }
    }
    free(bytes);
    lh_str_free(&dir);
    lh_str_free(&path);
    return program;
}

/* The binary for the device's one device; the caller frees it. */
static unsigned char *binary_of(cl_program program, size_t *size)
{
    cl_uint devices = 0;
    *size = 0;
    clGetProgramInfo(program, CL_PROGRAM_NUM_DEVICES, sizeof devices, &devices, NULL);
    if (devices != 1) return NULL;
    clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof *size, size, NULL);
    if (*size == 0 || *size > MAX_BINARY) return NULL;
    unsigned char *binary = malloc(*size);
    if (binary &&
        clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS)
        return binary;
    free(binary);
    return NULL;
}

void lh_program_store(lehr_device *dev, const char *text, const char *options, cl_program program)
{
    lh_str dir = {0}, path = {0};
    size_t size = 0;
    unsigned char *binary = NULL;
    if (place_of(dev, text, options, &dir, &path)) binary = binary_of(program, &size);
    if (binary) {
        char head[HEAD + 1];
        memcpy(head, magic, sizeof magic - 1);
        lh_sha256(binary, size, head + sizeof magic - 1);
        head[HEAD - 1] = '\n';
        const lh_part parts[] = {{head, HEAD}, {binary, size}};
        lehr_status st = lh_make_dirs(dev->ctx, dir.text);
        if (st == LEHR_OK) st = lh_file_write_parts(dev->ctx, path.text, parts, 2);
        if (st != LEHR_OK) {
            lh_log(dev->ctx, LEHR_LOG_INFO, "a built program is not kept: %s",
                   lehr_context_message(dev->ctx));
            lh_enter(dev->ctx);
        }
        lh_program_cache_trim(dir.text, LH_PROGRAM_CACHE_BYTES);
    }
    free(binary);
    lh_str_free(&dir);
    lh_str_free(&path);
}

/* ---- the limit ---- */

typedef struct kept {
    char name[LH_SHA256_HEX + 8];
    struct timespec used;
    uint64_t bytes;
} kept;

static int by_age(const void *a, const void *b)
{
    const struct timespec *x = &((const kept *)a)->used, *y = &((const kept *)b)->used;
    if (x->tv_sec != y->tv_sec) return x->tv_sec < y->tv_sec ? -1 : 1;
    return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

/* The cache's own files in an open directory; the caller frees rows. */
static size_t list_kept(DIR *d, kept **rows, uint64_t *total)
{
    size_t count = 0, room = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        size_t length = strlen(e->d_name);
        struct stat st;
        if (length != LH_SHA256_HEX + 3 || strcmp(e->d_name + length - 4, ".bin") != 0) continue;
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
            continue;
        if (count == room) {
            kept *more = realloc(*rows, (2 * room + 64) * sizeof *more);
            if (!more) break;
            *rows = more;
            room = 2 * room + 64;
        }
        kept *k = &(*rows)[count++];
        snprintf(k->name, sizeof k->name, "%s", e->d_name);
        k->used = st.st_mtim;
        k->bytes = (uint64_t)st.st_size;
        *total += k->bytes;
    }
    return count;
}

void lh_program_cache_trim(const char *dir, uint64_t limit)
{
    kept *rows = NULL;
    uint64_t total = 0;
    DIR *d = opendir(dir);
    if (!d) return;
    size_t count = list_kept(d, &rows, &total);
    if (rows && total > limit) qsort(rows, count, sizeof *rows, by_age);
    for (size_t i = 0; i < count && total > limit; i++) {
        if (unlinkat(dirfd(d), rows[i].name, 0) != 0 && errno != ENOENT) continue;
        total -= rows[i].bytes;
    }
    free(rows);
    closedir(d);
}
