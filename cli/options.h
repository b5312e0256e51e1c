/* SPDX-License-Identifier: MIT
 *
 * The program's one table of verbs and options.  Parsing, --help, the manual page, shell completion,
 * docs/cli.md and the configuration file are all made from it; nothing about an option is written
 * down anywhere else.  Adding an option: one id here, one row in table.c. */
#ifndef LEHR_CLI_OPTIONS_H
#define LEHR_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The program's exit codes that are not made from a lehr_status. */
enum { EXIT_USAGE = 2, EXIT_CANNOT_WRITE = 7 };

typedef enum verb_id {
    VERB_TRAIN,
    VERB_COMPARE,
    VERB_FIND_LR,
    VERB_EVAL,
    VERB_TIME,
    VERB_TUNE,
    VERB_SCHEDULE_LIST,
    VERB_SCHEDULE_SHOW,
    VERB_SCHEDULE_PLOT,
    VERB_OPTIMIZER_LIST,
    VERB_OPTIMIZER_TRACE,
    VERB_PLUGIN_LIST,
    VERB_PLUGIN_INFO,
    VERB_PLUGIN_NEW,
    VERB_PLUGIN_SOURCE,
    VERB_PLUGIN_CHECK,
    VERB_MODELS,
    VERB_REPORT,
    VERB_DEVICES,
    VERB_DOCTOR
} verb_id;

typedef enum option_id {
    OPT_DATA,
    OPT_LIMIT_TRAIN,
    OPT_LIMIT_VAL,
    OPT_VAL_FRACTION,
    OPT_AUGMENT,
    OPT_NORMALIZE,
    OPT_NO_SHUFFLE,
    OPT_PART,
    OPT_MODEL,
    OPT_INIT,
    OPT_SAVE_WEIGHTS,
    OPT_WEIGHTS,
    OPT_GRADS,
    OPT_LOSSES,
    OPT_EVALUATED,
    OPT_OPTIMIZER,
    OPT_SCHEDULE,
    OPT_GROUP,
    OPT_LR,
    OPT_LR_MIN,
    OPT_LR_MAX,
    OPT_WEIGHT_DECAY,
    OPT_CLIP_NORM,
    OPT_CLIP_VALUE,
    OPT_LABEL_SMOOTHING,
    OPT_LOSS,
    OPT_PRESET,
    OPT_METHOD,
    OPT_TARGET,
    OPT_EPOCHS,
    OPT_MAX_STEPS,
    OPT_BATCH,
    OPT_ACCUMULATE,
    OPT_EARLY_STOP,
    OPT_SEED,
    OPT_SEEDS,
    OPT_STEPS_PER_EPOCH,
    OPT_STEPS,
    OPT_OUT,
    OPT_RESUME,
    OPT_CHECKPOINT_EVERY,
    OPT_DEVICE,
    OPT_TUNE,
    OPT_OP,
    OPT_SECONDS,
    OPT_EXPLAIN,
    OPT_COMPILE,
    OPT_EXPORT,
    OPT_DRY_RUN,
    OPT_PLUGIN,
    OPT_NO_PLUGINS,
    OPT_CSV,
    OPT_JSON,
    OPT_ONLY,
    OPT_LIST,
    OPT_QUICK,
    OPT_TIMEOUT,
    OPT_SVG,
    OPT_DUMP,
    OPT_DIR,
    OPT_PROGRESS,
    OPT_QUIET,
    OPT_VERBOSE,
    OPT_CONFIG,
    OPT_DUMP_CONFIG,
    OPT_HELP,
    OPT_COUNT
} option_id;

typedef enum option_type {
    TYPE_FLAG,     /* given or not; =true and =false are accepted */
    TYPE_TEXT,
    TYPE_FILE,
    TYPE_DIRECTORY,
    TYPE_UINT,     /* whole number in [min, max] */
    TYPE_REAL,     /* finite number in [min, max]; see OPTION_OPEN_* */
    TYPE_DURATION, /* "10ep", "500st" or "none" */
    TYPE_CHOICE    /* one of choices, separated by '|' */
} option_type;

enum {
    OPTION_REPEATABLE = 1, /* each occurrence adds one */
    OPTION_OPEN_MIN = 2,   /* min itself is not allowed */
    OPTION_OPEN_MAX = 4,
    OPTION_NOT_A_SETTING = 8, /* not a key of the configuration file */
    OPTION_OF_A_RUN = 16      /* fixed when a run starts: a resumed run has it already */
};

typedef struct option_row {
    option_id id;
    const char *name;
    char short_name;
    const char *arg; /* shown in help; NULL for flags */
    option_type type;
    unsigned flags;
    uint32_t verbs;  /* bit 1u << verb_id for each verb that takes it */
    const char *def; /* NULL: no default */
    double min, max; /* of numbers; max 0: no upper limit */
    const char *choices;
    const char *group;
    const char *help;
} option_row;

typedef struct settings settings;

typedef struct verb_row {
    verb_id id;
    const char *name;  /* "schedule show" */
    const char *args;  /* positional arguments as shown: "'SPEC'"; NULL for none */
    unsigned min_args, max_args;
    const char *summary;  /* one line, no full stop */
    const char *text;     /* paragraphs for --help and the manual */
    const char *examples; /* one command a line, without the program's name */
    int (*run)(settings *set);
} verb_row;

typedef struct exit_row {
    int code;
    const char *text;
} exit_row;

typedef struct environment_row {
    const char *name, *text;
} environment_row;

/* The tables (table.c); each ends with a row without a name or text. */
extern const option_row option_table[];
extern const verb_row verb_table[];
extern const exit_row exit_table[];
extern const environment_row environment_table[];

typedef enum value_source { FROM_DEFAULT, FROM_CONFIG, FROM_COMMAND_LINE } value_source;

typedef struct option_value {
    const option_row *row; /* NULL: the verb does not take the option */
    const char *text;      /* as given or the default, several as "a; b"; NULL: neither */
    double real;           /* TYPE_REAL, TYPE_UINT */
    uint64_t number;       /* TYPE_UINT */
    bool flag;
    value_source source;
    const char **items; /* OPTION_REPEATABLE */
    size_t item_count;
} option_value;

/* What the user asked for: one value per option of the verb, and the positional arguments. */
struct settings {
    const verb_row *verb;
    option_value values[OPT_COUNT];
    const char **args;
    size_t arg_count;
    char **words; /* the command line after the verb */
    int word_count;
    char **owned; /* text that came from a configuration file */
    size_t owned_count;
};

/* ---- parsing: false after a message on stderr ---- */
/* Words after the verb.  A configuration file named by --config is read as well. */
bool settings_parse(settings *set, const verb_row *verb, int argc, char **argv);
void settings_free(settings *set);
/* Sets one option from text; where is "--" for the command line or "file:line: " for messages. */
bool settings_set(settings *set, const option_row *row, const char *text, value_source source,
                  const char *where);
/* Keeps memory until settings_free; false when there is none. */
bool settings_own(settings *set, char *text);
/* Finds a verb in words; used is how many of them it took.  NULL after a message. */
const verb_row *verb_find(int argc, char **argv, int *used);
bool option_applies(const option_row *row, const verb_row *verb);
const option_row *option_find(const verb_row *verb, const char *name, size_t length);

/* The command line as it could be typed again.  Owner: the caller; NULL when out of memory. */
char *settings_command(const settings *set);

/* ---- values ---- */
bool option_given(const settings *set, option_id id);
const char *option_text(const settings *set, option_id id);
double option_real(const settings *set, option_id id);
uint64_t option_uint(const settings *set, option_id id);
bool option_flag(const settings *set, option_id id);

/* "lehr VERB: …" on stderr; returns false so that a parser can return it. */
bool usage_error(const verb_row *verb, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- made from the table ---- */
void help_program(FILE *out);
void help_verb(FILE *out, const verb_row *verb);
void help_man(FILE *out);
void help_completion(FILE *out);
void help_markdown(FILE *out);
/* Walks the option groups of a verb: the first one after previous (NULL: the first), or NULL. */
const char *option_group_after(const verb_row *verb, const char *previous);

/* ---- configuration file (config.c) ---- */
bool config_read(settings *set, const char *path);
void config_write(FILE *out, const settings *set);

#endif
