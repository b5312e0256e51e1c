/* SPDX-License-Identifier: MIT
 *
 * What looks wrong with a schedule before anything is trained: values that stop a run, a rate of 0,
 * an end that is never reached, jumps, a scale that the user may not have meant. */
#include "core/plugin/scheduler.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { UPDATES_MAX = 200000 }; /* longer runs are looked at in even steps */

typedef struct review {
    lehr_scheduler *s;
    lehr_review_fn say;
    void *user;
    double largest, last;
    uint64_t seen, zeros_first, zeros_last, refused, jumps, jump_at;
    double jump_from, jump_to;
    bool fell;
} review;

static void say(review *r, const char *fmt, ...) LH_PRINTF(2, 3);
static void say(review *r, const char *fmt, ...)
{
    char line[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    r->say(r->user, line);
}

/* A jump is a rise by a fifth between two updates after the value has fallen. */
static void take(review *r, uint64_t step, double value)
{
    bool zero = !(value > 0);
    if (zero && r->zeros_first == r->seen) r->zeros_first++;
    r->zeros_last = zero ? r->zeros_last + 1 : 0;
    if (value > r->largest) r->largest = value;
    if (r->seen && value < r->last) r->fell = true;
    if (r->fell && value > 1.2 * r->last && value > 0.01 * r->largest) {
        if (r->jumps++ == 0) {
            r->jump_at = step;
            r->jump_from = r->last;
            r->jump_to = value;
        }
    }
    r->last = value;
    r->seen++;
}

static void look(review *r, uint64_t total)
{
    uint64_t stride = total / UPDATES_MAX + 1;
    for (uint64_t step = 0; step < total; step += stride) {
        double value = 0;
        if (lehr_scheduler_value(r->s, step, &value) == LEHR_OK)
            take(r, step, value);
        else if (r->refused++ == 0)
            say(r, "%s; training would stop there", lehr_context_message(r->s->ctx));
    }
}

static void review_scale(review *r)
{
    double base = r->s->budget.base;
    if (!(r->largest > 0))
        say(r, "the value is 0 all the time");
    else if (r->largest > 2 * base || r->largest < base / 2)
        say(r, "the largest value is %.4g, %.3g times the base %.4g; beside an arrow and with %% "
               "stand multiples of the base, everywhere else absolute values",
            r->largest, r->largest / base, base);
}

static void review_zeros(review *r)
{
    if (!(r->largest > 0)) return;
    if (r->zeros_first)
        say(r, "the first %llu update%s at 0 and change%s nothing",
            (unsigned long long)r->zeros_first, r->zeros_first == 1 ? " is made" : "s are made",
            r->zeros_first == 1 ? "s" : "");
    if (r->zeros_last * 20 > r->seen)
        say(r, "the value is 0 for the last %.0f%% of the budget",
            100.0 * (double)r->zeros_last / (double)r->seen);
}

/* A part whose end was given but is not even approached while it runs. */
static void review_end(review *r, const lh_schedule_part *part)
{
    const lehr_param *params = lh_params(&part->d->params);
    const lehr_budget *b = &r->s->budget;
    uint32_t at = 0;
    while (at < part->binding.count &&
           (strcmp(params[at].name, "end") != 0 || params[at].kind != LEHR_VALUE))
        at++;
    if (at == part->binding.count || !part->binding.given[at] || part->total == 0) return;
    double end = part->binding.p[at], nearest = INFINITY;
    uint64_t stride = part->total / UPDATES_MAX + 1;
    for (uint64_t step = 0; step <= part->total; step += stride) {
        double value = lh_part_value(r->s, part, step < part->total ? step : part->total);
        double gap = fabs(value - end);
        if (gap < nearest) nearest = gap;
    }
    if (nearest > 0.01 * fmax(b->base, end))
        say(r, "%s never reaches its end %.4g: it stays %.4g away in its %llu updates", part->text,
            end, nearest, (unsigned long long)part->total);
}

lehr_status lehr_scheduler_review(lehr_scheduler *s, lehr_review_fn fn, void *user)
{
    review r = {.s = s, .say = fn, .user = user};
    lh_enter(s->ctx);
    if (s->budget.total_steps == 0)
        return lh_fail(s->ctx, LEHR_E_PARAM, "a review needs a run of known length");
    look(&r, s->budget.total_steps);
    lh_enter(s->ctx); /* what was refused has been said */
    review_scale(&r);
    review_zeros(&r);
    if (r.jumps)
        say(&r, "after falling it jumps up %llu time%s, first from %.4g to %.4g at update %llu",
            (unsigned long long)r.jumps, r.jumps == 1 ? "" : "s", r.jump_from, r.jump_to,
            (unsigned long long)r.jump_at);
    for (uint32_t i = 0; i < s->part_count; i++) review_end(&r, &s->parts[i]);
    return LEHR_OK;
}
