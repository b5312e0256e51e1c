/* SPDX-License-Identifier: MIT
 *
 * Optimizer rules against formulas in double: a rule's parameters with their ranges, and the
 * drawing of values.  Draw 0 is the rule as it is named (its defaults, or a preset's), every other
 * draw writes all parameters with random values. */
#ifndef LEHR_TEST_PLUGIN_TRIAL_H
#define LEHR_TEST_PLUGIN_TRIAL_H

#include <stdio.h>

#include "tests/plugin/rig.h"

enum { OPTIONS = 12, NUMBERS = 12, UPDATES = 100 };

typedef struct option {
    const char *name;
    double def, low, high;
    int kind; /* 0 uniform, 1 log-uniform, 2 whole number, words below */
    const char *const *words;
} option;
#define REAL(NAME, DEF, LOW, HIGH)                                                                 \
    {                                                                                              \
        NAME, DEF, LOW, HIGH, 0, NULL                                                              \
    }
#define LOGR(NAME, DEF, LOW, HIGH)                                                                 \
    {                                                                                              \
        NAME, DEF, LOW, HIGH, 1, NULL                                                              \
    }
#define WHOLE(NAME, DEF, LOW, HIGH)                                                                \
    {                                                                                              \
        NAME, DEF, LOW, HIGH, 2, NULL                                                              \
    }
#define FLAG(NAME, DEF)                                                                            \
    {                                                                                              \
        NAME, DEF, 0, 1, 2, NULL                                                                   \
    }
#define WORDS(NAME, DEF, LIST)                                                                     \
    {                                                                                              \
        NAME, DEF, 0, 0, 2, LIST                                                                   \
    }

/* One update of one group as a formula sees it. */
typedef struct moment {
    double t, lr, base, loss;
    double p[OPTIONS]; /* in the order of the rule's options; weight_decay is 0 for biases */
    double h[NUMBERS]; /* numbers that prepare() keeps and computes, 0 before the first update */
} moment;

static inline void trial_draw(const option *options, uint64_t draw, double *p)
{
    for (size_t i = 0; i < OPTIONS && options[i].name; i++) {
        const option *o = &options[i];
        double u = (rig_uniform(5000 + draw, i) + 1) / 2, high = o->high;
        p[i] = o->def;
        if (draw == 0) continue;
        if (o->words)
            for (high = -1; o->words[(size_t)(high + 1)];) high++;
        if (o->kind == 0) p[i] = o->low + u * (high - o->low);
        if (o->kind == 1) p[i] = o->low * pow(high / o->low, u);
        if (o->kind == 2) p[i] = o->low + floor(u * (high - o->low + 1));
    }
}

static inline void trial_text(const char *name, const option *options, uint64_t draw,
                              const double *p, char *out, size_t size)
{
    size_t at = (size_t)snprintf(out, size, "%s", name);
    if (draw == 0) return;
    for (size_t i = 0; i < OPTIONS && options[i].name; i++) {
        const char *before = i ? ", " : "(";
        if (options[i].words)
            at += (size_t)snprintf(out + at, size - at, "%s%s=%s", before, options[i].name,
                                   options[i].words[(size_t)p[i]]);
        else
            at +=
                (size_t)snprintf(out + at, size - at, "%s%s=%.17g", before, options[i].name, p[i]);
    }
    snprintf(out + at, size - at, options[0].name ? ")" : "");
}

/* Draws beside the defaults: more in the long suite. */
static inline uint64_t trial_draws(void)
{
    const char *level = getenv("LEHR_TEST_LEVEL");
    return level && atoi(level) > 0 ? 12 : 2;
}

/* Gradients of every update, made once. */
static inline const float *trial_gradient(int t)
{
    static float all[UPDATES][ARENA];
    static bool made;
    for (size_t i = 0; !made && i < UPDATES; i++)
        for (size_t k = 0; k < ARENA; k++) all[i][k] = (float)rig_uniform(1000 + i, k);
    made = true;
    return all[t - 1];
}

/* Weight decay that acts beside the gradient: what it takes from the weight.  how: the choices of
 * decay, of which 0 is l2. */
static inline double trial_shrink(const moment *c, double weight_decay, double how)
{
    if (how == 1) return c->lr * weight_decay;
    if (how == 2) return c->lr / c->base * weight_decay;
    return how == 3 ? weight_decay : 0;
}

static inline double trial_sign(double x)
{
    return x > 0 ? 1 : x < 0 ? -1 : 0;
}

/* The sign of a computed x; *tie is set when float arithmetic of this scale may see another one. */
static inline double trial_decide(double x, double scale, double *tie)
{
    if (fabs(x) <= 2e-6 * scale) *tie = 1;
    return trial_sign(x);
}

#endif
