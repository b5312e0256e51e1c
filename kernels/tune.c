/* SPDX-License-Identifier: MIT
 *
 * Measuring the variants of one problem: each is compared with the reference on a few images, then with
 * the others at the full batch, then timed in alternation, A B A B, and judged by its median. */
#include "kernels/tune.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_ROUNDS = 3, MOST_ROUNDS = 15 };
/* A sample shorter than this is repeated within it; a variant this many times slower in its first run
 * has no chance; the default stays unless another is faster by more than the noise. */
static const double least_sample_ms = 2, hopeless = 5, advantage = 0.95;

typedef struct candidate {
    lh_exec *exec;
    double probe_ms; /* one run: on a few images, then at the full batch */
    double ms[MOST_ROUNDS];
    unsigned runs; /* per sample */
    bool races;
} candidate;

typedef struct tuning {
    lehr_device *dev;
    const lh_op *op;
    const void *problem;
    lh_tune *out;
    candidate at[LH_MAX_VARIANTS];
    unsigned rounds;
} tuning;

static void set_row(tuning *t, unsigned i, const char *outcome, const char *reason)
{
    snprintf(t->out->reasons[i], sizeof t->out->reasons[i], "%s", reason ? reason : "");
    t->out->rows[i].outcome = outcome;
    t->out->rows[i].reason = t->out->reasons[i];
}

static void start(tuning *t)
{
    t->out->count = t->op->variant_count < LH_MAX_VARIANTS ? t->op->variant_count : LH_MAX_VARIANTS;
    t->out->winner = -1;
    t->out->is_default = true;
    t->out->wrong = 0;
    for (unsigned i = 0; i < t->out->count; i++) {
        const lh_variant *v = &t->op->variants[i];
        const char *reason = lh_select_excludes(t->dev, t->op, t->problem, v);
        t->out->rows[i] = (lehr_tune_candidate){.variant = v->name, .ms = NAN, .gflops = NAN};
        set_row(t, i, reason ? "excluded" : "not timed", reason);
        t->at[i].races = !reason;
    }
}

unsigned lh_tune_choices(lehr_device *dev, const lh_op *op, const void *problem)
{
    unsigned count = 0;
    for (unsigned i = 0; i < op->variant_count; i++)
        count += lh_select_excludes(dev, op, problem, &op->variants[i]) == NULL;
    return count;
}

lehr_status lh_tune_explain(lehr_device *dev, const lh_op *op, const void *problem, lh_tune *out)
{
    tuning t = {.dev = dev, .op = op, .problem = problem, .out = out};
    const lh_variant *chosen = NULL;
    const char *why = NULL;
    start(&t);
    lehr_status st = lh_select(dev, op, problem, &chosen, &why);
    for (unsigned i = 0; i < out->count && st == LEHR_OK; i++) {
        if (&op->variants[i] == chosen) {
            out->winner = (int)i;
            set_row(&t, i, "chosen", why);
        } else if (t.at[i].races) {
            set_row(&t, i, "free", "");
        }
    }
    return st;
}

/* Prepares a candidate and compares it with the reference.  What fails here only leaves the race. */
static void qualify(tuning *t, unsigned i, lh_trial *probe)
{
    lehr_context *ctx = lh_device_context(t->dev);
    candidate *c = &t->at[i];
    lh_verdict verdict = LH_VERDICT_UNKNOWN;
    char text[LH_DESCRIBE];
    lehr_status st = lh_exec_create_variant(t->dev, t->op, t->problem, &t->op->variants[i], &c->exec);
    if (st == LEHR_OK) st = lh_select_check(c->exec, &verdict);
    if (st == LEHR_OK && verdict == LH_VERDICT_BAD) {
        t->op->describe(t->problem, text, sizeof text);
        set_row(t, i, "wrong", lh_select_excludes(t->dev, t->op, t->problem, &t->op->variants[i]));
        t->out->wrong++;
        c->races = false;
    }
    if (st == LEHR_OK && c->races && probe) {
        st = lh_trial_time(probe, c->exec, 1, &c->probe_ms);
        if (st == LEHR_OK) st = lh_trial_time(probe, c->exec, 1, &c->probe_ms);
    }
    if (st == LEHR_OK) return;
    set_row(t, i, "excluded", lehr_context_message(ctx));
    c->races = false;
    lh_enter(ctx);
}

static void drop_hopeless(tuning *t)
{
    double best = INFINITY;
    for (unsigned i = 0; i < t->out->count; i++)
        if (t->at[i].races) best = fmin(best, t->at[i].probe_ms);
    for (unsigned i = 0; i < t->out->count; i++)
        if (t->at[i].races && t->at[i].probe_ms > hopeless * best) {
            set_row(t, i, "hopeless", "");
            t->at[i].races = false;
        }
}

static lehr_status qualify_all(tuning *t)
{
    int images = lh_trial_images(t->op, t->problem);
    lh_trial *probe = NULL;
    lehr_status st = LEHR_OK;
    if (images) st = lh_trial_create(t->dev, t->op, t->problem, images, 2000, false, &probe);
    for (unsigned i = 0; i < t->out->count && st == LEHR_OK; i++)
        if (t->at[i].races) qualify(t, i, probe);
    lh_trial_destroy(&probe);
    drop_hopeless(t);
    return st;
}

static int first_racer(const tuning *t)
{
    for (unsigned i = 0; i < t->out->count; i++)
        if (t->at[i].races) return (int)i;
    return -1;
}

/* At the full batch all must agree with the first one.  Who is right is not asked: the first one is what
 * would be used anyway, and others are held back. */
static lehr_status compare_all(tuning *t, lh_trial *trial)
{
    int base = first_racer(t);
    lehr_status st = LEHR_OK;
    for (unsigned i = 0; base >= 0 && i < t->out->count && st == LEHR_OK; i++) {
        candidate *c = &t->at[i];
        lh_str reason = {0};
        if (!c->races) continue;
        st = lh_trial_run(trial, c->exec);
        if (st == LEHR_OK && (int)i == base) st = lh_trial_believe(trial, c->exec->variant);
        if (st == LEHR_OK && (int)i != base && !lh_trial_agrees(trial, c->exec->variant, &reason)) {
            set_row(t, i, "differs", lh_str_text(&reason));
            c->races = false;
        }
        if (st == LEHR_OK && c->races) st = lh_trial_time(trial, c->exec, 1, &c->probe_ms);
        double runs = c->probe_ms > 0 ? ceil(least_sample_ms / c->probe_ms) : 1;
        c->runs = runs > 1000 ? 1000 : (unsigned)runs;
        lh_str_free(&reason);
    }
    drop_hopeless(t);
    return st;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static lehr_status race(tuning *t, lh_trial *trial, double until)
{
    lehr_status st = LEHR_OK;
    while (st == LEHR_OK && t->rounds < MOST_ROUNDS &&
           (t->rounds < LEAST_ROUNDS || lh_now() < until)) {
        for (unsigned i = 0; i < t->out->count && st == LEHR_OK; i++)
            if (t->at[i].races)
                st = lh_trial_time(trial, t->at[i].exec, t->at[i].runs, &t->at[i].ms[t->rounds]);
        t->rounds++;
    }
    return st;
}

static void judge(tuning *t)
{
    int base = first_racer(t), best = base;
    double flops = t->op->flops(t->problem, t->op->batch(t->problem));
    for (unsigned i = 0; i < t->out->count; i++) {
        candidate *c = &t->at[i];
        if (!c->races) continue;
        qsort(c->ms, t->rounds, sizeof *c->ms, by_value);
        double ms = t->rounds % 2 ? c->ms[t->rounds / 2]
                                  : 0.5 * (c->ms[t->rounds / 2 - 1] + c->ms[t->rounds / 2]);
        t->out->rows[i].ms = ms;
        t->out->rows[i].gflops = ms > 0 ? 1e-6 * flops / ms : NAN;
        if (ms < t->out->rows[best].ms) best = (int)i;
        set_row(t, i, "slower", "");
    }
    if (base < 0) return;
    bool keep = best != base && !(t->out->rows[best].ms < advantage * t->out->rows[base].ms);
    t->out->winner = keep ? base : best;
    t->out->is_default = t->out->winner == base;
    set_row(t, (unsigned)t->out->winner, keep ? "default" : "fastest", "");
}

lehr_status lh_tune_problem(lehr_device *dev, const lh_op *op, const void *problem, double seconds,
                            lh_tune *out)
{
    tuning t = {.dev = dev, .op = op, .problem = problem, .out = out};
    double until = lh_now() + seconds;
    lh_trial *trial = NULL;
    start(&t);
    lehr_status st = qualify_all(&t);
    if (st == LEHR_OK)
        st = lh_trial_create(dev, op, problem, op->batch(problem), 3000, false, &trial);
    if (st == LEHR_OK) st = compare_all(&t, trial);
    if (st == LEHR_OK) st = race(&t, trial, until);
    if (st == LEHR_OK) judge(&t);
    lh_trial_destroy(&trial);
    for (unsigned i = 0; i < LH_MAX_VARIANTS; i++) lh_exec_destroy(&t.at[i].exec);
    return st;
}
