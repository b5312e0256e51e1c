/* SPDX-License-Identifier: MIT
 *
 * Reading parameter groups and dealing out the tensors. */
#include "core/train/groups.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/train/target.h"

enum { MOST_GROUPS = 64, LR = 0 };

typedef struct reader {
    lehr_context *ctx;
    lehr_registry *registry;
    const lh_parameters *parameters;
    lh_groups *groups;
    lh_user_group *group; /* being read */
} reader;

static const char *number_name(const reader *r, uint32_t number)
{
    return number == LR ? "lr" : r->parameters->table[number - 1].name;
}

/* ---- values ---- */

static lehr_status fail_name(const reader *r, const char *name)
{
    const lh_parameters *p = r->parameters;
    const char **known = lh_alloc(r->ctx, p->count + 2, sizeof *known);
    size_t count = 0;
    lh_str text = {0};
    if (!known) return LEHR_E_MEMORY;
    known[count++] = "lr";
    for (uint32_t i = 0; i < p->count; i++)
        if (lh_parameters_may_change(p, (int)i)) known[count++] = p->table[i].name;
    known[count++] = "schedule";
    lh_str_suggest(&text, name, known, count);
    lehr_status st = lh_fail(r->ctx, LEHR_E_USAGE, "a group cannot set '%s' with optimizer %s%s", name,
                             p->d->name, lh_str_text(&text));
    lh_str_free(&text);
    free(known);
    return st;
}

/* Number 0 for lr, 1 + i for parameter i. */
static lehr_status find_number(const reader *r, lh_piece piece, uint32_t *out)
{
    *out = LR;
    if (lh_piece_is(piece, "lr")) return LEHR_OK;
    char *name = lh_piece_copy(r->ctx, piece);
    if (!name) return LEHR_E_MEMORY;
    int param = lh_parameters_find(r->parameters, name);
    *out = (uint32_t)(param + 1);
    lehr_status st = param >= 0 && lh_parameters_may_change(r->parameters, param)
                         ? LEHR_OK
                         : fail_name(r, name);
    free(name);
    return st;
}

static lehr_status check_number(const reader *r, uint32_t number, const lh_group_value *v)
{
    const char *name = number_name(r, number);
    char range[96];
    if (v->factor && !(v->number >= 0))
        return lh_fail(r->ctx, LEHR_E_PARAM, "%s*%g: the factor must not be negative", name, v->number);
    if (number == LR && !(v->number >= 0 && v->number <= 3e38))
        return lh_fail(r->ctx, LEHR_E_PARAM, "lr=%g: it must not be negative; 0 freezes the group",
                       v->number);
    if (number == LR) return LEHR_OK;
    int param = (int)number - 1;
    double value = v->factor ? r->parameters->values[param] * v->number : v->number;
    if (!lh_parameters_in_range(r->parameters, param, value, range, sizeof range))
        return lh_fail(r->ctx, LEHR_E_PARAM, "%s = %g is outside %s", name, value, range);
    const char *slot = lh_parameters_missing_slot(r->parameters, param);
    if (slot && value != 0)
        return lh_fail(r->ctx, LEHR_E_USAGE, "%s is 0 in the optimizer, so there is no %s to keep; give "
                       "the optimizer one above 0, such as %s(%s=0.9), and the groups their own", name,
                       slot, r->parameters->d->name, name);
    return LEHR_OK;
}

static lehr_status take_schedule(reader *r, lh_piece text)
{
    uint32_t number = LR;
    char word[LH_TARGET_SIZE];
    const char *rest = NULL;
    char *copy = lh_piece_copy(r->ctx, text);
    if (!copy) return LEHR_E_MEMORY;
    lh_target_read(r->ctx, r->registry, r->parameters, copy, word, &rest);
    lehr_status st = *word ? find_number(r, (lh_piece){word, strlen(word)}, &number) : LEHR_OK;
    lh_group_value *v = &r->group->values[number];
    if (st == LEHR_OK && v->schedule)
        st = lh_fail(r->ctx, LEHR_E_USAGE, "%s has two schedules", number_name(r, number));
    else if (st == LEHR_OK && !(v->schedule = lh_strdup(r->ctx, rest)))
        st = LEHR_E_MEMORY;
    free(copy);
    return st;
}

static lehr_status take_number(reader *r, lh_piece name, bool factor, lh_piece text)
{
    uint32_t number = 0;
    lehr_status st = find_number(r, name, &number);
    char *digits = st == LEHR_OK ? lh_piece_copy(r->ctx, text) : NULL;
    if (st != LEHR_OK || !digits) return st == LEHR_OK ? LEHR_E_MEMORY : st;
    lh_group_value *v = &r->group->values[number];
    if (v->given)
        st = lh_fail(r->ctx, LEHR_E_USAGE, "%s is given twice", number_name(r, number));
    else if (!lh_parse_double(digits, &v->number))
        st = lh_fail(r->ctx, LEHR_E_USAGE, "'%s' is no number; write %s=0.1 or %s*0.1", digits,
                     number_name(r, number), number_name(r, number));
    v->given = true;
    v->factor = factor;
    free(digits);
    return st == LEHR_OK ? check_number(r, number, v) : st;
}

static lehr_status take_value(reader *r, lh_piece text)
{
    size_t at = 0;
    while (at < text.length && text.at[at] != '=' && text.at[at] != '*') at++;
    if (at == 0 || at == text.length)
        return lh_fail(r->ctx, LEHR_E_USAGE, "'%.*s' is no value; write NAME=X, NAME*X or schedule=SPEC",
                       (int)(text.length < 100 ? text.length : 100), text.at);
    lh_piece name = {text.at, at}, value = {text.at + at + 1, text.length - at - 1};
    while (name.length && name.at[name.length - 1] == ' ') name.length--;
    while (value.length && *value.at == ' ') value = (lh_piece){value.at + 1, value.length - 1};
    if (text.at[at] == '=' && lh_piece_is(name, "schedule")) return take_schedule(r, value);
    return take_number(r, name, text.at[at] == '*', value);
}

/* ---- selectors ---- */

static bool selects(const char *pattern, const lehr_model *model, const lh_named_tensor *t)
{
    return !t->is_stat && (strcmp(pattern, lh_tensor_class(t)) == 0 ||
                           fnmatch(pattern, t->name, 0) == 0 ||
                           fnmatch(pattern, model->layers[t->layer].name, 0) == 0);
}

static lehr_status fail_selector(const reader *r, const char *pattern)
{
    lh_str names = {0};
    for (uint32_t i = 0; i < r->groups->tensor_count; i++)
        if (!r->groups->tensors[i].is_stat)
            lh_str_printf(&names, "%s%s", names.length ? ", " : "", r->groups->tensors[i].name);
    lehr_status st = lh_fail(r->ctx, LEHR_E_USAGE, "'%s' selects nothing; classes: bias, norm, weight; "
                             "parameters: %.3000s", pattern, lh_str_text(&names));
    lh_str_free(&names);
    return st;
}

static lehr_status take_selectors(reader *r, const lehr_model *model, uint32_t index)
{
    const char *rest = r->group->selector;
    lh_piece piece;
    lehr_status st = LEHR_OK;
    while (st == LEHR_OK && lh_text_cut(&rest, ',', &piece)) {
        char *pattern = lh_piece_copy(r->ctx, piece);
        bool any = false;
        if (!pattern) return LEHR_E_MEMORY;
        for (uint32_t i = 0; i < r->groups->tensor_count; i++) {
            if (!selects(pattern, model, &r->groups->tensors[i])) continue;
            r->groups->owner[i] = index;
            any = true;
        }
        if (!any) st = fail_selector(r, pattern);
        free(pattern);
    }
    return st;
}

/* ---- one group ---- */

static lehr_status read_group(reader *r, const lehr_model *model, lh_piece text, uint32_t index)
{
    lh_user_group *g = r->group = &r->groups->at[index];
    lh_piece piece;
    g->text = lh_piece_copy(r->ctx, text);
    g->values = lh_alloc(r->ctx, r->parameters->count + 1, sizeof *g->values);
    if (!g->text || !g->values) return LEHR_E_MEMORY;
    const char *rest = g->text;
    lh_text_cut(&rest, ':', &piece);
    g->selector = lh_piece_copy(r->ctx, piece);
    if (!g->selector) return LEHR_E_MEMORY;
    lehr_status st = LEHR_OK;
    if (!rest || !piece.length)
        st = lh_fail(r->ctx, LEHR_E_USAGE, "write 'SELECTOR: VALUES', such as 'bias,norm: lr*2'");
    if (st == LEHR_OK) st = take_selectors(r, model, index);
    while (st == LEHR_OK && lh_text_cut(&rest, ',', &piece)) st = take_value(r, piece);
    if (st != LEHR_OK) lh_fail_context(r->ctx, "group '%.300s': ", g->text);
    return st;
}

static lehr_status read_all(reader *r, const char *text, const lehr_model *model)
{
    lh_piece piece;
    lehr_status st = LEHR_OK;
    while (st == LEHR_OK && lh_text_cut(&text, ';', &piece)) {
        if (!piece.length && !text && r->groups->count) break; /* a separator at the end */
        if (r->groups->count == MOST_GROUPS)
            return lh_fail(r->ctx, LEHR_E_USAGE, "more than %d parameter groups", MOST_GROUPS);
        st = read_group(r, model, piece, r->groups->count++);
    }
    for (uint32_t i = 0; i < r->groups->tensor_count && st == LEHR_OK; i++)
        if (r->groups->owner[i] != MOST_GROUPS) r->groups->at[r->groups->owner[i]].tensors++;
    for (uint32_t k = 0; k < r->groups->count && st == LEHR_OK; k++)
        if (r->groups->at[k].tensors == 0)
            st = lh_fail(r->ctx, LEHR_E_USAGE, "group '%.300s' is left without a tensor: later groups "
                         "take all that it selects; leave it away or put it behind them",
                         r->groups->at[k].text);
    return st;
}

/* ---- the arena ---- */

/* Weight decay of a tensor is the group's own or, where it says nothing, that of its class. */
static bool splits(const lh_groups *g, const lh_parameters *p, uint32_t owner)
{
    int param = lh_parameters_find(p, "weight_decay");
    if (owner >= g->count || param < 0) return owner >= g->count;
    const lh_group_value *v = &g->at[owner].values[param + 1];
    return !v->given && !v->schedule;
}

static void add_arena_group(lh_groups *g, uint32_t owner, bool decays, const char *name)
{
    const lh_group_value *lr = owner < g->count ? &g->at[owner].values[LR] : NULL;
    double scale = lr && lr->given && lr->factor ? lr->number : 1;
    if (lr && lr->given && !lr->factor && lr->number == 0) scale = 0; /* frozen */
    g->arena_owner[g->arena_count] = owner;
    g->arena[g->arena_count++] = (lh_param_group){name, 0, 0, scale, decays ? 1 : 0};
}

/* Tensors without a group of the user's stay in the two groups that they are in without any. */
static void make_arena(lh_groups *g, const lh_parameters *p)
{
    for (uint32_t k = 0; k <= g->count; k++) {
        uint32_t owner = k == 0 ? g->count : k - 1;
        bool split = splits(g, p, owner);
        for (int decays = 1; decays >= (split ? 0 : 1); decays--) {
            uint32_t tensors = 0;
            for (uint32_t i = 0; i < g->tensor_count; i++) {
                bool mine = !g->tensors[i].is_stat && g->owner[i] == owner &&
                            (!split || lh_tensor_decays(&g->tensors[i]) == (decays == 1));
                if (mine) g->of[i] = g->arena_count;
                tensors += mine;
            }
            const char *name = decays ? "weights" : "bias_norm";
            if (tensors || k == 0)
                add_arena_group(g, owner, decays == 1, k == 0 ? name : g->at[owner].selector);
        }
    }
}

static lehr_status check_whole(const reader *r)
{
    lehr_status st = LEHR_OK;
    double *values = lh_alloc(r->ctx, r->parameters->count, sizeof *values);
    if (!values) return LEHR_E_MEMORY;
    for (uint32_t k = 0; k < r->groups->count && st == LEHR_OK; k++) {
        for (uint32_t i = 0; i < r->parameters->count; i++) {
            const lh_group_value *v = &r->groups->at[k].values[i + 1];
            double outside = r->parameters->values[i];
            values[i] = !v->given ? outside : v->factor ? outside * v->number : v->number;
        }
        st = lh_parameters_check(r->ctx, r->parameters, values);
        if (st != LEHR_OK) lh_fail_context(r->ctx, "group '%.300s': ", r->groups->at[k].text);
    }
    free(values);
    return st;
}

lehr_status lh_groups_read(lehr_context *ctx, lehr_registry *registry, const char *text,
                           const lehr_model *model, const lh_parameters *parameters, lh_groups *out)
{
    reader r = {.ctx = ctx, .registry = registry, .parameters = parameters, .groups = out};
    size_t limit = lh_model_tensor_limit(model);
    *out = (lh_groups){.number_count = parameters->count};
    out->at = lh_alloc(ctx, MOST_GROUPS, sizeof *out->at);
    out->tensors = lh_alloc(ctx, limit, sizeof *out->tensors);
    out->owner = lh_alloc(ctx, limit, sizeof *out->owner);
    out->of = lh_alloc(ctx, limit, sizeof *out->of);
    out->arena = lh_alloc(ctx, 2 * MOST_GROUPS + 2, sizeof *out->arena);
    out->arena_owner = lh_alloc(ctx, 2 * MOST_GROUPS + 2, sizeof *out->arena_owner);
    if (!out->at || !out->tensors || !out->owner || !out->of || !out->arena || !out->arena_owner)
        return LEHR_E_MEMORY;
    out->tensor_count = lh_model_tensors(model, out->tensors);
    for (uint32_t i = 0; i < out->tensor_count; i++) out->owner[i] = MOST_GROUPS;
    lehr_status st = text ? read_all(&r, text, model) : LEHR_OK;
    for (uint32_t i = 0; i < out->tensor_count; i++)
        if (out->owner[i] == MOST_GROUPS) out->owner[i] = out->count;
    if (st == LEHR_OK) st = check_whole(&r);
    if (st == LEHR_OK) make_arena(out, parameters);
    return st;
}

void lh_groups_free(lh_groups *g)
{
    for (uint32_t k = 0; k < g->count; k++) {
        lh_user_group *u = &g->at[k];
        for (uint32_t i = 0; u->values && i <= g->number_count; i++) free(u->values[i].schedule);
        free(u->text);
        free(u->selector);
        free(u->values);
    }
    free(g->at);
    free(g->tensors);
    free(g->owner);
    free(g->of);
    free(g->arena);
    free(g->arena_owner);
    *g = (lh_groups){0};
}

lh_grouping lh_groups_arena(const lh_groups *g)
{
    return (lh_grouping){.groups = g->arena, .count = g->arena_count, .of = g->of};
}

const lh_group_value *lh_groups_value(const lh_groups *g, uint32_t arena, uint32_t number)
{
    uint32_t owner = g->arena_owner[arena];
    return owner < g->count ? &g->at[owner].values[number] : NULL;
}
