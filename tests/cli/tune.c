/* SPDX-License-Identifier: MIT
 *
 * lehr tune at the command line: measuring, explaining, what is stored, several at once, wrong input. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tests/cli/spawn.h"

static const char before[] = "printf 'input 3 32 32\\nconv 8 5x5 stride=4\\nrelu\\nmaxpool 2\\nflatten\\n"
                             "dense 16\\nrelu\\ndense 10\\n' >small.model; export LEHR_CACHE=$PWD/cache "
                             "LEHR_SELF_TEST=0;";

/* Shell text after the model file was written and with a cache directory of its own. */
static spawned shell(const char *text)
{
    char line[4096];
    snprintf(line, sizeof line, "%s %s", before, text);
    return spawn_shell(line);
}

#define TRAIN "\"$LEHR\" train --data synthetic:n=64,test=16 --model small.model --batch 8 --epochs 1 "
static bool is_sanitized(void)
{
    spawned s = spawn_shell("grep -c 'lib[at]san' /proc/self/maps; ldd \"$LEHR\" | grep -c 'lib[atu].*san'");
    bool found = strcmp(s.out, "0\n0\n") != 0;
    spawn_free(&s);
    return found;
}

#define TUNE "\"$LEHR\" tune --model small.model --batch 8 "

static void expect(spawned s, int code, const char *const *words, size_t count)
{
    cr_expect_eq(s.code, code, "%d: %s%s", s.code, s.out, s.err);
    for (size_t i = 0; i < count; i++)
        cr_expect(strstr(s.out, words[i]) || strstr(s.err, words[i]), "no '%s' in:\n%s%s", words[i], s.out,
                  s.err);
    spawn_free(&s);
}

#define EXPECT(text, code, ...)                                                                            \
    expect(shell(text), code, (const char *const[]){__VA_ARGS__},                                          \
           sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

Test(tune, measures_stores_and_explains)
{
    EXPECT(TUNE "--op dense --seconds 20 --dry-run; grep -c ^best cache/*.txt", 1, "dense.forward",
           "n=8 in=", "GFLOP/s", "problems with a choice measured");
    EXPECT(TUNE "--op dense --seconds 20; grep -h ^best cache/*.txt", 0, "stored in ", "cache/tuning-",
           "best\tdense.forward\tn=8 in=", "best\tdense.backward_filter\t");
    EXPECT(TUNE "--explain", 0, "conv.forward", "measured", "excluded", "made for devices with");
    spawned s = shell(TUNE "--explain --json");
    json_t *json = json_loads(s.out, 0, NULL);
    cr_assert_not_null(json, "%s", s.out);
    const json_t *problem = json_array_get(json_object_get(json, "choices"), 0);
    cr_expect_str_eq(json_string_value(json_object_get(problem, "op")), "conv.forward");
    cr_expect_gt(json_array_size(json_object_get(problem, "variants")), 1);
    json_decref(json);
    spawn_free(&s);
    /* What once was found wrong is not used, and it is said why. */
    EXPECT("for v in packed_cpu tiled; do sed -i \"s/^good\\(\\tdense.forward\\t.*\\t\\)$v\\t.*/"
           "bad\\1$v\\t\\t0\\t0\\ty is off/\" cache/*.txt; done;" TUNE
           "--explain --op dense.forward", 0, "excluded   y is off", "chosen");
    EXPECT("for f in cache/*.txt; do echo nonsense >$f; done;" TUNE "--explain --op dense", 0, "is damaged",
           "first");
    EXPECT("LEHR_CACHE=off " TUNE "--op dense.forward", 0, "stored in nothing");
}

Test(tune, a_run_can_tune_first)
{
    EXPECT(TRAIN "--tune --out run && grep -h why run/run.json | head -40", 0, "\"why\": \"measured\"");
    EXPECT("\"$LEHR\" train --resume run --tune", 0, "done");
    EXPECT(TRAIN "--out again --tune=0.001", 0, "tuning      limit 0.001 s: 0 of 0 problems that were not");
    EXPECT("LEHR_TUNE=20 \"$LEHR\" compare --data synthetic:n=64,test=16 --model small.model --batch 4 "
           "--seeds 1 --epochs 1 --out both --method 'a: optimizer=sgd'", 0, "tuning      limit 20 s: ",
           "problems that were not");
    EXPECT("\"$LEHR\" train --data synthetic --model small.model --tune=fast", 2, "--tune: 'fast' is not");
    EXPECT("\"$LEHR\" train --data synthetic --model small.model --tune=0", 2, "--tune: '0' is not");
}

/* Compiling alone; it ends when the one that started it has gone.  A first start does both at once. */
Test(tune, compiles)
{
    EXPECT(TUNE "--compile && ls cache", 2, "compiled the kernels of 13 problems");
    EXPECT(TUNE "--compile --json </dev/null", 0, "{\"compiled\": 13}");
    EXPECT(": | (sleep 0.2; " TUNE "--compile --json)", 0, "{\"compiled\": 0}");
    EXPECT("export LEHR_SELF_TEST=10;" TRAIN "--out run && grep -c ^good cache/*.txt", 0, "done");
}

/* Four processes, one file: no row is lost and none is torn. */
Test(tune, several_at_once)
{
    EXPECT("for op in conv dense pool activation; do " TUNE "--op $op >$op.out & done; wait;"
           "for op in conv dense pool activation; do grep -c \"^best.$op\" cache/*.txt || exit 1; done;"
           "grep -v '^#' cache/*.txt | awk -F'\\t' 'NF != 8 { exit 1 }'", 0, "2\n6\n1\n1\n");
}

/* A device whose driver does not do what one kernel asks: doctor ends with 8, a run goes on without it. */
Test(tune, a_wrong_kernel_is_found)
{
    static const char wrong[] = "LD_PRELOAD=" LEHR_TEST_BUILD_DIR "/tests/cli/wrong_driver.so "
                                "WRONG_KERNEL=conv_direct LEHR_TRAITS=family=cpu LEHR_VARIANT= ";
    char line[1024];
    if (is_sanitized()) cr_skip_test("a sanitizer's library must come first, this one is preloaded");
    snprintf(line, sizeof line, "%s\"$LEHR\" doctor --seconds 0.5", wrong);
    EXPECT(line, 8, "BAD   kernels", "they will not be used on this device", "computes wrong results");
    snprintf(line, sizeof line, "grep -h ^bad cache/*.txt; %s LEHR_SELF_TEST=5 " TRAIN "--out run; "
             "grep 'op...*conv.forward' run/run.json", wrong);
    EXPECT(line, 0, "\"variant\": \"plain\"", "bad\tconv.", "direct_cpu",
           "conv.forward/direct_cpu computes wrong results", "done");
}

/* A driver that ends long loops: nothing is trained on it, unless that is asked for.  Drivers of the CPU
 * family are not tried. */
Test(tune, a_driver_that_ends_loops_is_found)
{
#define ONE                                                                                                \
    "LEHR_TRAITS=family=gpu \"$LEHR\" train --data synthetic:n=16,test=8 --model one.model --batch 8 "      \
    "--epochs 1 "
    static const char wrong[] = "LD_PRELOAD=" LEHR_TEST_BUILD_DIR "/tests/cli/wrong_driver.so "
                                "LEHR_VARIANT= WRONG_LOOPS=65535 ";
    char line[1024];
    if (is_sanitized()) cr_skip_test("a sanitizer's library must come first, this one is preloaded");
    snprintf(line, sizeof line, "printf 'input 3 32 32\nflatten\ndense 10\n' >one.model; %s"
             "LEHR_SELF_TEST=0.01 " ONE "--out run", wrong);
    EXPECT(line, 8, "ends a loop after 65535 of 1048576 iterations", "use another driver");
    EXPECT("grep -h ^bad cache/*.txt | cut -f2-4; LEHR_SELF_TEST=0.01 " ONE "--out run", 8,
           "device\tloop of 1048576\tloops", "ends a loop after 65535"); /* remembered */
    snprintf(line, sizeof line, "%s" ONE "--out run", wrong);
    EXPECT(line, 0, "done"); /* with LEHR_SELF_TEST=0 */
    snprintf(line, sizeof line, "rm -r cache; %sLEHR_TRAITS=family=gpu \"$LEHR\" doctor", wrong);
    EXPECT(line, 8, "BAD   kernels", "ends a loop after 65535");
    EXPECT("LEHR_TRAITS=family=gpu \"$LEHR\" doctor --seconds 0.01; " /* which tries it again */
           "grep -h '^good.device' cache/*.txt; LEHR_SELF_TEST=0.01 " ONE "--out good",
           0, "good\tdevice\tloop of 1048576", "done");
    snprintf(line, sizeof line, "%sLEHR_SELF_TEST=0.01 LEHR_TRAITS=family=cpu " TRAIN "--out cpu", wrong);
    EXPECT(line, 0, "done");
#undef ONE
}

Test(tune, wrong_input)
{
    EXPECT(TUNE "--op nosuch", 2, "no op that begins with 'nosuch'", "conv.forward");
    EXPECT(TUNE "--seconds 0", 2, "--seconds");
    EXPECT("\"$LEHR\" tune --model nosuch", 2, "nosuch");
    EXPECT("\"$LEHR\" tune --model small.model extra", 2, "extra");
    EXPECT("LEHR_VARIANT=conv.forward=nosuch " TUNE "--explain", 2, "no such variant", "plain");
    EXPECT("LEHR_VARIANT=conv.forwrd=plain " TUNE "--explain", 2, "did you mean 'conv.forward'");
    EXPECT("LEHR_WINOGRAD=3 " TUNE "--explain", 2, "LEHR_WINOGRAD: '3' is not 0, 2 or 4");
    EXPECT("LEHR_SHIPPED=of " TUNE "--explain", 2, "LEHR_SHIPPED: 'of' is not off or on");
    EXPECT("LEHR_TUNE=-1 " TRAIN, 2, "LEHR_TUNE: '-1' is not seconds");
    EXPECT("LEHR_SELF_TEST=soon " TRAIN, 2, "LEHR_SELF_TEST: 'soon' is not seconds");
}
