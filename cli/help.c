/* SPDX-License-Identifier: MIT
 *
 * --help of the program and of each verb, and docs/cli.md, from the table. */
#include "cli/options.h"

#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "cli/terminal.h"

enum { HELP_COLUMN = 26, HELP_WIDTH = 100 };

const char *option_group_after(const verb_row *verb, const char *previous)
{
    bool passed = previous == NULL;
    const char *last = NULL;
    for (const option_row *row = option_table; row->name; row++) {
        if (last && strcmp(row->group, last) == 0) continue;
        last = row->group;
        if (!passed) {
            passed = strcmp(row->group, previous) == 0;
            continue;
        }
        for (const option_row *in = row; in->name && strcmp(in->group, row->group) == 0; in++)
            if (option_applies(in, verb)) return row->group;
    }
    return NULL;
}

static unsigned help_width(void)
{
    unsigned width = terminal_width(stdout);
    if (width < 50) return 50;
    return width > HELP_WIDTH ? HELP_WIDTH : width;
}

void help_program(FILE *out)
{
    unsigned width = help_width();
    fputs("Trains neural networks on any OpenCL device and compares learning-rate schedules and\n"
          "optimizers.\n\nUsage: lehr COMMAND [options]\n\nCommands:\n", out);
    for (const verb_row *verb = verb_table; verb->name; verb++) {
        fprintf(out, "  %-17s ", verb->name);
        print_wrapped(out, verb->summary, 20, width);
    }
    fputs("\nOptions:\n"
          "  --help             print this help; lehr COMMAND --help explains a command\n"
          "  --version          print the version\n"
          "  --dump-man         print the manual page (roff)\n"
          "  --dump-completion  print the completion script for bash\n"
          "  --dump-markdown    print the reference of all commands\n"
          "\nFirst steps:\n"
          "  lehr doctor\n"
          "  lehr train --data synthetic --epochs 3\n"
          "  lehr compare --data synthetic --preset tutorial --epochs 5\n", out);
}

static void option_head(char *out, size_t size, const option_row *row)
{
    char letter[8] = "";
    if (row->short_name) snprintf(letter, sizeof letter, "-%c, ", row->short_name);
    bool may = row->arg && row->type == TYPE_FLAG; /* a flag that may have a value */
    snprintf(out, size, "%s--%s%s%s%s", letter, row->name, may ? "[=" : row->arg ? " " : "",
             row->arg ? row->arg : "", may ? "]" : "");
}

static void option_full_help(char *out, size_t size, const option_row *row)
{
    const bool listed = row->choices && !strstr(row->help, "none");
    snprintf(out, size, "%s%s%s%s%s%s", row->help, listed ? " (" : "", listed ? row->choices : "",
             listed ? ")" : "", row->def ? "; default " : "", row->def ? row->def : "");
}

static void usage_line(FILE *out, const verb_row *verb)
{
    fprintf(out, "lehr %s%s%s [options]", verb->name, verb->args ? " " : "",
            verb->args ? verb->args : "");
}

/* Runs over the lines of verb->examples. */
static const char *next_example(const char *at, size_t *length)
{
    *length = strcspn(at, "\n");
    return *length ? at : NULL;
}

static void print_examples(FILE *out, const verb_row *verb, const char *before)
{
    size_t length = 0;
    for (const char *at = verb->examples; (at = next_example(at, &length)) != NULL;
         at += length + (at[length] == '\n'))
        fprintf(out, "%slehr %.*s\n", before, (int)length, at);
}

void help_verb(FILE *out, const verb_row *verb)
{
    const char *group = NULL;
    char head[64], text[512];
    unsigned width = help_width();
    fputs("Usage: ", out);
    usage_line(out, verb);
    fprintf(out, "\n\n%c", verb->summary[0] & ~0x20);
    print_wrapped(out, verb->summary + 1, 0, width);
    if (*verb->text) {
        fputc('\n', out);
        print_wrapped(out, verb->text, 0, width);
    }
    while ((group = option_group_after(verb, group)) != NULL) {
        fprintf(out, "\n%s:\n", group);
        for (const option_row *row = option_table; row->name; row++) {
            if (!option_applies(row, verb) || strcmp(row->group, group) != 0) continue;
            option_head(head, sizeof head, row);
            option_full_help(text, sizeof text, row);
            fprintf(out, "  %-*s", HELP_COLUMN - 3, head);
            if (strlen(head) > HELP_COLUMN - 3) fprintf(out, "\n%*s", HELP_COLUMN - 1, "");
            fputc(' ', out);
            print_wrapped(out, text, HELP_COLUMN, width);
        }
    }
    fputs("\nExamples:\n", out);
    print_examples(out, verb, "  ");
}

/* ---- docs/cli.md ---- */

/* Text of a table cell: '|' separates cells. */
static void markdown_cell(FILE *out, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c == '|') fputc('\\', out);
        if (*c == '*' || *c == '<') fputc('\\', out);
        fputc(*c == '\n' ? ' ' : *c, out);
    }
}

static void markdown_options(FILE *out, const verb_row *verb)
{
    char head[64], text[512];
    fputs("\n| option | |\n|---|---|\n", out);
    for (const option_row *row = option_table; row->name; row++) {
        if (!option_applies(row, verb)) continue;
        option_head(head, sizeof head, row);
        option_full_help(text, sizeof text, row);
        fputs("| `", out);
        for (const char *c = head; *c; c++) fprintf(out, *c == '|' ? "\\%c" : "%c", *c);
        fputs("` | ", out);
        markdown_cell(out, text);
        fputs(" |\n", out);
    }
}

void help_markdown(FILE *out)
{
    fputs("# The command line\n\n"
          "Made from the program's option table with `lehr --dump-markdown`; do not edit.\n\n"
          "Results go to standard output, messages to standard error.  `--name value` and\n"
          "`--name=value` mean the same; `--` ends the options.\n\n"
          "| command | |\n|---|---|\n", out);
    for (const verb_row *verb = verb_table; verb->name; verb++)
        fprintf(out, "| `lehr %s` | %s |\n", verb->name, verb->summary);
    for (const verb_row *verb = verb_table; verb->name; verb++) {
        fprintf(out, "\n## lehr %s\n\n", verb->name);
        fputs("```\n", out);
        usage_line(out, verb);
        fputs("\n```\n", out);
        if (*verb->text) fprintf(out, "\n%s\n", verb->text);
        markdown_options(out, verb);
        fputs("\n```\n", out);
        print_examples(out, verb, "");
        fputs("```\n", out);
    }
    fputs("\n## Exit codes\n\n| code | |\n|---|---|\n", out);
    for (const exit_row *row = exit_table; row->text; row++)
        fprintf(out, "| %d | %s |\n", row->code, row->text);
    fputs("\n## Environment\n\n| variable | |\n|---|---|\n", out);
    for (const environment_row *row = environment_table; row->name; row++)
        fprintf(out, "| `%s` | %s |\n", row->name, row->text);
    fputs("\n## Configuration file\n\n"
          "`--config FILE` reads `name = value` lines (a subset of TOML) with the names of the long\n"
          "options; texts are quoted, options that may be repeated take a list, `#` starts a comment.\n"
          "The command line wins.  `--dump-config` prints the settings in this form.\n", out);
}
