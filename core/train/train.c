/* SPDX-License-Identifier: MIT
 *
 * The training loop.  The clock is the update: where a run stands, and everything random in it, is a
 * function of the number of updates made, so a run stopped anywhere goes on bit for bit. */
#include "core/train/memory.h"
#include "core/train/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/runtime/cache.h"
#include "kernels/control/control.h"

/* ---- telling others ---- */

/* Epochs completed after so many updates, with the fraction of the running one. */
static double epochs_after(lh_trainer *t, uint64_t updates)
{
    uint64_t whole = 0;
    double fraction = NAN;
    return lh_clock_epochs(&t->tuning.clock, updates, &whole, &fraction) == LEHR_OK ? fraction : NAN;
}

static lehr_event make_event(lh_trainer *t, const char *kind)
{
    return (lehr_event){.kind = kind, .step = t->at.step, .total_steps = t->total_steps,
                        .steps_per_epoch = t->steps_per_epoch, .epochs = t->p.epochs,
                        .epoch = epochs_after(t, t->at.step),
                        .value_names = t->value_names, .value_count = t->value_count,
                        .values = t->values,
                        .lr = t->updater ? (double)lh_updater_last_lr(t->updater) : NAN,
                        .loss = NAN, .accuracy = NAN, .val_loss = NAN, .val_accuracy = NAN,
                        .test_loss = NAN, .test_accuracy = NAN, .seconds = t->at.seconds,
                        .images_per_second = t->at.epoch_seconds > 0
                                                 ? (double)t->at.seen / t->at.epoch_seconds
                                                 : NAN};
}

static void tell(lh_trainer *t, const lehr_event *event)
{
    if (!t->p.on_event) return;
    int answer = t->p.on_event(t->p.user, event);
    if (answer == LEHR_STOP) t->stop = true;
    if (answer == LEHR_CHECKPOINT) t->checkpoint_wanted = true;
}

static lehr_status record(lh_trainer *t, const lehr_event *event, lh_record_kind kind)
{
    if (!t->history) return LEHR_OK;
    lh_record r = lh_record_new(kind);
    r.step = event->step;
    r.epoch = event->epoch;
    r.lr = event->lr;
    r.loss = event->loss;
    r.accuracy = event->accuracy;
    r.val_loss = event->val_loss;
    r.val_accuracy = event->val_accuracy;
    r.seconds = event->seconds;
    r.images_per_second = event->images_per_second;
    for (uint32_t i = 0; i < event->value_count; i++) r.values[i] = event->values[i];
    return lh_history_add(t->history, &r);
}

/* ---- time: training only, evaluation and files do not count ---- */

static void clock_start(lh_trainer *t) { t->clock = lh_now(); }

static void clock_read(lh_trainer *t)
{
    double now = lh_now();
    t->at.seconds += now - t->clock;
    t->at.epoch_seconds += now - t->clock;
    t->clock = now;
}

/* ---- steps ---- */

static lehr_status diagnose(lh_trainer *t, const lh_pending *bad)
{
    const char *layer = NULL, *what = NULL;
    uint32_t batch = 1, draw = (uint32_t)(bad->place.update * t->p.accumulate);
    lehr_status st = lh_tuning_set(&t->tuning, &bad->place, NULL, t->net);
    if (st == LEHR_OK) st = lh_clock_batch(&t->tuning.clock, &bad->place, &batch);
    int n = (int)(bad->count < batch ? bad->count : batch);
    if (st == LEHR_OK)
        st = lh_feed_batch(t->feed, t->net, LH_LIST_TRAIN, bad->place.offset, n, true, t->p.seed,
                           (uint32_t)bad->place.epoch);
    if (st == LEHR_OK)
        st = lh_network_find_nonfinite(t->net, n, t->p.seed, draw, &layer, &what);
    if (st != LEHR_OK) return st;
    return lh_fail(t->ctx, LEHR_E_DIVERGED,
                   "training diverged in update %llu (epoch %.2f): the loss is %g, the learning rate "
                   "was %g; first non-finite: %s of layer '%s'; try a smaller --lr, a warmup, "
                   "--clip-norm 1, or look for one with: lehr find-lr", (unsigned long long)bad->step,
                   epochs_after(t, bad->place.update),
                   (double)bad->row[LH_METRIC_LOSS] / (double)bad->count, bad->lr,
                   layer ? what : "gradients", layer ? layer : "(none in the forward pass)");
}

lehr_status lh_trainer_on_step(lh_trainer *t, const lh_pending *done)
{
    double count = (double)done->count, loss = (double)done->row[LH_METRIC_LOSS] / count;
    if (t->diverged) return LEHR_OK; /* a step queued before the bad one was known */
    bool finite = isfinite(loss) && isfinite((double)done->row[LH_METRIC_NORM]);
    clock_read(t);
    if (!finite) {
        t->diverged = true;
        return diagnose(t, done);
    }
    t->at.loss_sum += (double)done->row[LH_METRIC_LOSS];
    t->at.correct_sum += (double)done->row[LH_METRIC_CORRECT];
    t->at.seen += done->count;
    for (uint32_t i = 0; i < t->value_count; i++) t->values[i] = (double)done->values[i];
    lehr_event event = make_event(t, "step");
    event.step = done->step;
    event.epoch = epochs_after(t, done->step);
    event.lr = done->lr;
    event.loss = loss;
    event.accuracy = (double)done->row[LH_METRIC_CORRECT] / count;
    tell(t, &event);
    return record(t, &event, LH_RECORD_STEP);
}

/* ---- the end of an epoch ---- */

static lehr_status validate(lh_trainer *t)
{
    t->at.last_val_loss = t->at.last_val_accuracy = NAN;
    if (t->split.val_count == 0) return LEHR_OK;
    lehr_status st = lh_trainer_evaluate(t, t->feed, LH_LIST_VALIDATION, t->split.val_count,
                                         &t->at.last_val_loss, &t->at.last_val_accuracy);
    if (!(t->at.last_val_accuracy <= t->at.best_val_accuracy)) {
        t->at.best_val_accuracy = t->at.last_val_accuracy;
        t->at.best_epoch = (uint64_t)epochs_after(t, t->at.step);
    }
    t->at.bad_epochs++;
    if (!(t->at.last_val_loss >= t->at.best_val_loss)) {
        t->at.best_val_loss = t->at.last_val_loss;
        t->at.bad_epochs = 0;
    }
    if (t->p.early_stop && t->at.bad_epochs >= t->p.early_stop) {
        t->stop = true;
        t->result->stopped_early = 1;
    }
    return st;
}

static lehr_status observe(lh_trainer *t)
{
    const struct {
        const char *name;
        int32_t better;
        double value;
    } metrics[] = {{"train.loss", -1, t->at.last_loss},
                   {"train.accuracy", 1, t->at.last_accuracy},
                   {"val.loss", -1, t->at.last_val_loss},
                   {"val.accuracy", 1, t->at.last_val_accuracy}};
    lh_place place;
    lehr_status st = lh_clock_place(&t->tuning.clock, t->at.step, &place);
    size_t count = t->split.val_count ? LH_COUNT(metrics) : 2;
    for (size_t i = 0; i < count && st == LEHR_OK; i++)
        st = lh_tuning_observe(&t->tuning, place.step, metrics[i].name, metrics[i].better,
                               metrics[i].value);
    return st;
}

static lehr_status end_epoch(lh_trainer *t)
{
    t->at.last_loss = t->at.loss_sum / (double)t->at.seen;
    t->at.last_accuracy = t->at.correct_sum / (double)t->at.seen;
    lehr_status st = validate(t);
    if (st == LEHR_OK) st = observe(t);
    lehr_event event = make_event(t, "epoch");
    event.loss = t->at.last_loss;
    event.accuracy = t->at.last_accuracy;
    event.val_loss = t->at.last_val_loss;
    event.val_accuracy = t->at.last_val_accuracy;
    if (st == LEHR_OK) st = record(t, &event, LH_RECORD_EPOCH);
    if (st == LEHR_OK) tell(t, &event);
    t->at.loss_sum = t->at.correct_sum = t->at.epoch_seconds = 0;
    t->at.seen = 0;
    return st;
}

/* ---- the loop ---- */

static bool signalled(lh_trainer *t)
{
    if (t->p.stop_signal && *t->p.stop_signal) t->interrupted = true;
    return t->interrupted;
}

/* An epoch ends with the update just made. */
static lehr_status epoch_ends(lh_trainer *t, bool *ends)
{
    lh_place place;
    lehr_status st = lh_clock_place(&t->tuning.clock, t->at.step, &place);
    *ends = st == LEHR_OK && place.offset == 0;
    return st;
}

static bool checkpoint_due(lh_trainer *t)
{
    bool ends = false;
    if (t->checkpoint_steps) return t->at.step % t->checkpoint_steps == 0;
    if (!t->checkpoint_epochs || epoch_ends(t, &ends) != LEHR_OK || !ends) return false;
    return (uint64_t)epochs_after(t, t->at.step) % t->checkpoint_epochs == 0;
}

static lehr_status checkpoint_if_due(lh_trainer *t, bool force)
{
    if (!t->p.out || !(force || t->checkpoint_wanted || checkpoint_due(t))) return LEHR_OK;
    lehr_status st = lh_trainer_flush(t);
    t->checkpoint_wanted = false;
    return st == LEHR_OK ? lh_checkpoint_write(t) : st;
}

static lehr_status loop(lh_trainer *t)
{
    lehr_status st = LEHR_OK;
    while (st == LEHR_OK && t->at.step < t->last_step && !t->stop && !signalled(t)) {
        bool epoch_done = false;
        st = lh_trainer_step(t);
        if (st == LEHR_OK) st = epoch_ends(t, &epoch_done);
        if (st == LEHR_OK && epoch_done) {
            st = lh_trainer_flush(t);
            if (st == LEHR_OK) st = end_epoch(t);
        }
        if (st == LEHR_OK) st = checkpoint_if_due(t, false);
        if (epoch_done) clock_start(t);
    }
    return st == LEHR_OK ? lh_trainer_flush(t) : st;
}

/* ---- preparing ---- */

/* Compiles everything with the halt flag up, so that nothing is changed, then sets the start. */
static lehr_status warm_up(lh_trainer *t)
{
    const float running[2] = {1, 0};
    lehr_status st = lh_network_warm_up(t->net);
    if (st == LEHR_OK) st = lh_updater_warm_up(t->updater, t->control_buffer);
    if (st == LEHR_OK)
        st = lh_buffer_write(t->dev, t->control_buffer, 0, sizeof running, running);
    return st == LEHR_OK ? lh_network_initialise(t->net, t->p.seed) : st;
}

static lehr_status prepare(lh_trainer *t)
{
    lehr_status st = lh_settings_check(t->ctx, &t->p);
    if (st == LEHR_OK) st = lh_trainer_plan(t);
    if (st == LEHR_OK) st = lh_trainer_make(t);
    if (st == LEHR_OK) st = warm_up(t);
    if (st == LEHR_OK && t->p.init) st = lh_weights_load(t->ctx, t->dev, t->net, t->p.init);
    if (st == LEHR_OK && t->split.val_count)
        st = lh_feed_order(t->feed, LH_LIST_VALIDATION, t->split.val, t->split.val_count);
    return st;
}

/* A fresh directory, or the one to continue: lock, checkpoint, history, run.json. */
static lehr_status open_directory(lh_trainer *t)
{
    if (!t->p.out) return LEHR_OK;
    lehr_status st = lh_make_dirs(t->ctx, t->p.out);
    if (st == LEHR_OK) st = lh_lock_dir(t->ctx, t->p.out, &t->lock);
    if (st == LEHR_OK) lh_remove_temporaries(t->ctx, t->p.out);
    if (st == LEHR_OK && !t->p.resume) {
        lh_str path = {0};
        lh_path_join(&path, t->p.out, "run.json");
        if (lh_file_exists(lh_str_text(&path)))
            st = lh_fail(t->ctx, LEHR_E_USAGE, "'%s' holds a run already; continue it with --resume "
                         "%s, or choose another directory with --out", t->p.out, t->p.out);
        lh_str_free(&path);
        if (st == LEHR_OK) st = lh_tuning_save_tables(&t->tuning, t->p.out);
    }
    if (st == LEHR_OK && t->p.resume)
        st = lh_settings_same_tables(t->ctx, t->p.resume, lh_str_text(&t->tuning.text));
    if (st == LEHR_OK && t->p.resume) st = lh_checkpoint_load(t, t->p.resume);
    if (st == LEHR_OK && t->p.resume)
        st = lh_history_truncate(t->ctx, t->p.out, t->at.step,
                                 (uint64_t)epochs_after(t, t->at.step));
    if (st == LEHR_OK)
        st = lh_history_open(t->ctx, t->p.out, t->value_names, t->value_count, &t->history);
    return st == LEHR_OK ? lh_settings_write(t, false) : st;
}

/* ---- finishing ---- */

static lehr_status test_once(lh_trainer *t)
{
    lehr_train_result *r = t->result;
    if (lehr_data_get_info(t->data)->test_count == 0) return LEHR_OK;
    lehr_status st = lh_feed_create(t->dev, t->data, 1, lh_network_batch(t->net), LH_AUGMENT_NONE,
                                    lh_normalize_find(t->p.normalize), &t->test_feed);
    uint64_t count = lehr_data_get_info(t->data)->test_count;
    int32_t *order = st == LEHR_OK ? lh_alloc(t->ctx, (size_t)count, sizeof *order) : NULL;
    if (st == LEHR_OK && !order) st = LEHR_E_MEMORY;
    for (uint64_t i = 0; order && i < count; i++) order[i] = (int32_t)i;
    if (st == LEHR_OK) st = lh_feed_order(t->test_feed, LH_LIST_VALIDATION, order, count);
    if (st == LEHR_OK)
        st = lh_trainer_evaluate(t, t->test_feed, LH_LIST_VALIDATION, count, &r->test_loss,
                                 &r->test_accuracy);
    free(order);
    return st;
}

static void fill_result(lh_trainer *t)
{
    lehr_train_result *r = t->result;
    r->steps = t->at.step;
    r->epochs = (uint64_t)epochs_after(t, t->at.step);
    r->loss = t->at.last_loss;
    r->accuracy = t->at.last_accuracy;
    r->val_loss = t->at.last_val_loss;
    r->val_accuracy = t->at.last_val_accuracy;
    r->best_val_accuracy = isfinite(t->at.best_val_accuracy) ? t->at.best_val_accuracy : NAN;
    r->best_epoch = t->at.best_epoch;
    r->seconds = t->at.seconds;
    r->diverged = t->diverged;
    r->interrupted = t->interrupted;
}

static lehr_status finish(lh_trainer *t)
{
    bool complete = t->at.step >= t->total_steps || t->result->stopped_early;
    lehr_status st = checkpoint_if_due(t, !checkpoint_due(t));
    if (st == LEHR_OK && complete) st = test_once(t);
    if (st == LEHR_OK && t->p.save_weights && !t->interrupted)
        st = lh_weights_write(t, t->p.save_weights);
    fill_result(t);
    lehr_event event = make_event(t, "end");
    event.loss = t->result->loss;
    event.accuracy = t->result->accuracy;
    event.val_loss = t->result->val_loss;
    event.val_accuracy = t->result->val_accuracy;
    event.test_loss = t->result->test_loss;
    event.test_accuracy = t->result->test_accuracy;
    if (st == LEHR_OK) tell(t, &event);
    if (st == LEHR_OK && t->history) st = lh_history_save(t->history);
    if (st == LEHR_OK && t->p.out) st = lh_settings_write(t, complete && !t->interrupted);
    if (st == LEHR_OK && t->interrupted)
        st = lh_fail(t->ctx, LEHR_E_INTERRUPTED, "stopped after step %llu%s%s",
                     (unsigned long long)t->at.step, t->p.out ? "; continue with --resume " : "",
                     t->p.out ? t->p.out : "");
    return st;
}

static lehr_status run(lh_trainer *t)
{
    lehr_status st = prepare(t);
    if (st == LEHR_OK) st = open_directory(t);
    if (st != LEHR_OK) return st;
    lehr_event start = make_event(t, "start");
    start.schedule = lh_str_text(&t->tuning.text);
    tell(t, &start);
    clock_start(t);
    st = loop(t);
    if (st == LEHR_OK) return finish(t);
    fill_result(t);
    if (st == LEHR_E_DIVERGED && t->p.out && lh_settings_write(t, true) == LEHR_OK)
        lh_history_save(t->history);
    return st;
}

/* ---- public ---- */

void lehr_train_params_init(lehr_train_params *p)
{
    *p = (lehr_train_params){.optimizer = "sgd", .schedule = "constant()", .lr = NAN, .epochs = 1,
                             .batch = 128, .accumulate = 1, .seed = 1, .val_fraction = 0.1,
                             .augment = "none", .normalize = "dataset", .loss = "cross_entropy",
                             .weight_decay = NAN, .checkpoint_every = "1ep"};
}

static void init_result(lehr_train_result *r)
{
    *r = (lehr_train_result){.loss = NAN, .accuracy = NAN, .val_loss = NAN, .val_accuracy = NAN,
                             .best_val_accuracy = NAN, .test_loss = NAN, .test_accuracy = NAN};
}

static lehr_status train(lehr_device *device, lehr_registry *registry, const lehr_model *model,
                         const lehr_data *data, const lehr_train_params *params,
                         const lh_settings *stored, lehr_train_result *result)
{
    lehr_train_result own;
    lh_trainer t = {.ctx = lh_device_context(device), .dev = device, .registry = registry,
                    .model = model, .data = data, .p = *params, .result = result ? result : &own};
    t.at = (lh_progress){.best_val_loss = INFINITY, .best_val_accuracy = -INFINITY,
                         .last_loss = NAN, .last_accuracy = NAN, .last_val_loss = NAN,
                         .last_val_accuracy = NAN};
    init_result(t.result);
    lh_kept_forget_run(device);
    lehr_status st = stored ? lh_settings_recall(stored, device) : LEHR_OK;
    if (st == LEHR_OK) st = run(&t);
    if (t.net) {
        size_t images = t.feed ? lh_feed_bytes(t.feed) : 0;
        if (t.test_feed) images += lh_feed_bytes(t.test_feed);
        t.result->memory = lh_memory_of(t.net, t.updater, images);
    }
    lh_trainer_release(&t);
    lh_kept_forget_run(device);
    return st;
}

lehr_status lehr_train(lehr_device *device, lehr_registry *registry, const lehr_model *model,
                       const lehr_data *data, const lehr_train_params *params,
                       lehr_train_result *result)
{
    lehr_context *ctx = lh_device_context(device);
    lh_settings *stored = NULL;
    lehr_train_params p = *params;
    lehr_status st = LEHR_OK;
    lh_enter(ctx);
    if (result) init_result(result);
    if (p.resume) {
        st = lh_settings_read(ctx, p.resume, &stored);
        if (st == LEHR_OK) st = lh_settings_compare(ctx, stored, &p, model, data);
        p.out = p.resume;
    }
    if (st == LEHR_OK) st = train(device, registry, model, data, &p, stored, result);
    lh_settings_free(&stored);
    return st;
}

lehr_status lehr_train_resume(lehr_device *device, lehr_registry *registry,
                              const lehr_train_params *params, lehr_train_result *result)
{
    lehr_context *ctx = lh_device_context(device);
    lh_settings *stored = NULL;
    lehr_model *model = NULL;
    lehr_data *data = NULL;
    lehr_train_params p = *params;
    lh_enter(ctx);
    if (result) init_result(result);
    lehr_status st = lh_settings_read(ctx, p.resume, &stored);
    const char *text = stored ? lh_settings_text(stored, "model", "text") : NULL;
    const char *spec = stored ? lh_settings_text(stored, "data", "spec") : NULL;
    if (st == LEHR_OK && (!text || !spec))
        st = lh_fail(ctx, LEHR_E_CHECKPOINT, "run.json in '%s' lacks the model or the data set",
                     p.resume);
    if (st == LEHR_OK)
        st = lehr_model_parse(ctx, lh_settings_text(stored, "model", "name"), text, &model);
    if (st == LEHR_OK) st = lehr_data_open(ctx, spec, &data);
    if (st == LEHR_OK) {
        lh_settings_apply(stored, &p);
        p.init = NULL;
        p.out = p.resume;
        st = lh_settings_compare(ctx, stored, &p, model, data);
    }
    if (st == LEHR_OK) st = train(device, registry, model, data, &p, stored, result);
    lehr_model_destroy(&model);
    lehr_data_destroy(&data);
    lh_settings_free(&stored);
    return st;
}
