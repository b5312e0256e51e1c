/* SPDX-License-Identifier: MIT
 *
 * The algebra of schedules: who lives in which budget, what is refused, formulas and tables, metric-
 * driven parts inside compositions, and random expressions: each reads back bit for bit from its
 * canonical text, and no mutation of one does harm.  LEHR_TEST_LEVEL=1 tries fifty times as many. */
#define _GNU_SOURCE
#include "schedule_rig.h"

#include <unistd.h>

TestSuite(algebra, .init = setup, .fini = teardown);

/* ---- chance ---- */

static uint32_t state_of_chance = 7;
static uint32_t chance(uint32_t below)
{
    state_of_chance = state_of_chance * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(state_of_chance >> 8) * below >> 24);
}

/* ---- texts ---- */

static void resolves(const char *text, const char *want)
{
    lehr_scheduler *s = make(text);
    cr_expect(strcmp(lehr_scheduler_text(s), want) == 0, "'%s' became '%s', not '%s'", text,
              lehr_scheduler_text(s), want);
    reads_back(s, text);
    lehr_scheduler_destroy(&s);
}

Test(algebra, canonical_texts)
{
    resolves("constant()*(constant()*constant())", "constant() * (constant() * constant())");
    resolves("(constant()*constant())*constant()", "constant() * constant() * constant()");
    resolves("constant() + (0.1 + 2%)", "constant() + (0.1 + 2%)");
    resolves("(constant() + 1) * 2", "(constant() + 1) * 2");
    resolves("scale(constant() + 1, by=0.5)", "(constant() + 1) * 0.5");
    resolves("constant() for 1ep then (constant() for 2ep then 5%)",
             "constant() for 391st then (constant() for 782st then 5%)");
    resolves("clip(rex(end=0, over=5st), 0.1, 0.1)", "clip(rex(end=0, over=5st), 0.1, 0.1)");
    resolves("clip(min(rex(), 5%, 1), 0, 1e-3) * (rex() for 10st)",
             "clip(min(rex(end=0, over=9775st), 5%, 1), 0, 0.001) * (rex(end=0, over=10st) for "
             "10st)");
    resolves("hold(shift(repeat(rex(), 10st), 1ep), 2%)",
             "hold(shift(repeat(rex(end=0, over=10st), 10st, times=0, decay=1), 391st), 196st)");
    resolves("expr('base')", "expr(\"base\")");
}

/* ---- budgets ---- */

static void value_at(const char *text, uint64_t step, double want)
{
    lehr_scheduler *s = make(text);
    double got = at(s, step);
    cr_expect(fabs(got - want) <= 1e-15, "%s at %lu: %.17g, want %.17g", text, (unsigned long)step,
              got, want);
    reads_back(s, text);
    lehr_scheduler_destroy(&s);
}

Test(algebra, each_part_has_its_own_time_and_budget)
{
    value_at("warmup(10st) then linear()", 9, 0.1);
    value_at("warmup(10st) then linear()", 10, 0.1);
    value_at("warmup(10st) then linear()", TOTAL - 1, 0.1 / (TOTAL - 10));
    value_at("linear() for 100st then constant()", 50, 0.05);
    value_at("linear() for 100st then constant()", 99, 0.1 * 0.01);
    value_at("linear() for 100st then constant()", 100, 0.1);
    value_at("linear(over=50%) for 100st then constant()", 25, 0.05);
    value_at("linear(over=50%) for 100st then constant()", 75, 0);
    /* a part that ends by its own duration measures it in the budget around it */
    value_at("warmup(20%) then constant()", 1954, 0.1);
    value_at("warmup(20%) then constant()", 0, 0.1 / 1955);
    value_at("0.5 * warmup(10st) then 2 * constant()", 9, 0.05);
    value_at("0.5 * warmup(10st) then 2 * constant()", 10, 0.2);
    value_at("(warmup(10st) then linear()) * 0.5", 10, 0.05);
    value_at("warmup(10st) then linear() for 20st then constant()", 20, 0.05);
    value_at("shift(linear(over=100st), 50st) then constant()", 149, 0.1 * 0.01);
    value_at("shift(linear(over=100st), 50st) then constant()", 150, 0.1);
    value_at("shift(linear(over=100st), -50st)", 0, 0.05);
    value_at("repeat(linear(), 10st, times=2) then constant()", 19, 0.01);
    value_at("repeat(linear(), 10st, times=2) then constant()", 20, 0.1);
    value_at("repeat(linear(), 10st, times=2)", 25, 0);
    value_at("repeat(linear(end=50%), 10st, 2, 0.5)", 25, 0.025);
    value_at("hold(linear(over=100st), 10st)", 19, 0.09);
    value_at("0.01 for 5st then constant()", 4, 0.01);
    value_at("(2 for 5st then 3) * constant()", 4, 0.2);
    value_at("(2 for 5st then 3) * constant()", 5, 0.3);
    value_at("min(2 * constant(), 0.15)", 0, 0.15);
    value_at("expr(\"total\") for 30st then expr('step')", 29, 30);
    value_at("expr(\"total\") for 30st then expr('step')", 30, 0);
    value_at("warmup(10st) * expr(\"total / 10\") then constant()", 9, 1);
    value_at("warmup(20st) * linear(over=10st) then constant()", 15, 0);
    value_at("linear(0.5 -> 0.25, 10st)", 5, 0.0375);
    value_at("linear(50% -> 25%, 10st)", 10, 0.025);
    value_at("cosine(1 -> 0.5, 10st)", 10, 0.05);
}

static const struct {
    const char *text;
    lehr_status code;
    const char *part;
} refused[] = {
    {"constant() then cosine()", LEHR_E_PARAM, "constant stands before a 'then'"},
    {"cosine() then cosine()", LEHR_E_PARAM, "column 1: cosine stands before a 'then'"},
    {"warmup(5ep) then constant() then cosine()", LEHR_E_PARAM, "column 18: constant stands"},
    {"warmup(25ep) then cosine()", LEHR_E_PARAM, "leave nothing of the run's 9775"},
    {"warmup(5ep) then cosine(over=21ep)", LEHR_E_PARAM, "this part of the run has only 7820"},
    {"cosine() for 0ep then cosine()", LEHR_E_PARAM, "column 14: a part's length is 0 updates"},
    {"cosine() for -5st then cosine()", LEHR_E_PARAM, "must be longer"},
    {"cosine() for 5 then cosine()", LEHR_E_PARAM, "needs a unit: 5ep"},
    {"cosine() for 26ep", LEHR_E_PARAM, "the run has only 9775"},
    {"cosine() for", LEHR_E_USAGE, "a number is wanted"},
    {"cosine() then", LEHR_E_USAGE, "column 14: the text ends where a name is wanted"},
    {"then cosine()", LEHR_E_USAGE, "column 1: unknown schedule 'then'"},
    {"repat(cosine(), 5ep)", LEHR_E_USAGE, "did you mean the function repeat(…)"},
    {"cyclic(gamma=1.1)", LEHR_E_PARAM, "outside (0, 1]"},
    {"min()", LEHR_E_USAGE, "column 5"},
    {"min(cosine()", LEHR_E_USAGE, "the text ends where ',' or ')' is wanted"},
    {"min(1, 2)", LEHR_E_USAGE, "no schedule"},
    {"5%", LEHR_E_USAGE, "no schedule"},
    {"clip(cosine(), 0.1)", LEHR_E_USAGE, "clip takes a schedule, the lowest"},
    {"clip(cosine(), 0.1, 0.01)", LEHR_E_USAGE, "column 16: the lowest value is above"},
    {"scale(cosine(), -1)", LEHR_E_USAGE, "below 0"},
    {"scale(cosine(), 1ep)", LEHR_E_USAGE, "by is a plain number"},
    {"shift(cosine(), 5)", LEHR_E_PARAM, "the shift is a duration"},
    {"shift(cosine(), 25ep)", LEHR_E_PARAM, "leaves nothing"},
    {"shift(cosine())", LEHR_E_USAGE, "',' is wanted here: shift(schedule, 5ep)"},
    {"repeat(cosine(), 0st)", LEHR_E_PARAM, "every of repeat is 0 updates"},
    {"repeat(cosine(), 5ep, 1.5)", LEHR_E_USAGE, "whole number"},
    {"repeat(cosine(), 5ep, 1, -1)", LEHR_E_USAGE, "decay is below 0"},
    {"repeat(cosine(), 5ep, 1, 1, 1)", LEHR_E_USAGE, "')' is wanted"},
    {"hold(cosine(), 0st)", LEHR_E_PARAM, "every of hold"},
    {"constant(0 -> 1)", LEHR_E_USAGE, "constant takes no arrow"},
    {"linear(0 -> 5ep)", LEHR_E_PARAM, "beside an arrow"},
    {"linear(0 -> -1)", LEHR_E_PARAM, "outside [0, inf]"},
    {"linear(0 -> 1, end=2)", LEHR_E_USAGE, "end is given twice"},
    {"linear(end=0 -> 1)", LEHR_E_PARAM, "one value, not two"},
    {"multistep(milestones=1ep -> 2ep)", LEHR_E_PARAM, "one value, not two"},
    {"multistep([1ep], factors=[0.1, 0.2])", LEHR_E_PARAM, "one for each milestone"},
    {"multistep([1ep], values=[0.1])", LEHR_E_PARAM, "one more than"},
    {"piecewise([1ep, 1ep], [1, 2])", LEHR_E_PARAM, "must ascend"},
    {"piecewise([1ep, 2ep], [1])", LEHR_E_PARAM, "as many members"},
    {"wsd(15ep, 15ep)", LEHR_E_PARAM, "longer than over"},
    {"onecycle(rise=0.5, fall=0.4)", LEHR_E_PARAM, "fall must be above rise"},
    {"warmup(5ep, shape=exponential)", LEHR_E_PARAM, "needs from above 0"},
    {"expr(\"base * (1 + 2\")", LEHR_E_USAGE, "column 20: the formula ends where ')' is wanted"},
    {"expr(\"base", LEHR_E_USAGE, "column 6: this quotation mark is never closed"},
    {"expr(base)", LEHR_E_USAGE, "a text in quotation marks is wanted"},
    {"expr(\"\")", LEHR_E_USAGE, "ends where a number, a name or '(' is wanted"},
    {"expr(\"epoc\")", LEHR_E_USAGE, "column 7: a formula knows no name 'epoc'; did you mean"},
    {"expr(\"sqr(2)\")", LEHR_E_USAGE, "knows no function 'sqr'; did you mean 'sqrt'"},
    {"expr(\"sqrt(1, 2)\")", LEHR_E_USAGE, "sqrt takes 1 value, not 2"},
    {"expr(\"min(1)\")", LEHR_E_USAGE, "min takes 2 values or more, not 1"},
    {"expr(\"if(1, 2)\")", LEHR_E_USAGE, "if takes 3 values, not 2"},
    {"expr(\"clip(1, 2)\")", LEHR_E_USAGE, "clip takes 3 values, not 2"},
    {"expr(\"1 < 2 < 3\")", LEHR_E_USAGE, "comparisons in a row"},
    {"expr(\"base = 1\")", LEHR_E_USAGE, "to compare write =="},
    {"expr(\"2x\")", LEHR_E_USAGE, "column 8: a formula has no units"},
    {"expr(\"1..2\")", LEHR_E_USAGE, "this is no number"},
    {"expr(\"1e999\")", LEHR_E_USAGE, "this is no number"},
    {"expr(\"1 ? 2\")", LEHR_E_USAGE, "':' is wanted"},
    {"expr(\"base $ 2\")", LEHR_E_USAGE, "'$' where an operator"},
    {"table(\"/nonexistent/lr.csv\")", LEHR_E_PARAM, "/nonexistent/lr.csv"},
    {"table(lr.csv)", LEHR_E_USAGE, "in quotation marks"},
    {"table(\"\")", LEHR_E_USAGE, "the name of a file"},
};

Test(algebra, refusals)
{
    for (size_t i = 0; i < LH_COUNT(refused); i++)
        refuses(refused[i].text, refused[i].code, refused[i].part);
}

Test(algebra, limits)
{
    static char text[70000];
    strcpy(text, "expr(\"");
    for (int i = 0; i < 3000; i++) strcat(text, "(");
    strcat(text, "\")");
    refuses(text, LEHR_E_USAGE, "levels");
    strcpy(text, "expr(\"1");
    for (int i = 0; i < 3000; i++) strcat(text, "+1");
    strcat(text, "\")");
    refuses(text, LEHR_E_USAGE, "operations");
    strcpy(text, "expr(\"");
    for (int i = 0; i < 3000; i++) strcat(text, "-");
    strcat(text, "1\")");
    refuses(text, LEHR_E_USAGE, "levels");
    strcpy(text, "constant()");
    for (int i = 0; i < 2000; i++) strcat(text, "+1");
    refuses(text, LEHR_E_USAGE, "more than 1024 terms");
    text[0] = '\0';
    for (int i = 0; i < 200; i++) strcat(text, "min(");
    refuses(text, LEHR_E_USAGE, "nested");
}

Test(algebra, open_ended_runs)
{
    lehr_budget open = {.base = BASE};
    const struct {
        const char *text;
        lehr_status code;
    } cases[] = {{"warmup(10st) then time(0.1)", LEHR_OK},      {"expr(\"base / (1 + step)\")", LEHR_OK},
                 {"repeat(linear(), 10st)", LEHR_OK},           {"expr(\"p\")", LEHR_E_PARAM},
                 {"expr(\"epoch\")", LEHR_E_PARAM},             {"shift(time(0.1), 10st)", LEHR_OK},
                 {"warmup(10st) then cosine()", LEHR_E_PARAM},  {"hold(time(0.1), 1ep)", LEHR_E_PARAM},
                 {"cosine() for 10st then constant()", LEHR_OK}};
    for (size_t i = 0; i < LH_COUNT(cases); i++) {
        lehr_scheduler *s = NULL;
        lehr_status st = lehr_scheduler_create(ctx, reg, cases[i].text, &open, &s);
        cr_expect_eq(st, cases[i].code, "%s: %s", cases[i].text, lehr_context_message(ctx));
        if (s) at(s, 1u << 30);
        lehr_scheduler_destroy(&s);
    }
}

/* ---- formulas ---- */

static void formula(const char *text, uint64_t step, double want)
{
    char spec[256];
    snprintf(spec, sizeof spec, "expr(\"%s\")", text);
    lehr_scheduler *s = make(spec);
    double got = at(s, step);
    cr_expect(fabs(got - want) <= 1e-15 * fabs(want), "%s: %.17g, want %.17g", text, got, want);
    lehr_scheduler_destroy(&s);
}

Test(algebra, formulas)
{
    formula("2 + 3 * 4", 0, 14);
    formula("2 ^ 3 ^ 2", 0, 512);
    formula("10 - -2 ^ 2", 0, 14);
    formula("2 ** -1", 0, 0.5);
    formula("7 % 4 + mod(7, 4)", 0, 6);
    formula("1 - 2 - 3 + 10", 0, 6);
    formula("12 / 3 / 2", 0, 2);
    formula("step + epoch * steps_per_epoch + total * p", EPOCH, 3 * EPOCH);
    formula("p", 10 * TOTAL, 1);
    formula("base", 5, BASE);
    formula("1 < 2 && 2 <= 2 && !(1 > 2) && 1 != 2 && (0 || 3 == 3)", 0, 1);
    formula("step >= 10 ? 3 : step >= 5 ? 2 : 1", 7, 2);
    formula("if(step < 5, log(0 - 1), 4)", 7, 4);
    formula("min(5, 3, 4) + max(1, 2) * 10 + clip(7, 1, 2) * 100", 0, 223);
    formula("floor(2.7) + ceil(2.2) + round(2.5) + trunc(2.9) + abs(-1) + sign(-3) + sign(0)", 0,
            2 + 3 + 3 + 2 + 1 - 1);
    formula("sqrt(16) + exp(0) + log(1) + log2(8) + log10(1000)", 0, 11);
    formula("sin(pi / 2) + cos(0) + tan(0) + asin(0) + acos(1) + atan(0) + sinh(0) + cosh(0) + "
            "tanh(0) + pow(2, 3)",
            0, 11);
    formula("1.5e1 + .5", 0, 15.5);
    lehr_scheduler *s = make("expr(\"log(100 - step)\")");
    double value;
    cr_expect_eq(lehr_scheduler_value(s, 100, &value), LEHR_E_PARAM);
    cr_expect(strstr(lehr_context_message(ctx), "-inf for update 100"), "%s",
              lehr_context_message(ctx));
    cr_expect_eq(lehr_scheduler_value(s, 99, &value), LEHR_OK);
    lehr_scheduler_destroy(&s);
    const char *const nan[] = {"expr(\"log(-1) ? 1 : 2\")", "expr(\"min(log(-1), 1)\")",
                               "expr(\"max(1, log(-1))\")", "expr(\"max(log(-1), 1)\")"};
    for (size_t i = 0; i < LH_COUNT(nan); i++) {
        s = make(nan[i]);
        cr_expect_eq(lehr_scheduler_value(s, 0, &value), LEHR_E_PARAM, "%s", nan[i]);
        lehr_scheduler_destroy(&s);
    }
    s = make("expr(\"0.05 - step\")"); /* a part may be negative, the whole not */
    cr_expect_eq(lehr_scheduler_value(s, 1, &value), LEHR_E_PARAM);
    lehr_scheduler_destroy(&s);
    value_at("constant() + expr(\"-0.01 * (step > 0)\")", 1, 0.09);
}

/* ---- tables ---- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void table_at(const char *content, const char *option, uint64_t step, double want)
{
    char spec[128];
    write_file("lr.csv", content);
    snprintf(spec, sizeof spec, "table(\"lr.csv\"%s)", option);
    value_at(spec, step, want);
}

Test(algebra, tables)
{
    char folder[] = "/tmp/lehr-test-XXXXXX", spec[512];
    cr_assert(mkdtemp(folder) && chdir(folder) == 0);
    const char *points = "# a comment\nepoch,step,lr\n0,10,0.1\n\n1,20,0.3\r\n2,40,0\n";
    table_at(points, "", 0, 0.1);
    table_at(points, "", 15, 0.1 + 0.2 * 0.5);
    table_at(points, "", 20, 0.3);
    table_at(points, "", 1000, 0);
    table_at(points, ", by=hold", 39, 0.3);
    table_at(points, ", by=hold", 20, 0.3);
    table_at(points, ", by=hold", 19, 0.1);
    table_at("epoch, lr\n0, 0.1\n1, 0.2\n", "", EPOCH, 0.2);
    table_at("\"step\",\"value\"\n0,0.1\n10,0.2\n", ", by=linear", 5, 0.15000000000000002);
    table_at("0,0.1\n10,0.2\n", "", 10, 0.2);
    const struct {
        const char *content, *part;
    } bad[] = {{"", "there is no point"},           {"step,lr\n", "there is no point"},
               {"step,rate\n0,1\n", "line 1"},      {"step,lr\n0\n", "line 2: a column is missing"},
               {"step,lr\n0,x\n", "no finite"},     {"step,lr\n0,nan\n", "no finite"},
               {"0,1\n0,2\n", "line 2: its step"},  {"step,lr\n0,-1\n", "below 0"}};
    for (size_t i = 0; i < LH_COUNT(bad); i++) {
        write_file("lr.csv", bad[i].content);
        refuses("table(\"lr.csv\")", LEHR_E_PARAM, bad[i].part);
    }
    for (int i = 0; i < 400; i++) { /* bytes that no table would hold */
        char bytes[64];
        snprintf(bytes, sizeof bytes, "%s", points + chance(8));
        for (uint32_t k = 1 + chance(4); k; k--)
            bytes[chance((uint32_t)strlen(bytes))] = ",\n#\"-.e9x\r\x80 "[chance(12)];
        write_file("lr.csv", bytes);
        lehr_scheduler *any = NULL;
        lehr_status st = lehr_scheduler_create(ctx, reg, "table('lr.csv')", &budget, &any);
        cr_assert(st == LEHR_OK || st == LEHR_E_PARAM, "'%s': %d", bytes, (int)st);
        if (any) cr_assert(at(any, chance(100)) >= 0);
        lehr_scheduler_destroy(&any);
    }
    write_file("lr.csv", points);
    lehr_scheduler *s = make("table('lr.csv') then constant()");
    value_at("table('lr.csv') then constant()", 40, BASE);
    snprintf(spec, sizeof spec, "%s", lehr_scheduler_text(s));
    cr_expect(strstr(spec, "sha256="), "%s", spec);
    lehr_scheduler_destroy(&s);
    write_file("lr.csv", "0,0.1\n10,0.2\n");
    refuses(spec, LEHR_E_PARAM, "has changed: its SHA-256 is");
    unlink("lr.csv");
    cr_expect(chdir("/") == 0 && rmdir(folder) == 0);
}

/* ---- metric-driven parts inside ---- */

static void observe(lehr_scheduler *s, uint64_t step, double value)
{
    cr_assert_eq(lehr_scheduler_observe(s, step, "val.loss", -1, value), LEHR_OK);
}

static void is_at(lehr_scheduler *s, uint64_t step, double want, const char *what)
{
    double got = at(s, step);
    cr_expect(fabs(got - want) <= 1e-15, "%s: %.17g, want %.17g", what, got, want);
}

Test(algebra, a_metric_reaches_what_is_running)
{
    lehr_scheduler *s = make("plateau(factor=0.5, patience=0) for 100st then plateau(factor=0.1, "
                             "patience=0)");
    observe(s, 50, 1);
    observe(s, 100, 1); /* made by the last update of the first part */
    is_at(s, 99, 0.05, "the first part reduced");
    is_at(s, 100, 0.1, "the second has seen nothing");
    observe(s, 101, 1);
    observe(s, 150, 1);
    is_at(s, 99, 0.05, "the first part is over");
    is_at(s, 150, 0.01, "the second reduced");
    lehr_scheduler_destroy(&s);
    s = make("min(clip(warmup(10st) * plateau(factor=0.5, patience=0), 0.03, 1), 0.08)");
    observe(s, 50, 1);
    is_at(s, 60, 0.08, "min");
    observe(s, 60, 1);
    is_at(s, 60, 0.05, "reduced inside");
    observe(s, 70, 1);
    is_at(s, 60, 0.03, "clipped");
    lehr_scheduler_destroy(&s);
    s = make("shift(plateau(factor=0.5, patience=0), 100st) * repeat(plateau(factor=0.5, "
             "patience=0), 10st)");
    observe(s, 100, 1);
    observe(s, 100, 1);
    is_at(s, 200, 0.05, "the repeated one only");
    observe(s, 101, 1);
    observe(s, 102, 1);
    is_at(s, 200, 0.1 / 16, "both");
    lehr_scheduler_destroy(&s);
}

Test(algebra, greedy_goes_both_ways)
{
    lehr_scheduler *s = make("greedy(factor=0.5, patience=1, min=0.05, max=0.4, reset=2)");
    const double falling[] = {9, 8, 7, 6, 5, 4, 3, 2};
    for (int i = 0; i < 8; i++) observe(s, i + 1, falling[i]);
    is_at(s, 9, 0.4, "up to max");
    for (int i = 0; i < 8; i++) observe(s, i + 9, 9);
    is_at(s, 17, 0.1, "down to min, twice there, and back at the base");
    lehr_scheduler_destroy(&s);
}

/* The example of 30 lines does what the built-in does with a threshold of 0. */
Test(algebra, the_short_plateau)
{
    const char *files[] = {LEHR_TEST_BUILD_DIR "/tests/plugin/lehr-short_plateau.so"};
    lehr_registry_params params = {.files = files, .file_count = 1};
    lehr_registry_destroy(&reg);
    cr_assert_eq(lehr_registry_create(ctx, &params, &reg), LEHR_OK, "%s", lehr_context_message(ctx));
    lehr_scheduler *ours = make("short_plateau(factor=0.5, patience=2)"),
                   *built_in = make("plateau(factor=0.5, patience=2, threshold=0)");
    for (uint64_t i = 1; i < 300; i++) {
        double loss = 2 - (double)i / 300 + sin((double)(i * i));
        observe(ours, i, loss);
        observe(built_in, i, loss);
        cr_assert_eq(at(ours, i), at(built_in, i));
    }
    cr_expect(at(ours, 300) < 1e-3, "it never reduced");
    lehr_scheduler_destroy(&ours);
    lehr_scheduler_destroy(&built_in);
}

/* ---- a review before training ---- */

static char said[4096];
static void keep(void *user, const char *sentence)
{
    (void)user;
    strncat(said, sentence, sizeof said - strlen(said) - 2);
    strcat(said, "\n");
}

Test(algebra, review)
{
    const struct {
        const char *text, *part;
    } cases[] = {{"warmup(1ep) then cosine()", NULL},
                 {"expr(\"0.05 - step / 1000\")", "gives -0.001 for update 51"},
                 {"0 * cosine()", "0 all the time"},
                 {"hf:warmup(1ep)", "the first 1 update is made at 0"},
                 {"linear(over=50%)", "0 for the last 50%"},
                 {"restarts(5ep)", "jumps up 4 times, first from 6.456e-08 to 0.1 at update 1955"},
                 {"restarts(80%, t_mult=2, end=1e-4) * constant()", "jumps up 1 time"},
                 {"torch:cosine(end=1e-3, cycles=0.3)", "never reaches its end 0.001"},
                 {"linear(0.1 -> 0)", "0.1 times the base"},
                 {"chebyshev()", "19.8 times the base"}};
    for (size_t i = 0; i < LH_COUNT(cases); i++) {
        lehr_scheduler *s = make(cases[i].text);
        said[0] = '\0';
        cr_expect_eq(lehr_scheduler_review(s, keep, NULL), LEHR_OK);
        if (cases[i].part)
            cr_expect(strstr(said, cases[i].part), "%s: '%s' lacks '%s'", cases[i].text, said,
                      cases[i].part);
        else
            cr_expect(said[0] == '\0', "%s: '%s'", cases[i].text, said);
        lehr_scheduler_destroy(&s);
    }
}

/* ---- random expressions ---- */

static const char *const leaves[] = {
    "constant()", "cosine()", "cosine(end=1%)", "linear(1 -> 0.3)", "polynomial(power=0.7, cycle=1)",
    "step(0.7, 300st)", "torch:multistep([100st, 900st], gamma=0.3)", "exponential(0.9, 200st)",
    "time(0.013)", "inverse_sqrt(70st)", "restarts(90st, t_mult=1.3, decay=0.9)", "tanh()",
    "sigmoid()", "onecycle()", "cyclic(up=77st, mode=triangular2)", "wsd()", "rex()", "chebyshev()",
    "piecewise([10st, 200st], [0.3, 7%], by=cosine)", "random()", "noise(sd=0.3)", "plateau()",
    "greedy()", "warmup(17st)", "warmup(3%, from=1%, shape=exponential)", "0.3", "17%", "1e-3", "2",
    "expr(\"base * (1 - p) ^ 0.9 + step % 7 / 1000\")", "expr('base * 0.5 ^ floor(epoch / 3)')",
    "expr(\"step < 50 ? base : base / 3 * min(1, cos(step) ^ 2, 0.7)\")"};

static void add(char *out, size_t size, const char *text)
{
    size_t length = strlen(out);
    snprintf(out + length, size - length, "%s", text);
}

static void add_duration(char *out, size_t size)
{
    char text[32];
    const char *const units[] = {"st", "ep", "%", "samples"};
    uint32_t unit = chance(4);
    snprintf(text, sizeof text, "%u%s",
             1 + chance(unit == 0 ? 900 : unit == 1 ? 4 : unit == 2 ? 30 : 40000), units[unit]);
    add(out, size, text);
}

static void grow(char *out, size_t size, int depth)
{
    static const char *const operators[] = {" * ", " + ", "*", "+"};
    uint32_t kind = depth > 0 ? chance(12) : 0;
    const char *open = NULL;
    switch (kind) {
    case 0:
    case 1: add(out, size, leaves[chance(LH_COUNT(leaves))]); return;
    case 2:
    case 3:
    case 4:
        grow(out, size, depth - 1);
        add(out, size, operators[chance(4)]);
        grow(out, size, depth - 1);
        return;
    case 5: open = "("; break;
    case 6: open = chance(2) ? "min(" : "max("; break;
    case 7: open = "clip("; break;
    case 8: open = chance(2) ? "shift(" : "hold("; break;
    case 9: open = "repeat("; break;
    case 10: open = "scale("; break;
    default:
        add(out, size, "(");
        grow(out, size, depth - 1);
        add(out, size, " for ");
        add_duration(out, size);
        add(out, size, " then ");
        grow(out, size, depth - 1);
        add(out, size, ")");
        return;
    }
    add(out, size, open);
    grow(out, size, depth - 1);
    if (kind > 5) add(out, size, ", ");
    if (kind == 6) grow(out, size, depth - 1);
    if (kind == 7) add(out, size, "0.001, 0.3");
    if (kind == 8 || kind == 9) add_duration(out, size);
    if (kind == 9) add(out, size, chance(2) ? "" : chance(2) ? ", 3" : ", times=2, decay=0.77");
    if (kind == 10) add(out, size, "0.37");
    add(out, size, ")");
}

static void random_expression(char *out, size_t size)
{
    out[0] = '\0';
    grow(out, size, 1 + (int)chance(4));
    if (chance(4) == 0) {
        add(out, size, " for ");
        add_duration(out, size);
        add(out, size, " then ");
        grow(out, size, 2);
    }
}

static unsigned rounds(unsigned plain)
{
    const char *level = getenv("LEHR_TEST_LEVEL");
    return level && strcmp(level, "1") == 0 ? 50 * plain : plain;
}

/* Asks and tells a scheduler at random moments; whatever it answers, it answers. */
static void exercise(lehr_scheduler *s)
{
    for (int i = 0; i < 8; i++) {
        double value = -1, metric = chance(9) ? (double)chance(100) / 10 : (double)NAN;
        lehr_status st = lehr_scheduler_value(s, chance(1u << 24), &value);
        cr_assert(st == LEHR_OK ? value >= 0 && isfinite(value) : st == LEHR_E_PARAM);
        cr_assert_eq(lehr_scheduler_observe(s, chance(TOTAL), "val.loss", -1, metric), LEHR_OK);
    }
}

Test(algebra, random_expressions_read_back)
{
    static char text[8192];
    unsigned accepted = 0, all = rounds(3000);
    for (unsigned i = 0; i < all; i++) {
        lehr_scheduler *s = NULL;
        random_expression(text, sizeof text);
        lehr_status st = lehr_scheduler_create(ctx, reg, text, &budget, &s);
        cr_assert(st == LEHR_OK || st == LEHR_E_PARAM || st == LEHR_E_USAGE, "'%s': %d", text,
                  (int)st);
        if (st != LEHR_OK) continue;
        accepted++;
        reads_back(s, text);
        exercise(s);
        lehr_scheduler_destroy(&s);
    }
    cr_expect(accepted > all / 3, "only %u of %u were schedules", accepted, all);
}

static void mutate(char *text, size_t size)
{
    static const char *const pieces[] = {
        "(", ")", "[", "]", ",", "=", " then ", " for ", "->", "\"", "'", "*", "+", "%", "ep", "st",
        "-", "0", "9e9", "1e-320", "nan", "?", ":", "^", "min(", "expr(\"", "repeat(", "hf:", "\x80"};
    size_t length = strlen(text), at_ = length ? chance((uint32_t)length) : 0;
    const char *piece = pieces[chance(LH_COUNT(pieces))];
    size_t span = strlen(piece), cut = 1 + chance(4);
    switch (chance(3)) {
    case 0: /* remove */
        if (at_ + cut > length) cut = length - at_;
        memmove(text + at_, text + at_ + cut, length - at_ - cut + 1);
        return;
    case 1: /* insert */
        if (length + span + 1 >= size) return;
        memmove(text + at_ + span, text + at_, length - at_ + 1);
        memcpy(text + at_, piece, span);
        return;
    default: /* move a letter */
        if (length) text[at_] = text[chance((uint32_t)length)];
    }
}

Test(algebra, mutated_expressions_do_no_harm)
{
    static char text[8192];
    unsigned accepted = 0, all = rounds(20000);
    state_of_chance = 99;
    for (unsigned i = 0; i < all; i++) {
        lehr_scheduler *s = NULL;
        random_expression(text, sizeof text);
        for (uint32_t k = 1 + chance(4); k; k--) mutate(text, sizeof text);
        lehr_status st = lehr_scheduler_create(ctx, reg, text, &budget, &s);
        cr_assert(st == LEHR_OK || st == LEHR_E_PARAM || st == LEHR_E_USAGE, "'%s': %d", text,
                  (int)st);
        cr_assert(st == LEHR_OK || lehr_context_message(ctx)[0], "'%s': no message", text);
        if (st != LEHR_OK) continue;
        accepted++;
        if (accepted % 8 == 0) reads_back(s, text);
        exercise(s);
        lehr_scheduler_destroy(&s);
    }
    cr_expect(accepted > all / 50, "only %u of %u were schedules", accepted, all);
}
