/* SPDX-License-Identifier: MIT
 *
 * Numbers of a comparison.  Runs that diverged or failed have no score: methods are compared over
 * the seeds that both finished, and how many did not is always said beside it. */
#include "core/study/analysis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- one method ---- */

typedef double (*number_of_run)(const lh_run_record *run);
static double final_val_of(const lh_run_record *r) { return r->final_val_accuracy; }
static double best_val_of(const lh_run_record *r) { return r->best_val_accuracy; }
static double test_of(const lh_run_record *r) { return r->test_accuracy; }
static double final_loss_of(const lh_run_record *r) { return r->final_loss; }
static double val_loss_of(const lh_run_record *r) { return r->val_loss; }
static double test_loss_of(const lh_run_record *r) { return r->test_loss; }
static double seconds_of(const lh_run_record *r) { return r->seconds; }

/* values has room for a number a seed; runs without a result get NaN, so seeds stay in place. */
static void numbers_of(const lh_study *study, uint32_t method, number_of_run of, double *values)
{
    for (uint32_t i = 0; i < study->seed_count; i++) {
        const lh_run_record *run = lh_study_run(study, method, i);
        values[i] = run->state == LH_RUN_FINISHED ? of(run) : NAN;
    }
}

static lh_sample sample_of(const lh_study *study, uint32_t method, number_of_run of, double *values)
{
    numbers_of(study, method, of, values);
    return lh_sample_of(values, study->seed_count);
}

static void count_states(const lh_study *study, uint32_t method, lh_method_summary *out)
{
    for (uint32_t i = 0; i < study->seed_count; i++) {
        lh_run_state state = lh_study_run(study, method, i)->state;
        out->finished += state == LH_RUN_FINISHED;
        out->diverged += state == LH_RUN_DIVERGED;
        out->failed += state == LH_RUN_FAILED;
        out->missing += state == LH_RUN_MISSING;
    }
}

/* Mean and spread at epoch number i over the runs that came so far. */
static lehr_status mean_curve(lehr_context *ctx, const lh_curves *runs, uint32_t count, int column,
                              double factor, double *values, lh_mean_curve *out)
{
    size_t longest = 0;
    const lh_columns *reference = NULL;
    for (uint32_t i = 0; i < count; i++)
        if (runs[i].epochs.count > longest) {
            longest = runs[i].epochs.count;
            reference = &runs[i].epochs;
        }
    out->x = lh_alloc(ctx, 4 * longest, sizeof *out->x);
    if (!out->x) return LEHR_E_MEMORY;
    out->mean = out->x + longest;
    out->low = out->mean + longest;
    out->high = out->low + longest;
    out->count = longest;
    for (size_t k = 0; k < longest; k++) {
        for (uint32_t i = 0; i < count; i++)
            values[i] = k < runs[i].epochs.count ? factor * runs[i].epochs.at[column][k] : NAN;
        lh_sample s = lh_sample_of(values, count);
        out->x[k] = reference->at[LH_C_EPOCH][k];
        out->mean[k] = s.mean;
        out->low[k] = s.count > 1 ? s.mean - s.sd : NAN;
        out->high[k] = s.count > 1 ? s.mean + s.sd : NAN;
    }
    return LEHR_OK;
}

static lehr_status mean_curves(lehr_context *ctx, const lh_curves *runs, uint32_t count,
                               double *values, lh_method_summary *out)
{
    lehr_status status =
        mean_curve(ctx, runs, count, LH_C_VAL_ACCURACY, 100, values, &out->val_accuracy_curve);
    if (status == LEHR_OK)
        status = mean_curve(ctx, runs, count, LH_C_LOSS, 1, values, &out->loss_curve);
    if (status == LEHR_OK)
        status = mean_curve(ctx, runs, count, LH_C_VAL_LOSS, 1, values, &out->val_loss_curve);
    return status;
}

static void areas(const lh_curves *runs, uint32_t count, double *values, lh_method_summary *out)
{
    for (uint32_t i = 0; i < count; i++) {
        const lh_columns *e = &runs[i].epochs;
        values[i] = lh_mean_under_curve(e->at[LH_C_EPOCH], e->at[LH_C_VAL_ACCURACY], e->count);
    }
    out->area = lh_sample_of(values, count);
}

/* The first epoch at whose end the validation accuracy has reached the target. */
static lh_sample time_to_target(const lh_curves *runs, uint32_t count, double target, int column,
                                double *values)
{
    for (uint32_t i = 0; i < count; i++) {
        const lh_columns *e = &runs[i].epochs;
        size_t at = lh_first_reaching(e->at[LH_C_VAL_ACCURACY], e->count, target);
        values[i] = at < e->count ? e->at[column][at] : NAN;
    }
    return lh_sample_of(values, count);
}

/* Histories of the finished runs; where none finished, of those that diverged, so that a reader
 * sees how far they came. */
static lehr_status read_curves(lehr_context *ctx, const lh_study *study, uint32_t method,
                               const lh_method_summary *summary, lh_curves *runs)
{
    lh_str dir = {0};
    lehr_status status = LEHR_OK;
    for (uint32_t i = 0; i < study->seed_count && status == LEHR_OK; i++) {
        lh_run_state state = lh_study_run(study, method, i)->state;
        if (state != (summary->finished ? LH_RUN_FINISHED : LH_RUN_DIVERGED)) continue;
        lh_run_dir(&dir, study->dir, study->methods[method].name, study->first_seed + i);
        status = lh_curves_read(ctx, lh_str_text(&dir), &runs[i]);
    }
    lh_str_free(&dir);
    return status;
}

/* The learning rates of the first run that recorded any. */
static void take_lr(lh_curves *runs, uint32_t count, lh_method_summary *out)
{
    for (uint32_t i = 0; i < count && !out->lr.count; i++) {
        out->lr = runs[i].steps;
        runs[i].steps = (lh_columns){0};
    }
}

static lehr_status summarise(lehr_context *ctx, const lh_study *study, uint32_t method,
                             double *values, lh_curves *runs, lh_method_summary *out)
{
    out->method = &study->methods[method];
    count_states(study, method, out);
    out->final_val = sample_of(study, method, final_val_of, values);
    out->best_val = sample_of(study, method, best_val_of, values);
    out->test = sample_of(study, method, test_of, values);
    out->final_loss = sample_of(study, method, final_loss_of, values);
    out->val_loss = sample_of(study, method, val_loss_of, values);
    out->test_loss = sample_of(study, method, test_loss_of, values);
    out->seconds = sample_of(study, method, seconds_of, values);
    lehr_status status = read_curves(ctx, study, method, out, runs);
    if (status == LEHR_OK) status = mean_curves(ctx, runs, study->seed_count, values, out);
    if (status == LEHR_OK) areas(runs, study->seed_count, values, out);
    return status;
}

/* ---- all methods ---- */

static double automatic_target(const lh_analysis *a)
{
    double best = NAN;
    for (uint32_t m = 0; m < a->study->method_count; m++)
        best = fmax(best, a->methods[m].final_val.mean);
    return floor(90 * best) / 100; /* whole percents read better */
}

static void targets(const lh_analysis *a, uint32_t method, const lh_curves *runs, double *values)
{
    lh_method_summary *out = &a->methods[method];
    uint32_t count = a->study->seed_count;
    out->target_epochs = time_to_target(runs, count, a->target, LH_C_EPOCH, values);
    out->target_steps = time_to_target(runs, count, a->target, LH_C_STEP, values);
    out->target_seconds = time_to_target(runs, count, a->target, LH_C_SECONDS, values);
    out->reached = (uint32_t)out->target_epochs.count;
}

static lehr_status all_methods(lehr_context *ctx, lh_analysis *a, double *values)
{
    const lh_study *study = a->study;
    size_t all = (size_t)study->method_count * study->seed_count;
    lh_curves *runs = lh_alloc(ctx, all, sizeof *runs);
    lehr_status status = runs ? LEHR_OK : LEHR_E_MEMORY;
    for (uint32_t m = 0; m < study->method_count && status == LEHR_OK; m++) {
        status =
            summarise(ctx, study, m, values, runs + (size_t)m * study->seed_count, &a->methods[m]);
        a->on_test |= a->methods[m].test.count > 0;
    }
    a->target = json_number_value(json_object_get(study->about, "target"));
    if (!(a->target > 0)) a->target = automatic_target(a);
    for (uint32_t m = 0; m < study->method_count && status == LEHR_OK; m++) {
        lh_curves *of_method = runs + (size_t)m * study->seed_count;
        targets(a, m, of_method, values);
        take_lr(of_method, study->seed_count, &a->methods[m]);
    }
    for (size_t i = 0; runs && i < all; i++) lh_curves_free(&runs[i]);
    free(runs);
    return status;
}

const lh_sample *lh_analysis_score(const lh_analysis *a, uint32_t method)
{
    return a->on_test ? &a->methods[method].test : &a->methods[method].final_val;
}

static size_t pair_index(const lh_analysis *a, uint32_t first, uint32_t second)
{
    size_t n = a->study->method_count, i = first, k = second;
    return i * n - i * (i + 1) / 2 + (k - i - 1);
}

const lh_paired *lh_analysis_pair(const lh_analysis *a, uint32_t first, uint32_t second)
{
    return &a->pairs[pair_index(a, first, second)];
}

bool lh_percent_interval(const lh_sample *share, double *low, double *high)
{
    *low = fmax(0, 100 * (share->mean - share->half_width));
    *high = fmin(100, 100 * (share->mean + share->half_width));
    return isfinite(share->half_width);
}

bool lh_distinguishable(const lh_paired *pair) { return pair->adjusted_p < 0.05; }

static void all_pairs(lh_analysis *a, double *x, double *y)
{
    const lh_study *study = a->study;
    number_of_run of = a->on_test ? test_of : final_val_of;
    for (uint32_t i = 0; i < study->method_count; i++)
        for (uint32_t k = i + 1; k < study->method_count; k++) {
            lh_paired *pair = &a->pairs[pair_index(a, i, k)];
            numbers_of(study, i, of, x);
            numbers_of(study, k, of, y);
            *pair = lh_paired_of(x, y, study->seed_count);
            a->ranked |= !isnan(pair->p);
        }
    lh_holm(a->pairs, a->pair_count);
}

/* Methods by falling mean; those without a score come last, ties keep their order. */
static void sort_methods(lh_analysis *a)
{
    for (uint32_t i = 0; i < a->study->method_count; i++) {
        a->order[i] = i;
        for (uint32_t k = i; k > 0 && a->ranked; k--) {
            double above = lh_analysis_score(a, a->order[k - 1])->mean;
            double here = lh_analysis_score(a, a->order[k])->mean;
            if (!(here > above || (isnan(above) && !isnan(here)))) break;
            uint32_t swapped = a->order[k];
            a->order[k] = a->order[k - 1];
            a->order[k - 1] = swapped;
        }
    }
}

lehr_status lh_analyse(lehr_context *ctx, const lh_study *study, lh_analysis *out)
{
    size_t n = study->method_count;
    *out = (lh_analysis){.study = study, .pair_count = n * (n - 1) / 2};
    out->methods = lh_alloc(ctx, n, sizeof *out->methods);
    out->order = lh_alloc(ctx, n, sizeof *out->order);
    out->pairs = lh_alloc(ctx, out->pair_count, sizeof *out->pairs);
    double *values = lh_alloc(ctx, 2 * (size_t)study->seed_count, sizeof *values);
    bool memory = out->methods && out->order && out->pairs && values;
    lehr_status status = memory ? all_methods(ctx, out, values) : LEHR_E_MEMORY;
    if (status == LEHR_OK) {
        all_pairs(out, values, values + study->seed_count);
        sort_methods(out);
    }
    free(values);
    if (status != LEHR_OK) lh_analysis_free(out);
    return status;
}

void lh_analysis_free(lh_analysis *a)
{
    for (uint32_t m = 0; a->methods && m < a->study->method_count; m++) {
        lh_curves taken = {.steps = a->methods[m].lr};
        lh_curves_free(&taken);
        free(a->methods[m].val_accuracy_curve.x);
        free(a->methods[m].loss_curve.x);
        free(a->methods[m].val_loss_curve.x);
    }
    free(a->methods);
    free(a->order);
    free(a->pairs);
    *a = (lh_analysis){0};
}
