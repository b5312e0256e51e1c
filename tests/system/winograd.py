#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Training with Winograd's convolutions and without ends at the same loss and accuracy within the noise
of the seeds: every setting of LEHR_WINOGRAD trains with three seeds, and Student's t-test between each
Winograd setting and direct convolution, at the level of 1 %, must not tell them apart.
winograd.py LEHR [--data SPEC] [lehr train's other options]
Without --data: a small model on synthetic images, seconds; in the long suite (LEHR_TEST_LEVEL=1) twice
as many seeds, and with LEHR_DATA the tutorial's model on CIFAR-10."""
import json
import math
import os
import pathlib
import statistics
import sys
import tempfile

from program import run

LONG = int(os.environ.get("LEHR_TEST_LEVEL", "0") or 0) > 0
SETTINGS = {"direct": "0", "F(2x2, 3x3)": "2", "F(4x4, 3x3)": ""}
SEEDS = range(1, 4 + 3 * LONG)
T_LIMIT = {3: 4.604, 6: 3.169}  # Student's t, two-sided 1 %, 2 (n - 1) degrees of freedom
MODEL = """input 3 32 32
maxpool 2
conv 16 3x3 pad=same
batchnorm
relu
conv 16 3x3 pad=same
relu
maxpool 2
conv 32 3x3 pad=same
relu
flatten
dense 10
"""


def result(out, words, wish, seed):
    env = dict(os.environ, LEHR_WINOGRAD=wish)
    run("train", *words, "--optimizer", "sgd(momentum=0.9)", "--progress", "none", "--seed", str(seed),
        "--checkpoint-every", "none", "--out", out, env=env)
    document = json.loads((out / "run.json").read_text())
    used = {c["variant"] for c in document["choices"] if c["op"].startswith("conv.")}
    expected = {"0": not any("winograd" in v for v in used), "2": "winograd2_cpu" in used,
                "": "winograd4_cpu" in used}[wish]
    if not expected and document["device"].get("family", "cpu") == "cpu":
        print(f"LEHR_WINOGRAD={wish}: used {', '.join(sorted(used))}")
    values = document["result"]
    return values["loss"], values["val_loss"], values["val_accuracy"], expected


def main():
    words = sys.argv[2:]
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        if not words and LONG and os.environ.get("LEHR_DATA"):
            words = ["--data", f"cifar10:{os.environ['LEHR_DATA']}", "--model", "tutorial", "--limit-train", "10000",
                     "--limit-val", "2000", "--epochs", "5", "--lr", "0.01"]
        if not words:
            (work / "small.model").write_text(MODEL)
            words = ["--data", "synthetic:n=1000,test=500", "--model", str(work / "small.model"),
                     "--epochs", "2", "--lr", "0.02"]
        rows, good = {}, True
        for seed in SEEDS:  # in turns: a machine that gets slower does so for all
            for name, wish in SETTINGS.items():
                values = result(work / f"{wish or 'all'}-{seed}", words, wish, seed)
                good &= values[3]
                rows.setdefault(name, []).append(values)
    print(f"{len(SEEDS)} seeds: mean +- standard deviation of the last epoch\n"
          f"{'':12} {'training loss':>20} {'validation loss':>20} {'accuracy %':>16}")
    for name, values in rows.items():
        cells = []
        for i, scale in enumerate((1, 1, 100)):
            column = [scale * v[i] for v in values]
            cells.append(f"{statistics.mean(column):.4f} +- {statistics.stdev(column):.4f}")
        print(f"{name:12} {cells[0]:>20} {cells[1]:>20} {cells[2]:>16}")
    for name, values in list(rows.items())[1:]:
        for i, what in enumerate(("training loss", "validation loss", "accuracy")):
            a, b = [v[i] for v in rows["direct"]], [v[i] for v in values]
            spread = math.sqrt((statistics.variance(a) + statistics.variance(b)) / len(a))
            t = abs(statistics.mean(a) - statistics.mean(b)) / spread if spread > 0 else 0.0
            print(f"{name} against direct, {what}: t = {t:.2f} of {T_LIMIT[len(a)]}")
            if not t <= T_LIMIT[len(a)]:
                good = False
    print("agree within the noise" if good else "DO NOT AGREE")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
