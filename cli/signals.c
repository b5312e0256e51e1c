/* SPDX-License-Identifier: MIT
 *
 * Signal handlers.  A handler can reach nothing but file-scope variables: these two are the program's
 * only ones. */
#include "cli/signals.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile int stop_signal;
static volatile sig_atomic_t snapshot_wanted;

static void on_stop(int number)
{
    static const char text[] = "\nlehr: stopping after this step, with a checkpoint; once more: at once\n";
    if (stop_signal) _exit(128 + number);
    stop_signal = number;
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
}

static void on_snapshot(int number)
{
    (void)number;
    snapshot_wanted = 1;
}

void signals_install(void)
{
    struct sigaction stop = {.sa_handler = on_stop}, snapshot = {.sa_handler = on_snapshot};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    stop.sa_flags = SA_RESTART;
    snapshot.sa_flags = SA_RESTART;
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGUSR1, &snapshot, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

const volatile int *signals_stop(void) { return &stop_signal; }

int signals_exit_code(int code) { return stop_signal ? 128 + stop_signal : code; }

bool signals_take_snapshot(void)
{
    bool wanted = snapshot_wanted != 0;
    snapshot_wanted = 0;
    return wanted;
}
