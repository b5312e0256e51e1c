/* SPDX-License-Identifier: MIT
 *
 * Synthetic images for machines without a data set: 32 x 32 colour pictures of a shape (disk, square,
 * triangle, ring, cross) filled with stripes (lying or standing).  Shape and stripe direction are the
 * class; place, size, tilt, colours, background, small distractors and noise are not.  Neither colour
 * nor place tells the class, so a linear model learns little.  Mirroring and shifting keep the class.
 *
 * Image i of a part depends on seed, part, i and classes only.  Only + - * / sqrt and comparisons are
 * used on floats (no libm functions whose last bit differs), so every machine makes the same bytes. */
#include "core/data/data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/philox.h"

enum { SIDE = 32, PLANE = SIDE * SIDE, SHAPES = 5, MAX_COUNT = 1000000 };
enum { NOISE_DRAWS = 1024 }; /* draws below are of the picture, from here on one per pixel */

/* Uniform numbers of one image, in order. */
typedef struct source {
    uint64_t seed, index;
    uint32_t draw, lane;
    lh_philox block;
} source;

static float uniform(source *s, float low, float high)
{
    if (s->lane == 0) s->block = lh_philox_draw(s->seed, s->index, LH_STREAM_SYNTHETIC, s->draw++);
    float u = lh_uniform(s->block.v[s->lane]);
    s->lane = (s->lane + 1) % 4;
    return low + (high - low) * u;
}

typedef struct item {
    uint32_t shape, standing;     /* what the class is made of */
    float x, y, radius;           /* centre in pixels */
    float cosine, sine;           /* tilt of the outline */
    float stripe_x, stripe_y;     /* direction across the stripes over their period */
    float phase;
    float colour[2][3];           /* the two stripe colours */
    float strength;               /* opacity */
} item;

/* A rotation by 2 atan(t), without trigonometric functions. */
static void rotation(float t, float *cosine, float *sine)
{
    float d = 1.0f + t * t;
    *cosine = (1.0f - t * t) / d;
    *sine = 2.0f * t / d;
}

static item random_item(source *s, uint32_t shape, uint32_t standing, float low, float high,
                        float spread)
{
    item it = {.shape = shape, .standing = standing};
    float c, d;
    it.radius = uniform(s, low, high);
    it.x = uniform(s, SIDE / 2 - spread, SIDE / 2 + spread);
    it.y = uniform(s, SIDE / 2 - spread, SIDE / 2 + spread);
    rotation(uniform(s, -0.13f, 0.13f), &it.cosine, &it.sine); /* up to 15 degrees */
    rotation(uniform(s, -0.17f, 0.17f), &c, &d);               /* up to 20 degrees */
    float period = uniform(s, 4.0f, 6.0f);
    it.stripe_x = (standing ? c : d) / period;
    it.stripe_y = (standing ? -d : c) / period;
    it.phase = uniform(s, 0.0f, 1.0f);
    for (int k = 0; k < 3; k++) {
        float middle = uniform(s, 0.2f, 0.8f), half = uniform(s, 0.1f, 0.3f);
        it.colour[0][k] = middle - half;
        it.colour[1][k] = middle + half;
    }
    it.strength = 1.0f;
    return it;
}

static float largest(float a, float b) { return a > b ? a : b; }
static float smallest(float a, float b) { return a < b ? a : b; }
static float magnitude(float a) { return a < 0 ? -a : a; }

/* Distance from inside (positive) to outside of the unit shape, about in units of the radius. */
static float inside(uint32_t shape, float u, float v)
{
    float r = sqrtf(u * u + v * v), a = magnitude(u), b = magnitude(v);
    switch (shape) {
    case 0: return 0.9f - r;                                                  /* disk */
    case 1: return 0.78f - largest(a, b);                                     /* square */
    case 2: return smallest(0.62f - v, 0.5f + 0.5f * v - 0.87f * a + 0.05f);  /* triangle */
    case 3: return smallest(0.98f - r, r - 0.5f);                             /* ring */
    default: return smallest(0.95f - largest(a, b), 0.33f - smallest(a, b));  /* cross */
    }
}

/* Triangle wave of period 1 between 0 and 1. */
static float wave(float t)
{
    float f = t - floorf(t);
    return f < 0.5f ? 2.0f * f : 2.0f - 2.0f * f;
}

static void paint(const item *it, float pixels[3][PLANE])
{
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            float dx = (float)x + 0.5f - it->x, dy = (float)y + 0.5f - it->y;
            float u = (it->cosine * dx + it->sine * dy) / it->radius;
            float v = (it->cosine * dy - it->sine * dx) / it->radius;
            /* one pixel of soft edge */
            float cover = 0.5f + inside(it->shape, u, v) * it->radius;
            cover = smallest(1.0f, largest(0.0f, cover)) * it->strength;
            if (!(cover > 0)) continue;
            float w = wave(dx * it->stripe_x + dy * it->stripe_y + it->phase);
            for (int k = 0; k < 3; k++) {
                float colour = it->colour[0][k] + (it->colour[1][k] - it->colour[0][k]) * w;
                float *p = &pixels[k][y * SIDE + x];
                *p += cover * (colour - *p);
            }
        }
    }
}

/* A slope of colour with faint stripes in any direction. */
static void background(source *s, float pixels[3][PLANE])
{
    float c, d, base[3], slope_x[3], slope_y[3];
    rotation(uniform(s, -1.0f, 1.0f), &c, &d);
    float period = uniform(s, 3.0f, 8.0f), depth = uniform(s, 0.0f, 0.12f);
    for (int k = 0; k < 3; k++) {
        base[k] = uniform(s, 0.2f, 0.8f);
        slope_x[k] = uniform(s, -0.2f, 0.2f) / SIDE;
        slope_y[k] = uniform(s, -0.2f, 0.2f) / SIDE;
    }
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            float w = depth * (wave(((float)x * c + (float)y * d) / period) - 0.5f);
            for (int k = 0; k < 3; k++)
                pixels[k][y * SIDE + x] =
                    base[k] + slope_x[k] * (float)x + slope_y[k] * (float)y + w;
        }
    }
}

static void add_noise(const source *s, float level, float pixels[3][PLANE], uint8_t *out)
{
    for (uint32_t p = 0; p < PLANE; p++) {
        lh_philox r = lh_philox_draw(s->seed, s->index, LH_STREAM_SYNTHETIC, NOISE_DRAWS + p);
        float shared = lh_uniform(r.v[3]) - 0.5f;
        for (int k = 0; k < 3; k++) {
            float noise = level * (lh_uniform(r.v[k]) - 0.5f + shared);
            float value = smallest(1.0f, largest(0.0f, pixels[k][p] + noise));
            out[k * PLANE + (int)p] = (uint8_t)(value * 255.0f + 0.5f);
        }
    }
}

static void draw_image(uint64_t seed, uint64_t index, uint32_t label, uint8_t *out)
{
    float pixels[3][PLANE];
    source s = {.seed = seed, .index = index};
    background(&s, pixels);
    uint32_t distractors = (uint32_t)uniform(&s, 0.0f, 3.0f);
    for (uint32_t i = 0; i < distractors; i++) {
        uint32_t kind = (uint32_t)uniform(&s, 0.0f, 2.0f * SHAPES);
        item it = random_item(&s, kind % SHAPES, kind / SHAPES % 2, 2.5f, 4.5f, 15.0f);
        it.strength = uniform(&s, 0.4f, 0.9f);
        paint(&it, pixels);
    }
    item it = random_item(&s, label % SHAPES, label / SHAPES, 9.0f, 13.0f, 3.5f);
    it.strength = uniform(&s, 0.75f, 1.0f);
    paint(&it, pixels);
    add_noise(&s, uniform(&s, 0.04f, 0.15f), pixels, out);
}

typedef struct options {
    uint64_t n, test, seed, classes;
} options;

static lehr_status parse_option(lehr_context *ctx, const char *text, options *o)
{
    static const char *const names[] = {"n", "test", "seed", "classes"};
    const uint64_t low[] = {1, 0, 0, 2}, high[] = {MAX_COUNT, MAX_COUNT, UINT64_MAX, 2 * SHAPES};
    uint64_t *const values[] = {&o->n, &o->test, &o->seed, &o->classes};
    size_t length = strcspn(text, "=");
    for (size_t i = 0; i < LH_COUNT(names); i++) {
        if (strlen(names[i]) != length || strncmp(names[i], text, length) != 0) continue;
        if (text[length] && lh_parse_u64(text + length + 1, values[i]) && *values[i] >= low[i] &&
            *values[i] <= high[i])
            return LEHR_OK;
        return lh_fail(ctx, LEHR_E_USAGE, "synthetic: '%s' is not a whole number from %llu to %llu",
                       text, (unsigned long long)low[i], (unsigned long long)high[i]);
    }
    lh_str list = {0};
    lh_str_suggest(&list, text, names, LH_COUNT(names));
    lehr_status status =
        lh_fail(ctx, LEHR_E_USAGE, "synthetic: unknown option '%s'%s", text, lh_str_text(&list));
    lh_str_free(&list);
    return status;
}

static lehr_status parse_args(lehr_context *ctx, const char *args, options *o)
{
    char *copy = lh_strdup(ctx, args);
    lehr_status status = copy ? LEHR_OK : LEHR_E_MEMORY;
    for (char *at = copy; !status && *at;) {
        size_t length = strcspn(at, ",");
        bool last = !at[length];
        at[length] = '\0';
        status = parse_option(ctx, at, o);
        at += length + !last;
    }
    free(copy);
    return status;
}

static lehr_status name_classes(lehr_context *ctx, lehr_data *data)
{
    static const char *const names[2 * SHAPES] = {
        "disk, lying",   "square, lying",   "triangle, lying",   "ring, lying",   "cross, lying",
        "disk, standing", "square, standing", "triangle, standing", "ring, standing",
        "cross, standing"};
    return lh_data_set_names(ctx, data, names);
}

lehr_status lh_data_open_synthetic(lehr_context *ctx, const char *args, lehr_data *data)
{
    options o = {.n = 5000, .test = 1000, .seed = 7, .classes = 10};
    lehr_status status = parse_args(ctx, args, &o);
    if (!status)
        status = lh_data_allocate(ctx, data, (const uint32_t[]){3, SIDE, SIDE},
                                  (uint32_t)o.classes, o.n, o.test);
    if (!status) status = name_classes(ctx, data);
    if (status) return status;
    for (uint64_t part = 0; part < 2; part++) {
        uint64_t count = part ? o.test : o.n;
        for (uint64_t i = 0; i < count; i++) {
            /* every class equally often in any run of consecutive images */
            uint32_t label = (uint32_t)(i % o.classes);
            data->labels[part][i] = (uint8_t)label;
            draw_image(o.seed, part << 32 | i, label, data->images[part] + i * 3 * PLANE);
        }
    }
    snprintf(data->info.spec, sizeof data->info.spec,
             "synthetic:n=%llu,test=%llu,seed=%llu,classes=%llu", (unsigned long long)o.n,
             (unsigned long long)o.test, (unsigned long long)o.seed, (unsigned long long)o.classes);
    return LEHR_OK;
}
