/* SPDX-License-Identifier: MIT
 *
 * Plugins with state in memory of their own (lehr.state/1, tests/plugin/rules/keeper.c): stopped and
 * resumed it must come out bit for bit, and what does not fit must be refused by name. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/base.h"
#include "core/train/safetensors.h"
#include "tests/train/rig.h"

enum { UPDATES = 9, PER_EPOCH = 3, ENTRIES = 32, MOST = 1 << 16 };

static const char everything[] = "test_median(); label_smoothing: test_median(train.loss)";

static void setup(void)
{
    rig_open(LEHR_TEST_BUILD_DIR "/tests/plugin/rules/lehr-keeper.so", "synthetic:n=32,test=4,seed=5");
    cr_assert_eq(lehr_model_parse(ctx, "tiny", "input 3 32 32\nmaxpool 8\nflatten\ndense 6\nrelu\n"
                                  "dense 10\n", &model), LEHR_OK);
}

TestSuite(opaque, .init = setup, .fini = rig_close);

static lehr_train_params params_of(const char *name, const char *optimizer, const char *schedule)
{
    lehr_train_params p;
    lehr_train_params_init(&p);
    p.optimizer = optimizer;
    p.schedule = schedule;
    p.group = "bias: lr*2, schedule=test_median(train.loss)";
    p.lr = 0.05;
    p.label_smoothing = 0.2;
    p.epochs = UPDATES / PER_EPOCH;
    p.batch = 8;
    p.val_fraction = 0.25;
    p.checkpoint_every = "none";
    p.out = path(name);
    return p;
}

/* A run into dir/name of `steps` updates (0: all), or its continuation. */
static lehr_status train(const char *name, const char *optimizer, const char *schedule, uint64_t steps,
                         bool resume)
{
    lehr_train_params p = params_of(name, optimizer, schedule);
    p.resume = resume ? p.out : NULL;
    p.max_steps = steps;
    return lehr_train(dev, registry, model, data, &p, NULL);
}

static lh_safetensors *open_file(const char *name, uint64_t step)
{
    char file[128];
    lh_safetensors *out = NULL;
    snprintf(file, sizeof file, "%s/checkpoint-%08llu.safetensors", name, (unsigned long long)step);
    cr_assert_eq(lh_safetensors_read(ctx, path(file), &out), LEHR_OK, "%s", lehr_context_message(ctx));
    return out;
}

static void expect_same(const char *one, const char *other, const char *what)
{
    static const char *const keys[] = {"scheduler", "updater", "opaque", "schedule"};
    lh_safetensors *a = open_file(one, UPDATES), *b = open_file(other, UPDATES);
    cr_expect_eq(lh_safetensors_count(a), lh_safetensors_count(b));
    for (size_t i = 0; i < lh_safetensors_count(a); i++) {
        const lh_st_entry *x = lh_safetensors_at(a, i), *y = lh_safetensors_find(b, x->name);
        cr_expect(y && x->bytes == y->bytes && memcmp(x->data, y->data, x->bytes) == 0, "%s: %s", what,
                  x->name);
    }
    for (size_t i = 0; i < LH_COUNT(keys); i++)
        cr_expect_str_eq(lh_safetensors_metadata(a, keys[i]), lh_safetensors_metadata(b, keys[i]));
    lh_safetensors_free(&a);
    lh_safetensors_free(&b);
}

/* Stopped before the first measurement (which saves no bytes), between and behind others. */
Test(opaque, stopped_and_resumed)
{
    static const uint64_t stops[] = {1, 3, 4, 7, 8};
    cr_assert_eq(train("whole", "test_ring", everything, 0, false), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    lh_safetensors *file = open_file("whole", UPDATES);
    const lh_st_entry *ring = lh_safetensors_find(file, "opaque.optimizer");
    cr_assert(ring && ring->bytes == 1001 * 8, "the ring");
    cr_expect_eq(lh_safetensors_find(file, "opaque.schedule.0")->bytes, 3 * 8);
    cr_expect_eq(lh_safetensors_find(file, "opaque.schedule.1")->bytes, 3 * 8);
    cr_expect_eq(lh_safetensors_find(file, "opaque.schedule.2")->bytes, 3 * 8);
    cr_expect_str_eq(lh_safetensors_metadata(file, "opaque"), "opaque.optimizer=3 opaque.schedule.0=1 "
                     "opaque.schedule.1=1 opaque.schedule.2=1");
    lh_safetensors_free(&file);
    for (size_t i = 0; i < LH_COUNT(stops); i++) {
        char name[16], what[32];
        snprintf(name, sizeof name, "part%zu", i);
        snprintf(what, sizeof what, "stopped after %d", (int)stops[i]);
        cr_assert_eq(train(name, "test_ring", everything, stops[i], false), LEHR_OK);
        cr_assert_eq(train(name, "test_ring", everything, 0, true), LEHR_OK, "%s: %s", what,
                     lehr_context_message(ctx));
        expect_same("whole", name, what);
    }
}

/* Others leave no trace of it. */
Test(opaque, nothing_without)
{
    lehr_train_params p;
    lehr_train_params_init(&p);
    p.optimizer = "adam";
    p.schedule = "plateau()";
    p.batch = 8;
    p.val_fraction = 0.25;
    p.max_steps = 2;
    p.out = path("plain");
    cr_assert_eq(lehr_train(dev, registry, model, data, &p, NULL), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    lh_safetensors *file = open_file("plain", 2);
    cr_expect_null(lh_safetensors_metadata(file, "opaque"));
    for (size_t i = 0; i < lh_safetensors_count(file); i++)
        cr_expect_str_neq(lh_safetensors_at(file, i)->dtype, "U8");
    lh_safetensors_free(&file);
}

/* ---- what does not fit ---- */

typedef struct change {
    const char *tensor; /* this one */
    int64_t bytes;      /* gets this length, is made if it is not there; -1: is left out */
    const char *dtype, *versions; /* NULL: as it was */
    const char *says[3];
} change;

static size_t changed_entries(const lh_safetensors *file, const change *c, const unsigned char *zeros,
                              lh_st_entry *out)
{
    size_t count = 0;
    bool there = false;
    for (size_t i = 0; i < lh_safetensors_count(file); i++) {
        lh_st_entry e = *lh_safetensors_at(file, i);
        bool this = strcmp(e.name, c->tensor) == 0;
        there = there || this;
        if (this && c->bytes < 0) continue;
        if (this && e.bytes < (uint64_t)c->bytes) e.data = zeros;
        if (this) e.bytes = (uint64_t)c->bytes;
        if (this && c->dtype) e.dtype = c->dtype;
        if (this) e.dims[0] = e.bytes / lh_st_dtype_size(e.dtype);
        out[count++] = e;
    }
    if (!there)
        out[count++] = (lh_st_entry){.name = c->tensor, .dtype = "U8", .ndim = 1,
                                     .dims = {(uint64_t)c->bytes}, .data = zeros,
                                     .bytes = (uint64_t)c->bytes};
    return count;
}

/* The checkpoint of dir/from after 4 updates, changed but with right hashes, in its place. */
static void rewrite(const lh_safetensors *file, const change *c, const char *name)
{
    static const char *const keys[] = {"format", "version", "lehr_version", "optimizer", "schedule", "data",
                                       "progress", "scheduler", "updater", "opaque"};
    static unsigned char zeros[MOST];
    lh_st_entry entries[ENTRIES];
    const char *metadata[2 * LH_COUNT(keys) + 1] = {NULL};
    char target[96];
    cr_assert_lt(lh_safetensors_count(file), ENTRIES);
    size_t count = changed_entries(file, c, zeros, entries);
    for (size_t i = 0; i < LH_COUNT(keys); i++) {
        metadata[2 * i] = keys[i];
        metadata[2 * i + 1] = lh_safetensors_metadata(file, keys[i]);
        if (strcmp(keys[i], "opaque") == 0 && c->versions) metadata[2 * i + 1] = c->versions;
        if (!metadata[2 * i + 1]) metadata[2 * i] = NULL; /* the end: "opaque" is the last */
    }
    snprintf(target, sizeof target, "%s/checkpoint-00000004.safetensors", name);
    cr_assert_eq(lh_safetensors_write(ctx, path(target), entries, count, metadata), LEHR_OK, "%s",
                 lehr_context_message(ctx));
}

static void expect_refused(const char *name, const char *optimizer, const char *const *says)
{
    cr_expect_eq(train(name, optimizer, everything, 0, true), LEHR_E_CHECKPOINT, "%s", says[0]);
    for (int i = 0; i < 3 && says[i]; i++)
        cr_expect(strstr(lehr_context_message(ctx), says[i]), "not '%s': %s", says[i],
                  lehr_context_message(ctx));
}

Test(opaque, what_does_not_fit)
{
    static const char *const four = "opaque.optimizer=3 opaque.schedule.0=1 opaque.schedule.1=1 "
                                    "opaque.schedule.2=1";
    static const change rows[] = {
        {"opaque.optimizer", 8000, NULL, NULL, {"optimizer test_ring", "the ring ends too early", "8000"}},
        {"opaque.optimizer", 0, NULL, NULL, {"optimizer test_ring", "the ring ends too early", NULL}},
        {"opaque.optimizer", 9000, NULL, NULL, {"optimizer test_ring", "leaves 992 of 9000 bytes", NULL}},
        {"opaque.optimizer", -1, NULL, NULL, {"optimizer test_ring", "'opaque.optimizer' is missing", NULL}},
        {"opaque.schedule.1", -1, NULL, NULL, {"schedule test_median", "'opaque.schedule.1' is missing"}},
        {"opaque.schedule.7", 8, NULL, NULL, {"state ('opaque.…') of 5 plugins", "that of 4", NULL}},
        {"opaque.optimizer", 8008, "I8", NULL, {"optimizer test_ring", "another shape or type", NULL}},
        {"opaque.optimizer", 8008, NULL, "", {"optimizer test_ring", "no version", NULL}},
        {"opaque.optimizer", 8008, NULL, "opaque.optimizer=-3", {"test_ring", "no version", NULL}},
        {"opaque.optimizer", 8008, NULL, "opaque.optimizer=2 opaque.schedule.0=1 opaque.schedule.1=1 "
         "opaque.schedule.2=1", {"test_ring", "version 2", "the ring had another form then"}},
        {"opaque.schedule.2", 8, NULL, "opaque.optimizer=3 opaque.schedule.0=1 opaque.schedule.1=1 "
         "opaque.schedule.2=9", {"schedule test_median", "version 9", "the series had another form"}},
    };
    cr_assert_eq(train("part", "test_ring", everything, 4, false), LEHR_OK);
    lh_safetensors *file = open_file("part", 4);
    cr_expect_str_eq(lh_safetensors_metadata(file, "opaque"), four);
    for (size_t i = 0; i < LH_COUNT(rows); i++) {
        rewrite(file, &rows[i], "part");
        expect_refused("part", "test_ring", rows[i].says);
    }
    /* Whole again it goes on, in spite of all that was tried with it. */
    rewrite(file, &(change){"opaque.optimizer", 8008, NULL, NULL, {NULL}}, "part");
    cr_expect_eq(train("part", "test_ring", everything, 0, true), LEHR_OK, "%s", lehr_context_message(ctx));
    lh_safetensors_free(&file);
}

/* State for a plugin that keeps none: what an older version of it would find. */
Test(opaque, state_of_another_version)
{
    static const char *const says[] = {"optimizer sgd", "holds state of", "lehr.state/1"};
    cr_assert_eq(train("plain", "sgd", everything, 4, false), LEHR_OK, "%s", lehr_context_message(ctx));
    lh_safetensors *file = open_file("plain", 4);
    cr_expect_null(lh_safetensors_find(file, "opaque.optimizer"));
    rewrite(file, &(change){"opaque.optimizer", 16, NULL, NULL, {NULL}}, "plain");
    expect_refused("plain", "sgd", says);
    lh_safetensors_free(&file);
}

Test(opaque, plugins_that_fail)
{
    static const char *const load[] = {"optimizer test_ring", "the ring is cut", "version 3, 8008 bytes"};
    static const char *const cut[] = {"optimizer test_ring", "the ring ends too early", "8000 bytes"};
    cr_assert_eq(train("load", "test_ring(fault=load)", everything, 4, false), LEHR_OK);
    expect_refused("load", "test_ring(fault=load)", load);
    cr_assert_eq(train("short", "test_ring(fault=short)", everything, 4, false), LEHR_OK);
    expect_refused("short", "test_ring(fault=short)", cut);
    cr_expect_eq(train("save", "test_ring(fault=save)", everything, 4, false), LEHR_E_PLUGIN);
    cr_expect(strstr(lehr_context_message(ctx), "test_ring"));
    cr_expect(strstr(lehr_context_message(ctx), "cannot be saved: the ring is stuck"), "%s",
              lehr_context_message(ctx));
    cr_expect_eq(train("long", "test_ring(fault=long)", everything, 4, false), LEHR_E_PLUGIN);
    cr_expect(strstr(lehr_context_message(ctx), "save() gives more than 64 MiB"), "%s",
              lehr_context_message(ctx));
    cr_expect_neq(access(path("long/checkpoint-00000004.safetensors"), F_OK), 0);
    cr_expect_neq(access(path("save/checkpoint-00000004.safetensors"), F_OK), 0);
}

/* A save() that fails later leaves the checkpoint before it, which can be gone on from. */
Test(opaque, last_good_checkpoint_stays)
{
    lehr_train_params p = params_of("late", "test_ring(fault=late)", everything);
    p.checkpoint_every = "3st";
    cr_expect_eq(lehr_train(dev, registry, model, data, &p, NULL), LEHR_E_PLUGIN);
    cr_expect(strstr(lehr_context_message(ctx), "cannot be saved: the ring is stuck"), "%s",
              lehr_context_message(ctx));
    cr_expect_neq(access(path("late/checkpoint-00000006.safetensors"), F_OK), 0);
    lh_safetensors *file = open_file("late", 3);
    cr_expect_not_null(lh_safetensors_find(file, "opaque.optimizer"));
    lh_safetensors_free(&file);
    p.resume = p.out;
    cr_expect_eq(lehr_train(dev, registry, model, data, &p, NULL), LEHR_E_PLUGIN); /* update 6 again */
    cr_expect(strstr(lehr_context_message(ctx), "the ring is stuck"), "%s", lehr_context_message(ctx));
}
