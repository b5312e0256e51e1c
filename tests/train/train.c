/* SPDX-License-Identifier: MIT
 *
 * Training through the public API: learning, repeatability, resuming, accumulation, clipping, stopping,
 * divergence, callbacks, refusals. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/files.h"
#include "core/runtime/runtime.h"
#include "core/train/history.h"
#include "tests/train/rig.h"

static const char small_model[] = "input 3 32 32\ninit he_normal\nconv 16 3x3 stride=2 pad=1 bias=0\n"
                                  "batchnorm\nrelu\ndropout 0.1\nconv 16 3x3 stride=2 pad=1\nrelu\n"
                                  "maxpool 2\nflatten\ndense 10\n";

static void setup(void)
{
    rig_open(NULL, "synthetic:n=400,test=100,seed=5");
    cr_assert_eq(lehr_model_parse(ctx, "small", small_model, &model), LEHR_OK, "%s",
                 lehr_context_message(ctx));
}

TestSuite(train, .init = setup, .fini = rig_close);

static lehr_train_params defaults(void)
{
    lehr_train_params p;
    lehr_train_params_init(&p);
    p.optimizer = "sgd(momentum=0.9)";
    p.lr = 0.05;
    p.epochs = 2;
    p.batch = 32;
    p.augment = "standard";
    p.checkpoint_every = "none";
    return p;
}

static lehr_status train(const lehr_train_params *p, lehr_train_result *r)
{
    return lehr_train(dev, registry, model, data, p, r);
}

static void expect_same_file(const char *a, const char *b)
{
    char *x = NULL, *y = NULL;
    size_t n = 0, m = 0;
    cr_assert_eq(lh_file_read(ctx, a, 0, LEHR_E_DATA, &x, &n), LEHR_OK);
    cr_assert_eq(lh_file_read(ctx, b, 0, LEHR_E_DATA, &y, &m), LEHR_OK);
    cr_expect(n == m && memcmp(x, y, n) == 0, "%s and %s differ", a, b);
    free(x);
    free(y);
}

Test(train, learns_and_repeats_bit_for_bit)
{
    lehr_train_params p = defaults();
    lehr_train_result a, b;
    p.epochs = 12;
    p.augment = "none";
    p.save_weights = path("a.safetensors");
    cr_assert_eq(train(&p, &a), LEHR_OK, "%s", lehr_context_message(ctx));
    p.save_weights = path("b.safetensors");
    cr_assert_eq(train(&p, &b), LEHR_OK);
    cr_expect_gt(a.accuracy, 0.25, "training accuracy %g", a.accuracy);
    cr_expect_eq(a.steps, 12 * 12);
    cr_expect_eq(a.loss, b.loss);
    cr_expect_eq(a.test_accuracy, b.test_accuracy);
    expect_same_file(path("a.safetensors"), path("b.safetensors"));
    p.seed = 2;
    cr_assert_eq(train(&p, &b), LEHR_OK);
    cr_expect_neq(a.loss, b.loss);
}

/* Stopped in the middle of an epoch and at its end, then resumed: weights and history as without. */
Test(train, resumes_bit_for_bit)
{
    static const uint64_t stops[] = {5, 12, 19};
    lehr_train_params p = defaults();
    lehr_train_result whole, r;
    p.optimizer = "adam()";
    p.lr = 0.002;
    p.schedule = "warmup(5st) * cosine(end=0) * plateau(patience=0, factor=0.5)";
    p.out = path("whole");
    p.save_weights = path("whole.safetensors");
    cr_assert_eq(train(&p, &whole), LEHR_OK, "%s", lehr_context_message(ctx));
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        char name[32];
        snprintf(name, sizeof name, "part%zu", i);
        p.out = path(name);
        p.max_steps = stops[i];
        p.save_weights = path("part.safetensors");
        cr_assert_eq(train(&p, &r), LEHR_OK, "%s", lehr_context_message(ctx));
        cr_expect_eq(r.steps, stops[i]);
        cr_expect(isnan(r.test_accuracy));
        lehr_train_params q;
        lehr_train_params_init(&q);
        q.resume = path(name);
        cr_assert_eq(lehr_train_resume(dev, registry, &q, &r), LEHR_OK, "%s",
                     lehr_context_message(ctx));
        cr_expect_eq(r.steps, whole.steps);
        cr_expect_eq(r.val_loss, whole.val_loss);
        cr_expect_eq(r.test_loss, whole.test_loss);
        cr_expect_eq(r.loss, whole.loss);
        expect_same_file(path("whole.safetensors"), path("part.safetensors"));
    }
    lh_records a, b;
    cr_assert_eq(lh_history_read(ctx, path("whole/history.jsonl"), &a), LEHR_OK);
    cr_assert_eq(lh_history_read(ctx, path("part1/history.jsonl"), &b), LEHR_OK);
    cr_assert_eq(a.count, b.count);
    cr_expect_eq(a.count, whole.steps + 2);
    for (size_t i = 0; i < a.count; i++) {
        cr_expect_eq(a.rows[i].step, b.rows[i].step);
        cr_expect_eq(a.rows[i].lr, b.rows[i].lr);
        cr_expect(memcmp(&a.rows[i].loss, &b.rows[i].loss, sizeof(double)) == 0);
    }
    lh_records_free(&a);
    lh_records_free(&b);
}

Test(train, a_resumed_run_must_agree)
{
    lehr_train_params p = defaults();
    lehr_train_result r;
    p.out = path("run");
    p.max_steps = 3;
    cr_assert_eq(train(&p, &r), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_expect_eq(train(&p, &r), LEHR_E_USAGE); /* the directory is taken */
    cr_expect(strstr(lehr_context_message(ctx), "--resume"));
    p.resume = p.out;
    p.lr = 0.1;
    cr_expect_eq(train(&p, &r), LEHR_E_USAGE);
    cr_expect(strstr(lehr_context_message(ctx), "lr 0.05"), "%s", lehr_context_message(ctx));
    p.lr = 0.05;
    p.max_steps = 6;
    cr_expect_eq(train(&p, &r), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_expect_eq(r.steps, 6);
}

/* Two micro-batches of 16 make the update of a batch of 32 (no batch normalisation, no dropout). */
Test(train, accumulation_equals_a_larger_batch)
{
    lehr_model *plain = NULL;
    lehr_train_params p = defaults();
    lehr_train_result a, b;
    cr_assert_eq(lehr_model_parse(ctx, "plain", "input 3 32 32\nconv 8 3x3 stride=2\nrelu\n"
                                  "maxpool 3\nflatten\ndense 10\n", &plain), LEHR_OK);
    cr_assert_eq(lehr_train(dev, registry, plain, data, &p, &a), LEHR_OK);
    p.batch = 16;
    p.accumulate = 2;
    cr_assert_eq(lehr_train(dev, registry, plain, data, &p, &b), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    cr_expect_eq(a.steps, b.steps);
    cr_expect(fabs(a.loss - b.loss) <= 1e-4 * a.loss, "%g %g", a.loss, b.loss);
    cr_expect(fabs(a.val_loss - b.val_loss) <= 1e-4 * a.val_loss, "%g %g", a.val_loss, b.val_loss);
    lehr_model_destroy(&plain);
}

Test(train, clipping_limits_the_update)
{
    lehr_train_params p = defaults();
    lehr_train_result free_run, clipped;
    p.optimizer = "sgd";
    p.lr = 0.5;
    p.epochs = 1;
    cr_assert_eq(train(&p, &free_run), LEHR_OK, "%s", lehr_context_message(ctx));
    p.clip_norm = 1e-4; /* hardly moves */
    cr_assert_eq(train(&p, &clipped), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_expect_neq(free_run.loss, clipped.loss);
    double norm_loss = clipped.loss;
    p.clip_norm = 0;
    p.clip_value = 1e-7;
    cr_assert_eq(train(&p, &clipped), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_expect(fabs(clipped.loss - norm_loss) <= 0.02 * norm_loss, "%g %g", clipped.loss, norm_loss);
}

Test(train, divergence_names_update_and_layer_and_keeps_files)
{
    lehr_train_params p = defaults();
    lehr_train_result r;
    p.lr = 1e5;
    p.out = path("diverged");
    p.checkpoint_every = "1st";
    cr_assert_eq(train(&p, &r), LEHR_E_DIVERGED);
    cr_expect_eq(r.diverged, 1);
    cr_expect(strstr(lehr_context_message(ctx), "diverged in update "), "%s",
              lehr_context_message(ctx));
    cr_expect(strstr(lehr_context_message(ctx), "lehr find-lr"), "%s", lehr_context_message(ctx));
    cr_expect(strstr(lehr_context_message(ctx), "layer '"), "%s", lehr_context_message(ctx));
    cr_expect(lh_file_exists(path("diverged/history.csv")));
    cr_expect(lh_file_exists(path("diverged/run.json")));
}

typedef struct calls {
    int start, step, epoch, end;
    uint64_t stop_at;
    double last_lr;
} calls;

static int on_event(void *user, const lehr_event *event)
{
    calls *c = user;
    c->start += strcmp(event->kind, "start") == 0;
    c->step += strcmp(event->kind, "step") == 0;
    c->epoch += strcmp(event->kind, "epoch") == 0;
    c->end += strcmp(event->kind, "end") == 0;
    c->last_lr = event->lr;
    return c->stop_at && event->step >= c->stop_at ? LEHR_STOP : LEHR_CONTINUE;
}

Test(train, callbacks_see_every_step_and_can_stop)
{
    lehr_train_params p = defaults();
    lehr_train_result r;
    calls c = {0};
    p.on_event = on_event;
    p.user = &c;
    p.schedule = "step(gamma=0.5, every=1ep)";
    cr_assert_eq(train(&p, &r), LEHR_OK);
    cr_expect_eq(c.start, 1);
    cr_expect_eq(c.step, 24);
    cr_expect_eq(c.epoch, 2);
    cr_expect_eq(c.end, 1);
    cr_expect_eq((float)c.last_lr, 0.025f);
    c = (calls){.stop_at = 7};
    cr_assert_eq(train(&p, &r), LEHR_OK);
    cr_expect_eq(c.step, 7);
    cr_expect_eq(r.steps, 7);
}

Test(train, a_signal_leaves_a_checkpoint)
{
    static volatile int stop;
    lehr_train_params p = defaults();
    lehr_train_result r;
    stop = 1;
    p.out = path("signalled");
    p.stop_signal = &stop;
    cr_expect_eq(train(&p, &r), LEHR_E_INTERRUPTED);
    cr_expect_eq(r.interrupted, 1);
    cr_expect(strstr(lehr_context_message(ctx), "--resume"));
    stop = 0;
    p.resume = p.out;
    cr_expect_eq(train(&p, &r), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_expect_eq(r.steps, 24);
}

Test(train, early_stopping)
{
    lehr_train_params p = defaults();
    lehr_train_result r;
    p.epochs = 50;
    p.lr = 1e-12; /* nothing improves measurably for ever */
    p.optimizer = "sgd";
    p.early_stop = 2;
    p.augment = "none";
    cr_assert_eq(train(&p, &r), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_expect_eq(r.stopped_early, 1);
    cr_expect_lt(r.epochs, 50);
    cr_expect_not(isnan(r.test_accuracy));
}

Test(train, evaluation_of_files_and_runs)
{
    lehr_train_params p = defaults();
    lehr_train_result r;
    lehr_eval_result e;
    p.out = path("run");
    p.save_weights = path("w.safetensors");
    cr_assert_eq(train(&p, &r), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_assert_eq(lehr_evaluate(dev, model, data, path("w.safetensors"), 1, 64, NULL, &e), LEHR_OK,
                 "%s", lehr_context_message(ctx));
    cr_expect_eq(e.count, 100);
    cr_expect(fabs(e.loss - r.test_loss) <= 1e-5 * r.test_loss);
    cr_expect_eq(e.accuracy, r.test_accuracy);
    cr_assert_eq(lehr_evaluate(dev, NULL, data, path("run"), 1, 32, NULL, &e), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    cr_expect_eq(e.accuracy, r.test_accuracy);
    cr_assert_eq(lehr_evaluate(dev, NULL, data, path("w.safetensors"), 1, 32, NULL, &e), LEHR_OK,
                 "%s", lehr_context_message(ctx)); /* the file says its model */
    cr_expect_eq(e.accuracy, r.test_accuracy);
    cr_expect_eq(lehr_evaluate(dev, model, data, path("nothing"), 1, 32, NULL, &e),
                 LEHR_E_CHECKPOINT);
}

Test(train, refusals)
{
    const struct {
        lehr_status status;
        const char *words;
        size_t offset;
        double value;
    } rows[] = {
        {LEHR_E_PARAM, "learning rate", offsetof(lehr_train_params, lr), -1},
        {LEHR_E_PARAM, "label_smoothing", offsetof(lehr_train_params, label_smoothing), 1},
        {LEHR_E_PARAM, "clip_norm", offsetof(lehr_train_params, clip_norm), -1},
        {LEHR_E_PARAM, "clip_norm", offsetof(lehr_train_params, clip_norm), NAN},
        {LEHR_E_PARAM, "val_fraction", offsetof(lehr_train_params, val_fraction), 1},
        {LEHR_E_PARAM, "weight_decay", offsetof(lehr_train_params, weight_decay), -0.1},
    };
    lehr_train_result r;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        lehr_train_params p = defaults();
        memcpy((char *)&p + rows[i].offset, &rows[i].value, sizeof(double));
        cr_expect_eq(train(&p, &r), rows[i].status, "%s", rows[i].words);
        cr_expect(strstr(lehr_context_message(ctx), rows[i].words), "%s",
                  lehr_context_message(ctx));
    }
    lehr_train_params p = defaults();
    p.checkpoint_every = "5";
    cr_expect_eq(train(&p, &r), LEHR_E_USAGE);
    p = defaults();
    p.schedule = "cosin()";
    cr_expect_eq(train(&p, &r), LEHR_E_USAGE);
    cr_expect(strstr(lehr_context_message(ctx), "cosine"), "%s", lehr_context_message(ctx));
    p = defaults();
    p.optimizer = "sdg";
    cr_expect_eq(train(&p, &r), LEHR_E_USAGE);
    p = defaults();
    p.schedule = "plateau(val.foo)";
    cr_expect_eq(train(&p, &r), LEHR_E_USAGE, "%s", lehr_context_message(ctx));
    p.schedule = "plateau()";
    p.val_fraction = 0;
    cr_expect_eq(train(&p, &r), LEHR_E_USAGE, "%s", lehr_context_message(ctx));
    lehr_model *grey = NULL;
    p = defaults();
    cr_assert_eq(lehr_model_parse(ctx, "grey", "input 1 28 28\nflatten\ndense 10\n", &grey), LEHR_OK);
    cr_expect_eq(lehr_train(dev, registry, grey, data, &p, &r), LEHR_E_SHAPE);
    lehr_model_destroy(&grey);
}

Test(train, timing_reports_every_layer)
{
    lehr_time_result t;
    cr_assert_eq(lehr_time(dev, registry, model, 16, 3, &t), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    cr_expect_gt(t.step_ms, 0);
    cr_expect_gt(t.launches, 10);
    const lehr_memory *m = &t.memory;
    cr_expect(m->weights > 0 && m->optimizer > 0 && m->activations >= m->activations_least);
    cr_expect_eq(m->data, 0);
    cr_expect_eq(m->total, m->weights + m->optimizer + m->activations + m->workspace);
    cr_expect_eq(t.device_bytes, m->total);
    cr_expect_eq(t.layer_count, 10);
    cr_expect_str_eq(t.layers[0].op, "conv");
    cr_expect_gt(t.layers[0].forward_ms, 0);
    lehr_time_free(&t);
}

static void setup_gpu(void)
{
    setenv("LEHR_TRAITS", "family=gpu", 1);
    setup();
}

TestSuite(train_gpu, .init = setup_gpu, .fini = rig_close);

static uint64_t waits_of(uint64_t steps, const char *name)
{
    lehr_train_params p = defaults();
    lehr_train_result r;
    p.max_steps = steps;
    p.out = path(name);
    uint64_t before = lh_wait_count(dev);
    cr_assert_eq(train(&p, &r), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_expect_eq(r.steps, steps);
    cr_expect_gt(r.memory.data, 360 * 3 * 32 * 32);
    return lh_wait_count(dev) - before;
}

/* Batches are made on the device and the loss comes back by an event: more steps, no more waits. */
Test(train_gpu, steps_do_not_wait_for_the_device)
{
    uint64_t few = waits_of(2, "few"), many = waits_of(7, "many");
    cr_expect_eq(few, many, "%llu waits in 2 steps, %llu in 7", (unsigned long long)few,
                 (unsigned long long)many);
}
