/* SPDX-License-Identifier: MIT
 *
 * Checks of optimizers that need no device: scalar(), advance(), check(), and names in the rules. */
#include "core/check/check.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { UPDATES = 1000, DRAWS = 60, SCALARS_MAX = 256 };
static const double LR = 0.01;

typedef int look_fn(lehr_checker *c, lh_subject *s);

static int each(lehr_checker *c, lh_place place, look_fn *look)
{
    int verdict = LEHR_CHECK_OK;
    if (!lh_check_copy(c)) return LEHR_CHECK_FAIL;
    if (c->optimizer_count == 0)
        return lh_verdict(c, LEHR_CHECK_SKIP, NULL, "the file holds no optimizer");
    for (uint32_t i = 0; i < c->optimizer_count && verdict == LEHR_CHECK_OK; i++) {
        lh_subject s;
        lh_opened opened = lh_subject_open(c, NULL, c->optimizers[i], (lh_wish){.place = place}, &s);
        verdict = opened == LH_OPENED
                      ? look(c, &s)
                      : lh_verdict(c, LEHR_CHECK_FAIL, NULL, "%s is refused: %s",
                                   lh_str_text(&s.text), s.host.message);
        lh_subject_close(&s);
    }
    return verdict;
}

static const char *scalar_name(const lh_subject *s, uint32_t i)
{
    return ((const char *const *)s->optimizer->scalars.at)[i];
}

static int call_failed(lh_subject *s, const char *which, uint64_t t)
{
    return lh_verdict(s->c, LEHR_CHECK_FAIL, "refuse values in check(), before training starts",
                      "%s: %s fails at update %llu: %s", lh_str_text(&s->text), which,
                      (unsigned long long)t, s->host.message);
}

/* ---- names ---- */

/* Is name a word of code? */
static bool mentions(const char *code, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = code; at && (at = strstr(at, name)) != NULL; at++) {
        bool begins = at == code || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
        bool ends = !(isalnum((unsigned char)at[length]) || at[length] == '_');
        if (begins && ends) return true;
    }
    return false;
}

static bool used(const lehr_optimizer *d, const char *name)
{
    const lehr_pass *passes = d->passes.at;
    for (uint32_t i = 0; i < d->passes.count; i++) {
        const lehr_reduce *reduces = passes[i].reduces.at;
        if (mentions(passes[i].code, name)) return true;
        for (uint32_t k = 0; k < passes[i].reduces.count; k++)
            if (mentions(reduces[k].expr, name)) return true;
    }
    return mentions(d->enter_eval, name) || mentions(d->leave_eval, name);
}

/* What step() of a custom optimizer reads cannot be seen. */
static int unused(lehr_checker *c, lh_subject *s)
{
    const lehr_optimizer *d = s->optimizer;
    const lehr_slot *slots = d->slots.at;
    for (uint32_t i = 0; i < d->slots.count && !(d->flags & LEHR_O_CUSTOM); i++)
        if (!used(d, slots[i].name))
            return lh_verdict(c, LEHR_CHECK_WARN, "remove it, or use it",
                              "optimizer %s: no pass uses slot %s, which takes 4 bytes a weight",
                              d->name, slots[i].name);
    for (uint32_t i = 0; i < d->scalars.count && !(d->flags & LEHR_O_CUSTOM); i++)
        if (!used(d, scalar_name(s, i)))
            return lh_verdict(c, LEHR_CHECK_WARN, "remove it, or use it",
                              "optimizer %s: no pass uses scalar %s", d->name, scalar_name(s, i));
    return LEHR_CHECK_OK;
}

int lh_check_optimizers_unused(lehr_checker *c) { return each(c, LH_ON_HEAP, unused); }

/* ---- scalars ---- */

static bool any_scalar(const lehr_checker *c)
{
    for (uint32_t i = 0; i < c->optimizer_count; i++)
        if (c->optimizers[i]->scalar) return true;
    return false;
}

static int none_has(lehr_checker *c, const char *what)
{
    return lh_verdict(c, LEHR_CHECK_SKIP, NULL, "no optimizer has %s", what);
}

/* A number that is still what it was before, with two different ones, was not set. */
static int complete(lehr_checker *c, lh_subject *s)
{
    uint32_t n = s->optimizer->scalars.count;
    bool set[SCALARS_MAX] = {false};
    for (int round = 0; round < 2 && n; round++) {
        double mark = round ? 1.2345e-77 : -5.4321e77;
        for (uint32_t i = 0; i < n; i++) s->out[i] = mark;
        if (lh_call_advance(s, 1, LR) != LEHR_OK) return call_failed(s, "advance()", 1);
        if (lh_call_scalar(s, 1, LR) != LEHR_OK) return call_failed(s, "scalar()", 1);
        for (uint32_t i = 0; i < n && i < SCALARS_MAX; i++) set[i] = set[i] || s->out[i] != mark;
    }
    for (uint32_t i = 0; i < n && i < SCALARS_MAX; i++)
        if (!set[i])
            return lh_verdict(c, LEHR_CHECK_FAIL, "set every element of out[], in table order",
                              "%s: scalar() does not set %s (out[%u])", lh_str_text(&s->text),
                              scalar_name(s, i), (unsigned)i);
    return LEHR_CHECK_OK;
}

/* On the heap, and with the end of out[] at the end of a page. */
int lh_check_optimizers_scalars(lehr_checker *c)
{
    int verdict = each(c, LH_ON_HEAP, complete);
    return verdict == LEHR_CHECK_OK ? each(c, LH_OUT_FENCED, complete) : verdict;
}

static int finite_scalars(lh_subject *s, uint64_t t)
{
    for (uint32_t i = 0; i < s->optimizer->scalars.count; i++)
        if (!isfinite(s->out[i]))
            return lh_verdict(s->c, LEHR_CHECK_FAIL,
                              "mind t = 1, large t, and differences that become 0",
                              "%s: scalar %s is %g at update %llu", lh_str_text(&s->text),
                              scalar_name(s, i), s->out[i], (unsigned long long)t);
    for (uint32_t i = 0; i < s->state_count; i++)
        if (!isfinite(s->state[i]))
            return lh_verdict(s->c, LEHR_CHECK_FAIL, "keep the state finite",
                              "%s: state %s is %g after update %llu", lh_str_text(&s->text),
                              ((const lehr_var *)s->optimizer->state.at)[i].name, s->state[i],
                              (unsigned long long)t);
    return LEHR_CHECK_OK;
}

/* Updates 1 to count, then late ones, then a learning rate of 0. */
static int finite_updates(lh_subject *s, uint64_t count)
{
    static const uint64_t late[] = {10000, 1000000, (uint64_t)1 << 40};
    int verdict = LEHR_CHECK_OK;
    for (uint64_t i = 1; i <= count + LH_COUNT(late) + 1 && verdict == LEHR_CHECK_OK; i++) {
        uint64_t t = i <= count ? i : i <= count + LH_COUNT(late) ? late[i - count - 1] : i;
        double lr = i > count + LH_COUNT(late) ? 0 : LR;
        if (lh_call_advance(s, t, lr) != LEHR_OK) return call_failed(s, "advance()", t);
        if (lh_call_scalar(s, t, lr) != LEHR_OK) return call_failed(s, "scalar()", t);
        verdict = finite_scalars(s, t);
    }
    return verdict;
}

static int finite(lehr_checker *c, lh_subject *s)
{
    (void)c;
    return finite_updates(s, UPDATES);
}

int lh_check_optimizers_finite(lehr_checker *c) { return each(c, LH_ON_HEAP, finite); }

static int few(lehr_checker *c, lh_subject *s)
{
    (void)c;
    return finite_updates(s, 20);
}

int lh_check_optimizers_read_only(lehr_checker *c) { return each(c, LH_READ_ONLY, few); }
int lh_check_optimizers_inside(lehr_checker *c) { return each(c, LH_FENCED, few); }

/* Scalars of updates 1 to 200 forward, then backward, with the state of the first update. */
static int pure(lehr_checker *c, lh_subject *s)
{
    enum { COUNT = 200 };
    uint32_t n = s->optimizer->scalars.count;
    if (!n) return LEHR_CHECK_OK;
    double *first = lh_alloc(c->inner, (size_t)n * (COUNT + 1), sizeof *first);
    if (!first) return LEHR_CHECK_OK;
    int verdict = LEHR_CHECK_OK;
    lh_call_advance(s, 1, LR);
    for (uint64_t i = 1; i <= 2 * COUNT && verdict == LEHR_CHECK_OK; i++) {
        uint64_t t = i <= COUNT ? i : 2 * COUNT + 1 - i;
        if (lh_call_scalar(s, t, LR) != LEHR_OK) verdict = call_failed(s, "scalar()", t);
        if (i <= COUNT)
            memcpy(first + n * t, s->out, n * sizeof *first);
        else if (verdict == LEHR_CHECK_OK && !lh_same_bits(first + n * t, s->out, n))
            verdict = lh_verdict(c, LEHR_CHECK_FAIL,
                                 "compute scalars from t, p and the state; what must be remembered "
                                 "belongs into advance()",
                                 "%s: scalar() gives other numbers for update %llu the second time",
                                 lh_str_text(&s->text), (unsigned long long)t);
    }
    free(first);
    return verdict;
}

int lh_check_optimizers_pure(lehr_checker *c)
{
    int verdict = each(c, LH_ON_HEAP, pure);
    return verdict == LEHR_CHECK_OK && !any_scalar(c) ? none_has(c, "scalars") : verdict;
}

/* ---- state ---- */

/* Updates from..to; the last scalars and the state are in s. */
static int updates(lh_subject *s, uint64_t from, uint64_t to)
{
    for (uint64_t t = from; t <= to; t++) {
        if (lh_call_advance(s, t, LR / (double)t) != LEHR_OK) return call_failed(s, "advance()", t);
        if (lh_call_scalar(s, t, LR / (double)t) != LEHR_OK) return call_failed(s, "scalar()", t);
    }
    return LEHR_CHECK_OK;
}

static int same_again(lh_subject *s, lh_subject *other, const char *what)
{
    if (lh_same_bits(s->state, other->state, s->state_count) &&
        lh_same_bits(s->out, other->out, s->optimizer->scalars.count))
        return LEHR_CHECK_OK;
    return lh_verdict(s->c, LEHR_CHECK_FAIL,
                      "keep everything that is remembered in the state, not in self or in static "
                      "variables",
                      "%s: %s", lh_str_text(&s->text), what);
}

static int replayed(lehr_checker *c, lh_subject *s)
{
    lh_subject other;
    if (lh_subject_open(c, NULL, s->optimizer, (lh_wish){0}, &other) != LH_OPENED) {
        lh_subject_close(&other);
        return LEHR_CHECK_OK;
    }
    int verdict = updates(s, 1, 100);
    if (verdict == LEHR_CHECK_OK) verdict = updates(&other, 1, 100);
    if (verdict == LEHR_CHECK_OK)
        verdict = same_again(s, &other, "the same updates lead to another state the second time");
    lh_subject_close(&other);
    return verdict;
}

static int resumed(lehr_checker *c, lh_subject *s)
{
    lh_subject other;
    int verdict = updates(s, 1, 50);
    if (lh_subject_open(c, NULL, s->optimizer, (lh_wish){0}, &other) == LH_OPENED) {
        if (verdict == LEHR_CHECK_OK) verdict = lh_subject_hand_over(s, &other);
        if (verdict == LEHR_CHECK_OK) verdict = updates(s, 51, 100);
        if (verdict == LEHR_CHECK_OK) verdict = updates(&other, 51, 100);
        if (verdict == LEHR_CHECK_OK)
            verdict = same_again(s, &other, "updates that go on from saved state differ");
    }
    lh_subject_close(&other);
    return verdict;
}

static int each_with_state(lehr_checker *c, look_fn *look)
{
    bool any = false;
    if (!lh_check_copy(c)) return LEHR_CHECK_FAIL;
    for (uint32_t i = 0; i < c->optimizer_count; i++) any = any || c->optimizers[i]->advance;
    if (!any && !any_scalar(c)) return none_has(c, "advance() or scalars");
    return each(c, LH_ON_HEAP, look);
}

int lh_check_optimizers_advance(lehr_checker *c) { return each_with_state(c, replayed); }
int lh_check_optimizers_resume(lehr_checker *c) { return each_with_state(c, resumed); }

/* ---- check() and ranges ---- */

static int drawn(lehr_checker *c, const lehr_optimizer *d, lh_draw draw)
{
    lh_subject s;
    int verdict = LEHR_CHECK_OK;
    lh_opened opened = lh_subject_open(c, NULL, d, (lh_wish){.draw = draw}, &s);
    if (opened == LH_OPENED)
        verdict = finite_updates(&s, 20);
    else if (opened == LH_REFUSED && !s.host.message[0])
        verdict = lh_verdict(c, LEHR_CHECK_WARN, "return host->fail(host, LEHR_E_PARAM, \"…\")",
                             "%s is refused without a sentence", lh_str_text(&s.text));
    lh_subject_close(&s);
    return verdict;
}

int lh_check_optimizers_ranges(lehr_checker *c)
{
    int verdict = LEHR_CHECK_OK;
    if (!lh_check_copy(c)) return LEHR_CHECK_FAIL;
    for (uint32_t i = 0; i < c->optimizer_count; i++) {
        const lehr_optimizer *d = c->optimizers[i];
        uint32_t bounds = lh_draw_bounds(&d->params);
        for (uint32_t k = 0; k < bounds + DRAWS && verdict == LEHR_CHECK_OK; k++)
            verdict = drawn(c, d, k < bounds ? (lh_draw){LH_DRAW_BOUND, k}
                                             : (lh_draw){LH_DRAW_RANDOM, k - bounds});
    }
    return verdict;
}
