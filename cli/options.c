/* SPDX-License-Identifier: MIT
 *
 * Parsing of the command line against the table: verbs, options, values, and the sentences for what
 * is wrong: what, why, what to type. */
#include "cli/options.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"

enum { MAX_WORDS = 128 };

bool usage_error(const verb_row *verb, const char *fmt, ...)
{
    va_list args;
    fprintf(stderr, "lehr%s%s: ", verb ? " " : "", verb ? verb->name : "");
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    return false;
}

bool option_applies(const option_row *row, const verb_row *verb)
{
    return (row->verbs >> verb->id & 1u) != 0;
}

const option_row *option_find(const verb_row *verb, const char *name, size_t length)
{
    for (const option_row *row = option_table; row->name; row++)
        if (option_applies(row, verb) && strlen(row->name) == length &&
            strncmp(row->name, name, length) == 0)
            return row;
    return NULL;
}

static const option_row *find_short(const verb_row *verb, char letter)
{
    for (const option_row *row = option_table; row->name; row++)
        if (option_applies(row, verb) && row->short_name == letter) return row;
    return NULL;
}

/* ---- verbs ---- */

static bool verb_matches(const verb_row *verb, int argc, char **argv, int *used)
{
    const char *at = verb->name;
    int words = 0;
    while (*at) {
        size_t length = strcspn(at, " ");
        if (words >= argc || strlen(argv[words]) != length ||
            strncmp(argv[words], at, length) != 0)
            return false;
        words++;
        at += length + (at[length] == ' ');
    }
    *used = words;
    return true;
}

/* The verbs that begin with a word, as "list, show, plot"; false when there is none. */
static bool list_second_words(const char *first, char *out, size_t size)
{
    size_t length = strlen(first);
    out[0] = '\0';
    for (const verb_row *verb = verb_table; verb->name; verb++) {
        if (strncmp(verb->name, first, length) != 0 || verb->name[length] != ' ') continue;
        size_t end = strlen(out);
        snprintf(out + end, size - end, "%s%s", end ? ", " : "", verb->name + length + 1);
    }
    return out[0] != '\0';
}

/* "schedule" alone, or with a second word that does not exist. */
static void fail_second_word(const char *first, const char *second, const char *near,
                             const char *known)
{
    if (second)
        fprintf(stderr, "lehr: unknown word '%s' after '%s'", second + 1, first);
    else
        fprintf(stderr, "lehr: '%s' needs a second word", first);
    if (second && near) fprintf(stderr, ", did you mean 'lehr %s'?", near);
    fprintf(stderr, "%stype: lehr %s WORD, with one of: %s\n", second && near ? " Or " : "; ", first,
            known);
}

const verb_row *verb_find(int argc, char **argv, int *used)
{
    const char *names[MAX_WORDS];
    char seconds[256], typed[128];
    size_t count = 0;
    for (const verb_row *verb = verb_table; verb->name && count < MAX_WORDS; verb++) {
        if (verb_matches(verb, argc, argv, used)) return verb;
        names[count++] = verb->name;
    }
    snprintf(typed, sizeof typed, "%s%s%s", argv[0], argc > 1 && argv[1][0] != '-' ? " " : "",
             argc > 1 && argv[1][0] != '-' ? argv[1] : "");
    if (list_second_words(argv[0], seconds, sizeof seconds)) {
        fail_second_word(argv[0], strchr(typed, ' '), nearest_word(typed, names, count), seconds);
        return NULL;
    }
    const char *near = nearest_word(argv[0], names, count);
    if (!near) near = nearest_word(typed, names, count);
    fprintf(stderr, "lehr: unknown command '%s'", argv[0]);
    if (near) fprintf(stderr, ", did you mean 'lehr %s'?", near);
    fputs(near ? " Commands: " : "; commands: ", stderr);
    for (size_t i = 0; i < count; i++) fprintf(stderr, "%s%s", i ? ", " : "", names[i]);
    fputc('\n', stderr);
    return NULL;
}

/* ---- values ---- */

bool settings_own(settings *set, char *text)
{
    char **grown = text ? realloc(set->owned, (set->owned_count + 1) * sizeof *grown) : NULL;
    if (!grown) {
        free(text);
        return usage_error(set->verb, "out of memory");
    }
    set->owned = grown;
    set->owned[set->owned_count++] = text;
    return true;
}

static bool add_word(const settings *set, const char ***list, size_t *count, const char *word)
{
    const char **grown = realloc(*list, (*count + 1) * sizeof *grown);
    if (!grown) return usage_error(set->verb, "out of memory");
    *list = grown;
    grown[(*count)++] = word;
    return true;
}

/* "from 1 to 65536", "above 0", "0 or more". */
static void describe_range(const option_row *row, char *out, size_t size)
{
    char low[NUMBER_SIZE], high[NUMBER_SIZE];
    const char *min = number_text(row->min, low), *max = number_text(row->max, high);
    const bool whole = row->type == TYPE_UINT;
    if (whole) {
        snprintf(low, sizeof low, "%.0f", row->min);
        snprintf(high, sizeof high, "%.0f", row->max);
        min = low;
        max = high;
    }
    if (row->max == 0.0)
        snprintf(out, size, row->flags & OPTION_OPEN_MIN ? "above %s" : "of %s or more", min);
    else
        snprintf(out, size, "from %s %s %s", min,
                 row->flags & OPTION_OPEN_MAX ? "to less than" : "to", max);
}

static bool in_range(const option_row *row, double value)
{
    bool low = row->flags & OPTION_OPEN_MIN ? value > row->min : value >= row->min;
    bool high = row->max == 0.0 ||
                (row->flags & OPTION_OPEN_MAX ? value < row->max : value <= row->max);
    return low && high;
}

static bool set_number(settings *set, option_value *value, const option_row *row, const char *text,
                       const char *where)
{
    char range[96];
    bool parsed = row->type == TYPE_UINT ? parse_uint(text, &value->number)
                                         : parse_real(text, &value->real);
    if (row->type == TYPE_UINT) value->real = (double)value->number;
    if (parsed && in_range(row, value->real)) return true;
    describe_range(row, range, sizeof range);
    return usage_error(set->verb, "%s%s: '%s' is not a %s %s%s%s", where, row->name, text,
                       row->type == TYPE_UINT ? "whole number" : "number", range,
                       row->def ? "; the default is " : "", row->def ? row->def : "");
}

static bool is_duration(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (strcmp(text, "none") == 0) return true;
    if (digits == 0 || strspn(text, "0") == digits) return false;
    return strcmp(text + digits, "ep") == 0 || strcmp(text + digits, "st") == 0;
}

static bool set_checked(settings *set, option_value *value, const option_row *row, const char *text,
                        const char *where)
{
    switch (row->type) {
    case TYPE_UINT:
    case TYPE_REAL: return set_number(set, value, row, text, where);
    case TYPE_CHOICE:
        if (choice_contains(row->choices, text)) return true;
        return usage_error(set->verb, "%s%s: '%s' is not one of %s", where, row->name, text,
                           row->choices);
    case TYPE_DURATION:
        if (is_duration(text)) return true;
        return usage_error(set->verb, "%s%s: '%s' is not a duration; give a number with a unit, such "
                           "as 1ep (epochs) or 500st (updates), or none", where, row->name, text);
    case TYPE_FLAG:
        value->flag = strcmp(text, "true") == 0;
        if (value->flag || strcmp(text, "false") == 0) return true;
        if (row->arg) return value->flag = set_number(set, value, row, text, where);
        return usage_error(set->verb, "%s%s: '%s' is neither true nor false", where, row->name, text);
    case TYPE_TEXT:
    case TYPE_FILE:
    case TYPE_DIRECTORY: break;
    }
    if (*text) return true;
    return usage_error(set->verb, "%s%s: the value is empty; give %s", where, row->name, row->arg);
}

/* One more of a repeatable option; its text is then all of them, "a; b". */
static bool add_item(settings *set, option_value *value, const char *text)
{
    if (value->item_count) {
        const char *before = value->text;
        char *joined = malloc(strlen(before) + strlen(text) + 3);
        if (joined) sprintf(joined, "%s; %s", before, text);
        if (!settings_own(set, joined)) return false;
        value->text = joined;
    } else {
        value->text = text;
    }
    return add_word(set, &value->items, &value->item_count, text);
}

bool settings_set(settings *set, const option_row *row, const char *text, value_source source,
                  const char *where)
{
    option_value *value = &set->values[row->id];
    bool repeatable = (row->flags & OPTION_REPEATABLE) != 0;
    if (source == FROM_COMMAND_LINE && value->source == source && !repeatable) {
        if (row->type == TYPE_FLAG || (value->text && strcmp(value->text, text) == 0)) return true;
        return usage_error(set->verb, "%s%s is given twice, as %s and as %s; give it once", where,
                           row->name, value->text ? value->text : "", text);
    }
    if (!set_checked(set, value, row, text, where)) return false;
    if (value->source != source) value->item_count = 0; /* a default, or a file's, gives way */
    if (!repeatable) value->text = text;
    value->source = source;
    return !repeatable || add_item(set, value, text);
}

static bool set_defaults(settings *set)
{
    for (const option_row *row = option_table; row->name; row++) {
        if (!option_applies(row, set->verb)) continue;
        set->values[row->id].row = row;
        if (row->def && !settings_set(set, row, row->def, FROM_DEFAULT, "default of --"))
            return false;
    }
    return true;
}

/* ---- the command line ---- */

static bool fail_unknown_option(const settings *set, const char *name, size_t length)
{
    const char *names[MAX_WORDS];
    char typed[64];
    size_t count = 0;
    snprintf(typed, sizeof typed, "%.*s", (int)length, name);
    for (const option_row *row = option_table; row->name && count < MAX_WORDS; row++)
        if (option_applies(row, set->verb)) names[count++] = row->name;
    const char *near = nearest_word(typed, names, count);
    if (near)
        return usage_error(set->verb, "unknown option --%s; did you mean --%s?", typed, near);
    fprintf(stderr, "lehr %s: unknown option --%s", set->verb->name, typed);
    for (const option_row *row = option_table; row->name; row++) {
        if (strcmp(row->name, typed) != 0) continue;
        fprintf(stderr, " (it belongs to other commands)");
        break;
    }
    fputs("; options: ", stderr);
    for (size_t i = 0; i < count; i++) fprintf(stderr, "%s--%s", i ? ", " : "", names[i]);
    fprintf(stderr, "; see: lehr %s --help\n", set->verb->name);
    return false;
}

/* An option where a value should be: the value was forgotten. */
static bool looks_like_option(const settings *set, const char *word)
{
    if (strncmp(word, "--", 2) != 0) return false;
    return option_find(set->verb, word + 2, strcspn(word + 2, "=")) != NULL;
}

static bool fail_missing_value(const settings *set, const option_row *row)
{
    if (row->def)
        return usage_error(set->verb, "--%s needs a value; type: --%s %s", row->name, row->name,
                           row->def);
    return usage_error(set->verb, "--%s needs a value; type: --%s %s%s%s", row->name, row->name,
                       row->arg, row->choices ? ", one of " : "",
                       row->choices ? row->choices : "");
}

/* Takes the option at argv[*at] with its value and moves *at past it. */
static bool take_option(settings *set, int argc, char **argv, int *at)
{
    const char *word = argv[*at];
    bool is_long = word[1] == '-';
    size_t length = is_long ? strcspn(word + 2, "=") : 1;
    const option_row *row = is_long ? option_find(set->verb, word + 2, length)
                                    : find_short(set->verb, word[1]);
    if (!row && is_long) return fail_unknown_option(set, word + 2, length);
    if (!row)
        return usage_error(set->verb, "unknown option %s; see: lehr %s --help", word, set->verb->name);
    const char *value = NULL;
    if (is_long && word[2 + length] == '=')
        value = word + 3 + length;
    else if (!is_long && word[2])
        value = word + 2;
    ++*at;
    if (!value && row->type == TYPE_FLAG) value = "true";
    if (!value) {
        if (*at >= argc || looks_like_option(set, argv[*at])) return fail_missing_value(set, row);
        value = argv[(*at)++];
    }
    return settings_set(set, row, value, FROM_COMMAND_LINE, "--");
}

static bool check_args(const settings *set)
{
    const verb_row *verb = set->verb;
    if (set->values[OPT_HELP].flag) return true;
    if (set->arg_count < verb->min_args)
        return usage_error(verb, "%s is missing; type: lehr %s %s", verb->args, verb->name,
                           verb->args);
    if (set->arg_count > verb->max_args)
        return usage_error(verb, "unexpected argument '%s'%s; see: lehr %s --help",
                           set->args[verb->max_args],
                           verb->max_args ? " (quote a SPEC that has spaces or brackets)" : "",
                           verb->name);
    return true;
}

bool settings_parse(settings *set, const verb_row *verb, int argc, char **argv)
{
    bool options_end = false;
    *set = (settings){.verb = verb, .words = argv, .word_count = argc};
    if (!set_defaults(set)) return false;
    for (int at = 0; at < argc;) {
        const char *word = argv[at];
        if (!options_end && strcmp(word, "--") == 0) {
            options_end = true;
            at++;
        } else if (!options_end && word[0] == '-' && word[1]) {
            if (!take_option(set, argc, argv, &at)) return false;
        } else {
            if (!add_word(set, &set->args, &set->arg_count, word)) return false;
            at++;
        }
    }
    const char *config = set->values[OPT_CONFIG].text;
    if (config && !config_read(set, config)) return false;
    return check_args(set);
}

void settings_free(settings *set)
{
    for (size_t i = 0; i < OPT_COUNT; i++) free(set->values[i].items);
    for (size_t i = 0; i < set->owned_count; i++) free(set->owned[i]);
    free(set->owned);
    free(set->args);
    *set = (settings){.verb = set->verb};
}

/* A word, in quotes when a shell would change it. */
static void write_word(FILE *out, const char *word)
{
    bool plain = *word && !strpbrk(word, " \t\n'\"\\$`*?[](){}<>|&;#~!");
    if (plain) {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (const char *c = word; *c; c++) fputs(*c == '\'' ? "'\\''" : (char[]){*c, '\0'}, out);
    fputc('\'', out);
}

char *settings_command(const settings *set)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) return NULL;
    fprintf(out, "lehr %s", set->verb->name);
    for (int i = 0; i < set->word_count; i++) {
        fputc(' ', out);
        write_word(out, set->words[i]);
    }
    if (fclose(out) == 0) return text;
    free(text);
    return NULL;
}

bool option_given(const settings *set, option_id id)
{
    return set->values[id].source != FROM_DEFAULT;
}

const char *option_text(const settings *set, option_id id) { return set->values[id].text; }
double option_real(const settings *set, option_id id) { return set->values[id].real; }
uint64_t option_uint(const settings *set, option_id id) { return set->values[id].number; }
bool option_flag(const settings *set, option_id id) { return set->values[id].flag; }
