#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""lehr's training step beside PyTorch's on the same machine: step.py LEHR PYTHON [MODEL...] [--rounds 5]
[--batch 128] [--csv FILE]

Alternates the two within each round and gives the median of the rounds' ratios, because a shared machine
drifts by tens of percent within seconds.  PYTHON is one that has torch; it gets tuned malloc thresholds
and both memory formats; the faster one counts."""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
MALLOC = {"MALLOC_TRIM_THRESHOLD_": "4294967296", "MALLOC_MMAP_THRESHOLD_": "4294967296"}


def output(command, **env):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **env})
    if done.returncode:
        sys.exit(f"{' '.join(command)}\nended with {done.returncode}\n{done.stderr}")
    return done.stdout


def compare(a, model, work):
    description = pathlib.Path(work) / f"{model}.txt"
    description.write_text(output([a.lehr, "models", "--dump", model]))
    ours, theirs, ratios = [], {"channels_last": [], "nchw": []}, []
    for _ in range(a.rounds):
        mine = json.loads(output([a.lehr, "time", "--model", model, "--batch", str(a.batch), "--steps",
                                  str(a.steps), "--json"]))["images_per_second"]
        best = 0
        for layout in theirs:
            rate = json.loads(output([a.python, str(HERE / "torch_step.py"), str(description), "--batch",
                                      str(a.batch), "--steps", str(a.steps), "--layout", layout],
                                     **MALLOC))["images_per_second"]
            theirs[layout].append(rate)
            best = max(best, rate)
        ours.append(mine)
        ratios.append(mine / best)
    row = {"model": model, "batch": a.batch, "lehr": statistics.median(ours),
           "torch_channels_last": statistics.median(theirs["channels_last"]),
           "torch_nchw": statistics.median(theirs["nchw"]), "ratio": statistics.median(ratios),
           "ratio_low": min(ratios), "ratio_high": max(ratios)}
    print(f"{model:10s} {row['lehr']:9.1f} {row['torch_channels_last']:9.1f} {row['torch_nchw']:9.1f} "
          f"{row['ratio']:7.2f}  ({row['ratio_low']:.2f} to {row['ratio_high']:.2f})", flush=True)
    return row


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lehr")
    parser.add_argument("python")
    parser.add_argument("models", nargs="*", default=["vgg6", "resnet20", "keras-cnn", "tutorial"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--csv", type=pathlib.Path)
    a = parser.parse_args()
    version = output([a.python, "-c", "import torch; print(torch.__version__)"]).strip()
    print(f"images per second, batch {a.batch}, median of {a.rounds} alternated rounds; torch {version}")
    print(f"{'model':10s} {'lehr':>9s} {'torch nhwc':>9s} {'nchw':>9s} {'ratio':>7s}")
    with tempfile.TemporaryDirectory() as work:
        rows = [compare(a, model, work) for model in a.models]
    if a.csv:
        names = list(rows[0])
        a.csv.write_text("\n".join([",".join(names)] + [",".join(str(r[n]) for n in names) for r in rows])
                         + "\n")


main()
