/* SPDX-License-Identifier: MIT
 *
 * Checks of schedules: what value() and observe() do over whole runs, with other values of their
 * parameters, other budgets, and unusual measurements. */
#include "core/check/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOTAL = 1000, MEASUREMENTS = 40, DRAWS = 60 };

typedef int look_fn(lehr_checker *c, lh_subject *s);

/* Runs look for each schedule with default values, until one is not ok. */
static int each(lehr_checker *c, lh_place place, look_fn *look)
{
    int verdict = LEHR_CHECK_OK;
    if (!lh_check_copy(c)) return LEHR_CHECK_FAIL;
    if (c->schedule_count == 0)
        return lh_verdict(c, LEHR_CHECK_SKIP, NULL, "the file holds no schedule");
    for (uint32_t i = 0; i < c->schedule_count && verdict == LEHR_CHECK_OK; i++) {
        lh_subject s;
        lh_opened opened = lh_subject_open(c, c->schedules[i], NULL, (lh_wish){.place = place}, &s);
        verdict = opened == LH_OPENED
                      ? look(c, &s)
                      : lh_verdict(c, LEHR_CHECK_FAIL, NULL, "%s is refused: %s",
                                   lh_str_text(&s.text), s.host.message);
        lh_subject_close(&s);
    }
    return verdict;
}

static const char clamp_remedy[] = "clamp what it is computed from, narrow the parameter's range, or "
                                   "refuse the values in check()";

static int bad_value(lh_subject *s, uint64_t step, double value)
{
    return lh_verdict(s->c, LEHR_CHECK_FAIL, clamp_remedy, "%s gives %g for update %llu",
                      lh_str_text(&s->text), value, (unsigned long long)step);
}

static bool good(double value) { return value >= 0 && isfinite(value); }

static int finite_run(lehr_checker *c, lh_subject *s)
{
    (void)c;
    for (uint64_t step = 0; step < TOTAL; step++) {
        double value = lh_call_value(s, step);
        if (!good(value)) return bad_value(s, step, value);
    }
    return LEHR_CHECK_OK;
}

int lh_check_schedules_finite(lehr_checker *c) { return each(c, LH_ON_HEAP, finite_run); }

/* A page that is written to although it may not ends the process; the note says in which call. */
static int some_calls(lehr_checker *c, lh_subject *s)
{
    (void)c;
    for (uint64_t step = 0; step < TOTAL; step += 37) (void)lh_call_value(s, step);
    (void)lh_call_value(s, TOTAL - 1);
    return LEHR_CHECK_OK;
}

int lh_check_schedules_read_only(lehr_checker *c) { return each(c, LH_READ_ONLY, some_calls); }
int lh_check_schedules_inside(lehr_checker *c) { return each(c, LH_FENCED, some_calls); }

/* ---- pure ---- */

static int impure(lh_subject *s, uint64_t step, double first, double second, const char *when)
{
    return lh_verdict(s->c, LEHR_CHECK_FAIL,
                      "compute the value from its arguments; static variables, clocks and rand() "
                      "are not for value(); t->seed is",
                      "%s gives %.17g for update %llu, and %.17g %s", lh_str_text(&s->text), first,
                      (unsigned long long)step, second, when);
}

static int asked_twice(lehr_checker *c, lh_subject *s)
{
    (void)c;
    for (uint64_t step = 0; step < TOTAL; step += 3) {
        double first = lh_call_value(s, step), second = lh_call_value(s, step);
        if (!lh_same_bits(&first, &second, 1)) return impure(s, step, first, second, "at once again");
    }
    return LEHR_CHECK_OK;
}

int lh_check_schedules_pure(lehr_checker *c) { return each(c, LH_ON_HEAP, asked_twice); }

/* 389 has no factor in common with 1000: every update is met. */
static int in_any_order(lehr_checker *c, lh_subject *s)
{
    double values[TOTAL];
    (void)c;
    for (uint64_t step = 0; step < TOTAL; step++) values[step] = lh_call_value(s, step);
    for (uint64_t i = 0; i < TOTAL; i++) {
        uint64_t step = i * 389 % TOTAL;
        double again = lh_call_value(s, step);
        if (!lh_same_bits(&values[step], &again, 1))
            return impure(s, step, values[step], again, "in another order");
    }
    return LEHR_CHECK_OK;
}

int lh_check_schedules_order(lehr_checker *c) { return each(c, LH_ON_HEAP, in_any_order); }

/* ---- other values and budgets ---- */

/* The updates that are asked for: the first ones, some of the middle, the end and beyond. */
static uint64_t some_step(uint32_t i, uint64_t total)
{
    static const uint64_t late[] = {1, 2, 5};
    if (i < 3) return i < total ? i : total - 1;
    if (i < 30) return (total - 1) * (i - 2) / 27;
    return i < 33 ? total * late[i - 30] : (uint64_t)1 << 40;
}
enum { STEPS_OF_RUN = 30, STEPS_BEYOND = 34 };

/* Growth without a bound is the user's wish where parameters were drawn; NaN never is. */
static int values_of(lh_subject *s, const lehr_budget *as, bool infinity_allowed, uint32_t steps)
{
    uint64_t total = as->total_steps ? as->total_steps : TOTAL;
    for (uint32_t i = 0; i < steps; i++) {
        uint64_t step = some_step(i, total);
        double value = lh_call_value_as(s, as, step);
        if (!good(value) && !(infinity_allowed && value > 0))
            return bad_value(s, step, value);
    }
    return LEHR_CHECK_OK;
}

/* Each schedule with other values; those that check() refuses are left out. */
static int each_draw(lehr_checker *c, lh_draw_kind kind, uint32_t count)
{
    int verdict = LEHR_CHECK_OK;
    if (!lh_check_copy(c)) return LEHR_CHECK_FAIL;
    for (uint32_t i = 0; i < c->schedule_count; i++) {
        uint32_t draws = kind == LH_DRAW_BOUND ? lh_draw_bounds(&c->schedules[i]->params) : count;
        for (uint32_t k = 0; k < draws && verdict == LEHR_CHECK_OK; k++) {
            lh_subject s;
            lh_wish wish = {.draw = {kind, k}};
            if (lh_subject_open(c, c->schedules[i], NULL, wish, &s) == LH_OPENED)
                verdict = values_of(&s, &s.budget, true, STEPS_OF_RUN);
            lh_subject_close(&s);
        }
    }
    return verdict;
}

int lh_check_schedules_bounds(lehr_checker *c) { return each_draw(c, LH_DRAW_BOUND, 0); }
int lh_check_schedules_random(lehr_checker *c) { return each_draw(c, LH_DRAW_RANDOM, DRAWS); }

static int at_extremes(lehr_checker *c, lh_subject *s)
{
    (void)c;
    return values_of(s, &s->budget, false, STEPS_BEYOND);
}

int lh_check_schedules_extremes(lehr_checker *c) { return each(c, LH_ON_HEAP, at_extremes); }

/* Durations keep their length; only what progress tells is missing. */
static int without_total(lehr_checker *c, lh_subject *s)
{
    lehr_budget as = s->budget;
    (void)c;
    as.total_steps = 0;
    return (s->schedule->flags & LEHR_S_NEEDS_TOTAL) ? LEHR_CHECK_OK : values_of(s, &as, false, STEPS_OF_RUN);
}

static int without_epochs(lehr_checker *c, lh_subject *s)
{
    lehr_budget as = s->budget;
    (void)c;
    as.steps_per_epoch = as.samples_per_step = 0;
    return values_of(s, &as, false, STEPS_OF_RUN);
}

int lh_check_schedules_open_ended(lehr_checker *c) { return each(c, LH_ON_HEAP, without_total); }
int lh_check_schedules_no_epochs(lehr_checker *c) { return each(c, LH_ON_HEAP, without_epochs); }

/* Other budgets from the start: what check() or the ranges refuse is fine. */
static int each_budget(lehr_checker *c, const lehr_budget *budgets, size_t count)
{
    int verdict = LEHR_CHECK_OK;
    if (!lh_check_copy(c)) return LEHR_CHECK_FAIL;
    for (uint32_t i = 0; i < c->schedule_count; i++)
        for (size_t k = 0; k < count && verdict == LEHR_CHECK_OK; k++) {
            lh_subject s;
            lh_wish wish = {.budget = &budgets[k]};
            if (lh_subject_open(c, c->schedules[i], NULL, wish, &s) == LH_OPENED)
                verdict = values_of(&s, &budgets[k], false, STEPS_OF_RUN);
            lh_subject_close(&s);
        }
    return verdict;
}

int lh_check_schedules_short_runs(lehr_checker *c)
{
    static const lehr_budget budgets[] = {{0.1, 1, 1, 128, 7}, {0.1, 1, 2, 128, 7},
                                          {0.1, 2, 2, 128, 7}, {0.1, 3, 3, 128, 7},
                                          {0.1, 100, 3, 128, 7}};
    return each_budget(c, budgets, LH_COUNT(budgets));
}

int lh_check_schedules_bases(lehr_checker *c)
{
    static const lehr_budget budgets[] = {{1e-8, 100, 1000, 128, 7}, {1, 100, 1000, 128, 7},
                                          {30, 100, 1000, 128, 7}, {1e4, 100, 1000, 128, 7}};
    return each_budget(c, budgets, LH_COUNT(budgets));
}

/* ---- measurements ---- */

static double measurement(int sequence, int i)
{
    static const double odd[] = {NAN, INFINITY, -INFINITY, 0, -0.0, 1e308, -1e308, 5e-324};
    switch (sequence) {
    case 0: return 2.0 / (1 + i);                             /* gets better */
    case 1: return 1;                                         /* stays */
    case 2: return 1 + 0.1 * i;                               /* gets worse */
    case 3: return odd[(size_t)i % LH_COUNT(odd)];
    case 4: return NAN;
    default: return i % 2 ? 0.5 : (double)(i * 37 % 11) / 11; /* jumps */
    }
}
enum { SEQUENCES = 6 };

/* observe() after every 25 updates; values of all of them go to out (may be NULL). */
static int observed_run(lh_subject *s, int sequence, int from, double *out)
{
    for (int i = from; i < MEASUREMENTS; i++) {
        uint64_t step = 25 * (uint64_t)i;
        for (uint64_t k = step; k < step + 25; k++) {
            double value = lh_call_value(s, k);
            if (!good(value)) return bad_value(s, k, value);
            if (out) out[k] = value;
        }
        lehr_status st = lh_call_observe(s, step + 25, measurement(sequence, i));
        if (st != LEHR_OK)
            return lh_verdict(s->c, LEHR_CHECK_FAIL, "treat what is not finite as no improvement",
                              "%s: observe(%g) fails: %s", lh_str_text(&s->text),
                              measurement(sequence, i), s->host.message);
        for (uint32_t k = 0; k < s->state_count; k++)
            if (isnan(s->state[k]))
                return lh_verdict(s->c, LEHR_CHECK_FAIL, "treat NaN as no improvement",
                                  "%s: state %s is %g after observe(%g)", lh_str_text(&s->text),
                                  ((const lehr_var *)s->schedule->state.at)[k].name, s->state[k],
                                  measurement(sequence, i));
    }
    return LEHR_CHECK_OK;
}

/* For schedules that observe; skipped when none does. */
static int each_observer(lehr_checker *c, lh_place place, look_fn *look)
{
    bool any = false;
    if (!lh_check_copy(c)) return LEHR_CHECK_FAIL;
    for (uint32_t i = 0; i < c->schedule_count; i++) any = any || c->schedules[i]->observe;
    if (!any) return lh_verdict(c, LEHR_CHECK_SKIP, NULL, "no schedule observes a metric");
    return each(c, place, look);
}

static int odd_measurements(lehr_checker *c, lh_subject *s)
{
    int verdict = LEHR_CHECK_OK;
    (void)c;
    if (!s->schedule->observe) return verdict;
    for (int q = 0; q < SEQUENCES && verdict == LEHR_CHECK_OK; q++) {
        lh_subject_reset_state(s);
        verdict = observed_run(s, q, 0, NULL);
    }
    return verdict;
}

int lh_check_schedules_observe(lehr_checker *c)
{
    return each_observer(c, LH_ON_HEAP, odd_measurements);
}

static int replayed(lehr_checker *c, lh_subject *s)
{
    double first[TOTAL], second[TOTAL];
    int verdict = LEHR_CHECK_OK;
    for (int q = 0; q < SEQUENCES && verdict == LEHR_CHECK_OK && s->schedule->observe; q++) {
        lh_subject_reset_state(s);
        verdict = observed_run(s, q, 0, first);
        lh_subject_reset_state(s);
        if (verdict == LEHR_CHECK_OK) verdict = observed_run(s, q, 0, second);
        if (verdict == LEHR_CHECK_OK && !lh_same_bits(first, second, TOTAL))
            verdict = lh_verdict(c, LEHR_CHECK_FAIL,
                                 "keep everything that observe() remembers in its state",
                                 "%s: the same measurements lead to other values the second time",
                                 lh_str_text(&s->text));
    }
    return verdict;
}

int lh_check_schedules_replay(lehr_checker *c)
{
    return each_observer(c, LH_ON_HEAP, replayed);
}

/* observe() with everything but the state locked, and value() with the state locked too. */
int lh_check_schedules_state(lehr_checker *c)
{
    int verdict = each_observer(c, LH_READ_ONLY, odd_measurements);
    return verdict == LEHR_CHECK_OK ? each_observer(c, LH_FENCED, odd_measurements) : verdict;
}

/* State after half of the measurements goes into a new instance. */
static int resumed(lehr_checker *c, lh_subject *s)
{
    double whole[TOTAL], rest[TOTAL];
    int verdict = LEHR_CHECK_OK;
    for (int q = 0; q < SEQUENCES && verdict == LEHR_CHECK_OK && s->schedule->observe; q++) {
        lh_subject again;
        lh_subject_reset_state(s);
        verdict = observed_run(s, q, 0, whole);
        lh_subject_reset_state(s);
        for (int i = 0; i < MEASUREMENTS / 2; i++)
            lh_call_observe(s, 25 * ((uint64_t)i + 1), measurement(q, i));
        if (lh_subject_open(c, s->schedule, NULL, (lh_wish){0}, &again) == LH_OPENED) {
            if (verdict == LEHR_CHECK_OK) verdict = lh_subject_hand_over(s, &again);
            if (verdict == LEHR_CHECK_OK) verdict = observed_run(&again, q, MEASUREMENTS / 2, rest);
            if (verdict == LEHR_CHECK_OK &&
                !lh_same_bits(whole + TOTAL / 2, rest + TOTAL / 2, TOTAL / 2))
                verdict = lh_verdict(c, LEHR_CHECK_FAIL,
                                     "keep all that values depend on in the state, not in self",
                                     "%s: a run that goes on from saved state has other values",
                                     lh_str_text(&s->text));
        }
        lh_subject_close(&again);
    }
    return verdict;
}

int lh_check_schedules_resume(lehr_checker *c)
{
    return each_observer(c, LH_ON_HEAP, resumed);
}

/* The best of several: the machine may be busy. */
static int timed(lehr_checker *c, lh_subject *s)
{
    enum { CALLS = 2000, ROUNDS = 7 };
    static const double limit = 20e-6;
    double best = 1;
    for (int r = 0; r < ROUNDS; r++) {
        double start = lh_now();
        for (uint64_t i = 0; i < CALLS; i++) (void)lh_call_value(s, i % TOTAL);
        double each_call = (lh_now() - start) / CALLS;
        if (each_call < best) best = each_call;
    }
    if (best <= limit) return LEHR_CHECK_OK;
    return lh_verdict(c, LEHR_CHECK_WARN, "prepare in create() what does not depend on the update",
                      "%s: value() takes %.0f microseconds", lh_str_text(&s->text), 1e6 * best);
}

int lh_check_schedules_speed(lehr_checker *c) { return each(c, LH_ON_HEAP, timed); }
