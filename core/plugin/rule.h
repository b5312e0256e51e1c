/* SPDX-License-Identifier: MIT
 *
 * core/plugin/rule.h: an optimizer with its values, and the kernel that is generated for it.  Only
 * core/plugin includes it. */
#ifndef LH_PLUGIN_RULE_H
#define LH_PLUGIN_RULE_H

#include "core/plugin/spec.h"

typedef struct lh_rule {
    const lehr_optimizer *d;
    lh_table table;
    lh_binding binding;
    int weight_decay; /* index of the parameter of that name, -1: none */
    double lr;        /* that belongs to the rule or preset, 0: none */
} lh_rule;

/* Parses and binds spec, sets weight_decay (NaN: not given), asks the plugin's check(), refuses
 * parts of the ABI that are not run. */
lehr_status lh_rule_open(lehr_context *ctx, lehr_registry *registry, const char *spec,
                         double weight_decay, lh_host *host, lh_rule *out);
void lh_rule_close(lh_rule *rule);

/* True when the slot takes memory with these values. */
bool lh_rule_has_slot(const lh_rule *rule, uint32_t slot);
double lh_rule_slot_init(const lh_rule *rule, uint32_t slot);
/* True when the parameter is a kernel argument, false when it is a constant of the source. */
bool lh_rule_is_argument(const lehr_param *p);

/* The program's text.  local 0: one work-item takes a contiguous chunk (CPU family); else one
 * work-item per weight in groups of local.  Arguments of kernel lh_update, in order: weights,
 * gradients, the slots that exist, control, first (ulong), count (ulong), chunk (ulong), lr, the
 * parameters that are arguments, the scalars. */
void lh_rule_source(const lh_rule *rule, size_t local, lh_str *out);

#endif
