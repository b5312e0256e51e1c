/* SPDX-License-Identifier: MIT
 *
 * The range test: suggestions from made curves whose answers are known, with and without noise; and
 * one run on the device. */
#include <criterion/criterion.h>
#include <lehr/lehr.h>
#include <math.h>
#include <string.h>

#include "core/base/philox.h"
#include "core/study/find_lr.h"

enum { STEPS = 100 };

typedef struct curve {
    double lr[STEPS], loss[STEPS], smoothed[STEPS];
    lehr_find_lr_result r;
} curve;

/* 1e-7 to 10; flat at 2.3, falls in a straight line from 1e-3 to 1e-1 down to 1.3, explodes at 1. */
static void make(curve *c)
{
    for (int i = 0; i < STEPS; i++) {
        c->lr[i] = 1e-7 * pow(1e8, i / (STEPS - 1.0));
        double down = (log10(c->lr[i]) + 3) / 2;
        c->loss[i] = c->lr[i] > 1 ? 1e5 : 2.3 - fmin(fmax(down, 0), 1);
    }
    c->r = (lehr_find_lr_result){
        .count = STEPS, .lr = c->lr, .loss = c->loss, .smoothed = c->smoothed};
}

/* Noise in [-half, half], the same every time. */
static void add_noise(curve *c, double half, uint32_t seed)
{
    for (uint32_t i = 0; i < STEPS; i++)
        c->loss[i] += half * (2 * (double)lh_uniform(lh_philox_draw(seed, i, LH_STREAM_USER, 0).v[0]) - 1);
}

static void analyse(curve *c)
{
    lehr_context *ctx = NULL;
    cr_assert_eq(lehr_context_create(NULL, &ctx), LEHR_OK);
    cr_assert_eq(lh_find_lr_analyse(ctx, STEPS, &c->r), LEHR_OK);
    lehr_context_destroy(&ctx);
}

/* Within a factor. */
static void near(const char *what, double got, double wanted, double factor)
{
    cr_expect(fabs(log(got / wanted)) <= log(factor), "%s: got %g, wanted %g", what, got, wanted);
}

Test(find_lr, suggestions_of_a_known_curve)
{
    curve c;
    make(&c);
    analyse(&c);
    cr_expect_eq(c.r.count, STEPS);
    cr_expect(c.r.falls);
    const double step = pow(1e8, 1.0 / (STEPS - 1));
    near("begins", c.r.fall_begins, pow(10, -2.8), step * 1.001); /* a tenth of two decades */
    near("ends", c.r.fall_ends, pow(10, -1.2), step * 1.001);
    near("valley", c.r.valley, cbrt(pow(10, -2.8 - 2.4)), step * 1.001);
    cr_expect(c.r.steepest > 1e-3 && c.r.steepest < 1e-1, "%g", c.r.steepest);
    cr_expect(c.r.lowest >= 0.09 && c.r.lowest <= 1, "%g", c.r.lowest);
    near("stable", c.r.stable, 1, step * 1.001);
    cr_expect(c.r.stable <= 1);
}

/* Noise moves the suggestions a little, and never makes one where nothing falls. */
Test(find_lr, noise)
{
    curve c;
    for (uint32_t seed = 1; seed <= 50; seed++) {
        make(&c);
        add_noise(&c, 0.15, seed);
        analyse(&c);
        cr_expect(c.r.falls, "seed %u", seed);
        near("valley", c.r.valley, cbrt(pow(10, -2.8 - 2.4)), 2.5);
        cr_expect(c.r.steepest > 3e-4 && c.r.steepest < 0.3, "seed %u: %g", seed, c.r.steepest);
        near("stable", c.r.stable, 1, 1.3);
    }
    unsigned found = 0;
    for (uint32_t seed = 1; seed <= 200; seed++) {
        make(&c);
        for (int i = 0; i < STEPS; i++) c.loss[i] = 2.3;
        add_noise(&c, 0.15, seed);
        analyse(&c);
        found += c.r.falls;
        cr_expect(c.r.falls || isnan(c.r.valley));
    }
    cr_expect_leq(found, 4, "noise alone gave %u suggestions in 200", found);
}

/* A loss that goes back to its start and stays (a dead network) is no stable training, though it is
 * far below four times the lowest; nor is one that ends the run with its first large loss. */
Test(find_lr, stable_ends_at_collapse_and_at_the_last_explosion)
{
    curve c;
    make(&c);
    for (int i = 0; i < STEPS; i++)
        if (c.lr[i] > 1) c.loss[i] = 2.31;
    analyse(&c);
    near("stable", c.r.stable, 1, 1.21);
    make(&c);
    uint32_t first = 0;
    while (c.loss[first] < 100) first++;
    c.r.count = first + 1;
    analyse(&c);
    cr_expect_eq(c.r.count, first + 1);
    cr_expect_eq(c.r.stable, c.lr[first - 1], "%g", c.r.stable);
    make(&c);
    c.loss[first] = INFINITY;
    analyse(&c);
    cr_expect_eq(c.r.count, first, "the curve ends where the loss is not finite");
    cr_expect_eq(c.r.stable, c.lr[first - 1], "%g", c.r.stable);
}

Test(find_lr, curves_of_few_points)
{
    curve c;
    for (uint32_t count = 0; count < 4; count++) {
        make(&c);
        c.r.count = count;
        analyse(&c);
        cr_expect_eq(c.r.count, count);
        cr_expect(!c.r.falls && isnan(c.r.valley) && isnan(c.r.stable) == (count == 0));
    }
    make(&c);
    c.loss[0] = NAN;
    analyse(&c);
    cr_expect_eq(c.r.count, 0);
}

Test(find_lr, medians)
{
    double odd[] = {3, INFINITY, 1}, even[] = {4, 1, 3, 2}, half[] = {1, INFINITY}, scratch[3];
    const double peak[] = {1, 1, 9, 1, 5, 5};
    cr_expect_eq(lh_median(odd, 3), 3);
    cr_expect_eq(lh_median(even, 4), 2.5);
    cr_expect(isinf(lh_median(half, 2)));
    cr_expect(isnan(lh_median(half, 0)));
    cr_expect_eq(lh_running_median(peak, 6, 2, 1, scratch), 1);
    cr_expect_eq(lh_running_median(peak, 6, 0, 1, scratch), 1);
    cr_expect_eq(lh_running_median(peak, 6, 5, 1, scratch), 5);
    cr_expect(lh_find_lr_exceeds(NAN, 1, 1) && lh_find_lr_exceeds(4.1, 1, 2));
    cr_expect(!lh_find_lr_exceeds(4, 1, 2) && !lh_find_lr_exceeds(1.9, 0.1, 2));
}

/* ---- on the device ---- */

typedef struct seen {
    unsigned steps;
    double last_lr;
} seen;

static int count_steps(void *user, const lehr_event *event)
{
    seen *s = user;
    if (strcmp(event->kind, "step") == 0) s->steps++;
    s->last_lr = event->lr;
    return LEHR_CONTINUE;
}

/* The curve of each seed alone and their median; a learning rate that explodes is a result. */
static void run(lehr_device *device, lehr_registry *registry, const lehr_model *model,
                const lehr_data *data, lehr_context *ctx)
{
    lehr_find_lr_params p;
    lehr_find_lr_result both, one, two;
    seen s = {0};
    lehr_find_lr_params_init(&p);
    p.lr_min = 1e-3;
    p.lr_max = 1e4;
    p.steps = 60;
    p.train.batch = 64;
    p.train.on_event = count_steps;
    p.train.user = &s;
    cr_assert_eq(lehr_find_lr(device, registry, model, data, &p, &one), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    cr_expect(one.exceeded && one.count > 10 && one.count < 60, "%u", one.count);
    cr_expect(s.steps >= one.count && s.steps < 62, "%u", s.steps);
    for (uint32_t i = 0; i < one.count; i++)
        cr_expect_eq(one.lr[i], (double)(float)(1e-3 * pow(pow(1e7, 1.0 / 59), i)), "%u: %.17g", i,
                     one.lr[i]);
    cr_expect(fabs(one.loss[0] - log(10)) < 0.7, "%g", one.loss[0]);
    cr_expect(one.falls && one.valley > 1e-3 && one.valley < 1, "%g", one.valley);
    cr_expect(one.stable >= one.valley && one.stable < 10, "%g", one.stable);
    p.train.seed = 2;
    cr_assert_eq(lehr_find_lr(device, registry, model, data, &p, &two), LEHR_OK);
    p.train.seed = 1;
    p.seeds = 2;
    cr_assert_eq(lehr_find_lr(device, registry, model, data, &p, &both), LEHR_OK);
    for (uint32_t i = 0; i < both.count && i < one.count && i < two.count; i++)
        cr_expect_eq(both.loss[i], 0.5 * (one.loss[i] + two.loss[i]));
    lehr_find_lr_free(&one);
    lehr_find_lr_free(&two);
    lehr_find_lr_free(&both);
    p.lr_min = 1;
    p.lr_max = 1;
    cr_expect_eq(lehr_find_lr(device, registry, model, data, &p, &one), LEHR_E_PARAM);
    cr_expect_null(one.lr);
}

Test(find_lr, on_the_device)
{
    lehr_context *ctx = NULL;
    lehr_device *device = NULL;
    lehr_registry *registry = NULL;
    lehr_model *model = NULL;
    lehr_data *data = NULL;
    lehr_registry_params plugins = {.directory = LEHR_TEST_PLUGIN_DIR, .no_plugins = 1};
    cr_assert_eq(lehr_context_create(NULL, &ctx), LEHR_OK);
    if (lehr_device_open(ctx, "auto", &device) != LEHR_OK)
        cr_skip_test("no OpenCL device: %s", lehr_context_message(ctx));
    cr_assert_eq(lehr_registry_create(ctx, &plugins, &registry), LEHR_OK);
    cr_assert_eq(lehr_data_open(ctx, "synthetic:n=640,test=10", &data), LEHR_OK);
    cr_assert_eq(lehr_model_parse(ctx, "tiny", "input 3 32 32\nconv 4 3x3 stride=2\nrelu\nflatten\n"
                                  "dense 10\n", &model), LEHR_OK);
    run(device, registry, model, data, ctx);
    lehr_model_destroy(&model);
    lehr_data_destroy(&data);
    lehr_registry_destroy(&registry);
    lehr_device_destroy(&device);
    lehr_context_destroy(&ctx);
}
