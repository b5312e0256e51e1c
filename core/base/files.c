/* SPDX-License-Identifier: MIT
 *
 * Atomic writes, reads with a limit, directories.  The order write, fsync, rename, fsync of the
 * directory is what makes a checkpoint survive a power cut: see rename(2) and fsync(2). */
#define _GNU_SOURCE
#include "core/base/files.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <nettle/version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void lh_path_join(lh_str *s, const char *dir, const char *name)
{
    lh_str_clear(s);
    lh_str_add(s, dir);
    if (s->length && s->text[s->length - 1] != '/') lh_str_add(s, "/");
    lh_str_add(s, name);
}

bool lh_file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

bool lh_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool lh_file_size(const char *path, uint64_t *bytes)
{
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) return false;
    *bytes = (uint64_t)st.st_size;
    return true;
}

/* ---- writing ---- */

static lehr_status disk_fail(lehr_context *ctx, const char *what, const char *path, int error)
{
    const char *advice = error == ENOSPC || error == EDQUOT ? "; free some space and run again" : "";
    return lh_fail(ctx, LEHR_E_DISK, "cannot %s '%s': %s%s", what, path, strerror(error), advice);
}

/* Writes everything or returns the errno: short writes continue, EINTR repeats. */
static int write_all(int fd, const char *bytes, size_t count)
{
    while (count) {
        ssize_t written = write(fd, bytes, count < SSIZE_MAX ? count : SSIZE_MAX);
        if (written < 0) {
            if (errno == EINTR) continue;
            return errno;
        }
        if (written == 0) return EIO;
        bytes += written;
        count -= (size_t)written;
    }
    return 0;
}

static int sync_fd(int fd)
{
    int result;
    do {
        result = fsync(fd);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}

/* Some file systems cannot sync a directory and say so; that is not the file's failure. */
static int sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno == EACCES ? 0 : errno;
    int error = sync_fd(fd);
    close(fd);
    return error == EINVAL || error == ENOTSUP || error == EROFS ? 0 : error;
}

/* Where the bytes really go: the target of a symbolic link, else path itself. */
static lehr_status resolve_target(lehr_context *ctx, const char *path, lh_str *target)
{
    struct stat st;
    lh_str_add(target, path);
    if (lstat(path, &st) != 0) return LEHR_OK;
    if (S_ISLNK(st.st_mode)) {
        char *real = realpath(path, NULL);
        if (!real) return disk_fail(ctx, "write through the link", path, errno);
        lh_str_clear(target);
        lh_str_add(target, real);
        free(real);
        if (stat(path, &st) != 0) return disk_fail(ctx, "look at", path, errno);
    }
    if (!S_ISREG(st.st_mode))
        return lh_fail(ctx, LEHR_E_DISK, "cannot write '%s': it exists and is not a regular file",
                       path);
    return LEHR_OK;
}

/* Splits target into its directory and the name of the temporary file beside it. */
static void temporary_name(const char *target, lh_str *dir, lh_str *temporary)
{
    const char *slash = strrchr(target, '/');
    const char *name = slash ? slash + 1 : target;
    if (!slash)
        lh_str_add(dir, ".");
    else
        lh_str_add_bytes(dir, target, slash == target ? 1 : (size_t)(slash - target));
    lh_str_add_bytes(temporary, target, (size_t)(name - target));
    lh_str_printf(temporary, ".%s.tmp.%ld", name, (long)getpid());
}

static int write_temporary(const char *temporary, const lh_part *parts, size_t count)
{
    unlink(temporary); /* of an earlier process with this number */
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) return errno;
    int error = 0;
    for (size_t i = 0; i < count && !error; i++)
        error = write_all(fd, parts[i].data, parts[i].bytes);
    if (!error) error = sync_fd(fd);
    if (close(fd) != 0 && !error && errno != EINTR) error = errno;
    return error;
}

lehr_status lh_file_write_parts(lehr_context *ctx, const char *path, const lh_part *parts,
                                size_t count)
{
    lh_str target = {0}, dir = {0}, temporary = {0};
    lehr_status status = resolve_target(ctx, path, &target);
    if (status) goto done;
    temporary_name(lh_str_text(&target), &dir, &temporary);
    if (target.failed || dir.failed || temporary.failed) {
        status = lh_fail(ctx, LEHR_E_MEMORY, "out of memory for a file name");
        goto done;
    }
    int error = write_temporary(temporary.text, parts, count);
    if (!error && rename(temporary.text, target.text) != 0) error = errno;
    if (error)
        unlink(temporary.text);
    else
        error = sync_dir(dir.text);
    if (error) status = disk_fail(ctx, "write", path, error);
done:
    lh_str_free(&target);
    lh_str_free(&dir);
    lh_str_free(&temporary);
    return status;
}

lehr_status lh_file_write(lehr_context *ctx, const char *path, const void *data, size_t bytes)
{
    return lh_file_write_parts(ctx, path, &(lh_part){data, bytes}, 1);
}

lehr_status lh_file_write_text(lehr_context *ctx, const char *path, const char *text)
{
    return lh_file_write(ctx, path, text, strlen(text));
}

lehr_status lh_make_dirs(lehr_context *ctx, const char *path)
{
    lehr_status status = LEHR_OK;
    char *part = lh_strdup(ctx, path);
    if (!part) return LEHR_E_MEMORY;
    for (char *end = part + (*part == '/'); status == LEHR_OK; end++) {
        if (*end != '/' && *end != '\0') continue;
        char old = *end;
        *end = '\0';
        if (*part && mkdir(part, 0777) != 0) {
            int error = errno; /* EEXIST may also be a file, and some systems answer EROFS first */
            if (!lh_is_dir(part)) status = disk_fail(ctx, "make the directory", part, error);
        }
        *end = old;
        if (!old) break;
    }
    free(part);
    return status;
}

static bool is_temporary(const char *name)
{
    const char *mark = strstr(name, ".tmp.");
    return name[0] == '.' && mark && mark > name && mark[5] != '\0' &&
           strspn(mark + 5, "0123456789") == strlen(mark + 5);
}

void lh_remove_temporaries(lehr_context *ctx, const char *dir)
{
    DIR *listing = opendir(dir);
    if (!listing) return;
    lh_str path = {0};
    for (struct dirent *entry = readdir(listing); entry; entry = readdir(listing)) {
        if (!is_temporary(entry->d_name)) continue;
        lh_path_join(&path, dir, entry->d_name);
        if (!path.failed && unlink(path.text) == 0)
            lh_log(ctx, LEHR_LOG_INFO, "removed '%s', left by a process that was stopped",
                   path.text);
    }
    lh_str_free(&path);
    closedir(listing);
}

lehr_status lh_file_remove(lehr_context *ctx, const char *path)
{
    if (unlink(path) == 0 || errno == ENOENT) return LEHR_OK;
    return disk_fail(ctx, "remove", path, errno);
}

/* ---- reading ---- */

/* Opens a regular file; a FIFO or a device must neither block nor deliver without end. */
static lehr_status open_regular(lehr_context *ctx, const char *path, lehr_status code, int *fd,
                                uint64_t *bytes)
{
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0 || fstat(*fd, &st) != 0) {
        lh_fail(ctx, code, "cannot read '%s': %s", path, strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        lh_fail(ctx, code, "cannot read '%s': it is %s", path,
                S_ISDIR(st.st_mode) ? "a directory" : "not a regular file");
    } else {
        *bytes = (uint64_t)st.st_size;
        return LEHR_OK;
    }
    if (*fd >= 0) close(*fd);
    *fd = -1;
    return code;
}

/* Reads exactly count bytes; -1 with errno set, errno 0 meaning that the file ended. */
static int read_all(int fd, char *buffer, size_t count)
{
    while (count) {
        ssize_t got = read(fd, buffer, count < SSIZE_MAX ? count : SSIZE_MAX);
        if (got < 0) {
            if (errno == EINTR) continue;
            return -1;
        }
        if (got == 0) {
            errno = 0;
            return -1;
        }
        buffer += got;
        count -= (size_t)got;
    }
    return 0;
}

static lehr_status read_fail(lehr_context *ctx, const char *path, lehr_status code)
{
    return lh_fail(ctx, code, "cannot read '%s': %s", path,
                   errno ? strerror(errno) : "it became shorter while being read");
}

lehr_status lh_file_read(lehr_context *ctx, const char *path, uint64_t limit, lehr_status code,
                         char **out, size_t *bytes)
{
    int fd;
    uint64_t size = 0;
    *out = NULL;
    *bytes = 0;
    lehr_status status = open_regular(ctx, path, code, &fd, &size);
    if (status) return status;
    if ((limit && size > limit) || size >= SIZE_MAX) {
        status = lh_fail(ctx, code, "'%s' has %llu bytes; at most %llu are accepted", path,
                         (unsigned long long)size, (unsigned long long)limit);
        goto done;
    }
    *out = malloc((size_t)size + 1);
    if (!*out) {
        status = lh_fail(ctx, LEHR_E_MEMORY, "out of memory for the %llu bytes of '%s'",
                         (unsigned long long)size, path);
        goto done;
    }
    (*out)[size] = '\0';
    *bytes = (size_t)size;
    if (read_all(fd, *out, (size_t)size) != 0) {
        status = read_fail(ctx, path, code);
        free(*out);
        *out = NULL;
        *bytes = 0;
    }
done:
    close(fd);
    return status;
}

lehr_status lh_file_read_into(lehr_context *ctx, const char *path, lehr_status code, void *buffer,
                              size_t bytes)
{
    int fd;
    uint64_t size = 0;
    lehr_status status = open_regular(ctx, path, code, &fd, &size);
    if (status) return status;
    if (read_all(fd, buffer, bytes) != 0) status = read_fail(ctx, path, code);
    close(fd);
    return status;
}

lehr_status lh_sha256_file(lehr_context *ctx, const char *path, char *hex)
{
    enum { PIECE = 64 * 1024 };
    int fd;
    uint64_t size = 0;
    lehr_status status = open_regular(ctx, path, LEHR_E_DISK, &fd, &size);
    if (status) return status;
    char *piece = lh_alloc(ctx, PIECE, 1);
    lh_sha256_state state;
    lh_sha256_start(&state);
    if (!piece) status = LEHR_E_MEMORY;
    while (size && !status) {
        size_t count = size < PIECE ? (size_t)size : PIECE;
        if (read_all(fd, piece, count) != 0) status = read_fail(ctx, path, LEHR_E_DISK);
        lh_sha256_add(&state, piece, count);
        size -= count;
    }
    lh_sha256_end(&state, hex);
    free(piece);
    close(fd);
    return status;
}

/* ---- SHA-256 ---- */

void lh_sha256_start(lh_sha256_state *state) { sha256_init(state); }

void lh_sha256_add(lh_sha256_state *state, const void *bytes, size_t count)
{
    sha256_update(state, count, bytes);
}

void lh_sha256_end(lh_sha256_state *state, char *hex)
{
    uint8_t digest[SHA256_DIGEST_SIZE];
#if NETTLE_VERSION_MAJOR >= 4
    sha256_digest(state, digest);
#else
    sha256_digest(state, sizeof digest, digest);
#endif
    for (size_t i = 0; i < sizeof digest; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

void lh_sha256(const void *bytes, size_t count, char *hex)
{
    lh_sha256_state state;
    lh_sha256_start(&state);
    lh_sha256_add(&state, bytes, count);
    lh_sha256_end(&state, hex);
}
