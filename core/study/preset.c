/* SPDX-License-Identifier: MIT
 *
 * Ready-made lists of methods.  "tutorial" is the well-known tf.keras exercise on CIFAR-10: SGD
 * with four schedules at lr 0.1, then four adaptive optimizers at tf.keras' defaults.
 * "tutorial2017" has the same schedules and the defaults that Keras had when the exercise was
 * written, where Adagrad and Adadelta start 10 and 1000 times higher. */
#include "core/study/study.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

typedef struct preset_method {
    const char *name, *optimizer, *schedule;
    double lr;
} preset_method;

enum { TUTORIAL_METHODS = 8 };

/* The schedule of NULL is the time-based decay, whose decay is lr / epochs. */
static const preset_method sgd_methods[] = {
    {"constant", "sgd", "constant()", 0.1},
    {"time", "sgd", NULL, 0.1},
    {"step", "sgd", "tutorial:step(gamma=0.2, every=2ep)", 0.1},
    {"exponential", "sgd", "tutorial:exponential(rate=0.1)", 0.1},
};

typedef struct preset {
    const char *name;
    preset_method adaptive[4];
} preset;

static const preset presets[] = {
    {"tutorial",
     {{"adagrad", "keras3:adagrad", "constant()", 0.001},
      {"adadelta", "keras3:adadelta", "constant()", 0.001},
      {"rmsprop", "keras3:rmsprop", "constant()", 0.001},
      {"adam", "keras3:adam", "constant()", 0.001}}},
    {"tutorial2017",
     {{"adagrad", "keras2017:adagrad", "constant()", 0.01},
      {"adadelta", "keras2017:adadelta", "constant()", 1.0},
      {"rmsprop", "keras2017:rmsprop", "constant()", 0.001},
      {"adam", "keras2017:adam", "constant()", 0.001}}},
};

const char *lehr_preset_name(uint32_t i) { return i < LH_COUNT(presets) ? presets[i].name : NULL; }

static const preset *preset_find(lehr_context *ctx, const char *name)
{
    const char *names[LH_COUNT(presets)];
    for (size_t i = 0; i < LH_COUNT(presets); i++) {
        names[i] = presets[i].name;
        if (strcmp(name, names[i]) == 0) return &presets[i];
    }
    lh_str s = {0};
    lh_str_suggest(&s, name, names, LH_COUNT(names));
    lh_fail(ctx, LEHR_E_USAGE, "there is no preset '%s'%s", name, lh_str_text(&s));
    lh_str_free(&s);
    return NULL;
}

/* One block holds the methods and behind them the text of the schedule made for this budget. */
static lehr_method *methods_make(lehr_context *ctx, const preset *p, uint64_t epochs)
{
    enum { TEXT = 64 };
    char decay[32];
    lehr_method *methods = lh_alloc(ctx, 1, TUTORIAL_METHODS * sizeof *methods + TEXT);
    if (!methods) return NULL;
    char *time = (char *)(methods + TUTORIAL_METHODS);
    lh_str s = {0};
    lh_format_double(sgd_methods[1].lr / (double)(epochs ? epochs : 1), decay, sizeof decay);
    lh_str_printf(&s, "time(decay=%s)", decay);
    memcpy(time, lh_str_text(&s), s.length < TEXT ? s.length : TEXT - 1);
    lh_str_free(&s);
    for (size_t i = 0; i < TUTORIAL_METHODS; i++) {
        const preset_method *m = i < 4 ? &sgd_methods[i] : &p->adaptive[i - 4];
        methods[i] = (lehr_method){m->name, m->optimizer, m->schedule ? m->schedule : time, m->lr};
    }
    return methods;
}

lehr_status lehr_preset_create(lehr_context *ctx, const char *name, uint64_t epochs,
                               lehr_method **methods, uint32_t *count)
{
    assert(ctx && name && methods && count);
    lh_enter(ctx);
    *methods = NULL;
    *count = 0;
    const preset *p = preset_find(ctx, name);
    if (!p) return LEHR_E_USAGE;
    *methods = methods_make(ctx, p, epochs);
    if (!*methods) return LEHR_E_MEMORY;
    *count = TUTORIAL_METHODS;
    return LEHR_OK;
}

void lehr_preset_free(lehr_method **methods, uint32_t count)
{
    (void)count; /* one block, see methods_make */
    if (!methods) return;
    free(*methods);
    *methods = NULL;
}
