/* SPDX-License-Identifier: MIT
 *
 * What the program prints where no device is needed: schedules, models, plugins, configuration, manual,
 * completion, documentation. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cli/spawn.h"

static void expect_output(const char *before, const char *arguments, const char *wanted)
{
    spawned s = spawn(before, arguments);
    cr_expect_eq(s.code, 0, "lehr %s: %d: %s", arguments, s.code, s.err);
    cr_expect_str_eq(s.out, wanted, "lehr %s:\n%s", arguments, s.out);
    cr_expect_str_eq(s.err, "");
    spawn_free(&s);
}

#define NO_DEVICE "OCL_ICD_VENDORS=/nonexistent"

/* step(gamma 0.5 every 1ep): 0.8 * 0.5^floor(t / 2). */
Test(output, schedule_rows)
{
    expect_output(NO_DEVICE, "schedule show 'step(gamma=0.5, every=1ep)' --lr 0.8 --epochs 3 "
                  "--steps-per-epoch 2 --csv",
                  "step,epoch,lr\n0,0,0.8\n1,0.5,0.8\n2,1,0.4\n3,1.5,0.4\n4,2,0.2\n5,2.5,0.2\n");
    expect_output(NO_DEVICE, "schedule show 'warmup(2st) * constant()' --lr 10 --epochs 1 "
                  "--steps-per-epoch 4 --csv",
                  "step,epoch,lr\n0,0,5\n1,0.25,10\n2,0.5,10\n3,0.75,10\n");
    expect_output(NO_DEVICE, "schedule show 'constant()' --lr 0.25 --epochs 1 --steps-per-epoch 2",
                  "      step       epoch  lr\n         0      0.0000  0.25\n"
                  "         1      0.5000  0.25\n");
}

/* Every digit is there: reading the numbers back gives the same doubles. */
Test(output, schedule_rows_are_exact)
{
    spawned s = spawn(NO_DEVICE, "schedule show 'cosine(end=0)' --lr 0.1 --epochs 3 --steps-per-epoch 7 "
                      "--csv");
    char *line = strchr(s.out, '\n');
    unsigned rows = 0;
    for (; line && line[1]; line = strchr(line + 1, '\n'), rows++) {
        double step = 0, epoch = 0, lr = 0;
        cr_assert_eq(sscanf(line + 1, "%lf,%lf,%lf", &step, &epoch, &lr), 3);
        double wanted = 0.1 * (1 + cos(3.14159265358979323846 * step / 21)) / 2;
        cr_expect_eq(step, (double)rows);
        cr_expect_eq(epoch, step / 7);
        cr_expect(fabs(lr - wanted) <= 1e-16, "step %g: %.17g, wanted %.17g", step, lr, wanted);
    }
    cr_expect_eq(rows, 21);
    spawn_free(&s);
}

Test(output, schedule_plot)
{
    spawned s = spawn(NO_DEVICE " COLUMNS=60 TERM=dumb", "schedule plot 'warmup(1ep) * cosine(end=0)' "
                      "--epochs 5 --svg lr.svg");
    cr_expect_eq(s.code, 0, "%s", s.err);
    cr_expect(strstr(s.out, "epoch") && strstr(s.out, "warmup"), "%s", s.out);
    for (const char *c = s.out; *c; c++) cr_assert((unsigned char)*c < 0x80, "not ASCII: %s", s.out);
    spawn_free(&s);
    s = spawn_shell("cat lr.svg");
    cr_expect(strncmp(s.out, "<svg", 4) == 0 && strstr(s.out, "</svg>"), "%.200s", s.out);
    spawn_free(&s);
    s = spawn(NO_DEVICE " LC_ALL=C.UTF-8 TERM=xterm COLUMNS=70", "schedule plot 'cosine(end=0)'");
    cr_expect(strstr(s.out, "\xe2"), "no UTF-8: %s", s.out);
    cr_expect_null(strchr(s.out, '\033'), "colour in a pipe");
    spawn_free(&s);
    s = spawn(NO_DEVICE, "schedule plot 'momentum: expr(\"base - step / 1000\")' --lr 0.5 --epochs 6 "
                         "--steps-per-epoch 100");
    cr_expect_eq(s.code, 0, "%s", s.err);
    cr_expect(strstr(s.out, "momentum\n") && strstr(s.out, "base 0.5"), "%s", s.out);
    cr_expect(strstr(s.err, "warning: ") && strstr(s.err, "gives -0.001 for update 501"), "%s", s.err);
    spawn_free(&s);
    s = spawn(NO_DEVICE, "schedule plot 'constant() * step(gamma=0, every=1ep)'");
    cr_expect(strstr(s.err, "warning") && strstr(s.err, "0 for the last"), "%s", s.err);
    spawn_free(&s);
}

static json_t *json_of(const char *before, const char *arguments)
{
    json_error_t error;
    spawned s = spawn(before, arguments);
    cr_assert_eq(s.code, 0, "lehr %s: %s", arguments, s.err);
    json_t *json = json_loads(s.out, 0, &error);
    cr_assert_not_null(json, "lehr %s: line %d: %s\n%s", arguments, error.line, error.text, s.out);
    spawn_free(&s);
    return json;
}

static const char *text_of(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    cr_assert_not_null(text, "no text '%s'", key);
    return text;
}

Test(output, models)
{
    json_t *models = json_of(NO_DEVICE, "models --json"), *model;
    size_t i;
    unsigned known = 0;
    json_array_foreach(models, i, model)
    {
        json_int_t parameters = json_integer_value(json_object_get(model, "parameters"));
        cr_expect_gt(json_integer_value(json_object_get(model, "forward_flops")), parameters);
        if (strcmp(text_of(model, "name"), "tutorial") == 0) {
            cr_expect_eq(parameters, 122570);
            known++;
        }
    }
    cr_expect_eq(known, 1);
    cr_expect_geq(json_array_size(models), 5);
    json_decref(models);
    spawned s = spawn(NO_DEVICE, "models");
    cr_expect(strstr(s.out, "tutorial") && strstr(s.out, "122,570"), "%s", s.out);
    spawn_free(&s);
}

/* What --dump prints is a model file that can be used. */
Test(output, dumped_model_is_a_model)
{
    spawned s = spawn_shell("\"$LEHR\" models --dump vgg6 >a.model && \"$LEHR\" models --dump ./a.model "
                            ">b.model && cmp a.model b.model && wc -l <a.model");
    cr_expect_eq(s.code, 0, "%s%s", s.out, s.err);
    cr_expect_gt(atoi(s.out), 10);
    spawn_free(&s);
}

Test(output, plugins)
{
    json_t *plugins = json_of(NO_DEVICE, "plugin list --json"), *plugin;
    size_t i;
    unsigned schedules = 0, optimizers = 0, cosine = 0;
    json_array_foreach(plugins, i, plugin)
    {
        json_t *offered = json_object_get(plugin, "schedules");
        cr_expect_eq(strlen(text_of(plugin, "sha256")), 64);
        cr_expect_eq(text_of(plugin, "path")[0], '/');
        cr_expect_neq(text_of(plugin, "version")[0], '\0');
        schedules += json_array_size(offered);
        optimizers += json_array_size(json_object_get(plugin, "optimizers"));
        const char *name = json_string_value(json_array_get(offered, 0));
        if (name && strcmp(name, "cosine") == 0) cosine += strstr(text_of(plugin, "path"), "cosine") != 0;
    }
    cr_expect_eq(cosine, 1);
    cr_expect_geq(schedules, 10);
    cr_expect_geq(optimizers, 6);
    json_decref(plugins);
}

Test(output, catalogues)
{
    spawned s = spawn(NO_DEVICE, "schedule list");
    static const char *const schedules[] = {"constant", "step", "multistep", "exponential", "time",
                                            "polynomial", "linear", "cosine", "warmup", "plateau"};
    for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++)
        cr_expect(strstr(s.out, schedules[i]), "schedule list has no %s", schedules[i]);
    spawn_free(&s);
    s = spawn(NO_DEVICE, "schedule list multistep");
    cr_expect(strstr(s.out, "milestones") && strstr(s.out, "default"), "no parameters: %s", s.out);
    spawn_free(&s);
    s = spawn(NO_DEVICE, "plugin list");
    cr_expect(strstr(s.out, "org.lehr.cosine") && strstr(s.out, "schedule cosine"), "%s", s.out);
    spawn_free(&s);
    s = spawn(NO_DEVICE, "optimizer list");
    static const char *const optimizers[] = {"sgd", "adagrad", "adadelta", "rmsprop", "adam", "adamw",
                                             "lion", "0.002", "w -= lr"};
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++)
        cr_expect(strstr(s.out, optimizers[i]), "optimizer list has no %s", optimizers[i]);
    spawn_free(&s);
    s = spawn(NO_DEVICE, "optimizer list sgd keras3:adam");
    cr_expect_eq(s.code, 2, "a preset is no name");
    spawn_free(&s);
    s = spawn(NO_DEVICE, "optimizer list sgd adam");
    cr_expect(strstr(s.out, "nesterov") && strstr(s.out, "keras3:adam") && strstr(s.out, "default lr"),
              "%s", s.out);
    spawn_free(&s);
}

/* ---- configuration ---- */

Test(output, configuration_round_trips)
{
    spawned s = spawn_shell(
        "\"$LEHR\" compare --data 'cifar10:a \"b\" \\c' --method 'x: lr=1' --method 'y: lr=2' --batch 32 "
        "--no-shuffle --clip-norm 0.5 --dump-config >a.toml && "
        "\"$LEHR\" compare --config a.toml --dump-config >b.toml && cmp a.toml b.toml && cat b.toml");
    cr_expect_eq(s.code, 0, "%s", s.err);
    cr_expect(strstr(s.out, "batch = 32\n"), "%s", s.out);
    cr_expect(strstr(s.out, "data = \"cifar10:a \\\"b\\\" \\\\c\"\n"), "%s", s.out);
    cr_expect(strstr(s.out, "method = [\"x: lr=1\", \"y: lr=2\"]\n"), "%s", s.out);
    cr_expect(strstr(s.out, "no-shuffle = true\n"), "%s", s.out);
    spawn_free(&s);
}

Test(output, command_line_wins_over_configuration)
{
    spawned s = spawn_shell("printf '# c\\n lr = 0.5 # c\\nbatch=64\\nschedule = '\"'cosine(end=0)'\"'\\n' "
                            ">c.toml\n"
                            "\"$LEHR\" train --batch 32 --config c.toml --dump-config");
    cr_expect_eq(s.code, 0, "%s", s.err);
    cr_expect(strstr(s.out, "batch = 32\n") && strstr(s.out, "lr = 0.5\n") &&
                  strstr(s.out, "schedule = \"cosine(end=0)\"\n"), "%s", s.out);
    spawn_free(&s);
}

/* Several schedules: the default gives way, a file's list too when the command line names any. */
Test(output, repeated_options)
{
    static const struct {
        const char *options, *line;
    } rows[] = {
        {"", "schedule = \"constant()\"\n"},
        {"--schedule 'momentum: linear()'", "schedule = \"momentum: linear()\"\n"},
        {"--schedule 'cosine()' --schedule 'momentum: linear()'",
         "schedule = [\"cosine()\", \"momentum: linear()\"]\n"},
        {"--config c.toml", "schedule = [\"a()\", \"momentum: b()\"]\n"},
        {"--config c.toml --schedule 'cosine()'", "schedule = \"cosine()\"\n"},
        {"--config c.toml", "group = \"bias: lr*2\"\n"},
        {"--config c.toml --group 'bias: lr*3' --group 'norm: lr*4'",
         "group = [\"bias: lr*3\", \"norm: lr*4\"]\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char command[512];
        snprintf(command, sizeof command,
                 "printf 'schedule = [\"a()\", \"momentum: b()\"]\\ngroup = \"bias: lr*2\"\\n' >c.toml\n"
                 "\"$LEHR\" train %s --dump-config", rows[i].options);
        spawned s = spawn_shell(command);
        cr_expect_eq(s.code, 0, "%s", s.err);
        cr_expect(strstr(s.out, rows[i].line), "%s: no %s in %s", rows[i].options, rows[i].line, s.out);
        spawn_free(&s);
    }
}

Test(output, parameters_of_a_model)
{
    spawned s = spawn_shell("\"$LEHR\" models tutorial");
    cr_expect_eq(s.code, 0, "%s", s.err);
    cr_expect(strstr(s.out, "conv1.weight                      weight           864  32x3x3x3\n"),
              "%s", s.out);
    spawn_free(&s);
}

Test(output, wrong_configurations)
{
    static const struct {
        const char *text, *word;
    } cases[] = {
        {"batsh = 3", "did you mean batch"}, {"batch 3", "'=' is missing"},
        {"batch =", "value is missing"},     {"batch = 0", "c.toml:1: batch: '0'"},
        {"\\n\\nlr = -1", "c.toml:3: lr"},    {"data = synthetic", "needs quotes"},
        {"data = \"x", "no closing quote"},  {"[section]", "sections"},
        {"batch = 3 4", "unexpected text"},  {"batch = 3\\nbatch = 4", "twice"},
        {"batch = [3]", "not a list"},       {"plugin = [\"a\"", "no closing ]"},
        {"resume = \"x\"", "unknown name 'resume'"}, {"help = true", "unknown name 'help'"},
        {"no-shuffle = 1", "neither true nor false"}, {"data = \"a\\\\q\"", "escape"},
    };
    char text[512];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, "printf '%s\\n' >c.toml; \"$LEHR\" train --config c.toml", cases[i].text);
        spawned s = spawn_shell(text);
        cr_expect_eq(s.code, 2, "%s: %d", cases[i].text, s.code);
        cr_expect(strstr(s.err, cases[i].word) && strstr(s.err, "c.toml:"), "%s: %s", cases[i].text, s.err);
        spawn_free(&s);
    }
}

/* ---- manual, completion, documentation ---- */

Test(output, manual_page)
{
    spawned s = spawn_shell("\"$LEHR\" --dump-man >lehr.1 && cat lehr.1");
    cr_expect(strstr(s.out, ".TH LEHR 1") && strstr(s.out, ".SH EXIT STATUS") &&
                  strstr(s.out, "\\-\\-label\\-smoothing"), "%.300s", s.out);
    spawn_free(&s);
    s = spawn_shell("if command -v man >/dev/null && command -v groff >/dev/null; then "
                    "man --warnings -l lehr.1 >/dev/null; else echo skipped; fi");
    cr_expect_str_eq(s.err, "");
    if (strstr(s.out, "skipped")) fprintf(stderr, "man and groff are not there: page not formatted\n");
    spawn_free(&s);
}

Test(output, completion)
{
    static const struct {
        const char *words, *wanted;
    } cases[] = {
        {"lehr tr", "train"},
        {"lehr schedule sh", "show"},
        {"lehr schedule show --steps", "--steps-per-epoch"},
        {"lehr train --progress b", "bar"},
        {"lehr train --lab", "--label-smoothing"},
        {"lehr compare --pre", "--preset"},
    };
    char text[1024];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text,
                 "\"$LEHR\" --dump-completion >complete.sh && bash -c '. ./complete.sh; COMP_WORDS=(%s); "
                 "COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _lehr; echo \"${COMPREPLY[@]}\"'", cases[i].words);
        spawned s = spawn_shell(text);
        cr_expect(strncmp(s.out, cases[i].wanted, strlen(cases[i].wanted)) == 0 &&
                      s.out[strlen(cases[i].wanted)] == '\n', "%s: %s%s", cases[i].words, s.out, s.err);
        spawn_free(&s);
    }
}

Test(output, documentation_is_current)
{
    spawned s = spawn_shell("\"$LEHR\" --dump-markdown | cmp - '" LEHR_TEST_SOURCE_DIR "/docs/cli.md'");
    cr_expect_eq(s.code, 0, "docs/cli.md differs; run: lehr --dump-markdown >docs/cli.md\n%s%s", s.out,
                 s.err);
    spawn_free(&s);
}

/* ---- environment ---- */

/* Locales with a decimal comma, compiled into the test's directory where the machine has none. */
static bool has_comma_locale(char *environment, size_t size)
{
    spawned s = spawn_shell("test \"$(LC_ALL=de_DE.UTF-8 locale decimal_point 2>/dev/null)\" = ,");
    bool installed = s.code == 0;
    spawn_free(&s);
    snprintf(environment, size, "%s", installed ? "" : "LOCPATH=. ");
    if (installed) return true;
    s = spawn_shell("localedef -i de_DE -f UTF-8 ./de_DE.UTF-8 >/dev/null 2>&1; "
                    "test \"$(LOCPATH=$PWD LC_ALL=de_DE.UTF-8 locale decimal_point)\" = ,");
    bool made = s.code == 0;
    spawn_free(&s);
    return made;
}

Test(output, locale_changes_nothing)
{
    static const char *const locales[] = {"LC_ALL=de_DE.UTF-8", "LC_NUMERIC=de_DE.UTF-8 LC_ALL=",
                                          "LC_ALL= LANG=de_DE.UTF-8"};
    char before[128], where[32];
    if (!has_comma_locale(where, sizeof where))
        cr_skip_test("no locale with a decimal comma and no localedef to make one (package locales)");
    for (size_t i = 0; i < sizeof locales / sizeof *locales; i++) {
        snprintf(before, sizeof before, "%s%s", where, locales[i]);
        expect_output(before, "schedule show 'step(gamma=0.5, every=1st)' --lr 0.1 --epochs 1 "
                      "--steps-per-epoch 2 --csv", "step,epoch,lr\n0,0,0.1\n1,0.5,0.05\n");
    }
}

Test(output, doctor_without_devices)
{
    spawned s = spawn(NO_DEVICE, "doctor");
    cr_expect_eq(s.code, 3);
    cr_expect(strstr(s.out, "OCL_ICD_VENDORS") && strstr(s.out, "no driver is registered") &&
                  strstr(s.out, "optimizers"), "%s", s.out);
    spawn_free(&s);
    s = spawn_shell("mkdir icd && echo libnothing.so >icd/x.icd; OCL_ICD_VENDORS=$PWD/icd \"$LEHR\" doctor");
    cr_expect(strstr(s.out, "libnothing.so does not load"), "%s", s.out);
    spawn_free(&s);
}
