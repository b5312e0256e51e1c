/* SPDX-License-Identifier: MIT
 *
 * Reading "warmup(1ep) * cosine(); momentum: linear(end=0.85)", and setting the values. */
#include "core/train/tuning.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/train/target.h"

enum { PROBES = 1000 }; /* updates whose values are checked before the first */

/* ---- targets ---- */

/* Names that can be scheduled beside the optimizer's parameters. */
static const struct {
    const char *name;
    lh_tuned_kind kind;
} fixed_targets[] = {{"lr", LH_TUNED_LR},
                     {"label_smoothing", LH_TUNED_SMOOTHING},
                     {"dropout", LH_TUNED_DROPOUT},
                     {"batch", LH_TUNED_BATCH}};

static lehr_status fail_target(const lh_tuning *t, const char *name)
{
    const lh_parameters *p = &t->parameters;
    const char **known = lh_alloc(t->ctx, LH_COUNT(fixed_targets) + p->count, sizeof *known);
    size_t count = 0;
    lh_str text = {0};
    if (!known) return LEHR_E_MEMORY;
    known[count++] = fixed_targets[0].name;
    for (uint32_t i = 0; i < p->count; i++)
        if (lh_parameters_may_change(p, (int)i)) known[count++] = p->table[i].name;
    for (size_t i = 1; i < LH_COUNT(fixed_targets); i++) known[count++] = fixed_targets[i].name;
    lh_str_suggest(&text, name, known, count);
    lehr_status st = lh_fail(t->ctx, LEHR_E_USAGE, "'%s' cannot be scheduled with optimizer %s%s", name,
                             p->d->name, lh_str_text(&text));
    lh_str_free(&text);
    free(known);
    return st;
}

/* ---- items ---- */

static lh_tuned *find_item(const lh_tuning *t, lh_tuned_kind kind, int param, int group)
{
    for (uint32_t i = 0; i < t->count; i++)
        if (t->items[i].kind == kind && t->items[i].param == param && t->items[i].group == group)
            return &t->items[i];
    return NULL;
}

static const char *item_name(const lh_tuning *t, lh_tuned_kind kind, int param)
{
    if (kind == LH_TUNED_PARAM) return t->parameters.table[param].name;
    size_t i = 0;
    while (fixed_targets[i].kind != kind) i++;
    return fixed_targets[i].name;
}

static lehr_status add_item(lh_tuning *t, lh_tuned_kind kind, int param, int group, double base,
                            const char *spec)
{
    if (find_item(t, kind, param, group))
        return lh_fail(t->ctx, LEHR_E_USAGE, "%s has two schedules: join them with * or +",
                       item_name(t, kind, param));
    if (t->count == t->capacity) {
        uint32_t capacity = t->capacity ? 2 * t->capacity : 8;
        lh_tuned *items = realloc(t->items, capacity * sizeof *items);
        if (!items) return lh_fail(t->ctx, LEHR_E_MEMORY, "out of memory");
        t->items = items;
        t->capacity = capacity;
    }
    lh_tuned *item = &t->items[t->count++];
    *item = (lh_tuned){.kind = kind, .param = param, .group = group, .base = base,
                       .value = base, .spec = lh_strdup(t->ctx, spec)};
    if (group < 0)
        snprintf(item->key, sizeof item->key, "%s", item_name(t, kind, param));
    else
        snprintf(item->key, sizeof item->key, "group%d.%s", group + 1, item_name(t, kind, param));
    return item->spec ? LEHR_OK : LEHR_E_MEMORY;
}

static double base_of(const lh_tuning *t, const lehr_train_params *p, const lehr_model *model,
                      lh_tuned_kind kind, int param)
{
    switch (kind) {
    case LH_TUNED_LR: return isnan(p->lr) ? t->parameters.lr : p->lr;
    case LH_TUNED_PARAM: return t->parameters.values[param];
    case LH_TUNED_SMOOTHING: return p->label_smoothing;
    case LH_TUNED_DROPOUT: return lh_model_dropout(model);
    case LH_TUNED_BATCH: return p->batch;
    }
    return 0;
}

/* A schedule starts from a value of its own: of 0 nothing can be made. */
static lehr_status check_base(const lh_tuning *t, const lehr_train_params *p, lh_tuned_kind kind,
                              int param, double base)
{
    const char *name = item_name(t, kind, param), *optimizer = t->parameters.d->name;
    if (kind == LH_TUNED_SMOOTHING && strcmp(p->loss, "cross_entropy") != 0)
        return lh_fail(t->ctx, LEHR_E_USAGE, "label_smoothing is scheduled, but belongs to --loss "
                       "cross_entropy, not to %s", p->loss);
    if (base > 0) return LEHR_OK;
    if (kind == LH_TUNED_DROPOUT)
        return lh_fail(t->ctx, LEHR_E_USAGE, "dropout is scheduled, but the model has no dropout layer "
                       "with a rate above 0");
    if (kind == LH_TUNED_SMOOTHING)
        return lh_fail(t->ctx, LEHR_E_USAGE, "label_smoothing is scheduled, but its base value is 0; give "
                       "one: --label-smoothing 0.1");
    if (strcmp(name, "weight_decay") == 0)
        return lh_fail(t->ctx, LEHR_E_USAGE, "weight_decay is scheduled, but its base value is 0; give "
                       "one: --weight-decay 5e-4");
    return lh_fail(t->ctx, LEHR_E_USAGE, "%s is scheduled, but its base value is %g; give one above 0: "
                   "%s(%s=0.9)", name, base, optimizer, name);
}

static lehr_status add_run_item(lh_tuning *t, lehr_registry *registry, const lehr_train_params *p,
                                const lehr_model *model, const char *text)
{
    lh_tuned_kind kind = LH_TUNED_LR;
    char word[LH_TARGET_SIZE];
    const char *rest = NULL;
    int param = -1;
    lh_target_read(t->ctx, registry, &t->parameters, text, word, &rest);
    size_t i = 0;
    while (i < LH_COUNT(fixed_targets) && strcmp(fixed_targets[i].name, word) != 0) i++;
    if (i < LH_COUNT(fixed_targets)) {
        kind = fixed_targets[i].kind;
    } else if (*word) {
        kind = LH_TUNED_PARAM;
        param = lh_parameters_find(&t->parameters, word);
        if (param < 0 || !lh_parameters_may_change(&t->parameters, param))
            return fail_target(t, word);
    }
    double base = base_of(t, p, model, kind, param);
    if (kind == LH_TUNED_LR) { /* it is there already, without a schedule of its own */
        if (t->items[0].spec)
            return lh_fail(t->ctx, LEHR_E_USAGE, "lr has two schedules: join them with * or +");
        t->items[0].spec = lh_strdup(t->ctx, rest);
        return t->items[0].spec ? LEHR_OK : LEHR_E_MEMORY;
    }
    lehr_status st = check_base(t, p, kind, param, base);
    return st == LEHR_OK ? add_item(t, kind, param, -1, base, rest) : st;
}

static lehr_status read_schedules(lh_tuning *t, lehr_registry *registry, const lehr_train_params *p,
                                  const lehr_model *model, double lr)
{
    const char *rest = p->schedule;
    lh_piece piece;
    lehr_status st = add_item(t, LH_TUNED_LR, -1, -1, lr, "");
    if (st != LEHR_OK) return st;
    free(t->items[0].spec);
    t->items[0].spec = NULL;
    while (st == LEHR_OK && lh_text_cut(&rest, ';', &piece)) {
        if (!piece.length && !rest && piece.at != p->schedule) break; /* a separator at the end */
        char *text = lh_piece_copy(t->ctx, piece);
        st = text ? add_run_item(t, registry, p, model, text) : LEHR_E_MEMORY;
        free(text);
    }
    if (st != LEHR_OK || t->items[0].spec) return st;
    t->items[0].spec = lh_strdup(t->ctx, "constant()");
    return t->items[0].spec ? LEHR_OK : LEHR_E_MEMORY;
}

/* ---- items of groups ---- */

/* A learning rate of its own follows the run's schedule from there, as in PyTorch: absolute ends are
 * the same for all groups.  A factor multiplies what the schedule gives. */
static lehr_status add_group_items(lh_tuning *t, int k, double lr)
{
    lehr_status st = LEHR_OK;
    for (uint32_t n = 0; n <= t->parameters.count && st == LEHR_OK; n++) {
        const lh_group_value *v = &t->groups.at[k].values[n];
        bool own_lr = n == 0 && v->given && !v->factor && v->number > 0;
        double outside = n == 0 ? lr : t->parameters.values[n - 1];
        double base = !v->given ? outside : v->factor ? outside * v->number : v->number;
        if (!v->schedule && !own_lr) continue;
        if (!(base > 0))
            st = lh_fail(t->ctx, LEHR_E_USAGE, "%s is scheduled, but its base value is %g; give one above "
                         "0, such as %s=0.1", n == 0 ? "lr" : t->parameters.table[n - 1].name, base,
                         n == 0 ? "lr" : t->parameters.table[n - 1].name);
        else
            st = add_item(t, n == 0 ? LH_TUNED_LR : LH_TUNED_PARAM, (int)n - 1, k, base,
                          v->schedule ? v->schedule : t->items[0].spec);
    }
    if (st != LEHR_OK) lh_fail_context(t->ctx, "group '%.300s': ", t->groups.at[k].text);
    return st;
}

/* ---- schedulers ---- */

static lehr_status out_of_range(const lh_tuning *t, const lh_tuned *item, double value,
                                const char *range, uint64_t step)
{
    return lh_fail(t->ctx, LEHR_E_PARAM, "the schedule of %s gives %g for update %llu, outside %s",
                   item->key, value, (unsigned long long)step, range);
}

/* Groups that multiply the run's value by a factor. */
static lehr_status check_factors(const lh_tuning *t, const lh_tuned *item, double value,
                                 uint64_t step)
{
    char range[96];
    for (uint32_t k = 0; k < t->groups.count && item->group < 0; k++) {
        const lh_group_value *v = &t->groups.at[k].values[item->param + 1];
        if (!v->given || !v->factor || v->schedule ||
            lh_parameters_in_range(&t->parameters, item->param, value * v->number, range,
                                   sizeof range))
            continue;
        return lh_fail(t->ctx, LEHR_E_PARAM, "the schedule of %s gives %g for update %llu in group "
                       "'%.200s', outside %s", item->key, value * v->number,
                       (unsigned long long)step, t->groups.at[k].text, range);
    }
    return LEHR_OK;
}

static lehr_status check_value(const lh_tuning *t, const lh_tuned *item, double value, uint64_t step)
{
    char range[96] = "[0, 1)";
    bool inside = true;
    if (item->kind == LH_TUNED_PARAM)
        inside = lh_parameters_in_range(&t->parameters, item->param, value, range, sizeof range);
    if (item->kind == LH_TUNED_PARAM && inside) return check_factors(t, item, value, step);
    if (item->kind == LH_TUNED_SMOOTHING || item->kind == LH_TUNED_DROPOUT)
        inside = value >= 0 && value < 1;
    return inside ? LEHR_OK : out_of_range(t, item, value, range, step);
}

/* Values that no training could use are told before it begins; every update is checked again. */
static lehr_status probe(const lh_tuning *t, const lh_tuned *item)
{
    uint64_t total = t->clock.steps_per_epoch * t->clock.epochs;
    uint64_t count = total < PROBES ? total : PROBES;
    lehr_status st = LEHR_OK;
    if (item->kind == LH_TUNED_LR || item->kind == LH_TUNED_BATCH) return st;
    for (uint64_t i = 0; i < count && st == LEHR_OK; i++) {
        uint64_t step = count > 1 ? i * ((total - 1) / (count - 1)) : 0;
        double value = 0;
        if (i + 1 == count) step = total - 1;
        st = lehr_scheduler_value(item->scheduler, step, &value);
        if (st == LEHR_OK) st = check_value(t, item, value, step);
    }
    return st;
}

static lehr_status start_item(lh_tuning *t, lehr_registry *registry, uint64_t seed, lh_tuned *item)
{
    lehr_budget budget = lh_clock_budget(&t->clock, item->base, seed);
    budget.tables = t->tables;
    lehr_status st =
        lehr_scheduler_create(t->ctx, registry, item->spec, &budget, &item->scheduler);
    if (st != LEHR_OK && item != t->items) lh_fail_context(t->ctx, "%s: ", item->key);
    if (st != LEHR_OK || item->kind != LH_TUNED_BATCH) return st == LEHR_OK ? probe(t, item) : st;
    const char *metric = lehr_scheduler_metric(item->scheduler, 0);
    if (metric)
        return lh_fail(t->ctx, LEHR_E_USAGE, "the schedule of the batch waits for %s, but the number of "
                       "updates must be known before the first", metric);
    return lh_clock_schedule(&t->clock, item->scheduler);
}

static lehr_status start_items(lh_tuning *t, lehr_registry *registry, uint64_t seed)
{
    lehr_status st = LEHR_OK;
    for (uint32_t i = 0; i < t->count && st == LEHR_OK; i++) {
        lh_tuned *item = &t->items[i];
        st = start_item(t, registry, seed, item);
        if (st != LEHR_OK) break;
        if (i) lh_str_printf(&t->text, "; %s: ", item->key);
        lh_str_add(&t->text, lehr_scheduler_text(item->scheduler));
    }
    return st == LEHR_OK && t->text.failed ? lh_fail(t->ctx, LEHR_E_MEMORY, "out of memory") : st;
}

lehr_status lh_tuning_save_tables(const lh_tuning *t, const char *directory)
{
    lehr_status st = LEHR_OK;
    for (uint32_t i = 0; i < t->count && st == LEHR_OK; i++)
        st = lehr_scheduler_save_tables(t->items[i].scheduler, directory);
    return st;
}

static lehr_status fail_no_lr(const lh_tuning *t, const lehr_train_params *p, double lr)
{
    if (isnan(p->lr))
        return lh_fail(t->ctx, LEHR_E_USAGE, "optimizer '%s' has no learning rate of its own; give one "
                       "with --lr", p->optimizer);
    return lh_fail(t->ctx, LEHR_E_PARAM, "the learning rate is %g; it must be a positive number, e.g. "
                   "0.1", lr);
}

lehr_status lh_tuning_create(lehr_context *ctx, lehr_registry *registry, const lehr_model *model,
                             const lehr_train_params *p, uint64_t images, lh_tuning *t)
{
    *t = (lh_tuning){.ctx = ctx, .tables = p->resume};
    t->clock = lh_clock_make(ctx, images, p->epochs, p->batch, p->accumulate);
    lehr_status st = lh_parameters_read(ctx, registry, p->optimizer, p->weight_decay, &t->parameters);
    if (st != LEHR_OK) return st;
    double lr = base_of(t, p, model, LH_TUNED_LR, -1);
    if (!(lr > 0)) return fail_no_lr(t, p, lr);
    st = lh_groups_read(ctx, registry, p->group, model, &t->parameters, &t->groups);
    if (st == LEHR_OK) st = read_schedules(t, registry, p, model, lr);
    for (uint32_t k = 0; k < t->groups.count && st == LEHR_OK; k++)
        st = add_group_items(t, (int)k, lr);
    return st == LEHR_OK ? start_items(t, registry, p->seed) : st;
}

void lh_tuning_free(lh_tuning *t)
{
    for (uint32_t i = 0; i < t->count; i++) {
        lehr_scheduler_destroy(&t->items[i].scheduler);
        free(t->items[i].spec);
    }
    free(t->items);
    lh_groups_free(&t->groups);
    lh_parameters_free(&t->parameters);
    lh_clock_free(&t->clock);
    lh_str_free(&t->text);
    *t = (lh_tuning){0};
}

/* ---- setting ---- */

void lh_tuning_start(const lh_tuning *t, lh_updater *updater)
{
    for (uint32_t a = 0; a < t->groups.arena_count; a++)
        for (uint32_t i = 0; i < t->parameters.count; i++) {
            const lh_group_value *v = lh_groups_value(&t->groups, a, i + 1);
            if (!v || !v->given) continue;
            double outside = t->parameters.values[i];
            lh_updater_set_param(updater, a, i, v->factor ? outside * v->number : v->number);
        }
}

/* Into the groups of the arena that take it: the run's value goes to those that say nothing else. */
static void set_param(const lh_tuning *t, const lh_tuned *item, lh_updater *updater)
{
    bool decay = strcmp(t->parameters.table[item->param].name, "weight_decay") == 0;
    for (uint32_t a = 0; a < t->groups.arena_count; a++) {
        const lh_group_value *v = lh_groups_value(&t->groups, a, (uint32_t)item->param + 1);
        bool mine = (int)t->groups.arena_owner[a] == item->group;
        double factor = v && v->given && v->factor ? v->number : 1;
        if (decay && !mine) factor *= t->groups.arena[a].weight_decay_scale;
        bool follows = item->group < 0 && !(v && (v->schedule || (v->given && !v->factor)));
        if (mine)
            lh_updater_set_param(updater, a, (uint32_t)item->param, item->value);
        else if (follows)
            lh_updater_set_param(updater, a, (uint32_t)item->param, item->value * factor);
    }
}

static void set_group_lr(const lh_tuning *t, const lh_tuned *item, lh_updater *updater)
{
    for (uint32_t a = 0; a < t->groups.arena_count; a++)
        if ((int)t->groups.arena_owner[a] == item->group)
            lh_updater_set_lr(updater, a, item->value, item->base);
}

lehr_status lh_tuning_set(lh_tuning *t, const lh_place *place, lh_updater *updater, lh_network *net)
{
    for (uint32_t i = 0; i < t->count; i++) {
        lh_tuned *item = &t->items[i];
        double value = 0;
        lehr_status st = lehr_scheduler_value(item->scheduler, place->step, &value);
        if (st == LEHR_OK) st = check_value(t, item, value, place->step);
        if (st != LEHR_OK) return st;
        item->value = item->kind == LH_TUNED_BATCH ? floor(value + 0.5) : value;
        if (item->kind == LH_TUNED_PARAM && updater) set_param(t, item, updater);
        if (item->kind == LH_TUNED_LR && item->group >= 0 && updater)
            set_group_lr(t, item, updater);
        if (item->kind == LH_TUNED_DROPOUT && net) lh_network_set_dropout(net, value);
    }
    return LEHR_OK;
}

double lh_tuning_lr(const lh_tuning *t) { return t->items[0].value; }

double lh_tuning_smoothing(const lh_tuning *t, double fixed)
{
    const lh_tuned *item = find_item(t, LH_TUNED_SMOOTHING, -1, -1);
    return item ? item->value : fixed;
}

/* ---- metric-driven parts ---- */

const char *lh_tuning_metric(const lh_tuning *t, uint32_t i)
{
    const char *name = NULL;
    for (uint32_t k = 0; k < t->count; k++)
        for (uint32_t m = 0; (name = lehr_scheduler_metric(t->items[k].scheduler, m)); m++)
            if (i-- == 0) return name;
    return NULL;
}

lehr_status lh_tuning_observe(lh_tuning *t, uint64_t step, const char *metric, int32_t better,
                              double value)
{
    lehr_status st = LEHR_OK;
    for (uint32_t i = 0; i < t->count && st == LEHR_OK; i++)
        st = lehr_scheduler_observe(t->items[i].scheduler, step, metric, better, value);
    return st;
}

uint32_t lh_tuning_state_count(const lh_tuning *t)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < t->count; i++) count += lehr_scheduler_state_count(t->items[i].scheduler);
    return count;
}

void lh_tuning_get_state(const lh_tuning *t, double *out)
{
    for (uint32_t i = 0; i < t->count; i++) {
        lehr_scheduler_get_state(t->items[i].scheduler, out);
        out += lehr_scheduler_state_count(t->items[i].scheduler);
    }
}

void lh_tuning_set_state(lh_tuning *t, const double *in)
{
    for (uint32_t i = 0; i < t->count; i++) {
        lehr_scheduler_set_state(t->items[i].scheduler, in);
        in += lehr_scheduler_state_count(t->items[i].scheduler);
    }
}

const lh_keeper *lh_tuning_keeper(const lh_tuning *t, uint32_t i)
{
    for (uint32_t k = 0; k < t->count; k++)
        for (uint32_t part = 0; lh_scheduler_keeper(t->items[k].scheduler, part); part++)
            if (i-- == 0) return lh_scheduler_keeper(t->items[k].scheduler, part);
    return NULL;
}
