#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The table of docs/optimizers.md, from the plugins themselves.

table_optimizers.py LEHR DOC [--write]: without --write it compares what stands between the two marks of DOC and
ends with 1 when they differ."""
import concurrent.futures
import json
import pathlib
import subprocess
import sys

BEGIN, END = "<!-- table of the plugins: scripts/table_optimizers.py -->\n", "<!-- end of the table -->\n"


def lehr(*words):
    return subprocess.run([sys.argv[1], *words], check=True, capture_output=True, text=True).stdout


def memory(optimizer):
    scratch = sum(4 for s in optimizer["slots"] if s["scratch"])
    text = str(optimizer["bytes_per_weight"] - scratch)
    more = [s for s in optimizer["slots"] if s["when"]]
    default = {p["name"]: p["default"] for p in optimizer["parameters"]}
    for slot in more:
        off = float(default[slot["when"]]) == 0
        text += f", {'+4 with' if off else '-4 without'} {slot['when']}"
    return text + (", scratch" if scratch else "")


def marks(optimizer):
    passes = len(optimizer["passes"])
    text = [f"{passes} passes"] if passes > 1 else []
    text += ["own step"] if optimizer["custom"] else []
    text += ["waits"] if any(r["scope"] in (2, "over all to host") for p in optimizer["passes"]
                             for r in p["reductions"]) or optimizer["needs_loss"] else []
    text += ["own weights for evaluation"] if optimizer["evaluation_weights"] else []
    return ", ".join(text)


def row(name):
    optimizer = next(o for p in json.loads(lehr("plugin", "info", name, "--json")) for o in p["optimizers"]
                     if o["name"] == name)
    presets = "; ".join(f"`{p['prefix']}:` {p['values']}" for p in optimizer["presets"])
    cells = [f"`{name}`", "`" + optimizer["doc"].replace("|", "\\|") + "`", memory(optimizer), f"{optimizer['lr']:g}",
             marks(optimizer), presets]
    return "| " + " | ".join(cells) + " |\n"


def main():
    names = [line.split()[0] for line in lehr("optimizer", "list").split("\n\n")[0].splitlines()[1:]
             if line and not line[0].isspace()]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(row, names))
    table = ("| name | update (g: gradient, w: weight) | bytes per weight | lr | | presets |\n"
             "|---|---|---|---|---|---|\n" + "".join(rows))
    path = pathlib.Path(sys.argv[2])
    before, rest = path.read_text().split(BEGIN)
    now, after = rest.split(END)
    if sys.argv[3:] == ["--write"]:
        path.write_text(before + BEGIN + table + END + after)
    elif now != table:
        sys.exit(f"{path.name} is not as the plugins are: run scripts/table_optimizers.py {sys.argv[1]} {path} --write")
    print(f"ok {len(rows)} optimizers")


main()
