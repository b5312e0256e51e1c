#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The same seed gives the same bits: twice, with one thread, with a cold kernel cache, from another
directory, HOME and locale; and another seed gives others.  determinism.py LEHR"""
import os
import pathlib
import sys
import tempfile

from program import environment, history, kernel_cache, run, same_run, training, weights

with tempfile.TemporaryDirectory() as temporary:
    work = pathlib.Path(temporary)
    first = work / "first"
    run(*training(work, first))
    steps = [row for row in history(first) if row["kind"] == "step"]
    assert len(steps) == 54, f"{len(steps)} updates, expected 54"
    assert all(row["loss"] == row["loss"] and row["lr"] >= 0 for row in steps)
    assert steps[-1]["loss"] < steps[0]["loss"], "nothing was learned"

    other = work / "elsewhere"
    other.mkdir()
    cases = {
        "the same again": {},
        "one thread": {"env": environment(POCL_MAX_PTHREAD_COUNT="1")},
        "a cold kernel cache": {"env": environment(POCL_CACHE_DIR=str(work / "cache"))},
        "another directory, HOME and locale": {
            "cwd": other, "env": environment(HOME=str(other), POCL_CACHE_DIR=kernel_cache(),
                                             LC_ALL="de_DE.UTF-8", LANG="de_DE.UTF-8")},
    }
    for number, (what, options) in enumerate(cases.items()):
        if "cache" in what:
            os.makedirs(work / "cache")
        out = work / f"run{number}"
        run(*training(work, out), **options)
        same_run(what, out, first)
    run(*training(work, work / "seed8", seed="8"))
    if weights(work / "seed8") == weights(first):
        sys.exit("another seed gave the same weights")
    print("ok another seed differs")
