/* SPDX-License-Identifier: MIT
 *
 * An optimizer spec becomes a rule with values: parsed, bound to the plugin's table, checked. */
#include "core/plugin/rule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- values ---- */

/* decay_given: the spec itself names weight_decay (a preset's does not count). */
static lehr_status read_spec(lehr_context *ctx, lehr_registry *registry, const char *spec,
                             lh_rule *out, bool *decay_given)
{
    lh_cursor in = {.ctx = ctx, .what = "optimizer", .text = spec};
    lh_call call = {.count = 0};
    if (strlen(spec) >= LH_SPEC_MAX)
        return lh_fail(ctx, LEHR_E_USAGE, "optimizer: the text is too long");
    lehr_status st = lh_read_call(&in, &call);
    lh_skip_space(&in);
    if (st == LEHR_OK && spec[in.at])
        st = lh_spec_fail(&in, LEHR_E_USAGE, in.at, "'%c' where the end is wanted", spec[in.at]);
    if (st == LEHR_OK) {
        st = lh_registry_optimizer(registry, ctx, call.name, &out->d);
        if (st != LEHR_OK) lh_fail_context(ctx, "optimizer '%.200s': ", spec);
    }
    if (st == LEHR_OK) {
        out->table = (lh_table){.kind = "optimizer", .name = out->d->name, .params = out->d->params,
                                .presets = out->d->presets};
        st = lh_bind(&in, &out->table, &call, &out->binding);
        out->lr = call.prefix[0] ? out->binding.lr : out->d->lr;
    }
    for (uint32_t i = 0; i < call.count; i++)
        if (strcmp(call.args[i].name, "weight_decay") == 0) *decay_given = true;
    lh_call_free(&call);
    return st;
}

static lehr_status set_weight_decay(lehr_context *ctx, const char *spec, double value, bool in_spec,
                                    lh_rule *rule)
{
    lh_cursor in = {.ctx = ctx, .what = "optimizer", .text = spec};
    if (isnan(value)) return LEHR_OK;
    if (rule->weight_decay < 0)
        return value == 0 ? LEHR_OK
                          : lh_fail(ctx, LEHR_E_USAGE,
                                    "optimizer %s has no weight decay: leave out "
                                    "--weight-decay",
                                    rule->d->name);
    double *mine = &rule->binding.p[rule->weight_decay];
    if (in_spec && *mine != value)
        return lh_fail(ctx, LEHR_E_USAGE,
                       "optimizer '%s' and --weight-decay %g disagree: give the weight decay once",
                       spec, value);
    *mine = value;
    return lh_param_check(&in, &rule->table, &lh_params(&rule->table.params)[rule->weight_decay],
                          value, 0);
}

static lehr_status ask_check(lehr_context *ctx, const char *spec, lh_host *host,
                             const lh_rule *rule)
{
    fenv_t env;
    if (!rule->d->check) return LEHR_OK;
    lh_guard_begin(host, &env);
    lehr_status st = rule->d->check(&host->api, rule->binding.p);
    lh_guard_end(&env);
    if (st == LEHR_OK) return st;
    return lh_fail(ctx, st, "optimizer '%s': %s", spec,
                   host->message[0] ? host->message : lehr_status_text(st));
}

lehr_status lh_rule_open(lehr_context *ctx, lehr_registry *registry, const char *spec,
                         double weight_decay, lh_host *host, lh_rule *out)
{
    *out = (lh_rule){.weight_decay = -1};
    bool in_spec = false;
    lehr_status st = read_spec(ctx, registry, spec, out, &in_spec);
    if (st != LEHR_OK) return st;
    for (uint32_t i = 0; i < out->d->params.count; i++)
        if (strcmp(lh_params(&out->d->params)[i].name, "weight_decay") == 0)
            out->weight_decay = (int)i;
    st = set_weight_decay(ctx, spec, weight_decay, in_spec, out);
    if (st == LEHR_OK) st = ask_check(ctx, spec, host, out);
    if (st == LEHR_OK) st = lh_rule_plan(ctx, out);
    if (st != LEHR_OK) lh_rule_close(out);
    return st;
}

void lh_rule_close(lh_rule *rule)
{
    lh_binding_free(&rule->binding);
    free(rule->stages);
    free(rule->reductions);
    free(rule->uses);
    rule->stages = NULL;
    rule->reductions = NULL;
    rule->uses = NULL;
}

static double param_value(const lh_rule *rule, const char *name)
{
    const lehr_param *params = lh_params(&rule->d->params);
    for (uint32_t i = 0; i < rule->d->params.count; i++)
        if (strcmp(params[i].name, name) == 0) return rule->binding.p[i];
    return 0;
}

bool lh_rule_has_slot(const lh_rule *rule, uint32_t slot)
{
    const lehr_slot *s = (const lehr_slot *)rule->d->slots.at + slot;
    return !s->when || param_value(rule, s->when) != 0;
}

double lh_rule_slot_init(const lh_rule *rule, uint32_t slot)
{
    const lehr_slot *s = (const lehr_slot *)rule->d->slots.at + slot;
    return s->init_from ? param_value(rule, s->init_from) : s->init;
}

bool lh_rule_is_argument(const lehr_param *p)
{
    bool choice = p->kind == LEHR_BOOL || p->kind == LEHR_CHOICE;
    return !choice || (p->flags & LEHR_P_SCHEDULABLE);
}

lehr_status lehr_optimizer_resolve(lehr_context *ctx, lehr_registry *registry, const char *spec,
                                   double weight_decay, char **text, double *lr)
{
    lh_host host;
    lh_rule rule;
    lh_enter(ctx);
    lh_host_init(&host, ctx);
    if (text) *text = NULL;
    lehr_status st = lh_rule_open(ctx, registry, spec, weight_decay, &host, &rule);
    if (st != LEHR_OK) return st;
    lh_str out = {0};
    lh_binding_text(&rule.table, &rule.binding, &out);
    if (out.failed) st = lh_fail(ctx, LEHR_E_MEMORY, "out of memory");
    if (lr) *lr = rule.lr;
    if (text && st == LEHR_OK)
        *text = out.text;
    else
        lh_str_free(&out);
    lh_rule_close(&rule);
    return st;
}
