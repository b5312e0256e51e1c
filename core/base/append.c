/* SPDX-License-Identifier: MIT
 *
 * Append-only lines and the lock of a run directory: the two files of a run that stay open. */
#define _GNU_SOURCE
#include "core/base/files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct lh_appender {
    lehr_context *ctx;
    char *path;
    lh_str line; /* reused: a line costs no allocation once the longest was seen */
    int fd;
};

lehr_status lh_appender_open(lehr_context *ctx, const char *path, lh_appender **out)
{
    *out = NULL;
    lh_appender *a = lh_alloc(ctx, 1, sizeof *a);
    if (!a) return LEHR_E_MEMORY;
    a->ctx = ctx;
    a->fd = -1;
    a->path = lh_strdup(ctx, path);
    if (!a->path) {
        lh_appender_close(&a);
        return LEHR_E_MEMORY;
    }
    a->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (a->fd < 0) {
        lh_fail(ctx, LEHR_E_DISK, "cannot open '%s': %s", path, strerror(errno));
        lh_appender_close(&a);
        return LEHR_E_DISK;
    }
    *out = a;
    return LEHR_OK;
}

void lh_appender_close(lh_appender **appender)
{
    if (!appender || !*appender) return;
    lh_appender *a = *appender;
    if (a->fd >= 0) close(a->fd);
    lh_str_free(&a->line);
    free(a->path);
    free(a);
    *appender = NULL;
}

lehr_status lh_appender_line(lh_appender *a, const char *text)
{
    struct stat before;
    lh_str_clear(&a->line);
    lh_str_add(&a->line, text);
    lh_str_add(&a->line, "\n");
    if (a->line.failed) return lh_fail(a->ctx, LEHR_E_MEMORY, "out of memory for a line");
    bool known = fstat(a->fd, &before) == 0 && S_ISREG(before.st_mode);
    const char *bytes = a->line.text;
    size_t left = a->line.length;
    while (left) {
        ssize_t written = write(a->fd, bytes, left);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) {
            int error = written < 0 ? errno : EIO;
            /* Best effort: the reader drops a torn last line as well. */
            int cut = known && left < a->line.length ? ftruncate(a->fd, before.st_size) : 0;
            return lh_fail(a->ctx, LEHR_E_DISK, "cannot append to '%s': %s%s", a->path,
                           strerror(error), cut ? " (its last line is torn)" : "");
        }
        bytes += written;
        left -= (size_t)written;
    }
    return LEHR_OK;
}

lehr_status lh_appender_sync(lh_appender *a)
{
    while (fsync(a->fd) != 0) {
        if (errno == EINTR) continue;
        if (errno == EINVAL || errno == ENOTSUP) break; /* a pipe or a device */
        return lh_fail(a->ctx, LEHR_E_DISK, "cannot sync '%s': %s", a->path, strerror(errno));
    }
    return LEHR_OK;
}

/* ---- the lock ---- */

struct lh_lock {
    int fd;
};

/* The number in the lock file, or 0. */
static long holder(int fd)
{
    char text[32] = "";
    ssize_t got = pread(fd, text, sizeof text - 1, 0);
    return got > 0 ? strtol(text, NULL, 10) : 0;
}

static lehr_status in_use(lehr_context *ctx, const char *dir, int fd)
{
    long pid = holder(fd);
    if (pid > 0)
        return lh_fail(ctx, LEHR_E_USAGE,
                       "run directory '%s' is in use by process %ld: wait for it, stop it (kill "
                       "-INT %ld), or give another directory",
                       dir, pid, pid);
    return lh_fail(ctx, LEHR_E_USAGE, "run directory '%s' is in use by another process", dir);
}

lehr_status lh_lock_dir(lehr_context *ctx, const char *dir, lh_lock **out)
{
    lh_str path = {0};
    lehr_status status = LEHR_OK;
    *out = NULL;
    lh_lock *lock = lh_alloc(ctx, 1, sizeof *lock);
    if (!lock) return LEHR_E_MEMORY;
    lh_path_join(&path, dir, ".lock");
    lock->fd = open(lh_str_text(&path), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (lock->fd < 0) {
        status = lh_fail(ctx, LEHR_E_DISK, "cannot open '%s': %s", lh_str_text(&path),
                         strerror(errno));
        goto done;
    }
    if (flock(lock->fd, LOCK_EX | LOCK_NB) != 0) {
        status = errno == EWOULDBLOCK ? in_use(ctx, dir, lock->fd)
                                      : lh_fail(ctx, LEHR_E_DISK, "cannot lock '%s': %s",
                                                lh_str_text(&path), strerror(errno));
        goto done;
    }
    /* The number only serves the message above; a full disk must not stop the run here. */
    char text[32];
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(lock->fd, 0) != 0 || pwrite(lock->fd, text, (size_t)length, 0) != length)
        lh_log(ctx, LEHR_LOG_WARN, "cannot note the process number in '%s': %s",
               lh_str_text(&path), strerror(errno));
done:
    lh_str_free(&path);
    if (status) {
        if (lock->fd >= 0) close(lock->fd);
        free(lock);
        return status;
    }
    *out = lock;
    return LEHR_OK;
}

void lh_unlock_dir(lh_lock **lock)
{
    if (!lock || !*lock) return;
    /* The file stays: removing it would let two processes lock two different files of one name. */
    close((*lock)->fd);
    free(*lock);
    *lock = NULL;
}
