/* SPDX-License-Identifier: MIT
 *
 * Parameter groups: "bias,norm: lr*2, weight_decay=0; conv1*: lr=0.01, schedule=cosine()".
 *
 *   groups   := group { ';' group }
 *   group    := selector { ',' selector } ':' value { ',' value }
 *   selector := bias | norm | weight | a glob over parameter or layer names
 *   value    := NAME = number | NAME * number | schedule = [NAME ':'] schedule
 *
 * A tensor belongs to the last group that selects it, and takes nothing from earlier ones.  Where that
 * group says nothing of weight_decay, biases and normalisation keep theirs of 0. */
#ifndef LH_GROUPS_H
#define LH_GROUPS_H

#include "core/model/network.h"
#include "core/plugin/parameters.h"

/* What a group says of one number: the learning rate or a parameter of the optimizer. */
typedef struct lh_group_value {
    bool given, factor; /* factor: times the value outside of the group */
    double number;
    char *schedule;     /* text, or NULL */
} lh_group_value;

typedef struct lh_user_group {
    char *text, *selector;
    lh_group_value *values; /* 0: lr; 1 + i: parameter i */
    uint32_t tensors;
} lh_user_group;

typedef struct lh_groups {
    lh_user_group *at;      /* in the order given */
    uint32_t count, number_count; /* parameters of the optimizer: values has one more */
    lh_named_tensor *tensors;
    uint32_t tensor_count;
    uint32_t *owner;        /* by tensor: number of its user group, or count for none */
    /* Groups of the arena: first those without a user group, then each user group in one or two. */
    lh_param_group *arena;
    uint32_t *arena_owner, *of; /* user group of an arena group; arena group of a tensor */
    uint32_t arena_count;
} lh_groups;

/* text NULL: no groups.  Errors: LEHR_E_USAGE (syntax, unknown names with the list, a selector or a
 * group without a tensor), LEHR_E_PARAM (a value out of range). */
lehr_status lh_groups_read(lehr_context *ctx, lehr_registry *registry, const char *text,
                           const lehr_model *model, const lh_parameters *parameters, lh_groups *out);
void lh_groups_free(lh_groups *groups);
lh_grouping lh_groups_arena(const lh_groups *groups);
/* What the user group of an arena group says of a number, NULL for none; number as in values. */
const lh_group_value *lh_groups_value(const lh_groups *groups, uint32_t arena, uint32_t number);

#endif
