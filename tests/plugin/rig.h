/* SPDX-License-Identifier: MIT
 *
 * What the plugin tests share: a context that keeps warnings, a registry, an updater over a small
 * arena of two groups, random numbers. */
#ifndef LEHR_TEST_PLUGIN_RIG_H
#define LEHR_TEST_PLUGIN_RIG_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/philox.h"
#include "core/plugin/optimizer.h"
#include "core/runtime/device.h"

/* Weights, then biases without weight decay that learn at half the rate; the gap is padding. */
enum { WEIGHTS = 9001, BIAS_AT = 9216, BIASES = 301, ARENA = 9728 };

typedef struct rig {
    lehr_context *ctx;
    lehr_registry *reg;
    lehr_device *dev;
    cl_mem weights, gradients, control;
    lh_param_group groups[2];
    lh_arena_layout layout;
} rig;

/* Uniform in [-1, 1): element i of draw d. */
static inline double rig_uniform(uint64_t draw, size_t i)
{
    return (double)lh_philox_draw(77, draw, (uint32_t)i, 0).v[0] / 2147483648.0 - 1.0;
}

static inline void rig_control(rig *r, float scale, float halt)
{
    float control[2] = {scale, halt};
    cr_assert_eq(lh_buffer_write(r->dev, r->control, 0, sizeof control, control), LEHR_OK);
}

static inline void rig_fill(rig *r, cl_mem to, uint64_t draw, double scale)
{
    static float values[ARENA];
    for (size_t i = 0; i < ARENA; i++) values[i] = (float)(scale * rig_uniform(draw, i));
    cr_assert_eq(lh_buffer_write(r->dev, to, 0, sizeof values, values), LEHR_OK);
}

static inline void rig_open(rig *r)
{
    *r = (rig){0};
    cr_assert_eq(lehr_context_create(NULL, &r->ctx), LEHR_OK);
    cr_assert_eq(lehr_registry_create(r->ctx, NULL, &r->reg), LEHR_OK, "%s",
                 lehr_context_message(r->ctx));
    cr_assert_eq(lehr_device_open(r->ctx, NULL, &r->dev), LEHR_OK, "%s",
                 lehr_context_message(r->ctx));
    cr_assert_eq(lh_buffer_create(r->dev, ARENA * 4, &r->weights), LEHR_OK);
    cr_assert_eq(lh_buffer_create(r->dev, ARENA * 4, &r->gradients), LEHR_OK);
    cr_assert_eq(lh_buffer_create(r->dev, 8, &r->control), LEHR_OK);
    r->groups[0] = (lh_param_group){"weights", 0, BIAS_AT, 1, 1};
    r->groups[1] = (lh_param_group){"bias", BIAS_AT, ARENA - BIAS_AT, 0.5, 0};
    r->layout = (lh_arena_layout){.weights = r->weights, .gradients = r->gradients, .count = ARENA,
                                  .groups = r->groups, .group_count = 2};
    rig_fill(r, r->weights, 1, 0.1);
    rig_fill(r, r->gradients, 2, 1);
    rig_control(r, 1, 0);
}

static inline void rig_close(rig *r)
{
    lh_buffer_free(&r->weights);
    lh_buffer_free(&r->gradients);
    lh_buffer_free(&r->control);
    lehr_device_destroy(&r->dev);
    lehr_registry_destroy(&r->reg);
    lehr_context_destroy(&r->ctx);
}

#endif
