/* SPDX-License-Identifier: MIT
 *
 * Measuring the variants of one problem: each is compared with the reference on a few images, then with
 * the others at the full batch, then timed in alternation, A B A B, and judged by its median.  Of those
 * that are close to the fastest the parameters are searched, one at a time, each setting against the best
 * so far; what is found races against the rest. */
#include "kernels/tune.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_ROUNDS = 3, MOST_ROUNDS = 15 };
/* A sample shorter than this is repeated within it; a variant this many times slower in its first run
 * has no chance; the default stays unless another is faster by more than the noise. */
static const double least_sample_ms = 2, hopeless = 5, advantage = 0.95;
/* The search: variants within `close` of the fastest take part; a setting that is `poor` times slower in
 * its first runs is dropped; one must be better than the best so far by the factor `step`.  What takes
 * less than too_short_ms is left as it is. */
static const double close_enough = 1.6, poor = 1.3, step = 0.97, too_short_ms = 0.05;
enum { PAIRS = 5 };
/* Shares of the time after which the first race and the search end. */
static const double first_share = 0.35, search_share = 0.85;

typedef struct candidate {
    lh_exec *exec;
    double probe_ms; /* one run: on a few images, then at the full batch */
    double ms[MOST_ROUNDS];
    unsigned runs; /* per sample */
    char parameters[LH_PARAMETERS];
    bool races, searched;
} candidate;

typedef struct tuning {
    lehr_device *dev;
    const lh_op *op;
    const void *problem;
    lh_tune *out;
    candidate at[LH_MAX_ROWS];
    unsigned rounds;
    int base;     /* what would be used without measuring; -1: none races */
    double limit; /* when the problem is given up */
} tuning;

static bool is_late(const tuning *t) { return lh_now() > t->limit; }

static void set_row(tuning *t, unsigned i, const char *outcome, const char *reason)
{
    snprintf(t->out->reasons[i], sizeof t->out->reasons[i], "%s", reason ? reason : "");
    t->out->rows[i].outcome = outcome;
    t->out->rows[i].reason = t->out->reasons[i];
}

static void set_parameters(tuning *t, unsigned i, const char *parameters)
{
    snprintf(t->at[i].parameters, LH_PARAMETERS, "%s", parameters);
    snprintf(t->out->parameters[i], LH_PARAMETERS, "%s", parameters);
    t->out->rows[i].parameters = t->out->parameters[i];
}

/* chosen: its row gets its parameters. */
static void start(tuning *t, const lh_choice *chosen)
{
    t->out->count = t->op->variant_count < LH_MAX_VARIANTS ? t->op->variant_count : LH_MAX_VARIANTS;
    t->out->winner = t->out->base = -1;
    t->out->is_default = true;
    t->out->wrong = t->out->settings = 0;
    t->base = -1;
    for (unsigned i = 0; i < t->out->count; i++) {
        const lh_variant *v = &t->op->variants[i];
        const char *parameters = v == chosen->variant ? chosen->parameters : "";
        const char *reason = lh_select_excludes(t->dev, t->op, t->problem, v, parameters);
        t->out->rows[i] = (lehr_tune_candidate){.variant = v->name, .ms = NAN, .gflops = NAN};
        set_row(t, i, reason ? "excluded" : "not timed", reason);
        set_parameters(t, i, parameters);
        t->at[i].races = !reason;
        if (v == chosen->variant && !reason) t->base = (int)i;
    }
}

unsigned lh_tune_choices(lehr_device *dev, const lh_op *op, const void *problem)
{
    unsigned count = 0;
    for (unsigned i = 0; i < op->variant_count; i++)
        count += lh_select_excludes(dev, op, problem, &op->variants[i], "") == NULL;
    return count;
}

lehr_status lh_tune_explain(lehr_device *dev, const lh_op *op, const void *problem, lh_tune *out)
{
    tuning t = {.dev = dev, .op = op, .problem = problem, .out = out};
    lh_choice choice;
    lehr_status st = lh_select(dev, op, problem, &choice);
    if (st != LEHR_OK) return st;
    start(&t, &choice);
    for (unsigned i = 0; i < out->count; i++) {
        if (&op->variants[i] == choice.variant) {
            out->winner = (int)i;
            set_row(&t, i, "chosen", choice.why);
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
    lehr_status st = lh_exec_create_with(t->dev, t->op, t->problem, &t->op->variants[i],
                                         c->parameters, &c->exec);
    if (st == LEHR_OK) st = lh_select_check(c->exec, &verdict);
    if (st == LEHR_OK && verdict == LH_VERDICT_BAD) {
        set_row(t, i, "wrong", lh_select_excludes(t->dev, t->op, t->problem, &t->op->variants[i],
                                                  c->parameters));
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

/* The base stays: whoever wins must be compared with it. */
static void drop_hopeless(tuning *t)
{
    double best = INFINITY;
    for (unsigned i = 0; i < t->out->count; i++)
        if (t->at[i].races) best = fmin(best, t->at[i].probe_ms);
    for (unsigned i = 0; i < t->out->count; i++)
        if (t->at[i].races && (int)i != t->base && t->at[i].probe_ms > hopeless * best) {
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
    for (unsigned i = 0; i < t->out->count && st == LEHR_OK && !is_late(t); i++)
        if (t->at[i].races) qualify(t, i, probe);
    lh_trial_destroy(&probe);
    drop_hopeless(t);
    return st;
}

/* The default, else the first that takes part. */
static int find_base(const tuning *t)
{
    if (t->base >= 0 && t->at[t->base].races) return t->base;
    for (unsigned i = 0; i < t->out->count; i++)
        if (t->at[i].races) return (int)i;
    return -1;
}

static unsigned runs_for(double ms)
{
    double runs = ms > 0 ? ceil(least_sample_ms / ms) : 1;
    return runs > 1000 ? 1000 : (unsigned)runs;
}

/* After a run at the full batch: other bits in a second one are wrong, whatever the values. */
static lehr_status repeat_one(tuning *t, lh_trial *trial, lh_exec *exec, bool *repeats)
{
    lh_str reason = {0};
    lehr_status st = lh_trial_repeat(trial, exec, repeats, &reason);
    if (st == LEHR_OK && !*repeats) {
        lh_select_reject(exec, lh_str_text(&reason));
        t->out->wrong++;
    }
    lh_str_free(&reason);
    return st;
}

/* At the full batch all must repeat their bits and agree with the base.  Who is right is not asked: the base
 * is what would be used anyway, and others are held back. */
static lehr_status compare_one(tuning *t, lh_trial *trial, unsigned i)
{
    candidate *c = &t->at[i];
    lh_str reason = {0};
    bool repeats = true;
    lehr_status st = lh_trial_run(trial, c->exec);
    if (st == LEHR_OK && (int)i == t->base) st = lh_trial_believe(trial, c->exec->variant);
    if (st == LEHR_OK && (int)i != t->base && !lh_trial_agrees(trial, c->exec->variant, &reason)) {
        set_row(t, i, "differs", lh_str_text(&reason));
        c->races = false;
    }
    if (st == LEHR_OK && c->races) st = repeat_one(t, trial, c->exec, &repeats);
    if (!repeats) {
        set_row(t, i, "wrong", lh_select_excludes(t->dev, t->op, t->problem, c->exec->variant,
                                                  c->parameters));
        c->races = false;
    }
    if (st == LEHR_OK && c->races) st = lh_trial_time(trial, c->exec, 1, &c->probe_ms);
    c->runs = runs_for(c->probe_ms);
    lh_str_free(&reason);
    return st;
}

static lehr_status compare_all(tuning *t, lh_trial *trial)
{
    lehr_status st = LEHR_OK;
    do {
        t->base = find_base(t);
        if (t->base >= 0) st = compare_one(t, trial, (unsigned)t->base);
    } while (st == LEHR_OK && t->base >= 0 && !t->at[t->base].races);
    for (unsigned i = 0; i < t->out->count && st == LEHR_OK && !is_late(t); i++)
        if (t->at[i].races && (int)i != t->base) st = compare_one(t, trial, i);
    drop_hopeless(t);
    return st;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, unsigned count)
{
    qsort(values, count, sizeof *values, by_value);
    return count % 2 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
}

/* Rounds among those that race, and their medians; returns the fastest in *best. */
static lehr_status race(tuning *t, lh_trial *trial, double until, int *best)
{
    lehr_status st = LEHR_OK;
    double flops = t->op->flops(t->problem, t->op->batch(t->problem));
    t->rounds = 0;
    *best = -1;
    while (st == LEHR_OK && t->rounds < MOST_ROUNDS && !is_late(t) &&
           (t->rounds < LEAST_ROUNDS || lh_now() < until)) {
        for (unsigned i = 0; i < t->out->count && st == LEHR_OK; i++)
            if (t->at[i].races)
                st = lh_trial_time(trial, t->at[i].exec, t->at[i].runs, &t->at[i].ms[t->rounds]);
        t->rounds++;
    }
    if (t->rounds < LEAST_ROUNDS) return st;
    for (unsigned i = 0; i < t->out->count && st == LEHR_OK; i++) {
        lehr_tune_candidate *row = &t->out->rows[i];
        if (!t->at[i].races) continue;
        row->ms = median(t->at[i].ms, t->rounds);
        row->gflops = row->ms > 0 ? 1e-6 * flops / row->ms : NAN;
        set_row(t, i, "slower", "");
        if (*best < 0 || row->ms < t->out->rows[*best].ms) *best = (int)i;
    }
    return st;
}

/* ---- parameters ---- */

/* new's time as a part of best's: the median over pairs of runs or the ratio of the least, whichever is
 * worse, since what else runs on the machine only adds.  Stops early when it is clearly worse. */
static lehr_status duel(lh_trial *trial, lh_exec *best, lh_exec *new, unsigned runs, double *ratio)
{
    double ratios[PAIRS], a = 1, b = 1, least_a = INFINITY, least_b = INFINITY;
    unsigned pairs = 0;
    lehr_status st = LEHR_OK;
    *ratio = INFINITY;
    while (st == LEHR_OK && pairs < PAIRS) {
        st = lh_trial_time(trial, best, runs, &a);
        if (st == LEHR_OK) st = lh_trial_time(trial, new, runs, &b);
        if (st != LEHR_OK) break;
        ratios[pairs++] = a > 0 ? b / a : 1;
        least_a = fmin(least_a, a);
        least_b = fmin(least_b, b);
        *ratio = fmax(median(ratios, pairs), least_a > 0 ? least_b / least_a : 1);
        if (pairs >= 2 && ratios[0] > (pairs == 2 ? poor : 1)) break; /* the least is above */
    }
    return st;
}

/* Tries a setting: checked on a few images, at the full batch, then timed against *best, which it replaces
 * when it is better.  What fails here only does not win. */
static void try_setting(tuning *t, lh_trial *trial, const char *parameters, lh_exec **best,
                        unsigned runs)
{
    lehr_context *ctx = lh_device_context(t->dev);
    lh_verdict verdict = LH_VERDICT_UNKNOWN;
    const lh_variant *variant = (*best)->variant;
    lh_exec *new = NULL;
    lh_str reason = {0};
    double ratio = INFINITY;
    if (lh_select_excludes(t->dev, t->op, t->problem, variant, parameters)) return;
    t->out->settings++;
    lehr_status st = lh_exec_create_with(t->dev, t->op, t->problem, variant, parameters, &new);
    if (st == LEHR_OK) st = lh_select_check(new, &verdict);
    bool right = st == LEHR_OK && verdict != LH_VERDICT_BAD;
    t->out->wrong += verdict == LH_VERDICT_BAD;
    if (right) st = lh_trial_run(trial, new);
    right = right && st == LEHR_OK && lh_trial_agrees(trial, variant, &reason);
    if (right) st = repeat_one(t, trial, new, &right);
    if (right) st = duel(trial, *best, new, runs, &ratio);
    if (right && st == LEHR_OK && ratio < step) {
        lh_exec *old = *best;
        *best = new;
        new = old;
    }
    if (st != LEHR_OK) lh_enter(ctx);
    lh_exec_destroy(&new);
    lh_str_free(&reason);
}

/* One parameter after another, each value against the best setting so far. */
static void search_parameters(tuning *t, lh_trial *trial, unsigned runs, double until,
                              lh_exec **best)
{
    char parameters[LH_PARAMETERS];
    for (unsigned k = 0; k < (*best)->tunable_count; k++)
        for (unsigned i = 0; i < LH_MAX_VALUES && lh_now() < until; i++) {
            const lh_tunable *tunable = &(*best)->tunables[k];
            if (tunable->values[i] == 0) break;
            if (tunable->values[i] == tunable->value) continue;
            lh_exec_parameters_with(*best, k, tunable->values[i], parameters);
            try_setting(t, trial, parameters, best, runs);
        }
}

/* The best setting of a variant becomes a racer of its own when it is not the one that raced already. */
static void search(tuning *t, lh_trial *trial, unsigned i, double until)
{
    candidate *c = &t->at[i];
    lh_exec *best = NULL;
    lehr_status st = lh_exec_create_with(t->dev, t->op, t->problem, c->exec->variant, c->parameters,
                                         &best);
    if (st == LEHR_OK) search_parameters(t, trial, c->runs, until, &best);
    if (st != LEHR_OK) lh_enter(lh_device_context(t->dev));
    char parameters[LH_PARAMETERS] = "";
    if (best) lh_exec_parameters(best, parameters);
    if (best && strcmp(parameters, c->parameters) != 0 && t->out->count < LH_MAX_ROWS) {
        unsigned row = t->out->count++;
        t->at[row] = (candidate){.exec = best, .races = true, .searched = true, .runs = c->runs};
        t->out->rows[row] = (lehr_tune_candidate){.variant = c->exec->variant->name, .ms = NAN,
                                                  .gflops = NAN};
        set_row(t, row, "not timed", "");
        set_parameters(t, row, parameters);
        best = NULL;
    }
    lh_exec_destroy(&best);
}

/* The fastest first.  Those that are not close drop out of the race that follows. */
static void search_all(tuning *t, lh_trial *trial, int fastest, double until)
{
    double limit = close_enough * t->out->rows[fastest].ms;
    for (unsigned i = 0; i < t->out->count; i++)
        if ((int)i != t->base && !(t->out->rows[i].ms <= limit)) t->at[i].races = false;
    for (;;) {
        int next = -1;
        for (unsigned i = 0; i < t->out->count; i++) {
            const candidate *c = &t->at[i];
            if (c->races && !c->searched && c->exec->tunable_count && t->out->rows[i].ms <= limit &&
                (next < 0 || t->out->rows[i].ms < t->out->rows[next].ms))
                next = (int)i;
        }
        if (next < 0 || lh_now() >= until) return;
        t->at[next].searched = true;
        search(t, trial, (unsigned)next, until);
    }
}

static bool has_parameters(const tuning *t)
{
    for (unsigned i = 0; i < t->out->count; i++)
        if (t->at[i].races && t->at[i].exec->tunable_count) return true;
    return false;
}

/* ---- the whole ---- */

static lehr_status race_and_search(tuning *t, lh_trial *trial, double seconds)
{
    double begin = lh_now();
    int best = -1;
    bool searches = has_parameters(t);
    lehr_status st = race(t, trial, begin + (searches ? first_share : 1) * seconds, &best);
    if (st == LEHR_OK && searches && best >= 0 && t->out->rows[best].ms > too_short_ms) {
        unsigned before = t->out->count;
        search_all(t, trial, best, begin + search_share * seconds);
        if (t->out->count > before) st = race(t, trial, begin + seconds, &best);
    }
    if (st != LEHR_OK || best < 0) return st;
    /* By the median and by the least (sorted): a disturbance must not make a winner. */
    bool keep = best != t->base &&
                !(t->out->rows[best].ms < advantage * t->out->rows[t->base].ms &&
                  t->at[best].ms[0] < advantage * t->at[t->base].ms[0]);
    t->out->winner = keep ? t->base : best;
    t->out->base = t->base;
    t->out->is_default = t->out->winner == t->base;
    set_row(t, (unsigned)t->out->winner, keep ? "default" : "fastest", "");
    return st;
}

lehr_status lh_tune_problem(lehr_device *dev, const lh_op *op, const void *problem, double seconds,
                            double limit, lh_tune *out)
{
    double begin = lh_now();
    tuning t = {.dev = dev, .op = op, .problem = problem, .out = out, .limit = begin + limit};
    lh_choice choice;
    lh_trial *trial = NULL;
    lehr_status st = lh_select_default(dev, op, problem, &choice);
    if (st != LEHR_OK) return st;
    start(&t, &choice);
    st = qualify_all(&t);
    if (st == LEHR_OK && !is_late(&t))
        st = lh_trial_create(dev, op, problem, op->batch(problem), 3000, false, &trial);
    if (st == LEHR_OK && trial) st = compare_all(&t, trial);
    if (st == LEHR_OK && t.base >= 0 && !is_late(&t))
        st = race_and_search(&t, trial, begin + seconds - lh_now());
    lh_trial_destroy(&trial);
    for (unsigned i = 0; i < LH_MAX_ROWS; i++) lh_exec_destroy(&t.at[i].exec);
    return st;
}
