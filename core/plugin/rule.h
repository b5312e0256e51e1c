/* SPDX-License-Identifier: MIT
 *
 * core/plugin/rule.h: an optimizer with its values, how its passes become launches, and the program
 * that is generated for it.  Only core/plugin includes it.
 *
 * A stage is one launch per parameter group: consecutive passes up to and including the first with
 * a reduction.  The code that enters and leaves evaluation is a stage of its own each. */
#ifndef LH_PLUGIN_RULE_H
#define LH_PLUGIN_RULE_H

#include "core/plugin/spec.h"

enum {
    LH_LANES = 64,      /* running sums of a chunk, whatever the size of a work-group */
    LH_CHUNK = 4096,    /* elements of a chunk, all of one tensor */
    LH_REDUCES_MAX = 32 /* of one pass */
};

/* What a stage does with weights, gradients or a slot. */
enum {
    LH_READS = 1 << 0,  /* the code names it */
    LH_WRITES = 1 << 1, /* the code may change it */
    LH_LOADS = 1 << 2,  /* from memory, else it starts at its initial value */
    LH_STORES = 1 << 3
};

typedef struct lh_reduction {
    const lehr_reduce *d;
    uint32_t pass, stage; /* from 0 */
    uint32_t column;      /* among the partial results of its stage */
    uint32_t host;        /* its place in lehr_update.all, LEHR_OVER_ALL_TO_HOST only */
} lh_reduction;

typedef struct lh_stage {
    uint32_t first, count;                /* passes; passes.count is enter_eval, the next leave_eval */
    uint32_t reduce_first, reduce_count;  /* in lh_rule.reductions */
    bool chunked;                         /* over the table of chunks, else over a range */
    bool waits;                           /* a reduction goes to the host */
    bool idle;                            /* changes nothing: only host numbers */
    unsigned w, g;
    unsigned char *slots;                 /* by slot of the table */
} lh_stage;

typedef struct lh_rule {
    const lehr_optimizer *d;
    lh_table table;
    lh_binding binding;
    int weight_decay; /* index of the parameter of that name, -1: none */
    double lr;        /* that belongs to the rule or preset, 0: none */
    lh_stage *stages; /* stage_count, then enter_eval and leave_eval */
    lh_reduction *reductions;
    unsigned char *uses; /* memory of lh_stage.slots */
    uint32_t stage_count, reduction_count, host_count;
} lh_rule;

/* Parses and binds spec, sets weight_decay (NaN: not given), asks the plugin's check(), plans. */
lehr_status lh_rule_open(lehr_context *ctx, lehr_registry *registry, const char *spec,
                         double weight_decay, lh_host *host, lh_rule *out);
void lh_rule_close(lh_rule *rule);

static inline const lehr_slot *lh_slots(const lh_rule *rule) { return rule->d->slots.at; }

/* True when the slot exists with these values (its parameter `when` is not 0). */
bool lh_rule_has_slot(const lh_rule *rule, uint32_t slot);
/* True when it takes memory too: a scratch slot may live within one stage. */
bool lh_rule_keeps_slot(const lh_rule *rule, uint32_t slot);
double lh_rule_slot_init(const lh_rule *rule, uint32_t slot);
/* True when the parameter is a kernel argument, false when it is a constant of the source. */
bool lh_rule_is_argument(const lehr_param *p);
/* The code of a pass (passes.count: enter_eval, the next: leave_eval) and its reductions. */
const char *lh_rule_code(const lh_rule *rule, uint32_t pass);
/* LH_READS and LH_WRITES of a name in a pass, the expressions of its reductions included. */
unsigned lh_rule_uses(const lh_rule *rule, uint32_t pass, const char *name);
/* True when scalar() has something to say to this pass. */
bool lh_rule_names_scalar(const lh_rule *rule, uint32_t pass);

/* plan.c: stages, reductions, what each stage touches. */
lehr_status lh_rule_plan(lehr_context *ctx, lh_rule *rule);

/* source.c: the program's text.  local 0: one work-item takes a contiguous chunk (CPU family); else
 * work-groups of local (at most LH_LANES for chunked stages).  Kernels lh_stage_1 …, lh_enter_eval,
 * lh_leave_eval; their arguments in order:
 *   weights, gradients, the slots that the stage loads or stores, control
 *   chunked: chunks, first chunk, number of chunks (ulong); else first, count, chunk (ulong)
 *   values, number of tensors (uint)             when the rule has reductions
 *   partial results, number of all chunks (uint)  when the stage has reductions
 *   lr (not in evaluation), the parameters that are arguments, for each pass the scalars */
void lh_rule_source(const lh_rule *rule, size_t local, lh_str *out);
/* The kernel that puts partial results together, lh_finish: one for all rules. */
void lh_finish_source(size_t local, lh_str *out);
/* "lh_stage_1", "lh_enter_eval". */
void lh_stage_name(const lh_rule *rule, uint32_t stage, char out[32]);

/* lexical.c: LH_READS and LH_WRITES of a name in a piece of code; comments do not count.  When in
 * doubt a name is written. */
unsigned lh_code_uses(const char *code, const char *name);

#endif
