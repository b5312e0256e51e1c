/* SPDX-License-Identifier: MIT
 *
 * The canonical text of an expression: every duration in updates, every parameter written out,
 * brackets only where the tree needs them.  It reads back as the same tree. */
#include "core/plugin/scheduler.h"

#include <math.h>
#include <string.h>

/* How tightly a kind binds; what is looser than its place wants stands in brackets. */
enum { SEQUENCE, PHASE, SUM, PRODUCT, FACTOR };

static int level(lh_node_kind kind)
{
    switch (kind) {
    case LH_NODE_THEN: return SEQUENCE;
    case LH_NODE_FOR: return PHASE;
    case LH_NODE_SUM: return SUM;
    case LH_NODE_PRODUCT: return PRODUCT;
    default: return FACTOR;
    }
}

static void write_node(const lehr_scheduler *s, uint32_t i, int place, lh_str *out);

static void write_number(double value, lh_str *out)
{
    char number[40];
    lh_format_double(value, number, sizeof number);
    lh_str_add(out, number);
}

static void write_list(const lehr_scheduler *s, const lh_node *n, const char *between, int place,
                       lh_str *out)
{
    for (uint32_t k = n->child; k != LH_NO_NODE; k = s->nodes[k].next) {
        if (k != n->child) lh_str_add(out, between);
        write_node(s, k, place, out);
    }
}

/* Left operands may be of the operator's own level: the tree leans left. */
static void write_pair(const lehr_scheduler *s, const lh_node *n, const char *between, int place,
                       lh_str *out)
{
    write_node(s, n->child, place, out);
    lh_str_add(out, between);
    write_node(s, s->nodes[n->child].next, place + 1, out);
}

static void write_function(const lehr_scheduler *s, const lh_node *n, const char *name, lh_str *out)
{
    lh_str_printf(out, "%s(", name);
    write_list(s, n, ", ", SEQUENCE, out);
    if (n->kind == LH_NODE_SHIFT || n->kind == LH_NODE_HOLD || n->kind == LH_NODE_REPEAT)
        lh_str_printf(out, ", %.0fst", n->span);
    if (n->kind == LH_NODE_REPEAT) {
        lh_str_printf(out, ", times=%.0f, decay=", n->times);
        write_number(n->number, out);
    }
    lh_str_add(out, ")");
}

static void write_curve(const lh_node *n, lh_str *out)
{
    char quote = strchr(n->path, '"') ? '\'' : '"';
    lh_str_printf(out, "table(%c%s%c, by=%s, sha256=%s)", quote, n->path, quote,
                  n->hold ? "hold" : "linear", lh_curve_sha256(n->curve));
}

static void write_kind(const lehr_scheduler *s, const lh_node *n, lh_str *out)
{
    switch (n->kind) {
    case LH_NODE_NUMBER: write_number(n->number, out); return;
    case LH_NODE_SHARE:
        write_number(n->number, out);
        lh_str_add(out, "%");
        return;
    case LH_NODE_PART: lh_str_add(out, s->parts[n->part].text); return;
    case LH_NODE_FORMULA:
        lh_str_printf(out, "expr(\"%s\")", lh_formula_text(n->formula));
        return;
    case LH_NODE_CURVE: write_curve(n, out); return;
    case LH_NODE_PRODUCT: write_pair(s, n, " * ", PRODUCT, out); return;
    case LH_NODE_SUM: write_pair(s, n, " + ", SUM, out); return;
    case LH_NODE_THEN: write_list(s, n, " then ", PHASE, out); return;
    case LH_NODE_FOR:
        write_node(s, n->child, SUM, out);
        lh_str_printf(out, " for %.0fst", n->span);
        return;
    case LH_NODE_MIN: write_function(s, n, "min", out); return;
    case LH_NODE_MAX: write_function(s, n, "max", out); return;
    case LH_NODE_CLIP: write_function(s, n, "clip", out); return;
    case LH_NODE_SHIFT: write_function(s, n, "shift", out); return;
    case LH_NODE_REPEAT: write_function(s, n, "repeat", out); return;
    case LH_NODE_HOLD: write_function(s, n, "hold", out); return;
    }
}

static void write_node(const lehr_scheduler *s, uint32_t i, int place, lh_str *out)
{
    const lh_node *n = &s->nodes[i];
    bool brackets = level(n->kind) < place;
    if (brackets) lh_str_add(out, "(");
    write_kind(s, n, out);
    if (brackets) lh_str_add(out, ")");
}

void lh_expression_text(const lehr_scheduler *s, lh_str *out)
{
    write_node(s, s->root, SEQUENCE, out);
}
