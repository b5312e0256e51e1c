/* SPDX-License-Identifier: MIT
 *
 * Which variant is chosen: the order of precedence, checking at first use, and passing over a variant
 * that is wrong.  The wrong one is planted: a copy of an op's table with one more row. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/files.h"
#include "core/runtime/cache.h"
#include "kernels/add/add.h"
#include "kernels/tune.h"
#include "tests/cache_rig.h"
#include "tests/cases/cases.h"

static char said[1024], text[LH_DESCRIBE];
static const lh_add_problem shape = {2, 77, LH_ACT_NONE};
static lh_variant rows[2];
static lh_op op;

/* What is tuned takes the time that a test says, on any machine: the linker gives lh_now's callers this
 * (--wrap), which with `ticking` is only what the variants below add to `ticks`. */
static bool ticking;
static double ticks; /* seconds */
double __real_lh_now(void);
double __wrap_lh_now(void);
double __wrap_lh_now(void) { return ticking ? ticks : __real_lh_now(); }

static const lh_variant *plain(void)
{
    return &lh_add_forward.variants[lh_add_forward.variant_count - 1];
}

/* Right, but for the last element of y. */
static lehr_status run_wrong(lh_exec *e, const lh_args *a)
{
    lehr_status st = plain()->run(e, a);
    size_t last = lh_add_forward.count(&shape, LH_ADD_Y, a->n) - 1;
    float y = 0;
    if (st == LEHR_OK) st = lh_buffer_read(e->dev, a->buf[LH_ADD_Y], last * 4, 4, &y);
    y += 1e-3f;
    return st != LEHR_OK ? st : lh_buffer_write(e->dev, a->buf[LH_ADD_Y], last * 4, 4, &y);
}

/* A millisecond. */
static lehr_status run_plain(lh_exec *e, const lh_args *a)
{
    ticks += 1e-3;
    return plain()->run(e, a);
}

/* ---- a variant with parameters: "scale" is the factor that y is wrong by, "load" milliseconds ---- */

static lehr_status prepare_tunable(lh_exec *e)
{
    e->number[20] = LH_TUNABLE(e, "load", 4, 1, 2, 8);
    e->number[21] = LH_TUNABLE(e, "scale", 1, 2);
    return plain()->prepare(e);
}

static lehr_status run_tunable(lh_exec *e, const lh_args *a)
{
    ticks += 1e-3 * (double)e->number[20];
    return e->number[21] == 2 ? run_wrong(e, a) : plain()->run(e, a);
}

/* ---- one that takes no time and computes nothing at a full batch, with scale=2 where it has parameters; one
 * that takes 40 ms ---- */

static const lh_add_problem full = {64, 2000, LH_ACT_NONE};

static lehr_status run_lazy(lh_exec *e, const lh_args *a)
{
    bool lazy = a->n == full.n && (e->tunable_count == 0 || e->number[21] == 2);
    return lazy ? LEHR_OK : run_plain(e, a);
}

static lehr_status run_slow(lh_exec *e, const lh_args *a)
{
    ticks += 40e-3;
    return plain()->run(e, a);
}

/* ---- a variant that the driver does not build ---- */

static int builds;

static const char *always_declines(const void *problem, const lh_traits *traits)
{
    (void)problem;
    (void)traits;
    return "planted";
}

static lehr_status prepare_broken(lh_exec *e)
{
    cl_program program = NULL;
    builds++;
    return lh_program_from_text(e->dev, "broken", "__kernel void broken( {", "", &program);
}

/* One that lacks memory: no fault of the kernel. */
static lehr_status prepare_hungry(lh_exec *e)
{
    return lh_cl_check(lh_device_context(e->dev), CL_OUT_OF_RESOURCES, "buffers");
}

static lehr_status run_refused(lh_exec *e, const lh_args *a)
{
    const size_t global[1] = {1}, local[1] = {(size_t)1 << 40}; /* no such work-group */
    (void)a;
    return lh_launch(e->dev, e->kernels[0], 1, global, local);
}

/* ---- variants that are right but do not repeat: in the last bit, in what they leave unwritten; "full": at a
 * full batch only ---- */

static int runs;
static bool only_full;

static lehr_status run_restless(lh_exec *e, const lh_args *a)
{
    ticks += 1e-3;
    lehr_status st = plain()->run(e, a);
    uint32_t bits = 0;
    if (st == LEHR_OK) st = lh_buffer_read(e->dev, a->buf[LH_ADD_Y], 0, 4, &bits);
    if (!only_full || a->n == full.n) bits ^= (uint32_t)runs++ & 1;
    return st != LEHR_OK ? st : lh_buffer_write(e->dev, a->buf[LH_ADD_Y], 0, 4, &bits);
}

static void reopen(void)
{
    lehr_device_destroy(&dev);
    warnings[0] = '\0';
    open_device(&dev);
}

static void setup(void)
{
    cache_open();
    rows[0] = rows[1] = *plain();
    rows[0].name = "planted";
    rows[0].run = rows[1].run = run_plain;
    op = lh_add_forward;
    op.variants = rows;
    op.variant_count = 2;
    op.describe(&shape, text, sizeof text);
    reopen();
}

TestSuite(choice, .init = setup, .fini = cache_close);

/* Creates an exec: "variant (why)". */
static const char *chosen(void)
{
    static char out[128];
    lh_exec *exec = NULL;
    lehr_status st = lh_exec_create(dev, &op, &shape, &exec);
    const lh_kept *row = lh_kept_find(dev, LH_KEPT_CHOSEN, op.name, text, NULL, NULL);
    snprintf(out, sizeof out, "%s%s%s (%s)", st == LEHR_OK ? exec->variant->name : lehr_status_name(st),
             st == LEHR_OK && row && *row->parameters ? ":" : "",
             st == LEHR_OK && row ? row->parameters : "", st == LEHR_OK && row && row->note ? row->note : "");
    snprintf(said, sizeof said, "%s", lehr_context_message(ctx));
    if (st != LEHR_OK) lh_enter(ctx);
    lh_exec_destroy(&exec);
    return out;
}

static void keep_with(lh_kept_kind kind, const char *variant, const char *parameters)
{
    cr_assert_eq(lh_kept_add(dev, &(lh_kept){.kind = kind, .op = op.name, .problem = text,
                                             .variant = variant, .parameters = parameters}), LEHR_OK);
}

static void keep(lh_kept_kind kind, const char *variant) { keep_with(kind, variant, NULL); }

Test(choice, order_of_precedence)
{
    setenv("LEHR_SELF_TEST", "0", 1);
    cr_expect_str_eq(chosen(), "planted (first)");
    keep(LH_KEPT_BEST, "elementwise");
    cr_expect_str_eq(chosen(), "elementwise (measured)");
    keep(LH_KEPT_RECORDED, "planted");
    cr_expect_str_eq(chosen(), "planted (recorded)");
    setenv("LEHR_VARIANT", "add.forward=elementwise", 1);
    cr_expect_str_eq(chosen(), "elementwise (forced)");
    unsetenv("LEHR_VARIANT");
    reopen(); /* what was measured is kept, what a run recorded is not */
    cr_expect_str_eq(chosen(), "elementwise (measured)");
    keep(LH_KEPT_BEST, "nonsense"); /* stored by another version, say */
    cr_expect_str_eq(chosen(), "planted (first)");
    cr_expect_str_eq(warnings, "");
    keep(LH_KEPT_RECORDED, "nonsense");
    cr_expect_str_eq(chosen(), "planted (first)");
    cr_expect(strstr(warnings, "goes on with other bits"), "%s", warnings);
}

Test(choice, a_wrong_variant_is_passed_over_and_remembered)
{
    rows[0].run = run_wrong;
    setenv("LEHR_SELF_TEST", "0", 1);
    reopen();
    cr_expect_str_eq(chosen(), "planted (first)", "without checks it is not known to be wrong");
    unsetenv("LEHR_SELF_TEST");
    reopen();
    cr_expect_str_eq(chosen(), "elementwise (first)");
    cr_expect(strstr(warnings, "add.forward/planted computes wrong results"), "%s", warnings);
    setenv("LEHR_SELF_TEST", "0", 1);
    reopen();
    cr_expect_str_eq(chosen(), "elementwise (first)", "forgotten");
    cr_expect_str_eq(warnings, "", "told once");
    keep(LH_KEPT_BEST, "planted");
    cr_expect_str_eq(chosen(), "elementwise (first)");
    setenv("LEHR_VARIANT", "add.forward=planted", 1);
    cr_expect_str_eq(chosen(), "planted (forced)", "who forces it gets it");
    unsetenv("LEHR_VARIANT");
    rows[1].run = run_wrong;
    unsetenv("LEHR_SELF_TEST");
    keep(LH_KEPT_GOOD, "planted"); /* overrules the verdict */
    keep(LH_KEPT_BAD, "elementwise");
    cr_expect_str_eq(chosen(), "planted (measured)");
    keep(LH_KEPT_BAD, "planted");
    cr_expect_str_eq(chosen(), "LEHR_E_UNSUPPORTED ()", "nothing is left");
}

/* Within the limit, but never twice the same: as wrong as any other. */
Test(choice, a_variant_that_does_not_repeat_its_bits)
{
    rows[0].run = run_restless;
    cr_expect_str_eq(chosen(), "elementwise (first)");
    cr_expect(strstr(warnings, "add.forward/planted computes wrong results"), "%s", warnings);
    cr_expect(strstr(warnings, "y has other bits in a second run"), "%s", warnings);
}

/* At the full batch only: tuning finds it, in the default and in another row. */
Test(choice, tuning_repeats_at_the_full_batch)
{
    lh_add_problem p = full;
    lh_tune tune;
    only_full = ticking = true;
    op.describe(&p, text, sizeof text);
    for (unsigned which = 0; which < 2; which++) {
        rows[which].run = run_restless;
        rows[1 - which].run = run_plain;
        cr_assert_eq(lh_tune_problem(dev, &op, &p, 0.05, INFINITY, &tune), LEHR_OK, "%s",
                     lehr_context_message(ctx));
        cr_expect_str_eq(tune.rows[which].outcome, "wrong");
        cr_expect(strstr(tune.rows[which].reason, "other bits in a second run"), "%s",
                  tune.rows[which].reason);
        cr_expect_eq(tune.winner, (int)(1 - which));
        cr_expect_eq(tune.wrong, 1);
        cr_assert_eq(lh_tune_explain(dev, &op, &p, &tune), LEHR_OK);
        cr_expect_str_eq(tune.rows[which].outcome, "excluded");
        keep(LH_KEPT_GOOD, "planted");
    }
}

/* Parameters are asked for by LEHR_VARIANT and by stored rows; what cannot be had is told or passed over. */
Test(choice, parameters)
{
    rows[0].prepare = prepare_tunable;
    rows[0].run = run_tunable;
    cr_expect_str_eq(chosen(), "planted (first)");
    setenv("LEHR_VARIANT", "dense.forward=plain,add.forward=planted:scale=2:load=8", 1);
    cr_expect_str_eq(chosen(), "planted:scale=2:load=8 (forced)", "not checked: who forces it gets it");
    setenv("LEHR_VARIANT", "add.forward=planted:load=3", 1);
    cr_expect_str_eq(chosen(), "LEHR_E_USAGE ()");
    cr_expect(strstr(said, "cannot have load=3 here; its parameters: load=4|1|2|8; scale=1|2"), "%s", said);
    setenv("LEHR_VARIANT", "dense.foward=plain", 1);
    cr_expect_str_eq(chosen(), "LEHR_E_USAGE ()", "misspelt, so it would force nothing");
    cr_expect(strstr(said, "'dense.foward' is not OP=VARIANT with a known op; did you mean 'dense.forward'?"),
              "%s", said);
    setenv("LEHR_VARIANT", "add.forward:elementwise", 1);
    cr_expect_str_eq(chosen(), "LEHR_E_USAGE ()");
    setenv("LEHR_VARIANT", "add.forward=planted:width=4", 1);
    cr_expect_str_eq(chosen(), "LEHR_E_USAGE ()");
    setenv("LEHR_VARIANT", "add.forward=elementwise:load=1", 1);
    cr_expect_str_eq(chosen(), "LEHR_E_USAGE ()");
    cr_expect(strstr(said, "its parameters: none"), "%s", said);
    unsetenv("LEHR_VARIANT");
    keep_with(LH_KEPT_SHIPPED, "planted", "load=8");
    cr_expect_str_eq(chosen(), "planted:load=8 (shipped)");
    keep_with(LH_KEPT_BEST, "planted", "load=2");
    cr_expect_str_eq(chosen(), "planted:load=2 (measured)");
    keep_with(LH_KEPT_RECORDED, "planted", "load=1");
    cr_expect_str_eq(chosen(), "planted:load=1 (recorded)");
    reopen();
    cr_expect_str_eq(chosen(), "planted:load=2 (measured)");
    cr_expect_str_eq(warnings, "");
    keep_with(LH_KEPT_BEST, "planted", "scale=2"); /* wrong, but only with this parameter */
    cr_expect_str_eq(chosen(), "planted (first)");
    cr_expect(strstr(warnings, "planted:scale=2 computes wrong results"), "%s", warnings);
    warnings[0] = '\0';
    keep_with(LH_KEPT_BEST, "planted", "load=3"); /* stored when there was such a value */
    cr_expect_str_eq(chosen(), "planted (first)");
    cr_expect(strstr(warnings, "planted:load=3 cannot be used on this device"), "%s", warnings);
}

/* What the driver refuses is told once, remembered, and the next row is used; lack of memory is an error. */
Test(choice, a_variant_that_cannot_be_built)
{
    rows[0].prepare = prepare_broken;
    setenv("LEHR_SELF_TEST", "0", 1);
    reopen();
    cr_expect_str_eq(chosen(), "elementwise (first)");
    cr_expect(strstr(warnings, "add.forward/planted cannot be used on this device: building kernel source "
                               "broken"), "%s", warnings);
    cr_expect_eq(builds, 1);
    reopen();
    cr_expect_str_eq(chosen(), "elementwise (first)");
    cr_expect_eq(builds, 1, "built again");
    cr_expect_str_eq(warnings, "", "told again");
    cr_expect(strstr(lh_select_excludes(dev, &op, &shape, &rows[0], ""), "broken"));
    setenv("LEHR_VARIANT", "add.forward=planted", 1);
    cr_expect_str_eq(chosen(), "LEHR_E_DEVICE ()", "who forces it is told");
    unsetenv("LEHR_VARIANT");

    setenv("LEHR_CACHE", strcat(strcpy(said, dir), "/second"), 1);
    rows[0].prepare = plain()->prepare; /* builds, but cannot be launched: seen when it is checked */
    rows[0].run = run_refused;
    unsetenv("LEHR_SELF_TEST");
    reopen();
    cr_expect_str_eq(chosen(), "elementwise (first)");
    cr_expect(strstr(warnings, "launching kernel"), "%s", warnings);

    setenv("LEHR_CACHE", strcat(strcpy(said, dir), "/third"), 1);
    rows[0].prepare = prepare_hungry;
    reopen();
    cr_expect_str_eq(chosen(), "LEHR_E_DEVICE ()", "another kernel is no answer to lack of memory");
    cr_expect(strstr(said, "CL_OUT_OF_RESOURCES"), "%s", said);
    rows[0].prepare = rows[1].prepare = prepare_broken; /* the compiler itself, say */
    reopen();
    cr_expect_str_eq(chosen(), "LEHR_E_DEVICE ()");
    cr_expect(strstr(said, "building kernel source broken"), "%s", said);
    rows[0].prepare = rows[1].prepare = plain()->prepare;
    rows[0].run = rows[1].run = plain()->run;
    reopen();
    cr_expect_str_eq(chosen(), "planted (first)", "nothing is held against them");
}

/* The search tries settings, and no wrong one wins. */
Test(choice, tuning_parameters)
{
    lh_add_problem p = full;
    lh_tune tune;
    ticking = true;
    rows[0].prepare = prepare_tunable;
    rows[0].run = run_tunable;
    rows[1].declines = always_declines;
    cr_assert_eq(lh_tune_problem(dev, &op, &p, 60, INFINITY, &tune), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    cr_assert_eq(tune.settings, 4, "%u", tune.settings);
    cr_expect_eq(tune.wrong, 1);
    cr_assert_eq(tune.count, 3);
    cr_expect_eq(tune.winner, 2);
    cr_expect_str_eq(tune.rows[2].parameters, "load=1");
    cr_expect_str_eq(tune.rows[2].outcome, "fastest");
    cr_expect_str_eq(tune.rows[0].outcome, "slower");
    cr_expect(strstr(lh_select_excludes(dev, &op, &p, &rows[0], "load=1:scale=2"), "y is off"));
    cr_expect_null(lh_select_excludes(dev, &op, &p, &rows[0], "load=1"));
}

/* A wrong variant cannot win, however fast; one that is much slower does not. */
Test(choice, tuning)
{
    lh_tune tune;
    rows[0].run = run_wrong;
    cr_assert_eq(lh_tune_problem(dev, &op, &shape, 0.01, INFINITY, &tune), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    cr_expect_str_eq(tune.rows[0].outcome, "wrong");
    cr_expect(strstr(tune.rows[0].reason, "y is off by"), "%s", tune.rows[0].reason);
    cr_expect_eq(tune.winner, 1);
    cr_expect_eq(tune.wrong, 1);
    cr_expect(tune.rows[1].ms > 0);
    cr_expect_eq(lh_tune_choices(dev, &op, &shape), 1);
    cr_assert_eq(lh_tune_explain(dev, &op, &shape, &tune), LEHR_OK);
    cr_expect_str_eq(tune.rows[0].outcome, "excluded");
    cr_expect_str_eq(tune.rows[1].outcome, "chosen");
    cr_expect_str_eq(tune.rows[1].reason, "first");

    /* matrices: 400 times the work, done in the same op, is hopeless or slower */
    static const lh_add_problem large = {4, 200000, LH_ACT_NONE};
    lh_add_problem p = large;
    cr_assert_eq(lh_tune_problem(dev, &lh_add_forward, &p, 0.05, INFINITY, &tune), LEHR_OK);
    cr_expect_geq(tune.winner, 0);
    cr_expect_eq(tune.is_default, tune.winner == tune.base);
    for (unsigned i = 0; i < tune.count && !tune.is_default; i++) /* who is not the default won */
        cr_expect(!(tune.rows[i].ms < tune.rows[tune.winner].ms), "row %u", i);
}

/* Right on the few images that are compared with the reference, wrong at the full batch: cannot win. */
Test(choice, tuning_compares_at_the_full_batch)
{
    lh_add_problem p = full;
    lh_tune tune;
    ticking = true;
    rows[0].run = run_slow; /* so that the other is not dropped for its speed on a few images */
    rows[1].run = run_lazy;
    cr_assert_eq(lh_tune_problem(dev, &op, &p, 0.05, INFINITY, &tune), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    cr_expect_str_eq(tune.rows[1].outcome, "differs");
    cr_expect_eq(tune.winner, 0);

    rows[0].prepare = prepare_tunable;
    rows[0].run = run_lazy;
    rows[1].declines = always_declines;
    cr_assert_eq(lh_tune_problem(dev, &op, &p, 60, INFINITY, &tune), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    cr_expect_geq(tune.settings, 4, "%u", tune.settings);
    cr_assert_geq(tune.winner, 0);
    cr_expect_null(strstr(tune.rows[tune.winner].parameters, "scale=2"), "%s",
                   tune.rows[tune.winner].parameters);
}

/* A default that is much slower is still what the fastest has to beat. */
Test(choice, tuning_replaces_a_slow_default)
{
    lh_add_problem p = full;
    lh_tune tune;
    ticking = true;
    rows[0].run = run_slow;
    cr_assert_eq(lh_tune_problem(dev, &op, &p, 0.05, INFINITY, &tune), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    cr_expect_eq(tune.winner, 1);
    cr_expect_str_eq(tune.rows[1].outcome, "fastest");
    cr_expect_str_eq(tune.rows[0].outcome, "slower");
}

/* Without time a problem is given up, and nothing wins. */
Test(choice, tuning_without_time)
{
    lh_tune tune;
    cr_assert_eq(lh_tune_problem(dev, &op, &shape, 60, -1, &tune), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    cr_expect_eq(tune.winner, -1);
    for (unsigned i = 0; i < tune.count; i++) cr_expect_str_eq(tune.rows[i].outcome, "not timed");
}

/* Random operands suit every op: what is right is found right.  One problem an op, its first variant. */
Test(choice, right_variants_are_found_right)
{
    setenv("LEHR_SELF_TEST", "0", 1);
    for (size_t i = 0; i < lh_case_list_count; i++) {
        const lh_case_list *list = lh_case_lists[i];
        void *problem = calloc(1, list->op->problem_size);
        lh_exec *exec = NULL;
        lh_verdict verdict = LH_VERDICT_UNKNOWN;
        lh_str reason = {0};
        cr_assert(list->problem(0, 0, problem));
        cr_assert_eq(lh_exec_create(dev, list->op, problem, &exec), LEHR_OK, "%s",
                     lehr_context_message(ctx));
        cr_assert_eq(lh_trial_check(exec, &verdict, &reason), LEHR_OK, "%s", lehr_context_message(ctx));
        cr_expect_eq(verdict, LH_VERDICT_GOOD, "%s/%s: %s", list->op->name, exec->variant->name,
                     lh_str_text(&reason));
        lh_str_free(&reason);
        lh_exec_destroy(&exec);
        free(problem);
    }
}
