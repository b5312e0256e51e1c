/* SPDX-License-Identifier: MIT
 *
 * Values for parameters: at their bounds, or random within their ranges.  A draw depends on its
 * number only, so a finding can be repeated. */
#include "core/check/check.h"

#include <math.h>

#include "core/base/philox.h"

enum { SEED = 20260, MEMBERS_MAX = 4 };

static double uniform(uint32_t number, uint32_t index, uint32_t part)
{
    return (double)lh_philox_draw(SEED, number, index, part).v[0] / 4294967296.0;
}

static bool unbounded(double bound) { return fabs(bound) >= LEHR_ANY; }

/* Into the range, and off a bound that is not part of it. */
static double clamp(const lehr_param *p, double value)
{
    bool low = unbounded(p->min), high = unbounded(p->max);
    double width = low || high ? 1 : p->max - p->min;
    double nudge = p->kind == LEHR_INT || p->kind == LEHR_DURATION ? 1 : 1e-6 * width;
    if (!low && value < p->min) value = p->min;
    if (!high && value > p->max) value = p->max;
    if (!low && value == p->min && (p->flags & LEHR_P_OPEN_MIN)) value += nudge;
    if (!high && value == p->max && (p->flags & LEHR_P_OPEN_MAX)) value -= nudge;
    return value;
}

static double choices_of(const lehr_param *p)
{
    size_t count = 0;
    while (p->choices && p->choices[count]) count++;
    return (double)count;
}

static double draw_number(const lehr_param *p, double now, double u, double v)
{
    double width = p->max - p->min;
    if (unbounded(now)) return now;
    if (!unbounded(p->min) && !unbounded(p->max) && width <= 1000) return p->min + u * width;
    double size = now != 0 ? fabs(now) : 0.01;
    double value = size * pow(10, 2 * u - 1);
    return p->min < 0 && v < 0.5 ? -value : value;
}

static double draw_one(const lehr_param *p, const lehr_budget *budget, double now, double u,
                       double v)
{
    double total = budget ? (double)budget->total_steps : 0, base = budget ? budget->base : 1;
    switch (p->kind) {
    case LEHR_BOOL: return u < 0.5 ? 0 : 1;
    case LEHR_CHOICE: return floor(u * choices_of(p));
    case LEHR_DURATION: return clamp(p, 1 + floor(u * total * ((p->flags & LEHR_P_PHASE) ? 1 : 1.2)));
    case LEHR_VALUE: return clamp(p, v < 0.2 ? 0 : base * pow(10, -3 * u));
    case LEHR_INT: return clamp(p, floor(draw_number(p, now, u, v) + 0.5));
    default: return clamp(p, draw_number(p, now, u, v));
    }
}

/* Members in ascending order, as lists of durations are typed. */
static void draw_list(const lehr_param *p, const lehr_budget *budget, uint32_t number,
                      uint32_t index, lh_binding *b)
{
    uint32_t count = b->lists[index].count;
    double *members = b->pools[index];
    for (uint32_t k = 0; k < count; k++) {
        double value = draw_one(p, budget, members[k], uniform(number, index, 2 * k + 2),
                                uniform(number, index, 2 * k + 3));
        uint32_t at = k;
        for (; p->kind == LEHR_DURATION && at > 0 && members[at - 1] > value; at--)
            members[at] = members[at - 1];
        members[at] = value;
    }
}

static double bound_of(const lehr_param *p, const lehr_budget *budget, bool upper, double now)
{
    double bound = upper ? p->max : p->min;
    if (p->kind == LEHR_CHOICE) return upper ? choices_of(p) - 1 : 0;
    if (p->kind == LEHR_DURATION && upper && unbounded(bound))
        return (double)budget->total_steps * ((p->flags & LEHR_P_PHASE) ? 1 : 10);
    if (p->kind == LEHR_VALUE && upper && unbounded(bound)) return budget->base;
    return unbounded(bound) ? now : clamp(p, bound);
}

void lh_draw_apply(lh_draw draw, const lehr_span *params, const lehr_budget *budget, lh_binding *b)
{
    const lehr_param *rows = lh_params(params);
    for (uint32_t i = 0; i < params->count && draw.kind == LH_DRAW_RANDOM; i++) {
        /* Not every draw moves every parameter: defaults are usual. */
        if (uniform(draw.number, i, 0) < 0.3) continue;
        if (rows[i].flags & LEHR_P_LIST)
            draw_list(&rows[i], budget, draw.number, i, b);
        else
            b->p[i] = draw_one(&rows[i], budget, b->p[i], uniform(draw.number, i, 1),
                               uniform(draw.number, i, 2));
    }
    uint32_t i = draw.number / 2;
    if (draw.kind != LH_DRAW_BOUND || i >= params->count) return;
    bool upper = draw.number % 2 != 0;
    if (!(rows[i].flags & LEHR_P_LIST))
        b->p[i] = bound_of(&rows[i], budget, upper, b->p[i]);
    else if (b->lists[i].count == 1)
        b->pools[i][0] = bound_of(&rows[i], budget, upper, b->pools[i][0]);
}
