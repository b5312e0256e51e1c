/* SPDX-License-Identifier: MIT
 *
 * A run keeps the kernels that it began with: after tuning in between, a resumed run still equals the
 * uninterrupted one bit for bit, while a fresh one does not. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/files.h"
#include "core/runtime/cache.h"
#include "tests/train/rig.h"

static const char text[] = "input 3 32 32\nconv 8 5x5 stride=4 pad=1\nrelu\nmaxpool 2\nflatten\n"
                           "dense 32\nrelu\ndense 10\n";

static void setup(void)
{
    folder_make();
    setenv("LEHR_CACHE", path("cache"), 1);
    setenv("LEHR_SELF_TEST", "0", 1);
    rig_open(NULL, "synthetic:n=160,test=32,seed=5");
    cr_assert_eq(lehr_model_parse(ctx, "small", text, &model), LEHR_OK, "%s",
                 lehr_context_message(ctx));
}

TestSuite(choices, .init = setup, .fini = rig_close);

/* Trains in dir/name up to max_steps (0: to the end) and returns the bytes of the weights. */
static char *train(const char *name, uint64_t max_steps, bool resume, size_t *size)
{
    lehr_train_params p;
    char *bytes = NULL;
    lehr_train_params_init(&p);
    p.optimizer = "sgd(momentum=0.9)";
    p.lr = 0.05;
    p.epochs = 2;
    p.batch = 32;
    p.max_steps = max_steps;
    p.save_weights = path("weights.safetensors");
    p.out = resume ? NULL : path(name);
    p.resume = resume ? path(name) : NULL;
    cr_assert_eq(resume ? lehr_train_resume(dev, registry, &p, NULL)
                        : lehr_train(dev, registry, model, data, &p, NULL), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    cr_assert_eq(lh_file_read(ctx, p.save_weights, 0, LEHR_E_DATA, &bytes, size), LEHR_OK);
    return bytes;
}

/* As if the last variant that can be chosen had won. */
static int last_wins(void *user, const lehr_tune_problem *p)
{
    const char *last = NULL;
    for (uint32_t i = 0; i < p->candidate_count; i++)
        if (strcmp(p->candidates[i].outcome, "excluded") != 0) last = p->candidates[i].variant;
    cr_assert_not_null(last);
    cr_assert_eq(lh_kept_add(dev, &(lh_kept){.kind = LH_KEPT_BEST, .op = p->op,
                                             .problem = p->problem, .variant = last}), LEHR_OK);
    ++*(int *)user;
    return 0;
}

Test(choices, a_resumed_run_keeps_its_kernels)
{
    size_t whole_size = 0, size = 0;
    int problems = 0;
    lehr_tune_params tune;
    char *whole = train("whole", 0, false, &whole_size);
    free(train("part", 7, false, &size));

    lehr_tune_params_init(&tune);
    tune.batch = 32;
    tune.explain = 1;
    tune.on_problem = last_wins;
    tune.user = &problems;
    cr_assert_eq(lehr_tune(dev, model, &tune, NULL), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_expect_gt(problems, 8);
    rig_device();

    char *part = train("part", 0, true, &size);
    cr_expect(size == whole_size && memcmp(part, whole, size) == 0, "the resumed run has other bits");
    char *fresh = train("fresh", 0, false, &size);
    cr_expect(size != whole_size || memcmp(fresh, whole, size) != 0,
              "the stored kernels were not used: this test shows nothing");
    char *again = train("again", 5, false, &size);
    free(again);
    setenv("LEHR_CACHE", "off", 1); /* and without the cache, too */
    rig_device();
    again = train("again", 0, true, &size);
    cr_expect(memcmp(again, fresh, size) == 0, "the resumed run has other bits");
    free(whole);
    free(part);
    free(fresh);
    free(again);

    char *json = NULL;
    cr_assert_eq(lh_file_read(ctx, path("fresh/run.json"), 0, LEHR_E_DATA, &json, &size), LEHR_OK);
    cr_expect(strstr(json, "\"choices\"") && strstr(json, "\"why\": \"measured\""), "%s", json);
    free(json);
}
