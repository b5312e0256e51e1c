/* SPDX-License-Identifier: MIT
 *
 * core/plugin/formula.h: a user's formula, expr("base * 0.5 ^ floor(epoch / 10)"), compiled once to
 * a list of instructions that is evaluated without allocation, state or side effects.  Only
 * core/plugin includes it. */
#ifndef LH_PLUGIN_FORMULA_H
#define LH_PLUGIN_FORMULA_H

#include "core/plugin/spec.h"

typedef struct lh_formula lh_formula;

/* What the names of a formula stand for; p is step / total, at most 1. */
typedef struct lh_formula_input {
    double step, epoch, total, base, p, steps_per_epoch;
} lh_formula_input;

enum { LH_FORMULA_TOTAL = 1, LH_FORMULA_EPOCH = 2 };

/* Reads a formula that stands at c->at and ends before `quote`, which is passed too.  Errors:
 * LEHR_E_USAGE with the column. */
lehr_status lh_formula_parse(lh_cursor *c, char quote, lh_formula **out);
void lh_formula_free(lh_formula *formula);
/* Any double: not finite where the mathematics is not. */
double lh_formula_value(const lh_formula *formula, const lh_formula_input *in);
/* LH_FORMULA_TOTAL: uses total or p; LH_FORMULA_EPOCH: uses epoch or steps_per_epoch. */
unsigned lh_formula_needs(const lh_formula *formula);
/* As it was written. */
const char *lh_formula_text(const lh_formula *formula);

#endif
