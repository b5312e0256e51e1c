/* SPDX-License-Identifier: MIT
 *
 * What the tests of schedules share: a registry, the budget they run in, values of an expression. */
#ifndef LEHR_TEST_PLUGIN_SCHEDULE_RIG_H
#define LEHR_TEST_PLUGIN_SCHEDULE_RIG_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/base.h"
#include <lehr/schedule.h>

static lehr_context *ctx;
static lehr_registry *reg;
static char warned[1024];

static inline void on_log(void *user, uint32_t level, const char *line)
{
    (void)user;
    if (level == LEHR_LOG_WARN) snprintf(warned, sizeof warned, "%s", line);
}

static inline void setup(void)
{
    lehr_context_params params = {.log = on_log};
    lehr_context_create(&params, &ctx);
    cr_assert_eq(lehr_registry_create(ctx, NULL, &reg), LEHR_OK, "%s", lehr_context_message(ctx));
}

static inline void teardown(void)
{
    lehr_registry_destroy(&reg);
    lehr_context_destroy(&ctx);
}

/* 25 epochs of 391 updates of 128 samples. */
enum { EPOCH = 391, TOTAL = 25 * EPOCH, POINTS = 10000 };
#define BASE 0.1
static const lehr_budget budget = {BASE, EPOCH, TOTAL, 128, 1};

static inline lehr_scheduler *make(const char *text)
{
    lehr_scheduler *s = NULL;
    cr_assert_eq(lehr_scheduler_create(ctx, reg, text, &budget, &s), LEHR_OK, "'%s': %s", text,
                 lehr_context_message(ctx));
    return s;
}

static inline double at(lehr_scheduler *s, uint64_t step)
{
    double value = -1;
    cr_assert_eq(lehr_scheduler_value(s, step, &value), LEHR_OK, "%s", lehr_context_message(ctx));
    return value;
}

/* Creating it must fail with this code and a message that holds part. */
static inline void refuses(const char *text, lehr_status code, const char *part)
{
    lehr_scheduler *s = NULL;
    lehr_status st = lehr_scheduler_create(ctx, reg, text, &budget, &s);
    cr_expect_eq(st, code, "'%s': %d", text, (int)st);
    cr_expect(strstr(lehr_context_message(ctx), part), "'%s': '%s' lacks '%s'", text,
              lehr_context_message(ctx), part);
    lehr_scheduler_destroy(&s);
}

/* The canonical text of an expression reads back as one with the same text and the same bits. */
static inline void reads_back(lehr_scheduler *s, const char *text)
{
    lehr_scheduler *copy = NULL;
    lehr_status st = lehr_scheduler_create(ctx, reg, lehr_scheduler_text(s), &budget, &copy);
    cr_assert_eq(st, LEHR_OK, "'%s' became '%s': %s", text, lehr_scheduler_text(s),
                 lehr_context_message(ctx));
    cr_assert(strcmp(lehr_scheduler_text(s), lehr_scheduler_text(copy)) == 0, "'%s': '%s'", text,
              lehr_scheduler_text(copy));
    for (uint64_t step = 0; step < TOTAL + 3000; step += 173) {
        double a = -1, b = -2;
        lehr_status first = lehr_scheduler_value(s, step, &a);
        lehr_status second = lehr_scheduler_value(copy, step, &b);
        cr_assert(first == second && memcmp(&a, &b, sizeof a) == 0, "'%s' at %lu: %a, then %a",
                  text, (unsigned long)step, a, b);
    }
    lehr_scheduler_destroy(&copy);
}

#endif
