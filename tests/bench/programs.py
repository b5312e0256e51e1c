#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The benches run: lehr-bench with its file and picture, lehr-bench-optimizer, lehr-bench-serve as the peers use it.
Small problems, one round; that figures are there and make sense, never how large they are.
programs.py BUILD SOURCE"""
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import xml.dom.minidom

BUILD, SOURCE = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(SOURCE / "bench"))
sys.dont_write_bytecode = True


def run(*words, want=0, **options):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=300, **options)
    if done.returncode != want:
        sys.exit(f"{' '.join(map(str, words))}\nended with {done.returncode}, not {want}\n{done.stdout}{done.stderr}")
    return done.stdout


def check(truth, what):
    if not truth:
        sys.exit(f"FAILED: {what}")


def positive(row, *names):
    for name in names:
        value = float(row[name])
        check(math.isfinite(value) and value > 0, f"{name} is {row[name]} in {row}")


def rows_and_picture(work):
    import plot
    table, picture = work / "ops.csv", work / "roofline.svg"
    out = run(BUILD / "bench/lehr-bench", "--level", 0, "--op", "add", "--rounds", 1, "--csv", table)
    run(BUILD / "bench/lehr-bench", "--level", 0, "--op", "dense.forward", "--case", 0, "--rounds", 1, "--chosen", "yes")
    check(out == table.read_text(), "what is printed is what is in the file")
    head, rows = plot.read(table)
    check(len(head) == 4 and "command" in head[2] and "copy" in head[3], f"head: {head}")
    check(len(rows) >= 2 and {"tasks_cpu", "elementwise"} <= {r["variant"] for r in rows}, "all variants")
    for row in rows:
        positive(row, "ms", "best_ms", "work_ms", "bytes", "flops")
        check(row["bound"] == "memory", f"adding is bound by memory: {row}")
        check(float(row["of_roofline"]) >= float(row["of_peak"]), "the roofline is the lower of two")
    run(sys.executable, SOURCE / "bench/plot.py", "roofline", table, picture)
    xml.dom.minidom.parse(str(picture))
    problems = {(row["op"], row["problem"]) for row in rows}
    check(picture.read_text().count("<title>") == len(problems), "a point for every problem")


def ratios(work):
    import plot
    table, picture = work / "step.csv", work / "ratios.svg"
    table.write_text("# about\nmodel,ratio,low,high,goal\nvgg6,2.2,2.0,2.4,2.5\nb<c,3.1,2.0,9,\n")
    run(sys.executable, SOURCE / "bench/plot.py", "ratios", picture, table)
    xml.dom.minidom.parse(str(picture))
    check("2.20" in picture.read_text() and "b&lt;c" in picture.read_text(), "both rows")
    check(plot.label({"model": "x"}) == "step x", "labels")


def optimizer():
    row = json.loads(run(BUILD / "bench/lehr-bench-optimizer", "--weights", 1000, "--tensors", 3, "--rounds", 1, "--json"))
    positive(row, "rule_ms", "hand_ms", "copy_kernel_ms", "beside_hand")


def serve():
    def ask(*commands, want=0):
        text = run(BUILD / "bench/lehr-bench-serve", input="".join(c + "\n" for c in commands), want=want)
        return [json.loads(line) for line in text.splitlines()]

    device, op, one, two, _, step, ran, update, ms, memory, peaks = ask(
        "device", "op add.forward n=2 per_image=100", "run 0", "run 0", "close 0", "step tutorial 2", "run 0",
        "optimizer adam 1000 2", "run 1", "memory", "roofline", "quit")
    check(device["units"] >= 1 and op["id"] == 0 and op["bytes"] == 2400, f"{device} {op}")
    check(step["id"] == 0 and update["id"] == 1, "a closed number is free again")
    check(step["mib"] > step["values_mib"] >= step["least_mib"] > 0, f"{step}")
    for row in (one, two, ran, ms):
        positive(row, "ms")
    positive(peaks, "gflops", "gbs")
    check(memory["peak"] >= memory["rss"] > 0, f"{memory}")
    ask("op nothing n=1", want=1)
    ask("run 7", want=1)


with tempfile.TemporaryDirectory() as directory:
    rows_and_picture(pathlib.Path(directory))
    ratios(pathlib.Path(directory))
optimizer()
serve()
print("bench programs: rows, pictures and answers are there")
