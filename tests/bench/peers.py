#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every comparison with PyTorch runs on tiny problems and leaves its files: peers.py BUILD SOURCE.  The Python that
has torch is named by LEHR_ORACLE_PYTHON; without it the test is skipped."""
import csv
import os
import pathlib
import subprocess
import sys
import tempfile

PYTHON = os.environ.get("LEHR_ORACLE_PYTHON")
if not PYTHON:
    print("skipped: LEHR_ORACLE_PYTHON names no Python that has torch and numpy")
    sys.exit(77)
BUILD, SOURCE = map(pathlib.Path, sys.argv[1:3])

with tempfile.TemporaryDirectory() as work:
    done = subprocess.run([sys.executable, "-B", SOURCE / "bench/run.py", BUILD, PYTHON, "--tiny", "--out", work],
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"run.py ended with {done.returncode}\n{done.stdout}{done.stderr}")
    out = pathlib.Path(work)
    for part in ("step", "conv", "gemm", "optimizer", "start", "threads", "ops", "direct"):
        if part == "threads" and "cannot be kept to one thread" in done.stdout:
            continue
        lines = [line for line in (out / f"{part}.csv").read_text().splitlines() if not line.startswith("#")]
        rows = list(csv.DictReader(lines))
        if not rows or not all(float(row.get("ratio") or 1) > 0 for row in rows):
            sys.exit(f"{part}.csv has no figures: {lines}")
    for name in ("roofline.svg", "direct.svg", "ratios.svg", "README.md"):
        if (out / name).stat().st_size < 300:
            sys.exit(f"{name} is missing or empty")
print("every comparison ran")
