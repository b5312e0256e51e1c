/* SPDX-License-Identifier: MIT
 *
 * Schedules without a device: 10,000 points of each against formulas written here, conventions at
 * boundaries, composition, units, plateau, messages. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/base.h"
#include <lehr/schedule.h>

static lehr_context *ctx;
static lehr_registry *reg;
static char warned[512];

static void on_log(void *user, uint32_t level, const char *line)
{
    (void)user;
    if (level == LEHR_LOG_WARN) strncpy(warned, line, sizeof warned - 1);
}

static void setup(void)
{
    lehr_context_params params = {.log = on_log};
    lehr_context_create(&params, &ctx);
    cr_assert_eq(lehr_registry_create(ctx, NULL, &reg), LEHR_OK, "%s", lehr_context_message(ctx));
}
static void teardown(void)
{
    lehr_registry_destroy(&reg);
    lehr_context_destroy(&ctx);
}
TestSuite(schedules, .init = setup, .fini = teardown);

/* 25 epochs of 391 updates of 128 samples. */
enum { EPOCH = 391, TOTAL = 25 * EPOCH, POINTS = 10000 };
#define BASE 0.1
static const lehr_budget budget = {BASE, EPOCH, TOTAL, 128, 1};

static lehr_scheduler *make(const char *text)
{
    lehr_scheduler *s = NULL;
    cr_assert_eq(lehr_scheduler_create(ctx, reg, text, &budget, &s), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    return s;
}

static double at(lehr_scheduler *s, uint64_t step)
{
    double value = -1;
    cr_assert_eq(lehr_scheduler_value(s, step, &value), LEHR_OK, "%s", lehr_context_message(ctx));
    return value;
}

/* ---- formulas ---- */

static double share(uint64_t t, double over) { return (double)t < over ? (double)t / over : 1; }
static double f_constant(uint64_t t) { return t < UINT64_MAX ? BASE : 0; }
static double f_step(uint64_t t)
{
    double lr = BASE;
    for (uint64_t k = 3 * EPOCH; k <= t; k += 3 * EPOCH) lr *= 0.5;
    return lr;
}
static double f_multistep(uint64_t t)
{
    return BASE * (t >= 10 * EPOCH ? 0.1 : 1) * (t >= 20 * EPOCH ? 0.1 : 1) * (t >= 500 ? 0.1 : 1);
}
static double f_exponential(uint64_t t) { return BASE * exp((double)t / EPOCH * log(0.9)); }
static double f_exponential_updates(uint64_t t)
{
    return BASE * exp2((double)t / 100 * log2(0.98));
}
static double f_time(uint64_t t) { return BASE / (1 + 0.01 * (double)t); }
static double f_time_epochs(uint64_t t) { return BASE / (1 + 0.5 * ((double)t / EPOCH)); }
static double f_polynomial(uint64_t t)
{
    double left = 1 - share(t, TOTAL);
    return 1e-4 + (BASE - 1e-4) * left * left * left;
}
static double f_polynomial_root(uint64_t t) { return BASE * sqrt(1 - share(t, 5 * EPOCH)); }
static double f_linear(uint64_t t)
{
    double p = share(t, TOTAL);
    return BASE * (1 - p) + BASE * 0.01 * p;
}
static double f_linear_inclusive(uint64_t t)
{
    return t >= 999 ? 0.5 : BASE + (0.5 - BASE) * (double)t / 999;
}
static double f_cosine(uint64_t t)
{
    double half = cos(share(t, TOTAL) * acos(-1) / 2);
    return BASE * half * half; /* (1 + cos 2x) / 2 = cos^2 x */
}
static double f_cosine_end(uint64_t t)
{
    double half = sin(share(t, 3000) * acos(-1) / 2);
    return BASE - (BASE - 1e-3) * half * half;
}
static double f_warmup(uint64_t t)
{
    return t < 5 * EPOCH ? BASE * (double)(t + 1) / (5 * EPOCH) : BASE;
}
static double f_warmup_from(uint64_t t)
{
    return t < 100 ? 0.02 + (BASE - 0.02) * (double)(t + 1) / 100 : BASE;
}
static double f_warmup_lag(uint64_t t) { return t < 100 ? BASE * (double)t / 100 : BASE; }
static double f_product(uint64_t t) { return f_warmup(t) * f_cosine(t) / BASE; }
static double f_triple(uint64_t t) { return f_warmup(t) / BASE * f_step(t) * 0.25; }
static double f_sum(uint64_t t) { return f_cosine(t) * 0.5 + f_step(t) + 0.001 + 0.02 * BASE; }
static double f_tutorial_step(uint64_t t)
{
    return BASE * pow(0.2, floor((1 + floor((double)t / EPOCH)) / 2));
}
static double f_tutorial_exponential(uint64_t t)
{
    return BASE * exp(-0.1 * floor((double)t / EPOCH));
}
static double f_tutorial_time(uint64_t t) { return BASE / (1 + BASE / 25 * (double)t); }

static const struct {
    const char *text;
    double (*want)(uint64_t);
} curves[] = {
    {"constant()", f_constant},
    {"step(gamma=0.5, every=3ep)", f_step},
    {"step(0.5, 1173st)", f_step},
    {"multistep(milestones=[10ep, 20ep, 500st], gamma=0.1)", f_multistep},
    {"exponential(gamma=0.9, every=1ep)", f_exponential},
    {"exponential(0.98, 100st)", f_exponential_updates},
    {"time(decay=0.01)", f_time},
    {"time(0.5, every=1ep)", f_time_epochs},
    {"polynomial(end=1e-4, power=3)", f_polynomial},
    {"polynomial(power=0.5, over=20%)", f_polynomial_root},
    {"linear(end=1%)", f_linear},
    {"linear(end=0.5, over=1000st, inclusive=1)", f_linear_inclusive},
    {"cosine(end=0)", f_cosine},
    {"cosine(end=1e-3, over=384000samples)", f_cosine_end},
    {"warmup(5ep)", f_warmup},
    {"warmup(100st, from=20%)", f_warmup_from},
    {"hf:warmup(100st)", f_warmup_lag},
    {"warmup(5ep) * cosine(end=0)", f_product},
    {"cosine() * warmup(5ep)", f_product},
    {"0.25 * (warmup(5ep) * plateau(patience=3)) * step(0.5, 3ep)", f_triple},
    {"cosine() * 0.5 + step(0.5, 3ep) + 0.001 + 2%", f_sum},
    {"tutorial:step(gamma=0.2, every=2ep)", f_tutorial_step},
    {"tutorial:exponential", f_tutorial_exponential},
    {"tutorial:time()", f_tutorial_time},
};

/* 1e-12 relative; near an end at 0 the rounding of the base counts. */
static bool close_to(double got, double want)
{
    return fabs(got - want) <= 1e-12 * want + 4e-16 * BASE;
}

Test(schedules, ten_thousand_points)
{
    for (size_t i = 0; i < LH_COUNT(curves); i++) {
        lehr_scheduler *s = make(curves[i].text), *again = make(lehr_scheduler_text(s));
        for (uint64_t k = 0; k < POINTS; k++) {
            uint64_t t = k * 7919 % POINTS; /* in no order; past the end as well */
            double got = at(s, t), want = curves[i].want(t);
            cr_assert(close_to(got, want), "%s at %lu: %.17g, want %.17g", curves[i].text,
                      (unsigned long)t, got, want);
            if (k % 97 == 0) cr_assert_eq(at(again, t), got, "%s", lehr_scheduler_text(s));
        }
        cr_expect_str_eq(lehr_scheduler_text(s), lehr_scheduler_text(again));
        lehr_scheduler_destroy(&s);
        lehr_scheduler_destroy(&again);
    }
}

/* ---- conventions ---- */

static void value_at(const char *text, uint64_t step, double want)
{
    lehr_scheduler *s = make(text);
    double got = at(s, step);
    cr_expect(fabs(got - want) <= 1e-15, "%s at %lu: %.17g, want %.17g", text, (unsigned long)step,
              got, want);
    lehr_scheduler_destroy(&s);
}

Test(schedules, boundaries)
{
    value_at("step(0.5, 10st)", 9, 0.1);
    value_at("step(0.5, 10st)", 10, 0.05);
    value_at("multistep([10st, 10st], 0.5)", 9, 0.1);
    value_at("multistep([10st, 10st], 0.5)", 10, 0.025);
    value_at("cosine()", 0, 0.1);
    value_at("cosine()", TOTAL, 0);
    value_at("cosine(end=0.01)", 10 * TOTAL, 0.01);
    value_at("linear()", TOTAL - 1, 0.1 / TOTAL);
    value_at("linear(inclusive=1)", TOTAL - 1, 0);
    value_at("warmup(10st)", 0, 0.01);
    value_at("warmup(10st)", 9, 0.1);
    value_at("warmup(1st)", 0, 0.1);
    value_at("tutorial:step(gamma=0.2, every=2ep)", EPOCH - 1, 0.1);
    value_at("tutorial:step(gamma=0.2, every=2ep)", EPOCH, 0.02);
    value_at("tutorial:step(gamma=0.2, every=2ep)", 3 * EPOCH - 1, 0.02);
    value_at("tutorial:step(gamma=0.2, every=2ep)", 3 * EPOCH, 0.004);
    value_at("constant() * constant()", 5, 0.1);
    value_at("2 * 0.5 * constant() + 1 * 0.1", 5, 0.2);
}

static void resolves(const char *text, const char *want)
{
    lehr_scheduler *s = make(text);
    cr_expect_str_eq(lehr_scheduler_text(s), want);
    lehr_scheduler_destroy(&s);
}

Test(schedules, durations_are_resolved_once)
{
    resolves("warmup(2ep)", "warmup(duration=782st, from=0, lag=0, shape=linear, power=4)");
    resolves(" warmup ( 10% , from = 1% ) ", "warmup(duration=978st, from=0.001, lag=0, shape=linear, power=4)");
    resolves("warmup(1280samples)", "warmup(duration=10st, from=0, lag=0, shape=linear, power=4)");
    resolves("warmup(0.001ep)", "warmup(duration=1st, from=0, lag=0, shape=linear, power=4)");
    resolves("(constant)*((constant()+2))*0.5", "constant() * (constant() + 2) * 0.5");
    resolves("multistep([1ep,2ep])", "multistep(milestones=[391st, 782st], gamma=0.1, factors=[], values=[], late=0st, "
             "early=0st)");
    resolves("plateau(val.accuracy, patience=2)",
             "plateau(metric=val.accuracy, factor=0.1, patience=2, threshold=0.0001, mode=rel, "
             "cooldown=0, min=0, counting=torch, eps=0)");
}

Test(schedules, unknown_budget)
{
    lehr_budget open = {.base = BASE};
    lehr_scheduler *s = NULL;
    cr_expect_eq(lehr_scheduler_create(ctx, reg, "warmup(10st) * time(0.1)", &open, &s), LEHR_OK);
    lehr_scheduler_destroy(&s);
    cr_expect_eq(lehr_scheduler_create(ctx, reg, "warmup(1ep)", &open, &s), LEHR_E_PARAM);
    cr_expect_eq(lehr_scheduler_create(ctx, reg, "cosine()", &open, &s), LEHR_E_PARAM);
    cr_expect_eq(lehr_scheduler_create(ctx, reg, "warmup(10samples)", &open, &s), LEHR_E_PARAM);
    cr_expect_eq(lehr_scheduler_create(ctx, reg, "tutorial:time", &open, &s), LEHR_E_PARAM);
    open.base = 0;
    cr_expect_eq(lehr_scheduler_create(ctx, reg, "constant()", &open, &s), LEHR_E_PARAM);
    open.base = NAN;
    cr_expect_eq(lehr_scheduler_create(ctx, reg, "constant()", &open, &s), LEHR_E_PARAM);
    cr_expect_null(s);
}

/* ---- messages ---- */

static const struct {
    const char *text;
    lehr_status code;
    const char *part;
} refused[] = {
    {"", LEHR_E_USAGE, "column 1"},
    {"cosin()", LEHR_E_USAGE, "did you mean 'cosine'?; known: chebyshev, constant, cosine"},
    {"cosine", LEHR_OK, ""},
    {"cosine(", LEHR_E_USAGE, "column 8"},
    {"cosine() cosine()", LEHR_E_USAGE, "column 10: 'c' where '*', '+', then, for or the end"},
    {"cosine() *", LEHR_E_USAGE, "column 11"},
    {"(cosine()", LEHR_E_USAGE, "column 1: this bracket is never closed"},
    {"cosine())", LEHR_E_USAGE, "column 9"},
    {"0.1", LEHR_E_USAGE, "no schedule"},
    {"-1 * cosine()", LEHR_E_USAGE, "below 0"},
    {"5ep * cosine()", LEHR_E_USAGE, "duration"},
    {"cosine(over=5)", LEHR_E_PARAM,
     "column 13: over of cosine is a duration and needs a unit: 5ep"},
    {"warmup(5)", LEHR_E_PARAM, "5st (updates)"},
    {"warmup(5min)", LEHR_E_USAGE, "unknown unit 'min'"},
    {"warmup(1e400ep)", LEHR_E_USAGE, "column 8"},
    {"warmup(0ep)", LEHR_E_PARAM, "must be longer"},
    {"warmup(-1ep)", LEHR_E_PARAM, "must be longer"},
    {"warmup(26ep)", LEHR_E_PARAM, "the run has only 9775"},
    {"warmup(110%)", LEHR_E_PARAM, "the run has only"},
    {"cosine(over=30ep)", LEHR_E_PARAM, "the run has only"},
    {"warmup()", LEHR_E_PARAM, "warmup needs duration"},
    {"warmup(1ep, 2, 3, 4)", LEHR_E_PARAM, "lag of warmup"},
    {"warmup(1ep, 0, 1, linear, 4, 5)", LEHR_E_USAGE, "at most 5"},
    {"warmup(duration=1ep, 0)", LEHR_E_USAGE, "write name=value"},
    {"warmup(1ep, duration=2ep)", LEHR_E_USAGE, "given twice"},
    {"step(gama=0.5)", LEHR_E_USAGE,
     "column 6: schedule step has no parameter 'gama'; did you mean"},
    {"step(gamma=-1, every=1ep)", LEHR_E_PARAM,
     "column 12: gamma of step = -1 is outside [0, inf]"},
    {"step(gamma=1%, every=1ep)", LEHR_E_PARAM, "plain number"},
    {"step(gamma=x, every=1ep)", LEHR_E_PARAM, "is a number, not 'x'"},
    {"step(0.5, [1ep])", LEHR_E_PARAM, "one value, not a list"},
    {"multistep([])", LEHR_E_PARAM, "must not be empty"},
    {"multistep([1ep, 2])", LEHR_E_PARAM, "column 17"},
    {"multistep([1ep 2ep])", LEHR_E_USAGE, "',' or ']'"},
    {"exponential()", LEHR_E_PARAM, "give gamma"},
    {"exponential(gamma=0.9, rate=0.1)", LEHR_E_PARAM, "not both"},
    {"plateau(mode=foo)", LEHR_E_PARAM, "one of rel, abs"},
    {"plateau(patience=1.5)", LEHR_E_PARAM, "whole number"},
    {"plateau(factor=1)", LEHR_E_PARAM, "(0, 1)"},
    {"cosine(end=nan)", LEHR_E_PARAM, "number"},
    {"cosine(inclusive=2)", LEHR_E_PARAM, "0 or 1"},
    {"kears:step(every=1ep)", LEHR_E_USAGE, "has no preset 'kears:'; known: tutorial"},
    {"cosine(lr=0.1)", LEHR_E_USAGE, "--lr"},
    {"cosine(end=1e-3, end=1e-4)", LEHR_E_USAGE, "given twice"},
};

Test(schedules, messages)
{
    for (size_t i = 0; i < LH_COUNT(refused); i++) {
        lehr_scheduler *s = NULL;
        lehr_status st = lehr_scheduler_create(ctx, reg, refused[i].text, &budget, &s);
        cr_expect_eq(st, refused[i].code, "'%s': %d", refused[i].text, (int)st);
        cr_expect(strstr(lehr_context_message(ctx), refused[i].part), "'%s': '%s' lacks '%s'",
                  refused[i].text, lehr_context_message(ctx), refused[i].part);
        lehr_scheduler_destroy(&s);
    }
    lehr_scheduler *s = make("step(0.5, every=30ep)");
    cr_expect(strstr(warned, "lies beyond the 9775 updates of the run"), "%s", warned);
    lehr_scheduler_destroy(&s);
}

Test(schedules, endless_nesting_is_refused)
{
    char text[40001];
    lehr_scheduler *s = NULL;
    memset(text, '(', 40000);
    text[40000] = '\0';
    cr_expect_eq(lehr_scheduler_create(ctx, reg, text, &budget, &s), LEHR_E_USAGE);
    text[1000] = '\0';
    cr_expect_eq(lehr_scheduler_create(ctx, reg, text, &budget, &s), LEHR_E_USAGE);
}

/* ---- metric-driven ---- */

/* A function, since Criterion's macros evaluate their arguments more than once. */
static void equals(double got, double want, const char *what)
{
    cr_expect(fabs(got - want) <= 1e-15, "%s: %.17g, want %.17g", what, got, want);
}

static double after(lehr_scheduler *s, const double *metric, size_t count, int better)
{
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(lehr_scheduler_observe(s, i + 1, "val_loss", better, metric[i]), LEHR_OK);
    return at(s, 10 * EPOCH);
}

Test(schedules, plateau)
{
    const double flat[] = {1, 1, 1, 1, NAN, 1, INFINITY, 1, 1};
    lehr_scheduler *torch = make("plateau(patience=2)"),
                   *keras = make("keras3:plateau(patience=2)");
    cr_expect_str_eq(lehr_scheduler_metric(torch, 0), "val.loss");
    cr_expect_null(lehr_scheduler_metric(torch, 1));
    equals(after(torch, flat, 3, -1), 0.1, "two bad ones: PyTorch waits");
    equals(after(keras, flat, 3, -1), 0.01, "two bad ones: Keras reduces");
    equals(after(torch, flat + 3, 1, -1), 0.01, "three bad ones: PyTorch reduces");
    cr_assert_eq(lehr_scheduler_observe(torch, 9, "loss", -1, 5), LEHR_OK);
    equals(after(torch, flat + 4, 2, -1), 0.01, "other metrics do not count");
    double state[16];
    uint32_t count = lehr_scheduler_state_count(torch);
    cr_assert_eq(count, 5);
    lehr_scheduler_get_state(torch, state);
    lehr_scheduler *copy = make(lehr_scheduler_text(torch));
    lehr_scheduler_set_state(copy, state);
    equals(after(torch, flat + 6, 1, -1), after(copy, flat + 6, 1, -1), "resumed");
    equals(at(copy, 0), 0.001, "reduced");
    lehr_scheduler_destroy(&torch);
    lehr_scheduler_destroy(&keras);
    lehr_scheduler_destroy(&copy);
}

Test(schedules, plateau_options)
{
    const double rising[] = {0.1, 0.2, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3};
    lehr_scheduler *s = make("plateau(factor=0.5, patience=0, cooldown=2)");
    equals(after(s, rising, 3, +1), 0.1, "larger is better");
    equals(after(s, rising + 3, 1, +1), 0.05, "reduced");
    equals(after(s, rising + 4, 2, +1), 0.05, "cooldown");
    equals(after(s, rising + 6, 1, +1), 0.025, "reduced");
    lehr_scheduler_destroy(&s);
    s = make("plateau(factor=0.1, patience=0, min=5e-3)");
    equals(after(s, rising + 2, 8, +1), 5e-3, "never below min");
    lehr_scheduler_destroy(&s);
    s = make("warmup(1ep) * plateau(factor=0.5, patience=0) * plateau(val_loss, factor=0.5, "
             "patience=0)");
    cr_expect_eq(lehr_scheduler_state_count(s), 10);
    equals(after(s, rising + 2, 2, +1), 0.025, "reduced");
    lehr_scheduler_destroy(&s);
}

/* ---- random text ---- */

static uint32_t next_random(uint32_t *state) { return *state = *state * 1664525u + 1013904223u; }

Test(schedules, random_text_is_answered)
{
    static const char *const pieces[] = {
        "cosine", "warmup", "step",       "multistep", "plateau",  "tutorial:", "time", "(",
        ")",      "(",      ")",          "*",         "+",        ",",         "=",    "[",
        "]",      "5ep",    "10%",        "500st",     "0.5",      "-1",        "1e",   "1e-3",
        "1e999",  "every",  "end",        "gamma",     "val.loss", " ",         "\t",   ".",
        "%",      "\x80",   "milestones", "(5ep)",     "(end=0)",  "()",        " * ",  " + "};
    uint32_t state = 2024;
    unsigned accepted = 0;
    for (int round = 0; round < 30000; round++) {
        char text[256] = "";
        unsigned count = 1 + (next_random(&state) >> 16) % 12;
        for (unsigned i = 0; i < count; i++)
            strcat(text, pieces[(next_random(&state) >> 16) % LH_COUNT(pieces)]);
        lehr_scheduler *s = NULL;
        lehr_status st = lehr_scheduler_create(ctx, reg, text, &budget, &s);
        if (st != LEHR_OK) {
            cr_assert(st == LEHR_E_USAGE || st == LEHR_E_PARAM, "'%s': %d", text, (int)st);
            cr_assert(lehr_context_message(ctx)[0] && !s, "'%s'", text);
            continue;
        }
        accepted++;
        double value = -1, again = -2;
        lehr_scheduler *copy = make(lehr_scheduler_text(s));
        cr_assert_eq(lehr_scheduler_value(s, 777, &value), lehr_scheduler_value(copy, 777, &again));
        cr_assert_eq(value, again, "'%s' and '%s'", text, lehr_scheduler_text(s));
        lehr_scheduler_destroy(&s);
        lehr_scheduler_destroy(&copy);
    }
    cr_expect(accepted > 100, "only %u texts were schedules", accepted);
}
