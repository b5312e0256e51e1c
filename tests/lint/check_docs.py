#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/plugin-check.md lists the checks that the program has: check_docs.py LEHR DOC [--write]."""
import json
import subprocess
import sys

HEAD = "## The checks\n"


def table(rows):
    lines = ["", "A device is opened by those marked *.", "", "| check | what must hold | needs |",
             "|---|---|---|"]
    for row in rows:
        star = " *" if row["device"] else ""
        lines.append(f"| `{row['name']}`{star} | {row['text']} | {', '.join(f'`{n}`' for n in row['needs'].split())} |")
    return "\n".join(lines) + f"\n\n{len(rows)} checks.\n"


lehr, path = sys.argv[1:3]
run = subprocess.run([lehr, "plugin", "check", "--list", "--json"], capture_output=True, text=True, check=True)
rows = json.loads(run.stdout)
text = open(path, encoding="utf-8").read()
before = text[:text.index(HEAD) + len(HEAD)]
want = before + table(rows)
names = [row["name"] for row in rows]
wrong = [row["name"] for i, row in enumerate(rows) if set(row["needs"].split()) - set(names[:i])]
if wrong or len(set(names)) != len(names):
    sys.exit(f"checks that need a later one or are named twice: {wrong}")
if "--write" in sys.argv:
    open(path, "w", encoding="utf-8").write(want)
elif text != want:
    sys.exit(f"{path} differs from the program's list; run: tests/lint/check_docs.py LEHR {path} --write")
print(f"{len(rows)} checks")
