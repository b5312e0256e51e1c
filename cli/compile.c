/* SPDX-License-Identifier: MIT
 *
 * Compiling kernels in a process of its own: posix_spawn of this program, its standard input a pipe that
 * ends when it shall stop, or when this process is gone, however that comes. */
#include "cli/compile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lehr/tune.h>

extern char **environ;

static bool is_wanted(session *s)
{
    const lehr_device_info *info = lehr_device_get_info(s->device);
    return info->is_cpu && info->compute_units > 1 && s->model &&
           !lehr_is_compiled(s->device, s->model, (uint32_t)option_uint(s->set, OPT_BATCH));
}

/* Its own process group: an interrupt from the keyboard is for the run alone. */
static int spawn(int *pid, int input, char *const argv[])
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t child = 0;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    int code = posix_spawn(&child, "/proc/self/exe", &files, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    *pid = code == 0 ? child : 0;
    return code;
}

void compile_start(compile_aside *aside, session *s)
{
    char batch[24], device[24];
    int ends[2];
    *aside = (compile_aside){.input = -1};
    if (!is_wanted(s) || pipe2(ends, O_CLOEXEC) != 0) return;
    snprintf(batch, sizeof batch, "%llu", (unsigned long long)option_uint(s->set, OPT_BATCH));
    snprintf(device, sizeof device, "%u", lehr_device_get_info(s->device)->index);
    char *const argv[] = {(char *)"lehr", (char *)"tune", (char *)"--compile", (char *)"--batch", batch,
                          (char *)"--device", device, (char *)"--model",
                          (char *)option_text(s->set, OPT_MODEL), NULL};
    int code = spawn(&aside->pid, ends[0], argv);
    close(ends[0]);
    aside->input = ends[1];
    if (code != 0) compile_release(aside);
}

void compile_release(compile_aside *aside)
{
    if (aside->input >= 0) close(aside->input);
    aside->input = -1;
}

void compile_end(compile_aside *aside)
{
    compile_release(aside);
    while (aside->pid && waitpid(aside->pid, NULL, 0) < 0 && errno == EINTR) continue;
    aside->pid = 0;
}
