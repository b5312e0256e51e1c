/* SPDX-License-Identifier: MIT
 *
 * The configuration file: a subset of TOML.  One "name = value" a line with the long options' names;
 * values are "text" or 'text', numbers, true, false, or [..., ...] of texts for options that may be
 * repeated (on one line); # starts a comment.  The command line wins over the file. */
#include "cli/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"

enum { LINE_SIZE = 16384 };

typedef struct config_line {
    settings *set;
    const char *at;
    char where[256]; /* "file:3: " */
} config_line;

static void skip_blanks(config_line *line)
{
    line->at += strspn(line->at, " \t\r\n");
}

static bool at_end(config_line *line)
{
    skip_blanks(line);
    return *line->at == '\0' || *line->at == '#';
}

static bool line_error(const config_line *line, const char *text)
{
    return usage_error(line->set->verb, "%s%s", line->where, text);
}

/* The text of a quoted value; \" \\ \n \t are known in double quotes. */
static char *quoted(config_line *line)
{
    char quote = *line->at++;
    char *out = calloc(strlen(line->at) + 1, 1);
    size_t n = 0;
    while (out && *line->at && *line->at != quote) {
        char c = *line->at++;
        if (quote == '"' && c == '\\') {
            const char *known = "\"\\nt", *meaning = "\"\\\n\t";
            const char *found = *line->at ? strchr(known, *line->at) : NULL;
            if (!found) break;
            c = meaning[found - known];
            line->at++;
        }
        out[n++] = c;
    }
    if (out && *line->at == quote) {
        line->at++;
        return out;
    }
    free(out);
    line_error(line, out ? "the text has no closing quote, or an escape other than \\\" \\\\ \\n \\t"
                         : "out of memory");
    return NULL;
}

/* One value, kept by the settings; NULL after a message. */
static const char *take_value(config_line *line)
{
    char *text = NULL;
    skip_blanks(line);
    if (*line->at == '"' || *line->at == '\'') {
        text = quoted(line);
        if (!text) return NULL;
    } else {
        size_t length = strcspn(line->at, " \t\r\n,]#");
        if (length == 0) {
            line_error(line, "a value is missing; type: name = value");
            return NULL;
        }
        text = strndup(line->at, length);
        line->at += length;
        bool word = text && !strchr("+-.0123456789", *text) && strcmp(text, "true") != 0 &&
                    strcmp(text, "false") != 0;
        if (word) {
            usage_error(line->set->verb, "%s%s needs quotes; type: \"%s\"", line->where, text, text);
            free(text);
            return NULL;
        }
    }
    return settings_own(line->set, text) ? text : NULL;
}

static bool take_list(config_line *line, const option_row *row)
{
    bool use = line->set->values[row->id].source != FROM_COMMAND_LINE;
    line->at++;
    while (!at_end(line) && *line->at != ']') {
        const char *text = take_value(line);
        if (!text) return false;
        if (use && !settings_set(line->set, row, text, FROM_CONFIG, line->where)) return false;
        skip_blanks(line);
        if (*line->at == ',') line->at++;
    }
    if (*line->at != ']') return line_error(line, "the list has no closing ] on its line");
    line->at++;
    return true;
}

static bool unknown_key(const config_line *line, const char *name, size_t length)
{
    const char *names[OPT_COUNT];
    char typed[64];
    size_t count = 0;
    snprintf(typed, sizeof typed, "%.*s", (int)length, name);
    for (const option_row *row = option_table; row->name && count < OPT_COUNT; row++)
        if (option_applies(row, line->set->verb) && !(row->flags & OPTION_NOT_A_SETTING))
            names[count++] = row->name;
    const char *near = nearest_word(typed, names, count);
    return usage_error(line->set->verb, "%sunknown name '%s'%s%s%s; names are those of the options: "
                       "lehr %s --help", line->where, typed, near ? "; did you mean " : "",
                       near ? near : "", near ? "?" : "", line->set->verb->name);
}

static bool take_line(config_line *line)
{
    if (at_end(line)) return true;
    if (*line->at == '[') return line_error(line, "sections are not used; write name = value");
    const char *name = line->at;
    size_t length = strcspn(name, " \t=\r\n");
    const option_row *row = option_find(line->set->verb, name, length);
    if (!row || row->flags & OPTION_NOT_A_SETTING) return unknown_key(line, name, length);
    line->at += length;
    skip_blanks(line);
    if (*line->at != '=') return line_error(line, "'=' is missing; type: name = value");
    line->at++;
    skip_blanks(line);
    const option_value *value = &line->set->values[row->id];
    if (*line->at == '[') {
        if (!(row->flags & OPTION_REPEATABLE))
            return line_error(line, "this option takes one value, not a list");
        if (!take_list(line, row)) return false;
    } else {
        const char *text = take_value(line);
        if (!text) return false;
        if (value->source == FROM_CONFIG && !(row->flags & OPTION_REPEATABLE))
            return line_error(line, "the name is there twice");
        if (value->source != FROM_COMMAND_LINE &&
            !settings_set(line->set, row, text, FROM_CONFIG, line->where))
            return false;
    }
    return at_end(line) || line_error(line, "unexpected text after the value");
}

bool config_read(settings *set, const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return usage_error(set->verb, "--config: %s cannot be read (%s)", path, strerror(errno));
    char *text = malloc(LINE_SIZE);
    bool good = text != NULL;
    for (unsigned number = 1; good && fgets(text, LINE_SIZE, file); number++) {
        config_line line = {.set = set, .at = text};
        snprintf(line.where, sizeof line.where, "%.200s:%u: ", path, number);
        good = strchr(text, '\n') || feof(file) ? take_line(&line)
                                                : line_error(&line, "the line is too long");
    }
    if (good && ferror(file))
        good = usage_error(set->verb, "--config: %s cannot be read (%s)", path, strerror(errno));
    free(text);
    fclose(file);
    return good;
}

static void write_value(FILE *out, const option_row *row, const char *text)
{
    if (row->type == TYPE_UINT || row->type == TYPE_REAL || row->type == TYPE_FLAG) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (const char *c = text; *c; c++) {
        const char *special = "\"\\\n\t", *letter = "\"\\nt";
        const char *found = strchr(special, *c);
        if (found)
            fprintf(out, "\\%c", letter[found - special]);
        else
            fputc(*c, out);
    }
    fputc('"', out);
}

void config_write(FILE *out, const settings *set)
{
    const char *group = NULL;
    fprintf(out, "# lehr %s --config FILE\n", set->verb->name);
    while ((group = option_group_after(set->verb, group)) != NULL) {
        bool first = true;
        for (const option_row *row = option_table; row->name; row++) {
            const option_value *value = &set->values[row->id];
            if (value->row != row || strcmp(row->group, group) != 0 || !value->text ||
                row->flags & OPTION_NOT_A_SETTING)
                continue;
            if (first) fprintf(out, "\n# %s\n", group);
            first = false;
            fprintf(out, "%s = ", row->name);
            bool list = value->item_count > 1;
            if (!list) write_value(out, row, value->text);
            for (size_t i = 0; list && i < value->item_count; i++) {
                fputs(i ? ", " : "[", out);
                write_value(out, row, value->items[i]);
            }
            fputs(list ? "]\n" : "\n", out);
        }
    }
}
