#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""abidiff between libraries built from each frozen header and from today's: no difference; and it does see
one that is there.  abidiff.py SOURCE"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import header

HERE = pathlib.Path(__file__).resolve().parent
TODAY = pathlib.Path(sys.argv[1]) / "include" / "lehr" / "plugin.h"
if not shutil.which("abidiff") or not shutil.which("cc"):
    print("abidiff (package abigail-tools) is not here: skipped")
    sys.exit(77)


def library(text, where, *more):
    (where / "lehr").mkdir(parents=True)
    (where / "lehr" / "plugin.h").write_text(text)
    subprocess.run(["cc", "-std=c11", "-g", "-fPIC", "-shared", f"-I{where}", *more, "-o", where / "libanchor.so",
                    HERE / "anchor.c"], check=True)
    return where / "libanchor.so"


def differences(old, new):
    done = subprocess.run(["abidiff", old, new], capture_output=True, text=True)
    if done.returncode & 3:  # a usage or another error of its own
        sys.exit(f"abidiff {old} {new}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.returncode, done.stdout


with tempfile.TemporaryDirectory() as temporary:
    top = pathlib.Path(temporary)
    today = library(TODAY.read_text(), top / "today")
    frozen = sorted(HERE.glob("plugin-*.h"))
    for path in frozen:
        code, text = differences(library(path.read_text(), top / path.stem), today)
        if code:
            sys.exit(f"today's header differs from {path.name}:\n{text}")
    code, text = differences(today, library(header.later(TODAY.read_text()), top / "later", "-DLEHR_ABI_MINOR=1"))
    if not code or "later_number" not in text:
        sys.exit(f"abidiff does not see added fields: {code}\n{text}")
    print(f"no difference to {len(frozen)} frozen headers; an added field is seen")
