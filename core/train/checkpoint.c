/* SPDX-License-Identifier: MIT
 *
 * Checkpoints: one safetensors file "checkpoint-<step>.safetensors" with weights, statistics, slots
 * ("slot.<slot>.<tensor>"), where they differ the weights and statistics to be judged by
 * ("eval.<tensor>"), what plugins keep in memory of their own (opaque.c) and, as metadata, every number
 * that a run needs to go on bit for bit.  Numbers are written as hexadecimal floats.  Written
 * atomically; the last two are kept. */
#include "core/train/trainer.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/train/opaque.h"
#include "core/train/safetensors.h"

enum { KEEP = 2, MAX_CHECKPOINTS = 4096 };
static const char prefix[] = "checkpoint-", suffix[] = ".safetensors", eval_head[] = "eval.";

/* ---- gathering tensors ---- */

typedef struct bundle {
    lh_st_entry *entries;
    size_t count, capacity;
    float **arenas; /* host copies, freed at the end */
    size_t arena_count;
    lh_str names;   /* "slot.*" names one after the other, NUL-separated; offsets in name_at */
    size_t *name_at;
    lh_opaques opaques;
} bundle;

static void bundle_free(bundle *b)
{
    for (size_t i = 0; i < b->arena_count; i++) free(b->arenas[i]);
    free(b->arenas);
    free(b->entries);
    free(b->name_at);
    lh_opaques_free(&b->opaques);
    lh_str_free(&b->names);
}

static lehr_status download(lh_network *net, lehr_device *dev, lehr_context *ctx, cl_mem mem,
                            size_t count, bundle *b, float **out)
{
    (void)net;
    float *copy = lh_alloc(ctx, count, sizeof *copy);
    *out = copy;
    if (!copy) return LEHR_E_MEMORY;
    b->arenas[b->arena_count++] = copy;
    return lh_buffer_read(dev, mem, 0, count * sizeof *copy, copy);
}

static void add_tensors(const lh_network *net, bundle *b, const float *weights, const float *stats,
                        const char *head)
{
    for (uint32_t i = 0; i < lh_network_tensor_count(net); i++) {
        const lh_named_tensor *t = lh_network_tensor(net, i);
        if (t->is_stat && !stats) continue;
        lh_st_entry *e = &b->entries[b->count];
        b->name_at[b->count++] = b->names.length;
        lh_str_add(&b->names, head);
        lh_str_add_bytes(&b->names, t->name, strlen(t->name) + 1);
        *e = (lh_st_entry){.dtype = "F32", .ndim = t->ndim, .bytes = t->count * sizeof(float),
                           .data = (t->is_stat ? stats : weights) + t->offset};
        memcpy(e->dims, t->dims, sizeof t->dims);
    }
}

static void name_entries(bundle *b)
{
    for (size_t i = 0; i < b->count; i++) b->entries[i].name = b->names.text + b->name_at[i];
    for (size_t i = 0; i < b->opaques.count; i++) b->entries[b->count++] = b->opaques.entries[i];
}

/* Weights and statistics as they are in the network. */
static lehr_status add_network(lh_trainer *t, bundle *b, const char *head)
{
    float *weights = NULL, *stats = NULL;
    size_t stats_count = lh_network_stats_count(t->net);
    const lh_arena_layout *layout = lh_network_layout(t->net);
    lehr_status st = download(t->net, t->dev, t->ctx, layout->weights, layout->count, b, &weights);
    if (st == LEHR_OK && stats_count)
        st = download(t->net, t->dev, t->ctx, lh_network_stats(t->net), stats_count, b, &stats);
    if (st == LEHR_OK) add_tensors(t->net, b, weights, stats, head);
    return st;
}

static lehr_status add_slots(lh_trainer *t, bundle *b)
{
    lehr_status st = LEHR_OK;
    for (uint32_t i = 0; i < lh_updater_slot_count(t->updater) && st == LEHR_OK; i++) {
        float *slot = NULL;
        char head[96];
        snprintf(head, sizeof head, "slot.%.80s.", lh_updater_slot_name(t->updater, i));
        st = download(t->net, t->dev, t->ctx, lh_updater_slot(t->updater, i),
                      lh_network_layout(t->net)->count, b, &slot);
        if (st == LEHR_OK) add_tensors(t->net, b, slot, NULL, head);
    }
    return st;
}

/* For a checkpoint: weights, slots, and what the run is to be judged by; else only the latter. */
static lehr_status bundle_make(lh_trainer *t, bool checkpoint, bundle *b)
{
    uint32_t slots = lh_updater_slot_count(t->updater);
    if (checkpoint) {
        lehr_status saved = lh_opaques_save(t->ctx, &t->tuning, t->updater, &b->opaques);
        if (saved != LEHR_OK) return saved;
    }
    b->capacity = lh_network_tensor_count(t->net) * (size_t)(2 + slots) + b->opaques.count;
    b->entries = lh_alloc(t->ctx, b->capacity, sizeof *b->entries);
    b->name_at = lh_alloc(t->ctx, b->capacity, sizeof *b->name_at);
    b->arenas = lh_alloc(t->ctx, 4 + slots, sizeof *b->arenas);
    if (!b->entries || !b->name_at || !b->arenas) return LEHR_E_MEMORY;
    lehr_status st = checkpoint ? add_network(t, b, "") : LEHR_OK;
    if (st == LEHR_OK && checkpoint) st = add_slots(t, b);
    if (st == LEHR_OK && (!checkpoint || lh_trainer_has_eval(t))) {
        st = lh_trainer_enter_eval(t);
        if (st == LEHR_OK) st = add_network(t, b, checkpoint ? eval_head : "");
        if (st == LEHR_OK) st = lh_trainer_leave_eval(t);
    }
    if (st == LEHR_OK && b->names.failed)
        st = lh_fail(t->ctx, LEHR_E_MEMORY, "out of memory for a checkpoint");
    if (st == LEHR_OK) name_entries(b);
    return st;
}

lehr_status lh_weights_write(lh_trainer *t, const char *path)
{
    bundle b = {0};
    lehr_model_info info;
    lehr_model_get_info(t->model, &info);
    const char *const metadata[] = {"format", "pt", "model", info.text, "model_name", info.name,
                                    "normalize", t->p.normalize, NULL};
    lehr_status st = bundle_make(t, false, &b);
    if (st == LEHR_OK) st = lh_safetensors_write(t->ctx, path, b.entries, b.count, metadata);
    bundle_free(&b);
    return st;
}

/* ---- the numbers ---- */

/* Every number of a trainer, scheduler and updater in one array; fill false: from the array. */
static void exchange_progress(lh_trainer *t, double *n, bool fill)
{
    lh_progress *a = &t->at;
    double *reals[] = {&a->loss_sum, &a->correct_sum, &a->seconds, &a->epoch_seconds,
                       &a->best_val_loss, &a->best_val_accuracy, &a->last_loss, &a->last_accuracy,
                       &a->last_val_loss, &a->last_val_accuracy};
    uint64_t *counts[] = {&a->step, &a->seen, &a->best_epoch, &a->bad_epochs};
    for (size_t i = 0; i < LH_COUNT(reals); i++) {
        if (fill) n[i] = *reals[i];
        else *reals[i] = n[i];
    }
    for (size_t i = 0; i < LH_COUNT(counts); i++) {
        if (fill) n[LH_COUNT(reals) + i] = (double)*counts[i];
        else *counts[i] = (uint64_t)n[LH_COUNT(reals) + i];
    }
}

enum { PROGRESS_NUMBERS = 14, PROGRESS_COUNTS = 4 /* the last ones */ };

static void add_numbers(lh_str *s, const double *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) lh_str_printf(s, "%s%a", i ? " " : "", numbers[i]);
}

/* Exactly count hexadecimal floats, separated by spaces. */
static bool read_numbers(const char *text, double *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *end = NULL;
        out[i] = strtod(text, &end);
        if (end == text) return false;
        text = end;
    }
    return text[strspn(text, " ")] == '\0';
}

static lehr_status metadata_text(lh_trainer *t, lh_str *progress, lh_str *schedule, lh_str *updater)
{
    lh_locale locale = lh_locale_enter();
    double numbers[PROGRESS_NUMBERS];
    size_t a = lh_tuning_state_count(&t->tuning), b = lh_updater_state_count(t->updater);
    double *state = lh_alloc(t->ctx, a + b, sizeof *state);
    if (state) {
        exchange_progress(t, numbers, true);
        add_numbers(progress, numbers, PROGRESS_NUMBERS);
        lh_tuning_get_state(&t->tuning, state);
        add_numbers(schedule, state, a);
        lh_updater_get_state(t->updater, state + a);
        add_numbers(updater, state + a, b);
    }
    bool ok = state != NULL;
    free(state);
    lh_locale_leave(locale);
    return ok ? LEHR_OK : LEHR_E_MEMORY;
}

static lehr_status restore_numbers(lh_trainer *t, const lh_safetensors *file)
{
    double numbers[PROGRESS_NUMBERS];
    const char *progress = lh_safetensors_metadata(file, "progress");
    const char *schedule = lh_safetensors_metadata(file, "scheduler");
    const char *updater = lh_safetensors_metadata(file, "updater");
    size_t a = lh_tuning_state_count(&t->tuning), b = lh_updater_state_count(t->updater);
    double *state = lh_alloc(t->ctx, a + b, sizeof *state);
    if (!state) return LEHR_E_MEMORY;
    lh_locale locale = lh_locale_enter();
    bool ok = progress && schedule && updater &&
              read_numbers(progress, numbers, PROGRESS_NUMBERS) &&
              read_numbers(schedule, state, a) && read_numbers(updater, state + a, b);
    lh_locale_leave(locale);
    for (int i = PROGRESS_NUMBERS - PROGRESS_COUNTS; ok && i < PROGRESS_NUMBERS; i++)
        ok = numbers[i] >= 0 && numbers[i] < 9e15; /* counts, exact in a double */
    if (ok) {
        exchange_progress(t, numbers, false);
        lh_tuning_set_state(&t->tuning, state);
        lh_updater_set_state(t->updater, state + a);
    }
    free(state);
    return ok ? LEHR_OK
              : lh_fail(t->ctx, LEHR_E_CHECKPOINT, "its state does not fit this schedule and optimizer");
}

/* ---- files ---- */

static int descending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x < y) - (x > y);
}

/* Steps of the checkpoints in dir, newest first. */
static size_t list_checkpoints(const char *dir, uint64_t *steps)
{
    size_t count = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d)) != NULL && count < MAX_CHECKPOINTS;) {
        const char *name = e->d_name;
        size_t length = strlen(name), head = sizeof prefix - 1, tail = sizeof suffix - 1;
        char digits[24];
        if (length <= head + tail || length >= head + tail + sizeof digits ||
            strncmp(name, prefix, head) != 0 || strcmp(name + length - tail, suffix) != 0)
            continue;
        snprintf(digits, sizeof digits, "%.*s", (int)(length - head - tail), name + head);
        if (lh_parse_u64(digits, &steps[count])) count++;
    }
    if (d) closedir(d);
    qsort(steps, count, sizeof *steps, descending);
    return count;
}

static void checkpoint_path(lh_str *s, const char *dir, uint64_t step)
{
    char name[64];
    snprintf(name, sizeof name, "%s%08llu%s", prefix, (unsigned long long)step, suffix);
    lh_path_join(s, dir, name);
}

static void prune(lh_trainer *t)
{
    uint64_t steps[MAX_CHECKPOINTS];
    size_t count = list_checkpoints(t->p.out, steps);
    for (size_t i = KEEP; i < count; i++) {
        lh_str path = {0};
        checkpoint_path(&path, t->p.out, steps[i]);
        if (lh_file_remove(t->ctx, lh_str_text(&path)) != LEHR_OK)
            lh_log(t->ctx, LEHR_LOG_WARN, "%s", lehr_context_message(t->ctx));
        lh_str_free(&path);
    }
}

lehr_status lh_checkpoint_write(lh_trainer *t)
{
    bundle b = {0};
    lh_str path = {0}, progress = {0}, schedule = {0}, updater = {0};
    lehr_status st = bundle_make(t, true, &b);
    if (st == LEHR_OK) st = metadata_text(t, &progress, &schedule, &updater);
    const char *const metadata[] = {"format", "pt", "version", "1",
                                    "lehr_version", lehr_version(),
                                    "optimizer", lh_updater_text(t->updater),
                                    "schedule", lh_str_text(&t->tuning.text),
                                    "data", lehr_data_get_info(t->data)->sha256,
                                    "progress", lh_str_text(&progress),
                                    "scheduler", lh_str_text(&schedule),
                                    "updater", lh_str_text(&updater),
                                    b.opaques.count ? "opaque" : NULL,
                                    lh_str_text(&b.opaques.versions), NULL};
    checkpoint_path(&path, t->p.out, t->at.step);
    if (st == LEHR_OK) st = lh_history_save(t->history);
    if (st == LEHR_OK)
        st = lh_safetensors_write(t->ctx, lh_str_text(&path), b.entries, b.count, metadata);
    if (st == LEHR_OK) prune(t);
    bundle_free(&b);
    lh_str_free(&path);
    lh_str_free(&progress);
    lh_str_free(&schedule);
    lh_str_free(&updater);
    return st;
}

/* ---- loading ---- */

static lehr_status fail_tensor(lehr_context *ctx, const char *name, const char *why)
{
    return lh_fail(ctx, LEHR_E_CHECKPOINT, "tensor '%s' %s", name, why);
}

/* Copies tensors of a file into an arena's host copy; prefix_ is "", "eval." or "slot.NAME.". */
static lehr_status take_tensors(lehr_context *ctx, const lh_network *net,
                                const lh_safetensors *file, const char *prefix_, bool stats,
                                float *arena)
{
    for (uint32_t i = 0; i < lh_network_tensor_count(net); i++) {
        const lh_named_tensor *t = lh_network_tensor(net, i);
        char name[256];
        if (t->is_stat != stats) continue;
        snprintf(name, sizeof name, "%.100s%.100s", prefix_, t->name);
        const lh_st_entry *e = lh_safetensors_find(file, name);
        if (!e) return fail_tensor(ctx, name, "is missing; the file belongs to another model");
        bool fits = strcmp(e->dtype, "F32") == 0 && e->ndim == t->ndim;
        for (uint32_t d = 0; d < t->ndim && fits; d++) fits = e->dims[d] == t->dims[d];
        if (!fits) return fail_tensor(ctx, name, "has another shape or type than the model's");
        memcpy(arena + t->offset, e->data, t->count * sizeof(float));
    }
    return LEHR_OK;
}

static lehr_status load_arena(lehr_context *ctx, lehr_device *dev, const lh_network *net,
                              const lh_safetensors *file, const char *prefix_, bool stats,
                              cl_mem mem, size_t count)
{
    float *arena = lh_alloc(ctx, count, sizeof *arena);
    if (!arena) return LEHR_E_MEMORY;
    lehr_status st = take_tensors(ctx, net, file, prefix_, stats, arena);
    if (st == LEHR_OK) st = lh_buffer_write(dev, mem, 0, count * sizeof *arena, arena);
    free(arena);
    return st;
}

static lehr_status load_weights(lehr_context *ctx, lehr_device *dev, const lh_network *net,
                                const lh_safetensors *file, const char *head)
{
    size_t stats = lh_network_stats_count(net);
    lehr_status st = load_arena(ctx, dev, net, file, head, false, lh_network_layout(net)->weights,
                                lh_network_layout(net)->count);
    if (st == LEHR_OK && stats)
        st = load_arena(ctx, dev, net, file, head, true, lh_network_stats(net), stats);
    return st;
}

/* A checkpoint may hold the weights to be judged by beside those of training. */
static bool has_eval(const lh_network *net, const lh_safetensors *file)
{
    char name[160];
    for (uint32_t i = 0; i < lh_network_tensor_count(net); i++) {
        snprintf(name, sizeof name, "%s%.100s", eval_head, lh_network_tensor(net, i)->name);
        if (!lh_safetensors_find(file, name)) return false;
    }
    return lh_network_tensor_count(net) > 0;
}

lehr_status lh_weights_load(lehr_context *ctx, lehr_device *dev, lh_network *net, const char *path)
{
    lh_safetensors *file = NULL;
    lehr_status st = lh_safetensors_read(ctx, path, &file);
    if (st == LEHR_OK) {
        st = load_weights(ctx, dev, net, file, has_eval(net, file) ? eval_head : "");
        if (st != LEHR_OK) lh_fail_context(ctx, "weights file '%s': ", path);
    }
    lh_safetensors_free(&file);
    return st;
}

static lehr_status load_checkpoint(lh_trainer *t, const char *path)
{
    lh_safetensors *file = NULL;
    lehr_status st = lh_safetensors_read(t->ctx, path, &file);
    if (st == LEHR_OK) st = load_weights(t->ctx, t->dev, t->net, file, "");
    for (uint32_t i = 0; st == LEHR_OK && i < lh_updater_slot_count(t->updater); i++) {
        char slot[96];
        snprintf(slot, sizeof slot, "slot.%.80s.", lh_updater_slot_name(t->updater, i));
        st = load_arena(t->ctx, t->dev, t->net, file, slot, false, lh_updater_slot(t->updater, i),
                        lh_network_layout(t->net)->count);
    }
    if (st == LEHR_OK) st = restore_numbers(t, file);
    if (st == LEHR_OK) st = lh_opaques_load(t->ctx, &t->tuning, t->updater, file);
    lh_safetensors_free(&file);
    return st;
}

lehr_status lh_checkpoint_load(lh_trainer *t, const char *dir)
{
    uint64_t steps[MAX_CHECKPOINTS];
    char why[512] = ""; /* of the newest */
    size_t count = list_checkpoints(dir, steps);
    for (size_t i = 0; i < count; i++) {
        lh_str path = {0};
        checkpoint_path(&path, dir, steps[i]);
        lh_enter(t->ctx);
        lehr_status st = load_checkpoint(t, lh_str_text(&path));
        if (st != LEHR_OK)
            lh_log(t->ctx, LEHR_LOG_WARN, "skipping %s: %s", lh_str_text(&path),
                   lehr_context_message(t->ctx));
        if (st != LEHR_OK && i == 0)
            snprintf(why, sizeof why, "%s", lehr_context_message(t->ctx));
        if (st == LEHR_OK)
            lh_log(t->ctx, LEHR_LOG_INFO, "continuing from %s", lh_str_text(&path));
        lh_str_free(&path);
        if (st == LEHR_OK || st == LEHR_E_DEVICE) return st;
    }
    lh_enter(t->ctx);
    return lh_fail(t->ctx, LEHR_E_CHECKPOINT,
                   count ? "none of the checkpoints in '%s' can be used (the log says why of each); the "
                           "newest: %s"
                         : "there is no checkpoint in '%s'%s", dir, why);
}

char *lh_checkpoint_newest(lehr_context *ctx, const char *dir)
{
    uint64_t steps[MAX_CHECKPOINTS];
    size_t count = list_checkpoints(dir, steps);
    for (size_t i = 0; i < count; i++) {
        lh_str path = {0};
        lh_safetensors *file = NULL;
        checkpoint_path(&path, dir, steps[i]);
        lh_enter(ctx);
        lehr_status st = lh_safetensors_read(ctx, lh_str_text(&path), &file);
        lh_safetensors_free(&file);
        if (st == LEHR_OK) return path.text;
        lh_log(ctx, LEHR_LOG_WARN, "skipping %s: %s", lh_str_text(&path),
               lehr_context_message(ctx));
        lh_str_free(&path);
    }
    lh_enter(ctx);
    lh_fail(ctx, LEHR_E_CHECKPOINT, "there is no usable checkpoint in '%s'", dir);
    return NULL;
}
