/* SPDX-License-Identifier: MIT
 *
 * How the passes of a rule become launches.  Passes without a reduction between them run in one
 * launch; a pass that needs numbers of each tensor runs over the table of chunks, all others over a
 * plain range; a stage loads and stores only what its code names. */
#include "core/plugin/rule.h"

#include <stdlib.h>
#include <string.h>

static const lehr_pass *pass_at(const lh_rule *rule, uint32_t pass)
{
    return (const lehr_pass *)rule->d->passes.at + pass;
}

const char *lh_rule_code(const lh_rule *rule, uint32_t pass)
{
    uint32_t passes = rule->d->passes.count;
    if (pass < passes) return pass_at(rule, pass)->code;
    return pass == passes ? rule->d->enter_eval : rule->d->leave_eval;
}

unsigned lh_rule_uses(const lh_rule *rule, uint32_t pass, const char *name)
{
    const char *code = lh_rule_code(rule, pass);
    unsigned uses = code ? lh_code_uses(code, name) : 0;
    for (uint32_t i = 0; i < rule->reduction_count; i++)
        if (rule->reductions[i].pass == pass)
            uses |= lh_code_uses(rule->reductions[i].d->expr, name) & LH_READS;
    return uses;
}

bool lh_rule_names_scalar(const lh_rule *rule, uint32_t pass)
{
    const char *const *scalars = rule->d->scalars.at;
    for (uint32_t i = 0; i < rule->d->scalars.count; i++)
        if (lh_rule_uses(rule, pass, scalars[i])) return true;
    return false;
}

static lehr_status collect_reductions(lehr_context *ctx, lh_rule *rule)
{
    uint32_t count = 0;
    for (uint32_t p = 0; p < rule->d->passes.count; p++)
        count += pass_at(rule, p)->reduces.count;
    rule->reductions = lh_alloc(ctx, count, sizeof *rule->reductions);
    if (!rule->reductions) return LEHR_E_MEMORY;
    for (uint32_t p = 0; p < rule->d->passes.count; p++) {
        const lehr_span *span = &pass_at(rule, p)->reduces;
        for (uint32_t i = 0; i < span->count; i++) {
            lh_reduction *r = &rule->reductions[rule->reduction_count++];
            *r = (lh_reduction){.d = (const lehr_reduce *)span->at + i, .pass = p, .column = i};
            if (r->d->scope == LEHR_OVER_ALL_TO_HOST) r->host = rule->host_count++;
        }
    }
    return LEHR_OK;
}

static bool names_a_tensors_value(const lh_rule *rule, uint32_t pass)
{
    for (uint32_t i = 0; i < rule->reduction_count; i++) {
        const lehr_reduce *d = rule->reductions[i].d;
        if (rule->reductions[i].pass < pass && d->scope == LEHR_PER_TENSOR &&
            lh_rule_uses(rule, pass, d->name))
            return true;
    }
    return false;
}

static void cut_into_stages(lh_rule *rule)
{
    uint32_t reduction = 0, passes = rule->d->passes.count;
    for (uint32_t p = 0; p < passes;) {
        lh_stage *s = &rule->stages[rule->stage_count];
        s->first = p;
        s->reduce_first = reduction;
        s->chunked = (rule->d->flags & LEHR_O_CUSTOM) != 0; /* not every tensor is there */
        while (p < passes) {
            s->chunked = s->chunked || names_a_tensors_value(rule, p);
            s->reduce_count = pass_at(rule, p++)->reduces.count;
            if (s->reduce_count) break;
        }
        s->count = p - s->first;
        s->chunked = s->chunked || s->reduce_count;
        for (uint32_t i = 0; i < s->reduce_count; i++, reduction++) {
            rule->reductions[reduction].stage = rule->stage_count;
            if (rule->reductions[reduction].d->scope == LEHR_OVER_ALL_TO_HOST) s->waits = true;
        }
        rule->stage_count++;
    }
    for (uint32_t i = 0; i < 2; i++)
        rule->stages[rule->stage_count + i] =
            (lh_stage){.first = passes + i, .count = lh_rule_code(rule, passes + i) ? 1 : 0,
                       .slots = rule->stages[rule->stage_count + i].slots};
}

static unsigned stage_uses(const lh_rule *rule, const lh_stage *s, const char *name)
{
    unsigned uses = 0;
    for (uint32_t p = s->first; p < s->first + s->count; p++) uses |= lh_rule_uses(rule, p, name);
    return uses;
}

static bool is_scratch(const lh_rule *rule, uint32_t slot)
{
    return lh_slots(rule)[slot].kind == LEHR_SLOT_SCRATCH;
}

/* A scratch slot begins anew in its first stage and is dropped after its last. */
static void place_slot(lh_rule *rule, uint32_t slot)
{
    uint32_t stages = rule->stage_count, first = stages, last = 0;
    for (uint32_t i = 0; i < stages + 2; i++) {
        unsigned char *use = &rule->stages[i].slots[slot];
        *use = 0;
        if (!lh_rule_has_slot(rule, slot)) continue;
        *use = (unsigned char)stage_uses(rule, &rule->stages[i], lh_slots(rule)[slot].name);
        if (*use && i < stages && first == stages) first = i;
        if (*use && i < stages) last = i;
    }
    bool scratch = is_scratch(rule, slot);
    for (uint32_t i = 0; i < stages + 2; i++) {
        unsigned char *use = &rule->stages[i].slots[slot];
        if (scratch && i >= stages) continue; /* evaluation sees a new one */
        if (*use && !(scratch && i == first)) *use |= LH_LOADS;
        if ((*use & LH_WRITES) && !(scratch && i == last)) *use |= LH_STORES;
        if (scratch && *use && i == first && (lh_slots(rule)[slot].flags & LEHR_SLOT_FROM_WEIGHT))
            rule->stages[i].w |= LH_READS | LH_LOADS;
    }
}

static void place(lh_rule *rule)
{
    for (uint32_t i = 0; i < rule->stage_count + 2; i++) {
        lh_stage *s = &rule->stages[i];
        unsigned w = stage_uses(rule, s, "w"), g = stage_uses(rule, s, "g");
        s->w = w ? w | LH_LOADS | ((w & LH_WRITES) ? LH_STORES : 0u) : 0;
        s->g = g ? LH_READS | LH_LOADS : 0u;
    }
    for (uint32_t k = 0; k < rule->d->slots.count; k++) place_slot(rule, k);
    for (uint32_t i = 0; i < rule->stage_count + 2; i++) {
        lh_stage *s = &rule->stages[i];
        bool acts = s->reduce_count || (s->w & LH_STORES);
        for (uint32_t k = 0; k < rule->d->slots.count; k++) acts = acts || (s->slots[k] & LH_STORES);
        s->idle = !acts;
    }
}

bool lh_rule_keeps_slot(const lh_rule *rule, uint32_t slot)
{
    if (!lh_rule_has_slot(rule, slot) || !is_scratch(rule, slot))
        return lh_rule_has_slot(rule, slot);
    for (uint32_t i = 0; i < rule->stage_count; i++)
        if (rule->stages[i].slots[slot] & (LH_LOADS | LH_STORES)) return true;
    return false;
}

lehr_status lh_rule_plan(lehr_context *ctx, lh_rule *rule)
{
    size_t stages = (size_t)rule->d->passes.count + 2, slots = rule->d->slots.count;
    rule->stages = lh_alloc(ctx, stages, sizeof *rule->stages);
    rule->uses = lh_alloc(ctx, stages * slots, sizeof *rule->uses);
    if (!rule->stages || !rule->uses) return LEHR_E_MEMORY;
    for (size_t i = 0; i < stages; i++) rule->stages[i].slots = rule->uses + i * slots;
    lehr_status st = collect_reductions(ctx, rule);
    if (st != LEHR_OK) return st;
    cut_into_stages(rule);
    place(rule);
    return LEHR_OK;
}
