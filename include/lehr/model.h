/* SPDX-License-Identifier: MIT
 *
 * Models: a small text description, one layer a line (docs/models.md), or the same lines added one by
 * one.  A model knows shapes and parameters; weights exist only in a trainer or a weights file. */
#ifndef LEHR_MODEL_H
#define LEHR_MODEL_H

#include <lehr/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lehr_model lehr_model;

typedef struct lehr_model_info {
    const char *name;        /* owned by the model */
    const char *text;        /* canonical description; parsing it gives the same model */
    uint32_t channels, height, width, classes, layers;
    uint64_t parameters;     /* trained numbers (running statistics not counted) */
    uint64_t forward_flops;  /* per image, a multiply-add counted as 2 */
} lehr_model_info;

/* A built-in model by name (lehr_model_builtin) or a description file by path.  Errors: LEHR_E_USAGE
 * (unknown name, with the list), LEHR_E_SHAPE (with line), LEHR_E_UNSUPPORTED. */
lehr_status lehr_model_load(lehr_context *ctx, const char *name_or_path, lehr_model **out);
/* From text; name is for messages. */
lehr_status lehr_model_parse(lehr_context *ctx, const char *name, const char *text,
                             lehr_model **out);
/* An empty model with its input shape; then lehr_model_add("conv 32 3x3 pad=1") and so on. */
lehr_status lehr_model_create(lehr_context *ctx, const char *name, uint32_t channels,
                              uint32_t height, uint32_t width, lehr_model **out);
lehr_status lehr_model_add(lehr_model *model, const char *line);
void lehr_model_destroy(lehr_model **model);
void lehr_model_get_info(const lehr_model *model, lehr_model_info *out);
/* A trained tensor, as parameter groups and weights files name it. */
typedef struct lehr_parameter_info {
    char name[96];           /* "conv1.weight" */
    const char *kind;        /* "weight" (conv and dense), "bias" (of the same) or "norm" */
    uint32_t ndim;
    uint64_t dims[4], count; /* dims: [K][C][R][S], [out][in] or [n] */
} lehr_parameter_info;
/* Trained tensor number i in the order of the layers; 0 past the end. */
uint32_t lehr_model_parameter(const lehr_model *model, uint32_t i, lehr_parameter_info *out);
/* Name of built-in number i, or NULL past the end. */
const char *lehr_model_builtin(uint32_t i);

#ifdef __cplusplus
}
#endif
#endif
