/* SPDX-License-Identifier: MIT
 *
 * core/plugin/scheduler.h: a schedule expression as a tree.  expression.c parses it, resolve.c
 * gives every part its length and its parameters, scheduler.c evaluates it, unparse.c writes it
 * out.  Only core/plugin includes it. */
#ifndef LH_PLUGIN_SCHEDULER_H
#define LH_PLUGIN_SCHEDULER_H

#include "core/plugin/curve.h"
#include "core/plugin/formula.h"
#include "core/plugin/opaque.h"
#include "core/plugin/spec.h"

enum { LH_DEPTH_MAX = 64, LH_NODES_MAX = 1024 };
#define LH_NO_NODE UINT32_MAX

typedef enum lh_node_kind {
    LH_NODE_NUMBER,  /* a plain number: a factor in a product, else an absolute value */
    LH_NODE_SHARE,   /* "1%": that part of the base */
    LH_NODE_PART,    /* a schedule */
    LH_NODE_FORMULA, /* expr("…") */
    LH_NODE_CURVE,   /* table("…") */
    LH_NODE_PRODUCT, /* of two */
    LH_NODE_SUM,     /* of two */
    LH_NODE_THEN,    /* two or more, one after the other, each with its own time */
    LH_NODE_FOR,     /* one, with a budget of its own */
    LH_NODE_MIN,     /* one or more */
    LH_NODE_MAX,
    LH_NODE_CLIP,    /* of three: value, low, high */
    LH_NODE_SHIFT,   /* one, later (span > 0) or earlier */
    LH_NODE_REPEAT,  /* one, again and again */
    LH_NODE_HOLD     /* one, changing at multiples of span only */
} lh_node_kind;

typedef struct lh_node {
    lh_node_kind kind;
    uint32_t child, next; /* first child, next sibling; LH_NO_NODE */
    uint32_t part;        /* LH_NODE_PART: its index */
    size_t column;        /* where it begins in the text */
    bool plain;           /* a number without a schedule in it */
    double number;        /* NUMBER, SHARE; REPEAT: factor of each further cycle */
    lh_term term;         /* FOR, SHIFT, REPEAT, HOLD: the duration as it was given */
    double span;          /* that duration in updates */
    double times;         /* REPEAT: cycles, 0: without end */
    double start, end;    /* below THEN: where it runs, [start, end); end may be infinite */
    uint64_t total;       /* PART, FORMULA: updates of the budget it lives in; 0: not known */
    lh_formula *formula;
    lh_curve *curve;
    char *path;           /* CURVE */
    char sha256[65];      /* CURVE: what the file must have, or "" */
    bool hold;            /* CURVE: no lines between the points */
} lh_node;

/* One schedule of the expression. */
typedef struct lh_schedule_part {
    const lehr_schedule *d;
    lh_call call; /* as it was given */
    lh_binding binding;
    void *self;
    bool bound, created;
    uint32_t state; /* where its variables begin in the scheduler's */
    uint64_t total;
    char *text;
    lh_keeper keeper;
} lh_schedule_part;

struct lehr_scheduler {
    lehr_context *ctx;
    lehr_registry *registry;
    lehr_budget budget;
    lh_host host;
    lh_node *nodes;
    lh_schedule_part *parts;
    double *state;
    uint32_t node_count, part_count, state_count, root;
    lh_str text;
    lh_str spec; /* as given, for messages */
};

/* Fills nodes, parts and root from text; nothing is bound yet. */
lehr_status lh_expression_parse(lehr_scheduler *s, const char *text);
/* Lengths of all parts, then their parameters, then what must not be (a number alone). */
lehr_status lh_expression_resolve(lehr_scheduler *s);
/* The canonical text of a resolved tree: reads back as the same tree, bit for bit. */
void lh_expression_text(const lehr_scheduler *s, lh_str *out);

/* One part's value at a step of its own time, NaN and infinities as they come. */
double lh_part_value(lehr_scheduler *s, const lh_schedule_part *part, uint64_t step);

static inline lh_table lh_part_table(const lehr_schedule *d, const lehr_budget *budget)
{
    return (lh_table){.kind = "schedule", .name = d->name, .params = d->params,
                      .presets = d->presets, .metric = d->observe ? d->metric : NULL,
                      .budget = budget};
}

#endif
