/* SPDX-License-Identifier: MIT
 *
 * Checks of optimizers on a device: what a rule does to an arena of known numbers. */
#include "core/check/rig.h"
#include "core/plugin/opaque.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { UPDATES = 6, LONG = 30, DESCENT = 200, CHOICES_MAX = 24 };

typedef int look_fn(lehr_checker *c, const lehr_optimizer *d);

static int each(lehr_checker *c, bool elementwise_only, look_fn *look)
{
    int verdict = LEHR_CHECK_OK;
    bool any = !elementwise_only;
    if (!lh_check_copy(c)) return LEHR_CHECK_FAIL;
    if (c->optimizer_count == 0)
        return lh_verdict(c, LEHR_CHECK_SKIP, NULL, "the file holds no optimizer");
    for (uint32_t i = 0; i < c->optimizer_count && verdict == LEHR_CHECK_OK; i++) {
        if (elementwise_only && !lh_rig_elementwise(c->optimizers[i])) continue;
        any = true;
        verdict = look(c, c->optimizers[i]);
    }
    return any ? verdict
               : lh_verdict(c, LEHR_CHECK_SKIP, NULL, "every rule of it sums over weights");
}

static const char *text(const lh_rig *t) { return lh_str_text(&t->subject.text); }

/* Closes t and hands its verdict on. */
static int ended(lh_rig *t, int verdict)
{
    lehr_checker *c = t->c;
    lh_rig_close(t);
    return verdict == LEHR_CHECK_OK ? LEHR_CHECK_OK : c->out->verdict;
}

/* For a function that gave false after a verdict. */
static int stopped(lh_rig *t) { return ended(t, LEHR_CHECK_FAIL); }

static int finite_weights(lh_rig *t, const char *when, const char *remedy)
{
    for (uint32_t i = 0; i < LH_RIG_ARENA; i++)
        if (lh_rig_in_tensor(i) && !isfinite(t->w[i]))
            return lh_verdict(t->c, LEHR_CHECK_FAIL, remedy, "%s: a weight is %g %s", text(t),
                              (double)t->w[i], when);
    return LEHR_CHECK_OK;
}

/* ---- compiling ---- */

static int compile_as(lehr_checker *c, const lehr_optimizer *d, int family)
{
    lh_rig t;
    bool ok = lh_rig_open(c, d, NULL, family, LH_TWO_GROUPS, false, &t);
    return ok ? ended(&t, LEHR_CHECK_OK) : stopped(&t);
}

static int compile(lehr_checker *c, const lehr_optimizer *d) { return compile_as(c, d, 0); }
static int compile_gpu(lehr_checker *c, const lehr_optimizer *d) { return compile_as(c, d, 1); }
int lh_check_device_compiles(lehr_checker *c) { return each(c, false, compile); }
int lh_check_device_compiles_gpu(lehr_checker *c) { return each(c, false, compile_gpu); }

/* One parameter at one of its words. */
static int compile_choice(lehr_checker *c, const lehr_optimizer *d, uint32_t param, double value)
{
    lh_subject s;
    lh_str spec = {0};
    int verdict = LEHR_CHECK_OK;
    if (lh_subject_open(c, NULL, d, (lh_wish){0}, &s) == LH_OPENED) {
        lh_table table = {.kind = "optimizer", .name = d->name, .params = d->params};
        s.binding.p[param] = value;
        lh_binding_text(&table, &s.binding, &spec);
    }
    lh_subject_close(&s);
    if (spec.text) {
        lh_rig t;
        bool ok = lh_rig_open(c, d, lh_str_text(&spec), 0, LH_TWO_GROUPS, false, &t) &&
                  lh_rig_run(&t, 1, 2);
        verdict = ok ? finite_weights(&t, "after two updates", NULL) : c->out->verdict;
        if (verdict == LEHR_CHECK_SKIP) { /* a combination that check() refuses */
            *c->out = (lehr_check_result){.verdict = LEHR_CHECK_OK};
            verdict = LEHR_CHECK_OK;
        }
        lh_rig_close(&t);
    }
    lh_str_free(&spec);
    return verdict;
}

static int choices(lehr_checker *c, const lehr_optimizer *d)
{
    int verdict = LEHR_CHECK_OK;
    uint32_t tried = 0;
    for (uint32_t i = 0; i < d->params.count; i++) {
        const lehr_param *p = &lh_params(&d->params)[i];
        double count = p->kind == LEHR_BOOL ? 2 : 0;
        while (p->kind == LEHR_CHOICE && p->choices[(size_t)count]) count++;
        for (double v = 0; v < count && tried < CHOICES_MAX && verdict == LEHR_CHECK_OK; v++) {
            if (v == p->def) continue;
            tried++;
            verdict = compile_choice(c, d, i, v);
        }
    }
    return verdict;
}

int lh_check_device_choices(lehr_checker *c) { return each(c, false, choices); }

/* ---- finite ---- */

static int finite(lehr_checker *c, const lehr_optimizer *d)
{
    lh_rig t;
    bool ok = lh_rig_open(c, d, NULL, 0, LH_TWO_GROUPS, false, &t) && lh_rig_run(&t, 1, LONG);
    return ok ? ended(&t, finite_weights(&t, "after 30 updates with gradients between -1 and 1",
                                         "keep quotients and powers within what float holds"))
              : stopped(&t);
}

static int zero_gradient(lehr_checker *c, const lehr_optimizer *d)
{
    lh_rig t;
    bool ok = lh_rig_open(c, d, NULL, 0, LH_TWO_GROUPS, false, &t);
    for (uint64_t n = 1; n <= UPDATES && ok; n++) {
        lh_rig_gradient(&t, n, 0);
        ok = lh_rig_step(&t, n);
    }
    ok = ok && lh_rig_get(&t, t.weights, t.w);
    return ok ? ended(&t, finite_weights(&t, "after gradients of 0",
                                         "add eps to what is divided by; 0 / 0 is NaN"))
              : stopped(&t);
}

int lh_check_device_finite(lehr_checker *c) { return each(c, false, finite); }
int lh_check_device_zero_gradient(lehr_checker *c) { return each(c, false, zero_gradient); }

/* ---- the same bits ---- */

typedef struct snapshot {
    float w[LH_RIG_ARENA];
} snapshot;

/* Weights after UPDATES, by the number that stands there. */
static bool outcome(lehr_checker *c, const lehr_optimizer *d, int family, lh_cut cut, bool permuted,
                    uint32_t spoilt, snapshot *out)
{
    lh_rig t;
    bool ok = lh_rig_open(c, d, NULL, family, cut, permuted, &t);
    for (uint64_t n = 1; n <= UPDATES && ok; n++) {
        lh_rig_gradient(&t, n, 1);
        if (spoilt && n == 2) {
            t.g[LH_RIG_FIRST + spoilt] = NAN;
            t.g[LH_RIG_VECTOR_AT + spoilt] = INFINITY;
            t.g[LH_RIG_BIAS_AT + spoilt] = -INFINITY;
        }
        ok = lh_rig_step(&t, n);
    }
    ok = ok && lh_rig_get(&t, t.weights, t.w);
    for (uint32_t i = 0; i < LH_RIG_ARENA && ok; i++) out->w[t.ids[i]] = t.w[i];
    lh_rig_close(&t);
    return ok;
}

typedef struct variation {
    int family;
    lh_cut cut;
    bool permuted;
    uint32_t spoilt;
    const char *what, *remedy;
} variation;

/* Numbers that are compared: those that belong to a tensor in both orders, and have gradients that are
 * finite. */
static bool compared(const variation *v, uint32_t id)
{
    enum { INVERSE = 7265 }; /* 4001 x 7265 = 1 modulo 9216: where the number stands */
    uint32_t place = v->permuted ? (uint32_t)((uint64_t)id * INVERSE % LH_RIG_ARENA) : id;
    if (!lh_rig_in_tensor(place)) return false;
    bool spoilt = v->spoilt && (id == LH_RIG_FIRST + v->spoilt || id == LH_RIG_VECTOR_AT + v->spoilt ||
                                id == LH_RIG_BIAS_AT + v->spoilt);
    return lh_rig_in_tensor(id) && !spoilt;
}

static int same_as_plain(lehr_checker *c, const lehr_optimizer *d, const variation *v)
{
    snapshot *both = lh_alloc(c->inner, 2, sizeof *both);
    int verdict = LEHR_CHECK_OK;
    if (!both) return verdict;
    if (!outcome(c, d, 0, LH_TWO_GROUPS, false, 0, &both[0]) ||
        !outcome(c, d, v->family, v->cut, v->permuted, v->spoilt, &both[1]))
        verdict = c->out->verdict;
    uint32_t wrong = 0, first = 0;
    for (uint32_t i = 0; i < LH_RIG_ARENA && verdict == LEHR_CHECK_OK; i++) {
        double a = (double)both[0].w[i], b = (double)both[1].w[i];
        bool same = v->family ? fabs(a - b) <= 1e-5 * (fabs(a) + 0.1)
                              : memcmp(&both[0].w[i], &both[1].w[i], 4) == 0;
        if (same || !compared(v, i)) continue;
        if (!wrong++) first = i;
    }
    if (wrong)
        verdict = lh_verdict(c, LEHR_CHECK_FAIL, v->remedy,
                             "optimizer %s: %u weights differ %s: %.9g and %.9g", d->name,
                             (unsigned)wrong, v->what, (double)both[0].w[first],
                             (double)both[1].w[first]);
    free(both);
    return verdict;
}

#define SAME(NAME, ONLY_ELEMENTWISE, ...)                                                          \
    static int NAME(lehr_checker *c, const lehr_optimizer *d)                                      \
    {                                                                                              \
        const variation v = {__VA_ARGS__};                                                         \
        return same_as_plain(c, d, &v);                                                            \
    }                                                                                              \
    int lh_check_device_##NAME(lehr_checker *c) { return each(c, ONLY_ELEMENTWISE, NAME); }

static const char unset[] = "give every variable a value before it is read";
SAME(repeatable, false, 0, LH_TWO_GROUPS, false, 0, "from one run to the next", unset)
SAME(permutation, true, 0, LH_TWO_GROUPS, true, 0, "when they stand elsewhere", unset)
SAME(split, true, 0, LH_ONE_GROUP, false, 0, "when the groups are cut otherwise", unset)
SAME(non_finite, true, 0, LH_TWO_GROUPS, false, 11, "beside one whose gradient is not finite", unset)
SAME(families, true, 1, LH_TWO_GROUPS, false, 0, "between the kernels for CPUs and for GPUs", unset)

/* ---- what must not change ---- */

static int kept(lehr_checker *c, const lehr_optimizer *d)
{
    lh_rig t;
    float *before = lh_alloc(c->inner, LH_RIG_ARENA, sizeof *before);
    bool ok = before && lh_rig_open(c, d, NULL, 0, LH_TWO_GROUPS, false, &t);
    if (!before) return LEHR_CHECK_OK;
    if (ok) memcpy(before, t.w, LH_RIG_ARENA * sizeof *before);
    ok = ok && lh_rig_run(&t, 1, UPDATES);
    int verdict = ok ? LEHR_CHECK_OK : c->out->verdict;
    for (uint32_t i = 0; i < LH_RIG_ARENA && verdict == LEHR_CHECK_OK; i++)
        if ((i < LH_RIG_FIRST || i >= LH_RIG_LAST) && memcmp(&before[i], &t.w[i], 4) != 0)
            verdict = lh_verdict(c, LEHR_CHECK_FAIL, "write to w and to slots only",
                                 "%s: a number outside the groups changes", text(&t));
    lh_rig_gradient(&t, UPDATES, 1);
    memcpy(before, t.g, LH_RIG_ARENA * sizeof *before);
    if (verdict == LEHR_CHECK_OK && lh_rig_get(&t, t.gradients, t.g) &&
        memcmp(before, t.g, LH_RIG_ARENA * sizeof *before) != 0)
        verdict = lh_verdict(c, LEHR_CHECK_FAIL, "copy g into a variable of your own",
                             "%s changes the gradient", text(&t));
    free(before);
    return ended(&t, verdict);
}

/* With the halt flag up weights and slots keep their bits. */
static int halted(lehr_checker *c, const lehr_optimizer *d)
{
    lh_rig t;
    snapshot *before = lh_alloc(c->inner, LH_RIG_SLOTS + 1, sizeof *before);
    if (!before) return LEHR_CHECK_OK;
    bool ok = lh_rig_open(c, d, NULL, 0, LH_TWO_GROUPS, false, &t) && lh_rig_run(&t, 1, 2);
    uint32_t slots = ok ? lh_updater_slot_count(t.updater) : 0;
    if (slots > LH_RIG_SLOTS) slots = LH_RIG_SLOTS;
    if (ok) memcpy(before[0].w, t.w, sizeof before[0].w);
    for (uint32_t i = 0; i < slots && ok; i++)
        ok = lh_rig_get(&t, lh_updater_slot(t.updater, i), before[i + 1].w);
    ok = ok && lh_rig_control(&t, 1, 1);
    if (ok) lh_rig_gradient(&t, 3, 1);
    ok = ok && lh_rig_step(&t, 3) && lh_rig_get(&t, t.weights, t.w);
    bool same = ok && memcmp(before[0].w, t.w, sizeof before[0].w) == 0;
    for (uint32_t i = 0; i < slots && ok; i++) {
        ok = lh_rig_get(&t, lh_updater_slot(t.updater, i), t.w);
        same = same && ok && memcmp(before[i + 1].w, t.w, sizeof before[0].w) == 0;
    }
    free(before);
    int verdict = ok ? LEHR_CHECK_OK : c->out->verdict;
    if (ok && !same)
        verdict = lh_verdict(c, LEHR_CHECK_FAIL, "leave the halt flag to the host",
                             "%s changes weights or slots although training was halted", text(&t));
    return ended(&t, verdict);
}

int lh_check_device_kept(lehr_checker *c) { return each(c, false, kept); }
int lh_check_device_halt(lehr_checker *c) { return each(c, false, halted); }

/* ---- going on ---- */

/* Slots and state of one updater into another. */
static bool transfer(lh_rig *from, lh_rig *to)
{
    double state[64];
    bool ok = lh_rig_get(from, from->weights, from->w) && lh_rig_put(to, to->weights, from->w);
    for (uint32_t i = 0; i < lh_updater_slot_count(from->updater) && ok; i++)
        ok = lh_rig_get(from, lh_updater_slot(from->updater, i), from->g) &&
             lh_rig_put(to, lh_updater_slot(to->updater, i), from->g);
    if (lh_updater_state_count(from->updater) <= LH_COUNT(state)) {
        lh_updater_get_state(from->updater, state);
        lh_updater_set_state(to->updater, state);
    }
    const lh_keeper *a = lh_updater_keeper(from->updater), *b = lh_updater_keeper(to->updater);
    if (ok && a->opaque.size && b->opaque.size) {
        lh_bytes bytes;
        ok = lh_keeper_save(a, &bytes) == LEHR_OK &&
             lh_keeper_load(b, bytes.at, bytes.count, a->opaque.version) == LEHR_OK;
        free(bytes.at);
        if (!ok)
            lh_verdict(from->c, LEHR_CHECK_FAIL, "let load() of lehr.state/1 take all that save() writes",
                       "%s", lehr_context_message(from->c->inner));
    }
    return ok;
}

static int resumed(lehr_checker *c, const lehr_optimizer *d)
{
    lh_rig whole, again;
    bool ok = lh_rig_open(c, d, NULL, 0, LH_TWO_GROUPS, false, &whole);
    ok = lh_rig_open(c, d, NULL, 0, LH_TWO_GROUPS, false, &again) && ok;
    ok = ok && lh_rig_run(&whole, 1, 3) && transfer(&whole, &again) &&
         lh_rig_run(&whole, 4, UPDATES) && lh_rig_run(&again, 4, UPDATES);
    int verdict = ok ? LEHR_CHECK_OK : c->out->verdict;
    if (ok && memcmp(whole.w, again.w, LH_RIG_ARENA * sizeof *whole.w) != 0)
        verdict = lh_verdict(c, LEHR_CHECK_FAIL,
                             "keep all that an update depends on in slots of kind STATE and in the "
                             "state",
                             "%s: training that goes on from saved slots has other weights",
                             text(&whole));
    lh_rig_close(&again);
    return ended(&whole, verdict);
}

int lh_check_device_resume(lehr_checker *c) { return each(c, false, resumed); }

/* Into the weights for evaluation and back. */
static int evaluated(lehr_checker *c, const lehr_optimizer *d)
{
    lh_rig t;
    float *before = lh_alloc(c->inner, LH_RIG_ARENA, sizeof *before);
    if (!before) return LEHR_CHECK_OK;
    bool ok = lh_rig_open(c, d, NULL, 0, LH_TWO_GROUPS, false, &t) && lh_rig_run(&t, 1, UPDATES);
    int verdict = ok ? LEHR_CHECK_OK : c->out->verdict;
    if (ok && lh_updater_has_eval(t.updater)) {
        memcpy(before, t.w, LH_RIG_ARENA * sizeof *before);
        ok = lh_updater_enter_eval(t.updater, UPDATES, t.control) == LEHR_OK &&
             lh_rig_get(&t, t.weights, t.w);
        if (ok) verdict = finite_weights(&t, "for evaluation", NULL);
        ok = ok && lh_updater_leave_eval(t.updater, UPDATES, t.control) == LEHR_OK &&
             lh_rig_get(&t, t.weights, t.w);
        for (uint32_t i = 0; i < LH_RIG_ARENA && ok && verdict == LEHR_CHECK_OK; i++)
            if (!(fabsf(before[i] - t.w[i]) <= 1e-5f * (fabsf(before[i]) + 0.1f)))
                verdict = lh_verdict(c, LEHR_CHECK_FAIL, "let leave_eval undo enter_eval",
                                     "%s: after an evaluation a weight is %.9g instead of %.9g",
                                     text(&t), (double)t.w[i], (double)before[i]);
        if (!ok)
            verdict = lh_verdict(c, LEHR_CHECK_FAIL, NULL, "%s: %s", text(&t),
                                 lehr_context_message(c->inner));
    }
    free(before);
    return ended(&t, verdict);
}

int lh_check_device_evaluation(lehr_checker *c) { return each(c, false, evaluated); }

/* ---- precision and purpose ---- */

/* Rules that look at signs may part where a number passes 0, so a few weights are let off. */
static int as_in_double(lehr_checker *c, const lehr_optimizer *d)
{
    lh_rig t;
    const char *reason = "memory is short";
    double *want = lh_alloc(c->inner, 2 * LH_RIG_ARENA, sizeof *want), *start = NULL;
    if (!want) return LEHR_CHECK_OK;
    start = want + LH_RIG_ARENA;
    bool ok = lh_rig_open(c, d, NULL, 0, LH_TWO_GROUPS, false, &t);
    for (uint32_t i = 0; i < LH_RIG_ARENA && ok; i++) want[i] = start[i] = (double)t.w[i];
    int verdict = ok ? LEHR_CHECK_OK : c->out->verdict;
    if (ok && !lh_rig_reference(&t, UPDATES, want, &reason))
        verdict = lh_verdict(c, LEHR_CHECK_SKIP, NULL, "optimizer %s: %s", d->name, reason);
    else if (ok && !lh_rig_run(&t, 1, UPDATES))
        verdict = c->out->verdict;
    double moved = 0, worst = 0;
    uint32_t wrong = 0, count = 0;
    for (uint32_t i = 0; i < LH_RIG_ARENA && verdict == LEHR_CHECK_OK; i++)
        if (lh_rig_in_tensor(i)) moved += fabs(want[i] - start[i]);
    moved /= LH_RIG_MATRIX + LH_RIG_VECTOR + LH_RIG_BIAS;
    for (uint32_t i = 0; i < LH_RIG_ARENA && verdict == LEHR_CHECK_OK; i++) {
        if (!lh_rig_in_tensor(i)) continue;
        double error = fabs(want[i] - (double)t.w[i]);
        count++;
        if (error <= 1e-3 * moved + 1e-6 * fabs(want[i])) continue;
        wrong++;
        if (error > worst) worst = error;
    }
    if (wrong > count / 50)
        verdict = lh_verdict(c, LEHR_CHECK_FAIL,
                             "compute differences such as 1 - beta in scalar(), and add small to "
                             "large numbers as late as possible",
                             "%s: %u of %u weights differ from those in double precision, by up to "
                             "%.3g where an average step is %.3g",
                             text(&t), (unsigned)wrong, (unsigned)count, worst, moved / UPDATES);
    free(want);
    return ended(&t, verdict);
}

int lh_check_device_double(lehr_checker *c) { return each(c, false, as_in_double); }

/* f = sum a (w - b)^2 / 2 with a between 0.5 and 1.5. */
static double quadratic(lh_rig *t)
{
    double sum = 0;
    memset(t->g, 0, LH_RIG_ARENA * sizeof *t->g);
    for (uint32_t i = 0; i < LH_RIG_ARENA; i++) {
        if (!lh_rig_in_tensor(i)) continue;
        double a = 1 + 0.5 * (double)lh_rig_number(1000, i);
        double off = (double)t->w[i] - 2 * (double)lh_rig_number(1001, i);
        t->g[i] = (float)(a * off);
        sum += 0.5 * a * off * off;
    }
    return sum;
}

static int descends(lehr_checker *c, const lehr_optimizer *d)
{
    lh_rig t;
    bool ok = lh_rig_open(c, d, NULL, 0, LH_TWO_GROUPS, false, &t);
    double first = ok ? quadratic(&t) : 0, last = first;
    for (uint64_t n = 1; n <= DESCENT && ok; n++) {
        ok = lh_rig_step(&t, n) && lh_rig_get(&t, t.weights, t.w);
        if (ok) last = quadratic(&t);
    }
    int verdict = ok ? LEHR_CHECK_OK : c->out->verdict;
    if (ok && !(last < first))
        verdict = lh_verdict(c, LEHR_CHECK_FAIL, "look at the sign of the step, and at the default lr",
                             "%s with lr = %g: after 200 updates on a bowl the loss is %g, not less "
                             "than %g",
                             text(&t), t.lr, last, first);
    return ended(&t, verdict);
}

int lh_check_device_quadratic(lehr_checker *c) { return each(c, false, descends); }
