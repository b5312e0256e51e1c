/* SPDX-License-Identifier: MIT
 *
 * The inside of a model: a list of layers in order of computation, shapes known, no device.
 * parse.c reads the text, model.c checks and adds layers, builtin.c holds the descriptions that ship,
 * network.c turns it into kernels and buffers. */
#ifndef LH_MODEL_H
#define LH_MODEL_H

#include "core/base/base.h"
#include "kernels/activation/activation.h"
#include <lehr/model.h>

enum { LH_NAME_SIZE = 64 };

typedef enum lh_layer_kind {
    LH_LAYER_INPUT,
    LH_LAYER_CONV,
    LH_LAYER_DENSE,
    LH_LAYER_BATCHNORM,
    LH_LAYER_ACTIVATION,
    LH_LAYER_MAXPOOL,
    LH_LAYER_AVGPOOL,
    LH_LAYER_DROPOUT,
    LH_LAYER_ADD,
    LH_LAYER_SHORTCUT,
    LH_LAYER_FLATTEN
} lh_layer_kind;

/* How weights start.  fan_in = C*R*S or inputs, fan_out = K*R*S or outputs.
 *   he_normal       N(0, 2 / fan_in), bias 0                    (He et al. 2015; PyTorch kaiming_normal_)
 *   he_uniform      U(+-sqrt(6 / fan_in)), bias 0               (Keras he_uniform)
 *   glorot_uniform  U(+-sqrt(6 / (fan_in + fan_out))), bias 0   (Keras' default)
 *   glorot_normal   N(0, 2 / (fan_in + fan_out)), bias 0
 *   torch           U(+-1 / sqrt(fan_in)) for weight and bias   (PyTorch's default) */
typedef enum lh_init {
    LH_INIT_HE_NORMAL,
    LH_INIT_HE_UNIFORM,
    LH_INIT_GLOROT_UNIFORM,
    LH_INIT_GLOROT_NORMAL,
    LH_INIT_TORCH,
    LH_INIT_COUNT
} lh_init;

typedef struct lh_layer {
    char name[LH_NAME_SIZE];
    lh_layer_kind kind;
    int line;             /* in the description, from 1; for messages */
    int input, other;     /* layer numbers; other is add's second input, else -1 */
    int c, h, w;          /* output shape; dense and flatten: [c][1][1] */
    int r, s, stride_h, stride_w;
    int pad_top, pad_left, pad_bottom, pad_right;
    bool bias;
    lh_activation act;    /* of LH_LAYER_ACTIVATION */
    float slope, rate, eps, momentum;
    lh_init init;
} lh_layer;

struct lehr_model {
    lehr_context *ctx;
    char name[LH_NAME_SIZE];
    lh_str text;
    lh_layer *layers;
    int count, capacity;
    lh_init init;         /* for the layers that follow */
};

/* Appends a layer whose options are set and whose shape is still open: finds the output shape, gives
 * it a name where it has none, checks both.  Errors: LEHR_E_SHAPE, LEHR_E_USAGE. */
lehr_status lh_model_append(lehr_model *model, const lh_layer *layer);
/* One line of a description; line counts from 1.  Empty lines and comments add nothing. */
lehr_status lh_model_parse_line(lehr_model *model, const char *text, int line);
/* Number of the layer with this name, or -1. */
int lh_model_find(const lehr_model *model, const char *name);
/* The op's word in descriptions: "conv", "maxpool", "relu"… */
const char *lh_layer_op(const lh_layer *layer);
/* Trained numbers and multiply-adds x 2 per image of one layer. */
uint64_t lh_layer_parameters(const lehr_model *model, int layer);
uint64_t lh_layer_flops(const lehr_model *model, int layer);
const char *lh_init_name(lh_init init);
/* LH_INIT_COUNT when unknown. */
lh_init lh_init_find(const char *name);
/* The text of a built-in (allocated), or NULL when there is none of that name. */
char *lh_model_builtin_text(lehr_context *ctx, const char *name);

#endif
