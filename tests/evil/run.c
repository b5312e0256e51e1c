/* SPDX-License-Identifier: MIT
 *
 * A schedule with one defect, picked by -DEVIL_<name>; without one it is the good twin, which passes
 * every check.  expect.py says which check must find each. */
#define _GNU_SOURCE
#include <lehr/plugin.h>

#include <fcntl.h>
#include <fenv.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a defect puts in place of the good twin's. */
#define AT_VALUE
#define AT_OBSERVE
#define AT_CREATE
#define AT_LOAD
#define RESULT t->base *s[SCALE] * pow(t->p[FACTOR], (double)(t->step / 100))

enum { FACTOR, OTHER, EVERY, LEVEL };
enum { SCALE, SEEN };

typedef struct instance {
    double *table, scale;
    const lehr_host *host;
} instance;

static const char *const levels[] = {
#if defined(EVIL_choices_twice)
    "low", "low", 0
#else
    "low", "high", 0
#endif
};

static const lehr_param params[] = {
    {"factor", "of the decay", 0.5, 0, 1, LEHR_REAL, LEHR_P_OPEN_MIN, 0, 0},
#if defined(EVIL_bound_is_pole)
    LEHR_REALP("other", 0.5, 0, 1, "divides, so 0 is not for it"),
#else
    LEHR_REALP("other", 0.5, 0, 1, "a number that adds nothing"),
#endif
#if defined(EVIL_default_text)
    LEHR_DURATIONP("every", "ten", 0, "a length"),
#else
    LEHR_DURATIONP("every", "1ep", 0, "a length"),
#endif
    LEHR_CHOICEP("level", 0, levels, "a word")};
static const lehr_var state[] = {
#if defined(EVIL_no_doc)
    LEHR_VAR("scale", 1, ""),
#elif defined(EVIL_doc_lines)
    LEHR_VAR("scale", 1, "two\nlines"),
#else
    LEHR_VAR("scale", 1, "factor from measurements"),
#endif
    LEHR_VAR("seen", 0, "measurements")};
static const lehr_preset presets[] = {
#if defined(EVIL_preset)
    {"paper", "gama=0.5", "a paper"}
#elif defined(EVIL_preset_source)
    {"paper", "factor=0.5", 0}
#else
    {"paper", "factor=0.5", "a paper"}
#endif
};

#if defined(EVIL_thread_in_create) || defined(EVIL_load_thread)
static void *sleeper(void *user)
{
    pause();
    return user;
}
#endif

/* ---- value() ---- */

#if defined(EVIL_impure)
static double calls = 1;
#undef RESULT
#define RESULT t->base / (calls += 1e-6)
#elif defined(EVIL_order)
static uint64_t last;
#undef RESULT
#define RESULT (last > t->step ? 0.5 * t->base : (last = t->step, t->base))
#elif defined(EVIL_writes_params)
#undef AT_VALUE
#define AT_VALUE ((double *)(uintptr_t)t->p)[FACTOR] *= 0.999;
#elif defined(EVIL_writes_state)
#undef AT_VALUE
#define AT_VALUE ((double *)(uintptr_t)s)[SEEN] += 1;
#elif defined(EVIL_writes_progress)
#undef AT_VALUE
#define AT_VALUE ((lehr_progress *)(uintptr_t)t)->flags = 1;
#elif defined(EVIL_reads_params_beyond)
#undef RESULT
#define RESULT t->base *(t->p[4] == 1e99 ? 2 : 1)
#elif defined(EVIL_reads_state_beyond)
#undef RESULT
#define RESULT t->base *(s[2] == 1e99 ? 2 : 1)
#elif defined(EVIL_reads_progress_beyond)
#undef RESULT
#define RESULT t->base *(((const volatile uint64_t *)(t + 1))[0] == 99 ? 2 : 1)
#elif defined(EVIL_reads_host_beyond)
#undef RESULT
#define RESULT t->base *(((const volatile uint64_t *)(t->host + 1))[0] == 99 ? 2 : 1)
#elif defined(EVIL_hangs)
#undef AT_VALUE
#define AT_VALUE for (volatile uint64_t at = t->step; at == 5;) continue;
#elif defined(EVIL_exits)
#undef AT_VALUE
#define AT_VALUE if (t->step == 17) exit(0);
#elif defined(EVIL_aborts)
#undef AT_VALUE
#define AT_VALUE if (t->step == 17) abort();
#elif defined(EVIL_crashes)
#undef AT_VALUE
#define AT_VALUE if (t->step == 17) *(volatile int *)(uintptr_t)t->samples = 1;
#elif defined(EVIL_nan_late)
#undef RESULT
#define RESULT (t->step == 990 ? (double)NAN : t->base)
#elif defined(EVIL_negative)
#undef RESULT
#define RESULT t->base * (0.9 - (double)t->step / 1000)
#elif defined(EVIL_bound_is_pole)
#undef RESULT
#define RESULT t->base * fmin(1, (1 - t->p[OTHER]) / t->p[OTHER]) * (t->p[OTHER] / t->p[OTHER])
#elif defined(EVIL_random_negative)
#undef RESULT
#define RESULT t->base * (1 - 100 * fmax(0, t->p[FACTOR] + t->p[OTHER] - 1.51))
#elif defined(EVIL_beyond_the_end)
#undef RESULT
#define RESULT t->base * (1 - fmin((double)t->step / 2000, 1e3))
#elif defined(EVIL_needs_total)
#undef RESULT
#define RESULT t->base * (t->total_steps ? 1 : (double)NAN)
#elif defined(EVIL_needs_epochs)
#undef RESULT
#define RESULT t->base * ((double)t->steps_per_epoch / (double)t->steps_per_epoch)
#elif defined(EVIL_needs_two_updates)
#undef RESULT
#define RESULT t->base *(t->total_steps == 1 ? -1 : 1)
#elif defined(EVIL_small_base)
#undef RESULT
#define RESULT t->base - 0.001
#elif defined(EVIL_slow)
#undef AT_VALUE
#define AT_VALUE for (volatile int at = 0; at < 60000; at++) continue;
#elif defined(EVIL_prints)
#undef AT_VALUE
#define AT_VALUE if (t->step == 0) puts("step 0");
#elif defined(EVIL_locale)
#undef AT_VALUE
#define AT_VALUE setlocale(LC_ALL, "C.UTF-8");
#elif defined(EVIL_chdir)
#undef AT_VALUE
#define AT_VALUE if (chdir("/") != 0) return 0;
#elif defined(EVIL_umask)
#undef AT_VALUE
#define AT_VALUE umask(0777);
#elif defined(EVIL_signal)
#undef AT_VALUE
#define AT_VALUE signal(SIGINT, SIG_IGN);
#elif defined(EVIL_rounding)
#undef AT_VALUE
#define AT_VALUE fesetround(FE_UPWARD);
#elif defined(EVIL_environment)
#undef AT_VALUE
#define AT_VALUE setenv("EVIL", "1", 1);
#elif defined(EVIL_open_file)
#undef AT_VALUE
#define AT_VALUE if (t->step == 0 && open("/dev/null", O_RDONLY) < 0) return 0;
#elif defined(EVIL_shared_instance)
static double mine;
#undef AT_CREATE
#define AT_CREATE mine = t->p[FACTOR] * t->base;
#undef RESULT
#define RESULT mine
#elif defined(EVIL_shared_between_threads)
static volatile double scratch;
#undef AT_VALUE
#define AT_VALUE scratch = (double)t->step; if (t->step % 40 == 0) usleep(20);
#undef RESULT
#define RESULT t->base / (1 + scratch)
#elif defined(EVIL_remembers)
static volatile double memo;
#undef AT_VALUE
#define AT_VALUE memo = (double)t->step;
#elif defined(EVIL_rounds_up)
static volatile double one = 1, three = 3;
#undef RESULT
#define RESULT t->base * (1 + sqrt(1 - one / three * three))
#elif defined(EVIL_decimal_point)
#undef RESULT
#define RESULT t->base *strtod("0.5", 0)
#endif

static double value(const lehr_progress *t, const double *s)
{
    (void)t;
    (void)s;
    AT_VALUE
#if defined(EVIL_hidden_state)
    return s[SEEN] == 0 ? t->base : t->base * ((const instance *)t->self)->scale;
#elif defined(EVIL_remembers)
    return memo == (double)t->step ? t->base : 0;
#else
    return RESULT;
#endif
}

/* ---- observe() ---- */

#if defined(EVIL_observe_nan)
#undef AT_OBSERVE
#define AT_OBSERVE s[SCALE] = m->value * 0 + 1;
#elif defined(EVIL_observe_fails)
#undef AT_OBSERVE
#define AT_OBSERVE if (!isfinite(m->value)) return t->host->fail(t->host, LEHR_E_STATE, "not finite");
#elif defined(EVIL_observe_counts)
static int observed;
#undef AT_OBSERVE
#define AT_OBSERVE if (observed++ % 97 == 0) s[SCALE] *= 0.5;
#elif defined(EVIL_observe_beyond)
#undef AT_OBSERVE
#define AT_OBSERVE s[2] = 1;
#elif defined(EVIL_observe_writes_params)
#undef AT_OBSERVE
#define AT_OBSERVE ((double *)(uintptr_t)t->p)[OTHER] = 0;
#elif defined(EVIL_hidden_state)
#undef AT_OBSERVE
#define AT_OBSERVE \
    instance *mine = t->self; \
    if (s[SEEN] == 1) mine->scale = 1; \
    mine->scale *= m->value == 1 ? 0.9 : 1;
#endif

static lehr_status observe(const lehr_progress *t, const lehr_metric *m, double *s)
{
    (void)t;
    s[SEEN] += 1;
    if (!(m->value < 1) && s[SEEN] > 5) s[SCALE] *= 0.99;
    AT_OBSERVE
    return LEHR_OK;
}

/* ---- create() and destroy() ---- */

static lehr_status check(const lehr_host *host, const lehr_progress *t)
{
#if defined(EVIL_refuses)
    (void)t;
    return host->fail(host, LEHR_E_PARAM, "never");
#else
    if (t->p[EVERY] > 1e15) return host->fail(host, LEHR_E_PARAM, "too long");
    return LEHR_OK;
#endif
}

static lehr_status create(const lehr_host *host, const lehr_progress *t, void **out)
{
    (void)t;
    AT_CREATE
#if defined(EVIL_thread_in_create)
    static int started;
    pthread_t thread;
    if (!started++) pthread_create(&thread, 0, sleeper, 0);
#elif defined(EVIL_malloc_leak)
    char *lost = malloc(100);
    if (lost) memset(lost, (int)t->step, 100);
#endif
    instance *me = host->alloc(host, sizeof *me);
#if !defined(EVIL_ignores_failure)
    if (!me) return LEHR_E_MEMORY;
#endif
    me->host = host;
    me->scale = 1;
    me->table = host->alloc(host, 64 * sizeof *me->table);
    if (!me->table) {
#if !defined(EVIL_leak_on_failure)
        host->release(host, me);
#endif
        return LEHR_E_MEMORY;
    }
    *out = me;
    return LEHR_OK;
}

static void destroy(const lehr_host *host, void *user)
{
    instance *me = user;
#if !defined(EVIL_leak)
    host->release(host, me->table);
#endif
#if defined(EVIL_double_release)
    host->release(host, me->table);
#endif
    host->release(host, me);
}

static const void *ext(const char *id)
{
#if defined(EVIL_any_extension)
    return id;
#else
    return strcmp(id, "org.example.evil/1") == 0 ? &params : 0;
#endif
}

static const lehr_schedule schedule = {
#if defined(EVIL_too_large)
    .size = sizeof schedule + 16,
#else
    .size = sizeof schedule,
#endif
    .name = "evil", .doc = "lr = base * scale * factor^floor(t / 100)",
    .params = LEHR_TABLE(params), .state = LEHR_TABLE(state), .value = value, .observe = observe,
#if defined(EVIL_metric_name)
    .metric = "val loss",
#else
    .metric = "val.loss",
#endif
    .check = check, .create = create, .destroy = destroy, .ext = ext,
    .presets = LEHR_TABLE(presets)};

/* ---- loading ---- */

#if defined(EVIL_load_prints)
#undef AT_LOAD
#define AT_LOAD puts("hello");
#elif defined(EVIL_load_locale)
#undef AT_LOAD
#define AT_LOAD setlocale(LC_ALL, "C.UTF-8");
#elif defined(EVIL_load_chdir)
#undef AT_LOAD
#define AT_LOAD if (chdir("/") != 0) return;
#elif defined(EVIL_load_signal)
#undef AT_LOAD
#define AT_LOAD signal(SIGTERM, SIG_IGN);
#elif defined(EVIL_load_rounding)
#undef AT_LOAD
#define AT_LOAD fesetround(FE_DOWNWARD);
#elif defined(EVIL_load_environment)
#undef AT_LOAD
#define AT_LOAD setenv("EVIL", "1", 1);
#elif defined(EVIL_load_open_file)
#undef AT_LOAD
#define AT_LOAD if (open("/dev/null", O_RDONLY) < 0) return;
#elif defined(EVIL_load_thread)
#undef AT_LOAD
#define AT_LOAD pthread_t thread; pthread_create(&thread, 0, sleeper, 0);
#elif defined(EVIL_load_crashes)
#undef AT_LOAD
#define AT_LOAD abort();
#endif
__attribute__((constructor)) static void start(void)
{
    AT_LOAD
}

#if defined(EVIL_exit_crashes)
__attribute__((destructor)) static void stop(void) { abort(); }
#endif

#if defined(EVIL_extra_symbol)
LEHR_EXPORT int evil_helper(void);
LEHR_EXPORT int evil_helper(void) { return 1; }
#elif defined(EVIL_calls_host)
const char *lehr_version(void);
#elif defined(EVIL_static_tls)
static __thread int per_thread __attribute__((tls_model("initial-exec")));
#elif defined(EVIL_library)
#include <jansson.h>
#endif

static const lehr_schedule *const schedules[] = {&schedule};

LEHR_EXPORT const lehr_plugin *lehr_plugin_v1(void)
{
#if defined(EVIL_thread_entry)
    static __thread lehr_plugin self;
    self = (lehr_plugin){.size = sizeof self, .abi = LEHR_ABI, .id = "org.example.evil",
                         .version = "1", .schedules = schedules, .schedule_count = 1};
    return &self;
#elif defined(EVIL_changing_entry)
    static lehr_plugin self;
    static unsigned calls;
    static const char *const versions[] = {"1", "2"};
    self = (lehr_plugin){.size = sizeof self, .abi = LEHR_ABI, .id = "org.example.evil",
                         .version = versions[calls++ % 2], .schedules = schedules,
                         .schedule_count = 1};
    return &self;
#else
    static const lehr_plugin self = {
        .size = sizeof self,
        .abi = LEHR_ABI,
#if defined(EVIL_plain_id)
        .id = "evil",
#else
        .id = "org.example.evil",
#endif
        .version = "1",
        .schedules = schedules,
        .schedule_count = 1};
#if defined(EVIL_calls_host)
    if (!lehr_version()) return 0;
#elif defined(EVIL_static_tls)
    per_thread++;
#elif defined(EVIL_library)
    if (json_true() == 0) return 0;
#endif
    return &self;
#endif
}
