/* SPDX-License-Identifier: MIT
 *
 * The lehr program: finds the verb, parses its options, runs it, and makes sure that what was printed
 * has arrived. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lehr/context.h>

#include "cli/check.h"
#include "cli/options.h"

/* A full disk or a closed pipe shows only when the last bytes are written. */
static int close_output(int code)
{
    bool failed = ferror(stdout) != 0;
    errno = 0;
    failed = fflush(stdout) != 0 || failed;
    if (!failed || code != 0) return code;
    fprintf(stderr, "lehr: standard output cannot be written (%s)\n",
            errno ? strerror(errno) : "write error");
    return EXIT_CANNOT_WRITE;
}

typedef struct printer {
    const char *name;
    void (*print)(FILE *out);
} printer;

static void print_version(FILE *out) { fprintf(out, "lehr %s\n", lehr_version()); }

/* Options that stand before any verb. */
static const printer printers[] = {
    {"--help", help_program},        {"-h", help_program},
    {"help", help_program},          {"--version", print_version},
    {"--dump-man", help_man},        {"--dump-completion", help_completion},
    {"--dump-markdown", help_markdown},
};

static int run_verb(const verb_row *verb, int argc, char **argv)
{
    settings set;
    int code = EXIT_USAGE;
    if (settings_parse(&set, verb, argc, argv)) {
        if (option_flag(&set, OPT_HELP)) {
            help_verb(stdout, verb);
            code = 0;
        } else if (option_flag(&set, OPT_DUMP_CONFIG)) {
            config_write(stdout, &set);
            code = 0;
        } else {
            code = verb->run(&set);
        }
    }
    settings_free(&set);
    return code;
}

/* "lehr schedule --help": the verbs that begin with the word. */
static bool help_of_family(int argc, char **argv)
{
    size_t length = strlen(argv[0]);
    bool found = false;
    if (argc < 2 || (strcmp(argv[1], "--help") != 0 && strcmp(argv[1], "-h") != 0)) return false;
    for (const verb_row *verb = verb_table; verb->name; verb++) {
        if (strncmp(verb->name, argv[0], length) != 0 || verb->name[length] != ' ') continue;
        if (!found) fprintf(stdout, "Commands:\n");
        found = true;
        fprintf(stdout, "  lehr %-15s %s\n", verb->name, verb->summary);
    }
    return found;
}

int main(int argc, char **argv)
{
    int used = 0;
    if (argc < 2) {
        help_program(stderr);
        return EXIT_USAGE;
    }
    argc--;
    argv++;
    if (strcmp(argv[0], CHECK_WORKER) == 0) return check_worker_main(argc, argv);
    for (size_t i = 0; i < sizeof printers / sizeof *printers; i++) {
        if (argc > 1 || strcmp(argv[0], printers[i].name) != 0) continue;
        printers[i].print(stdout);
        return close_output(0);
    }
    bool help_word = strcmp(argv[0], "help") == 0; /* lehr help train */
    if (help_word) {
        argc--;
        argv++;
    }
    if (argv[0][0] == '-') {
        usage_error(NULL, "%s stands before the command; type: lehr COMMAND %s, or: lehr --help",
                    argv[0], argv[0]);
        return EXIT_USAGE;
    }
    if (help_of_family(argc, argv)) return close_output(0);
    const verb_row *verb = verb_find(argc, argv, &used);
    if (!verb) return EXIT_USAGE;
    if (help_word) {
        help_verb(stdout, verb);
        return close_output(0);
    }
    return close_output(run_verb(verb, argc - used, argv + used));
}
