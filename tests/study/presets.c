/* SPDX-License-Identifier: MIT
 *
 * The schedules and optimizers that the presets name exist, and give the tutorial's learning rates.
 */
#include <criterion/criterion.h>
#include <lehr/schedule.h>
#include <lehr/study.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 7, EPOCHS = 12 };

static double tutorial_lr(const char *name, double lr, double step)
{
    double epoch = floor(step / STEPS);
    if (strcmp(name, "time") == 0) return lr / (1 + lr / EPOCHS * step);
    if (strcmp(name, "step") == 0) return lr * pow(0.2, floor((1 + epoch) / 2));
    if (strcmp(name, "exponential") == 0) return lr * exp(-0.1 * epoch);
    return lr;
}

static void check_preset(lehr_context *ctx, lehr_registry *registry, const char *preset)
{
    lehr_method *methods = NULL;
    uint32_t count = 0;
    lehr_budget budget = {.steps_per_epoch = STEPS,
                          .total_steps = STEPS * EPOCHS,
                          .samples_per_step = 128,
                          .seed = 1};
    cr_assert_eq(lehr_preset_create(ctx, preset, EPOCHS, &methods, &count), LEHR_OK);
    for (uint32_t m = 0; m < count; m++) {
        lehr_scheduler *scheduler = NULL;
        double lr = 0;
        budget.base = methods[m].lr;
        cr_assert_eq(lehr_optimizer_resolve(ctx, registry, methods[m].optimizer, NAN, NULL, &lr),
                     LEHR_OK, "%s", lehr_context_message(ctx));
        cr_expect(m < 4 || lr == methods[m].lr, "%s: lr %g is not the preset's %g", methods[m].name,
                  methods[m].lr, lr);
        cr_assert_eq(lehr_scheduler_create(ctx, registry, methods[m].schedule, &budget, &scheduler),
                     LEHR_OK, "%s: %s", methods[m].name, lehr_context_message(ctx));
        for (uint64_t step = 0; step < STEPS * EPOCHS; step++) {
            double wanted = tutorial_lr(methods[m].name, methods[m].lr, (double)step), got = 0;
            cr_assert_eq(lehr_scheduler_value(scheduler, step, &got), LEHR_OK);
            cr_expect(fabs(got - wanted) <= 1e-12 * wanted, "%s, step %llu: %.17g, wanted %.17g",
                      methods[m].name, (unsigned long long)step, got, wanted);
        }
        lehr_scheduler_destroy(&scheduler);
    }
    lehr_preset_free(&methods, count);
}

Test(presets, give_the_tutorials_learning_rates)
{
    lehr_context *ctx = NULL;
    lehr_registry *registry = NULL;
    lehr_registry_params params = {.directory = LEHR_TEST_PLUGIN_DIR, .no_plugins = 1};
    cr_assert_eq(lehr_context_create(NULL, &ctx), LEHR_OK);
    cr_assert_eq(lehr_registry_create(ctx, &params, &registry), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    for (uint32_t i = 0; lehr_preset_name(i); i++) check_preset(ctx, registry, lehr_preset_name(i));
    lehr_registry_destroy(&registry);
    lehr_context_destroy(&ctx);
}
