#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The plugin ABI does not change: abi.py LEHR HOST LATER_HOST BUILT_INS SOURCE

Plugins are built in empty directories with released headers (plugin-*.h), with today's and with that of a
later minor version (header.py), by each compiler that is there, as C11 and C++17, and loaded by today's
program, by a small host of today's and by one of a later minor version."""
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import header

LEHR, HOST, LATER_HOST, BUILT_INS, SOURCE = sys.argv[1:6]
HERE = pathlib.Path(__file__).resolve().parent
TODAY = pathlib.Path(SOURCE) / "include" / "lehr" / "plugin.h"
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
COMPILERS = [(name, options) for name, options in
             (("gcc", ["-std=c11"]), ("clang", ["-std=c11"]),
              ("g++", ["-x", "c++", "-std=c++17"]), ("clang++", ["-x", "c++", "-std=c++17"]))
             if shutil.which(name)]
LINES = """optimizer everything: all of ABI 1.0, lr 0.25, later 0
parameter share 0.5 0 1 0 6
parameter start 0.25 -1 1 0 0
parameter keep 1 0 1 2 0
parameter mode 1 0 1e+300 3 0
parameter weight_decay 0.125 0 1e+300 0 0
slot m 0 0 - -
slot v 0 0 keep start
slot first 0 65536 - -
slot d 1 0 - -
reduction norm = d * d 0 0
reduction top = fabs(d) 1 2
everything(show=base) = 0.75
everything(show=step) = 33
everything(show=samples) = 2112
everything(show=epoch) = 3.2999999999999998
everything(show=per_epoch) = 10
everything(show=total) = 100
everything(show=seed) = 12345
everything(show=list) = 2050
everything(show=every) = 20
everything(show=floor) = 0.075000000000000011
everything(show=self) = 1.5
everything(show=abi) = 1
everything(show=size) = 1
everything(show=state) = 1.375
mine:everything(every=30st) = 0.25""".splitlines()
WEIGHTS = [1, -2, 0.5, 0.25]
GRADIENTS = [[0.5, -1, 2, 0], [0.25, -0.125, 1, 1], [2, 3, -4, 0.5]]
done = {"loaded": 0}


def fail(what):
    sys.exit(f"abi: {what}")


def run(words, want=0):
    result = subprocess.run([str(w) for w in words], capture_output=True, text=True)
    if result.returncode != want:
        fail(f"{' '.join(map(str, words))}\nended with {result.returncode}, not {want}\n{result.stdout}"
             f"{result.stderr}")
    return result.stdout + result.stderr


def directory_with(text, where):
    """An empty directory that holds nothing but lehr/plugin.h."""
    (where / "lehr").mkdir(parents=True)
    (where / "lehr" / "plugin.h").write_text(text)
    return where


def build(compiler, options, where, out, source="plugins/everything.c", more=()):
    run([compiler, *options, "-O2", *STRICT, "-Wno-missing-field-initializers", "-fPIC", "-shared",
         f"-I{where}", *more, "-o", where / out, HERE / source, "-lm"])
    return where / out


def expected_trace():
    """The rule of everything.c in double."""
    w, first = list(WEIGHTS), list(WEIGHTS)
    m, v, out = [0.0] * 4, [0.25] * 4, []
    for t, g in enumerate(GRADIENTS, 1):
        m = [0.5 * a + 2 * b for a, b in zip(m, g)]
        v = [max(a, abs(b)) for a, b in zip(v, g)]
        d = [(abs(a) ** 0.5) * (-1 if a < 0 else 1) for a in m]
        norm, k = sum(a * a for a in d), t / (1 + max(abs(a) for a in d))
        w = [a - 0.25 * (k * b / (1 + norm) + c + 0.125 * a + 0.5 * (a - e))
             for a, b, c, e in zip(w, d, v, first)]
        out += w
    return out


def write_npy(path, shape, values):
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    length = (10 + len(text) + 1 + 63) // 64 * 64 - 10
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", length) + text.ljust(length - 1).encode() +
                     b"\n" + struct.pack(f"<{len(values)}f", *values))


def expected_evaluated():
    """enter_eval of everything.c: half way back to the start."""
    return [0.5 * (a + WEIGHTS[i % 4]) for i, a in enumerate(expected_trace())]


def expected_custom():
    """The step of everything.c's other optimizer, on a matrix of 2 x 2."""
    w, m, out = list(WEIGHTS), [0.0] * 4, []
    for g in GRADIENTS:
        norm = sum(a * a for a in g)
        q = [sum(g[2 * i + c] * g[2 * k + c] for c in (0, 1)) for i in (0, 1) for k in (0, 1)]
        z = [0.5 * sum(q[2 * i + k] * g[2 * k + c] for k in (0, 1)) for i in (0, 1) for c in (0, 1)]
        m = [0.5 * a + b for a, b in zip(m, g)]
        w = [a - 0.25 * (b / (1 + norm) + c) for a, b, c in zip(w, m, z)]
        out += w
    return out


def expected_plain():
    """Vectors are not claimed."""
    w, out = list(WEIGHTS), []
    for g in GRADIENTS:
        w = [a - 0.25 * b for a, b in zip(w, g)]
        out += w
    return out


def check_trace(plugin, temporary):
    for spec, shape, more, want in (("everything", "1", [], expected_trace()),
                                    ("everything", "1", ["--evaluated"], expected_evaluated()),
                                    ("everything_custom", "2", [], expected_custom()),
                                    ("everything_custom", "1", [], expected_plain())):
        out = temporary / "out.npy"
        run([LEHR, "optimizer", "trace", spec, "--plugin", plugin, "--weights", temporary / f"w{shape}.npy",
             "--grads", temporary / f"g{shape}.npy", "--out", out, *more])
        got = struct.unpack("<12f", out.read_bytes()[-48:])
        if not max(abs(a - b) for a, b in zip(got, want)) <= 4e-6:
            fail(f"{plugin}: {spec} {more}: {got}, not {want}")


def check_host(host, plugin):
    text = run([host, BUILT_INS, plugin])
    lines = [line for line in text.splitlines() if not line.startswith("log ")]
    if lines[:-1] != LINES or "bad is not good" not in lines[-1]:
        fail(f"{host} {plugin} prints\n{text}")
    if text.count("log 0 created\n") != 15:  # one per value; not where check() refuses
        fail(f"{host} {plugin}: {text.count('log 0 created')} calls of create()")
    done["loaded"] += 1


def check_table():
    """Every struct, field and constant of today's header is in the table of the version it is of."""
    table = (HERE / "layout-1.0.h").read_text()
    text = TODAY.read_text()
    rows = 0
    for name, fields in header.structs(text).items():
        for row in [f"STRUCT({name}, "] + [f"FIELD({name}, {field}, " for field in fields]:
            if row not in table and "#define LEHR_ABI_MINOR_LATEST 0" in text:
                fail(f"layout-1.0.h lacks {row}...")
            rows += 1
    for name in header.constants(text):
        if f"CONSTANT({name}, " not in table and "#define LEHR_ABI_MINOR_LATEST 0" in text:
            fail(f"layout-1.0.h lacks {name}")
        rows += 1
    return rows


def check_header_alone(where):
    """C11 and C++17 with nothing before it; <stddef.h> and <stdint.h> are all it includes."""
    includes = re.findall(r"#\s*include\s+(\S+)", TODAY.read_text())
    if includes != ["<stddef.h>", "<stdint.h>"]:
        fail(f"plugin.h includes {includes}")
    alone = where / "alone.c"
    alone.write_text("#include <lehr/plugin.h>\n#include <lehr/plugin.h>\nint lehr_alone(void);\n"
                     "int lehr_alone(void) { return LEHR_ABI == 1u << 16; }\n")
    for compiler, options in COMPILERS:
        run([compiler, *options, *STRICT, "-Wconversion", "-Wshadow", f"-I{where}", "-c", "-o", where / "alone.o",
             alone])
        run([compiler, *options, f"-I{where}", f"-I{HERE}", "-c", "-o", where / "layout.o", HERE / "layout.c"])


def check_versions(temporary):
    """A later header: default minor 0 loads here; minor 1 is refused with what to do; larger structs that say
    1.0 load, since sizes are never compared for equality."""
    text = header.later(TODAY.read_text())
    later = directory_with(text, temporary / "later")
    compiler, options = COMPILERS[0]
    plain = build(compiler, options, later, "lehr-plain.so")
    newer = build(compiler, options, later, "lehr-newer.so", more=["-DLEHR_ABI_MINOR=1"])
    large = directory_with(re.sub(r"(#define LEHR_ABI ).*", r"\1(1u << 16)", text), temporary / "large")
    large = build(compiler, options, large, "lehr-large.so",
                  more=["-DLEHR_ABI_MINOR=1", "-DEVERYTHING_IS_LARGE"])
    for plugin in (plain, large):
        check_host(HOST, plugin)
        check_host(LATER_HOST, plugin)
        check_trace(plugin, temporary)
    check_host(LATER_HOST, newer)
    message = run([HOST, BUILT_INS, newer], want=1)
    for part in ("built for plugin ABI 1.1, this lehr offers 1.0", "update lehr", "-DLEHR_ABI_MINOR=0"):
        if part not in message:
            fail(f"{message!r} lacks {part!r}")
    if "built for plugin ABI 1.1" not in run([LEHR, "plugin", "info", newer], want=9):
        fail("plugin info does not say why")
    too_new = subprocess.run([compiler, *options, f"-I{later}", "-DLEHR_ABI_MINOR=2", "-fsyntax-only",
                              HERE / "plugins/everything.c"], capture_output=True, text=True)
    if too_new.returncode == 0 or "newer than this header" not in too_new.stderr:
        fail("a minor above the header's compiles")


def main():
    if not COMPILERS:
        print("no compiler: skipped")
        sys.exit(77)
    rows = check_table()
    frozen = sorted(HERE.glob("plugin-*.h"))
    with tempfile.TemporaryDirectory() as name:
        temporary = pathlib.Path(name)
        for shape, w, g in (("1", "(4,)", "(3, 4)"), ("2", "(2, 2)", "(3, 2, 2)")):
            write_npy(temporary / f"w{shape}.npy", w, WEIGHTS)
            write_npy(temporary / f"g{shape}.npy", g, [x for row in GRADIENTS for x in row])
        check_header_alone(directory_with(TODAY.read_text(), temporary / "alone"))
        for path in frozen + [TODAY]:
            where = directory_with(path.read_text(), temporary / path.stem)
            for compiler, options in COMPILERS:
                plugin = build(compiler, options, where, f"lehr-{compiler}.so")
                check_host(HOST, plugin)
                check_host(LATER_HOST, plugin)
                check_trace(plugin, temporary)
            cplusplus = [c for c in COMPILERS if c[0].endswith("++")]
            for compiler, options in cplusplus:
                plugin = build(compiler, options, where, f"lehr-cplusplus-{compiler}.so", "../plugin/plugin.cpp")
                run([LEHR, "schedule", "show", "cplusplus(0.4)", "--plugin", plugin, "--epochs", "2"])
        check_versions(temporary)
    print(f"{rows} rows of the offset table; {len(frozen)} frozen headers; compilers "
          f"{', '.join(c for c, _ in COMPILERS)}; {done['loaded']} loads")


main()
