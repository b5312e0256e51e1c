/* SPDX-License-Identifier: MIT
 *
 * One line of a model description: [NAME:] OP [positional …] [key=value …].  Grammar and list of ops:
 * docs/models.md. */
#define _GNU_SOURCE
#include "core/model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 16 };

typedef struct line {
    lehr_model *model;
    int number;
    char *op;
    char *positional[MAX_WORDS];
    int positional_count;
    char *key[MAX_WORDS], *value[MAX_WORDS];
    bool used[MAX_WORDS];
    int key_count;
} line;

static lehr_status fail(const line *l, lehr_status code, const char *what, const char *got)
{
    return lh_fail(l->model->ctx, code, "model '%s', line %d (%s): %s%s%s%s", l->model->name,
                   l->number, l->op ? l->op : "?", what, got ? " '" : "", got ? got : "",
                   got ? "'" : "");
}

static const char *option(line *l, const char *key)
{
    for (int i = 0; i < l->key_count; i++)
        if (strcmp(l->key[i], key) == 0) {
            l->used[i] = true;
            return l->value[i];
        }
    return NULL;
}

static bool integer(const char *text, int min, int max, int *out)
{
    uint64_t value = 0;
    if (!lh_parse_u64(text, &value) || value < (uint64_t)min || value > (uint64_t)max) return false;
    *out = (int)value;
    return true;
}

/* "3" is 3x3, "3x5" is 3 high and 5 wide. */
static bool pair(const char *text, int min, int *a, int *b)
{
    char copy[32];
    snprintf(copy, sizeof copy, "%s", text);
    char *x = strchr(copy, 'x');
    if (x) *x = '\0';
    return integer(copy, min, 4096, a) && integer(x ? x + 1 : copy, min, 4096, b);
}

static lehr_status read_option_pair(line *l, const char *key, int min, int *a, int *b)
{
    const char *text = option(l, key);
    if (!text || pair(text, min, a, b)) return LEHR_OK;
    return fail(l, LEHR_E_USAGE, "expected N or NxM but got", text);
}

static lehr_status read_bool(line *l, const char *key, bool *out)
{
    const char *text = option(l, key);
    if (!text) return LEHR_OK;
    *out = strcmp(text, "1") == 0 || strcmp(text, "true") == 0;
    if (*out || strcmp(text, "0") == 0 || strcmp(text, "false") == 0) return LEHR_OK;
    return fail(l, LEHR_E_USAGE, "expected 0 or 1 but got", text);
}

static lehr_status read_real(line *l, const char *key, double min, double max, float *out)
{
    double value = 0;
    const char *text = option(l, key);
    if (!text) return LEHR_OK;
    if (!lh_parse_double(text, &value) || value < min || value > max)
        return fail(l, LEHR_E_PARAM, "a number out of range:", text);
    *out = (float)value;
    return LEHR_OK;
}

/* pad=same as TensorFlow does: out = ceil(in / stride), the odd pixel goes behind. */
static void pad_same(int in, int size, int stride, int *before, int *after)
{
    int out = (in + stride - 1) / stride, total = (out - 1) * stride + size - in;
    if (total < 0) total = 0;
    *before = total / 2;
    *after = total - total / 2;
}

static lehr_status read_pad(line *l, lh_layer *layer)
{
    const char *text = option(l, "pad");
    const lh_layer *in = &l->model->layers[layer->input];
    if (!text || strcmp(text, "valid") == 0) return LEHR_OK;
    if (strcmp(text, "same") == 0) {
        pad_same(in->h, layer->r, layer->stride_h, &layer->pad_top, &layer->pad_bottom);
        pad_same(in->w, layer->s, layer->stride_w, &layer->pad_left, &layer->pad_right);
        return LEHR_OK;
    }
    if (!pair(text, 0, &layer->pad_top, &layer->pad_left))
        return fail(l, LEHR_E_USAGE, "pad takes same, valid, N or NxM, not", text);
    layer->pad_bottom = layer->pad_top;
    layer->pad_right = layer->pad_left;
    return LEHR_OK;
}

static lehr_status refuse_unless_one(line *l, const char *key)
{
    const char *text = option(l, key);
    if (!text || strcmp(text, "1") == 0) return LEHR_OK;
    return fail(l, LEHR_E_UNSUPPORTED, "grouped and dilated convolution is not supported; leave out",
                key);
}

static lehr_status read_conv(line *l, lh_layer *layer)
{
    if (l->positional_count != 2 || !integer(l->positional[0], 1, 65536, &layer->c) ||
        !pair(l->positional[1], 1, &layer->r, &layer->s))
        return fail(l, LEHR_E_USAGE, "expected: conv FILTERS RxS [stride=1] [pad=0|same] [bias=1]",
                    NULL);
    layer->bias = true;
    lehr_status st = read_option_pair(l, "stride", 1, &layer->stride_h, &layer->stride_w);
    if (st == LEHR_OK) st = read_pad(l, layer);
    if (st == LEHR_OK) st = read_bool(l, "bias", &layer->bias);
    if (st == LEHR_OK) st = refuse_unless_one(l, "groups");
    if (st == LEHR_OK) st = refuse_unless_one(l, "dilation");
    return st;
}

static lehr_status read_dense(line *l, lh_layer *layer)
{
    if (l->positional_count != 1 || !integer(l->positional[0], 1, 1 << 20, &layer->c))
        return fail(l, LEHR_E_USAGE, "expected: dense UNITS [bias=1]", NULL);
    layer->bias = true;
    return read_bool(l, "bias", &layer->bias);
}

static lehr_status read_pool(line *l, lh_layer *layer)
{
    const lh_layer *in = &l->model->layers[layer->input];
    if (strcmp(l->op, "globalavgpool") == 0) {
        layer->r = in->h;
        layer->s = in->w;
        return l->positional_count ? fail(l, LEHR_E_USAGE, "takes no size, got", l->positional[0])
                                   : LEHR_OK;
    }
    if (l->positional_count != 1 || !pair(l->positional[0], 1, &layer->r, &layer->s))
        return fail(l, LEHR_E_USAGE, "expected: maxpool RxS [stride=RxS] [pad=0|same]", NULL);
    layer->stride_h = layer->r;
    layer->stride_w = layer->s;
    lehr_status st = read_option_pair(l, "stride", 1, &layer->stride_h, &layer->stride_w);
    if (st == LEHR_OK) st = read_pad(l, layer);
    if (st == LEHR_OK && (layer->pad_top >= layer->r || layer->pad_left >= layer->s))
        st = fail(l, LEHR_E_SHAPE, "padding must be smaller than the window", NULL);
    return st;
}

static lehr_status read_dropout(line *l, lh_layer *layer)
{
    double rate = 0;
    if (l->positional_count != 1 || !lh_parse_double(l->positional[0], &rate) || rate < 0 ||
        !(rate < 1))
        return fail(l, LEHR_E_USAGE, "expected: dropout RATE, 0 <= RATE < 1", NULL);
    layer->rate = (float)rate;
    return LEHR_OK;
}

static lehr_status read_add(line *l, lh_layer *layer)
{
    const char *with = option(l, "with");
    if (l->positional_count || !with) return fail(l, LEHR_E_USAGE, "expected: add with=LAYER", NULL);
    layer->other = lh_model_find(l->model, with);
    return layer->other >= 0 ? LEHR_OK : fail(l, LEHR_E_USAGE, "there is no earlier layer", with);
}

static lehr_status read_shortcut(line *l, lh_layer *layer)
{
    if (l->positional_count != 1 || !integer(l->positional[0], 1, 65536, &layer->c))
        return fail(l, LEHR_E_USAGE, "expected: shortcut CHANNELS [stride=1]", NULL);
    lehr_status st = read_option_pair(l, "stride", 1, &layer->stride_h, &layer->stride_w);
    if (st == LEHR_OK && layer->stride_h != layer->stride_w)
        st = fail(l, LEHR_E_UNSUPPORTED, "a shortcut needs the same stride both ways", NULL);
    return st;
}

static lehr_status read_batchnorm(line *l, lh_layer *layer)
{
    layer->eps = 1e-5f;
    layer->momentum = 0.1f;
    if (l->positional_count)
        return fail(l, LEHR_E_USAGE, "takes only eps= and momentum=, got", l->positional[0]);
    lehr_status st = read_real(l, "eps", 1e-12, 1, &layer->eps);
    return st != LEHR_OK ? st : read_real(l, "momentum", 0, 1, &layer->momentum);
}

static lehr_status read_input(line *l, lh_layer *layer)
{
    layer->input = -1;
    if (l->positional_count != 3 || !integer(l->positional[0], 1, 65536, &layer->c) ||
        !integer(l->positional[1], 1, 65536, &layer->h) ||
        !integer(l->positional[2], 1, 65536, &layer->w))
        return fail(l, LEHR_E_USAGE, "expected: input CHANNELS HEIGHT WIDTH", NULL);
    return LEHR_OK;
}

static lehr_status read_nothing(line *l, lh_layer *layer)
{
    (void)layer;
    return l->positional_count ? fail(l, LEHR_E_USAGE, "takes no argument, got", l->positional[0])
                               : LEHR_OK;
}

static lehr_status read_activation(line *l, lh_layer *layer)
{
    layer->act = lh_activation_find(l->op);
    layer->slope = 0.01f;
    if (layer->act == LH_ACT_LEAKY) {
        lehr_status st = read_real(l, "slope", 0, 1, &layer->slope);
        if (st != LEHR_OK) return st;
    }
    return read_nothing(l, layer);
}

typedef struct op_word {
    const char *word;
    lh_layer_kind kind;
    lehr_status (*read)(line *, lh_layer *);
} op_word;

static const op_word ops[] = {
    {"input", LH_LAYER_INPUT, read_input},
    {"conv", LH_LAYER_CONV, read_conv},
    {"dense", LH_LAYER_DENSE, read_dense},
    {"batchnorm", LH_LAYER_BATCHNORM, read_batchnorm},
    {"maxpool", LH_LAYER_MAXPOOL, read_pool},
    {"avgpool", LH_LAYER_AVGPOOL, read_pool},
    {"globalavgpool", LH_LAYER_AVGPOOL, read_pool},
    {"dropout", LH_LAYER_DROPOUT, read_dropout},
    {"add", LH_LAYER_ADD, read_add},
    {"shortcut", LH_LAYER_SHORTCUT, read_shortcut},
    {"flatten", LH_LAYER_FLATTEN, read_nothing},
    {"relu", LH_LAYER_ACTIVATION, read_activation},
    {"leaky", LH_LAYER_ACTIVATION, read_activation},
    {"sigmoid", LH_LAYER_ACTIVATION, read_activation},
    {"tanh", LH_LAYER_ACTIVATION, read_activation},
    {"gelu", LH_LAYER_ACTIVATION, read_activation},
    {"silu", LH_LAYER_ACTIVATION, read_activation},
};

static lehr_status fail_unknown_op(const line *l)
{
    const char *known[LH_COUNT(ops) + 1];
    for (size_t i = 0; i < LH_COUNT(ops); i++) known[i] = ops[i].word;
    known[LH_COUNT(ops)] = "init";
    lh_str s = {0};
    lh_str_suggest(&s, l->op, known, LH_COUNT(known));
    lehr_status st = lh_fail(l->model->ctx, LEHR_E_USAGE, "model '%s', line %d: unknown op '%s'%s",
                             l->model->name, l->number, l->op, lh_str_text(&s));
    lh_str_free(&s);
    return st;
}

/* Splits a line into its words; cuts the comment. */
static lehr_status split(line *l, char *text)
{
    char *rest = text, *word;
    text[strcspn(text, "#\r")] = '\0';
    while ((word = strsep(&rest, " \t")) != NULL) {
        char *equals = strchr(word, '=');
        if (!*word) continue;
        if (!l->op) {
            l->op = word;
        } else if (l->key_count == MAX_WORDS || l->positional_count == MAX_WORDS) {
            return fail(l, LEHR_E_USAGE, "too many words", NULL);
        } else if (equals) {
            *equals = '\0';
            l->key[l->key_count] = word;
            l->value[l->key_count++] = equals + 1;
        } else {
            l->positional[l->positional_count++] = word;
        }
    }
    return LEHR_OK;
}

/* "init NAME" sets the start of the weights of the layers that follow. */
static lehr_status set_init(line *l)
{
    lh_init init = l->positional_count == 1 ? lh_init_find(l->positional[0]) : LH_INIT_COUNT;
    if (init == LH_INIT_COUNT)
        return fail(l, LEHR_E_USAGE, "init takes he_normal, he_uniform, glorot_uniform, "
                    "glorot_normal or torch, not", l->positional_count ? l->positional[0] : "");
    l->model->init = init;
    return LEHR_OK;
}

static lehr_status read_layer(line *l, const char *name)
{
    const op_word *word = NULL;
    for (size_t i = 0; i < LH_COUNT(ops) && !word; i++)
        if (strcmp(ops[i].word, l->op) == 0) word = &ops[i];
    if (!word) return fail_unknown_op(l);
    lh_layer layer = {.kind = word->kind, .line = l->number, .input = l->model->count - 1,
                      .other = -1, .stride_h = 1, .stride_w = 1, .init = l->model->init};
    snprintf(layer.name, sizeof layer.name, "%s", name);
    const char *from = option(l, "from");
    if (from && (layer.input = lh_model_find(l->model, from)) < 0)
        return fail(l, LEHR_E_USAGE, "there is no earlier layer", from);
    if (layer.input < 0 && word->kind != LH_LAYER_INPUT)
        return fail(l, LEHR_E_USAGE, "the first line must be 'input C H W'", NULL);
    lehr_status st = word->read(l, &layer);
    for (int i = 0; i < l->key_count && st == LEHR_OK; i++)
        if (!l->used[i]) st = fail(l, LEHR_E_USAGE, "does not take the option", l->key[i]);
    return st != LEHR_OK ? st : lh_model_append(l->model, &layer);
}

static bool valid_name(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    return length > 0 && length < LH_NAME_SIZE - 16 && !name[length];
}

lehr_status lh_model_parse_line(lehr_model *model, const char *text, int number)
{
    char copy[512];
    const char *name = "";
    line l = {.model = model, .number = number};
    if (strlen(text) >= sizeof copy) return fail(&l, LEHR_E_USAGE, "the line is too long", NULL);
    snprintf(copy, sizeof copy, "%s", text);
    lehr_status st = split(&l, copy);
    if (st != LEHR_OK || !l.op) return st;
    size_t length = strlen(l.op);
    if (l.op[length - 1] == ':') {
        l.op[length - 1] = '\0';
        name = l.op;
        if (!valid_name(name)) return fail(&l, LEHR_E_USAGE, "not a layer name:", name);
        if (l.positional_count == 0) return fail(&l, LEHR_E_USAGE, "nothing follows the name", NULL);
        l.op = l.positional[0];
        memmove(l.positional, l.positional + 1, sizeof *l.positional * (MAX_WORDS - 1));
        l.positional_count--;
    }
    st = strcmp(l.op, "init") == 0 ? set_init(&l) : read_layer(&l, name);
    if (st == LEHR_OK) lh_str_printf(&model->text, "%s\n", text);
    return st;
}
