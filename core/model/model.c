/* SPDX-License-Identifier: MIT
 *
 * Making models: layers with checked shapes.  Messages name the line and the layer. */
#include "core/model/model.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LAYERS = 4096, MAX_SIDE = 65536, MAX_FILE = 1 << 20 };

static const char *const init_names[LH_INIT_COUNT] = {"he_normal", "he_uniform", "glorot_uniform",
                                                      "glorot_normal", "torch"};

const char *lh_init_name(lh_init init) { return init_names[init]; }

lh_init lh_init_find(const char *name)
{
    for (int i = 0; i < LH_INIT_COUNT; i++)
        if (strcmp(name, init_names[i]) == 0) return (lh_init)i;
    return LH_INIT_COUNT;
}

const char *lh_layer_op(const lh_layer *layer)
{
    static const char *const words[] = {"input",   "conv",    "dense", "batchnorm", "activation",
                                        "maxpool", "avgpool", "dropout", "add", "shortcut",
                                        "flatten"};
    if (layer->kind == LH_LAYER_ACTIVATION) return lh_activation_name(layer->act);
    return words[layer->kind];
}

int lh_model_find(const lehr_model *model, const char *name)
{
    for (int i = model->count - 1; i >= 0; i--)
        if (strcmp(model->layers[i].name, name) == 0) return i;
    return -1;
}

static lehr_status fail_layer(lehr_model *m, lehr_status code, const lh_layer *l, const char *what)
{
    return lh_fail(m->ctx, code, "model '%s', line %d (%s): %s", m->name, l->line, lh_layer_op(l),
                   what);
}

/* Output side of a window, 0 when the window does not fit. */
static int window(int in, int pad_before, int pad_after, int size, int stride)
{
    int room = in + pad_before + pad_after - size;
    return room < 0 ? 0 : room / stride + 1;
}

static lehr_status shape_window(lehr_model *m, lh_layer *l, const lh_layer *in)
{
    char text[256];
    l->h = window(in->h, l->pad_top, l->pad_bottom, l->r, l->stride_h);
    l->w = window(in->w, l->pad_left, l->pad_right, l->s, l->stride_w);
    if (l->h > 0 && l->w > 0) return LEHR_OK;
    snprintf(text, sizeof text, "a %dx%d window does not fit its %dx%d input with padding %d", l->r,
             l->s, in->h, in->w, l->pad_top);
    return fail_layer(m, LEHR_E_SHAPE, l, text);
}

static lehr_status shape_add(lehr_model *m, lh_layer *l, const lh_layer *a)
{
    char text[256];
    const lh_layer *b = &m->layers[l->other];
    l->c = a->c;
    l->h = a->h;
    l->w = a->w;
    if (a->c == b->c && a->h == b->h && a->w == b->w) return LEHR_OK;
    snprintf(text, sizeof text, "'%s' is %dx%dx%d but '%s' is %dx%dx%d; a shortcut or 1x1 conv can "
             "match them", a->name, a->c, a->h, a->w, b->name, b->c, b->h, b->w);
    return fail_layer(m, LEHR_E_SHAPE, l, text);
}

static lehr_status shape_shortcut(lehr_model *m, lh_layer *l, const lh_layer *in)
{
    l->h = (in->h + l->stride_h - 1) / l->stride_h;
    l->w = (in->w + l->stride_w - 1) / l->stride_w;
    if (l->c >= in->c) return LEHR_OK;
    return fail_layer(m, LEHR_E_SHAPE, l, "a shortcut cannot have fewer channels than its input");
}

/* Fills in the output shape from the input's. */
static lehr_status shape(lehr_model *m, lh_layer *l)
{
    if (l->kind == LH_LAYER_INPUT) return LEHR_OK;
    const lh_layer *in = &m->layers[l->input];
    int c = l->c;
    if (l->kind != LH_LAYER_CONV && l->kind != LH_LAYER_DENSE && l->kind != LH_LAYER_SHORTCUT)
        c = in->c;
    l->c = c;
    l->h = in->h;
    l->w = in->w;
    switch (l->kind) {
    case LH_LAYER_CONV:
    case LH_LAYER_MAXPOOL:
    case LH_LAYER_AVGPOOL: return shape_window(m, l, in);
    case LH_LAYER_DENSE:
        if (in->h == 1 && in->w == 1) return LEHR_OK;
        return fail_layer(m, LEHR_E_SHAPE, l,
                          "a dense layer needs a flat input; put 'flatten' or 'globalavgpool' before it");
    case LH_LAYER_ADD: return shape_add(m, l, in);
    case LH_LAYER_SHORTCUT: return shape_shortcut(m, l, in);
    case LH_LAYER_FLATTEN:
        l->c = in->c * in->h * in->w;
        l->h = l->w = 1;
        return LEHR_OK;
    default: return LEHR_OK;
    }
}

/* conv1, conv2, bn1, fc1, relu1 … */
static void default_name(const lehr_model *m, lh_layer *l)
{
    const char *stem = lh_layer_op(l);
    if (l->kind == LH_LAYER_BATCHNORM) stem = "bn";
    if (l->kind == LH_LAYER_DENSE) stem = "fc";
    if (l->kind == LH_LAYER_INPUT) {
        snprintf(l->name, sizeof l->name, "input");
        return;
    }
    int number = 1;
    for (int i = 0; i < m->count; i++)
        number += m->layers[i].kind == l->kind && m->layers[i].act == l->act;
    do {
        snprintf(l->name, sizeof l->name, "%s%d", stem, number++);
    } while (lh_model_find(m, l->name) >= 0);
}

lehr_status lh_model_append(lehr_model *m, const lh_layer *layer)
{
    lh_layer l = *layer;
    if (m->count == 0 && l.kind != LH_LAYER_INPUT)
        return fail_layer(m, LEHR_E_USAGE, &l, "the first line must be 'input C H W'");
    if (m->count > 0 && l.kind == LH_LAYER_INPUT)
        return fail_layer(m, LEHR_E_USAGE, &l, "a model has one input line");
    if (m->count == MAX_LAYERS) return fail_layer(m, LEHR_E_USAGE, &l, "too many layers");
    if (l.name[0] && lh_model_find(m, l.name) >= 0)
        return fail_layer(m, LEHR_E_USAGE, &l, "there is a layer of that name already");
    lehr_status st = shape(m, &l);
    if (st != LEHR_OK) return st;
    if ((double)l.c * l.h * l.w > 1e8 || l.c < 1)
        return fail_layer(m, LEHR_E_SHAPE, &l, "the output would be larger than 10^8 numbers an image");
    if (!l.name[0]) default_name(m, &l);
    if (m->count == m->capacity) {
        int capacity = m->capacity ? 2 * m->capacity : 32;
        lh_layer *layers = realloc(m->layers, (size_t)capacity * sizeof *layers);
        if (!layers) return lh_fail(m->ctx, LEHR_E_MEMORY, "out of memory for model '%s'", m->name);
        m->layers = layers;
        m->capacity = capacity;
    }
    m->layers[m->count++] = l;
    return LEHR_OK;
}

uint64_t lh_layer_parameters(const lehr_model *m, int layer)
{
    const lh_layer *l = &m->layers[layer];
    if (l->input < 0) return 0;
    uint64_t in = (uint64_t)m->layers[l->input].c, out = (uint64_t)l->c;
    switch (l->kind) {
    case LH_LAYER_CONV: return out * in * (uint64_t)(l->r * l->s) + (l->bias ? out : 0);
    case LH_LAYER_DENSE: return out * in + (l->bias ? out : 0);
    case LH_LAYER_BATCHNORM: return 2 * out;
    default: return 0;
    }
}

uint64_t lh_layer_flops(const lehr_model *m, int layer)
{
    const lh_layer *l = &m->layers[layer];
    if (l->input < 0) return 0;
    uint64_t in = (uint64_t)m->layers[l->input].c;
    uint64_t out = (uint64_t)l->c * (uint64_t)l->h * (uint64_t)l->w;
    switch (l->kind) {
    case LH_LAYER_CONV: return 2 * out * in * (uint64_t)(l->r * l->s);
    case LH_LAYER_DENSE: return 2 * out * in;
    case LH_LAYER_MAXPOOL:
    case LH_LAYER_AVGPOOL: return out * (uint64_t)(l->r * l->s);
    case LH_LAYER_BATCHNORM: return 2 * out;
    case LH_LAYER_ACTIVATION:
    case LH_LAYER_ADD: return out;
    default: return 0;
    }
}

static lehr_status create(lehr_context *ctx, const char *name, lehr_model **out)
{
    lehr_model *m = lh_alloc(ctx, 1, sizeof *m);
    *out = m;
    if (!m) return LEHR_E_MEMORY;
    m->ctx = ctx;
    snprintf(m->name, sizeof m->name, "%s", name ? name : "model");
    return LEHR_OK;
}

/* A model must end in something that can be classified. */
static lehr_status finish(lehr_model *m)
{
    const lh_layer *last = m->count ? &m->layers[m->count - 1] : NULL;
    if (!last || m->count < 2)
        return lh_fail(m->ctx, LEHR_E_USAGE, "model '%s' has no layers", m->name);
    if (last->h != 1 || last->w != 1 || last->c < 2)
        return lh_fail(m->ctx, LEHR_E_SHAPE,
                       "model '%s' ends in %dx%dx%d; the last layer must give one number per class "
                       "(end with 'dense 10')", m->name, last->c, last->h, last->w);
    if (last->kind == LH_LAYER_DROPOUT)
        return lh_fail(m->ctx, LEHR_E_USAGE, "model '%s' ends in dropout; end with 'dense 10'",
                       m->name);
    return LEHR_OK;
}

lehr_status lehr_model_parse(lehr_context *ctx, const char *name, const char *text, lehr_model **out)
{
    lh_enter(ctx);
    lehr_status st = create(ctx, name, out);
    char *copy = st == LEHR_OK ? lh_strdup(ctx, text) : NULL;
    if (!copy) st = LEHR_E_MEMORY;
    int line = 0;
    for (char *at = copy; st == LEHR_OK && at;) {
        char *end = strchr(at, '\n');
        if (end) *end = '\0';
        st = lh_model_parse_line(*out, at, ++line);
        at = end ? end + 1 : NULL;
    }
    free(copy);
    if (st == LEHR_OK) st = finish(*out);
    if (st != LEHR_OK) lehr_model_destroy(out);
    return st;
}

static char *read_text(lehr_context *ctx, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    char *text = lh_alloc(ctx, MAX_FILE + 1, 1);
    if (text) text[fread(text, 1, MAX_FILE, f)] = '\0';
    fclose(f);
    return text;
}

static lehr_status fail_unknown(lehr_context *ctx, const char *name)
{
    const char *known[64];
    size_t count = 0;
    while (count < LH_COUNT(known) && (known[count] = lehr_model_builtin((uint32_t)count))) count++;
    lh_str s = {0};
    lh_str_suggest(&s, name, known, count);
    lehr_status st = lh_fail(ctx, LEHR_E_USAGE, "no model file and no built-in model '%s'%s", name,
                             lh_str_text(&s));
    lh_str_free(&s);
    return st;
}

lehr_status lehr_model_load(lehr_context *ctx, const char *name_or_path, lehr_model **out)
{
    lh_enter(ctx);
    *out = NULL;
    const char *name = name_or_path, *slash = strrchr(name_or_path, '/');
    char *text = lh_model_builtin_text(ctx, name_or_path);
    if (!text) {
        text = read_text(ctx, name_or_path);
        name = slash ? slash + 1 : name;
    }
    if (!text) return fail_unknown(ctx, name_or_path);
    lehr_status st = lehr_model_parse(ctx, name, text, out);
    free(text);
    return st;
}

lehr_status lehr_model_create(lehr_context *ctx, const char *name, uint32_t channels,
                              uint32_t height, uint32_t width, lehr_model **out)
{
    char line[96];
    lh_enter(ctx);
    lehr_status st = create(ctx, name, out);
    snprintf(line, sizeof line, "input %u %u %u", channels, height, width);
    if (st == LEHR_OK) st = lh_model_parse_line(*out, line, 1);
    if (st != LEHR_OK) lehr_model_destroy(out);
    return st;
}

lehr_status lehr_model_add(lehr_model *model, const char *line)
{
    lh_enter(model->ctx);
    return lh_model_parse_line(model, line, model->count + 1);
}

void lehr_model_destroy(lehr_model **model)
{
    if (!model || !*model) return;
    lh_str_free(&(*model)->text);
    free((*model)->layers);
    free(*model);
    *model = NULL;
}

void lehr_model_get_info(const lehr_model *m, lehr_model_info *out)
{
    *out = (lehr_model_info){.name = m->name, .text = lh_str_text(&m->text)};
    if (m->count == 0) return;
    out->channels = (uint32_t)m->layers[0].c;
    out->height = (uint32_t)m->layers[0].h;
    out->width = (uint32_t)m->layers[0].w;
    out->classes = (uint32_t)m->layers[m->count - 1].c;
    out->layers = (uint32_t)m->count;
    for (int i = 0; i < m->count; i++) {
        out->parameters += lh_layer_parameters(m, i);
        out->forward_flops += lh_layer_flops(m, i);
    }
}
