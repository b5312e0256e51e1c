/* SPDX-License-Identifier: MIT
 *
 * Reports and tables made from fake studies: self-contained, well-formed, every method in them,
 * their numbers those of summary.csv, honest about seeds, synthetic data and divergence. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/files.h"
#include "core/study/analysis.h"
#include "tests/study/fake.h"

static lehr_context *ctx;
static char *dir;

static void setup(void)
{
    cr_assert_eq(lehr_context_create(NULL, &ctx), LEHR_OK);
    dir = fake_dir();
}

static void teardown(void)
{
    fake_remove(dir);
    lehr_context_destroy(&ctx);
}

TestSuite(report, .init = setup, .fini = teardown);

static void make_study(fake f, const char *preset, uint32_t seeds, const char *data)
{
    lehr_compare_params params = fake_params(ctx, preset, seeds, dir);
    lh_study_subject subject = fake_subject(data);
    f.ctx = ctx;
    lehr_status status = lh_compare_runs(ctx, &params, &subject, fake_train, &f);
    cr_assert(status == LEHR_OK || status == LEHR_E_INTERRUPTED, "%s", lehr_context_message(ctx));
    fake_params_free(&params);
}

/* Nothing may be fetched: no address, no source, no style or script from outside. */
static void expect_self_contained(const char *html)
{
    static const char *const forbidden[] = {"src=",    "href=", "url(",    "@import",
                                            "<script", "<link", "<iframe", "<img"};
    for (size_t i = 0; i < LH_COUNT(forbidden); i++)
        cr_expect_null(strcasestr(html, forbidden[i]), "%s", forbidden[i]);
    for (const char *at = html; (at = strstr(at, "://")) != NULL; at++)
        cr_expect_eq(strncmp(at - 4, "http://www.w3.org/2000/svg\"", 27), 0, "%.40s", at - 10);
}

/* The page is written as XML too, so that an XML parser can check it; false without xmllint. */
static bool well_formed(const char *path)
{
    lh_str command = {0};
    if (system("command -v xmllint >/dev/null 2>&1") != 0) return false;
    lh_str_printf(&command, "sed 's/<!DOCTYPE html>//' '%s/report.html' | xmllint --noout -", path);
    cr_expect_eq(system(lh_str_text(&command)), 0, "not well-formed");
    lh_str_free(&command);
    return true;
}

static const char *const names[] = {"constant", "time",     "step",    "exponential",
                                    "adagrad",  "adadelta", "rmsprop", "adam"};

Test(report, has_everything)
{
    make_study((fake){0}, "tutorial", 5, "cifar10");
    char *html = fake_read(dir, "report.html");
    expect_self_contained(html);
    for (size_t i = 0; i < LH_COUNT(names); i++) {
        lh_str cell = {0};
        lh_str_printf(&cell, "</span>%s</td>", names[i]);
        cr_expect(strstr(html, lh_str_text(&cell)), "%s in a table", names[i]);
        lh_str_clear(&cell);
        lh_str_printf(&cell, ">%s</text>", names[i]);
        cr_expect(strstr(html, lh_str_text(&cell)), "%s in a legend", names[i]);
        lh_str_free(&cell);
    }
    cr_expect(strstr(html, "Fake CPU 3000") && strstr(html, "122570 parameters"));
    cr_expect(strstr(html, "0123456789abcdef") && strstr(html, "--preset tutorial"));
    cr_expect(strstr(html, "Validation accuracy</text>") && strstr(html, "Learning rate "
                                                                         "used</text>"));
    cr_expect(strstr(html, ">adagrad, adadelta,</text>"), "equal learning rates share a line");
    cr_expect(strstr(html, "Why Adadelta hardly moves here"));
    cr_expect(strstr(html, "± "));
    cr_expect_null(strstr(html, "SYNTHETIC"));
    cr_expect_null(strstr(html, "nan"));
    bool checked = well_formed(dir);
    free(html);
    if (!checked) cr_skip_test("xmllint is not installed: well-formedness not checked");
}

/* Every number of summary.csv stands in the report in the same digits. */
Test(report, has_the_numbers_of_the_summary)
{
    make_study((fake){.diverging = "rmsprop"}, "tutorial", 2, "cifar10");
    char *html = fake_read(dir, "report.html"), *csv = fake_read(dir, "summary.csv"), *rows = NULL;
    unsigned numbers = 0;
    for (char *row = strtok_r(csv, "\n", &rows); (row = strtok_r(NULL, "\n", &rows)) != NULL;) {
        char *cells = NULL;
        strtok_r(row, ",", &cells);
        for (char *cell; (cell = strtok_r(NULL, ",", &cells)) != NULL;) {
            lh_str wanted = {0};
            if (!strchr(cell, '.')) continue;
            lh_str_printf(&wanted, "<td class=\"n\">%s</td>", cell);
            cr_expect(strstr(html, lh_str_text(&wanted)), "%s", cell);
            lh_str_free(&wanted);
            numbers++;
        }
    }
    cr_expect_geq(numbers, 90u);
    free(html);
    free(csv);
}

Test(report, one_seed_is_no_ranking)
{
    char *text = NULL;
    make_study((fake){0}, "tutorial", 1, "synthetic");
    char *html = fake_read(dir, "report.html");
    cr_expect(strstr(html, "n=1: no ranking"));
    cr_expect(strstr(html, "SYNTHETIC DATA"));
    cr_expect_null(strstr(html, "Every pair"));
    cr_assert_eq(lehr_study_table(ctx, dir, 0, &text), LEHR_OK);
    cr_expect(strstr(text, "n=1: no ranking") && strstr(text, "synthetic (NOT real images)"));
    cr_expect_lt(strstr(text, "\nconstant"), strstr(text, "\nadam"), "in the order given");
    for (const char *c = text; *c; c++) cr_assert(*c > 0, "ASCII was asked for");
    free(text);
    free(html);
}

/* Joins the lines that were broken to the table's width. */
static void unwrap(char *text)
{
    char *to = text;
    for (const char *from = text; (*to = *from) != '\0'; to++, from++)
        if (strncmp(from, "\n  ", 3) == 0) *to = ' ', from += 2;
}

Test(report, says_what_cannot_be_told_apart)
{
    char *text = NULL;
    make_study((fake){0}, "tutorial", 5, "cifar10");
    cr_assert_eq(lehr_study_table(ctx, dir, 1, &text), LEHR_OK);
    unwrap(text);
    cr_expect(strstr(text, "Highest mean test accuracy: adam"), "%s", text);
    cr_expect(strstr(text, "Not distinguishable from it at 95 %: rmsprop."), "%s", text);
    cr_expect(strstr(text, "24 of 28 pairs differ at 95 % (paired t test over common seeds, "
                           "Holm's correction)"));
    /* The fake trainer gives these three the same numbers. */
    cr_expect(strstr(text, "constant from time, exponential"));
    cr_expect_null(strstr(text, "from adadelta"));
    cr_expect_null(strstr(text, ", adadelta"));
    cr_expect(strstr(text, "never"), "adadelta misses the target");
    cr_expect_lt(strstr(text, "\nadam"), strstr(text, "\nconstant"), "in the order of the mean");
    free(text);
}

Test(report, tells_of_diverged_and_missing_runs)
{
    char *text = NULL;
    make_study((fake){.diverging = "rmsprop", .interrupt_at = 30}, "tutorial", 5, "cifar10");
    char *html = fake_read(dir, "report.html");
    cr_expect(strstr(html, "rmsprop diverged in 1 of 5 runs"));
    cr_expect(strstr(html, "rmsprop, seed 2 diverged: the loss is NaN at step 107, layer 'conv1'"));
    cr_expect(strstr(html, "11 of 40 runs are not finished"));
    cr_assert_eq(lehr_study_table(ctx, dir, 1, &text), LEHR_OK);
    cr_expect(strstr(text, "1 diverged") && strstr(text, "1 not run"), "%s", text);
    free(text);
    free(html);
}

Test(report, the_older_preset_needs_no_excuse)
{
    make_study((fake){0}, "tutorial2017", 2, "cifar10");
    char *html = fake_read(dir, "report.html");
    cr_expect_null(strstr(html, "Why Adadelta"));
    cr_expect(strstr(html, "n=2 is few"));
    free(html);
}

Test(report, hostile_names_are_text)
{
    lehr_method methods[] = {{"<script>alert(1)</script>", "sgd", "constant()", 0.1},
                             {"a&b \"c\"", "sgd", "constant()", 0.1}};
    lehr_compare_params params = fake_params(ctx, "tutorial", 2, dir), other = params;
    lh_study_subject subject = fake_subject("cifar10");
    fake f = {.ctx = ctx};
    other.methods = methods;
    other.method_count = 2;
    cr_assert_eq(lh_compare_runs(ctx, &other, &subject, fake_train, &f), LEHR_OK);
    char *html = fake_read(dir, "report.html");
    expect_self_contained(html);
    bool checked = well_formed(dir);
    free(html);
    fake_params_free(&params);
    if (!checked) cr_skip_test("xmllint is not installed: well-formedness not checked");
}

Test(report, chart_and_regeneration)
{
    char *text = NULL;
    make_study((fake){0}, "tutorial", 2, "cifar10");
    char *before = fake_read(dir, "report.html");
    cr_assert_eq(lehr_study_chart(ctx, dir, 90, 20, 0, 0, &text), LEHR_OK);
    cr_expect(strstr(text, "Validation accuracy in %") && strstr(text, "% rmsprop"));
    free(text);
    cr_assert_eq(lehr_report_study(ctx, dir), LEHR_OK);
    char *after = fake_read(dir, "report.html");
    cr_expect_str_eq(before, after, "the same files give the same page");
    free(before);
    free(after);
}

Test(report, means_and_targets)
{
    lh_study study;
    lh_analysis a;
    double tests[3];
    make_study((fake){0}, "tutorial", 3, "cifar10");
    cr_assert_eq(lh_study_load(ctx, dir, &study), LEHR_OK);
    cr_assert_eq(lh_analyse(ctx, &study, &a), LEHR_OK);
    for (uint32_t i = 0; i < 3; i++) tests[i] = lh_study_run(&study, 7, i)->test_accuracy;
    double mean = (tests[0] + tests[1] + tests[2]) / 3;
    cr_expect_float_eq(a.methods[7].test.mean, mean, 1e-15);
    cr_expect_eq(a.methods[7].val_accuracy_curve.count, 10u);
    cr_expect_eq(a.methods[7].lr.count, 10u * FAKE_STEPS_PER_EPOCH);
    cr_expect_eq(a.methods[7].reached, 3u);
    cr_expect_eq(a.methods[5].reached, 0u);
    cr_expect_eq(a.methods[7].target_steps.mean,
                 FAKE_STEPS_PER_EPOCH * a.methods[7].target_epochs.mean);
    cr_expect(a.target > 0.5 && a.target < 0.7);
    cr_expect(a.ranked && a.on_test);
    lh_analysis_free(&a);
    lh_study_free(&study);
}

Test(report, a_directory_that_is_no_study)
{
    char *text = NULL;
    cr_expect_eq(lehr_study_table(ctx, dir, 0, &text), LEHR_E_DATA);
    cr_expect_null(text);
    cr_expect(strstr(lehr_context_message(ctx), "study.json"));
    cr_expect_eq(lehr_report_study(ctx, dir), LEHR_E_DATA);
    cr_expect_eq(lehr_report_run(ctx, dir), LEHR_E_DATA);
}

/* ---- a single run ---- */

static void write_run(const char *text)
{
    lh_str path = {0};
    lh_path_join(&path, dir, "run.json");
    cr_assert_eq(lh_file_write_text(ctx, lh_str_text(&path), text), LEHR_OK);
    lh_str_free(&path);
}

static const char run_json[] =
    "{\"format\": 1, \"settings\": {\"optimizer\": \"sgd\", \"schedule\": \"constant()\", \"lr\": "
    "0.1, \"epochs\": 10, \"batch\": 128, \"seed\": 3, \"weight_decay\": null}, \"resolved\": "
    "{\"optimizer\": \"sgd(momentum=0.9)\", \"schedule\": \"constant()\"}, \"model\": {\"name\": "
    "\"tutorial\", \"parameters\": 122570, \"text\": \"input 3x32x32\\n\"}, \"data\": {\"name\": "
    "\"synthetic\", \"spec\": \"synthetic\", \"train_count\": 4500, \"val_count\": 500, "
    "\"test_count\": 1000, \"sha256\": \"ab\"}, \"device\": {\"name\": \"Fake CPU 3000\", "
    "\"platform\": \"Fake\"}, \"finished\": %s, \"result\": {\"steps\": 500, \"test_accuracy\": "
    "0.61234, \"test_loss\": 1.1, \"diverged\": %d}}";

static void single_run(const char *finished, int diverged)
{
    lh_str s = {0};
    fake f = {.ctx = ctx};
    lehr_train_params train = {.optimizer = "sgd",
                               .schedule = "constant()",
                               .lr = 0.1,
                               .epochs = 10,
                               .seed = 3,
                               .out = dir};
    lehr_train_result result;
    cr_assert_eq(fake_train(&f, &train, &result), LEHR_OK);
    lh_str_printf(&s, run_json, finished, diverged);
    write_run(lh_str_text(&s));
    lh_str_free(&s);
    cr_assert_eq(lehr_report_run(ctx, dir), LEHR_OK, "%s", lehr_context_message(ctx));
}

Test(report, a_single_run)
{
    single_run("true", 0);
    char *html = fake_read(dir, "report.html");
    expect_self_contained(html);
    cr_expect(strstr(html, "61.23 %") && strstr(html, "sgd(momentum=0.9)"));
    cr_expect(strstr(html, "SYNTHETIC DATA") && strstr(html, "Learning rate used</text>"));
    cr_expect(strstr(html, ">training</text>") && strstr(html, ">validation</text>"));
    cr_expect_null(strstr(html, "not finished"));
    cr_expect_null(strstr(html, "nan"));
    bool checked = well_formed(dir);
    free(html);
    if (!checked) cr_skip_test("xmllint is not installed: well-formedness not checked");
}

Test(report, an_unfinished_or_diverged_run_says_so)
{
    single_run("false", 0);
    char *html = fake_read(dir, "report.html");
    cr_expect(strstr(html, "This run is not finished"));
    free(html);
    single_run("true", 1);
    html = fake_read(dir, "report.html");
    cr_expect(strstr(html, "This run diverged"));
    free(html);
    write_run("[1, 2");
    cr_expect_eq(lehr_report_run(ctx, dir), LEHR_E_DATA);
}
