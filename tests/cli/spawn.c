/* SPDX-License-Identifier: MIT
 *
 * The shell runner of the program's tests. */
#define _GNU_SOURCE
#include "tests/cli/spawn.h"

#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COMMAND_SIZE = 32768 };

static char directory[64];

static void remove_directory(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    if (*directory && system(command) != 0) perror(command);
}

const char *spawn_directory(void)
{
    if (!*directory) {
        snprintf(directory, sizeof directory, "/tmp/lehr-cli-test-XXXXXX");
        if (!mkdtemp(directory)) abort();
        atexit(remove_directory);
    }
    return directory;
}

static char *read_file(const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", spawn_directory(), name);
    FILE *file = fopen(path, "r");
    size_t size = 0, capacity = 65536;
    char *text = calloc(capacity + 1, 1);
    while (file && text && !feof(file) && !ferror(file)) {
        size += fread(text + size, 1, capacity - size, file);
        if (size == capacity) {
            text = realloc(text, 2 * capacity + 1);
            capacity *= 2;
        }
    }
    if (file) fclose(file);
    if (text) text[size] = '\0';
    return text;
}

spawned spawn_shell(const char *text)
{
    static char command[COMMAND_SIZE + 1024];
    spawned s = {0};
    snprintf(command, sizeof command,
             "cd '%s' && export LEHR='%s/cli/lehr' && { %s\n} >.out 2>.err </dev/null", spawn_directory(),
             LEHR_TEST_BUILD_DIR, text);
    int status = system(command);
    s.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    s.out = read_file(".out");
    s.err = read_file(".err");
    return s;
}

spawned spawn(const char *before, const char *arguments)
{
    static char text[COMMAND_SIZE];
    snprintf(text, sizeof text, "%s \"$LEHR\" %s", before, arguments);
    return spawn_shell(text);
}

spawned spawn_without_devices(const char *arguments)
{
    return spawn("OCL_ICD_VENDORS=/nonexistent", arguments);
}

/* Everything from the terminal until its other side is closed. */
static char *read_terminal(int from)
{
    size_t size = 0, capacity = 4096;
    char *text = malloc(capacity + 1);
    for (ssize_t n = 1; text && n > 0;) {
        n = read(from, text + size, capacity - size);
        if (n > 0) size += (size_t)n;
        if (size == capacity) text = realloc(text, (capacity *= 2) + 1);
    }
    if (text) text[size] = '\0';
    return text;
}

spawned spawn_terminal(unsigned columns, const char *environment, const char *arguments)
{
    static char command[COMMAND_SIZE];
    struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)columns};
    spawned s = {0};
    int terminal = -1, status = 0;
    snprintf(command, sizeof command, "cd '%s' && unset COLUMNS && %s exec '%s/cli/lehr' %s",
             spawn_directory(), environment, LEHR_TEST_BUILD_DIR, arguments);
    pid_t child = forkpty(&terminal, NULL, NULL, &size);
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    if (child < 0) abort();
    s.out = read_terminal(terminal);
    s.err = calloc(1, 1);
    waitpid(child, &status, 0);
    close(terminal);
    s.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return s;
}

void spawn_free(spawned *s)
{
    free(s->out);
    free(s->err);
    *s = (spawned){0};
}
