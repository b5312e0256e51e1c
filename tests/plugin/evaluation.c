/* SPDX-License-Identifier: MIT
 *
 * Weights for evaluation: what enter_eval makes of them, and that leaving restores every bit; rules
 * that need the loss. */
#define _GNU_SOURCE
#include "tests/plugin/rig.h"

static lh_updater *open_rule(rig *r, const char *traits, const char *spec)
{
    const char *files[] = {LEHR_TEST_BUILD_DIR "/tests/plugin/rules/lehr-judged.so"};
    lehr_registry_params params = {.files = files, .file_count = 1};
    lh_updater *u = NULL;
    setenv("LEHR_TRAITS", traits, 1);
    rig_open(r);
    lehr_registry_destroy(&r->reg);
    cr_assert_eq(lehr_registry_create(r->ctx, &params, &r->reg), LEHR_OK, "%s",
                 lehr_context_message(r->ctx));
    cr_assert_eq(lh_updater_create(r->dev, r->reg, spec, NAN, &r->layout, &u), LEHR_OK, "%s",
                 lehr_context_message(r->ctx));
    return u;
}

static void read_both(rig *r, lh_updater *u, float to[2][ARENA])
{
    cr_assert_eq(lh_buffer_read(r->dev, r->weights, 0, sizeof to[0], to[0]), LEHR_OK);
    cr_assert_eq(lh_buffer_read(r->dev, lh_updater_slot(u, 0), 0, sizeof to[1], to[1]), LEHR_OK);
}

Test(evaluation, enters_and_leaves_bit_for_bit)
{
    static const struct {
        const char *spec, *traits;
    } rows[] = {{"judged", "family=cpu"}, {"judged", "family=gpu,max_work_group=64"},
                {"swapped", "family=cpu"}};
    static float start[2][ARENA], inside[2][ARENA], after[2][ARENA];
    for (size_t k = 0; k < LH_COUNT(rows); k++) {
        rig r;
        lh_updater *u = open_rule(&r, rows[k].traits, rows[k].spec);
        cr_assert(lh_updater_has_eval(u));
        read_both(&r, u, start);
        cr_assert_eq(lh_updater_enter_eval(u, 0, r.control), LEHR_OK);
        read_both(&r, u, inside);
        cr_expect_arr_eq(start, inside, sizeof start, "before the first update they do not differ");
        for (uint64_t t = 1; t <= 3; t++)
            cr_assert_eq(lh_updater_step(u, t, 0.05, r.control), LEHR_OK);
        read_both(&r, u, start);
        for (int round = 0; round < 2; round++) {
            cr_assert_eq(lh_updater_enter_eval(u, 3, r.control), LEHR_OK);
            cr_assert_eq(lh_updater_enter_eval(u, 3, r.control), LEHR_OK, "entering twice is once");
            read_both(&r, u, inside);
            cr_assert_eq(lh_updater_leave_eval(u, 3, r.control), LEHR_OK);
            cr_assert_eq(lh_updater_leave_eval(u, 3, r.control), LEHR_OK);
            read_both(&r, u, after);
            cr_expect_arr_eq(start, after, sizeof start, "%s", rows[k].spec);
        }
        double correct = rows[k].spec[0] == 'j' ? 1 / (1 - 0.729) : 1;
        for (size_t i = 0; i < WEIGHTS; i++)
            cr_assert(fabs(inside[0][i] - start[1][i] * correct) <= 1e-6, "%zu", i);
        cr_expect_eq(inside[1][5], rows[k].spec[0] == 'j' ? 0 : start[0][5], "slots change too");
        lh_updater_destroy(&u);
        rig_close(&r);
    }
}

Test(evaluation, rules_that_need_the_loss)
{
    static float start[ARENA], after[ARENA];
    rig r;
    lh_updater *u = open_rule(&r, "family=cpu", "polyak");
    cr_assert(lh_updater_needs_loss(u));
    cr_expect_not(lh_updater_has_eval(u));
    lh_buffer_read(r.dev, r.weights, 0, sizeof start, start);
    cr_assert_eq(lh_updater_step(u, 1, 0.1, r.control), LEHR_OK, "no loss, no update");
    lh_updater_set_loss(u, INFINITY);
    cr_assert_eq(lh_updater_step(u, 1, 0.1, r.control), LEHR_OK);
    lh_buffer_read(r.dev, r.weights, 0, sizeof after, after);
    cr_expect_arr_eq(start, after, sizeof start);
    lh_updater_set_loss(u, 2);
    cr_assert_eq(lh_updater_step(u, 1, 0.1, r.control), LEHR_OK);
    lh_buffer_read(r.dev, r.weights, 0, sizeof after, after);
    for (size_t i = 0; i < WEIGHTS; i++)
        cr_assert(fabs(after[i] - (start[i] - 0.2 * (double)(float)rig_uniform(2, i))) <= 1e-6);
    lh_updater_destroy(&u);
    rig_close(&r);
}
