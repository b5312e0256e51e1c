/* SPDX-License-Identifier: MIT
 *
 * Scheduled hyperparameters and parameter groups through the public API: a schedule of a constant is the
 * constant bit for bit, values in the history are those that were used, groups do what they say, nothing
 * is compiled anew, and wrong requests are refused before training. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/files.h"
#include "core/runtime/device.h"
#include "core/train/clock.h"
#include "core/train/history.h"
#include "core/train/safetensors.h"
#include "tests/train/rig.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Two dropout rates, 0.4 and 0.2; %g: times a factor. */
static const char model_text[] =
    "input 3 32 32\ninit he_normal\nconv 8 3x3 stride=2 pad=1\nbatchnorm\nrelu\ndropout %g\n"
    "maxpool 4\nflatten\ndropout %g\ndense 10\n";

static lehr_model *make_model(double factor)
{
    char text[256];
    lehr_model *out = NULL;
    snprintf(text, sizeof text, model_text, 0.4 * factor, 0.2 * factor);
    cr_assert_eq(lehr_model_parse(ctx, "small", text, &out), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    return out;
}

static void setup(void)
{
    rig_open(NULL, "synthetic:n=160,test=32,seed=5");
    model = make_model(1);
}

TestSuite(tuning, .init = setup, .fini = rig_close);

/* 128 training images, 32 for validation: 4 updates an epoch. */
static lehr_train_params defaults(void)
{
    lehr_train_params p;
    lehr_train_params_init(&p);
    p.optimizer = "sgd(momentum=0.8)";
    p.lr = 0.05;
    p.epochs = 2;
    p.batch = 32;
    p.val_fraction = 0.2;
    p.checkpoint_every = "none";
    p.weight_decay = 0.01;
    p.label_smoothing = 0.2;
    return p;
}

static lehr_train_result run(const lehr_model *m, const lehr_train_params *p)
{
    lehr_train_result r;
    cr_assert_eq(lehr_train(dev, registry, m, data, p, &r), LEHR_OK, "schedule '%s', group '%s': %s",
                 p->schedule, p->group ? p->group : "", lehr_context_message(ctx));
    return r;
}

/* The weights that a run ends with, apart from the file's metadata. */
static lh_safetensors *weights(const lehr_model *m, lehr_train_params p)
{
    lh_safetensors *file = NULL;
    p.save_weights = path("weights.safetensors");
    run(m, &p);
    cr_assert_eq(lh_safetensors_read(ctx, p.save_weights, &file), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    return file;
}

static const float *tensor(const lh_safetensors *file, const char *name, size_t *count)
{
    const lh_st_entry *e = lh_safetensors_find(file, name);
    cr_assert_not_null(e, "%s", name);
    *count = (size_t)e->bytes / sizeof(float);
    return e->data;
}

static bool same_tensor(const lh_safetensors *a, const lh_safetensors *b, const char *name)
{
    size_t n, m;
    const float *x = tensor(a, name, &n), *y = tensor(b, name, &m);
    return n == m && memcmp(x, y, n * sizeof *x) == 0;
}

static bool same_weights(const lh_safetensors *a, const lh_safetensors *b)
{
    bool same = lh_safetensors_count(a) == lh_safetensors_count(b);
    for (size_t i = 0; i < lh_safetensors_count(a) && same; i++)
        same = same_tensor(a, b, lh_safetensors_at(a, i)->name);
    return same;
}

/* Each row: a schedule, and the settings that it must equal bit for bit. */
Test(tuning, a_schedule_of_a_constant_is_the_constant)
{
    const struct {
        const char *schedule, *optimizer;
        double weight_decay, smoothing, dropout;
        uint32_t batch;
    } rows[] = {
        {"lr: constant(); momentum: constant(); weight_decay: constant(); dropout: constant(); "
         "label_smoothing: constant(); batch: constant()",
         "sgd(momentum=0.8)", 0.01, 0.2, 1, 32},
        {"constant(); momentum: 0.5 * constant()", "sgd(momentum=0.4)", 0.01, 0.2, 1, 32},
        {"momentum: 0 * constant()", "sgd", 0.01, 0.2, 1, 32},
        {"weight_decay: 0.5 * constant();", "sgd(momentum=0.8)", 0.005, 0.2, 1, 32},
        {"label_smoothing: 0.25 * constant()", "sgd(momentum=0.8)", 0.01, 0.05, 1, 32},
        {"dropout: 0.5 * constant()", "sgd(momentum=0.8)", 0.01, 0.2, 0.5, 32},
        {"dropout: 0 * constant()", "sgd(momentum=0.8)", 0.01, 0.2, 0, 32},
        {"batch: 0.5 * constant()", "sgd(momentum=0.8)", 0.01, 0.2, 1, 16},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        lehr_train_params p = defaults(), q = defaults();
        lehr_model *other = make_model(rows[i].dropout);
        p.schedule = rows[i].schedule;
        q.optimizer = rows[i].optimizer;
        q.weight_decay = rows[i].weight_decay;
        q.label_smoothing = rows[i].smoothing;
        q.batch = rows[i].batch;
        lh_safetensors *a = weights(model, p), *b = weights(other, q);
        cr_expect(same_weights(a, b), "%s", rows[i].schedule);
        lh_safetensors_free(&a);
        lh_safetensors_free(&b);
        lehr_model_destroy(&other);
    }
}

static size_t programs(void)
{
    size_t count = 0;
    for (const lh_program_entry *e = dev->programs; e; e = e->next) count++;
    return count;
}

/* Every value in the history against its formula; nothing compiled after the first, plain run. */
Test(tuning, history_holds_what_was_used)
{
    static const char *const names[] = {"momentum", "weight_decay", "label_smoothing", "dropout",
                                        "group2.lr", "group2.momentum"};
    static const double bases[] = {0.8, 0.01, 0.2, 0.4, 0.01, 0.5};
    lehr_train_params p = defaults();
    lh_records records;
    run(model, &p);
    size_t before = programs();
    p.schedule = "linear(); momentum: linear(); weight_decay: linear(); label_smoothing: linear(); "
                 "dropout: linear()";
    p.group = "bias, norm: lr * 2; fc1*: lr=0.01, momentum=0.5, schedule=momentum: constant()";
    p.out = path("run");
    lehr_train_result r = run(model, &p);
    cr_expect_eq(programs(), before);
    cr_assert_eq(r.steps, 8);
    cr_assert_eq(lh_history_read(ctx, path("run/history.jsonl"), &records), LEHR_OK);
    cr_assert_eq(records.name_count, COUNT(names));
    cr_assert_eq(records.count, 10);
    uint64_t last = 0;
    for (size_t i = 0; i < records.count; i++) {
        const lh_record *row = &records.rows[i];
        double left = 1 - (double)(row->step - 1) / 8;
        if (row->kind == LH_RECORD_EPOCH) cr_expect_eq(row->step, last);
        last = row->step;
        cr_expect_eq((float)row->lr, (float)(0.05 * left));
        for (size_t k = 0; k < COUNT(names); k++) {
            double wanted = k == 5 ? bases[k] : bases[k] * left;
            cr_expect_str_eq(records.names[k], names[k]);
            cr_expect(fabs(row->values[k] - wanted) <= 1e-7 * wanted, "%s of update %zu: %g, not %g",
                      names[k], (size_t)row->step, row->values[k], wanted);
        }
    }
    lh_records_free(&records);
    FILE *csv = fopen(path("run/history.csv"), "r");
    char head[512] = "";
    cr_assert_not_null(csv);
    cr_assert_not_null(fgets(head, sizeof head, csv));
    fclose(csv);
    cr_expect(strstr(head, ",images_per_second,momentum,weight_decay,label_smoothing,dropout,"
                           "group2.lr,group2.momentum\n"), "%s", head);
}

/* The batch grows at the end of an epoch; every epoch sees every image once. */
Test(tuning, a_growing_batch)
{
    lehr_train_params p = defaults();
    lh_records records;
    p.epochs = 3;
    p.schedule = "step(gamma=0.5, every=1ep); batch: step(gamma=2, every=1ep)";
    p.out = path("run");
    lehr_train_result r = run(model, &p);
    cr_expect_eq(r.steps, 4 + 2 + 1);
    cr_expect_eq(r.epochs, 3);
    cr_assert_eq(lh_history_read(ctx, path("run/history.jsonl"), &records), LEHR_OK);
    const double epochs[] = {0.25, 0.5, 0.75, 1, 1, 1.5, 2, 2, 3, 3};
    const double batches[] = {32, 32, 32, 32, 32, 64, 64, 64, 128, 128};
    cr_assert_eq(records.count, COUNT(epochs));
    for (size_t i = 0; i < records.count; i++) {
        cr_expect_eq(records.rows[i].epoch, epochs[i], "%zu: %g", i, records.rows[i].epoch);
        cr_expect_eq(records.rows[i].values[0], batches[i]);
        cr_expect_eq((float)records.rows[i].lr, (float)(0.05 * 32 / batches[i]));
    }
    lh_records_free(&records);
}

/* Groups against the same numbers given otherwise, and against what an update of SGD is. */
Test(tuning, groups_set_numbers)
{
    lehr_train_params p = defaults();
    p.optimizer = "sgd";
    p.max_steps = 1;
    lh_safetensors *plain = weights(model, p);
    p.group = "*: lr=0";
    lh_safetensors *start = weights(model, p);
    p.group = "conv1: lr*1; fc1*: lr=0.05; norm: weight_decay*0; bias: weight_decay=0";
    lh_safetensors *spelt = weights(model, p);
    cr_expect(same_weights(plain, spelt), "the defaults, written out");
    p.group = "conv1.weight: lr*2; bn1*: lr*0; fc1.bias: weight_decay=0.5";
    lh_safetensors *changed = weights(model, p);
    size_t n = 0;
    const float *w0 = tensor(start, "conv1.weight", &n), *w1 = tensor(plain, "conv1.weight", &n);
    const float *w2 = tensor(changed, "conv1.weight", &n);
    for (size_t i = 0; i < n; i++)
        cr_assert(fabs((double)(w2[i] - w0[i]) - 2 * (double)(w1[i] - w0[i])) <= 1e-6, "%zu", i);
    cr_expect(same_tensor(start, changed, "bn1.weight") && same_tensor(start, changed, "bn1.bias"));
    cr_expect_not(same_tensor(start, plain, "bn1.weight"));
    cr_expect(same_tensor(plain, changed, "fc1.weight"));
    w0 = tensor(start, "fc1.bias", &n);
    w1 = tensor(plain, "fc1.bias", &n);
    w2 = tensor(changed, "fc1.bias", &n);
    for (size_t i = 0; i < n; i++) /* he_normal starts biases at 0: decay does nothing yet */
        cr_expect_eq(w0[i] == 0 ? w2[i] : w1[i], w1[i]);
    p.max_steps = 3;
    lh_safetensors *three = weights(model, p);
    p.group = "conv1.weight: lr*2; bn1*: lr*0";
    lh_safetensors *without = weights(model, p);
    cr_expect_not(same_tensor(three, without, "fc1.bias"), "a decay of 0.5 shows after an update");
    lh_safetensors *all[] = {plain, start, spelt, changed, three, without};
    for (size_t i = 0; i < COUNT(all); i++) lh_safetensors_free(&all[i]);
}

/* A group's own learning rate follows the run's schedule; a later group takes a tensor whole. */
Test(tuning, groups_and_schedules)
{
    lehr_train_params p = defaults(), q = defaults();
    p.lr = 0.1;
    p.schedule = "cosine(end=0.001)";
    p.group = "*: lr=0.05";
    q.schedule = "cosine(end=0.001)";
    lh_safetensors *a = weights(model, p), *b = weights(model, q);
    cr_expect(same_weights(a, b), "all tensors at lr=0.05 are a run at 0.05");
    lh_safetensors_free(&a);
    p.lr = 0.05;
    p.schedule = "constant()";
    p.group = "*: lr*3, momentum=0.1; *: schedule=cosine(end=0.001)";
    cr_expect_eq(lehr_train(dev, registry, model, data, &p, NULL), LEHR_E_USAGE);
    cr_expect(strstr(lehr_context_message(ctx), "left without a tensor"), "%s",
              lehr_context_message(ctx));
    p.group = "fc1*: lr*3, momentum=0.1; weight, bias, norm: schedule=cosine(end=0.001)";
    cr_expect_eq(lehr_train(dev, registry, model, data, &p, NULL), LEHR_E_USAGE);
    p.group = "weight: lr*3, momentum=0.1; conv1.weight, fc1.weight, bias, norm: "
              "schedule=lr: cosine(end=0.001)";
    cr_expect_eq(lehr_train(dev, registry, model, data, &p, NULL), LEHR_E_USAGE);
    p.group = "norm, bias, weight: schedule=lr: cosine(end=0.001)";
    a = weights(model, p);
    cr_expect(same_weights(a, b), "a schedule of the group is that of a run");
    lh_safetensors_free(&a);
    /* momentum: the run's schedule passes by a group that says its own, and is scaled in another */
    p.group = "fc1*: momentum=0.8; conv1*: momentum*1";
    p.schedule = "cosine(end=0.001); momentum: constant()";
    a = weights(model, p);
    cr_expect(same_weights(a, b));
    lh_safetensors_free(&a);
    p.optimizer = "sgd(momentum=0.6)";
    p.schedule = "cosine(end=0.001); momentum: 0.5 * constant()";
    p.group = "fc1*: momentum=0.3; conv1*, bn1*: momentum*1";
    q.optimizer = "sgd(momentum=0.3)";
    lh_safetensors_free(&b);
    b = weights(model, q);
    a = weights(model, p);
    cr_expect(same_weights(a, b));
    lh_safetensors_free(&a);
    p.group = "fc1*: momentum=0.8; conv1*: momentum*0.5";
    a = weights(model, p);
    cr_expect_not(same_weights(a, b));
    lh_safetensors_free(&a);
    lh_safetensors_free(&b);
}

/* Places by the rule in clock.h, asked in scrambled order. */
Test(tuning, the_clock_is_a_function_of_the_update)
{
    const lehr_budget budget = {.base = 10, .steps_per_epoch = 11, .total_steps = 44,
                                .samples_per_step = 10, .seed = 1};
    lehr_scheduler *s = NULL;
    lh_place places[256];
    cr_assert_eq(lehr_scheduler_create(ctx, registry, "linear(end=1)", &budget, &s), LEHR_OK);
    lh_clock c = lh_clock_make(ctx, 103, 4, 5, 2);
    cr_assert_eq(c.steps_per_epoch, 11);
    c.batch = 10;
    c.accumulate = 1;
    cr_assert_eq(lh_clock_schedule(&c, s), LEHR_OK);
    cr_assert_lt(c.total, COUNT(places));
    cr_expect_eq(c.most, 10);
    lh_place wanted = {0};
    for (uint64_t u = 0; u < c.total; u++) {
        uint32_t batch = 0;
        cr_assert_eq(lh_clock_place(&c, u, &places[u]), LEHR_OK);
        cr_expect_eq(places[u].epoch, wanted.epoch);
        cr_expect_eq(places[u].offset, wanted.offset, "update %zu", (size_t)u);
        cr_expect_eq(places[u].step, 11 * wanted.epoch + wanted.offset / 10);
        cr_assert_eq(lh_clock_batch(&c, &places[u], &batch), LEHR_OK);
        cr_expect_eq(batch, (uint32_t)floor(10 - 9 * (double)places[u].step / 44 + 0.5));
        wanted.offset += batch;
        if (wanted.offset >= 103) wanted = (lh_place){.epoch = wanted.epoch + 1};
    }
    cr_expect_eq(wanted.epoch, 4);
    for (uint64_t i = 0; i < c.total; i++) {
        lh_place p;
        uint64_t u = i * 37 % c.total;
        cr_assert_eq(lh_clock_place(&c, u, &p), LEHR_OK);
        cr_expect(memcmp(&p, &places[u], sizeof p) == 0, "update %zu", (size_t)u);
    }
    lh_clock_free(&c);
    lehr_scheduler_destroy(&s);
}

typedef struct told {
    uint32_t steps;
    double last;
    char schedule[512];
} told;

static int on_event(void *user, const lehr_event *event)
{
    told *t = user;
    if (strcmp(event->kind, "start") == 0)
        snprintf(t->schedule, sizeof t->schedule, "%s", event->schedule);
    if (strcmp(event->kind, "step") == 0) {
        cr_assert_eq(event->value_count, 1);
        cr_expect_str_eq(event->value_names[0], "beta1");
        t->last = event->values[0];
        t->steps++;
    }
    return LEHR_CONTINUE;
}

Test(tuning, callbacks_are_told)
{
    lehr_train_params p = defaults();
    told t = {0};
    p.optimizer = "adamw(beta1=0.9)";
    p.schedule = "beta1 : step(gamma=0.5, every=1ep)"; /* a target, and no schedule of lr */
    p.on_event = on_event;
    p.user = &t;
    run(model, &p);
    cr_expect_eq(t.steps, 8);
    cr_expect_eq((float)t.last, 0.45f);
    cr_expect(strstr(t.schedule, "constant()") == t.schedule && strstr(t.schedule, "; beta1: step("),
              "%s", t.schedule);
}

Test(tuning, refusals)
{
    static const struct {
        const char *optimizer, *schedule, *group, *words;
    } rows[] = {
        {"adagrad", "momentum: linear()", NULL, "'momentum' cannot be scheduled with optimizer adagrad"},
        {"sgd", "momentum: linear()", NULL, "momentum is scheduled, but its base value is 0"},
        {"sgd", "momentun: linear()", NULL, "did you mean 'momentum'"},
        {"sgd(momentum=0.9)", "nesterov: linear()", NULL, "known: lr, momentum, weight_decay"},
        {"sgd", "beta1: linear()", NULL, "'beta1' cannot be scheduled"},
        {"sgd", "cosine(); lr: linear()", NULL, "lr has two schedules"},
        {"sgd(momentum=0.9)", "momentum: linear(); momentum: cosine()", NULL, "has two schedules"},
        {"sgd(momentum=0.9)", "momentum: 2 * constant()", NULL, "gives 1.8 for update 0, outside [0, 1)"},
        {"sgd(momentum=0.9)", "momentum: linar()", NULL, "did you mean 'linear'"},
        {"sgd", "dropout: 3 * constant()", NULL, "schedule of dropout gives 1.2"},
        {"sgd", "label_smoothing: 5 * constant()", NULL, "schedule of label_smoothing gives 1"},
        {"sgd", "batch: plateau()", NULL, "waits for val.loss"},
        {"sgd", "batch: 0 * constant()", NULL, "gives 0 images"},
        {"sgd", "batch: 1e6 * constant()", NULL, "must be from 1 to 65536"},
        {"sgd", "momentum:", NULL, "its base value is 0"},
        {"sgd", ";", NULL, "schedule ''"},
        {"sgd", "constant()", "bias", "SELECTOR: VALUES"},
        {"sgd", "constant()", ": lr*2", "SELECTOR: VALUES"},
        {"sgd", "constant()", "bias:", "is no value"},
        {"sgd", "constant()", "bias: lr", "'lr' is no value"},
        {"sgd", "constant()", "bias: lr=fast", "'fast' is no number"},
        {"sgd", "constant()", "bias: lr=1, lr*2", "lr is given twice"},
        {"sgd", "constant()", "bias: lr=-1", "0 freezes the group"},
        {"sgd", "constant()", "bias: lr*-1", "must not be negative"},
        {"sgd", "constant()", "bias: lr=0, schedule=cosine()", "base value is 0"},
        {"sgd", "constant()", "bias: momentum=0.5", "there is no velocity to keep"},
        {"sgd(momentum=0.9)", "constant()", "bias: momentum=1", "momentum = 1 is outside [0, 1)"},
        {"sgd(momentum=0.9, nesterov=1)", "constant()", "bias: momentum=0", "nesterov needs momentum"},
        {"sgd", "constant()", "bias: nesterov=1", "a group cannot set 'nesterov'"},
        {"sgd", "constant()", "bias: schedule=dropout: linear()", "a group cannot set 'dropout'"},
        {"sgd", "constant()", "conv2*: lr*2", "'conv2*' selects nothing"},
        {"sgd", "constant()", "conv2*: lr*2", "conv1.weight, conv1.bias, bn1.weight, bn1.bias, fc1.w"},
        {"sgd", "constant()", "conv1.w*: lr*2; weight: lr*3", "'conv1.w*: lr*2' is left without"},
        {"sgd(momentum=0.4)", "momentum: 1.5 * constant()", "bias: momentum*2",
         "schedule of momentum gives 1.2 for update 0 in group 'bias: momentum*2'"},
        {"sgd", "constant()", "bias: schedule=cosin()", "did you mean 'cosine'"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        lehr_train_params p = defaults();
        p.optimizer = rows[i].optimizer;
        p.schedule = rows[i].schedule;
        p.group = rows[i].group;
        p.weight_decay = NAN;
        lehr_status st = lehr_train(dev, registry, model, data, &p, NULL);
        cr_expect(st == LEHR_E_USAGE || st == LEHR_E_PARAM, "'%s' '%s': %d", p.schedule,
                  p.group ? p.group : "", st);
        cr_expect(strstr(lehr_context_message(ctx), rows[i].words), "'%s' '%s': %s", p.schedule,
                  p.group ? p.group : "", lehr_context_message(ctx));
    }
    lehr_train_params p = defaults();
    lehr_model *none = make_model(0);
    p.schedule = "dropout: linear()";
    cr_expect_eq(lehr_train(dev, registry, none, data, &p, NULL), LEHR_E_USAGE);
    cr_expect(strstr(lehr_context_message(ctx), "no dropout layer"));
    lehr_model_destroy(&none);
    p.schedule = "label_smoothing: linear()";
    p.label_smoothing = 0;
    cr_expect_eq(lehr_train(dev, registry, model, data, &p, NULL), LEHR_E_USAGE);
    cr_expect(strstr(lehr_context_message(ctx), "--label-smoothing 0.1"));
    p.label_smoothing = 0.1;
    p.loss = "l2";
    cr_expect_eq(lehr_train(dev, registry, model, data, &p, NULL), LEHR_E_USAGE);
    cr_expect(strstr(lehr_context_message(ctx), "cross_entropy"));
}

/* A word in front is a target where it can be one, else a preset. */
Test(tuning, targets_and_presets)
{
    lehr_train_params p = defaults();
    p.schedule = "tutorial:step()";
    lh_safetensors *a = weights(model, p);
    p.schedule = "lr: tutorial:step()";
    lh_safetensors *b = weights(model, p);
    p.schedule = "lr:tutorial:step();";
    p.group = "*: schedule=tutorial:step()";
    lh_safetensors *c = weights(model, p);
    cr_expect(same_weights(a, b) && same_weights(a, c));
    lh_safetensors_free(&a);
    lh_safetensors_free(&b);
    lh_safetensors_free(&c);
}
