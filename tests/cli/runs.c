/* SPDX-License-Identifier: MIT
 *
 * Runs at the command line: what train, eval, time and compare print and leave, in a pipe and on a
 * terminal; signals; resuming.  (Bits and curves are tested elsewhere.) */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "tests/cli/spawn.h"

static const char model[] = "printf 'input 3 32 32\\nconv 4 3x3\\nrelu\\nmaxpool 4\\nflatten\\ndense 10\\n' "
                            ">small.model;";

#define DATA "--data synthetic:n=640,test=128 --model small.model --batch 64 "

/* Runs "lehr ARGUMENTS" after the model file was written; expects success. */
static spawned run(const char *arguments)
{
    char text[2048];
    snprintf(text, sizeof text, "%s \"$LEHR\" %s", model, arguments);
    spawned s = spawn_shell(text);
    cr_assert_eq(s.code, 0, "lehr %s: %d: %s%s", arguments, s.code, s.out, s.err);
    return s;
}

static void expect_all(const char *text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) cr_expect(strstr(text, words[i]), "no '%s' in:\n%s", words[i], text);
}

#define EXPECT_ALL(text, ...)                                                                              \
    expect_all(text, (const char *const[]){__VA_ARGS__},                                                   \
               sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* How often a word is there. */
static unsigned times(const char *text, const char *word)
{
    unsigned n = 0;
    while ((text = strstr(text, word)) != NULL) {
        n++;
        text += strlen(word);
    }
    return n;
}

Test(runs, train_in_a_pipe)
{
    spawned s = run("train " DATA "--optimizer 'sgd(momentum=0.9)' --schedule 'warmup(1ep) * cosine(end=0)' "
                    "--lr 0.05 --epochs 3 --seed 3 --out a --save-weights a.safetensors");
    EXPECT_ALL(s.out, "device ", "synthetic", "small", "sgd(", "momentum=0.9", "lr 0.05", "warmup(", "9st",
               "seed 3", "batch 64", "epoch 1/3", "epoch 3/3", "val acc", "done ", "27 updates, 3 epochs",
               "test ", "a/report.html", "a.safetensors");
    cr_expect_eq(times(s.out, "\nepoch "), 3, "%s", s.out);
    cr_expect_null(strchr(s.out, '\033'), "escape sequence in a pipe");
    cr_expect_null(strchr(s.out, '\r'), "carriage return in a pipe");
    cr_expect_str_eq(s.err, "", "%s", s.err);
    spawn_free(&s);
    s = spawn_shell("ls a");
    EXPECT_ALL(s.out, "run.json", "history.jsonl", "history.csv", "report.html", ".safetensors");
    spawn_free(&s);
    s = run("eval --data synthetic:n=640,test=128 --weights a --json");
    json_t *json = json_loads(s.out, 0, NULL);
    cr_assert_not_null(json, "%s", s.out);
    cr_expect_eq(json_integer_value(json_object_get(json, "count")), 128);
    cr_expect(json_is_real(json_object_get(json, "loss")));
    cr_expect_str_eq(json_string_value(json_object_get(json, "part")), "test");
    json_decref(json);
    spawn_free(&s);
    s = run("eval --data synthetic:n=640,test=128 --weights a.safetensors --part train");
    EXPECT_ALL(s.out, "train  loss", "accuracy", "640 images");
    spawn_free(&s);
    s = run("report a");
    cr_expect_str_eq(s.out, "a/report.html\n");
    spawn_free(&s);
}

Test(runs, default_directories)
{
    spawned s = run("train " DATA "--epochs 1 --progress none");
    EXPECT_ALL(s.out, "runs/small-1");
    cr_expect_eq(times(s.out, "epoch 1/1"), 0);
    spawn_free(&s);
    s = run("train " DATA "--epochs 1 --quiet");
    cr_expect_str_eq(s.out, "");
    cr_expect_str_eq(s.err, "");
    spawn_free(&s);
    s = spawn_shell("ls runs");
    cr_expect_str_eq(s.out, "small-1\nsmall-2\n");
    spawn_free(&s);
    s = run("train " DATA "--epochs 1 --val-fraction 0 --quiet --out c && grep -c step c/history.jsonl");
    spawn_free(&s);
    s = run("train " DATA "--epochs 2 --val-fraction 0 --out d");
    EXPECT_ALL(s.out, "val loss -", "val acc -");
    cr_expect_null(strstr(s.out, "nan"));
    spawn_free(&s);
}

Test(runs, train_as_json)
{
    spawned s = run("train " DATA "--epochs 2 --out j --progress json");
    unsigned epochs = 0, lines = 0;
    char last[32] = "";
    for (char *line = strtok(s.out, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        json_t *json = json_loads(line, 0, NULL);
        cr_assert_not_null(json, "no JSON: %s", line);
        const char *kind = json_string_value(json_object_get(json, "kind"));
        cr_assert_not_null(kind);
        if (lines == 0) cr_expect_str_eq(kind, "start");
        epochs += strcmp(kind, "epoch") == 0;
        snprintf(last, sizeof last, "%s", kind);
        cr_expect(json_is_integer(json_object_get(json, "step")));
        cr_expect(json_object_get(json, "val_accuracy") != NULL);
        json_decref(json);
    }
    cr_expect_eq(epochs, 2);
    cr_expect_str_eq(last, "end");
    cr_expect_str_eq(s.err, "");
    spawn_free(&s);
}

/* The bar: redrawn in place, never wider than the terminal, gone at the end. */
static void expect_bar(const spawned *s, unsigned columns, int ascii)
{
    cr_expect_eq(s->code, 0, "%s", s->out);
    cr_expect(strstr(s->out, "\r\033[K"), "no bar: %s", s->out);
    cr_expect(strstr(s->out, "ETA"), "%s", s->out);
    for (const char *at = s->out; *at;) {
        size_t length = strcspn(at, "\r\n");
        unsigned wide = 0;
        for (size_t i = 0; i < length; i++) {
            if (at[i] == '\033')
                while (i < length && !strchr("mK", at[i])) i++;
            else
                wide += ((unsigned char)at[i] & 0xc0) != 0x80;
            cr_expect(!ascii || (unsigned char)at[i] < 0x80);
        }
        bool bar = length > 3 && strncmp(at, "\033[K", 3) == 0;
        cr_expect(!bar || wide < columns, "%u columns: %.*s", wide, (int)length, at);
        at += length + (at[length] != '\0');
    }
}

Test(runs, train_on_a_terminal)
{
    spawned s = run("models >/dev/null");
    spawn_free(&s);
    s = spawn_terminal(100, "TERM=xterm LC_ALL=C.UTF-8 NO_COLOR=", "train " DATA "--epochs 3 --out t1");
    expect_bar(&s, 100, 0);
    cr_expect(strstr(s.out, "\033[32m"), "no colour");
    spawn_free(&s);
    s = spawn_terminal(50, "TERM=xterm LC_ALL=C NO_COLOR=1", "train " DATA "--epochs 3 --out t2");
    expect_bar(&s, 50, 1);
    cr_expect_null(strstr(s.out, "\033[32m"), "colour in spite of NO_COLOR");
    spawn_free(&s);
    s = spawn_terminal(80, "TERM=dumb", "train " DATA "--epochs 2 --out t3");
    cr_expect_null(strchr(s.out, '\033'), "escape sequence on a dumb terminal: %s", s.out);
    EXPECT_ALL(s.out, "epoch 2/2");
    spawn_free(&s);
}

Test(runs, resume_must_agree)
{
    spawned s = run("train " DATA "--epochs 2 --lr 0.05 --max-steps 5 --out r");
    EXPECT_ALL(s.out, "r");
    spawn_free(&s);
    s = spawn("", "train --resume r --lr 0.1");
    cr_expect_eq(s.code, 2, "%d: %s", s.code, s.err);
    EXPECT_ALL(s.err, "lr", "0.05");
    spawn_free(&s);
    s = spawn("", "train --resume r --model tutorial");
    cr_expect_eq(s.code, 2, "%d: %s", s.code, s.err);
    spawn_free(&s);
    s = spawn("", "train --resume r --out other");
    cr_expect_eq(s.code, 2, "%d: %s", s.code, s.err);
    spawn_free(&s);
    s = run("train --resume r --max-steps 7");
    spawn_free(&s);
    s = run("train --resume r --lr 0.05 --epochs 2 --batch 64 --model small.model");
    EXPECT_ALL(s.out, "(resumed)", "done", "epoch 2/2");
    spawn_free(&s);
}

/* The file that a schedule was read from belongs to the run, which keeps a copy; without it only the
 * same file will do. */
Test(runs, resume_needs_its_table)
{
    spawned s = spawn_shell("printf 'step,lr\\n0,0.1\\n18,0.02\\n' >lr.csv");
    spawn_free(&s);
    s = run("train " DATA "--epochs 2 --schedule '0.5 * table(\"lr.csv\")' --max-steps 5 --out tb");
    spawn_free(&s);
    s = spawn_shell("rm lr.csv; cp -r tb tc; \"$LEHR\" train --resume tb");
    cr_expect_eq(s.code, 0, "%d: %s", s.code, s.err);
    EXPECT_ALL(s.out, "tb at update 5", "epoch 2/2");
    spawn_free(&s);
    s = spawn_shell("rm tc/table-*.csv; \"$LEHR\" train --resume tc");
    cr_expect_neq(s.code, 0, "%s", s.err);
    EXPECT_ALL(s.err, "lr.csv");
    spawn_free(&s);
    s = spawn_shell("printf '18,0.02\\n' >lr.csv; \"$LEHR\" train --resume tc");
    cr_expect_eq(s.code, 2, "%d: %s", s.code, s.err);
    EXPECT_ALL(s.err, "a table of the schedule has changed since the run was started");
    spawn_free(&s);
}

/* An optimizer's own weight decay is used unless one is given; 0 is one. */
Test(runs, weight_decay)
{
    spawned s = run("train " DATA "--epochs 1 --optimizer adamw --out w1");
    spawn_free(&s);
    s = run("train " DATA "--epochs 2 --optimizer adamw --weight-decay 0 --no-shuffle "
            "--max-steps 3 --out w2");
    spawn_free(&s);
    s = spawn_shell("grep -o 'weight_decay=[0-9.]*' w1/run.json; grep -o 'weight_decay=[0-9.]*' w2/run.json");
    cr_expect_str_eq(s.out, "weight_decay=0.01\nweight_decay=0\n", "%s", s.out);
    spawn_free(&s);
    s = run("train --resume w2 --optimizer adamw");
    EXPECT_ALL(s.out, "epoch 2/2");
    spawn_free(&s);
    s = spawn("", "train --resume w2 --weight-decay 0.1");
    cr_expect_eq(s.code, 2, "%d: %s", s.code, s.err);
    spawn_free(&s);
}

/* Ends with 130 after a checkpoint; SIGUSR1 before it saves one and goes on. */
Test(runs, signals)
{
    static const char *const names[] = {"INT", "TERM"};
    static const int codes[] = {130, 143};
    char text[2048];
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof text,
                 "%s \"$LEHR\" train " DATA "--epochs 5000 --checkpoint-every none --out s%d & pid=$!\n"
                 "until grep -qs step s%d/history.jsonl; do sleep 0.02; done\n"
                 "kill -USR1 $pid; until ls s%d | grep -q safetensors; do sleep 0.02; done\n"
                 "kill -0 $pid && echo goes on; kill -%s $pid; wait $pid", model, i, i, i, names[i]);
        spawned s = spawn_shell(text);
        cr_expect_eq(s.code, codes[i], "%s: %d: %s", names[i], s.code, s.err);
        EXPECT_ALL(s.out, "goes on", "stopped", "lehr train --resume s");
        EXPECT_ALL(s.err, "stopping after this step", "stopped after step");
        spawn_free(&s);
    }
}

Test(runs, time_as_json)
{
    static const char *const keys[] = {"batch", "device", "images_per_second", "layers", "model", "step_ms"};
    static const char *const layer_keys[] = {"backward_ms", "forward_ms", "gflops", "name", "op"};
    spawned s = run("time --model small.model --batch 16 --steps 3 --json");
    json_t *json = json_loads(s.out, 0, NULL), *layers = json_object_get(json, "layers");
    cr_assert_not_null(json, "%s", s.out);
    cr_expect_eq(json_object_size(json), sizeof keys / sizeof *keys);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        cr_expect(json_object_get(json, keys[i]) != NULL, "no %s", keys[i]);
    cr_expect(strstr(json_string_value(json_object_get(json, "model")), "small") != NULL);
    cr_expect_eq(json_integer_value(json_object_get(json, "batch")), 16);
    cr_expect(json_number_value(json_object_get(json, "step_ms")) > 0);
    cr_expect_geq(json_array_size(layers), 4);
    json_t *first = json_array_get(layers, 0);
    cr_expect_eq(json_object_size(first), sizeof layer_keys / sizeof *layer_keys);
    for (size_t i = 0; i < sizeof layer_keys / sizeof *layer_keys; i++)
        cr_expect(json_object_get(first, layer_keys[i]) != NULL, "no %s", layer_keys[i]);
    json_decref(json);
    spawn_free(&s);
    s = run("time --model small.model --batch 16 --steps 3");
    EXPECT_ALL(s.out, "forward ms", "conv", "images/s", "0.000       0.0  in conv1\n");
    spawn_free(&s);
    s = spawn("printf 'input 3 8 8\nconv 4 3x3 pad=1\nbatchnorm\nrelu\nmaxpool 2\nconv 4 3x3 pad=1\nrelu\n"
              "maxpool 2\nflatten\ndense 10\n' >pools.model;",
              "time --model pools.model --batch 4 --steps 2");
    EXPECT_ALL(s.out, "0.000        0.000       0.0  in bn1\nconv2 ", "  forward in conv2\n");
    spawn_free(&s);
}

Test(runs, compare)
{
    spawned s = run("compare " DATA "--method 'plain: optimizer=sgd; lr=0.05' --method 'half: optimizer=sgd; "
                    "schedule=step(gamma=0.5, every=1ep); lr=0.05' --epochs 2 --seeds 2 --out cmp");
    EXPECT_ALL(s.out, "[1/4] plain, seed 1", "[4/4] half, seed 2", "cmp/summary.csv", "cmp/report.html",
               "epoch 2/2", "2 methods x 2 seeds");
    cr_expect_str_eq(s.err, "", "%s", s.err);
    spawn_free(&s);
    s = spawn_shell("wc -l <cmp/summary.csv && head -c 15 cmp/report.html");
    EXPECT_ALL(s.out, "5\n", "<!");
    spawn_free(&s);
    s = run("report cmp");
    spawn_free(&s);
    s = run("compare " DATA "--method 'plain: optimizer=sgd; lr=0.05' --method 'half: optimizer=sgd; "
            "schedule=step(gamma=0.5, every=1ep); lr=0.05' --epochs 2 --seeds 2 --out cmp");
    cr_expect_eq(times(s.out, "epoch "), 0, "a finished comparison ran again: %s", s.out);
    spawn_free(&s);
}

Test(runs, find_lr)
{
    spawned s = run("find-lr " DATA "--lr-min 1e-3 --lr-max 1e4 --steps 60 --seeds 2");
    EXPECT_ALL(s.out, "device ", "sgd(", "lr 1e-3 to 1e4 in 60 updates, 2 seeds", "learning rate", "valley",
               "steepest descent", "range", "largest stable");
    cr_expect_str_eq(s.err, "", "%s", s.err);
    spawn_free(&s);
    s = spawn_shell("ls -A | grep -v '^[.]' | grep -v small.model");
    cr_expect_str_eq(s.out, "", "find-lr left files: %s", s.out);
    spawn_free(&s);
    s = run("find-lr " DATA "--steps 12 --csv --svg drawn.svg --out found");
    cr_expect_eq(strncmp(s.out, "lr,loss,smoothed\n1", 18), 0, "%s", s.out);
    cr_expect_leq(times(s.out, "\n"), 13);
    spawn_free(&s);
    s = spawn_shell("cmp drawn.svg found/find-lr.svg && head -c 4 drawn.svg && head -1 found/find-lr.csv");
    EXPECT_ALL(s.out, "<svg", "lr,loss,smoothed");
    spawn_free(&s);
    s = run("find-lr " DATA "--steps 12 --json --lr-max 1e-3");
    json_t *json = json_loads(s.out, 0, NULL);
    cr_assert_not_null(json, "%s", s.out);
    cr_expect_eq(json_array_size(json_object_get(json, "lr")), 12);
    cr_expect_eq(json_array_size(json_object_get(json, "smoothed")), 12);
    cr_expect(json_is_false(json_object_get(json, "exceeded")));
    cr_expect_not_null(json_object_get(json, "valley"));
    json_decref(json);
    spawn_free(&s);
}

Test(runs, device_lists)
{
    spawned s = run("devices --json");
    json_t *json = json_loads(s.out, 0, NULL);
    cr_assert_not_null(json, "%s", s.out);
    cr_expect_geq(json_array_size(json), 1);
    cr_expect(json_string_value(json_object_get(json_array_get(json, 0), "name")) != NULL);
    json_decref(json);
    spawn_free(&s);
    s = run("devices");
    EXPECT_ALL(s.out, "index", "name", "platform", "family", "memory", "work-group", "local");
    spawn_free(&s);
    s = run("doctor --seconds 1");
    EXPECT_ALL(s.out, "its queue answers", "compared with the reference", " 0 wrong", "schedules");
    spawn_free(&s);
    s = spawn("", "time --device nosuchdevice --model tutorial");
    cr_expect_eq(s.code, 3);
    EXPECT_ALL(s.err, "nosuchdevice", "0:");
    spawn_free(&s);
}
