/* SPDX-License-Identifier: MIT
 *
 * core/plugin/scheduler.h: a schedule expression as a tree.  Parsing (expression.c) makes it,
 * evaluation (scheduler.c) walks it.  Only core/plugin includes it. */
#ifndef LH_PLUGIN_SCHEDULER_H
#define LH_PLUGIN_SCHEDULER_H

#include "core/plugin/spec.h"

enum { LH_DEPTH_MAX = 64, LH_NODES_MAX = 1024 };

typedef enum lh_node_kind {
    LH_NODE_NUMBER,  /* a plain number: a factor in a product, an absolute value in a sum */
    LH_NODE_SHARE,   /* "1%": that part of the base */
    LH_NODE_PART,    /* a schedule */
    LH_NODE_PRODUCT,
    LH_NODE_SUM
} lh_node_kind;

typedef struct lh_node {
    lh_node_kind kind;
    uint32_t a, b;  /* children; a is the part's index for LH_NODE_PART */
    double number;
} lh_node;

/* One schedule of the expression. */
typedef struct lh_part {
    const lehr_schedule *d;
    lh_binding binding;
    void *self;
    bool created;
    uint32_t state;  /* where its variables begin in the scheduler's */
    char *text;
} lh_part;

struct lehr_scheduler {
    lehr_context *ctx;
    lehr_registry *registry;
    lehr_budget budget;
    lh_host host;
    lh_node *nodes;
    lh_part *parts;
    double *state;
    uint32_t node_count, part_count, state_count, root;
    lh_str text;
    lh_str spec;     /* as given, for messages */
};

/* Fills nodes, parts and root from text. */
lehr_status lh_expression_parse(lehr_scheduler *s, const char *text);
/* The canonical text of the tree, brackets only where needed. */
void lh_expression_text(const lehr_scheduler *s, lh_str *out);

#endif
