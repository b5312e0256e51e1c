/* SPDX-License-Identifier: MIT
 *
 * The comparison's loop with a fake trainer: who is run, what is kept, what continues, what is
 * refused, what the summary says. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/files.h"
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

TestSuite(compare, .init = setup, .fini = teardown);

static lehr_status run(fake *f, const lehr_compare_params *params)
{
    lh_study_subject subject = fake_subject("cifar10");
    f->ctx = ctx;
    lh_enter(ctx);
    return lh_compare_runs(ctx, params, &subject, fake_train, f);
}

static unsigned line_count(const char *text)
{
    unsigned lines = 0;
    for (; *text; text++) lines += *text == '\n';
    return lines;
}

Test(compare, presets)
{
    lehr_method *methods = NULL;
    uint32_t count = 0;
    cr_assert_eq(lehr_preset_create(ctx, "tutorial", 20, &methods, &count), LEHR_OK);
    static const lehr_method wanted[] = {
        {"constant", "sgd", "constant()", 0.1},
        {"time", "sgd", "time(decay=0.005)", 0.1},
        {"step", "sgd", "tutorial:step(gamma=0.2, every=2ep)", 0.1},
        {"exponential", "sgd", "tutorial:exponential(rate=0.1)", 0.1},
        {"adagrad", "keras3:adagrad", "constant()", 0.001},
        {"adadelta", "keras3:adadelta", "constant()", 0.001},
        {"rmsprop", "keras3:rmsprop", "constant()", 0.001},
        {"adam", "keras3:adam", "constant()", 0.001}};
    cr_assert_eq(count, 8u);
    for (uint32_t i = 0; i < count; i++) {
        cr_expect_str_eq(methods[i].name, wanted[i].name);
        cr_expect_str_eq(methods[i].optimizer, wanted[i].optimizer);
        cr_expect_str_eq(methods[i].schedule, wanted[i].schedule);
        cr_expect_eq(methods[i].lr, wanted[i].lr);
    }
    lehr_preset_free(&methods, count);
    cr_expect_null(methods);
    cr_assert_eq(lehr_preset_create(ctx, "tutorial2017", 20, &methods, &count), LEHR_OK);
    cr_expect_str_eq(methods[5].optimizer, "keras2017:adadelta");
    cr_expect_eq(methods[4].lr, 0.01);
    cr_expect_eq(methods[5].lr, 1.0);
    lehr_preset_free(&methods, count);
    cr_expect_eq(lehr_preset_create(ctx, "tutorail", 20, &methods, &count), LEHR_E_USAGE);
    cr_expect(strstr(lehr_context_message(ctx), "did you mean 'tutorial'?"));
    cr_expect(strstr(lehr_context_message(ctx), "tutorial2017"));
}

Test(compare, runs_every_method_and_seed)
{
    fake f = {0};
    lehr_compare_params params = fake_params(ctx, "tutorial", 3, dir);
    cr_assert_eq(run(&f, &params), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_expect_eq(f.calls, 24u);
    char *csv = fake_read(dir, "summary.csv");
    cr_expect_eq(line_count(csv), 25u);
    const char *header = "method,seed,epochs,final_val_accuracy,best_val_accuracy,test_accuracy,"
                         "final_loss,val_loss,test_loss,seconds,diverged,steps,status\n";
    cr_expect_eq(strncmp(csv, header, strlen(header)), 0);
    cr_expect(strstr(csv, "\nconstant,1,10,") && strstr(csv, "\nadam,3,10,"));
    cr_expect(strstr(csv, ",35,0,500,finished\n"));
    free(csv);
    fake_params_free(&params);
}

/* Same numbers as the trainer's, digit for digit (a double written and read back). */
Test(compare, summary_has_the_trainers_numbers)
{
    fake f = {0};
    lehr_compare_params params = fake_params(ctx, "tutorial", 1, dir);
    cr_assert_eq(run(&f, &params), LEHR_OK);
    char *csv = fake_read(dir, "summary.csv");
    for (uint32_t m = 0; m < params.method_count; m++) {
        lehr_train_params train = params.train;
        lehr_train_result r;
        char start[64];
        train.optimizer = params.methods[m].optimizer;
        train.schedule = params.methods[m].schedule;
        train.lr = params.methods[m].lr;
        snprintf(start, sizeof start, "\n%s,1,", params.methods[m].name);
        const char *row = strstr(csv, start);
        cr_assert_not_null(row);
        double final, best, test, loss, val_loss, test_loss;
        cr_assert_eq(sscanf(row + strlen(start), "10,%lf,%lf,%lf,%lf,%lf,%lf", &final, &best, &test,
                            &loss, &val_loss, &test_loss),
                     6);
        train.out = dir;
        cr_assert_eq(fake_train(&f, &train, &r), LEHR_OK);
        cr_expect(final == r.val_accuracy && best == r.best_val_accuracy &&
                  test == r.test_accuracy);
        cr_expect(loss == r.loss && val_loss == r.val_loss && test_loss == r.test_loss);
    }
    free(csv);
    fake_params_free(&params);
}

Test(compare, finished_runs_are_not_run_again)
{
    fake f = {0}, again = {0}, more = {0};
    lehr_compare_params params = fake_params(ctx, "tutorial", 2, dir);
    cr_assert_eq(run(&f, &params), LEHR_OK);
    char *before = fake_read(dir, "summary.csv");
    cr_assert_eq(run(&again, &params), LEHR_OK);
    cr_expect_eq(again.calls, 0u);
    char *after = fake_read(dir, "summary.csv");
    cr_expect_str_eq(before, after);
    params.seeds = 3; /* more seeds are an extension, not another study */
    cr_assert_eq(run(&more, &params), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_expect_eq(more.calls, 8u);
    free(before);
    free(after);
    fake_params_free(&params);
}

/* Interrupted at any call, with or without a checkpoint: the table is that of an undisturbed study.
 */
Test(compare, an_interrupted_study_continues)
{
    fake whole = {0};
    lehr_compare_params params = fake_params(ctx, "tutorial", 2, dir);
    cr_assert_eq(run(&whole, &params), LEHR_OK);
    char *wanted = fake_read(dir, "summary.csv");
    for (unsigned at = 1; at <= 16; at += 3)
        for (int checkpoint = 0; checkpoint < 2; checkpoint++) {
            char *other = fake_dir();
            fake first = {0}, second = {0};
            *(checkpoint ? &first.interrupt_at : &first.kill_at) = at;
            params.out = other;
            cr_assert_eq(run(&first, &params), LEHR_E_INTERRUPTED);
            char message[64];
            snprintf(message, sizeof message, "stopped with %u of 16 runs finished", at - 1);
            cr_expect(strstr(lehr_context_message(ctx), message), "%s", lehr_context_message(ctx));
            cr_expect_eq(first.calls, at);
            cr_assert_eq(run(&second, &params), LEHR_OK);
            cr_expect_eq(second.calls, 16 - at + 1);
            cr_expect_eq(second.resumed, checkpoint ? 1u : 0u);
            char *csv = fake_read(other, "summary.csv");
            cr_expect_str_eq(csv, wanted);
            free(csv);
            fake_remove(other);
        }
    free(wanted);
    fake_params_free(&params);
}

/* A checkpoint that cannot be used costs time, not the study: the run is trained again. */
Test(compare, a_torn_checkpoint_is_not_the_end)
{
    fake first = {.interrupt_at = 3}, second = {.refuse = true}, third = {0};
    lehr_compare_params params = fake_params(ctx, "tutorial", 1, dir);
    cr_assert_eq(run(&first, &params), LEHR_E_INTERRUPTED);
    cr_assert_eq(run(&second, &params), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_expect_eq(second.resumed, 1u);
    cr_expect_eq(second.calls, 7u);
    char *history = fake_read(dir, "runs/step-seed1/history.jsonl");
    cr_expect_eq(line_count(history), 10u * (FAKE_STEPS_PER_EPOCH + 1), "begun anew");
    cr_assert_eq(run(&third, &params), LEHR_OK);
    cr_expect_eq(third.calls, 0u);
    free(history);
    fake_params_free(&params);
}

Test(compare, a_diverged_run_is_a_row)
{
    fake f = {.diverging = "rmsprop"}, again = {0};
    lehr_compare_params params = fake_params(ctx, "tutorial", 3, dir);
    cr_assert_eq(run(&f, &params), LEHR_OK);
    char *csv = fake_read(dir, "summary.csv");
    const char *row = strstr(csv, "\nrmsprop,2,");
    cr_assert_not_null(row);
    const char *end = strchr(row + 1, '\n');
    cr_expect_eq(strncmp(end - strlen(",1,100,diverged"), ",1,100,diverged", 15), 0, "%.*s",
                 (int)(end - row), row);
    cr_expect_eq(line_count(csv), 25u);
    cr_assert_eq(run(&again, &params), LEHR_OK);
    cr_expect_eq(again.calls, 0u, "a diverged run is over");
    free(csv);
    fake_params_free(&params);
}

Test(compare, a_broken_plugin_fails_its_own_runs_only)
{
    fake f = {.broken = "adagrad"}, repaired = {0};
    lehr_compare_params params = fake_params(ctx, "tutorial", 2, dir);
    cr_assert_eq(run(&f, &params), LEHR_OK, "%s", lehr_context_message(ctx));
    char *csv = fake_read(dir, "summary.csv");
    cr_expect(strstr(csv, "\nadagrad,2,0,,,,,,,,0,0,failed\n") && strstr(csv, "\nadam,2,10,"));
    cr_assert_eq(run(&repaired, &params), LEHR_OK);
    cr_expect_eq(repaired.calls, 2u, "failed runs are run again");
    free(csv);
    csv = fake_read(dir, "summary.csv");
    cr_expect_null(strstr(csv, "failed"));
    free(csv);
    fake_params_free(&params);
}

static void expect_refused(const lehr_compare_params *params, const char *words)
{
    fake f = {0};
    cr_expect_eq(run(&f, params), LEHR_E_USAGE, "%s", words);
    cr_expect(strstr(lehr_context_message(ctx), words), "'%s' not in '%s'", words,
              lehr_context_message(ctx));
    cr_expect_eq(f.calls, 0u);
}

Test(compare, other_settings_are_refused)
{
    fake f = {0};
    lehr_compare_params params = fake_params(ctx, "tutorial", 2, dir), other = params;
    lehr_method methods[8];
    memcpy(methods, params.methods, sizeof methods);
    cr_assert_eq(run(&f, &params), LEHR_OK);
    other.train.batch = 64;
    expect_refused(&other, "begun with batch 128, now 64");
    other = params;
    other.train.epochs = 11;
    expect_refused(&other, "epochs 10, now 11");
    other = params;
    other.train.seed = 7;
    expect_refused(&other, "first seed 1, now 7");
    other = params;
    other.seeds = 1;
    expect_refused(&other, "seeds: 2, now 1");
    other = params;
    other.methods = methods;
    methods[3].lr = 0.2;
    expect_refused(&other, "0.1, now 0.2");
    other.method_count = 7;
    expect_refused(&other, "methods");
    char *csv = fake_read(dir, "summary.csv");
    cr_expect_eq(line_count(csv), 17u, "nothing was lost");
    free(csv);
    fake_params_free(&params);
}

Test(compare, bad_methods_are_refused)
{
    lehr_method methods[] = {{"a b", "sgd", "constant()", 0.1}, {"a_b", "sgd", "constant()", 0.1}};
    lehr_compare_params params = fake_params(ctx, "tutorial", 1, dir), other = params;
    other.methods = methods;
    other.method_count = 2;
    expect_refused(&other, "'a b' and 'a_b' would share a run directory");
    methods[1].name = "";
    expect_refused(&other, "method 2: a name of 1 to 100 characters");
    methods[1] = (lehr_method){"b", NULL, "constant()", 0.1};
    expect_refused(&other, "method 'b': optimizer and schedule are needed");
    other.method_count = 0;
    expect_refused(&other, "nothing to compare");
    other = params;
    other.seeds = 0;
    expect_refused(&other, "nothing to compare");
    other = params;
    other.out = "";
    expect_refused(&other, "directory");
    fake_params_free(&params);
}

/* A method called "../../x" or "a,b" stays inside the study and inside its CSV cell. */
Test(compare, odd_method_names)
{
    lehr_method methods[] = {{"../../x", "sgd", "constant()", 0.1},
                             {"a, \"b\"", "sgd", "constant()", 0.1}};
    lehr_compare_params params = fake_params(ctx, "tutorial", 1, dir), other = params;
    fake f = {0};
    other.methods = methods;
    other.method_count = 2;
    cr_assert_eq(run(&f, &other), LEHR_OK, "%s", lehr_context_message(ctx));
    char *result = fake_read(dir, "runs/_._.._x-seed1/result.json");
    cr_expect(strstr(result, "\"method\": \"../../x\""));
    free(result);
    char *csv = fake_read(dir, "summary.csv");
    cr_expect(strstr(csv, "\n\"a, \"\"b\"\"\",1,10,"), "%s", csv);
    free(csv);
    fake_params_free(&params);
}

/* The disk's or device's failure ends the comparison, says where, and keeps what was done. */
static lehr_status failing_train(void *user, const lehr_train_params *params,
                                 lehr_train_result *result)
{
    fake *f = user;
    if (f->calls == 5) {
        memset(result, 0, sizeof *result);
        return lh_fail(f->ctx, LEHR_E_DEVICE, "the device is lost");
    }
    return fake_train(user, params, result);
}

Test(compare, a_real_failure_ends_it)
{
    fake f = {.ctx = ctx};
    lehr_compare_params params = fake_params(ctx, "tutorial", 2, dir);
    lh_study_subject subject = fake_subject("cifar10");
    cr_expect_eq(lh_compare_runs(ctx, &params, &subject, failing_train, &f), LEHR_E_DEVICE);
    cr_expect_str_eq(lehr_context_message(ctx), "method 'adadelta', seed 1: the device is lost");
    char *csv = fake_read(dir, "summary.csv");
    cr_expect_eq(line_count(csv), 6u);
    free(csv);
    fake_params_free(&params);
}
