/* SPDX-License-Identifier: MIT
 *
 * Checks of what the plugin's tables say: names, documentation, ranges, defaults, presets, the rule
 * language. */
#include "core/check/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A pass that every rule may have: the tables are looked at apart from the rules. */
static const lehr_pass plain_passes[] = {LEHR_PASS("w -= lr * g;")};

int lh_check_tables_accepted(lehr_checker *c)
{
    if (!lh_check_load(c)) return LEHR_CHECK_FAIL;
    const lehr_plugin *p = c->plugin;
    lehr_status st = LEHR_OK;
    lh_enter(c->inner);
    lh_note(c, "none: its tables are read");
    for (uint32_t i = 0; i < p->schedule_count && st == LEHR_OK; i++) {
        lehr_schedule *copy = NULL;
        st = lh_schedule_copy(c->inner, c->file, p->schedules[i], &copy);
        lh_schedule_free(&copy);
    }
    for (uint32_t i = 0; i < p->optimizer_count && st == LEHR_OK; i++) {
        lehr_optimizer *copy = NULL, plain = *p->optimizers[i];
        bool custom = (plain.flags & LEHR_O_CUSTOM) != 0;
        if (plain.passes.count > 0 || custom) plain.passes = (lehr_span)LEHR_TABLE(plain_passes);
        plain.preamble = plain.enter_eval = plain.leave_eval = NULL;
        st = lh_optimizer_copy(c->inner, c->file, &plain, &copy);
        lh_optimizer_free(&copy);
    }
    if (st == LEHR_OK) return LEHR_CHECK_OK;
    return lh_verdict(c, LEHR_CHECK_FAIL,
                      "correct that row; docs/plugin-abi.md describes the tables", "%s",
                      lehr_context_message(c->inner));
}

int lh_check_tables_language(lehr_checker *c)
{
    if (lh_check_copy(c)) return LEHR_CHECK_OK;
    return lh_verdict(c, LEHR_CHECK_FAIL,
                      "write the rule for one weight, without leaving it; docs/plugin-abi.md lists "
                      "the words",
                      "%s", c->copy_error);
}

bool lh_check_registry(lehr_checker *c)
{
    const char *files[] = {c->file};
    lehr_registry_params params = {.files = files, .file_count = 1};
    if (c->registry) return true;
    lh_note(c, "lehr_plugin_v1()");
    if (lehr_registry_create(c->inner, &params, &c->registry) == LEHR_OK) return true;
    lh_verdict(c, LEHR_CHECK_FAIL, "give it a name of its own", "%s",
               lehr_context_message(c->inner));
    return false;
}

int lh_check_tables_unique(lehr_checker *c)
{
    return lh_check_registry(c) ? LEHR_CHECK_OK : LEHR_CHECK_FAIL;
}

/* ---- documentation ---- */

/* Continuation bytes that a UTF-8 start byte asks for; -1: no start byte. */
static int continuation(unsigned char byte)
{
    if (byte < 0x80) return 0;
    if (byte >= 0xc2 && byte < 0xe0) return 1;
    if (byte >= 0xe0 && byte < 0xf0) return 2;
    return byte >= 0xf0 && byte < 0xf5 ? 3 : -1;
}

static const char *wrong_line(const char *text)
{
    if (!text || !*text) return "is missing";
    if (strlen(text) > 300) return "is longer than 300 bytes";
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at < 0x20 || *at == 0x7f) return "has control characters or more than one line";
        int more = continuation(*at);
        for (; more > 0 && (at[1] & 0xc0) == 0x80; more--) at++;
        if (more != 0) return "is not UTF-8";
    }
    return NULL;
}

static int wrong_doc(lehr_checker *c, const char *owner, const char *what, const char *name,
                     const char *doc)
{
    const char *why = wrong_line(doc);
    if (!why) return LEHR_CHECK_OK;
    return lh_verdict(c, LEHR_CHECK_WARN, "write one line of UTF-8 that says what it does",
                      "%s: doc of %s %s %s", owner, what, name ? name : "?", why);
}

static int docs_of(lehr_checker *c, const char *owner, const char *doc, const lehr_span *params,
                   const lehr_span *state)
{
    const lehr_var *vars = state->at;
    int verdict = wrong_doc(c, owner, "the whole", "", doc);
    for (uint32_t i = 0; i < params->count && verdict == LEHR_CHECK_OK; i++)
        verdict = wrong_doc(c, owner, "parameter", lh_params(params)[i].name,
                            lh_params(params)[i].doc);
    for (uint32_t i = 0; i < state->count && verdict == LEHR_CHECK_OK; i++)
        verdict = wrong_doc(c, owner, "state", vars[i].name, vars[i].doc);
    return verdict;
}

int lh_check_tables_docs(lehr_checker *c)
{
    int verdict = LEHR_CHECK_OK;
    if (!lh_check_copy(c)) return LEHR_CHECK_FAIL;
    for (uint32_t i = 0; i < c->schedule_count && verdict == LEHR_CHECK_OK; i++) {
        const lehr_schedule *d = c->schedules[i];
        verdict = docs_of(c, d->name, d->doc, &d->params, &d->state);
    }
    for (uint32_t i = 0; i < c->optimizer_count && verdict == LEHR_CHECK_OK; i++) {
        const lehr_optimizer *d = c->optimizers[i];
        const lehr_slot *slots = d->slots.at;
        verdict = docs_of(c, d->name, d->doc, &d->params, &d->state);
        for (uint32_t k = 0; k < d->slots.count && verdict == LEHR_CHECK_OK; k++)
            verdict = wrong_doc(c, d->name, "slot", slots[k].name, slots[k].doc);
    }
    return verdict;
}

/* ---- ranges ---- */

static bool word(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789.";
    return *text && strspn(text, letters) == strlen(text) && strlen(text) < 64 &&
           !strchr("0123456789.", *text);
}

static int wrong_choices(lehr_checker *c, const char *owner, const lehr_param *p)
{
    for (size_t i = 0; p->choices[i]; i++) {
        if (!word(p->choices[i]))
            return lh_verdict(c, LEHR_CHECK_FAIL, "use letters, digits, _ and points",
                              "%s: choice '%s' of %s cannot be typed", owner, p->choices[i],
                              p->name);
        for (size_t k = 0; k < i; k++)
            if (strcmp(p->choices[i], p->choices[k]) == 0)
                return lh_verdict(c, LEHR_CHECK_FAIL, "name it differently",
                                  "%s: %s has the choice '%s' twice", owner, p->name,
                                  p->choices[i]);
    }
    return LEHR_CHECK_OK;
}

static int wrong_vars(lehr_checker *c, const char *owner, const lehr_span *state)
{
    const lehr_var *vars = state->at;
    for (uint32_t i = 0; i < state->count; i++) {
        if (isnan(vars[i].init))
            return lh_verdict(c, LEHR_CHECK_FAIL, "use a flag variable beside it",
                              "%s: state %s starts as NaN", owner, vars[i].name);
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(vars[i].name, vars[k].name) == 0)
                return lh_verdict(c, LEHR_CHECK_FAIL, "name it differently",
                                  "%s: state %s is there twice", owner, vars[i].name);
    }
    return LEHR_CHECK_OK;
}

static int ranges_of(lehr_checker *c, const char *owner, const lehr_span *params,
                     const lehr_span *state)
{
    int verdict = wrong_vars(c, owner, state);
    for (uint32_t i = 0; i < params->count && verdict == LEHR_CHECK_OK; i++) {
        const lehr_param *p = &lh_params(params)[i];
        bool whole = p->kind == LEHR_INT || p->kind == LEHR_DURATION;
        if (isinf(p->min) || isinf(p->max))
            verdict = lh_verdict(c, LEHR_CHECK_WARN, "use LEHR_ANY for no bound",
                                 "%s: a bound of %s is infinite", owner, p->name);
        else if (whole && fabs(p->max) < LEHR_ANY && ceil(p->min) > floor(p->max))
            verdict = lh_verdict(c, LEHR_CHECK_FAIL, "widen the range",
                                 "%s: there is no whole number in the range of %s", owner, p->name);
        else if (p->kind == LEHR_CHOICE)
            verdict = wrong_choices(c, owner, p);
    }
    return verdict;
}

int lh_check_tables_ranges(lehr_checker *c)
{
    int verdict = LEHR_CHECK_OK;
    if (!lh_check_copy(c)) return LEHR_CHECK_FAIL;
    for (uint32_t i = 0; i < c->schedule_count && verdict == LEHR_CHECK_OK; i++)
        verdict = ranges_of(c, c->schedules[i]->name, &c->schedules[i]->params,
                            &c->schedules[i]->state);
    for (uint32_t i = 0; i < c->optimizer_count && verdict == LEHR_CHECK_OK; i++)
        verdict = ranges_of(c, c->optimizers[i]->name, &c->optimizers[i]->params,
                            &c->optimizers[i]->state);
    return verdict;
}

/* ---- texts ---- */

static int defaults_of(lehr_checker *c, const lehr_schedule *s, const lehr_optimizer *o)
{
    lh_subject subject;
    int verdict = LEHR_CHECK_OK;
    lh_opened opened = lh_subject_open(c, s, o, (lh_wish){0}, &subject);
    if (opened == LH_UNUSABLE)
        verdict = lh_verdict(c, LEHR_CHECK_FAIL,
                             "a text default is typed as a user would: 1ep, 100%, 1%", "%s",
                             lehr_context_message(c->inner));
    else if (opened == LH_REFUSED)
        verdict = lh_verdict(c, LEHR_CHECK_FAIL,
                             "defaults must work; a preset may show values for required parameters",
                             "%s is refused: %s", lh_str_text(&subject.text),
                             subject.host.message[0] ? subject.host.message : "without a message");
    lh_subject_close(&subject);
    return verdict;
}

/* For each descriptor of the file, until one is not ok. */
static int each(lehr_checker *c,
                int (*look)(lehr_checker *, const lehr_schedule *, const lehr_optimizer *))
{
    int verdict = LEHR_CHECK_OK;
    if (!lh_check_copy(c)) return LEHR_CHECK_FAIL;
    for (uint32_t i = 0; i < c->schedule_count && verdict == LEHR_CHECK_OK; i++)
        verdict = look(c, c->schedules[i], NULL);
    for (uint32_t i = 0; i < c->optimizer_count && verdict == LEHR_CHECK_OK; i++)
        verdict = look(c, NULL, c->optimizers[i]);
    return verdict;
}

int lh_check_tables_defaults(lehr_checker *c) { return each(c, defaults_of); }

static int preset_of(lehr_checker *c, const lehr_schedule *s, const lehr_optimizer *o, uint32_t k)
{
    const lehr_span *span = s ? &s->presets : &o->presets;
    const lehr_preset *preset = (const lehr_preset *)span->at + k;
    const char *name = s ? s->name : o->name;
    lh_subject subject;
    int verdict = LEHR_CHECK_OK;
    lh_opened opened =
        lh_subject_open(c, s, o, (lh_wish){.preset = preset->prefix}, &subject);
    if (opened == LH_UNUSABLE)
        verdict = lh_verdict(c, LEHR_CHECK_FAIL, "write it as a user would type it", "%s",
                             lehr_context_message(c->inner));
    else if (opened == LH_REFUSED)
        verdict = lh_verdict(c, LEHR_CHECK_FAIL, "correct the preset or check()",
                             "preset %s:%s is refused: %s", preset->prefix, name,
                             subject.host.message);
    else if (wrong_line(preset->source))
        verdict = lh_verdict(c, LEHR_CHECK_WARN, "name the library and class, or the paper",
                             "source of preset %s:%s %s", preset->prefix, name,
                             wrong_line(preset->source));
    for (uint32_t i = 0; i < k && verdict == LEHR_CHECK_OK; i++)
        if (strcmp(((const lehr_preset *)span->at)[i].prefix, preset->prefix) == 0)
            verdict = lh_verdict(c, LEHR_CHECK_FAIL, "name it differently",
                                 "preset %s:%s is there twice", preset->prefix, name);
    lh_subject_close(&subject);
    return verdict;
}

static int presets_of(lehr_checker *c, const lehr_schedule *s, const lehr_optimizer *o)
{
    uint32_t count = s ? s->presets.count : o->presets.count;
    int verdict = LEHR_CHECK_OK;
    for (uint32_t i = 0; i < count && verdict == LEHR_CHECK_OK; i++)
        verdict = preset_of(c, s, o, i);
    return verdict;
}

int lh_check_tables_presets(lehr_checker *c) { return each(c, presets_of); }

static int text_of(lehr_checker *c, const lehr_schedule *s, const lehr_optimizer *o)
{
    lh_subject first, second;
    int verdict = LEHR_CHECK_OK;
    for (uint32_t i = 0; i < 8 && verdict == LEHR_CHECK_OK; i++) {
        lh_wish wish = {.draw = {i ? LH_DRAW_RANDOM : LH_DRAW_DEFAULT, i}};
        if (lh_subject_open(c, s, o, wish, &first) == LH_OPENED) {
            wish = (lh_wish){.spec = lh_str_text(&first.text)};
            lh_opened again = lh_subject_open(c, s, o, wish, &second);
            if (again != LH_OPENED ||
                !lh_same_bits(first.binding.p, second.binding.p, first.binding.count))
                verdict = lh_verdict(c, LEHR_CHECK_FAIL,
                                     "look at that parameter's range and choices",
                                     "%s does not read back as the same values: %s",
                                     lh_str_text(&first.text),
                                     again == LH_UNUSABLE ? lehr_context_message(c->inner) : "");
            lh_subject_close(&second);
        }
        lh_subject_close(&first);
    }
    return verdict;
}

int lh_check_tables_text(lehr_checker *c) { return each(c, text_of); }

int lh_check_tables_identity(lehr_checker *c)
{
    if (!lh_check_load(c)) return LEHR_CHECK_FAIL;
    const char *id = c->plugin->id;
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (strchr(id, '.') && strspn(id, allowed) == strlen(id) && strlen(id) < 128)
        return wrong_line(c->plugin->version)
                   ? lh_verdict(c, LEHR_CHECK_WARN, "such as 1.0", "version %s",
                                wrong_line(c->plugin->version))
                   : LEHR_CHECK_OK;
    return lh_verdict(c, LEHR_CHECK_WARN, "begin with a domain of yours: org.example.name",
                      "id '%.100s' may be somebody else's as well", id);
}
