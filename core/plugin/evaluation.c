/* SPDX-License-Identifier: MIT
 *
 * Weights for evaluation.  The rule's enter_eval changes weights (and slots) in place; afterwards its
 * leave_eval undoes that, or, where the rule has none, a copy is put back bit for bit. */
#include "core/plugin/updater.h"

bool lh_updater_has_eval(const lh_updater *u) { return u->rule.stages[u->rule.stage_count].count > 0; }

static cl_mem memory_of(const lh_updater *u, uint32_t i)
{
    return i == 0 ? u->weights : u->slots[i - 1];
}

/* Place 0 are the weights, then the slots. */
static bool changes(const lh_updater *u, uint32_t i)
{
    const lh_stage *enter = &u->rule.stages[u->rule.stage_count];
    return ((i == 0 ? enter->w : enter->slots[i - 1]) & LH_STORES) != 0;
}

static lehr_status keep(lh_updater *u)
{
    lehr_status st = LEHR_OK;
    size_t bytes = u->count * sizeof(float);
    for (uint32_t i = 0; i <= u->rule.d->slots.count && st == LEHR_OK; i++) {
        if (!changes(u, i)) continue;
        if (!u->kept[i]) st = lh_buffer_create(u->dev, bytes, &u->kept[i]);
        if (st == LEHR_OK) st = lh_buffer_copy(u->dev, memory_of(u, i), 0, u->kept[i], 0, bytes);
    }
    return st;
}

static lehr_status put_back(lh_updater *u)
{
    lehr_status st = LEHR_OK;
    for (uint32_t i = 0; i <= u->rule.d->slots.count && st == LEHR_OK; i++)
        if (changes(u, i))
            st = lh_buffer_copy(u->dev, u->kept[i], 0, memory_of(u, i), 0,
                                u->count * sizeof(float));
    return st;
}

static lehr_status run(lh_updater *u, bool enter, uint64_t t, cl_mem control)
{
    uint32_t pass = u->rule.d->passes.count + (enter ? 0 : 1);
    uint32_t stage = u->rule.stage_count + (enter ? 0 : 1);
    bool numbers = lh_rule_names_scalar(&u->rule, pass);
    lehr_status st = LEHR_OK;
    for (uint32_t g = 0; g < u->group_count && st == LEHR_OK; g++) {
        if (numbers) st = lh_updater_ask_scalar(u, g, pass, t, 0);
        if (st == LEHR_OK) st = lh_updater_launch(u, stage, g, 0, control);
    }
    return st;
}

lehr_status lh_updater_enter_eval(lh_updater *u, uint64_t t, cl_mem control)
{
    if (!lh_updater_has_eval(u) || u->in_evaluation || t == 0) return LEHR_OK;
    lehr_status st = u->rule.d->leave_eval ? LEHR_OK : keep(u);
    if (st == LEHR_OK) st = run(u, true, t, control);
    u->in_evaluation = st == LEHR_OK;
    return st;
}

lehr_status lh_updater_leave_eval(lh_updater *u, uint64_t t, cl_mem control)
{
    if (!u->in_evaluation) return LEHR_OK;
    u->in_evaluation = false;
    return u->rule.d->leave_eval ? run(u, false, t, control) : put_back(u);
}
