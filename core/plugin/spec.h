/* SPDX-License-Identifier: MIT
 *
 * core/plugin/spec.h: the text form of a call, prefix:name(param=value, …), and binding it to a
 * parameter table.  Schedules and optimizers share it; only core/plugin includes it. */
#ifndef LH_PLUGIN_SPEC_H
#define LH_PLUGIN_SPEC_H

#include "core/plugin/host.h"

enum { LH_SPEC_MAX = 65536 }; /* characters in a spec */

/* Where reading is; what ("schedule", "optimizer", "preset of adam") begins each message. */
typedef struct lh_cursor {
    lehr_context *ctx;
    const char *what, *text;
    bool quiet; /* no warnings: what is read may still be overridden */
    size_t at;
} lh_cursor;

typedef struct lh_term {
    bool is_number;
    double number;
    char unit[16];  /* "", "ep", "st", "samples", "%" */
    char word[64];  /* when it is no number */
    size_t column;  /* 0-based place in the text */
} lh_term;

typedef struct lh_arg {
    char name[32];  /* "" when positional */
    size_t column;
    bool is_list;
    bool is_arrow;  /* terms[0] -> terms[1] */
    lh_term *terms;
    uint32_t count;
} lh_arg;

typedef struct lh_call {
    char prefix[32], name[32]; /* prefix "" when there is none */
    size_t column;
    lh_arg *args;
    uint32_t count;
} lh_call;

/* Fails with the text, the 1-based column of at and a message. */
lehr_status lh_spec_fail(const lh_cursor *c, lehr_status code, size_t at, const char *fmt, ...)
    LH_PRINTF(4, 5);
void lh_skip_space(lh_cursor *c);
/* True and past it when the next character is c0. */
bool lh_accept(lh_cursor *c, char c0);
/* A number with an optional unit right behind it; fails on anything else. */
lehr_status lh_read_number(lh_cursor *c, lh_term *out);
/* prefix:name(…); brackets may be left out when there are no arguments. */
lehr_status lh_read_call(lh_cursor *c, lh_call *out);
/* Only arguments, to the end of the text: what stands in a preset. */
lehr_status lh_read_args(lh_cursor *c, lh_call *out);
void lh_call_free(lh_call *call);

/* What a call is bound to. */
typedef struct lh_table {
    const char *kind, *name; /* "schedule", "step" */
    lehr_span params, presets;
    const char *metric;      /* default metric of a metric-driven schedule, else NULL */
    const lehr_budget *budget; /* NULL: no durations, no values (optimizers) */
    bool local; /* the budget is that of a part of the run */
} lh_table;

typedef struct lh_binding {
    double *p;
    lehr_values *lists;
    double **pools;  /* memory of lists, by parameter */
    bool *given;
    uint32_t count;
    char metric[64]; /* "" when not metric-driven */
    double lr;       /* of the preset, 0 when it names none */
} lh_binding;

/* Defaults, then the preset, then the arguments; everything checked against the table. */
lehr_status lh_bind(const lh_cursor *c, const lh_table *table, const lh_call *call,
                    lh_binding *out);
void lh_binding_free(lh_binding *binding);
/* "step(gamma=0.5, every=3900st)": every value, no preset, durations in updates. */
void lh_binding_text(const lh_table *table, const lh_binding *binding, lh_str *out);
/* A duration in whole updates of a budget: halves are rounded up, more than nothing is at least one.
 * who ("over of cosine") is for messages; local: the budget is that of a part of the run; phase:
 * longer than the budget is an error, else a warning. */
typedef struct lh_duration_use {
    const char *who;
    const lehr_budget *budget;
    bool local, phase;
} lh_duration_use;
lehr_status lh_read_duration(const lh_cursor *c, const lh_duration_use *use, const lh_term *term,
                             double *out);
/* Range check of one value; the message names parameter and range. */
lehr_status lh_param_check(const lh_cursor *c, const lh_table *table, const lehr_param *p,
                           double value, size_t column);

#endif
