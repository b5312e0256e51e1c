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

#if defined(POLICY_word)
#define NAME "clip"
#else
#define NAME "policy"
#endif
#if defined(POLICY_control_doc)
#define DOC "lr = base\n/ 3"
#else
#define DOC "lr = base / 3"
#endif
#if defined(POLICY_state_twice)
static const lehr_var state[] = {LEHR_VAR("best", 0, "x"), LEHR_VAR("best", 0, "x")};
#else
static const lehr_var state[] = {LEHR_VAR("best", 0, "x"), LEHR_VAR("bad", 0, "x")};
#endif
#if defined(POLICY_preset_twice)
static const lehr_preset presets[] = {{"a", "", 0}, {"a", "", 0}};
#else
static const lehr_preset presets[] = {{"a", "", 0}, {"b", "", 0}};
#endif
#if defined(POLICY_metric)
static const lehr_param params[] = {LEHR_REALP("metric", 0, 0, 1, "x")};
#else
static const lehr_param params[] = {LEHR_REALP("measure", 0, 0, 1, "x")};
#endif

static lehr_status observe(const lehr_progress *t, const lehr_metric *m, double *s)
{
    (void)t, (void)m, (void)s;
    return LEHR_OK;
}

static const lehr_schedule schedule = {
    .size = sizeof schedule, .name = NAME, .doc = DOC, .value = value, .observe = observe,
    .metric = "val.loss", .params = LEHR_TABLE(params), .state = LEHR_TABLE(state),
    .presets = LEHR_TABLE(presets)};
LEHR_SCHEDULE_PLUGIN(ID, "1", schedule)
