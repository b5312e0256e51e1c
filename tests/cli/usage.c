/* SPDX-License-Identifier: MIT
 *
 * Wrong command lines: each must end with its exit code, a message on standard error that names the
 * thing and nothing on standard output.  Also --help of everything. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/cli/spawn.h"

typedef struct wrong {
    const char *arguments;
    int code;
    const char *word; /* in the message; several separated by '|' must all be there */
} wrong;

static const wrong table[] = {
    /* commands */
    {"", 2, "Commands"},
    {"trian", 2, "did you mean 'lehr train'"},
    {"TRAIN", 2, "unknown command 'TRAIN'|train"},
    {"zzzzzz", 2, "unknown command|devices"},
    {"schedule", 2, "second word|show"},
    {"schedule --csv", 2, "second word"},
    {"schedule shw", 2, "shw|did you mean 'lehr schedule show'"},
    {"plugin", 2, "second word|list"},
    {"plugin lst", 2, "lst"},
    {"optimizer", 2, "second word"},
    {"device", 2, "did you mean 'lehr devices'"},
    {"model", 2, "did you mean 'lehr models'"},
    {"--data x train", 2, "before the command"},
    {"--quiet", 2, "before the command"},
    {"-z", 2, "before the command"},
    {"help nothing", 2, "unknown command 'nothing'"},
    {"''", 2, "unknown command"},
    /* options */
    {"train --optimiser adam", 2, "--optimizer"},
    {"train --learning-rate 0.1", 2, "unknown option --learning-rate"},
    {"train --LR 1", 2, "unknown option --LR|--lr"},
    {"train --bach 12", 2, "did you mean --batch"},
    {"train --batch-size 12", 2, "--batch"},
    {"train -x", 2, "unknown option -x"},
    {"train --csv", 2, "other commands"},
    {"train --seeds 3", 2, "--seed"},
    {"train --=3", 2, "unknown option --"},
    {"train ---lr 3", 2, "unknown option"},
    {"devices --device 0", 2, "unknown option --device"},
    {"models --lr 1", 2, "unknown option --lr"},
    {"compare --optimizer adam", 2, "unknown option --optimizer"},
    {"compare --lr 0.1", 2, "unknown option --lr"},
    {"compare --resume x", 2, "unknown option --resume"},
    {"find-lr --lr 0.1", 2, "unknown option --lr"},
    {"find-lr --epochs 3", 2, "unknown option --epochs"},
    {"find-lr --schedule 'cosine()'", 2, "unknown option --schedule"},
    {"find_lr", 2, "did you mean 'lehr find-lr'"},
    {"time --epochs 3", 2, "unknown option --epochs"},
    {"eval --epochs 3", 2, "unknown option --epochs"},
    /* arguments */
    {"train synthetic", 2, "unexpected argument 'synthetic'"},
    {"devices cpu", 2, "unexpected argument 'cpu'"},
    {"models tutorial mlp", 2, "unexpected argument 'mlp'"},
    {"models tutoriall", 2, "no built-in model 'tutoriall'"},
    {"train --data synthetic --group ''", 2, "the value is empty"},
    {"compare --data synthetic --method 'a: groop=bias: lr*2'", 2, "unknown part 'groop'"},
    {"schedule show", 2, "SPEC' is missing"},
    {"schedule plot", 2, "SPEC' is missing"},
    {"schedule show 'constant()' extra", 2, "unexpected argument 'extra'|quote"},
    {"schedule show 'warmup(5ep)' '*' 'cosine()'", 2, "quote"},
    {"train -- --lr", 2, "unexpected argument '--lr'"},
    /* values that are missing */
    {"train --data", 2, "--data needs a value"},
    {"train --batch", 2, "--batch needs a value; type: --batch 128"},
    {"train --batch --lr 1", 2, "--batch needs a value"},
    {"train --out --quiet", 2, "--out needs a value"},
    {"train -o", 2, "--out needs a value"},
    {"train --progress", 2, "--progress needs a value|bar|lines"},
    {"train --data=", 2, "data: the value is empty"},
    {"train --model ''", 2, "model: the value is empty"},
    {"train --out=", 2, "out: the value is empty"},
    /* numbers */
    {"train --epochs 0", 2, "epochs: '0' is not a whole number from 1"},
    {"train --epochs -3", 2, "epochs: '-3'"},
    {"train --epochs 1.5", 2, "epochs: '1.5'"},
    {"train --epochs 1e3", 2, "epochs: '1e3'"},
    {"train --epochs ten", 2, "epochs: 'ten'"},
    {"train --epochs ' 3'", 2, "epochs"},
    {"train --epochs 3x", 2, "epochs: '3x'"},
    {"train --epochs 99999999999999999999", 2, "epochs"},
    {"train --batch 0", 2, "batch: '0'|default is 128"},
    {"train --batch 65537", 2, "batch: '65537'|65536"},
    {"train --batch 0x10", 2, "batch: '0x10'"},
    {"train --accumulate 0", 2, "accumulate: '0'"},
    {"train --seed -1", 2, "seed: '-1'"},
    {"train --seed 18446744073709551616", 2, "seed"},
    {"train --limit-train 0", 2, "limit-train: '0'"},
    {"train --limit-val many", 2, "limit-val: 'many'"},
    {"train --max-steps 0", 2, "max-steps: '0'"},
    {"train --early-stop 0", 2, "early-stop: '0'"},
    {"compare --seeds 0", 2, "seeds: '0'"},
    {"compare --seeds 1001", 2, "seeds: '1001'|1000"},
    {"time --steps 0", 2, "steps: '0'"},
    {"find-lr --steps 9", 2, "steps: '9'|from 10|default is 100"},
    {"find-lr --seeds 0", 2, "seeds: '0'"},
    {"find-lr --lr-min 0", 2, "lr-min: '0'|default is 1e-7"},
    {"find-lr --lr-max inf", 2, "lr-max: 'inf'"},
    {"train --lr 0", 2, "lr: '0' is not a number above 0"},
    {"train --lr -0.1", 2, "lr: '-0.1'"},
    {"train --lr nan", 2, "lr: 'nan'"},
    {"train --lr inf", 2, "lr: 'inf'"},
    {"train --lr 0,1", 2, "lr: '0,1'"},
    {"train --lr 1e999", 2, "lr: '1e999'"},
    {"train --lr 0.1x", 2, "lr: '0.1x'"},
    {"train --val-fraction 1", 2, "val-fraction: '1'|less than 1"},
    {"train --val-fraction -0.1", 2, "val-fraction: '-0.1'"},
    {"train --val-fraction 10%", 2, "val-fraction: '10%'"},
    {"train --weight-decay -1", 2, "weight-decay: '-1'|0 or more"},
    {"train --clip-norm 0", 2, "clip-norm: '0'|above 0"},
    {"train --clip-value nan", 2, "clip-value: 'nan'"},
    {"train --label-smoothing 1", 2, "label-smoothing: '1'"},
    {"schedule show 'constant()' --lr 0", 2, "lr: '0'"},
    {"schedule show 'constant()' --steps-per-epoch 0", 2, "steps-per-epoch: '0'"},
    {"schedule show 'constant()' --epochs 1000001", 2, "epochs|1000000"},
    /* choices and durations */
    {"train --progress pretty", 2, "progress: 'pretty' is not one of bar|lines|json|none"},
    {"train --loss mse", 2, "loss: 'mse' is not one of cross_entropy"},
    {"train --normalize imagenet", 2, "normalize: 'imagenet'"},
    {"eval --part validation", 2, "part: 'validation' is not one of test"},
    {"train --checkpoint-every 1", 2, "checkpoint-every: '1' is not a duration|unit"},
    {"train --checkpoint-every 1epoch", 2, "'1epoch' is not a duration"},
    {"train --checkpoint-every ep", 2, "'ep' is not a duration"},
    {"train --checkpoint-every 0ep", 2, "'0ep' is not a duration"},
    {"train --checkpoint-every -1ep", 2, "'-1ep' is not a duration"},
    {"train --checkpoint-every never", 2, "'never' is not a duration"},
    {"train --no-shuffle=maybe", 2, "no-shuffle: 'maybe' is neither true nor false"},
    /* twice */
    {"train --lr 1 --lr 2", 2, "--lr is given twice, as 1 and as 2"},
    {"train --data a --data b", 2, "--data is given twice"},
    {"train -o a --out b", 2, "--out is given twice"},
    /* what a command cannot do without */
    {"train", 2, "--data is missing|synthetic"},
    {"compare", 2, "--data is missing"},
    {"find-lr", 2, "--data is missing"},
    {"find-lr --data synthetic --lr-min 1 --lr-max 0.1", 2, "--lr-min 1 is not below --lr-max 0.1"},
    {"find-lr --data synthetic --csv --json", 2, "--csv and --json"},
    {"eval", 2, "--data is missing"},
    {"eval --data synthetic", 2, "--weights is missing"},
    {"compare --data synthetic", 2, "no methods|--preset tutorial"},
    /* configuration files */
    {"train --config none.toml", 2, "none.toml cannot be read"},
    {"train --config .", 2, "cannot be read"},
    /* names */
    {"models --dump nothing", 2, "nothing|vgg6"},
    {"time --model nothing", 2, "nothing|vgg6"},
    {"train --data synthetic --model nothing", 2, "nothing|tutorial"},
    {"train --data synthetic --optimizer adm", 2, "adm|adam"},
    {"train --data synthetic --optimizer 'adam('", 2, "adam"},
    {"find-lr --data synthetic --optimizer adm", 2, "adm|adam"},
    {"train --data synthetic --optimizer 'adam(beta1=2)'", 2, "beta1"},
    {"train --data synthetic --optimizer 'adam(beta9=0.5)'", 2, "beta9"},
    {"compare --data synthetic --preset other", 2, "other|tutorial"},
    {"compare --data synthetic --method 'optimizer=sgd; lr=1'", 2, "has no name"},
    {"compare --data synthetic --method 'a: rate=1'", 2, "unknown part 'rate'"},
    {"compare --data synthetic --method 'a: lr=0'", 2, "lr '0'"},
    {"compare --data synthetic --method 'a: lr'", 2, "'lr' is not NAME=VALUE"},
    {"compare --data synthetic --method 'a: lr='", 2, "lr has no value"},
    {"compare --data synthetic --method ': lr=1'", 2, "cannot be a method's name"},
    {"compare --data synthetic --method 'a/b: lr=1'", 2, "cannot be a method's name"},
    {"compare --data synthetic --method 'a: lr=1' --method 'a: lr=2'", 2, "named 'a'"},
    {"schedule show 'cosin()'", 2, "cosin|cosine"},
    {"schedule show ''", 2, ""},
    {"schedule show 'step(gamma=0.5'", 2, "step"},
    {"schedule show 'step(gamma=0.5, every=10)'", 2, "every|ep"},
    {"schedule show 'step(gama=0.5, every=1ep)'", 2, "gama|gamma"},
    {"schedule show 'cosine() *'", 2, ""},
    {"schedule plot 'nothing()'", 2, "nothing"},
    {"schedule plot 'constant()' --svg /nonexistent/x.svg", 7, "/nonexistent/x.svg cannot be written"},
    /* plugins */
    {"plugin list none.so", 9, "none.so"},
    {"schedule list --plugin /etc/passwd", 9, "passwd"},
    /* no device */
    {"devices", 3, "no OpenCL device|pocl-opencl-icd"},
    {"devices --json", 3, "no OpenCL device"},
    {"time --model tutorial", 3, "no OpenCL device"},
    {"train --data synthetic", 3, "no OpenCL device|OCL_ICD_VENDORS"},
    {"compare --data synthetic --preset tutorial", 3, "no OpenCL device"},
    {"find-lr --data synthetic", 3, "no OpenCL device"},
    {"eval --data synthetic --weights /dev/null --model tutorial", 3, "no OpenCL device"},
    {"eval --data synthetic --weights x.safetensors --model tutorial", 5, "x.safetensors cannot be read"},
    {"train --resume nothing", 3, "no OpenCL device"},
};

static int contains_all(const char *text, const char *words)
{
    char copy[256], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", words);
    for (char *word = strtok_r(copy, "|", &rest); word; word = strtok_r(NULL, "|", &rest))
        if (!strstr(text, word)) return 0;
    return 1;
}

Test(usage, wrong_command_lines)
{
    size_t count = sizeof table / sizeof *table;
    cr_assert_geq(count, 100);
    for (size_t i = 0; i < count; i++) {
        const wrong *w = &table[i];
        spawned s = spawn_without_devices(w->arguments);
        cr_expect_eq(s.code, w->code, "lehr %s: exit code %d, wanted %d: %s", w->arguments, s.code,
                     w->code, s.err);
        cr_expect(contains_all(s.err, w->word), "lehr %s: no '%s' in: %s", w->arguments, w->word, s.err);
        cr_expect_str_eq(s.out, "", "lehr %s prints on standard output: %s", w->arguments, s.out);
        cr_expect(strncmp(s.err, "lehr", 4) == 0 || i == 0, "lehr %s: message is: %s", w->arguments,
                  s.err);
        spawn_free(&s);
    }
    spawned s = spawn_shell("ls -A | grep -v '^[.]'");
    cr_expect_str_eq(s.out, "", "a refused command left files behind: %s", s.out);
    spawn_free(&s);
}

Test(usage, output_that_cannot_be_written)
{
    static const char *const arguments[] = {"models", "train --help",
                                            "schedule show 'constant()' --csv"};
    struct stat info;
    /* Where it is missing, a redirection would make a regular file of that name. */
    if (stat("/dev/full", &info) != 0 || !S_ISCHR(info.st_mode))
        cr_skip_test("/dev/full is no device here");
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++) {
        char line[128];
        snprintf(line, sizeof line, "%s >/dev/full", arguments[i]);
        spawned s = spawn_without_devices(line);
        cr_expect_eq(s.code, 7, "lehr %s: exit code %d: %s", line, s.code, s.err);
        cr_expect(strstr(s.err, "cannot be written"), "lehr %s: %s", line, s.err);
        spawn_free(&s);
    }
}

static const char *const commands[] = {
    "train", "compare", "find-lr", "eval", "time", "tune", "schedule list", "schedule show", "schedule plot",
    "optimizer list", "plugin list", "models", "devices", "doctor",
};

Test(usage, help_of_every_command)
{
    char arguments[128];
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        static const char *const forms[] = {"%s --help", "%s -h", "help %s", "%s --help --nothing-else=1"};
        for (size_t f = 0; f < 3; f++) {
            snprintf(arguments, sizeof arguments, forms[f], commands[i]);
            spawned s = spawn_without_devices(arguments);
            cr_expect_eq(s.code, 0, "lehr %s: %d: %s", arguments, s.code, s.err);
            cr_expect(strstr(s.out, "Usage: lehr") && strstr(s.out, commands[i]) &&
                          strstr(s.out, "Examples:"), "lehr %s: %s", arguments, s.out);
            cr_expect_str_eq(s.err, "");
            spawn_free(&s);
        }
    }
    spawned s = spawn_without_devices("--help");
    cr_expect_eq(s.code, 0);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        cr_expect(strstr(s.out, commands[i]), "--help does not list %s", commands[i]);
    spawn_free(&s);
}

/* No line is wider than the terminal, whatever its width. */
Test(usage, help_is_wrapped)
{
    spawned s = spawn("COLUMNS=78", "train --help");
    char *examples = strstr(s.out, "Examples:"); /* commands are not broken */
    cr_assert_not_null(examples);
    *examples = '\0';
    for (char *line = s.out; *line;) {
        size_t length = strcspn(line, "\n");
        cr_expect_leq(length, 78, "%.*s", (int)length, line);
        line += length + (line[length] == '\n');
    }
    spawn_free(&s);
}

Test(usage, version)
{
    spawned s = spawn("", "--version");
    cr_expect_eq(s.code, 0);
    cr_expect(strncmp(s.out, "lehr ", 5) == 0 && strchr(s.out, '.'), "%s", s.out);
    spawn_free(&s);
}
