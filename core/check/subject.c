/* SPDX-License-Identifier: MIT
 *
 * A schedule or an optimizer with values for its parameters, and the calls into it: everything that
 * the plugin is given lies on the heap, or where writing or reading too far is noticed. */
#include "core/check/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SLACK = 4096, ATTEMPTS = 8, SPARE = 8, BASE_DRAWS = 60 };

const lehr_budget lh_check_budget = {
    .base = 0.1, .steps_per_epoch = 100, .total_steps = 1000, .samples_per_step = 128, .seed = 7};

static const lehr_span *params_of(const lh_subject *s)
{
    return s->schedule ? &s->schedule->params : &s->optimizer->params;
}

/* ---- values ---- */

/* Something to type for a parameter without a default. */
static void add_member(const lehr_param *p, double share, lh_str *out)
{
    bool low = fabs(p->min) >= LEHR_ANY, high = fabs(p->max) >= LEHR_ANY;
    double value = low && high ? share : low ? p->max - share : high ? p->min + share
                               : p->min + share * (p->max - p->min);
    if (p->kind == LEHR_DURATION)
        lh_str_printf(out, "%.0fst", 1 + floor(share * (double)lh_check_budget.total_steps));
    else if (p->kind == LEHR_VALUE)
        lh_str_printf(out, "%.17g%%", 100 * share);
    else if (p->kind == LEHR_CHOICE)
        lh_str_add(out, p->choices[0]);
    else
        lh_str_printf(out, "%.17g", p->kind == LEHR_INT || p->kind == LEHR_BOOL ? floor(value) : value);
}

/* "name(required=…)"; lists have 2 members, or 3 where attempt has a bit set for that list. */
static void write_spec(const lh_subject *s, uint32_t attempt, lh_str *out)
{
    const lehr_span *params = params_of(s);
    uint32_t list = 0;
    const char *comma = "";
    lh_str_printf(out, "%s(", s->schedule ? s->schedule->name : s->optimizer->name);
    for (uint32_t i = 0; i < params->count; i++) {
        const lehr_param *p = &lh_params(params)[i];
        if (!(p->flags & LEHR_P_REQUIRED)) continue;
        lh_str_printf(out, "%s%s=", comma, p->name);
        comma = ", ";
        if (!(p->flags & LEHR_P_LIST)) {
            add_member(p, 0.3, out);
            continue;
        }
        uint32_t members = 2 + (attempt >> list++ & 1u);
        for (uint32_t k = 0; k < members; k++) {
            lh_str_add(out, k ? ", " : "[");
            add_member(p, 0.2 + 0.2 * k, out);
        }
        lh_str_add(out, "]");
    }
    lh_str_add(out, ")");
}

static lh_table table_of(const lh_subject *s)
{
    const lehr_schedule *d = s->schedule;
    if (!d)
        return (lh_table){.kind = "optimizer", .name = s->optimizer->name,
                          .params = s->optimizer->params, .presets = s->optimizer->presets};
    return (lh_table){.kind = "schedule", .name = d->name, .params = d->params,
                      .presets = d->presets, .metric = d->observe ? d->metric : NULL,
                      .budget = &s->budget};
}

static lehr_status bind(lh_subject *s, const char *spec)
{
    lehr_context *ctx = s->c->inner;
    lh_cursor in = {.ctx = ctx, .what = s->schedule ? "schedule" : "optimizer", .text = spec,
                    .quiet = true};
    lh_call call = {.count = 0};
    lh_table table = table_of(s);
    lh_enter(ctx);
    lh_binding_free(&s->binding);
    lehr_status st = lh_read_call(&in, &call);
    if (st == LEHR_OK) st = lh_bind(&in, &table, &call, &s->binding);
    lh_call_free(&call);
    return st;
}

static bool has_required(const lehr_span *params)
{
    for (uint32_t i = 0; i < params->count; i++)
        if (lh_params(params)[i].flags & LEHR_P_REQUIRED) return true;
    return false;
}

/* ---- where things lie ---- */

static bool put(lh_subject *s, lh_given piece, const void *from, size_t size)
{
    bool tight = s->place == LH_FENCED ||
                 (s->place == LH_OUT_FENCED && piece == LH_GIVEN_OUT);
    return lh_fence_open(&s->fences[piece], from, size, tight ? 0 : SLACK);
}

static bool lay_out(lh_subject *s)
{
    uint32_t n = s->binding.count, scalars = s->optimizer ? s->optimizer->scalars.count : 0;
    s->p = s->binding.p;
    s->lists = s->binding.lists;
    if (s->place == LH_ON_HEAP) {
        s->state = lh_alloc(s->c->inner, s->state_count + SPARE, sizeof *s->state);
        s->out = lh_alloc(s->c->inner, scalars + SPARE, sizeof *s->out);
        return s->state && s->out;
    }
    for (uint32_t i = 0; i < n; i++) {
        lehr_values *list = &s->binding.lists[i];
        if (!list->count || s->fences[LH_GIVEN_LIST].base) continue;
        if (!put(s, LH_GIVEN_LIST, list->at, list->count * sizeof *list->at)) return false;
        list->at = s->fences[LH_GIVEN_LIST].at;
    }
    size_t argument = s->schedule ? sizeof(lehr_progress) : sizeof(lehr_update);
    bool ok = put(s, LH_GIVEN_P, s->binding.p, n * sizeof(double)) &&
              put(s, LH_GIVEN_LISTS, s->binding.lists, n * sizeof(lehr_values)) &&
              put(s, LH_GIVEN_STATE, NULL, s->state_count * sizeof(double)) &&
              put(s, LH_GIVEN_HOST, &s->host.api, sizeof s->host.api) &&
              put(s, LH_GIVEN_ARGUMENT, NULL, argument) &&
              put(s, LH_GIVEN_METRIC, NULL, sizeof(lehr_metric)) &&
              put(s, LH_GIVEN_OUT, NULL, scalars * sizeof(double));
    s->p = s->fences[LH_GIVEN_P].at;
    s->lists = s->fences[LH_GIVEN_LISTS].at;
    s->state = s->fences[LH_GIVEN_STATE].at;
    s->out = s->fences[LH_GIVEN_OUT].at;
    return ok;
}

/* Everything but the state (when it may change) and out becomes unwritable, and stays so. */
static void lock(lh_subject *s, bool state_too)
{
    if (s->place != LH_READ_ONLY) return;
    for (int i = 0; i < LH_GIVEN_COUNT; i++)
        if (i != LH_GIVEN_OUT) lh_fence_lock(&s->fences[i], i != LH_GIVEN_STATE || state_too);
}

static const lehr_host *host_of(const lh_subject *s)
{
    return s->place == LH_ON_HEAP ? &s->host.api : s->fences[LH_GIVEN_HOST].at;
}

/* ---- calls ---- */

static const char *name_of(const lh_subject *s)
{
    return s->schedule ? s->schedule->name : s->optimizer->name;
}

static lehr_progress progress(const lh_subject *s, const lehr_budget *b, uint64_t step)
{
    return (lehr_progress){.size = sizeof(lehr_progress),
                           .host = host_of(s),
                           .self = s->self,
                           .p = s->p,
                           .lists = s->lists,
                           .base = b->base,
                           .seed = b->seed,
                           .step = step,
                           .samples = step * b->samples_per_step,
                           .epoch =
                               b->steps_per_epoch ? (double)step / (double)b->steps_per_epoch : 0,
                           .steps_per_epoch = b->steps_per_epoch,
                           .total_steps = b->total_steps};
}

/* The argument where the plugin may see it. */
static const void *place(lh_subject *s, lh_given piece, const void *from, size_t size)
{
    if (s->place == LH_ON_HEAP) return from;
    lh_fence_lock(&s->fences[piece], false);
    memcpy(s->fences[piece].at, from, size);
    return s->fences[piece].at;
}

double lh_call_value_as(lh_subject *s, const lehr_budget *budget, uint64_t step)
{
    fenv_t env;
    lehr_progress t = progress(s, budget, step);
    const lehr_progress *at = place(s, LH_GIVEN_ARGUMENT, &t, sizeof t);
    lh_note(s->c, "value() for update %llu of schedule %s", (unsigned long long)step,
            lh_str_text(&s->text));
    lock(s, true);
    fegetenv(&env);
    double value = s->schedule->value(at, s->state);
    fesetenv(&env);
    return value;
}

double lh_call_value(lh_subject *s, uint64_t step) { return lh_call_value_as(s, &s->budget, step); }

lehr_status lh_call_observe(lh_subject *s, uint64_t step, double metric)
{
    fenv_t env;
    lehr_progress t = progress(s, &s->budget, step);
    lehr_metric m = {sizeof m, -1, s->binding.metric, metric};
    const lehr_progress *at = place(s, LH_GIVEN_ARGUMENT, &t, sizeof t);
    const lehr_metric *what = place(s, LH_GIVEN_METRIC, &m, sizeof m);
    lh_note(s->c, "observe(%g) after update %llu of schedule %s", metric, (unsigned long long)step,
            lh_str_text(&s->text));
    lock(s, false);
    fegetenv(&env);
    lehr_status st = s->schedule->observe(at, what, s->state);
    fesetenv(&env);
    return st;
}

static uint32_t passes_of(const lh_subject *s)
{
    return s->optimizer->passes.count ? s->optimizer->passes.count : 1;
}

/* Reductions of earlier passes that the host is told. */
static uint32_t known(const lh_subject *s, uint32_t pass)
{
    const lehr_pass *passes = s->optimizer->passes.at;
    uint32_t count = 0;
    for (uint32_t i = 0; i < pass; i++)
        for (uint32_t k = 0; k < passes[i].reduces.count; k++)
            count += ((const lehr_reduce *)passes[i].reduces.at)[k].scope == LEHR_OVER_ALL_TO_HOST;
    return count;
}

static lehr_update update(const lh_subject *s, uint32_t pass, uint64_t t, double lr)
{
    static const double all[64] = {0}; /* what gradients of 0 give; others come from the device */
    return (lehr_update){.size = sizeof(lehr_update), .pass = pass, .host = host_of(s),
                         .self = s->self, .p = s->p, .lr = lr, .loss = 1.5, .seed = 7, .t = t,
                         .all = all, .all_count = known(s, pass), .base_lr = lr};
}

static lehr_status advance(lh_subject *s, uint32_t pass, uint64_t t, double lr)
{
    fenv_t env;
    lehr_update u = update(s, pass, t, lr);
    const lehr_update *at = place(s, LH_GIVEN_ARGUMENT, &u, sizeof u);
    if (!s->optimizer->advance) return LEHR_OK;
    lh_note(s->c, "advance() for pass %u of update %llu of optimizer %s", (unsigned)pass + 1,
            (unsigned long long)t, lh_str_text(&s->text));
    lock(s, false);
    fegetenv(&env);
    lehr_status st = s->optimizer->advance(at, s->state);
    fesetenv(&env);
    return st;
}

static lehr_status scalar(lh_subject *s, uint32_t pass, uint64_t t, double lr)
{
    fenv_t env;
    lehr_update u = update(s, pass, t, lr);
    const lehr_update *at = place(s, LH_GIVEN_ARGUMENT, &u, sizeof u);
    if (!s->optimizer->scalar) return LEHR_OK;
    lh_note(s->c, "scalar() for pass %u of update %llu of optimizer %s", (unsigned)pass + 1,
            (unsigned long long)t, lh_str_text(&s->text));
    lock(s, true);
    fegetenv(&env);
    lehr_status st = s->optimizer->scalar(at, s->state, s->out);
    fesetenv(&env);
    return st;
}

lehr_status lh_call_advance(lh_subject *s, uint64_t t, double lr)
{
    lehr_status st = LEHR_OK;
    for (uint32_t pass = 0; pass < passes_of(s) && st == LEHR_OK; pass++) {
        st = advance(s, pass, t, lr);
        if (st == LEHR_OK && pass + 1 < passes_of(s)) st = scalar(s, pass, t, lr);
    }
    return st;
}

lehr_status lh_call_scalar(lh_subject *s, uint64_t t, double lr)
{
    return scalar(s, passes_of(s) - 1, t, lr);
}

lehr_status lh_call_pass(lh_subject *s, uint32_t pass, uint64_t t, double lr)
{
    lehr_status st = advance(s, pass, t, lr);
    return st == LEHR_OK ? scalar(s, pass, t, lr) : st;
}

double lh_call_unguarded(lh_subject *s)
{
    lehr_progress t = progress(s, &s->budget, 1);
    if (s->schedule) return s->schedule->value(&t, s->state);
    lehr_update u = update(s, 0, 1, 0.01);
    if (s->optimizer->advance) (void)s->optimizer->advance(&u, s->state);
    return s->optimizer->scalar ? s->optimizer->scalar(&u, s->state, s->out) : 0;
}

static lehr_status call_check(lh_subject *s)
{
    fenv_t env;
    lehr_status st = LEHR_OK;
    lehr_progress t = progress(s, &s->budget, 0);
    const lehr_progress *at = s->schedule ? place(s, LH_GIVEN_ARGUMENT, &t, sizeof t) : NULL;
    lh_note(s->c, "check() of %s", lh_str_text(&s->text));
    lock(s, true);
    fegetenv(&env);
    if (s->schedule && s->schedule->check) st = s->schedule->check(host_of(s), at);
    if (s->optimizer && s->optimizer->check) st = s->optimizer->check(host_of(s), s->p);
    fesetenv(&env);
    return st;
}

static lehr_status call_create(lh_subject *s)
{
    fenv_t env;
    lehr_status st = LEHR_OK;
    lehr_progress t = progress(s, &s->budget, 0);
    const lehr_progress *at = s->schedule ? place(s, LH_GIVEN_ARGUMENT, &t, sizeof t) : NULL;
    bool wanted = s->schedule ? s->schedule->create != NULL : s->optimizer->create != NULL;
    if (!wanted) return LEHR_OK;
    lh_note(s->c, "create() of %s", lh_str_text(&s->text));
    lock(s, true);
    fegetenv(&env);
    st = s->schedule ? s->schedule->create(host_of(s), at, &s->self)
                     : s->optimizer->create(host_of(s), s->p, &s->self);
    fesetenv(&env);
    s->created = st == LEHR_OK;
    return st;
}

static void call_destroy(lh_subject *s)
{
    fenv_t env;
    fegetenv(&env);
    if (s->created) {
        lh_note(s->c, "destroy() of %s", lh_str_text(&s->text));
        if (s->schedule)
            s->schedule->destroy(host_of(s), s->self);
        else
            s->optimizer->destroy(host_of(s), s->self);
    }
    fesetenv(&env);
    s->created = false;
    s->self = NULL;
}

/* ---- life ---- */

void lh_subject_set_state(lh_subject *s, const double *state)
{
    lh_fence_lock(&s->fences[LH_GIVEN_STATE], false);
    if (s->state_count) memcpy(s->state, state, s->state_count * sizeof *state);
}

void lh_subject_reset_state(lh_subject *s)
{
    const lehr_var *vars = s->schedule ? s->schedule->state.at : s->optimizer->state.at;
    lh_fence_lock(&s->fences[LH_GIVEN_STATE], false);
    for (uint32_t i = 0; i < s->state_count; i++) s->state[i] = vars[i].init;
    if (!s->created || !lh_subject_keeps_memory(s)) return;
    call_destroy(s);
    call_create(s);
}

static void forget(lh_subject *s)
{
    for (int i = 0; i < LH_GIVEN_COUNT; i++) lh_fence_close(&s->fences[i]);
    if (s->place == LH_ON_HEAP) {
        free(s->state);
        free(s->out);
    }
    s->state = s->out = NULL;
    lh_str_clear(&s->text);
}

/* Values, memory and the plugin's opinion of them. */
static lh_opened prepare(lh_subject *s, const char *spec, lh_draw draw)
{
    lh_table table = table_of(s);
    forget(s);
    if (bind(s, spec) != LEHR_OK) return LH_UNUSABLE;
    const lehr_budget *budget = s->schedule ? &s->budget : NULL;
    if (s->base_draw)
        lh_draw_apply((lh_draw){LH_DRAW_RANDOM, s->base_draw}, params_of(s), budget, &s->binding);
    lh_draw_apply(draw, params_of(s), budget, &s->binding);
    lh_binding_text(&table, &s->binding, &s->text);
    if (!lay_out(s)) return LH_UNUSABLE;
    lh_subject_reset_state(s);
    return call_check(s) == LEHR_OK ? LH_OPENED : LH_REFUSED;
}

/* Values that are refused as they stand may do with others beside them. */
static lh_opened try_draws(lh_subject *s, const char *spec)
{
    lh_opened state = LH_REFUSED;
    for (uint32_t k = 1; k <= BASE_DRAWS && state == LH_REFUSED; k++) {
        s->base_draw = k;
        state = prepare(s, spec, (lh_draw){LH_DRAW_DEFAULT, 0});
    }
    if (state == LH_OPENED) return state;
    s->base_draw = 0;
    return prepare(s, spec, (lh_draw){LH_DRAW_DEFAULT, 0});
}

/* Values that the plugin takes; spec receives their text. */
static lh_opened find_values(lh_subject *s, lh_wish wish, lh_str *spec)
{
    const lh_draw defaults = {LH_DRAW_DEFAULT, 0};
    const lehr_span *presets = s->schedule ? &s->schedule->presets : &s->optimizer->presets;
    bool required = has_required(params_of(s));
    lh_opened state = LH_UNUSABLE;
    if (wish.spec) lh_str_add(spec, wish.spec);
    if (wish.preset) lh_str_printf(spec, "%s:%s", wish.preset, name_of(s));
    if (wish.spec || wish.preset) state = prepare(s, lh_str_text(spec), defaults);
    if (wish.preset && required && state == LH_UNUSABLE) {
        lh_str_clear(spec);
        lh_str_printf(spec, "%s:", wish.preset);
        write_spec(s, 0, spec);
        state = prepare(s, lh_str_text(spec), defaults);
    }
    if (wish.preset && state == LH_REFUSED) state = try_draws(s, lh_str_text(spec));
    if (wish.spec || wish.preset) return state;
    for (uint32_t a = 0; a < (required ? ATTEMPTS : 1) && state != LH_OPENED; a++) {
        lh_str_clear(spec);
        write_spec(s, a, spec);
        state = prepare(s, lh_str_text(spec), defaults);
    }
    for (uint32_t k = 0; k < presets->count && required && state != LH_OPENED; k++) {
        lh_str_clear(spec);
        lh_str_printf(spec, "%s:%s", ((const lehr_preset *)presets->at)[k].prefix, name_of(s));
        state = prepare(s, lh_str_text(spec), defaults);
    }
    if (state != LH_REFUSED) return state;
    lh_str_clear(spec);
    write_spec(s, 0, spec);
    return try_draws(s, lh_str_text(spec));
}

lh_opened lh_subject_open(lehr_checker *c, const lehr_schedule *schedule,
                          const lehr_optimizer *optimizer, lh_wish wish, lh_subject *s)
{
    *s = (lh_subject){.c = c, .schedule = schedule, .optimizer = optimizer, .place = wish.place,
                      .budget = wish.budget ? *wish.budget : lh_check_budget,
                      .state_count = schedule ? schedule->state.count : optimizer->state.count};
    lh_check_host_init(&s->host);
    lh_str spec = {0};
    lh_opened state = find_values(s, wish, &spec);
    if (state == LH_OPENED && wish.draw.kind != LH_DRAW_DEFAULT)
        state = prepare(s, lh_str_text(&spec), wish.draw);
    lh_str_free(&spec);
    s->host.fail_at = wish.fail_at ? s->host.allocations + wish.fail_at : 0;
    if (state == LH_OPENED && call_create(s) != LEHR_OK) state = LH_REFUSED;
    return state;
}

void lh_subject_close(lh_subject *s)
{
    call_destroy(s);
    forget(s);
    lh_binding_free(&s->binding);
    lh_str_free(&s->text);
}
