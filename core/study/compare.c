/* SPDX-License-Identifier: MIT
 *
 * The loop over methods and seeds.  Seeds are the outer loop, so that a comparison stopped half way
 * has whole rounds in which every method took part.  A run is over when its result.json stands;
 * everything else about it (checkpoints, history) is the trainer's. */
#include "core/study/study.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/files.h"

typedef struct comparison {
    lehr_context *ctx;
    const lehr_compare_params *params;
    lh_run_fn run;
    void *run_user;
    lh_study study;
} comparison;

/* ---- one run ---- */

static bool is_checkpoint(const char *name)
{
    static const char prefix[] = "checkpoint-", suffix[] = ".safetensors";
    size_t length = strlen(name), head = sizeof prefix - 1, tail = sizeof suffix - 1;
    return length > head + tail && strncmp(name, prefix, head) == 0 &&
           strcmp(name + length - tail, suffix) == 0;
}

/* Whether dir has checkpoints, so that a run that was stopped can go on; with remove, they are
 * removed. */
static bool find_checkpoints(lehr_context *ctx, const char *dir, bool remove, lehr_status *status)
{
    DIR *listing = opendir(dir);
    lh_str path = {0};
    bool found = false;
    for (struct dirent *e; listing && (e = readdir(listing)) != NULL;) {
        if (!is_checkpoint(e->d_name)) continue;
        found = true;
        if (!remove || *status != LEHR_OK) continue;
        lh_path_join(&path, dir, e->d_name);
        *status = lh_file_remove(ctx, lh_str_text(&path));
    }
    if (listing) closedir(listing);
    lh_str_free(&path);
    return found;
}

/* A run that cannot go on starts over: what it wrote so far would stand before the new history. */
static lehr_status clear_run(lehr_context *ctx, const char *dir)
{
    static const char *const names[] = {"history.jsonl", "history.csv", "run.json", "result.json"};
    lh_str path = {0};
    lehr_status status = lh_make_dirs(ctx, dir);
    if (status == LEHR_OK) find_checkpoints(ctx, dir, true, &status);
    for (size_t i = 0; i < LH_COUNT(names) && status == LEHR_OK; i++) {
        lh_path_join(&path, dir, names[i]);
        status = lh_file_remove(ctx, lh_str_text(&path));
    }
    lh_str_free(&path);
    return status;
}

static void record_result(lehr_context *ctx, lh_run_record *record, const lehr_train_result *r,
                          lehr_status status)
{
    const char *message = lehr_context_message(ctx);
    lh_record_clear(record);
    record->state = status == LEHR_E_DIVERGED || r->diverged ? LH_RUN_DIVERGED
                    : status == LEHR_OK                      ? LH_RUN_FINISHED
                                                             : LH_RUN_FAILED;
    record->message = *message ? lh_strdup(ctx, message) : NULL;
    if (record->state == LH_RUN_FAILED) return; /* no numbers */
    record->epochs = r->epochs;
    record->steps = r->steps;
    record->final_val_accuracy = r->val_accuracy;
    record->best_val_accuracy = r->best_val_accuracy;
    record->test_accuracy = r->test_accuracy;
    record->final_loss = r->loss;
    record->val_loss = r->val_loss;
    record->test_loss = r->test_loss;
    record->seconds = r->seconds;
}

/* Trains one run, from its checkpoint when it has one.  The same seed gives the same numbers either
 * way, so a run whose checkpoints cannot be used is simply trained again. */
static lehr_status train_or_continue(comparison *c, lehr_train_params *train, const char *dir,
                                     lehr_train_result *result)
{
    lehr_status status = LEHR_OK;
    train->out = dir;
    if (find_checkpoints(c->ctx, dir, false, &status)) {
        train->resume = dir;
        status = c->run(c->run_user, train, result);
        if (status != LEHR_E_CHECKPOINT) return status;
        lh_log(c->ctx, LEHR_LOG_WARN, "%s: trained again: %s", dir, lehr_context_message(c->ctx));
        lh_enter(c->ctx);
        train->resume = NULL;
    }
    status = clear_run(c->ctx, dir);
    return status == LEHR_OK ? c->run(c->run_user, train, result) : status;
}

/* One run and its result; that it diverged or that its plugin failed is a result as well. */
static lehr_status run_one(comparison *c, uint32_t method, uint32_t seed, const char *dir)
{
    const lehr_method *m = &c->params->methods[method];
    lh_run_record *record = lh_study_run(&c->study, method, seed);
    lehr_train_params train = c->params->train;
    lehr_train_result result = {0};
    train.optimizer = m->optimizer;
    train.schedule = m->schedule;
    train.lr = m->lr;
    if (m->group) train.group = m->group;
    train.seed = record->seed;
    train.resume = NULL;
    lehr_status status = train_or_continue(c, &train, dir, &result);
    bool is_result = status == LEHR_OK || status == LEHR_E_DIVERGED || status == LEHR_E_PLUGIN;
    if (!is_result) {
        lh_fail_context(c->ctx, "method '%s', seed %llu: ", m->name,
                        (unsigned long long)record->seed);
        return status;
    }
    record_result(c->ctx, record, &result, status);
    lh_enter(c->ctx); /* the message is in the record now */
    if (record->message)
        lh_log(c->ctx, LEHR_LOG_WARN, "method '%s', seed %llu: %s", m->name,
               (unsigned long long)record->seed, record->message);
    return lh_record_write(c->ctx, dir, m->name, record);
}

/* ---- all runs ---- */

static lehr_status run_all(comparison *c)
{
    lh_study *study = &c->study;
    uint32_t number = 0, runs = study->method_count * c->params->seeds;
    lh_str dir = {0};
    lehr_status status = LEHR_OK;
    for (uint32_t i = 0; i < c->params->seeds && status == LEHR_OK; i++)
        for (uint32_t m = 0; m < study->method_count && status == LEHR_OK; m++) {
            lh_run_record *record = lh_study_run(study, m, i);
            number++;
            if (record->state == LH_RUN_FINISHED || record->state == LH_RUN_DIVERGED) continue;
            lh_run_dir(&dir, study->dir, study->methods[m].name, record->seed);
            if (c->params->on_run)
                c->params->on_run(c->params->user, &c->params->methods[m], record->seed, number,
                                  runs);
            status = run_one(c, m, i, lh_str_text(&dir));
            if (status == LEHR_OK) status = lh_summary_write(c->ctx, study);
        }
    lh_str_free(&dir);
    return status;
}

static lehr_status check_methods(lehr_context *ctx, const lehr_compare_params *params)
{
    lh_str a = {0}, b = {0};
    lehr_status status = LEHR_OK;
    if (!params->method_count || !params->seeds)
        return lh_fail(ctx, LEHR_E_USAGE,
                       "nothing to compare: %u methods, %u seeds; at least one of each is needed",
                       params->method_count, params->seeds);
    for (uint32_t i = 0; i < params->method_count && status == LEHR_OK; i++) {
        const lehr_method *m = &params->methods[i];
        if (!m->name || !*m->name || strlen(m->name) > 100)
            status = lh_fail(ctx, LEHR_E_USAGE,
                             "method %u: a name of 1 to 100 characters is needed", i + 1);
        else if (!m->optimizer || !m->schedule)
            status = lh_fail(ctx, LEHR_E_USAGE, "method '%s': optimizer and schedule are needed",
                             m->name);
        for (uint32_t k = 0; k < i && status == LEHR_OK; k++) {
            lh_run_dir(&a, "", m->name, 1);
            lh_run_dir(&b, "", params->methods[k].name, 1);
            if (strcmp(lh_str_text(&a), lh_str_text(&b)) == 0)
                status = lh_fail(ctx, LEHR_E_USAGE,
                                 "methods '%s' and '%s' would share a run directory; rename one",
                                 params->methods[k].name, m->name);
        }
    }
    lh_str_free(&a);
    lh_str_free(&b);
    return status;
}

/* Summary and report of what there is; status is kept when it is a failure already. */
static lehr_status conclude(comparison *c, lehr_status status)
{
    lh_str message = {0};
    uint32_t done = 0, runs = c->study.method_count * c->study.seed_count;
    for (uint32_t i = 0; i < runs; i++) done += c->study.runs[i].state != LH_RUN_MISSING;
    lh_str_add(&message, lehr_context_message(c->ctx));
    lh_enter(c->ctx);
    lehr_status written = lh_summary_write(c->ctx, &c->study);
    if (written == LEHR_OK) written = lehr_report_study(c->ctx, c->params->out);
    if (status == LEHR_OK)
        status = written;
    else if (status == LEHR_E_INTERRUPTED) {
        lh_enter(c->ctx);
        lh_fail(c->ctx, status, "stopped with %u of %u runs finished; the same command continues",
                done, runs);
    } else {
        lh_enter(c->ctx);
        lh_fail(c->ctx, status, "%s", lh_str_text(&message));
    }
    lh_str_free(&message);
    return status;
}

lehr_status lh_compare_runs(lehr_context *ctx, const lehr_compare_params *params,
                            const lh_study_subject *subject, lh_run_fn run, void *user)
{
    comparison c = {.ctx = ctx, .params = params, .run = run, .run_user = user};
    lh_str about = {0};
    lh_lock *lock = NULL;
    lehr_status status = check_methods(ctx, params);
    if (status == LEHR_OK && (!params->out || !*params->out))
        status = lh_fail(ctx, LEHR_E_USAGE, "a directory for the study is needed");
    if (status != LEHR_OK) return status;
    lh_study_describe(&about, params, subject);
    status = lh_make_dirs(ctx, params->out);
    if (status == LEHR_OK) status = lh_lock_dir(ctx, params->out, &lock);
    if (status == LEHR_OK) lh_remove_temporaries(ctx, params->out);
    if (status == LEHR_OK) status = lh_study_open(ctx, params->out, lh_str_text(&about));
    if (status == LEHR_OK) status = lh_study_load(ctx, params->out, &c.study);
    if (status == LEHR_OK) status = conclude(&c, run_all(&c));
    lh_study_free(&c.study);
    lh_unlock_dir(&lock);
    lh_str_free(&about);
    return status;
}
