/* SPDX-License-Identifier: MIT
 *
 * The manual page (roff, man macros) and the completion script for bash, from the table. */
#include "cli/options.h"

#include <ctype.h>
#include <string.h>

#include <lehr/context.h>

/* ---- manual page ---- */

/* A hyphen that is typed, a backslash and a leading dot need an escape in roff. */
static void roff(FILE *out, const char *text)
{
    bool line_start = true;
    for (const char *c = text; *c; c++) {
        if (line_start && (*c == '.' || *c == '\'')) fputs("\\&", out);
        if (*c == '\\')
            fputs("\\e", out);
        else if (*c == '-')
            fputs("\\-", out);
        else if (*c == '\n')
            fputs("\n.PP\n", out);
        else
            fputc(*c, out);
        line_start = *c == '\n';
    }
}

static void man_option(FILE *out, const option_row *row)
{
    fputs(".TP\n", out);
    if (row->short_name) fprintf(out, "\\fB\\-%c\\fR, ", row->short_name);
    fputs("\\fB\\-\\-", out);
    roff(out, row->name);
    fputs("\\fR", out);
    if (row->arg) {
        bool may = row->type == TYPE_FLAG; /* a flag that may have a value */
        fputs(may ? "[=\\fI" : " \\fI", out);
        roff(out, row->arg);
        fputs(may ? "\\fR]" : "\\fR", out);
    }
    fputc('\n', out);
    roff(out, row->help);
    if (row->choices) {
        fputs(" (", out);
        roff(out, row->choices);
        fputc(')', out);
    }
    if (row->def) {
        fputs("; default ", out);
        roff(out, row->def);
    }
    fputs(".\n", out);
}

static void man_verb(FILE *out, const verb_row *verb)
{
    fputs(".SS lehr ", out);
    roff(out, verb->name);
    if (verb->args) fprintf(out, " %s", verb->args);
    fprintf(out, " [options]\n%c", toupper((unsigned char)verb->summary[0]));
    roff(out, verb->summary + 1);
    fputs(".\n", out);
    if (*verb->text) {
        fputs(".PP\n", out);
        roff(out, verb->text);
        fputc('\n', out);
    }
    for (const option_row *row = option_table; row->name; row++)
        if (option_applies(row, verb) && row->id != OPT_HELP && row->id != OPT_VERBOSE)
            man_option(out, row);
    fputs(".PP\nExamples:\n.PP\n.nf\n", out);
    for (const char *at = verb->examples; *at;) {
        size_t length = strcspn(at, "\n");
        char line[512];
        snprintf(line, sizeof line, "lehr %.*s", (int)length, at);
        fputs("    ", out);
        roff(out, line);
        fputc('\n', out);
        at += length + (at[length] == '\n');
    }
    fputs(".fi\n", out);
}

void help_man(FILE *out)
{
    fprintf(out, ".\\\" Made from the option table: lehr --dump-man\n"
                 ".TH LEHR 1 \"\" \"lehr %s\" \"User Commands\"\n"
                 ".SH NAME\nlehr \\- train neural networks on OpenCL devices and compare learning\\-rate "
                 "schedules\n.SH SYNOPSIS\n.B lehr\n.I COMMAND\n[options]\n.SH DESCRIPTION\n"
                 "Results go to standard output, messages to standard error. "
                 "\\fB\\-\\-name value\\fR and \\fB\\-\\-name=value\\fR mean the same; \\fB\\-\\-\\fR "
                 "ends the options. Every command takes \\fB\\-\\-help\\fR and \\fB\\-\\-verbose\\fR.\n"
                 ".SH COMMANDS\n", lehr_version());
    for (const verb_row *verb = verb_table; verb->name; verb++) man_verb(out, verb);
    fputs(".SH EXIT STATUS\n", out);
    for (const exit_row *row = exit_table; row->text; row++) {
        fprintf(out, ".TP\n%d\n", row->code);
        roff(out, row->text);
        fputc('\n', out);
    }
    fputs(".SH ENVIRONMENT\n", out);
    for (const environment_row *row = environment_table; row->name; row++) {
        fprintf(out, ".TP\n.B %s\n", row->name);
        roff(out, row->text);
        fputc('\n', out);
    }
    fputs(".SH FILES\n.TP\nrun.json, history.jsonl, history.csv\nwhat a run directory holds, beside its "
          "checkpoints\n.TP\nsummary.csv, report.html\nwhat a comparison writes\n", out);
}

/* ---- completion ---- */

static void completion_words(FILE *out, const verb_row *verb)
{
    fprintf(out, "        '%s') words='", verb->name);
    for (const option_row *row = option_table; row->name; row++)
        if (option_applies(row, verb)) fprintf(out, "--%s ", row->name);
    fputs("' ;;\n", out);
}

/* What follows an option: a choice, a file, a directory; each name once. */
static void completion_value(FILE *out, const option_row *row)
{
    for (const option_row *before = option_table; before != row; before++)
        if (strcmp(before->name, row->name) == 0) return;
    if (row->type == TYPE_FLAG) return;
    fprintf(out, "        --%s) ", row->name);
    if (row->choices) {
        fputs("COMPREPLY=($(compgen -W '", out);
        for (const char *c = row->choices; *c; c++) fputc(*c == '|' ? ' ' : *c, out);
        fputs("' -- \"$cur\"))", out);
    } else if (row->type == TYPE_FILE) {
        fputs("COMPREPLY=($(compgen -f -- \"$cur\"))", out);
    } else if (row->type == TYPE_DIRECTORY) {
        fputs("COMPREPLY=($(compgen -d -- \"$cur\"))", out);
    } else {
        fputs("COMPREPLY=()", out);
    }
    fputs("; return ;;\n", out);
}

static void completion_second_words(FILE *out)
{
    for (const verb_row *verb = verb_table; verb->name; verb++) {
        size_t first = strcspn(verb->name, " ");
        bool seen = false;
        if (!verb->name[first]) continue;
        for (const verb_row *before = verb_table; before != verb; before++)
            seen = seen || strncmp(before->name, verb->name, first + 1) == 0;
        if (seen) continue;
        fprintf(out, "        '%.*s') words='", (int)first, verb->name);
        for (const verb_row *other = verb; other->name; other++)
            if (strncmp(other->name, verb->name, first + 1) == 0)
                fprintf(out, "%s ", other->name + first + 1);
        fputs("' ;;\n", out);
    }
}

void help_completion(FILE *out)
{
    fputs("# bash completion for lehr; made from the option table: lehr --dump-completion\n"
          "_lehr()\n{\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=''\n"
          "    local first=${COMP_WORDS[1]} second=${COMP_WORDS[2]}\n"
          "    COMPREPLY=()\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        COMPREPLY=($(compgen -W '", out);
    for (const verb_row *verb = verb_table; verb->name; verb++) {
        size_t first = strcspn(verb->name, " ");
        bool seen = false;
        for (const verb_row *before = verb_table; before != verb; before++)
            seen = seen || (strncmp(before->name, verb->name, first) == 0 &&
                            (before->name[first] == ' ' || !before->name[first]));
        if (!seen) fprintf(out, "%.*s ", (int)first, verb->name);
    }
    fputs("--help --version' -- \"$cur\"))\n        return\n    fi\n    case $prev in\n", out);
    for (const option_row *row = option_table; row->name; row++) completion_value(out, row);
    fputs("    esac\n    case \"$first $second\" in\n", out);
    for (const verb_row *verb = verb_table; verb->name; verb++)
        if (strchr(verb->name, ' ')) completion_words(out, verb);
    fputs("        *) case $first in\n", out);
    completion_second_words(out);
    for (const verb_row *verb = verb_table; verb->name; verb++)
        if (!strchr(verb->name, ' ')) completion_words(out, verb);
    fputs("        esac ;;\n    esac\n"
          "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
          "    [ \"$first\" = plugin ] && [ \"${cur#-}\" = \"$cur\" ] && [ \"$COMP_CWORD\" -gt 2 ] &&\n"
          "        COMPREPLY=($(compgen -f -- \"$cur\"))\n"
          "    return 0\n}\ncomplete -F _lehr lehr\n", out);
}
