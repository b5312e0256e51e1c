/* SPDX-License-Identifier: MIT
 *
 * plugin info and plugin new: what is shown of built-in and foreign plugins, and that what is written
 * compiles in an empty directory, loads and is never overwritten. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "tests/cli/spawn.h"

#define NO_DEVICE "OCL_ICD_VENDORS=/nonexistent"

typedef struct expectation {
    const char *arguments;
    int code;
    const char *words; /* that must be in output or message, separated by '|' */
} expectation;

static void expect(const expectation *e)
{
    char words[512];
    spawned s = spawn_without_devices(e->arguments);
    cr_expect_eq(s.code, e->code, "lehr %s: %d, not %d: %s", e->arguments, s.code, e->code, s.err);
    cr_expect(e->code == 0 ? !*s.err : !*s.out, "lehr %s: %s%s", e->arguments, s.out, s.err);
    snprintf(words, sizeof words, "%s", e->words);
    for (char *word = strtok(words, "|"); word; word = strtok(NULL, "|"))
        cr_expect(strstr(e->code ? s.err : s.out, word), "lehr %s: no '%s' in\n%s%s", e->arguments,
                  word, s.out, s.err);
    spawn_free(&s);
}

#define COSINE LEHR_TEST_PLUGIN_DIR "/lehr-cosine.so"

Test(plugin, info)
{
    static const expectation rows[] = {
        {"plugin info adamw", 0,
         "org.lehr.adam|(built in)|sha256|lehr-adam.so|optimizer adamw|formula|0 to below 1|default "
         "0.9|may be scheduled|keras3:adamw|tf.keras|8 bytes per weight|only with amsgrad|1 pass"},
        {"plugin info plateau", 0, "schedule plateau|val.loss|one of|state|starts at 1|torch:plateau"},
        {"plugin info 'keras3:adam(beta1=0.95)'", 0, "optimizer adam\n"},
        {"plugin info org.lehr.cosine", 0, "schedule cosine"},
        {"plugin info " COSINE, 0, "schedule cosine|abi            1.0"},
        {"plugin info adm", 2, "'adm'|did you mean 'adam'"},
        {"plugin info nothing-like-this", 2, "plugin list"},
        {"plugin info ./lehr-none.so", 9, "No such file"},
        {"plugin info none.so", 9, "No such file"},
        {"plugin info " LEHR_TEST_SOURCE_DIR "/meson.build", 9, "not an ELF file"},
        {"plugin info --no-plugins " COSINE, 2, "turned off"},
        {"plugin list --no-plugins --plugin " COSINE, 2, "leave out --no-plugins"},
        {"plugin info cosine --no-plugins", 0, "schedule cosine"},
        {"plugin info", 2, "NAME|FILE"},
        {"plugin info adam sgd", 2, "unexpected argument 'sgd'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) expect(&rows[i]);
}

Test(plugin, source)
{
    spawned s = spawn("", "plugin source 'sgd(momentum=0.9, nesterov=1)'");
    cr_expect_eq(s.code, 0, "%s", s.err);
    static const char *const parts[] = {"optimizer sgd", "__kernel", "#line 1 \"optimizer sgd, pass 1\"",
                                        "momentum * velocity"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        cr_expect(strstr(s.out, parts[i]), "no '%s' in %s", parts[i], s.out);
    spawned other = spawn("LEHR_TRAITS=family=gpu", "plugin source 'sgd(momentum=0.9, nesterov=1)'");
    cr_expect(other.code == 0 && strcmp(s.out, other.out) != 0, "the same for both kinds of device");
    spawn_free(&s);
    spawn_free(&other);
    static const expectation rows[] = {
        {"plugin source adm", 3, "no OpenCL"},
        {"plugin source", 2, "NAME|SPEC"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) expect(&rows[i]);
    s = spawn("", "plugin source adm");
    cr_expect(s.code == 2 && strstr(s.err, "did you mean 'adam'") && !*s.out, "%d %s", s.code, s.err);
    spawn_free(&s);
    s = spawn("", "plugin source 'adam(beta1=2)'");
    cr_expect(s.code == 2 && strstr(s.err, "beta1") && !*s.out, "%d %s", s.code, s.err);
    spawn_free(&s);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

Test(plugin, info_as_json)
{
    json_error_t error;
    spawned s = spawn_without_devices("plugin info sgd --json");
    json_t *list = json_loads(s.out, 0, &error), *plugin = json_array_get(list, 0);
    cr_assert_not_null(plugin, "%s: %s", error.text, s.out);
    cr_expect_eq(json_array_size(list), 1);
    cr_expect_str_eq(text_of(plugin, "id"), "org.lehr.sgd");
    cr_expect_str_eq(text_of(plugin, "abi"), "1.0");
    cr_expect(json_is_true(json_object_get(plugin, "built_in")));
    cr_expect_eq(strlen(text_of(plugin, "sha256")), 64);
    json_t *sgd = json_array_get(json_object_get(plugin, "optimizers"), 0), *p;
    unsigned found = 0;
    size_t i;
    json_array_foreach(json_object_get(sgd, "parameters"), i, p)
    {
        if (strcmp(text_of(p, "name"), "momentum") != 0) continue;
        found++;
        cr_expect_str_eq(text_of(p, "default"), "0");
        cr_expect(json_is_true(json_object_get(p, "schedulable")));
        cr_expect_eq(json_number_value(json_object_get(p, "min")), 0);
    }
    cr_expect_eq(found, 1);
    cr_expect_eq(json_integer_value(json_object_get(sgd, "bytes_per_weight")), 0,
                 "plain SGD keeps nothing");
    cr_expect(json_array_size(json_object_get(sgd, "presets")) > 0);
    json_decref(list);
    spawn_free(&s);
}

Test(plugin, new_refuses)
{
    static const expectation rows[] = {
        {"plugin new", 2, "schedule|optimizer"},
        {"plugin new schedule", 2, "NAME"},
        {"plugin new scheduler x", 2, "neither schedule nor optimizer"},
        {"plugin new schedule Bad", 2, "'Bad' is no name"},
        {"plugin new schedule 1x", 2, "no name"},
        {"plugin new schedule a/b", 2, "no name"},
        {"plugin new schedule a23456789012345678901234567890123", 2, "at most 31"},
        {"plugin new schedule clip", 2, "'clip' is a word of the schedule language"},
        {"plugin new schedule cosine", 2, "'cosine' exists already"},
        {"plugin new optimizer adam", 2, "'adam' exists already"},
        {"plugin new optimizer fine --dir no/such/parent", 7, "cannot be made"},
        {"plugin new optimizer fine --dir /proc/self/status", 7, "cannot be made"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) expect(&rows[i]);
    spawned s = spawn_shell("mkdir -p kept && echo mine >kept/Makefile && "
                            "! \"$LEHR\" plugin new schedule kept && test ! -e kept/lehr-kept.c && "
                            "cat kept/Makefile");
    cr_expect_eq(s.code, 0, "%s", s.err);
    cr_expect_str_eq(s.out, "mine\n");
    cr_expect(strstr(s.err, "kept/Makefile exists already"), "%s", s.err);
    spawn_free(&s);
}

/* What is written compiles without a warning, loads, and the schedule gives what it says; also in a
 * directory with a space in its name. */
Test(plugin, new_schedule_works)
{
    spawned s = spawn_shell(
        "unset PKG_CONFIG_PATH\n\"$LEHR\" plugin new schedule halve --dir 'a b' >log && cd 'a b' && "
        "make CFLAGS='-O2 -Wall -Wextra -Wpedantic -Werror' >&2 && \"$LEHR\" schedule show 'halve()' "
        "--plugin ./lehr-halve.so --lr 0.8 --epochs 2 --steps-per-epoch 2 --csv");
    cr_expect_eq(s.code, 0, "%s", s.err);
    cr_expect_str_eq(s.out, "step,epoch,lr\n0,0,0.8\n1,0.5,0.8\n2,1,0.4\n3,1.5,0.4\n");
    spawn_free(&s);
    s = spawn_shell("cd 'a b' && \"$LEHR\" plugin info lehr-halve.so && make clean >/dev/null && ls");
    cr_expect(strstr(s.out, "org.example.halve  0.1\n"), "%s%s", s.out, s.err);
    cr_expect(strstr(s.out, "\nMakefile\nlehr-halve.c\n") && !strstr(s.out, "\nlehr-halve.so\n"), "%s",
              s.out);
    spawn_free(&s);
}

/* make install puts it where it is found by name; what it writes trains. */
Test(plugin, new_optimizer_works)
{
    spawned s = spawn_shell(
        "export XDG_DATA_HOME=\"$PWD/share\"\n\"$LEHR\" plugin new optimizer heavy >log && cd heavy && "
        "make CFLAGS='-O2 -Wall -Wextra -Wpedantic -Werror' >&2 && umask 022 && make install >&2 && cd .. &&"
        " \"$LEHR\" plugin info heavy && \"$LEHR\" train --optimizer 'heavy(momentum=0.5)' --data "
        "synthetic:n=300,test=100 --batch 32 --epochs 1 --out run >log && "
        "grep '^plugin ' log && grep -c org.example.heavy run/run.json");
    cr_expect_eq(s.code, 0, "%s", s.err);
    cr_expect(strstr(s.out, "share/lehr/plugins/lehr-heavy.so") && strstr(s.out, "4 bytes per weight") &&
                  strstr(s.out, "plugin      org.example.heavy 0.1: /") && strstr(s.out, ", SHA-256 "),
              "%s", s.out);
    spawn_free(&s);
}
