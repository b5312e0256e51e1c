/* SPDX-License-Identifier: MIT
 *
 * An optimizer spec becomes a rule with values; a rule becomes a program.
 *
 * The pass is the body of a function of its own, so that its names cannot meet the loop's; it works
 * on one weight.  On CPUs that function is inlined into a plain loop over contiguous memory, which
 * compilers vectorise; elsewhere each work-item calls it once. */
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

static lehr_status refuse_unsupported(lehr_context *ctx, const lehr_optimizer *d)
{
    const lehr_pass *passes = d->passes.at;
    const lehr_slot *slots = d->slots.at;
    const char *what = NULL;
    if (d->passes.count != 1) what = "more than one pass";
    if (d->passes.count == 1 && passes[0].reduces.count) what = "reductions";
    if (d->enter_eval || d->leave_eval) what = "weights that differ in evaluation";
    if (d->flags & LEHR_O_CUSTOM) what = "lehr.custom/1";
    if (d->flags & LEHR_O_NEEDS_LOSS) what = "the loss";
    for (uint32_t i = 0; i < d->slots.count; i++)
        if (slots[i].kind == LEHR_SLOT_SCRATCH) what = "scratch slots";
    if (!what) return LEHR_OK;
    return lh_fail(ctx, LEHR_E_UNSUPPORTED,
                   "optimizer %s needs %s, which lehr %s does not run: use another optimizer",
                   d->name, what, lehr_version());
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
    st = refuse_unsupported(ctx, out->d);
    if (st == LEHR_OK) st = set_weight_decay(ctx, spec, weight_decay, in_spec, out);
    if (st == LEHR_OK) st = ask_check(ctx, spec, host, out);
    if (st != LEHR_OK) lh_rule_close(out);
    return st;
}

void lh_rule_close(lh_rule *rule) { lh_binding_free(&rule->binding); }

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

/* ---- source ---- */

typedef enum use { USE_DECLARE, USE_PASS } use;

/* lr, parameters and scalars: as a parameter list or as the arguments of a call. */
static void add_numbers(const lh_rule *rule, use how, lh_str *out)
{
    const lehr_param *params = lh_params(&rule->d->params);
    const char *const *scalars = rule->d->scalars.at;
    const char *type = how == USE_DECLARE ? "const real " : "";
    lh_str_printf(out, "%slr", type);
    for (uint32_t i = 0; i < rule->d->params.count; i++)
        if (lh_rule_is_argument(&params[i])) lh_str_printf(out, ", %s%s", type, params[i].name);
    for (uint32_t i = 0; i < rule->d->scalars.count; i++)
        lh_str_printf(out, ", %s%s", type, scalars[i]);
}

/* before, name, between, name, after for each slot that exists; between NULL: the name once. */
static void add_slots(const lh_rule *rule, const char *before, const char *between,
                      const char *after, lh_str *out)
{
    const lehr_slot *slots = rule->d->slots.at;
    for (uint32_t i = 0; i < rule->d->slots.count; i++) {
        if (!lh_rule_has_slot(rule, i)) continue;
        lh_str_printf(out, "%s%s", before, slots[i].name);
        if (between) lh_str_printf(out, "%s%s", between, slots[i].name);
        lh_str_add(out, after);
    }
}

static void add_constants(const lh_rule *rule, lh_str *out)
{
    const lehr_param *params = lh_params(&rule->d->params);
    char number[40];
    for (uint32_t i = 0; i < rule->d->params.count; i++) {
        if (lh_rule_is_argument(&params[i])) continue;
        lh_format_double(rule->binding.p[i], number, sizeof number);
        lh_str_printf(out, "    const real %s = (real)%s;\n", params[i].name, number);
    }
    for (uint32_t i = 0; i < rule->d->slots.count; i++) {
        if (lh_rule_has_slot(rule, i)) continue;
        lh_format_double(lh_rule_slot_init(rule, i), number, sizeof number);
        lh_str_printf(out, "    real %s = (real)%s; /* no memory with these values */\n",
                      ((const lehr_slot *)rule->d->slots.at)[i].name, number);
    }
}

static void add_rule(const lh_rule *rule, lh_str *out)
{
    const lehr_pass *pass = rule->d->passes.at;
    lh_str_add(out, "void lh_rule(real *lh_weight, const real g, ");
    add_numbers(rule, USE_DECLARE, out);
    add_slots(rule, ", real *lh_", NULL, "", out);
    lh_str_add(out, ")\n{\n    real w = *lh_weight;\n");
    add_constants(rule, out);
    add_slots(rule, "    real ", " = *lh_", ";\n", out);
    lh_str_printf(out, "    do {\n#line 1 \"optimizer %s, pass 1\"\n%s\n", rule->d->name,
                  pass->code);
    lh_str_add(out, "#line 1 \"update\"\n    } while (0);\n");
    add_slots(rule, "    *lh_", " = ", ";\n", out);
    lh_str_add(out, "    *lh_weight = w;\n}\n\n");
}

/* One weight: memory to variables, the rule, and back. */
static void add_element(const lh_rule *rule, lh_str *out)
{
    lh_str_add(out, "    real lh_weight = lh_weights[lh_i];\n");
    add_slots(rule, "    real lh_", " = lh_all_", "[lh_i];\n", out);
    lh_str_add(out, "    lh_rule(&lh_weight, lh_gradients[lh_i] * lh_scale, ");
    add_numbers(rule, USE_PASS, out);
    add_slots(rule, ", &lh_", NULL, "", out);
    lh_str_add(out, ");\n    lh_weights[lh_i] = lh_weight;\n");
    add_slots(rule, "    lh_all_", "[lh_i] = lh_", ";\n", out);
}

static void add_kernel(const lh_rule *rule, size_t local, lh_str *out)
{
    lh_str_printf(out, "__kernel __attribute__((reqd_work_group_size(%zu, 1, 1)))\n",
                  local ? local : 1);
    lh_str_add(out, "void lh_update(__global real *restrict lh_weights,\n"
                    "    __global const real *restrict lh_gradients");
    add_slots(rule, ",\n    __global real *restrict lh_all_", NULL, "", out);
    lh_str_add(out, ",\n    __global const real *restrict lh_control, const ulong lh_first,\n"
                    "    const ulong lh_count, const ulong lh_chunk, ");
    add_numbers(rule, USE_DECLARE, out);
    lh_str_add(out, ")\n{\n    if (lh_control[1] != 0) return; /* halted */\n"
                    "    const real lh_scale = lh_control[0];\n");
    if (local) {
        lh_str_add(out, "    if (get_global_id(0) >= lh_count) return;\n"
                        "    const size_t lh_i = lh_first + get_global_id(0);\n");
        add_element(rule, out);
        lh_str_add(out, "}\n");
        return;
    }
    lh_str_add(out, "    const ulong lh_from = get_group_id(0) * lh_chunk;\n"
                    "    if (lh_from >= lh_count) return;\n"
                    "    const int lh_n = (int)min(lh_chunk, lh_count - lh_from);\n"
                    "    lh_weights += lh_first + lh_from;\n"
                    "    lh_gradients += lh_first + lh_from;\n");
    add_slots(rule, "    lh_all_", NULL, " += lh_first + lh_from;\n", out);
    lh_str_add(out, "    for (int lh_i = 0; lh_i < lh_n; lh_i++) {\n");
    add_element(rule, out);
    lh_str_add(out, "    }\n}\n");
}

void lh_rule_source(const lh_rule *rule, size_t local, lh_str *out)
{
    lh_str_printf(out,
                  "/* optimizer %s */\n#pragma OPENCL FP_CONTRACT OFF\ntypedef float real;\n\n",
                  rule->d->name);
    if (rule->d->preamble)
        lh_str_printf(out, "#line 1 \"optimizer %s, preamble\"\n%s\n#line 1 \"update\"\n",
                      rule->d->name, rule->d->preamble);
    add_rule(rule, out);
    add_kernel(rule, local, out);
}
