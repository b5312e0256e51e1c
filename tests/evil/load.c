/* SPDX-License-Identifier: MIT
 *
 * Plugins with one defect each: -DEVIL_<name> picks it.  tests/plugin/loader.c says how each must
 * be refused, expect.py which check must find it. */
#include <lehr/plugin.h>
#include <math.h>

#if defined(EVIL_no_entry) || defined(EVIL_fast_math)
#include <fenv.h>
#include <stdlib.h>
#include <unistd.h>
#endif

static double value(const lehr_progress *t, const double *s)
{
    (void)s;
#if defined(EVIL_nan_value)
    return t->step > 3 ? NAN : t->base;
#elif defined(EVIL_negative_value)
    return -t->base;
#elif defined(EVIL_fast_math)
    fesetround(FE_UPWARD);
    return t->base;
#else
    return t->base;
#endif
}

static const char *const no_choices[] = {0};
static const lehr_param params[] = {
#if defined(EVIL_default_above_max)
    LEHR_REALP("beta1", 1.9, 0, 1, "x"),
#elif defined(EVIL_param_name)
    LEHR_REALP("Beta", 0.5, 0, 1, "x"),
#elif defined(EVIL_param_twice)
    LEHR_REALP("beta", 0.5, 0, 1, "x"), LEHR_REALP("beta", 0.5, 0, 1, "x"),
#elif defined(EVIL_param_kind)
    {"beta", "x", 0.5, 0, 1, 99, 0, 0, 0},
#elif defined(EVIL_param_flag)
    {"beta", "x", 0.5, 0, 1, LEHR_REAL, 1u << 30, 0, 0},
#elif defined(EVIL_min_above_max)
    LEHR_REALP("beta", 0.5, 1, 0, "x"),
#elif defined(EVIL_nan_bound)
    LEHR_REALP("beta", 0.5, NAN, 1, "x"),
#elif defined(EVIL_no_choices)
    {"beta", "x", 0, 0, 1, LEHR_CHOICE, 0, no_choices, 0},
#elif defined(EVIL_bare_duration)
    {"beta", "x", 10, 0, 100, LEHR_DURATION, 0, 0, 0},
#elif defined(EVIL_param_word)
    LEHR_REALP("lr", 0.5, 0, 1, "x"),
#else
    LEHR_REALP("beta", 0.5, 0, 1, "x"),
#endif
};

static const lehr_schedule schedule = {
#if defined(EVIL_small_schedule)
    .size = 16,
#else
    .size = sizeof schedule,
#endif
#if defined(EVIL_shadow)
    .name = "cosine",
#else
    .name = "evil",
#endif
#if defined(EVIL_schedule_flag)
    .flags = 1u << 29,
#endif
    .doc = "x",
#if defined(EVIL_stride)
    .params = {params, 1, 8},
#elif !defined(EVIL_param_word)
    .params = LEHR_TABLE(params),
#endif
#if !defined(EVIL_no_value)
    .value = value,
#endif
};

#if defined(EVIL_rule_return)
#define RULE "w -= lr * g;\nreturn;"
#elif defined(EVIL_rule_bracket)
#define RULE "w -= lr * g; } {"
#elif defined(EVIL_rule_digraph)
#define RULE "w -= lr * g; %> <%"
#elif defined(EVIL_rule_barrier)
#define RULE "barrier(0);"
#elif defined(EVIL_rule_define)
#define RULE "\n#define g 0\nw -= lr * g;"
#elif defined(EVIL_rule_index)
#define RULE "w -= lr * get_global_id(0);"
#elif defined(EVIL_rule_comment)
#define RULE "w -= lr * g; /* never closed"
#elif defined(EVIL_rule_syntax)
#define RULE "w -= lr * g;\nw -= lr * gradient;\n"
#else
#define RULE "w -= lr * g * beta;"
#endif

static const lehr_reduce reduces[] = {{"norm", "g * g", LEHR_SUM, LEHR_PER_TENSOR}};
#if defined(EVIL_reduces)
static const lehr_pass passes[] = {LEHR_PASS_R(RULE, LEHR_TABLE(reduces))};
#else
static const lehr_pass passes[] = {LEHR_PASS(RULE)};
#endif
static const char *const scalars[] = {"rate"};
static const lehr_slot slots[] = {LEHR_SLOT_WHEN("m", "nothing", "x")};

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    (void)u, (void)s;
    out[0] = INFINITY;
    return LEHR_OK;
}

static const lehr_optimizer optimizer = {
    .size = sizeof optimizer, .name = "evil", .doc = "x", .passes = LEHR_TABLE(passes),
    .params = LEHR_TABLE(params),
#if defined(EVIL_no_scalar) || defined(EVIL_inf_scalar)
    .scalars = LEHR_TABLE(scalars),
#endif
#if defined(EVIL_inf_scalar)
    .scalar = scalar,
#endif
#if defined(EVIL_slot_when)
    .slots = LEHR_TABLE(slots),
#endif
};

#if defined(EVIL_no_entry) /* its constructor must not run: it would end the process */
__attribute__((constructor)) static void start(void) { _exit(42); }
#elif defined(EVIL_fast_math)
__attribute__((constructor)) static void start(void) { fesetround(FE_DOWNWARD); }
#endif

#if !defined(EVIL_no_entry)
static const lehr_schedule *const schedules[] = {&schedule};
static const lehr_optimizer *const optimizers[] = {&optimizer};

LEHR_EXPORT const lehr_plugin *lehr_plugin_v1(void)
{
    static const lehr_plugin both = {.size = sizeof both,
                                     .abi = LEHR_ABI,
                                     .id = "org.example.evil",
                                     .version = "1",
                                     .schedules = schedules,
                                     .schedule_count = 1,
                                     .optimizers = optimizers,
                                     .optimizer_count = 1};
#if defined(EVIL_null)
    (void)both;
    return 0;
#elif defined(EVIL_changing)
    static lehr_plugin other[2];
    static unsigned calls;
    other[calls % 2] = both;
    return &other[calls++ % 2];
#else
    static lehr_plugin self;
    self = both;
#if defined(EVIL_minor)
    self.abi = 1u << 16 | 7;
#elif defined(EVIL_major)
    self.abi = 2u << 16;
#elif defined(EVIL_small)
    self.size = 8;
#elif defined(EVIL_no_id)
    self.id = 0;
#elif defined(EVIL_empty)
    self.schedule_count = self.optimizer_count = 0;
#elif defined(EVIL_no_array)
    self.schedules = 0;
#elif defined(EVIL_param_word)
    self.schedule_count = 0;
#endif
    return &self;
#endif
}
#endif

/* Not every defect uses everything. */
__attribute__((used)) static const void *const all[] = {reduces, scalars, slots, no_choices,
                                                        (const void *)&optimizer,
                                                        (const void *)&schedule};
__attribute__((used)) static lehr_status (*const all_functions)(const lehr_update *, const double *,
                                                                double *) = scalar;
