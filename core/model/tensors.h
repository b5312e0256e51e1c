/* SPDX-License-Identifier: MIT
 *
 * The named tensors of a model, in the order of its layers: those that are trained and the running
 * statistics.  No device: parameter groups are made from the names before anything is compiled. */
#ifndef LH_MODEL_TENSORS_H
#define LH_MODEL_TENSORS_H

#include "core/model/model.h"
#include <lehr/plugin.h>

/* A named tensor as in a weights file ("conv1.weight"): shape and where it lies. */
typedef struct lh_named_tensor {
    char name[LH_NAME_SIZE + 24];
    uint32_t ndim;
    uint64_t dims[4];
    size_t offset, count; /* elements in the arena */
    bool is_stat;         /* in the stats arena, else in weights */
    uint32_t role;        /* LEHR_ROLE_... of lehr/plugin.h */
    int layer;
    double init_value;    /* of stats and normalisation tensors */
    int fan_in, fan_out;  /* of conv and dense tensors, else 0 */
} lh_named_tensor;

/* At least the number of tensors. */
size_t lh_model_tensor_limit(const lehr_model *model);
/* Fills out (room for lh_model_tensor_limit; offsets 0) and returns the number of tensors. */
uint32_t lh_model_tensors(const lehr_model *model, lh_named_tensor *out);
/* "weight" (of conv and dense layers), "bias" (of the same) or "norm". */
const char *lh_tensor_class(const lh_named_tensor *tensor);
/* Weight decay applies by default: a trained tensor of more than one dimension. */
static inline bool lh_tensor_decays(const lh_named_tensor *t) { return !t->is_stat && t->ndim > 1; }

#endif
