/* SPDX-License-Identifier: MIT
 *
 * The fake trainer: accuracy climbs towards a level that depends on the method, with noise that
 * depends on the seed; everything is a pure function of settings, so runs can be compared digit for
 * digit. */
#define _GNU_SOURCE
#include "tests/study/fake.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/files.h"
#include "core/base/philox.h"

/* Uniform in -1 .. 1, the same for the same arguments. */
static double noise(uint64_t seed, uint64_t index, uint32_t stream)
{
    return 2 * lh_uniform(lh_philox_draw(seed, index, stream, 0).v[0]) - 1;
}

static double fake_lr(const lehr_train_params *p, double step)
{
    double epoch = floor(step / FAKE_STEPS_PER_EPOCH);
    if (strncmp(p->schedule, "time", 4) == 0) return p->lr / (1 + p->lr / (double)p->epochs * step);
    if (strstr(p->schedule, "step")) return p->lr * pow(0.2, floor((1 + epoch) / 2));
    if (strstr(p->schedule, "exponential")) return p->lr * exp(-0.1 * epoch);
    return p->lr;
}

/* How good a method gets and how fast. */
static void fake_character(const lehr_train_params *p, double *top, double *speed)
{
    static const struct {
        const char *part;
        double top, speed;
    } rows[] = {{"adadelta", 0.16, 0.15},
                {"adagrad", 0.42, 0.3},
                {"rmsprop", 0.685, 0.8},
                {"adam", 0.69, 0.75},
                {"", 0.66, 0.55}};
    size_t i = 0;
    while (!strstr(p->optimizer, rows[i].part)) i++;
    bool decays = strstr(p->schedule, "step") != NULL;
    *top = rows[i].top - (decays ? 0.08 : 0);
    *speed = rows[i].speed;
}

static double fake_accuracy(const lehr_train_params *p, uint64_t epoch)
{
    double top, speed;
    fake_character(p, &top, &speed);
    return 0.1 + (top - 0.1) * (1 - exp(-speed * (double)epoch)) +
           0.008 * noise(p->seed, epoch, (uint32_t)(1000 * top)) + 0.006 * noise(p->seed, 0, 77);
}

static double fake_loss(double accuracy) { return 2.75 - 2.9 * accuracy; }

static void add_step(lh_str *line, const lehr_train_params *p, uint64_t step)
{
    lh_str_clear(line);
    lh_str_printf(line, "{\"kind\":\"step\",\"step\":%llu,\"epoch\":", (unsigned long long)step);
    lh_str_json_number(line, (double)step / FAKE_STEPS_PER_EPOCH);
    lh_str_add(line, ",\"lr\":");
    lh_str_json_number(line, fake_lr(p, (double)step - 1));
    lh_str_add(line, ",\"loss\":1.5}");
}

static void add_epoch(lh_str *line, const lehr_train_params *p, uint64_t epoch)
{
    double accuracy = fake_accuracy(p, epoch);
    lh_str_clear(line);
    lh_str_printf(line, "{\"kind\":\"epoch\",\"step\":%llu,\"epoch\":%llu,\"loss\":",
                  (unsigned long long)(epoch * FAKE_STEPS_PER_EPOCH), (unsigned long long)epoch);
    lh_str_json_number(line, fake_loss(accuracy) - 0.05);
    lh_str_add(line, ",\"accuracy\":");
    lh_str_json_number(line, accuracy + 0.02);
    lh_str_add(line, ",\"val_loss\":");
    lh_str_json_number(line, fake_loss(accuracy));
    lh_str_add(line, ",\"val_accuracy\":");
    lh_str_json_number(line, accuracy);
    lh_str_printf(line, ",\"seconds\":%g}", 3.5 * (double)epoch);
}

static void fill_result(const lehr_train_params *p, uint64_t epochs, lehr_train_result *r)
{
    *r = (lehr_train_result){.epochs = epochs,
                             .steps = epochs * FAKE_STEPS_PER_EPOCH,
                             .val_accuracy = fake_accuracy(p, epochs),
                             .seconds = 3.5 * (double)epochs};
    r->accuracy = r->val_accuracy + 0.02;
    r->loss = fake_loss(r->val_accuracy) - 0.05;
    r->val_loss = fake_loss(r->val_accuracy);
    for (uint64_t e = 1; e <= epochs; e++)
        r->best_val_accuracy = fmax(r->best_val_accuracy, fake_accuracy(p, e));
    r->test_accuracy = r->val_accuracy - 0.004 + 0.003 * noise(p->seed, 3, 5);
    r->test_loss = fake_loss(r->test_accuracy);
}

/* History from epoch `from` (0-based) to `to`; with half, the next epoch's first steps as well. */
static void write_history(fake *f, const lehr_train_params *p, uint64_t from, uint64_t to,
                          bool half)
{
    lh_str path = {0}, line = {0};
    lh_appender *file = NULL;
    lh_path_join(&path, p->out ? p->out : p->resume, "history.jsonl");
    cr_assert_eq(lh_appender_open(f->ctx, lh_str_text(&path), &file), LEHR_OK);
    for (uint64_t e = from; e < to + half; e++) {
        uint64_t steps = e < to ? FAKE_STEPS_PER_EPOCH : FAKE_STEPS_PER_EPOCH / 2;
        for (uint64_t i = 0; i < steps; i++) {
            add_step(&line, p, e * FAKE_STEPS_PER_EPOCH + i + 1);
            cr_assert_eq(lh_appender_line(file, lh_str_text(&line)), LEHR_OK);
        }
        if (e >= to) break;
        add_epoch(&line, p, e + 1);
        cr_assert_eq(lh_appender_line(file, lh_str_text(&line)), LEHR_OK);
    }
    lh_appender_close(&file);
    lh_str_free(&line);
    lh_str_free(&path);
}

static void leave_checkpoint(fake *f, const char *dir)
{
    lh_str path = {0};
    lh_path_join(&path, dir, "checkpoint-00000001.safetensors");
    cr_assert_eq(lh_file_write_text(f->ctx, lh_str_text(&path), "x"), LEHR_OK);
    lh_str_free(&path);
}

lehr_status fake_train(void *user, const lehr_train_params *p, lehr_train_result *result)
{
    fake *f = user;
    uint64_t from = p->resume ? p->epochs / 2 : 0;
    lh_enter(f->ctx);
    f->calls++;
    f->resumed += p->resume != NULL;
    memset(result, 0, sizeof *result);
    if (p->resume && f->refuse) return lh_fail(f->ctx, LEHR_E_CHECKPOINT, "a torn checkpoint");
    if (f->broken && strstr(p->optimizer, f->broken))
        return lh_fail(f->ctx, LEHR_E_PLUGIN, "plugin '%s' is broken", f->broken);
    if (f->calls == f->kill_at || f->calls == f->interrupt_at) {
        write_history(f, p, 0, f->calls == f->kill_at ? 0 : p->epochs / 2, true);
        if (f->calls == f->interrupt_at) leave_checkpoint(f, p->out);
        result->interrupted = 1;
        return lh_fail(f->ctx, LEHR_E_INTERRUPTED, "stopped by a signal");
    }
    if (f->diverging && strstr(p->optimizer, f->diverging) && p->seed % 2 == 0) {
        write_history(f, p, 0, 2, true);
        fill_result(p, 2, result);
        result->diverged = 1;
        result->test_accuracy = result->test_loss = NAN;
        return lh_fail(f->ctx, LEHR_E_DIVERGED, "the loss is NaN at step %d, layer 'conv1'",
                       2 * FAKE_STEPS_PER_EPOCH + 7);
    }
    write_history(f, p, from, p->epochs, false);
    fill_result(p, p->epochs, result);
    return LEHR_OK;
}

/* ---- studies ---- */

lehr_compare_params fake_params(lehr_context *ctx, const char *preset, uint32_t seeds,
                                const char *out)
{
    lehr_compare_params params = {.seeds = seeds, .out = out};
    lehr_method *methods = NULL;
    params.train = (lehr_train_params){.epochs = 10,
                                       .batch = 128,
                                       .seed = 1,
                                       .val_fraction = 0.1,
                                       .augment = "none",
                                       .normalize = "dataset",
                                       .loss = "cross_entropy",
                                       .accumulate = 1};
    cr_assert_eq(
        lehr_preset_create(ctx, preset, params.train.epochs, &methods, &params.method_count),
        LEHR_OK);
    params.methods = methods;
    params.command = "lehr compare --data cifar10:data --model tutorial --preset tutorial --epochs "
                     "10 --seeds 5 --out study";
    return params;
}

void fake_params_free(lehr_compare_params *params)
{
    lehr_method *methods = (lehr_method *)(uintptr_t)params->methods;
    lehr_preset_free(&methods, params->method_count);
    params->methods = NULL;
}

lh_study_subject fake_subject(const char *data_name)
{
    static lehr_device_info device = {
        .name = "Fake CPU 3000", .platform = "Fake", .driver = "1.0", .family = "cpu"};
    static lehr_data_info data = {.spec = "somewhere",
                                  .sha256 = "0123456789abcdef",
                                  .channels = 3,
                                  .height = 32,
                                  .width = 32,
                                  .classes = 10,
                                  .train_count = 50000,
                                  .test_count = 10000};
    static lehr_model_info model = {.name = "tutorial",
                                    .text = "input 3x32x32\n",
                                    .parameters = 122570,
                                    .forward_flops = 8600000};
    snprintf(data.name, sizeof data.name, "%s", data_name);
    return (lh_study_subject){.device = &device, .data = &data, .model = &model};
}

char *fake_dir(void)
{
    char *dir = strdup("/tmp/lehr-study-XXXXXX");
    cr_assert(dir && mkdtemp(dir));
    return dir;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

void fake_remove(char *dir)
{
    if (!getenv("LEHR_KEEP")) nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(dir);
}

char *fake_read(const char *dir, const char *name)
{
    lh_str path = {0};
    char *text = NULL;
    size_t bytes = 0;
    lehr_context *ctx = NULL;
    cr_assert_eq(lehr_context_create(NULL, &ctx), LEHR_OK);
    lh_path_join(&path, dir, name);
    cr_assert_eq(lh_file_read(ctx, lh_str_text(&path), 0, LEHR_E_DATA, &text, &bytes), LEHR_OK,
                 "%s", lehr_context_message(ctx));
    lehr_context_destroy(&ctx);
    lh_str_free(&path);
    return text;
}
