/* SPDX-License-Identifier: MIT
 *
 * Schedules without a device: conventions at boundaries, units, plateau, messages, random text.
 * Their curves are in curves.c, their composition in algebra.c. */
#include "schedule_rig.h"

TestSuite(schedules, .init = setup, .fini = teardown);

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
    value_at("keras:polynomial(over=10st)", 10, 1e-4);
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
    resolves(" warmup ( 10% , from = 1% ) ",
             "warmup(duration=978st, from=0.001, lag=0, shape=linear, power=4)");
    resolves("warmup(1280samples)", "warmup(duration=10st, from=0, lag=0, shape=linear, power=4)");
    resolves("warmup(0.001ep)", "warmup(duration=1st, from=0, lag=0, shape=linear, power=4)");
    resolves("(constant)*((constant()+2))*0.5", "constant() * (constant() + 2) * 0.5");
    resolves("multistep([1ep,2ep])",
             "multistep(milestones=[391st, 782st], gamma=0.1, factors=[], values=[], late=0st, "
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
    static char text[40001];
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
