/* SPDX-License-Identifier: MIT
 *
 * Runs that are judged by other weights than they train: evaluating changes no bit of the training,
 * resuming neither, and files hold the weights to be judged by; runs whose optimizer follows the
 * loss. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/files.h"
#include "tests/train/rig.h"

static void setup(void)
{
    static const char text[] = "input 3 32 32\nconv 8 3x3 stride=4 pad=1 bias=0\nbatchnorm\nrelu\n"
                               "dropout 0.1\nflatten\ndense 10\n";
    rig_open(LEHR_TEST_BUILD_DIR "/tests/plugin/rules/lehr-judged.so", "synthetic:n=300,test=100,seed=5");
    cr_assert_eq(lehr_model_parse(ctx, "small", text, &model), LEHR_OK, "%s",
                 lehr_context_message(ctx));
}

TestSuite(judge, .init = setup, .fini = rig_close);

static lehr_train_params settings(const char *optimizer, const char *out, const char *weights)
{
    lehr_train_params p;
    lehr_train_params_init(&p);
    p.optimizer = optimizer;
    p.lr = 0.05;
    p.epochs = 3;
    p.batch = 32;
    p.augment = "standard";
    p.out = out;
    p.save_weights = weights;
    return p;
}

static void train(const lehr_train_params *p, lehr_train_result *r)
{
    cr_assert_eq(lehr_train(dev, registry, model, data, p, r), LEHR_OK, "%s",
                 lehr_context_message(ctx));
}

static lehr_eval_result evaluate(const char *what)
{
    lehr_eval_result r;
    cr_assert_eq(lehr_evaluate(dev, NULL, data, what, 1, 32, NULL, &r), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    return r;
}

static bool same_file(const char *a, const char *b)
{
    char *x = NULL, *y = NULL;
    size_t n = 0, m = 0;
    cr_assert_eq(lh_file_read(ctx, a, 0, LEHR_E_DATA, &x, &n), LEHR_OK);
    cr_assert_eq(lh_file_read(ctx, b, 0, LEHR_E_DATA, &y, &m), LEHR_OK);
    bool same = n == m && memcmp(x, y, n) == 0;
    free(x);
    free(y);
    return same;
}

Test(judge, evaluation_changes_no_bit_of_the_training)
{
    lehr_train_result judged, plain, resumed;
    lehr_train_params p = settings("judged", path("a"), path("a.weights"));
    train(&p, &judged);
    lehr_train_params q = settings("judged_not", path("b"), path("b.weights"));
    train(&q, &plain);
    cr_expect_eq(judged.loss, plain.loss, "%.17g %.17g", judged.loss, plain.loss);
    cr_expect_neq(judged.val_loss, plain.val_loss);
    cr_expect_neq(judged.test_loss, plain.test_loss);
    cr_expect_not(same_file(path("a.weights"), path("b.weights")));

    lehr_eval_result run = evaluate(path("a")), file = evaluate(path("a.weights"));
    cr_expect_eq(run.loss, judged.test_loss, "a checkpoint knows the weights to be judged by");
    cr_expect_eq(file.loss, judged.test_loss, "so does the weights file");

    lehr_train_params r = settings("judged", path("c"), path("c.weights"));
    r.max_steps = 12; /* in the middle of an epoch */
    train(&r, NULL);
    r.max_steps = 0;
    r.resume = path("c");
    train(&r, &resumed);
    cr_expect(same_file(path("a.weights"), path("c.weights")));
    cr_expect_eq(resumed.test_loss, judged.test_loss);
    cr_expect_eq(resumed.loss, judged.loss);
}

/* With weights that stay where they are, statistics measured anew are the plain mean over batches:
 * one batch gives those of that batch, whatever was there before. */
Test(judge, statistics_are_measured_anew)
{
    lehr_train_result still;
    lehr_train_params p = settings("judged", path("still"), path("still.weights"));
    p.lr = 1e-12;
    p.epochs = 1;
    p.val_fraction = 0;
    train(&p, &still);
    lehr_train_params q = settings("judged_not", path("moving"), NULL);
    q.lr = 1e-12;
    q.epochs = 30; /* running statistics have settled by then */
    q.val_fraction = 0;
    q.augment = "none";
    lehr_train_result settled;
    train(&q, &settled);
    cr_expect(fabs(still.test_loss - settled.test_loss) <= 0.02 * settled.test_loss, "%g %g",
              still.test_loss, settled.test_loss);
}

Test(judge, a_rule_that_needs_the_loss)
{
    lehr_train_result r;
    lehr_train_params p = settings("polyak", NULL, NULL);
    p.epochs = 12;
    p.accumulate = 2;
    train(&p, &r);
    cr_expect(r.loss < 2.25, "%g", r.loss);
    p.lr = 1e30;
    cr_expect_eq(lehr_train(dev, registry, model, data, &p, &r), LEHR_E_DIVERGED, "%s",
                 lehr_context_message(ctx));
}

/* Optimizers with a step of their own go on bit for bit, too. */
Test(judge, custom_optimizers_resume)
{
    static const char *const specs[] = {"muon", "adafactor"};
    for (int i = 0; i < 2; i++) {
        lehr_train_result whole, resumed;
        const char *a = i ? path("m") : path("n"), *b = i ? path("p") : path("q");
        lehr_train_params p = settings(specs[i], a, path("whole.weights"));
        p.lr = 0.02;
        train(&p, &whole);
        lehr_train_params r = settings(specs[i], b, path("resumed.weights"));
        r.lr = 0.02;
        r.max_steps = 12;
        train(&r, NULL);
        r.max_steps = 0;
        r.resume = b;
        train(&r, &resumed);
        cr_expect(same_file(path("whole.weights"), path("resumed.weights")), "%s", specs[i]);
        cr_expect_eq(whole.test_loss, resumed.test_loss);
    }
}
