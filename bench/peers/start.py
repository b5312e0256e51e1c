#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""From the start of the process to the first training step done: start.py BUILD PYTHON [MODEL...] [--rounds 3]
[--csv FILE].  lehr: `lehr train` on synthetic data until it tells of its first update, with empty caches (the
driver's and lehr's own) and then with those that the cold start filled.  PyTorch: import, model, first step, eager."""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

import peer

GOALS = {"warm": 1.5, "cold": 8.0}


def lehr_seconds(a, model, work, caches):
    """Until the first event of an update; the rest of the run is not waited for."""
    out = pathlib.Path(work) / "run"
    command = [pathlib.Path(a.build) / "cli" / "lehr", "train", "--model", model, "--data", "synthetic:n=1280,test=128",
               "--batch", str(a.batch), "--max-steps", "1", "--val-fraction", "0", "--progress", "json", "--out", out]
    env = {**os.environ, "POCL_CACHE_DIR": f"{caches}/pocl", "LEHR_CACHE": f"{caches}/lehr",
           "XDG_CACHE_HOME": f"{caches}/xdg"}
    start = time.monotonic()
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, text=True, env=env)
    seconds = None
    for line in process.stdout:
        if seconds is None and json.loads(line)["kind"] == "step":
            seconds = time.monotonic() - start
    if process.wait() or seconds is None:
        raise SystemExit(f"{command} ended with {process.returncode} before its first step")
    shutil.rmtree(out, ignore_errors=True)
    return seconds


def torch_seconds(a, description):
    start = time.monotonic()
    process = peer.Torch(a.python)
    made = process.make("step", description=str(description), batch=a.batch, mode="channels_last")
    made["run"]()
    seconds = time.monotonic() - start
    process.close()
    return seconds


def main():
    parser = peer.arguments(__doc__, rounds=3)
    parser.add_argument("models", nargs="*", default=["vgg6"])
    parser.add_argument("--batch", type=int, default=128)
    a = parser.parse_intermixed_args()
    if a.tiny:
        a.models, a.rounds, a.batch = ["tutorial"], 1, 8
    rows = []
    for model in a.models:
        seconds = {"cold": [], "warm": [], "torch": []}
        with tempfile.TemporaryDirectory() as work:
            description = pathlib.Path(work) / f"{model}.txt"
            description.write_text(subprocess.run([pathlib.Path(a.build) / "cli" / "lehr", "models", "--dump", model],
                                                  check=True, capture_output=True, text=True).stdout)
            for i in range(a.rounds):
                caches = pathlib.Path(work) / f"caches{i}"
                (caches / "pocl").mkdir(parents=True)
                seconds["cold"].append(lehr_seconds(a, model, work, caches))
                seconds["warm"].append(lehr_seconds(a, model, work, caches))
                seconds["torch"].append(torch_seconds(a, description))
        row = {"model": model, "batch": a.batch, **{f"{k}_s": statistics.median(v) for k, v in seconds.items()}}
        print(f"{model}: first step after {row['cold_s']:.2f} s with empty caches (goal {GOALS['cold']}), "
              f"{row['warm_s']:.2f} s with warm ones (goal {GOALS['warm']}), PyTorch {row['torch_s']:.2f} s", flush=True)
        rows.append(row)
    peer.write(a.csv, rows)


if __name__ == "__main__":
    main()
