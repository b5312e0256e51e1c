/* SPDX-License-Identifier: MIT
 *
 * The grammar of schedules:
 *
 *   sequence := phase { 'then' phase }
 *   phase    := sum [ 'for' duration ]
 *   sum      := product { '+' product }
 *   product  := factor { '*' factor }
 *   factor   := '(' sequence ')' | number | number '%' | function | schedule
 *   schedule := [prefix ':'] name [ '(' arguments ')' ]
 *   function := 'min' | 'max' '(' sequence { ',' sequence } ')'
 *             | 'clip' '(' sequence ',' sequence ',' sequence ')'
 *             | 'scale' '(' sequence ',' number ')' | 'shift' '(' sequence ',' duration ')'
 *             | 'repeat' '(' sequence ',' duration [',' times [',' decay]] ')'
 *             | 'hold' '(' sequence ',' duration ')'
 *             | 'expr' '(' string ')' | 'table' '(' string { ',' option } ')'
 *
 * What the operations mean is in docs/schedules.md and in scheduler.c. */
#include "core/plugin/scheduler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct parser {
    lehr_scheduler *s;
    lh_cursor in;
    unsigned depth;
} parser;

static lehr_status read_sequence(parser *p, uint32_t *out);

static lehr_status fail_at(parser *p, size_t at, const char *why)
{
    return lh_spec_fail(&p->in, LEHR_E_USAGE, at, "%s", why);
}

/* ---- nodes ---- */

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

static lehr_status new_node(parser *p, lh_node_kind kind, size_t column, uint32_t *out)
{
    lh_node node = {.kind = kind, .child = LH_NO_NODE, .next = LH_NO_NODE, .column = column};
    return add_node(p, node, out);
}

static void add_child(parser *p, uint32_t parent, uint32_t child)
{
    lh_node *nodes = p->s->nodes;
    uint32_t *link = &nodes[parent].child;
    while (*link != LH_NO_NODE) link = &nodes[*link].next;
    *link = child;
}

/* ---- words and punctuation ---- */

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool accept_word(parser *p, const char *word)
{
    lh_cursor *in = &p->in;
    size_t length = strlen(word);
    lh_skip_space(in);
    if (strncmp(in->text + in->at, word, length) != 0 || name_char(in->text[in->at + length]))
        return false;
    in->at += length;
    return true;
}

static bool at_word(parser *p, const char *word)
{
    size_t start = p->in.at;
    bool here = accept_word(p, word);
    p->in.at = start;
    return here;
}

/* A comma or the closing bracket of a function: more tells which. */
static lehr_status next_argument(parser *p, bool *more)
{
    lh_cursor *in = &p->in;
    *more = lh_accept(in, ',');
    if (*more || lh_accept(in, ')')) return LEHR_OK;
    if (!in->text[in->at]) return fail_at(p, in->at, "the text ends where ',' or ')' is wanted");
    return lh_spec_fail(in, LEHR_E_USAGE, in->at, "'%c' where ',' or ')' is wanted",
                        in->text[in->at]);
}

static lehr_status expect(parser *p, char wanted, const char *usage)
{
    if (lh_accept(&p->in, wanted)) return LEHR_OK;
    return lh_spec_fail(&p->in, LEHR_E_USAGE, p->in.at, "'%c' is wanted here: %s", wanted, usage);
}

/* Passes "name =" where an argument may be named. */
static void skip_name(parser *p, const char *name)
{
    size_t start = p->in.at;
    if (!accept_word(p, name) || !lh_accept(&p->in, '=')) p->in.at = start;
}

static lehr_status read_term(parser *p, const char *name, bool duration, lh_term *out)
{
    skip_name(p, name);
    lehr_status st = lh_read_number(&p->in, out);
    if (st != LEHR_OK || duration || !out->unit[0]) return st;
    return lh_spec_fail(&p->in, LEHR_E_USAGE, out->column, "%s is a plain number", name);
}

static lehr_status read_string(parser *p, char *quote)
{
    lh_skip_space(&p->in);
    *quote = p->in.text[p->in.at];
    if (*quote != '"' && *quote != '\'')
        return fail_at(p, p->in.at, "a text in quotation marks is wanted, expr(\"base / 2\")");
    p->in.at++;
    return LEHR_OK;
}

/* ---- functions ---- */

static lehr_status read_many(parser *p, uint32_t node)
{
    for (bool more = true; more;) {
        uint32_t child = 0;
        lehr_status st = read_sequence(p, &child);
        if (st != LEHR_OK) return st;
        add_child(p, node, child);
        st = next_argument(p, &more);
        if (st != LEHR_OK) return st;
    }
    return LEHR_OK;
}

static lehr_status check_clip(parser *p, uint32_t node)
{
    const lh_node *nodes = p->s->nodes;
    uint32_t at[4], count = 0;
    for (uint32_t i = nodes[node].child; i != LH_NO_NODE && count < 4; i = nodes[i].next)
        at[count++] = i;
    if (count != 3)
        return fail_at(p, nodes[node].column, "clip takes a schedule, the lowest and the highest "
                                              "value: clip(cosine(), 1e-4, 0.1)");
    const lh_node *low = &nodes[at[1]], *high = &nodes[at[2]];
    if (low->kind <= LH_NODE_SHARE && low->kind == high->kind && !(low->number <= high->number))
        return fail_at(p, low->column, "the lowest value is above the highest");
    return LEHR_OK;
}

/* f(sequence, … : the first argument and the comma after it. */
static lehr_status read_inner(parser *p, uint32_t node, const char *usage)
{
    uint32_t child = 0;
    lehr_status st = read_sequence(p, &child);
    if (st != LEHR_OK) return st;
    add_child(p, node, child);
    return expect(p, ',', usage);
}

static lehr_status read_repeat(parser *p, uint32_t node)
{
    const char *usage = "repeat(schedule, 10ep), repeat(schedule, 10ep, times=3, decay=0.5)";
    bool more = false;
    lh_term every, times = {0}, decay = {.number = 1};
    lehr_status st = read_inner(p, node, usage);
    if (st == LEHR_OK) st = read_term(p, "every", true, &every);
    if (st == LEHR_OK) st = next_argument(p, &more);
    if (st == LEHR_OK && more && !at_word(p, "decay")) {
        st = read_term(p, "times", false, &times);
        if (st == LEHR_OK && !(times.number >= 0 && times.number <= 1e9 &&
                               times.number == floor(times.number)))
            st = fail_at(p, times.column, "times is a whole number, 0: without end");
        if (st == LEHR_OK) st = next_argument(p, &more);
    }
    if (st == LEHR_OK && more) {
        st = read_term(p, "decay", false, &decay);
        if (st == LEHR_OK && !(decay.number >= 0))
            st = fail_at(p, decay.column, "decay is below 0");
        if (st == LEHR_OK) st = expect(p, ')', usage);
    }
    if (st != LEHR_OK) return st;
    p->s->nodes[node].term = every;
    p->s->nodes[node].times = times.number;
    p->s->nodes[node].number = decay.number;
    return LEHR_OK;
}

static lehr_status read_shift(parser *p, uint32_t node)
{
    bool hold = p->s->nodes[node].kind == LH_NODE_HOLD;
    const char *usage = hold ? "hold(schedule, 1ep)" : "shift(schedule, 5ep)";
    lh_term by;
    lehr_status st = read_inner(p, node, usage);
    if (st == LEHR_OK) st = read_term(p, hold ? "every" : "by", true, &by);
    if (st == LEHR_OK) st = expect(p, ')', usage);
    if (st == LEHR_OK) p->s->nodes[node].term = by;
    return st;
}

/* scale(a, k) is a * k. */
static lehr_status read_scale(parser *p, uint32_t node)
{
    uint32_t factor = 0;
    lh_term term;
    lehr_status st = read_inner(p, node, "scale(schedule, 0.5)");
    if (st == LEHR_OK) st = read_term(p, "by", false, &term);
    if (st == LEHR_OK && !(term.number >= 0)) st = fail_at(p, term.column, "a factor below 0");
    if (st == LEHR_OK) st = expect(p, ')', "scale(schedule, 0.5)");
    if (st == LEHR_OK) st = new_node(p, LH_NODE_NUMBER, term.column, &factor);
    if (st != LEHR_OK) return st;
    p->s->nodes[factor].number = term.number;
    add_child(p, node, factor);
    return LEHR_OK;
}

static lehr_status read_formula(parser *p, uint32_t node)
{
    char quote = 0;
    lehr_status st = read_string(p, &quote);
    if (st == LEHR_OK) st = lh_formula_parse(&p->in, quote, &p->s->nodes[node].formula);
    return st == LEHR_OK ? expect(p, ')', "expr(\"base / 2\")") : st;
}

/* by=linear|hold and sha256=HEX behind the file's name. */
static lehr_status read_table_option(parser *p, lh_node *n)
{
    lh_cursor *in = &p->in;
    if (accept_word(p, "sha256") && lh_accept(in, '=')) {
        lh_skip_space(in);
        size_t length = strspn(in->text + in->at, "0123456789abcdef");
        if (length != 64) return fail_at(p, in->at, "sha256 is 64 hexadecimal digits");
        memcpy(n->sha256, in->text + in->at, length);
        in->at += length;
        return LEHR_OK;
    }
    skip_name(p, "by");
    n->hold = accept_word(p, "hold");
    if (n->hold || accept_word(p, "linear")) return LEHR_OK;
    return fail_at(p, in->at, "table takes by=linear, by=hold and sha256=…");
}

static lehr_status read_curve(parser *p, uint32_t node)
{
    lh_cursor *in = &p->in;
    lh_node *n = &p->s->nodes[node];
    char quote = 0;
    lehr_status st = read_string(p, &quote);
    if (st != LEHR_OK) return st;
    size_t start = in->at, length = 0;
    while (in->text[start + length] && in->text[start + length] != quote) length++;
    if (!in->text[start + length]) return fail_at(p, start - 1, "this quotation mark is never "
                                                                "closed");
    if (length == 0) return fail_at(p, start, "the name of a file is wanted");
    n->path = lh_alloc(p->s->ctx, length + 1, 1);
    if (!n->path) return LEHR_E_MEMORY;
    memcpy(n->path, in->text + start, length);
    in->at = start + length + 1;
    for (bool more = true;;) {
        st = next_argument(p, &more);
        if (st != LEHR_OK || !more) return st;
        st = read_table_option(p, n);
        if (st != LEHR_OK) return st;
    }
}

static const struct {
    const char *name;
    lh_node_kind kind;
    lehr_status (*read)(parser *p, uint32_t node);
} functions[] = {{"min", LH_NODE_MIN, read_many},         {"max", LH_NODE_MAX, read_many},
                 {"clip", LH_NODE_CLIP, read_many},       {"scale", LH_NODE_PRODUCT, read_scale},
                 {"shift", LH_NODE_SHIFT, read_shift},    {"hold", LH_NODE_HOLD, read_shift},
                 {"repeat", LH_NODE_REPEAT, read_repeat}, {"expr", LH_NODE_FORMULA, read_formula},
                 {"table", LH_NODE_CURVE, read_curve}};

bool lh_schedule_word(const char *name)
{
    for (size_t i = 0; i < LH_COUNT(functions); i++)
        if (strcmp(name, functions[i].name) == 0) return true;
    return strcmp(name, "then") == 0 || strcmp(name, "for") == 0;
}

/* A function's number when one stands here, with its bracket passed; else -1. */
static int accept_function(parser *p)
{
    size_t start = p->in.at;
    for (size_t i = 0; i < LH_COUNT(functions); i++) {
        if (accept_word(p, functions[i].name) && lh_accept(&p->in, '(')) return (int)i;
        p->in.at = start;
    }
    return -1;
}

static lehr_status read_function(parser *p, int which, size_t start, uint32_t *out)
{
    lehr_status st = new_node(p, functions[which].kind, start, out);
    if (st == LEHR_OK) st = functions[which].read(p, *out);
    if (st == LEHR_OK && functions[which].kind == LH_NODE_CLIP) st = check_clip(p, *out);
    return st;
}

/* ---- schedules and numbers ---- */

/* For a name that is nearly a function's, that one is suggested in place of the message so far. */
static lehr_status suggest_function(parser *p, const lh_call *call, lehr_status st)
{
    for (size_t i = 0; i < LH_COUNT(functions); i++) {
        if (lh_edit_distance(call->name, functions[i].name) > 1) continue;
        lh_enter(p->s->ctx);
        return lh_spec_fail(&p->in, LEHR_E_USAGE, call->column,
                            "unknown schedule '%s'; did you mean the function %s(…)?", call->name,
                            functions[i].name);
    }
    return st;
}

/* Reads a call and finds its schedule.  Arguments that cannot be read may be those of a mistyped
 * function. */
static lehr_status read_schedule(parser *p, lh_call *call, const lehr_schedule **d)
{
    lehr_scheduler *s = p->s;
    lehr_status st = lh_read_call(&p->in, call), found = LEHR_E_USAGE;
    *d = NULL;
    if (call->name[0]) found = lh_registry_schedule(s->registry, s->ctx, call->name, d);
    if (st == LEHR_OK && found != LEHR_OK)
        lh_fail_context(s->ctx, "schedule '%.200s', column %zu: ", p->in.text, call->column + 1);
    if (found == LEHR_E_USAGE && call->name[0]) return suggest_function(p, call, found);
    return st != LEHR_OK ? st : found;
}

static lehr_status read_part(parser *p, uint32_t *out)
{
    lehr_scheduler *s = p->s;
    lh_call call;
    const lehr_schedule *d = NULL;
    lehr_status st = read_schedule(p, &call, &d);
    if (st == LEHR_OK) st = new_node(p, LH_NODE_PART, call.column, out);
    lh_schedule_part *more = NULL;
    if (st == LEHR_OK) {
        more = realloc(s->parts, (s->part_count + 1) * sizeof *more);
        st = more ? LEHR_OK : lh_fail(s->ctx, LEHR_E_MEMORY, "out of memory");
    }
    if (st != LEHR_OK) {
        lh_call_free(&call);
        return st;
    }
    s->parts = more;
    s->nodes[*out].part = s->part_count;
    s->parts[s->part_count++] = (lh_schedule_part){.d = d, .call = call};
    return LEHR_OK;
}

static lehr_status read_constant(parser *p, uint32_t *out)
{
    lh_term term;
    lehr_status st = lh_read_number(&p->in, &term);
    if (st != LEHR_OK) return st;
    bool share = strcmp(term.unit, "%") == 0;
    if (term.unit[0] && !share)
        return fail_at(p, term.column,
                       "a duration is no factor: it belongs into a schedule, warmup(5ep)");
    if (term.number < 0) return fail_at(p, term.column, "a factor below 0");
    st = new_node(p, share ? LH_NODE_SHARE : LH_NODE_NUMBER, term.column, out);
    if (st == LEHR_OK) p->s->nodes[*out].number = term.number;
    return st;
}

static lehr_status read_bracket(parser *p, size_t start, uint32_t *out)
{
    lehr_status st = read_sequence(p, out);
    if (st == LEHR_OK && !lh_accept(&p->in, ')'))
        st = fail_at(p, start, "this bracket is never closed");
    return st;
}

static lehr_status read_factor(parser *p, uint32_t *out)
{
    lh_cursor *in = &p->in;
    lh_skip_space(in);
    size_t start = in->at;
    char c = in->text[in->at];
    if (c && strchr("0123456789.+-", c)) return read_constant(p, out);
    int function = accept_function(p);
    if (function < 0 && !lh_accept(in, '(')) return read_part(p, out);
    if (++p->depth > LH_DEPTH_MAX)
        return lh_spec_fail(in, LEHR_E_USAGE, start, "more than %d nested brackets", LH_DEPTH_MAX);
    lehr_status st = function < 0 ? read_bracket(p, start, out)
                                  : read_function(p, function, start, out);
    p->depth--;
    return st;
}

/* ---- operators ---- */

/* Puts a node of this kind above *out and another operand. */
static lehr_status join(parser *p, lh_node_kind kind, uint32_t *out, uint32_t right)
{
    uint32_t node = 0;
    lehr_status st = new_node(p, kind, p->s->nodes[*out].column, &node);
    if (st != LEHR_OK) return st;
    add_child(p, node, *out);
    add_child(p, node, right);
    *out = node;
    return LEHR_OK;
}

static lehr_status read_product(parser *p, uint32_t *out)
{
    lehr_status st = read_factor(p, out);
    while (st == LEHR_OK && lh_accept(&p->in, '*')) {
        uint32_t right = 0;
        st = read_factor(p, &right);
        if (st == LEHR_OK) st = join(p, LH_NODE_PRODUCT, out, right);
    }
    return st;
}

static lehr_status read_sum(parser *p, uint32_t *out)
{
    lehr_status st = read_product(p, out);
    while (st == LEHR_OK && lh_accept(&p->in, '+')) {
        uint32_t right = 0;
        st = read_product(p, &right);
        if (st == LEHR_OK) st = join(p, LH_NODE_SUM, out, right);
    }
    return st;
}

static lehr_status read_phase(parser *p, uint32_t *out)
{
    uint32_t node = 0;
    lh_term term;
    lehr_status st = read_sum(p, out);
    if (st != LEHR_OK || !accept_word(p, "for")) return st;
    st = lh_read_number(&p->in, &term);
    if (st == LEHR_OK) st = new_node(p, LH_NODE_FOR, p->s->nodes[*out].column, &node);
    if (st != LEHR_OK) return st;
    p->s->nodes[node].term = term;
    add_child(p, node, *out);
    *out = node;
    return LEHR_OK;
}

static lehr_status read_sequence(parser *p, uint32_t *out)
{
    lehr_status st = read_phase(p, out);
    bool first = true;
    while (st == LEHR_OK && accept_word(p, "then")) {
        uint32_t right = 0;
        st = read_phase(p, &right);
        if (st != LEHR_OK) return st;
        if (first)
            st = join(p, LH_NODE_THEN, out, right);
        else
            add_child(p, *out, right);
        first = false;
    }
    return st;
}

lehr_status lh_expression_parse(lehr_scheduler *s, const char *text)
{
    parser p = {.s = s, .in = {.ctx = s->ctx, .what = "schedule", .text = text}};
    if (strlen(text) >= LH_SPEC_MAX)
        return lh_fail(s->ctx, LEHR_E_USAGE, "schedule: the text is longer than %d characters",
                       LH_SPEC_MAX - 1);
    lehr_status st = read_sequence(&p, &s->root);
    if (st != LEHR_OK) return st;
    lh_skip_space(&p.in);
    if (text[p.in.at])
        return lh_spec_fail(&p.in, LEHR_E_USAGE, p.in.at,
                            "'%c' where '*', '+', then, for or the end is wanted", text[p.in.at]);
    return LEHR_OK;
}
