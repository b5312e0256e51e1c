/* SPDX-License-Identifier: MIT
 *
 * optimizer trace: the .npy files it reads and writes, damaged ones, and that the weights are those of
 * the rule.  Files are written here byte by byte; tests/oracle/trace.py does the same with NumPy. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cli/spawn.h"

enum { STEPS = 7, N = 37 };
static float weights[N], gradients[STEPS][N];

/* A file with this version, header text (padded as NumPy does) and bytes of data. */
static void write_npy(const char *name, unsigned major, const char *header, const void *data, size_t bytes)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", spawn_directory(), name);
    FILE *file = fopen(path, "wb");
    size_t head = major == 1 ? 10 : 12, length = (head + strlen(header) + 1 + 63) / 64 * 64 - head;
    fprintf(file, "\x93NUMPY%c%c%c%c", (int)major, 0, (int)(length & 255), (int)(length >> 8));
    if (major != 1) fwrite("\0\0", 1, 2, file);
    fprintf(file, "%-*s\n", (int)length - 1, header);
    fwrite(data, 1, bytes, file);
    fclose(file);
}

static void write_inputs(void)
{
    srand(5);
    for (size_t i = 0; i < N; i++) weights[i] = (float)rand() / (float)RAND_MAX - 0.5f;
    for (size_t i = 0; i < (size_t)STEPS * N; i++)
        gradients[i / N][i % N] = (float)rand() / (float)RAND_MAX - 0.5f;
    write_npy("w.npy", 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (37,), }", weights,
              sizeof weights);
    write_npy("g.npy", 2, "{'descr': '<f4', 'fortran_order': False, 'shape': (7, 37), }", gradients,
              sizeof gradients);
}

/* Reads what was written: its header must be NumPy's to the byte. */
static bool read_output(const char *name, float out[STEPS][N])
{
    char path[256], head[128];
    static const char wanted[] = "\x93NUMPY\1\0\x76\0{'descr': '<f4', 'fortran_order': False, "
                                 "'shape': (7, 37), }";
    snprintf(path, sizeof path, "%s/%s", spawn_directory(), name);
    FILE *file = fopen(path, "rb");
    bool good = file && fread(head, 1, 128, file) == 128 && head[127] == '\n' &&
                memcmp(head, wanted, sizeof wanted - 1) == 0 &&
                fread(out, sizeof **out, STEPS * N, file) == STEPS * N && fgetc(file) == EOF;
    if (file) fclose(file);
    return good;
}

/* SGD with momentum and Nesterov's step under a schedule: lr halves after each two updates. */
Test(trace, weights_are_those_of_the_rule)
{
    static float out[STEPS][N];
    write_inputs();
    spawned s = spawn("", "optimizer trace 'sgd(momentum=0.9, nesterov=1)' --weights w.npy --grads g.npy "
                      "--lr 0.1 --schedule 'step(gamma=0.5, every=1ep)' --steps-per-epoch 2 --out o.npy");
    cr_assert_eq(s.code, 0, "%s", s.err);
    cr_expect(strstr(s.out, "7 updates of weights (37,)") && strstr(s.out, "momentum=0.9"), "%s", s.out);
    spawn_free(&s);
    cr_assert(read_output("o.npy", out), "the file is not what NumPy writes");
    for (size_t i = 0; i < N; i++) {
        double w = weights[i], m = 0;
        for (unsigned t = 0; t < STEPS; t++) {
            double g = gradients[t][i], lr = 0.1 * pow(0.5, t / 2);
            m = 0.9 * m + g;
            w -= lr * (0.9 * m + g);
            cr_assert(fabs(out[t][i] - w) <= 1e-6, "step %u, weight %zu: %g, not %g", t, i, out[t][i], w);
        }
    }
    s = spawn_shell("ls *.part 2>/dev/null; \"$LEHR\" optimizer trace 'sgd(momentum=0.9, nesterov=1)' "
                    "--weights w.npy --grads g.npy --lr 0.1 --out a.npy >log && \"$LEHR\" optimizer trace "
                    "'sgd(momentum=0.9, nesterov=1)' --weights w.npy --grads g.npy --lr 0.1 --out b.npy "
                    ">log && cmp a.npy b.npy && ! cmp -s a.npy o.npy");
    cr_expect(s.code == 0 && !*s.out, "%d %s%s", s.code, s.out, s.err);
    spawn_free(&s);
}

/* Momentum falls from 0.9 to 0.2 in seven updates while lr stays. */
Test(trace, scheduled_parameters)
{
    static float out[STEPS][N];
    write_inputs();
    spawned s = spawn("", "optimizer trace 'sgd(momentum=0.9)' --weights w.npy --grads g.npy --lr 0.1 "
                      "--schedule 'constant()' --schedule 'momentum: linear(end=0.2)' --out s.npy");
    cr_assert_eq(s.code, 0, "%s", s.err);
    cr_expect(strstr(s.out, "momentum: linear(end=0.2"), "%s", s.out);
    spawn_free(&s);
    cr_assert(read_output("s.npy", out));
    for (size_t i = 0; i < N; i++) {
        double w = weights[i], m = 0;
        for (unsigned t = 0; t < STEPS; t++) {
            m = (0.9 - 0.1 * t) * m + gradients[t][i];
            w -= 0.1 * m;
            cr_assert(fabs(out[t][i] - w) <= 1e-6, "step %u, weight %zu", t, i);
        }
    }
}

#define JUDGED "--plugin '" LEHR_TEST_BUILD_DIR "/tests/plugin/rules/lehr-judged.so' "

/* polyak: w -= lr loss g; judged: evaluated with the corrected average of the weights. */
Test(trace, losses_and_weights_of_evaluation)
{
    static float out[STEPS][N], losses[STEPS];
    write_inputs();
    for (unsigned t = 0; t < STEPS; t++) losses[t] = (float)t + 0.5f;
    write_npy("l.npy", 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (7,), }", losses, sizeof losses);
    spawned s = spawn("", "optimizer trace polyak " JUDGED "--weights w.npy --grads g.npy --lr 0.1 "
                      "--losses l.npy --out p.npy");
    cr_assert_eq(s.code, 0, "%s", s.err);
    spawn_free(&s);
    cr_assert(read_output("p.npy", out));
    for (size_t i = 0; i < N; i++) {
        double w = weights[i];
        for (unsigned t = 0; t < STEPS; t++) {
            w -= 0.1 * losses[t] * gradients[t][i];
            cr_assert(fabs(out[t][i] - w) <= 1e-6, "step %u, weight %zu", t, i);
        }
    }
    s = spawn("", "optimizer trace judged " JUDGED "--weights w.npy --grads g.npy --evaluated --out j.npy");
    cr_assert_eq(s.code, 0, "%s", s.err);
    spawn_free(&s);
    cr_assert(read_output("j.npy", out));
    for (size_t i = 0; i < N; i++) {
        double w = weights[i], mean = 0;
        for (unsigned t = 0; t < STEPS; t++) {
            w -= 0.1 * gradients[t][i];
            mean = 0.9 * mean + 0.1 * w;
            cr_assert(fabs(out[t][i] - mean / (1 - pow(0.9, t + 1))) <= 1e-6, "step %u, weight %zu", t, i);
        }
    }
    s = spawn("", "optimizer trace polyak " JUDGED "--weights w.npy --grads g.npy --lr 0.1 --out p.npy");
    cr_expect(s.code == 2 && strstr(s.err, "type: --losses L.npy"), "%d %s", s.code, s.err);
    spawn_free(&s);
    s = spawn("", "optimizer trace polyak " JUDGED "--weights w.npy --grads g.npy --lr 0.1 --losses w.npy "
              "--out p.npy");
    cr_expect(s.code == 4 && strstr(s.err, "(37,), which is not one loss for each of the 7"), "%d %s", s.code,
              s.err);
    spawn_free(&s);
}

/* A gradient that is not finite stays in its element. */
Test(trace, tensors_of_any_shape)
{
    static float out[STEPS][N];
    write_inputs();
    gradients[0][3] = NAN;
    write_npy("w4.npy", 1, "{\"shape\": (1, 37L, 1,1), 'descr':'<f4','fortran_order':False}", weights,
              sizeof weights);
    write_npy("g4.npy", 3, "{'descr': '<f4', 'fortran_order': False, 'shape': (7, 1, 37, 1, 1)}", gradients,
              sizeof gradients);
    spawned s = spawn_shell("\"$LEHR\" optimizer trace adam --weights w4.npy --grads g4.npy --out o4.npy &&"
                            " tail -c 1036 o4.npy >tail && printf '\\223NUMPY\\001\\000v\\000%-117s\\n' "
                            "\"{'descr': '<f4', 'fortran_order': False, 'shape': (7, 37), }\" >o2.npy && cat "
                            "tail >>o2.npy");
    cr_assert_eq(s.code, 0, "%s", s.err);
    cr_expect(strstr(s.out, "lr 0.001") && strstr(s.out, "(1, 37, 1, 1)"), "%s", s.out);
    spawn_free(&s);
    cr_assert(read_output("o2.npy", out));
    for (size_t i = 0; i < N; i++) cr_expect_eq(isnan(out[STEPS - 1][i]) != 0, i == 3, "weight %zu", i);
}

static const struct {
    const char *header;
    size_t bytes;
    const char *word;
} damaged[] = {
    {"{'descr': '<f8', 'fortran_order': False, 'shape': (37,), }", 296, "float64|astype('<f4')"},
    {"{'descr': '>f4', 'fortran_order': False, 'shape': (37,), }", 148, "big-endian"},
    {"{'descr': '<i4', 'fortran_order': False, 'shape': (37,), }", 148, "kind '<i4'"},
    {"{'descr': '|O', 'fortran_order': False, 'shape': (37,), }", 148, "float32 ('<f4') is wanted"},
    {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (37,), }", 148, "structured"},
    {"{'descr': '<f4', 'fortran_order': True, 'shape': (37, 1), }", 148, "Fortran|ascontiguousarray"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (37,), }", 147, "cut off"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (37,), }", 0, "cut off"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (37,), }", 149, "1 bytes more"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 4, "single number"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }", 0, "empty"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", 16, "no file can hold"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551616,), }", 16, "not understood"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 16, "not understood"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,37), }", 148, "not understood"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (37,, }", 148, "not understood"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': 37, }", 148, "not understood"},
    {"{'descr': '<f4', 'fortran_order': 0, 'shape': (37,), }", 148, "not understood"},
    {"{'descr': '<f4', 'fortran_order': False, }", 148, "not understood"},
    {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (37,), }", 148, "not understood"},
    {"{'descr': '<f4", 148, "not understood"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (37,), } x", 148, "not understood"},
    {"{'a': 1}", 148, "not understood"},
    {"", 148, "not understood"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (38,), }", 152, "does not fit"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 37), }", 148, "does not fit"},
};

static void expect(const char *arguments, int code, const char *wanted)
{
    char words[256];
    spawned s = spawn_without_devices(arguments);
    cr_expect_eq(s.code, code, "%s: %d, not %d: %s", arguments, s.code, code, s.err);
    cr_expect(!*s.out, "%s", s.out);
    snprintf(words, sizeof words, "%s", wanted);
    for (char *word = strtok(words, "|"); word; word = strtok(NULL, "|"))
        cr_expect(strstr(s.err, word), "%s: no '%s' in: %s", arguments, word, s.err);
    spawn_free(&s);
}

Test(trace, damaged_files)
{
    static const char zeros[512];
    write_inputs();
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        write_npy("bad.npy", 1, damaged[i].header, zeros, damaged[i].bytes);
        expect("optimizer trace sgd --lr 1 --weights bad.npy --grads g.npy --out o.npy", 4, damaged[i].word);
    }
    spawned s = spawn_shell("for n in $(seq 0 127); do head -c $n w.npy >cut.npy; \"$LEHR\" optimizer trace "
                            "sgd --weights cut.npy --grads g.npy --out o.npy 2>>log && echo $n; done; test ! "
                            "-e o.npy && printf '\\223NUMPY\\001\\000\\377\\377' >long.npy && printf "
                            "'\\223NUMPY\\002\\000\\377\\377\\377\\377' >longer.npy && printf "
                            "'\\223NUMPY\\004\\000' >four.npy && head -c 200 /dev/zero >>four.npy");
    cr_expect(s.code == 0 && !*s.out, "%d %s%s", s.code, s.out, s.err);
    spawn_free(&s);
    expect("optimizer trace sgd --weights long.npy --grads g.npy --out o.npy", 4, "damaged header");
    expect("optimizer trace sgd --weights longer.npy --grads g.npy --out o.npy", 4, "claims 4294967295");
    expect("optimizer trace sgd --weights four.npy --grads g.npy --out o.npy", 4, "version 4.0");
    expect("optimizer trace sgd --weights . --grads g.npy --out o.npy", 4, "not a regular file");
    expect("optimizer trace sgd --weights none.npy --grads g.npy --out o.npy", 4, "No such file");
    expect("optimizer trace sgd --weights w.npy --grads /dev/zero --out o.npy", 4, "not a regular file");
}

static void expect_on_device(const char *arguments, int code, const char *wanted)
{
    spawned s = spawn("", arguments);
    cr_expect_eq(s.code, code, "%s: %d, not %d: %s", arguments, s.code, code, s.err);
    cr_expect(strstr(s.err, wanted) && !*s.out, "%s: no '%s' in %s%s", arguments, wanted, s.out, s.err);
    spawn_free(&s);
}

Test(trace, wrong_schedules)
{
#define SGD "optimizer trace 'sgd(momentum=0.9)' --weights w.npy --grads g.npy --out o.npy "
    write_inputs();
    expect_on_device(SGD "--schedule 'cosin()'", 2, "cosine");
    expect_on_device(SGD "--schedule 'nesterov: constant()'", 2, "'nesterov' is nothing that");
    expect_on_device(SGD "--schedule 'weight_decay: constant()'", 2, "weight_decay is 0");
    expect_on_device(SGD "--schedule 'momentum: constant()' --schedule 'momentum: constant()'", 2,
                     "momentum has two schedules");
    expect_on_device(SGD "--schedule 'momentum: 2 * constant()'", 2, "it must be");
}

Test(trace, wrong_command_lines)
{
    write_inputs();
    expect("optimizer trace", 2, "SPEC' is missing");
    expect("optimizer trace sgd --grads g.npy --out o.npy", 2, "--weights is missing|type: --weights");
    expect("optimizer trace sgd --weights w.npy --out o.npy", 2, "--grads is missing");
    expect("optimizer trace sgd --weights w.npy --grads g.npy", 2, "--out is missing");
    expect("optimizer trace sgdd --weights w.npy --grads g.npy --out o.npy", 2, "did you mean 'sgd'");
    expect("optimizer trace sgd --lr 0 --weights w.npy --grads g.npy --out o.npy", 2, "lr: '0'");
    expect("optimizer trace sgd --weights w.npy --grads g.npy --out w.npy", 4, "name another");
    expect("optimizer trace sgd --weights w.npy --grads g.npy --out o.npy", 3, "no OpenCL");
    spawned s = spawn("", "optimizer trace sgd --weights w.npy --grads g.npy --out none/o.npy");
    cr_expect_eq(s.code, 7, "%d: %s", s.code, s.err);
    cr_expect(strstr(s.err, "none/o.npy cannot be written"), "%s", s.err);
    spawn_free(&s);
    s = spawn("", "optimizer trace sgd --weights w.npy --grads g.npy --out /dev/full");
    cr_expect_eq(s.code, 7, "%d: %s", s.code, s.err);
    spawn_free(&s);
}
