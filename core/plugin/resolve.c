/* SPDX-License-Identifier: MIT
 *
 * Giving every node of an expression its budget.  The root has the run's; `then` divides its budget
 * among its phases; `for`, repeat and shift give theirs another one.  A share (30%) and the default
 * lengths of schedules are taken of the budget a schedule lives in, so it is bound only here. */
#include "core/plugin/scheduler.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/files.h"

typedef struct resolver {
    lehr_scheduler *s;
    lh_cursor in;
} resolver;

static lehr_status resolve(resolver *r, uint32_t i, uint64_t total);

static bool is_local(const resolver *r, uint64_t total)
{
    return total != r->s->budget.total_steps;
}

static lehr_status duration(resolver *r, uint32_t i, const char *who, bool phase, uint64_t total)
{
    lh_node *n = &r->s->nodes[i];
    lehr_budget budget = r->s->budget;
    budget.total_steps = total;
    lh_duration_use use = {.who = who, .budget = &budget, .local = is_local(r, total),
                           .phase = phase};
    lehr_status st = lh_read_duration(&r->in, &use, &n->term, &n->span);
    if (st == LEHR_OK && n->kind != LH_NODE_SHIFT && !(n->span >= 1))
        return lh_spec_fail(&r->in, LEHR_E_PARAM, n->term.column,
                            "%s is %.0f updates: it must be longer", who, n->span);
    return st;
}

/* ---- how long a node is by itself; 0: it has no length of its own ---- */

/* The part's own `over` or `duration`, when it was given. */
static double part_length(const lh_schedule_part *part)
{
    const lehr_param *params = lh_params(&part->d->params);
    for (uint32_t k = 0; k < part->binding.count; k++) {
        bool names = strcmp(params[k].name, "over") == 0 || strcmp(params[k].name, "duration") == 0;
        if (names && params[k].kind == LEHR_DURATION && (params[k].flags & LEHR_P_PHASE) &&
            part->binding.given[k])
            return part->binding.p[k];
    }
    return 0;
}

static double own_length(const lehr_scheduler *s, uint32_t i)
{
    const lh_node *n = &s->nodes[i];
    double longest = 0, last = 0;
    if (n->kind == LH_NODE_PART) return part_length(&s->parts[n->part]);
    if (n->kind == LH_NODE_CURVE) return ceil(lh_curve_end(n->curve));
    if (n->kind == LH_NODE_FOR) return n->span;
    if (n->kind == LH_NODE_REPEAT) return n->times * n->span;
    for (uint32_t k = n->child; k != LH_NO_NODE; k = s->nodes[k].next) {
        last = own_length(s, k);
        if (last > longest) longest = last;
        if (n->kind == LH_NODE_THEN && last > 0) last += s->nodes[k].start;
    }
    if (n->kind == LH_NODE_THEN) return last;
    if (n->kind == LH_NODE_SHIFT && longest > 0) return fmax(longest + n->span, 0);
    return longest;
}

/* Everything that lives in the same budget as node i has this one instead. */
static void narrow(lehr_scheduler *s, uint32_t i, uint64_t total)
{
    lh_node *n = &s->nodes[i];
    n->total = total;
    if (n->kind == LH_NODE_PART) s->parts[n->part].total = total;
    if (n->kind == LH_NODE_THEN || n->kind == LH_NODE_FOR || n->kind == LH_NODE_SHIFT ||
        n->kind == LH_NODE_REPEAT)
        return;
    for (uint32_t k = n->child; k != LH_NO_NODE; k = s->nodes[k].next) narrow(s, k, total);
}

/* ---- each kind ---- */

static lehr_status resolve_part(resolver *r, lh_node *n, uint64_t total)
{
    lehr_scheduler *s = r->s;
    lh_schedule_part *part = &s->parts[n->part];
    lehr_budget budget = s->budget;
    budget.total_steps = total;
    if ((part->d->flags & LEHR_S_NEEDS_TOTAL) && total == 0)
        return lh_spec_fail(&r->in, LEHR_E_PARAM, n->column, "%s needs a run of known length",
                            part->d->name);
    lh_table table = lh_part_table(part->d, &budget);
    table.local = is_local(r, total);
    lehr_status st = lh_bind(&r->in, &table, &part->call, &part->binding);
    if (st != LEHR_OK) return st;
    part->bound = true;
    part->total = total;
    lh_str text = {0};
    lh_binding_text(&table, &part->binding, &text);
    part->text = text.text;
    part->state = s->state_count;
    s->state_count += part->d->state.count;
    return text.failed ? lh_fail(s->ctx, LEHR_E_MEMORY, "out of memory") : LEHR_OK;
}

static lehr_status resolve_formula(resolver *r, const lh_node *n, uint64_t total)
{
    unsigned needs = lh_formula_needs(n->formula);
    if ((needs & LH_FORMULA_TOTAL) && total == 0)
        return lh_spec_fail(&r->in, LEHR_E_PARAM, n->column,
                            "total and p need a run of known length");
    if ((needs & LH_FORMULA_EPOCH) && r->s->budget.steps_per_epoch == 0)
        return lh_spec_fail(&r->in, LEHR_E_PARAM, n->column,
                            "epoch and steps_per_epoch: the length of an epoch is not known");
    return LEHR_OK;
}

/* The name of a table's copy in a directory; told apart by the path it was named with. */
static void copy_path(const lh_node *n, const char *directory, lh_str *out)
{
    char hash[LH_SHA256_HEX], name[40];
    lh_sha256(n->path, strlen(n->path), hash);
    snprintf(name, sizeof name, "table-%.12s.csv", hash);
    lh_path_join(out, directory, name);
}

static lehr_status resolve_curve(resolver *r, lh_node *n)
{
    const lehr_budget *budget = &r->s->budget;
    lh_str copy = {0};
    if (budget->tables) copy_path(n, budget->tables, &copy);
    bool kept = budget->tables && !copy.failed && lh_file_exists(lh_str_text(&copy));
    lehr_status st = lh_curve_read(r->s->ctx, kept ? lh_str_text(&copy) : n->path,
                                   budget->steps_per_epoch, &n->curve);
    lh_str_free(&copy);
    if (st != LEHR_OK) {
        lh_fail_context(r->s->ctx, "schedule '%.200s', column %zu: ", r->in.text, n->column + 1);
        return st;
    }
    if (n->sha256[0] && strcmp(n->sha256, lh_curve_sha256(n->curve)) != 0)
        return lh_spec_fail(&r->in, LEHR_E_PARAM, n->column,
                            "table '%s' has changed: its SHA-256 is %s, not %s", n->path,
                            lh_curve_sha256(n->curve), n->sha256);
    return LEHR_OK;
}

static lehr_status no_length(resolver *r, uint32_t i)
{
    const lh_node *n = &r->s->nodes[i];
    size_t length = 0;
    while (n->column + length < strlen(r->in.text) && length < 24 &&
           !strchr(" (", r->in.text[n->column + length]))
        length++;
    return lh_spec_fail(&r->in, LEHR_E_PARAM, n->column,
                        "%.*s stands before a 'then' and has no length of its own: write how long "
                        "it runs, … for 5ep then …",
                        (int)length, r->in.text + n->column);
}

/* Phases one after the other; the last has what is left. */
static lehr_status resolve_then(resolver *r, uint32_t i, uint64_t total)
{
    lehr_scheduler *s = r->s;
    double at = 0;
    for (uint32_t k = s->nodes[i].child; k != LH_NO_NODE; k = s->nodes[k].next) {
        bool last = s->nodes[k].next == LH_NO_NODE;
        s->nodes[k].start = at;
        s->nodes[k].end = INFINITY;
        if (total && !(at < (double)total))
            return lh_spec_fail(&r->in, LEHR_E_PARAM, s->nodes[k].column,
                                "the parts before take %.0f updates and leave nothing of %s %llu: "
                                "shorten them or train longer",
                                at, is_local(r, total) ? "this part's" : "the run's",
                                (unsigned long long)total);
        lehr_status st = resolve(r, k, last && total ? total - (uint64_t)at : total);
        if (st != LEHR_OK || last) return st;
        double length = own_length(s, k);
        if (!(length >= 1)) return no_length(r, k);
        narrow(s, k, (uint64_t)length);
        at += length;
        s->nodes[k].end = at;
    }
    return LEHR_OK;
}

static lehr_status resolve_shift(resolver *r, uint32_t i, uint64_t total)
{
    lehr_status st = duration(r, i, "the shift", true, total);
    const lh_node *n = &r->s->nodes[i];
    if (st != LEHR_OK) return st;
    if (total && !(n->span < (double)total))
        return lh_spec_fail(&r->in, LEHR_E_PARAM, n->term.column,
                            "a shift by the whole budget leaves nothing");
    return resolve(r, n->child, total ? (uint64_t)((double)total - n->span) : 0);
}

static lehr_status resolve_children(resolver *r, uint32_t i, uint64_t total)
{
    lehr_status st = LEHR_OK;
    for (uint32_t k = r->s->nodes[i].child; k != LH_NO_NODE && st == LEHR_OK;
         k = r->s->nodes[k].next)
        st = resolve(r, k, total);
    return st;
}

static lehr_status resolve_span(resolver *r, uint32_t i, const char *who, bool phase,
                                uint64_t total)
{
    lehr_status st = duration(r, i, who, phase, total);
    const lh_node *n = &r->s->nodes[i];
    if (st != LEHR_OK) return st;
    return resolve(r, n->child, n->kind == LH_NODE_HOLD ? total : (uint64_t)n->span);
}

static lehr_status resolve(resolver *r, uint32_t i, uint64_t total)
{
    lh_node *n = &r->s->nodes[i];
    lehr_status st = LEHR_OK;
    n->total = total;
    switch (n->kind) {
    case LH_NODE_NUMBER: n->plain = true; return LEHR_OK;
    case LH_NODE_SHARE: return LEHR_OK;
    case LH_NODE_PART: return resolve_part(r, n, total);
    case LH_NODE_FORMULA: return resolve_formula(r, n, total);
    case LH_NODE_CURVE: return resolve_curve(r, n);
    case LH_NODE_THEN: st = resolve_then(r, i, total); break;
    case LH_NODE_FOR: st = resolve_span(r, i, "a part's length", true, total); break;
    case LH_NODE_REPEAT: st = resolve_span(r, i, "every of repeat", false, total); break;
    case LH_NODE_HOLD: st = resolve_span(r, i, "every of hold", false, total); break;
    case LH_NODE_SHIFT: st = resolve_shift(r, i, total); break;
    case LH_NODE_PRODUCT:
    case LH_NODE_SUM:
    case LH_NODE_MIN:
    case LH_NODE_MAX:
    case LH_NODE_CLIP: st = resolve_children(r, i, total); break;
    }
    n->plain = true;
    for (uint32_t k = n->child; k != LH_NO_NODE; k = r->s->nodes[k].next)
        n->plain = n->plain && r->s->nodes[k].plain;
    return st;
}

lehr_status lehr_scheduler_save_tables(lehr_scheduler *s, const char *directory)
{
    lehr_status st = LEHR_OK;
    lh_enter(s->ctx);
    for (uint32_t i = 0; i < s->node_count && st == LEHR_OK; i++) {
        lh_str path = {0};
        if (!s->nodes[i].curve) continue;
        copy_path(&s->nodes[i], directory, &path);
        st = path.failed ? lh_fail(s->ctx, LEHR_E_MEMORY, "out of memory")
                         : lh_curve_save(s->ctx, s->nodes[i].curve, lh_str_text(&path));
        lh_str_free(&path);
    }
    return st;
}

lehr_status lh_expression_resolve(lehr_scheduler *s)
{
    resolver r = {.s = s,
                  .in = {.ctx = s->ctx, .what = "schedule", .text = lh_str_text(&s->spec)}};
    lehr_status st = resolve(&r, s->root, s->budget.total_steps);
    if (st == LEHR_OK && (s->nodes[s->root].plain || s->nodes[s->root].kind == LH_NODE_SHARE))
        st = lh_spec_fail(&r.in, LEHR_E_USAGE, 0,
                          "a number alone is no schedule: write constant() and give the learning "
                          "rate");
    return st;
}
