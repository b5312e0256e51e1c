#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints the offset table of a header, to be kept as layout-MAJOR.MINOR.h when that version is released:
freeze.py HEADER.  (Layouts are those of 64-bit machines with 8-byte pointers.)"""
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import header

path = pathlib.Path(sys.argv[1]).resolve()
text = path.read_text()
lines = ["#include <stdio.h>", f'#include "{path}"', "int main(void)", "{"]
for struct, fields in header.structs(text).items():
    lines.append(f'printf("STRUCT({struct}, %zu)\\n", sizeof({struct}));')
    for field in fields:
        lines.append(f'printf("FIELD({struct}, {field}, %zu, %zu)\\n", offsetof({struct}, {field}), '
                     f"sizeof((({struct} *)0)->{field}));")
for name in header.constants(text):
    lines.append(f'printf("CONSTANT({name}, %lld)\\n", (long long){name});')
lines += ["return 0;", "}"]
with tempfile.TemporaryDirectory() as temporary:
    source, program = pathlib.Path(temporary) / "x.c", pathlib.Path(temporary) / "x"
    source.write_text("\n".join(lines))
    subprocess.run(["cc", "-std=c11", "-o", program, source], check=True)
    table = subprocess.run([program], capture_output=True, text=True, check=True).stdout
print("/* SPDX-License-Identifier: MIT\n *\n * Sizes, offsets and numbers of the plugin ABI as released; made by "
      "freeze.py, never edited. */")
print(table, end="")
