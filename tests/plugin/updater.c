/* SPDX-License-Identifier: MIT
 *
 * Optimizers on the device: compilations, groups, halt, refusals, presets.  formulas.c compares the
 * formulas. */
#define _GNU_SOURCE
#include "tests/plugin/rig.h"

/* ---- the mechanism ---- */

static lh_updater *create(rig *r, const char *spec, double decay)
{
    lh_updater *u = NULL;
    lh_enter(r->ctx);
    cr_assert_eq(lh_updater_create(r->dev, r->reg, spec, decay, &r->layout, &u), LEHR_OK, "%s: %s",
                 spec, lehr_context_message(r->ctx));
    return u;
}

static size_t programs(const lehr_device *dev)
{
    size_t count = 0;
    for (const lh_program_entry *p = dev->programs; p; p = p->next) count++;
    return count;
}

Test(updater, numbers_change_without_compiling)
{
    rig r;
    rig_open(&r);
    lh_updater *u = create(&r, "adam", NAN);
    size_t before = programs(r.dev);
    uint64_t launches = lh_launch_count(r.dev);
    for (uint64_t t = 1; t <= 50; t++)
        cr_assert_eq(lh_updater_step(u, t, 0.1 / (double)t, r.control), LEHR_OK);
    cr_expect_eq(lh_launch_count(r.dev) - launches, 100, "one launch per group and update");
    lh_updater *other = create(&r, "adam(beta1=0.5, beta2=0.9, eps=1e-3)", 0.1);
    cr_expect_eq(programs(r.dev), before, "other numbers are other arguments, not another program");
    lh_updater_destroy(&u);
    lh_updater_destroy(&other);
    rig_close(&r);
}

Test(updater, halt_keeps_every_bit)
{
    static float before[4][ARENA], after[4][ARENA];
    rig r;
    rig_open(&r);
    lh_updater *u = create(&r, "adam(amsgrad=1)", 0.1);
    cr_assert_eq(lh_updater_slot_count(u), 3);
    cr_expect_str_eq(lh_updater_slot_name(u, 2), "vmax");
    cr_assert_eq(lh_updater_step(u, 1, 0.1, r.control), LEHR_OK);
    for (int round = 0; round < 2; round++) {
        float(*to)[ARENA] = round ? after : before;
        cr_assert_eq(lh_buffer_read(r.dev, r.weights, 0, sizeof to[0], to[0]), LEHR_OK);
        for (uint32_t i = 0; i < 3; i++)
            cr_assert_eq(lh_buffer_read(r.dev, lh_updater_slot(u, i), 0, sizeof to[0], to[1 + i]),
                         LEHR_OK);
        if (round) break;
        rig_control(&r, NAN, 1);
        cr_assert_eq(lh_updater_step(u, 2, 0.1, r.control), LEHR_OK);
    }
    cr_expect_arr_eq(before, after, sizeof before);
    rig_control(&r, 1, 0);
    cr_assert_eq(lh_updater_step(u, 2, 0.1, r.control), LEHR_OK);
    cr_assert_eq(lh_buffer_read(r.dev, r.weights, 0, sizeof after[0], after[0]), LEHR_OK);
    cr_expect_arr_neq(before[0], after[0], sizeof before[0]);
    lh_updater_destroy(&u);
    rig_close(&r);
}

Test(updater, control_scales_gradients)
{
    static float one[ARENA], two[ARENA];
    rig r;
    rig_open(&r);
    lh_updater *u = create(&r, "sgd", NAN);
    rig_fill(&r, r.gradients, 5, 0.5);
    cr_assert_eq(lh_updater_step(u, 1, 0.1, r.control), LEHR_OK);
    lh_buffer_read(r.dev, r.weights, 0, sizeof one, one);
    rig_fill(&r, r.weights, 1, 0.1);
    rig_fill(&r, r.gradients, 5, 1);
    rig_control(&r, 0.5f, 0);
    cr_assert_eq(lh_updater_step(u, 1, 0.1, r.control), LEHR_OK);
    lh_buffer_read(r.dev, r.weights, 0, sizeof two, two);
    cr_expect_arr_eq(one, two, sizeof one, "halving is exact");
    lh_updater_destroy(&u);
    rig_close(&r);
}

/* The other family's launch gives the same bits. */
Test(updater, families_agree)
{
    static float cpu[ARENA], gpu[ARENA];
    static const char *const families[] = {"family=cpu", "family=gpu,max_work_group=64"};
    for (int f = 0; f < 2; f++) {
        rig r;
        setenv("LEHR_TRAITS", families[f], 1);
        rig_open(&r);
        lh_updater *u = create(&r, "rmsprop(momentum=0.9, centered=1)", 0.01);
        for (uint64_t t = 1; t <= 3; t++)
            cr_assert_eq(lh_updater_step(u, t, 0.01, r.control), LEHR_OK);
        lh_buffer_read(r.dev, r.weights, 0, sizeof cpu, f ? gpu : cpu);
        lh_updater_destroy(&u);
        rig_close(&r);
    }
    double worst = 0;
    for (size_t i = 0; i < ARENA; i++) worst = fmax(worst, fabs((double)cpu[i] - (double)gpu[i]));
    cr_expect(worst <= 1e-7, "%g", worst);
}

/* Awkward ranges, in both families: what lies outside keeps its bits, all inside moves. */
Test(updater, only_the_group_is_touched)
{
    static float before[ARENA], after[ARENA];
    static const struct {
        const char *traits;
        size_t offset, count;
    } rows[] = {{"family=cpu", 16, 8193}, {"family=cpu", 48, 1}, {"family=cpu", 0, 4096},
                {"family=gpu", 16, 8193}, {"family=gpu", 48, 1}};
    for (size_t k = 0; k < LH_COUNT(rows); k++) {
        rig r;
        setenv("LEHR_TRAITS", rows[k].traits, 1);
        rig_open(&r);
        r.groups[0].offset = rows[k].offset;
        r.groups[0].count = rows[k].count;
        r.layout.group_count = 1;
        lh_updater *u = create(&r, "adam", NAN);
        lh_buffer_read(r.dev, r.weights, 0, sizeof before, before);
        cr_assert_eq(lh_updater_step(u, 1, 0.1, r.control), LEHR_OK);
        lh_buffer_read(r.dev, r.weights, 0, sizeof after, after);
        for (size_t i = 0; i < ARENA; i++) {
            bool inside = i - rows[k].offset < rows[k].count;
            cr_assert_eq(before[i] != after[i], inside, "row %zu, weight %zu", k, i);
        }
        lh_updater_destroy(&u);
        rig_close(&r);
    }
}

static void refused(rig *r, const char *spec, double decay, lehr_status code, const char *part)
{
    lh_updater *u = NULL;
    lh_enter(r->ctx);
    lehr_status st = lh_updater_create(r->dev, r->reg, spec, decay, &r->layout, &u);
    cr_expect_eq(st, code, "%s: %d %s", spec, (int)st, lehr_context_message(r->ctx));
    cr_expect(strstr(lehr_context_message(r->ctx), part), "%s: '%s' lacks '%s'", spec,
              lehr_context_message(r->ctx), part);
    cr_expect_null(u);
}

Test(updater, refusals)
{
    rig r;
    rig_open(&r);
    refused(&r, "adamm", NAN, LEHR_E_USAGE, "did you mean 'adam'?");
    refused(&r, "adam(beta1=1)", NAN, LEHR_E_PARAM, "[0, 1)");
    refused(&r, "adam(beta1=0.9", NAN, LEHR_E_USAGE, "column 15");
    refused(&r, "adam(betta1=0.9)", NAN, LEHR_E_USAGE, "did you mean 'beta1'?");
    refused(&r, "adam(lr=0.1)", NAN, LEHR_E_USAGE, "--lr");
    refused(&r, "keras4:adam", NAN, LEHR_E_USAGE, "keras3");
    refused(&r, "adam() * 2", NAN, LEHR_E_USAGE, "column 8");
    refused(&r, "sgd(nesterov=1)", NAN, LEHR_E_PARAM, "momentum");
    refused(&r, "sgd(weight_decay=0.1)", 0.2, LEHR_E_USAGE, "disagree");
    refused(&r, "sgd(weight_decay=nan)", NAN, LEHR_E_PARAM, "number");
    refused(&r, "sgd", -1, LEHR_E_PARAM, "weight_decay");
    lh_updater *u = create(&r, "sgd(weight_decay=0.2)", 0.2);
    cr_expect_str_eq(lh_updater_text(u),
                     "sgd(momentum=0, nesterov=0, weight_decay=0.2, dampening=0, "
                     "lr_inside=0, decay=l2)");
    cr_expect_eq(lh_updater_slot_count(u), 0, "no momentum, no slot");
    cr_expect_eq(lh_updater_step(u, 1, NAN, r.control), LEHR_E_PARAM);
    lh_updater_destroy(&u);
    rig_close(&r);
}

Test(updater, learning_rates_of_presets)
{
    static const struct {
        const char *spec;
        double lr;
    } rows[] = {{"sgd", 0.001},
                {"keras3:sgd", 0.01},
                {"keras3:adagrad", 0.001},
                {"keras3:adadelta", 0.001},
                {"keras3:rmsprop", 0.001},
                {"keras3:adam", 0.001},
                {"keras2017:adadelta", 1},
                {"keras2017:adagrad", 0.01},
                {"optax:adamw", 0}};
    lehr_context *ctx = NULL;
    lehr_registry *reg = NULL;
    lehr_context_create(NULL, &ctx);
    cr_assert_eq(lehr_registry_create(ctx, NULL, &reg), LEHR_OK, "%s", lehr_context_message(ctx));
    for (size_t i = 0; i < LH_COUNT(rows); i++) {
        double lr = -1;
        char *text = NULL;
        cr_assert_eq(lehr_optimizer_resolve(ctx, reg, rows[i].spec, NAN, &text, &lr), LEHR_OK);
        cr_expect_eq(lr, rows[i].lr, "%s: %g", rows[i].spec, lr);
        char *again = NULL;
        cr_assert_eq(lehr_optimizer_resolve(ctx, reg, text, NAN, &again, NULL), LEHR_OK, "%s", text);
        cr_expect_str_eq(text, again, "the resolved text resolves to itself");
        free(text);
        free(again);
    }
    lehr_registry_destroy(&reg);
    lehr_context_destroy(&ctx);
}
