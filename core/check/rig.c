/* SPDX-License-Identifier: MIT
 *
 * An optimizer at work on a small arena: opening, numbers, updates. */
#define _GNU_SOURCE
#include "core/check/rig.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/philox.h"
#include "core/model/network.h"

enum { SEED = 77, BYTES = LH_RIG_ARENA * 4 };

/* LEHR_TRAITS is what makes a device pass for another one; this process is the check's own. */
bool lh_rig_device(lehr_checker *c, int family, lehr_device **out)
{
    if (!c->devices[family]) {
        const char *before = lh_getenv("LEHR_TRAITS");
        char *saved = before ? lh_strdup(c->inner, before) : NULL;
        if (family) setenv("LEHR_TRAITS", "family=gpu", 1);
        lh_note(c, "none: a device is opened");
        lehr_status st = lehr_device_open(c->inner, c->device_name, &c->devices[family]);
        if (family && saved) setenv("LEHR_TRAITS", saved, 1);
        if (family && !saved) unsetenv("LEHR_TRAITS");
        free(saved);
        if (st != LEHR_OK) {
            lh_verdict(c, LEHR_CHECK_SKIP, NULL, "%s", lehr_context_message(c->inner));
            return false;
        }
    }
    *out = c->devices[family];
    return true;
}

float lh_rig_number(uint64_t draw, uint32_t i)
{
    return (float)((double)lh_philox_draw(SEED, i, LH_STREAM_USER, (uint32_t)draw).v[0] / 2147483648.0 -
                   1.0);
}

bool lh_rig_in_tensor(uint32_t i)
{
    return (i >= LH_RIG_FIRST && i < LH_RIG_FIRST + LH_RIG_MATRIX) ||
           (i >= LH_RIG_VECTOR_AT && i < LH_RIG_VECTOR_AT + LH_RIG_VECTOR) ||
           (i >= LH_RIG_BIAS_AT && i < LH_RIG_BIAS_AT + LH_RIG_BIAS);
}

bool lh_rig_elementwise(const lehr_optimizer *d)
{
    const lehr_pass *passes = d->passes.at;
    bool summed = (d->flags & LEHR_O_CUSTOM) != 0;
    for (uint32_t i = 0; i < d->passes.count; i++) summed = summed || passes[i].reduces.count > 0;
    return !summed;
}

static bool broken(lh_rig *t, const char *what)
{
    lh_verdict(t->c, LEHR_CHECK_FAIL, "docs/plugin-abi.md describes what a rule may do", "%s: %s%s%s",
               lh_str_text(&t->subject.text), what, *what ? ": " : "",
               lehr_context_message(t->c->inner));
    return false;
}

bool lh_rig_put(lh_rig *t, cl_mem to, const float *from)
{
    return lh_buffer_write(t->dev, to, 0, BYTES, from) == LEHR_OK || broken(t, "writing");
}

bool lh_rig_get(lh_rig *t, cl_mem from, float *to)
{
    return lh_buffer_read(t->dev, from, 0, BYTES, to) == LEHR_OK || broken(t, "reading");
}

bool lh_rig_control(lh_rig *t, float scale, float halt)
{
    float control[2] = {scale, halt};
    return lh_buffer_write(t->dev, t->control, 0, sizeof control, control) == LEHR_OK ||
           broken(t, "writing");
}

/* 4001 has no factor in common with the 9216 places; padding and what is nobody's move along. */
static void place_numbers(lh_rig *t, bool permuted)
{
    for (uint32_t i = 0; i < LH_RIG_ARENA; i++)
        t->ids[i] = permuted ? (uint32_t)((uint64_t)i * 4001 % LH_RIG_ARENA) : i;
    for (uint32_t i = 0; i < LH_RIG_ARENA; i++) t->w[i] = 0.5f * lh_rig_number(0, t->ids[i]);
}

static bool make_updater(lh_rig *t, lh_cut cut)
{
    const lh_param params[] = {
        {"matrix", LEHR_ROLE_DENSE, LH_RIG_FIRST, LH_RIG_MATRIX, {100, 40}, 2, 0},
        {"vector", LEHR_ROLE_OTHER, LH_RIG_VECTOR_AT, LH_RIG_VECTOR, {LH_RIG_VECTOR}, 1, 0},
        {"bias", LEHR_ROLE_BIAS, LH_RIG_BIAS_AT, LH_RIG_BIAS, {LH_RIG_BIAS}, 1, cut == LH_TWO_GROUPS}};
    const uint32_t first = LH_RIG_FIRST, middle = LH_RIG_BIAS_AT, last = LH_RIG_LAST;
    const lh_param_group two[] = {{"one", first, middle - first, 1, 1},
                                  {"two", middle, last - middle, 1, 1}};
    const lh_param_group one[] = {{"all", first, last - first, 1, 1}};
    const lh_arena_layout layout = {.weights = t->weights, .gradients = t->gradients,
                                    .count = LH_RIG_ARENA, .params = params,
                                    .param_count = LH_COUNT(params),
                                    .groups = cut == LH_TWO_GROUPS ? two : one,
                                    .group_count = cut == LH_TWO_GROUPS ? 2 : 1,
                                    .products = &lh_gemm_products};
    lh_note(t->c, "the rule of optimizer %s is compiled", lh_str_text(&t->subject.text));
    lehr_status st = lh_updater_create(t->dev, t->c->registry, lh_str_text(&t->subject.text),
                                       (double)NAN, &layout, &t->updater);
    if (st == LEHR_OK) return true;
    if (st != LEHR_E_UNSUPPORTED) return broken(t, "");
    lh_verdict(t->c, LEHR_CHECK_SKIP, NULL, "%s", lehr_context_message(t->c->inner));
    return false;
}

bool lh_rig_open(lehr_checker *c, const lehr_optimizer *d, const char *spec, int family, lh_cut cut,
                   bool permuted, lh_rig *t)
{
    *t = (lh_rig){.c = c, .d = d, .lr = d->lr > 0 ? d->lr : 0.01};
    if (lh_subject_open(c, NULL, d, (lh_wish){.spec = spec}, &t->subject) != LH_OPENED) {
        lh_verdict(c, LEHR_CHECK_SKIP, NULL, "%s is refused: %s", lh_str_text(&t->subject.text),
                   t->subject.host.message);
        return false;
    }
    if (!lh_check_registry(c) || !lh_rig_device(c, family, &t->dev)) return false;
    t->ids = lh_alloc(c->inner, LH_RIG_ARENA, sizeof *t->ids);
    t->w = lh_alloc(c->inner, LH_RIG_ARENA, sizeof *t->w);
    t->g = lh_alloc(c->inner, LH_RIG_ARENA, sizeof *t->g);
    if (!t->ids || !t->w || !t->g) return broken(t, "memory");
    place_numbers(t, permuted);
    return (lh_buffer_create(t->dev, BYTES, &t->weights) == LEHR_OK &&
            lh_buffer_create(t->dev, BYTES, &t->gradients) == LEHR_OK &&
            lh_buffer_create(t->dev, 8, &t->control) == LEHR_OK) || broken(t, "memory")
               ? lh_rig_put(t, t->weights, t->w) && lh_rig_put(t, t->gradients, t->g) &&
                     lh_rig_control(t, 1, 0) && make_updater(t, cut)
               : false;
}

void lh_rig_close(lh_rig *t)
{
    lh_note(t->c, "destroy() of %s", lh_str_text(&t->subject.text));
    lh_updater_destroy(&t->updater);
    lh_buffer_free(&t->weights);
    lh_buffer_free(&t->gradients);
    lh_buffer_free(&t->control);
    free(t->ids);
    free(t->w);
    free(t->g);
    t->ids = NULL;
    t->w = t->g = NULL;
    lh_subject_close(&t->subject);
}

/* Padding has gradient 0; so has what belongs to nobody. */
void lh_rig_gradient(lh_rig *t, uint64_t update, double scale)
{
    for (uint32_t i = 0; i < LH_RIG_ARENA; i++)
        t->g[i] = (float)(scale * (double)lh_rig_number(update, t->ids[i]));
}

bool lh_rig_step(lh_rig *t, uint64_t n)
{
    if (!lh_rig_put(t, t->gradients, t->g)) return false;
    if (lh_updater_needs_loss(t->updater)) lh_updater_set_loss(t->updater, 2.0 / (double)(1 + n));
    lh_note(t->c, "update %llu of optimizer %s on the device", (unsigned long long)n,
            lh_str_text(&t->subject.text));
    lh_updater_set_base_lr(t->updater, t->lr);
    return lh_updater_step(t->updater, n, t->lr, t->control) == LEHR_OK || broken(t, "an update");
}

bool lh_rig_run(lh_rig *t, uint64_t from, uint64_t to)
{
    for (uint64_t n = from; n <= to; n++) {
        lh_rig_gradient(t, n, 1);
        if (!lh_rig_step(t, n)) return false;
    }
    return lh_rig_get(t, t->weights, t->w);
}
