/* SPDX-License-Identifier: MIT
 *
 * The verb train: settings block, progress, summary; new runs and resumed ones. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lehr/tune.h>

#include "cli/compile.h"
#include "cli/progress.h"
#include "cli/run.h"
#include "cli/runfile.h"
#include "cli/signals.h"
#include "cli/text.h"
#include "cli/verbs.h"

typedef struct training {
    session s;
    progress p;
    compile_aside aside;
    const char *directory;
    char *optimizer; /* with every value written out, or NULL */
    double lr;
} training;

/* With all durations in updates; schedules beside the learning rate's have a line each. */
static void print_schedules(const lehr_event *e)
{
    char steps[NUMBER_SIZE], per_epoch[NUMBER_SIZE];
    const char *at = e->schedule, *next = NULL;
    for (const char *label = "schedule"; at; label = "", at = next) {
        next = strstr(at, "; ");
        printf("%-12s%.*s", label, next ? (int)(next - at) : (int)strlen(at), at);
        bool constant = e->total_steps == e->steps_per_epoch * e->epochs;
        if (*label)
            printf(" over %s updates, %s an epoch%s", count_text(e->total_steps, steps),
                   count_text(e->steps_per_epoch, per_epoch), constant ? "" : " of the base batch");
        puts("");
        if (next) next += 2;
    }
}

static void print_start(const training *t, const lehr_event *e)
{
    const settings *set = t->s.set;
    char lr[NUMBER_SIZE];
    run_print_device(&t->s);
    run_print_plugins(&t->s);
    if (!t->s.data || !t->s.model) {
        printf("resume      %s at update %llu of %llu (settings: %s/run.json)\n\n", t->directory,
               (unsigned long long)e->step, (unsigned long long)e->total_steps, t->directory);
        fflush(stdout);
        return;
    }
    run_print_data(&t->s);
    run_print_model(&t->s);
    printf("optimizer   %s, lr %s%s\n", t->optimizer ? t->optimizer : option_text(set, OPT_OPTIMIZER),
           number_text(t->lr, lr), option_given(set, OPT_LR) ? "" : " (its default)");
    print_schedules(e);
    run_print_common(set);
    printf("run         %s%s\n\n", t->directory, option_text(set, OPT_RESUME) ? " (resumed)" : "");
    fflush(stdout);
}

static int on_event(void *user, const lehr_event *event)
{
    training *t = user;
    if (strcmp(event->kind, "start") == 0 && progress_wants_text(&t->p, t->s.set))
        print_start(t, event);
    if (strcmp(event->kind, "step") == 0) compile_release(&t->aside);
    progress_event(&t->p, event);
    return signals_take_snapshot() ? LEHR_CHECKPOINT : LEHR_CONTINUE;
}

static void print_part(const char *name, double loss, double accuracy)
{
    char loss_text[NUMBER_SIZE], accuracy_text[NUMBER_SIZE];
    bool known = !isnan(accuracy);
    printf("%-12sloss %s  accuracy %s%s\n", name, fixed_text(loss, 4, loss_text),
           fixed_text(100.0 * accuracy, 2, accuracy_text), known ? "%" : "");
}

static void print_summary(const training *t, lehr_status st, const lehr_train_result *r)
{
    char steps[NUMBER_SIZE], clock[NUMBER_SIZE], best[NUMBER_SIZE];
    printf("\n%-12s%s updates, %llu epochs, %s of training%s\n", st == LEHR_OK ? "done" : "stopped",
           count_text(r->steps, steps), (unsigned long long)r->epochs,
           clock_text(r->seconds, clock), r->stopped_early ? ", stopped early" : "");
    print_part("training", r->loss, r->accuracy);
    if (!isnan(r->val_loss)) {
        print_part("validation", r->val_loss, r->val_accuracy);
        printf("%-12s%s%% after epoch %llu\n", "best",
               fixed_text(100.0 * r->best_val_accuracy, 2, best), (unsigned long long)r->best_epoch);
    }
    if (!isnan(r->test_loss)) print_part("test", r->test_loss, r->test_accuracy);
    run_print_memory(&r->memory);
    if (option_text(t->s.set, OPT_SAVE_WEIGHTS))
        printf("%-12s%s\n", "weights", option_text(t->s.set, OPT_SAVE_WEIGHTS));
    printf("%-12s%s%s\n", "run", t->directory, st == LEHR_OK ? "/report.html" : "");
    if (r->interrupted) printf("%-12slehr train --resume %s\n", "continue", t->directory);
}

static bool only_resumes(const settings *set)
{
    if (!option_text(set, OPT_RESUME)) return false;
    for (size_t i = 0; i < OPT_COUNT; i++) {
        const option_row *row = set->values[i].row;
        if (row && row->flags & OPTION_OF_A_RUN && option_given(set, (option_id)i)) return false;
    }
    return true;
}

/* A resumed run's model is in its run.json: a description file may have changed or gone. */
static lehr_status stored_model(session *s, const runfile *file)
{
    char *name = runfile_value(file, "model", "name"), *text = runfile_value(file, "model", "text");
    lehr_status st = LEHR_E_CHECKPOINT;
    if (name && text)
        st = lehr_model_parse(s->ctx, name, text, &s->model);
    else
        usage_error(s->set->verb, "run.json has no model");
    free(name);
    free(text);
    return st;
}

static lehr_status open_objects(training *t, const runfile *file)
{
    session *s = &t->s;
    lehr_status st = lehr_optimizer_resolve(s->ctx, s->registry, option_text(s->set, OPT_OPTIMIZER),
                                            given_weight_decay(s->set), &t->optimizer, &t->lr);
    if (st == LEHR_OK && option_given(s->set, OPT_LR)) t->lr = option_real(s->set, OPT_LR);
    if (st == LEHR_OK)
        st = file && !option_given(s->set, OPT_MODEL) ? stored_model(s, file) : session_model(s);
    if (st == LEHR_OK) st = session_device(s);
    if (st == LEHR_OK && !file && !session_tunes(s)) compile_start(&t->aside, s);
    if (st == LEHR_OK) st = session_data(s);
    return st;
}

static lehr_status train(training *t, bool resumes, lehr_train_result *result)
{
    const settings *set = t->s.set;
    lehr_train_params params;
    run_params(&params, set);
    params.optimizer = option_text(set, OPT_OPTIMIZER);
    params.schedule = option_text(set, OPT_SCHEDULE);
    params.lr = option_given(set, OPT_LR) ? option_real(set, OPT_LR) : NAN;
    params.init = option_text(set, OPT_INIT);
    params.save_weights = option_text(set, OPT_SAVE_WEIGHTS);
    params.resume = option_text(set, OPT_RESUME);
    params.out = params.resume ? NULL : t->directory;
    params.on_event = on_event;
    params.user = t;
    if (!params.resume) {
        lehr_status st = session_tune(&t->s, progress_wants_text(&t->p, set));
        if (st != LEHR_OK) return st;
    }
    if (resumes) return lehr_train_resume(t->s.device, t->s.registry, &params, result);
    return lehr_train(t->s.device, t->s.registry, t->s.model, t->s.data, &params, result);
}

static bool choose_directory(training *t, const settings *set, char *buffer, size_t size)
{
    t->directory = option_text(set, OPT_RESUME);
    if (!t->directory) t->directory = option_text(set, OPT_OUT);
    if (t->directory) return true;
    t->directory = buffer;
    return run_free_directory(set, option_text(set, OPT_MODEL), buffer, size);
}

static int run_training(training *t, const runfile *file, bool resumes)
{
    lehr_train_result result = {.loss = NAN};
    const settings *set = t->s.set;
    char buffer[256];
    lehr_status st = session_registry(&t->s);
    if (st == LEHR_OK) st = resumes ? session_device(&t->s) : open_objects(t, file);
    if (st == LEHR_OK && !choose_directory(t, set, buffer, sizeof buffer)) {
        session_end(&t->s, LEHR_OK);
        compile_end(&t->aside);
        return EXIT_CANNOT_WRITE;
    }
    if (st == LEHR_OK) {
        progress_start(&t->p, set);
        signals_install();
        st = train(t, resumes, &result);
        progress_clear(&t->p);
        if (st == LEHR_OK) st = lehr_report_run(t->s.ctx, t->directory);
        if (progress_wants_text(&t->p, set) && result.steps > 0) print_summary(t, st, &result);
    }
    compile_release(&t->aside);
    int code = session_end(&t->s, st);
    compile_end(&t->aside);
    return st == LEHR_E_INTERRUPTED ? signals_exit_code(code) : code;
}

/* --resume alone takes everything from the run.  With other options of a run, those that were not given
 * are taken from it, and the library compares the whole. */
int verb_train(settings *set)
{
    training t = {.lr = NAN, .aside = {.input = -1}};
    runfile file = {0};
    const char *resume = option_text(set, OPT_RESUME), *out = option_text(set, OPT_OUT);
    bool resumes = only_resumes(set);
    int code = EXIT_USAGE;
    if (resume && out && strcmp(resume, out) != 0)
        usage_error(set->verb, "--resume %s goes on in its own directory, not in --out %s; leave --out "
                    "away", resume, out);
    else if (resume && !resumes && !runfile_open(&file, set, resume))
        code = lehr_status_exit_code(LEHR_E_CHECKPOINT);
    else if ((!file.text || runfile_fill(&file, set)) && (resumes || run_needs_data(set))) {
        lehr_status st = session_start(&t.s, set);
        code = st == LEHR_OK ? run_training(&t, file.text ? &file : NULL, resumes)
                             : session_end(&t.s, st);
    }
    free(t.optimizer);
    runfile_close(&file);
    return code;
}
