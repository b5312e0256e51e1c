/* SPDX-License-Identifier: MIT
 *
 * A small comparison on the device: the trainer's real numbers in the summary, methods paired by
 * seed, and a comparison that was interrupted gives the same summary as one that was not. */
#include <criterion/criterion.h>
#include <lehr/lehr.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/study/fake.h"

typedef struct bench {
    lehr_context *ctx;
    lehr_device *device;
    lehr_registry *registry;
    lehr_model *model;
    lehr_data *data;
} bench;

static void bench_open(bench *b)
{
    lehr_registry_params plugins = {.directory = LEHR_TEST_PLUGIN_DIR, .no_plugins = 1};
    cr_assert_eq(lehr_context_create(NULL, &b->ctx), LEHR_OK);
    if (lehr_device_open(b->ctx, "auto", &b->device) != LEHR_OK)
        cr_skip_test("no OpenCL device: %s", lehr_context_message(b->ctx));
    cr_assert_eq(lehr_registry_create(b->ctx, &plugins, &b->registry), LEHR_OK);
    cr_assert_eq(lehr_data_open(b->ctx, "synthetic:n=300,test=100", &b->data), LEHR_OK, "%s",
                 lehr_context_message(b->ctx));
    cr_assert_eq(lehr_model_parse(b->ctx, "tiny",
                                  "input 3 32 32\nconv 4 3x3 stride=2\nrelu\nflatten\n"
                                  "dense 10\n",
                                  &b->model),
                 LEHR_OK, "%s", lehr_context_message(b->ctx));
}

static void bench_close(bench *b)
{
    lehr_model_destroy(&b->model);
    lehr_data_destroy(&b->data);
    lehr_registry_destroy(&b->registry);
    lehr_device_destroy(&b->device);
    lehr_context_destroy(&b->ctx);
}

static const lehr_method methods[] = {{"constant", "sgd", "constant()", 0.05},
                                      {"adam", "keras3:adam", "constant()", NAN},
                                      {"explodes", "sgd", "constant()", 1e6}};

static lehr_compare_params two_epochs(const char *out)
{
    lehr_compare_params params;
    lehr_compare_params_init(&params);
    params.methods = methods;
    params.method_count = 3;
    params.seeds = 2;
    params.out = out;
    params.train.epochs = 2;
    params.train.batch = 64;
    params.train.checkpoint_every = "1st";
    return params;
}

/* Interrupts the nth update of all runs together. */
typedef struct stopper {
    int count, at;
    volatile int stop;
} stopper;

static int stop_at(void *user, const lehr_event *event)
{
    stopper *s = user;
    if (strcmp(event->kind, "step") == 0 && ++s->count == s->at) s->stop = 1;
    return LEHR_CONTINUE;
}

/* The summary without its column of seconds, the only one that may differ. */
static char *summary_without_time(const char *dir)
{
    char *csv = fake_read(dir, "summary.csv"), *lines = NULL;
    lh_str s = {0};
    for (char *line = strtok_r(csv, "\n", &lines); line; line = strtok_r(NULL, "\n", &lines)) {
        for (int column = 0; *line; column++) {
            size_t length = strcspn(line, ",");
            if (column != 9) lh_str_add_bytes(&s, line, length);
            lh_str_add(&s, ",");
            line += length + (line[length] == ',');
        }
        lh_str_add(&s, "\n");
    }
    free(csv);
    return s.text;
}

static unsigned rows_with(const char *csv, const char *words)
{
    unsigned count = 0;
    for (const char *at = csv; (at = strstr(at, words)) != NULL; at++) count++;
    return count;
}

Test(device, a_comparison_and_its_continuation)
{
    bench b = {0};
    char *whole = fake_dir(), *parts = fake_dir();
    stopper s = {.at = 13};
    bench_open(&b);
    lehr_compare_params params = two_epochs(whole);
    cr_assert_eq(lehr_compare(b.device, b.registry, b.model, b.data, &params), LEHR_OK, "%s",
                 lehr_context_message(b.ctx));
    char *wanted = summary_without_time(whole);
    cr_expect_eq(rows_with(wanted, ",diverged,"), 3u, "heading and two runs: %s", wanted);
    cr_expect_eq(rows_with(wanted, ",finished,"), 4u, "%s", wanted);

    params.out = parts;
    params.train.on_event = stop_at;
    params.train.user = &s;
    params.train.stop_signal = &s.stop;
    cr_expect_eq(lehr_compare(b.device, b.registry, b.model, b.data, &params), LEHR_E_INTERRUPTED);
    cr_expect(strstr(lehr_context_message(b.ctx), "of 6 runs finished"), "%s",
              lehr_context_message(b.ctx));
    params.train.on_event = NULL;
    s.stop = 0;
    cr_assert_eq(lehr_compare(b.device, b.registry, b.model, b.data, &params), LEHR_OK, "%s",
                 lehr_context_message(b.ctx));
    char *got = summary_without_time(parts);
    cr_expect_str_eq(got, wanted);

    char *report = fake_read(whole, "report.html"), *table = NULL;
    cr_expect(strstr(report, "SYNTHETIC DATA") && strstr(report, "explodes diverged in 2 of 2 "
                                                                 "runs"));
    cr_expect(strstr(report, "optimizer=adam(") && strstr(report, "lr=0.001"), "values written "
                                                                               "out");
    cr_assert_eq(lehr_study_table(b.ctx, whole, 0, &table), LEHR_OK);
    cr_expect(strstr(table, "2 diverged"));
    free(table);
    free(report);
    free(got);
    free(wanted);
    fake_remove(whole);
    fake_remove(parts);
    bench_close(&b);
}

Test(device, mistakes_end_it_before_the_first_run)
{
    bench b = {0};
    char *dir = fake_dir();
    bench_open(&b);
    lehr_method wrong[] = {{"a", "sgd", "constant()", 0.1}, {"b", "sgdd", "constant()", 0.1}};
    lehr_compare_params params = two_epochs(dir);
    params.methods = wrong;
    params.method_count = 2;
    cr_expect_eq(lehr_compare(b.device, b.registry, b.model, b.data, &params), LEHR_E_USAGE);
    cr_expect(strstr(lehr_context_message(b.ctx), "method 'b': "), "%s",
              lehr_context_message(b.ctx));
    cr_expect(strstr(lehr_context_message(b.ctx), "'sgd'"), "%s", lehr_context_message(b.ctx));
    wrong[1] = (lehr_method){"b", "sgd", "cosinus()", 0.1};
    cr_expect_eq(lehr_compare(b.device, b.registry, b.model, b.data, &params), LEHR_E_USAGE);
    cr_expect(strstr(lehr_context_message(b.ctx), "method 'b': "), "%s",
              lehr_context_message(b.ctx));
    wrong[1] = (lehr_method){"b", "sgd", "constant()", -1};
    cr_expect_eq(lehr_compare(b.device, b.registry, b.model, b.data, &params), LEHR_E_PARAM);
    cr_expect(strstr(lehr_context_message(b.ctx), "method 'b': "), "%s",
              lehr_context_message(b.ctx));
    fake_remove(dir);
    bench_close(&b);
}
