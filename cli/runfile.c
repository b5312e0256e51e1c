/* SPDX-License-Identifier: MIT
 *
 * Looks values up in run.json: an object of objects whose members are texts and numbers.  The library
 * checks the file itself; here a value that cannot be found is simply not there. */
#include "cli/runfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 16 << 20 };

bool runfile_open(runfile *file, const settings *set, const char *directory)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/run.json", directory);
    FILE *in = fopen(path, "r");
    file->text = in ? calloc(MAX_BYTES + 1, 1) : NULL;
    size_t size = file->text ? fread(file->text, 1, MAX_BYTES, in) : 0;
    if (!in || size == 0)
        usage_error(set->verb, "--resume: %s cannot be read (%s); give the directory of a run", path,
                    strerror(errno));
    if (in) fclose(in);
    return size > 0;
}

void runfile_close(runfile *file)
{
    free(file->text);
    file->text = NULL;
}

/* Past the string that begins at a quote. */
static const char *skip_string(const char *at)
{
    for (at++; *at && *at != '"'; at++)
        if (*at == '\\' && at[1]) at++;
    return *at ? at + 1 : at;
}

static const char *skip_space(const char *at) { return at + strspn(at, " \t\r\n"); }

/* The value of a member of the object that begins at '{', or NULL. */
static const char *member(const char *at, const char *key)
{
    size_t length = strlen(key);
    int depth = 0;
    while (at && *at) {
        if (*at == '{' || *at == '[') {
            depth++;
            at++;
        } else if (*at == '}' || *at == ']') {
            if (--depth == 0) return NULL;
            at++;
        } else if (*at == '"') {
            const char *name = at + 1;
            at = skip_space(skip_string(at));
            bool is_key = *at == ':' && depth == 1;
            if (is_key && strncmp(name, key, length) == 0 && name[length] == '"')
                return skip_space(at + 1);
        } else {
            at++;
        }
    }
    return NULL;
}

/* A code point below 0x10000 as UTF-8. */
static size_t put_character(char *out, unsigned c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    out[0] = (char)(0xe0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 0x3f));
    out[2] = (char)(0x80 | (c & 0x3f));
    return 3;
}

static char *unescaped(const char *at)
{
    size_t n = 0;
    char *out = calloc((size_t)(skip_string(at) - at) + 4, 1);
    if (!out) return NULL;
    for (at++; *at && *at != '"'; at++) {
        unsigned code = 0;
        if (*at != '\\') {
            out[n++] = *at;
            continue;
        }
        at++;
        const char *letters = "nrtbf", *meaning = "\n\r\t\b\f";
        const char *found = *at ? strchr(letters, *at) : NULL;
        if (*at == 'u' && sscanf(at + 1, "%4x", &code) == 1) {
            n += put_character(out + n, code);
            at += 4;
        } else {
            out[n++] = found ? meaning[found - letters] : *at;
        }
    }
    return out;
}

char *runfile_value(const runfile *file, const char *section, const char *key)
{
    const char *at = member(file->text, section);
    if (!at || *at != '{') return NULL;
    at = member(at, key);
    if (!at || *at == '{' || *at == '[' || strncmp(at, "null", 4) == 0) return NULL;
    if (*at == '"') return unescaped(at);
    return strndup(at, strcspn(at, ",}\r\n \t"));
}

/* "weight-decay" is "weight_decay" in the file. */
static char *stored(const runfile *file, const option_row *row)
{
    char key[64];
    snprintf(key, sizeof key, "%s", row->name);
    for (char *c = key; *c; c++)
        if (*c == '-') *c = '_';
    if (row->id == OPT_DATA) return runfile_value(file, "data", "spec");
    return runfile_value(file, "settings", key);
}

bool runfile_fill(const runfile *file, settings *set)
{
    for (size_t i = 0; i < OPT_COUNT; i++) {
        const option_row *row = set->values[i].row;
        bool kept = row && (row->flags & OPTION_OF_A_RUN || row->id == OPT_SAVE_WEIGHTS ||
                            row->id == OPT_CHECKPOINT_EVERY);
        if (!kept || option_given(set, row->id)) continue;
        char *text = stored(file, row);
        /* 0 stands for "not used" where an option cannot be 0. */
        bool zero = text && strcmp(text, "0") == 0;
        bool off = zero && (row->type == TYPE_FLAG || row->min > 0.0 || row->flags & OPTION_OPEN_MIN);
        if (!text || off) {
            free(text);
            continue;
        }
        if (!settings_own(set, text)) return false;
        const char *value = row->type == TYPE_FLAG ? "true" : text;
        if (!settings_set(set, row, value, FROM_CONFIG, "run.json: ")) return false;
    }
    return true;
}
