#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An Adam update of lehr beside PyTorch's for-loop, foreach and fused ones on the same machine:
optimizer.py LEHR_BENCH_OPTIMIZER PYTHON [--weights N] [--tensors N] [--rounds 5] [--csv FILE]

Alternates all of them within each round; the median of the rounds' ratios counts.  PYTHON is one that has
torch; it gets tuned malloc thresholds; its fastest mode of a round is what lehr is compared with."""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
MALLOC = {"MALLOC_TRIM_THRESHOLD_": "4294967296", "MALLOC_MMAP_THRESHOLD_": "4294967296"}
MODES = ("loop", "foreach", "fused")


def run(command, **env):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True,
                          env={**os.environ, **env})
    if done.returncode:
        sys.exit(f"{command} ended with {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bench")
    parser.add_argument("python")
    parser.add_argument("--weights", type=int, default=10000000)
    parser.add_argument("--tensors", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--csv", type=pathlib.Path)
    a = parser.parse_args()
    size = ["--weights", a.weights, "--tensors", a.tensors]
    rows, version = [], ""
    for _ in range(a.rounds):
        row = run([a.bench, "--json", "--rounds", 25, *size])
        for mode in MODES:
            theirs = run([a.python, HERE / "torch_optimizer.py", "--mode", mode, *size], **MALLOC)
            row["torch_" + mode + "_ms"], row["torch_" + mode + "_best_ms"] = theirs["ms"], theirs["best_ms"]
            version = theirs["version"]
        row["ratio"] = min(row["torch_" + m + "_ms"] for m in MODES) / row["rule_ms"]
        rows.append(row)

    def middle(name):
        return statistics.median(r[name] for r in rows)

    print(f"Adam, {a.weights} weights in {a.tensors} tensors, ms an update, median of {a.rounds} alternated "
          f"rounds; torch {version}")
    for name in ("rule", "hand", *("torch_" + m for m in MODES)):
        best = min(r[name + "_best_ms"] for r in rows)
        print(f"  {name:14s} {middle(name + '_ms'):8.2f}   best {best:8.2f}")
    print(f"  beside the kernel by hand: {middle('beside_hand'):.2f}; beside a copy kernel: "
          f"{middle('beside_copy_kernel'):.2f}; a buffer copy: {middle('beside_copy_buffer'):.2f}; scaling in "
          f"place: {middle('beside_in_place'):.2f} (bytes per second)")
    ratios = [r["ratio"] for r in rows]
    print(f"  torch's fastest / lehr: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}); of the "
          f"best of all rounds: {min(r['torch_' + m + '_best_ms'] for r in rows for m in MODES) / min(r['rule_best_ms'] for r in rows):.2f}")
    if a.csv:
        names = list(rows[0])
        a.csv.write_text("\n".join([",".join(names)] + [",".join(str(r[n]) for n in names) for r in rows]) + "\n")


main()
