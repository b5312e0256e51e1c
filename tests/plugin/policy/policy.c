/* SPDX-License-Identifier: MIT
 *
 * Plugins that meddle with the process, or that the loader must refuse for what they are called:
 * -DPOLICY_<name> picks it.  tests/plugin/policy.c says what must happen. */
#define _GNU_SOURCE
#include <lehr/plugin.h>

#include <fcntl.h>
#include <fenv.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#if defined(POLICY_meddler)
static void meddle(void)
{
    fesetround(FE_UPWARD);
#if defined(__x86_64__)
    _mm_setcsr(_mm_getcsr() | 0x8040); /* flush denormals, as start-up code of -ffast-math does */
#endif
}

__attribute__((constructor)) static void start(void)
{
    meddle();
    setlocale(LC_ALL, "C.UTF-8");
    signal(SIGUSR2, SIG_IGN);
    if (chdir("/") != 0) _exit(41);
}
#else
static void meddle(void) {}
#endif

#if defined(POLICY_marker) /* tells that its code ran */
__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("LEHR_TEST_MARKER");
    int fd = path ? open(path, O_CREAT | O_WRONLY, 0600) : -1;
    if (fd >= 0) close(fd);
}
#endif

#if defined(POLICY_static_tls)
static _Thread_local int count __attribute__((tls_model("initial-exec")));
#endif

/* A third and its like depend on the rounding mode. */
static double value(const lehr_progress *t, const double *s)
{
    (void)s;
#if defined(POLICY_static_tls)
    count++;
#endif
    volatile double third = t->base / 3;
    meddle();
    return third;
}

#if defined(POLICY_control_id)
#define ID "org.example.\033[2Jpolicy"
#elif defined(POLICY_same_id)
#define ID "org.lehr.cosine"
#else
#define ID "org.example.policy"
#endif

static const lehr_schedule schedule = {
    .size = sizeof schedule, .name = "policy", .doc = "lr = base / 3", .value = value};
LEHR_SCHEDULE_PLUGIN(ID, "1", schedule)
