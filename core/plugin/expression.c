/* SPDX-License-Identifier: MIT
 *
 * The grammar of schedules:
 *
 *   sum     := product { '+' product }
 *   product := factor { '*' factor }
 *   factor  := '(' sum ')' | number | number '%' | [prefix ':'] name [ '(' arguments ')' ]
 *
 * What the operations mean is in docs/schedules.md and in scheduler.c. */
#include "core/plugin/scheduler.h"

#include <stdlib.h>
#include <string.h>

typedef struct parser {
    lehr_scheduler *s;
    lh_cursor in;
    unsigned depth;
} parser;

static lehr_status add_node(parser *p, lh_node node, uint32_t *out)
{
    lehr_scheduler *s = p->s;
    if (s->node_count == LH_NODES_MAX)
        return lh_spec_fail(&p->in, LEHR_E_USAGE, p->in.at, "more than %d terms", LH_NODES_MAX);
    lh_node *more = realloc(s->nodes, (s->node_count + 1) * sizeof *more);
    if (!more) return lh_fail(s->ctx, LEHR_E_MEMORY, "out of memory");
    s->nodes = more;
    s->nodes[s->node_count] = node;
    *out = s->node_count++;
    return LEHR_OK;
}

static lh_table part_table(const lehr_scheduler *s, const lehr_schedule *d)
{
    return (lh_table){.kind = "schedule", .name = d->name, .params = d->params,
                      .presets = d->presets, .metric = d->observe ? d->metric : NULL,
                      .budget = &s->budget};
}

/* Binds the call and adds a part; the caller has grown the array. */
static lehr_status bind_part(parser *p, const lehr_schedule *d, const lh_call *call)
{
    lehr_scheduler *s = p->s;
    lh_table table = part_table(s, d);
    lh_part part = {.d = d, .state = s->state_count};
    lehr_status st = lh_bind(&p->in, &table, call, &part.binding);
    if (st != LEHR_OK) return st;
    lh_str text = {0};
    lh_binding_text(&table, &part.binding, &text);
    part.text = text.text;
    s->parts[s->part_count++] = part;
    s->state_count += d->state.count;
    return text.failed ? lh_fail(s->ctx, LEHR_E_MEMORY, "out of memory") : LEHR_OK;
}

static lehr_status read_part(parser *p, uint32_t *out)
{
    lehr_scheduler *s = p->s;
    lh_call call;
    const lehr_schedule *d = NULL;
    lehr_status st = lh_read_call(&p->in, &call);
    if (st == LEHR_OK) {
        st = lh_registry_schedule(s->registry, s->ctx, call.name, &d);
        if (st != LEHR_OK)
            lh_fail_context(s->ctx, "schedule '%.200s', column %zu: ", p->in.text, call.column + 1);
    }
    if (st == LEHR_OK && (d->flags & LEHR_S_NEEDS_TOTAL) && s->budget.total_steps == 0)
        st = lh_spec_fail(&p->in, LEHR_E_PARAM, call.column, "%s needs a run of known length",
                          d->name);
    if (st == LEHR_OK) {
        lh_part *more = realloc(s->parts, (s->part_count + 1) * sizeof *more);
        st = more ? LEHR_OK : lh_fail(s->ctx, LEHR_E_MEMORY, "out of memory");
        if (more) s->parts = more;
    }
    if (st == LEHR_OK) st = bind_part(p, d, &call);
    lh_call_free(&call);
    if (st != LEHR_OK) return st;
    return add_node(p, (lh_node){.kind = LH_NODE_PART, .a = s->part_count - 1}, out);
}

static lehr_status read_constant(parser *p, uint32_t *out)
{
    lh_term term;
    lehr_status st = lh_read_number(&p->in, &term);
    if (st != LEHR_OK) return st;
    bool share = strcmp(term.unit, "%") == 0;
    if (term.unit[0] && !share)
        return lh_spec_fail(&p->in, LEHR_E_USAGE, term.column,
                            "a duration is no factor: it belongs into a schedule, warmup(5ep)");
    if (term.number < 0)
        return lh_spec_fail(&p->in, LEHR_E_USAGE, term.column, "a factor below 0");
    return add_node(p, share ? (lh_node){.kind = LH_NODE_SHARE, .number = term.number}
                             : (lh_node){.kind = LH_NODE_NUMBER, .number = term.number},
                    out);
}

static lehr_status read_sum(parser *p, uint32_t *out);

static lehr_status read_factor(parser *p, uint32_t *out)
{
    lh_cursor *in = &p->in;
    lh_skip_space(in);
    size_t start = in->at;
    char c = in->text[in->at];
    if (c && strchr("0123456789.+-", c)) return read_constant(p, out);
    if (!lh_accept(in, '(')) return read_part(p, out);
    if (++p->depth > LH_DEPTH_MAX)
        return lh_spec_fail(in, LEHR_E_USAGE, start, "more than %d nested brackets", LH_DEPTH_MAX);
    lehr_status st = read_sum(p, out);
    p->depth--;
    if (st == LEHR_OK && !lh_accept(in, ')'))
        st = lh_spec_fail(in, LEHR_E_USAGE, start, "this bracket is never closed");
    return st;
}

static lehr_status read_product(parser *p, uint32_t *out)
{
    lehr_status st = read_factor(p, out);
    while (st == LEHR_OK && lh_accept(&p->in, '*')) {
        uint32_t right = 0;
        st = read_factor(p, &right);
        if (st == LEHR_OK)
            st = add_node(p, (lh_node){.kind = LH_NODE_PRODUCT, .a = *out, .b = right}, out);
    }
    return st;
}

static lehr_status read_sum(parser *p, uint32_t *out)
{
    lehr_status st = read_product(p, out);
    while (st == LEHR_OK && lh_accept(&p->in, '+')) {
        uint32_t right = 0;
        st = read_product(p, &right);
        if (st == LEHR_OK)
            st = add_node(p, (lh_node){.kind = LH_NODE_SUM, .a = *out, .b = right}, out);
    }
    return st;
}

lehr_status lh_expression_parse(lehr_scheduler *s, const char *text)
{
    parser p = {.s = s, .in = {.ctx = s->ctx, .what = "schedule", .text = text}};
    if (strlen(text) >= LH_SPEC_MAX)
        return lh_fail(s->ctx, LEHR_E_USAGE, "schedule: the text is longer than %d characters",
                       LH_SPEC_MAX - 1);
    lehr_status st = read_sum(&p, &s->root);
    if (st != LEHR_OK) return st;
    lh_skip_space(&p.in);
    if (text[p.in.at])
        return lh_spec_fail(&p.in, LEHR_E_USAGE, p.in.at,
                            "'%c' where '*', '+' or the end is wanted", text[p.in.at]);
    if (s->part_count == 0)
        return lh_spec_fail(
            &p.in, LEHR_E_USAGE, 0,
            "a number alone is no schedule: write constant() and give the learning rate");
    return LEHR_OK;
}

static void write_node(const lehr_scheduler *s, uint32_t i, bool in_product, lh_str *out)
{
    const lh_node *n = &s->nodes[i];
    char number[40];
    switch (n->kind) {
    case LH_NODE_NUMBER:
        lh_format_double(n->number, number, sizeof number);
        lh_str_add(out, number);
        return;
    case LH_NODE_SHARE:
        lh_format_double(n->number, number, sizeof number);
        lh_str_printf(out, "%s%%", number);
        return;
    case LH_NODE_PART: lh_str_add(out, s->parts[n->a].text); return;
    case LH_NODE_PRODUCT:
        write_node(s, n->a, true, out);
        lh_str_add(out, " * ");
        write_node(s, n->b, true, out);
        return;
    case LH_NODE_SUM:
        lh_str_add(out, in_product ? "(" : "");
        write_node(s, n->a, false, out);
        lh_str_add(out, " + ");
        write_node(s, n->b, false, out);
        lh_str_add(out, in_product ? ")" : "");
        return;
    }
}

void lh_expression_text(const lehr_scheduler *s, lh_str *out)
{
    write_node(s, s->root, false, out);
}
