/* SPDX-License-Identifier: MIT
 *
 * Every schedule and every optimizer of the registry, stopped in the middle and resumed: weights, slots,
 * host state and the state of schedules must come out as without the stop, bit for bit.  Pure schedules
 * know nothing of the optimizer, so each is tried with one optimizer, and each optimizer with one
 * schedule that has state; LEHR_TEST_LEVEL=1 tries all pairs. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <glob.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/base.h"
#include "core/train/history.h"
#include "core/train/safetensors.h"
#include "tests/train/rig.h"
#include <lehr/plugin.h>

enum { UPDATES = 6, PER_EPOCH = 3, STOP = 4, SPEC = 256 };

static void setup(void) { rig_open(NULL, "synthetic:n=32,test=4,seed=5"); }

TestSuite(resume, .init = setup, .fini = rig_close);

/* ---- what is tried ---- */

/* Values for what has no default. */
static void fill(const lehr_param *p, char *out, size_t size)
{
    static const char *const one[] = {"0.5", "1", "1", "0", "2st", "50%"};
    static const char *const list[] = {"[1, 0.5]", "[1, 2]", "[0, 1]", "[0, 0]", "[2st, 4st]",
                                       "[100%, 50%]"};
    size_t length = strlen(out);
    snprintf(out + length, size - length, "%s%s=%s", out[length - 1] == '(' ? "" : ", ", p->name,
             p->flags & LEHR_P_LIST ? list[p->kind] : one[p->kind]);
}

static void spec_of(const char *name, const lehr_span *params, char out[SPEC])
{
    const lehr_param *p = params->at;
    snprintf(out, SPEC, "%s(", name);
    for (uint32_t i = 0; i < params->count; i++)
        if (p[i].flags & LEHR_P_REQUIRED) fill(&p[i], out, SPEC);
    strcat(out, ")");
}

static bool works(const char *schedule)
{
    const lehr_budget budget = {.base = 0.01, .steps_per_epoch = PER_EPOCH,
                                .total_steps = UPDATES, .samples_per_step = 8, .seed = 1};
    lehr_scheduler *s = NULL;
    bool good = lehr_scheduler_create(ctx, registry, schedule, &budget, &s) == LEHR_OK;
    lehr_scheduler_destroy(&s);
    return good;
}

/* Some want one of several parameters: they get the first. */
static bool schedule_spec(uint32_t i, char out[SPEC])
{
    const lehr_schedule *s = lehr_registry_schedule(registry, i);
    if (!s) return false;
    spec_of(s->name, &s->params, out);
    if (works(out) || s->params.count == 0) return true;
    snprintf(out, SPEC, "%s(", s->name);
    fill(s->params.at, out, SPEC);
    strcat(out, ")");
    return true;
}

static bool optimizer_spec(uint32_t i, char out[SPEC])
{
    const lehr_optimizer *o = lehr_registry_optimizer(registry, i);
    if (o) spec_of(o->name, &o->params, out);
    return o != NULL;
}

/* ---- stopping and comparing ---- */

static lehr_train_params params_of(const char *optimizer, const char *schedule)
{
    lehr_train_params p;
    lehr_train_params_init(&p);
    p.optimizer = optimizer;
    p.schedule = schedule;
    p.lr = 0.01;
    p.epochs = UPDATES / PER_EPOCH;
    p.batch = 8;
    p.val_fraction = 0.25;
    p.checkpoint_every = "none";
    return p;
}

/* The checkpoint of a run after `step` updates. */
static const char *checkpoint(const char *run, uint64_t step)
{
    char name[64];
    snprintf(name, sizeof name, "%s/checkpoint-%08llu.safetensors", run, (unsigned long long)step);
    return path(name);
}

/* The first difference of two checkpoints, or "". */
static void difference(uint64_t step, char *out, size_t size)
{
    static const char *const keys[] = {"schedule", "scheduler", "updater", "optimizer"};
    lh_safetensors *a = NULL, *b = NULL;
    *out = '\0';
    cr_assert_eq(lh_safetensors_read(ctx, checkpoint("whole", step), &a), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    cr_assert_eq(lh_safetensors_read(ctx, checkpoint("part", step), &b), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    if (lh_safetensors_count(a) != lh_safetensors_count(b)) snprintf(out, size, "other tensors");
    for (size_t i = 0; i < lh_safetensors_count(a) && !*out; i++) {
        const lh_st_entry *x = lh_safetensors_at(a, i), *y = lh_safetensors_find(b, x->name);
        if (!y || x->bytes != y->bytes || memcmp(x->data, y->data, x->bytes) != 0)
            snprintf(out, size, "tensor %s", x->name);
    }
    for (size_t i = 0; i < LH_COUNT(keys) && !*out; i++) {
        const char *x = lh_safetensors_metadata(a, keys[i]), *y = lh_safetensors_metadata(b, keys[i]);
        if (!x || !y || strcmp(x, y) != 0) snprintf(out, size, "%s: '%s' and '%s'", keys[i], x, y);
    }
    lh_safetensors_free(&a);
    lh_safetensors_free(&b);
}

/* Every line of the histories but how fast it went. */
static void histories_differ(char *out, size_t size)
{
    lh_records a, b;
    cr_assert_eq(lh_history_read(ctx, path("whole/history.jsonl"), &a), LEHR_OK);
    cr_assert_eq(lh_history_read(ctx, path("part/history.jsonl"), &b), LEHR_OK);
    if (a.count != b.count || a.name_count != b.name_count) snprintf(out, size, "other lines");
    for (uint32_t k = 0; k < a.name_count && !*out; k++)
        if (strcmp(a.names[k], b.names[k]) != 0) snprintf(out, size, "other columns");
    for (size_t i = 0; i < a.count && !*out; i++) {
        a.rows[i].seconds = a.rows[i].images_per_second = 0;
        b.rows[i].seconds = b.rows[i].images_per_second = 0;
        if (a.rows[i].kind != b.rows[i].kind ||
            memcmp(&a.rows[i].step, &b.rows[i].step,
                   sizeof(lh_record) - offsetof(lh_record, step)) != 0)
            snprintf(out, size, "line %zu of the history", i + 1);
    }
    lh_records_free(&a);
    lh_records_free(&b);
}

/* False, with a sentence, when the run could not be made or differs. */
static bool resumes(lehr_train_params p, uint64_t stop, char *why, size_t size)
{
    char command[160];
    lehr_train_result r;
    snprintf(command, sizeof command, "rm -rf %s/whole %s/part", dir, dir);
    cr_assert_eq(system(command), 0);
    p.out = path("whole");
    lehr_status st = lehr_train(dev, registry, model, data, &p, &r);
    uint64_t steps = r.steps;
    p.out = path("part");
    p.max_steps = stop;
    if (st == LEHR_OK) st = lehr_train(dev, registry, model, data, &p, &r);
    if (st == LEHR_OK) cr_expect_eq(r.steps, stop);
    p.max_steps = 0;
    p.resume = p.out;
    if (st == LEHR_OK) st = lehr_train(dev, registry, model, data, &p, &r);
    snprintf(why, size, "%s", lehr_context_message(ctx));
    if (st == LEHR_OK) difference(steps, why, size);
    if (st == LEHR_OK && !*why) histories_differ(why, size);
    return st == LEHR_OK && !*why;
}

static void make_tiny(void)
{
    cr_assert_eq(lehr_model_parse(ctx, "tiny", "input 3 32 32\nmaxpool 8\nflatten\ndense 6\nrelu\n"
                                  "dense 10\n", &model), LEHR_OK);
}

static void expect_resumes(const char *optimizer, const char *schedule)
{
    char why[1024];
    lehr_train_params p = params_of(optimizer, schedule);
    cr_expect(resumes(p, STOP, why, sizeof why), "%s, %s: %s", optimizer, schedule, why);
}

Test(resume, every_schedule_and_optimizer)
{
    /* The reduction at the end of the first epoch must survive the stop in the second. */
    static const char driven[] = "warmup(2st) * cosine() * plateau(patience=0, factor=0.5, "
                                 "threshold=10)";
    const char *level = getenv("LEHR_TEST_LEVEL");
    bool all = level && strcmp(level, "1") == 0;
    char optimizer[SPEC], schedule[SPEC];
    uint32_t schedules = 0, optimizers = 0, pairs = 0;
    make_tiny();
    while (schedule_spec(schedules, schedule)) {
        expect_resumes("sgd(momentum=0.9)", schedule);
        schedules++;
    }
    for (; optimizer_spec(optimizers, optimizer); optimizers++) {
        expect_resumes(optimizer, driven);
        for (uint32_t i = 0; all && schedule_spec(i, schedule); i++, pairs++)
            expect_resumes(optimizer, schedule);
    }
    printf("%u schedules, %u optimizers, %u pairs beside\n", schedules, optimizers, pairs);
    cr_expect_geq(schedules, 20);
    cr_expect_geq(optimizers, 6);
}

/* Everything that can change, at once, stopped before, at and behind the end of an epoch. */
Test(resume, hyperparameters_batch_and_groups)
{
    static const uint64_t stops[] = {2, 3, 4, 5};
    lehr_train_params p = params_of(
        "adamw(beta1=0.9, weight_decay=0.05)",
        "warmup(2st) * plateau(patience=0, factor=0.5, threshold=10); "
        "beta1: linear(end=0.5) * plateau(train.loss, patience=0, factor=0.9, threshold=10); "
        "weight_decay: cosine(); dropout: step(gamma=0.5, every=1ep); label_smoothing: linear(); "
        "batch: step(gamma=2, every=1ep)");
    p.group = "bias: lr*2, weight_decay=0.01; norm: lr=0.005, schedule=exponential(gamma=0.5), "
              "schedule=beta1: plateau(patience=0, factor=0.7, threshold=10)";
    p.label_smoothing = 0.2;
    p.augment = "standard";
    p.epochs = 3;
    cr_assert_eq(lehr_model_parse(ctx, "all", "input 3 32 32\nconv 4 3x3 stride=2 bias=0\nbatchnorm\n"
                                  "relu\ndropout 0.4\nmaxpool 3\nflatten\ndropout 0.2\ndense 10\n",
                                  &model), LEHR_OK, "%s", lehr_context_message(ctx));
    for (size_t i = 0; i < LH_COUNT(stops); i++) {
        char why[1024];
        cr_expect(resumes(p, stops[i], why, sizeof why), "stopped after %d: %s",
                  (int)stops[i], why);
    }
    p.resume = p.out = path("part");
    p.group = "bias: lr*3";
    cr_expect_eq(lehr_train(dev, registry, model, data, &p, NULL), LEHR_E_USAGE);
    cr_expect(strstr(lehr_context_message(ctx), "the run was started with group"), "%s",
              lehr_context_message(ctx));
}

static void write_table(const char *file, double last)
{
    FILE *out = fopen(file, "w");
    cr_assert_not_null(out);
    fprintf(out, "step,value\n0,0.01\n6,%g\n", last);
    fclose(out);
}

static void remove_tables(const char *run)
{
    glob_t found;
    char pattern[128];
    snprintf(pattern, sizeof pattern, "%s/table-*.csv", run);
    cr_assert_eq(glob(pattern, 0, NULL, &found), 0, "no copy of the table in %s", run);
    for (size_t i = 0; i < found.gl_pathc; i++) unlink(found.gl_pathv[i]);
    globfree(&found);
}

/* A schedule from a file is what the file said when the run began. */
Test(resume, tables)
{
    char file[96], schedule[128], why[1024];
    make_tiny();
    snprintf(file, sizeof file, "%s/lr.csv", dir);
    snprintf(schedule, sizeof schedule, "table(\"%s\")", file);
    write_table(file, 0.001);
    lehr_train_params p = params_of("sgd", schedule);
    cr_expect(resumes(p, STOP, why, sizeof why), "%s", why);
    p.resume = p.out = path("part");
    write_table(file, 0.002); /* the run has its own copy */
    cr_expect_eq(lehr_train(dev, registry, model, data, &p, NULL), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    remove_tables(p.out);
    cr_expect_eq(lehr_train(dev, registry, model, data, &p, NULL), LEHR_E_USAGE);
    cr_expect(strstr(lehr_context_message(ctx), "table of the schedule has changed"), "%s",
              lehr_context_message(ctx));
    write_table(file, 0.001);
    cr_expect_eq(lehr_train(dev, registry, model, data, &p, NULL), LEHR_OK, "%s",
                 lehr_context_message(ctx));
}
