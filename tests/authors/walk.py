#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The author's walk: every step of docs/writing-plugins.md in an empty directory outside the tree, with the
installed header only.  walk.py LEHR BUILD SOURCE

In the document a fence says what its text is: "c NAME" a file, "sh" commands that must work, "sh fails" commands
whose last one must not, "python" a script for NumPy, "text" lines that the commands before it print."""
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from installed import environment

LEHR, BUILD, SOURCE = sys.argv[1:4]
PATH = pathlib.Path(SOURCE) / "docs" / "writing-plugins.md"
# Lines of a file, all of them: the smallest schedule, one that waits for a metric, Lion without a C function.
MOST = {"lehr-halving.c": 20, "lehr-falling.c": 30, "lehr-tiger.c": 20}


def blocks():
    return re.findall(r"^```(\S+)(?: ([^\n]+))?\n(.*?)^```$", PATH.read_text(), re.M | re.S)


def numpy_python():
    for python in (os.environ.get("LEHR_ORACLE_PYTHON"), sys.executable):
        if python and subprocess.run([python, "-c", "import numpy"], capture_output=True).returncode == 0:
            return python
    return None


def write_npy(path, shape, seed):
    """What the first script makes, where there is no NumPy."""
    count, values = 1, []
    for n in shape:
        count *= n
    for _ in range(count):
        seed = seed * 1103515245 + 12345 & 0x7fffffff
        values.append(seed / 0x40000000 - 1)
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    length = (10 + len(text) + 1 + 63) // 64 * 64 - 10
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", length) + text.ljust(length - 1).encode() + b"\n" +
                     struct.pack(f"<{count}f", *values))


def run(text, where, env, fails):
    """All lines but the last must work; the last one too, or not, as it says."""
    script = "set -e\n" + text if not fails else \
        "set -e\n" + "\n".join(text.strip().splitlines()[:-1]) + "\nset +e\n" + text.strip().splitlines()[-1] + \
        "\ncode=$?\ntest $code -gt 0 && test $code -lt 126"
    done = subprocess.run(["sh", "-c", script], cwd=where, env=env, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(f"{text}ended with {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout + done.stderr


def check_output(text, output):
    """Each line of the document is a part of what was printed, in this order."""
    at = 0
    for line in text.splitlines():
        found = output.find(line, at)
        if found < 0:
            sys.exit(f"'{line}' is not (or not in this order) in\n{output}")
        at = found + len(line)


def main():
    python, output, counts = numpy_python(), "", {"c": 0, "sh": 0, "python": 0, "text": 0, "skipped": 0}
    with tempfile.TemporaryDirectory() as temporary:
        env = environment(LEHR, BUILD, temporary)
        where = pathlib.Path(temporary) / "empty"
        where.mkdir()
        for kind, more, text in blocks():
            if kind == "c":
                (where / more).write_text(text)
                lines = len(text.splitlines())
                if lines > MOST.get(more, 0):
                    sys.exit(f"{more} has {lines} lines, more than {MOST.get(more)}")
                if more == "lehr-tiger.c" and re.search(r"^(static )?\w+ \*?\w+\([^)]*\)$", text, re.M):
                    sys.exit(f"{more} has a C function")
                print(f"{more}: {lines} lines")
            elif kind == "sh":
                # each block starts where the first one did
                output = run(text, where, env, more == "fails")
            elif kind == "python" and python:
                subprocess.run([python, "-c", text], cwd=where, env=env, check=True)
            elif kind == "python":
                counts["skipped"] += 1
                if "np.save" in text:
                    write_npy(where / "w.npy", [50], 1)
                    write_npy(where / "g.npy", [20, 50], 2)
            elif kind == "text":
                check_output(text, output)
            else:
                sys.exit(f"a fence of kind {kind!r}")
            counts[kind] += 1
    if set(MOST) - {more for kind, more, _ in blocks() if kind == "c"} or counts["sh"] < 15:
        sys.exit(f"the document lost steps: {counts}")
    for link in re.findall(r"\]\(([^)#:]+)\)", PATH.read_text()):
        if not (PATH.parent / link).exists():
            sys.exit(f"{PATH.name} links to {link}, which does not exist")
    print(f"{counts['sh']} steps, {counts['c']} files, {counts['text']} outputs, {counts['python']} scripts "
          f"({counts['skipped']} skipped: no NumPy)")


main()
