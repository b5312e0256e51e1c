#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A run that was stopped and resumed equals the uninterrupted one bit for bit: stopped by --max-steps at
random updates (twice in a row too), by SIGINT, by SIGTERM, and by kill -9 at random moments.
resume.py LEHR [STOPS [KILLS]]"""
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from program import environment, history, program, run, same_run, training, weights

STOPS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
KILLS = int(sys.argv[3]) if len(sys.argv) > 3 else 5
UPDATES = 54
METHODS = [
    {},
    {"optimizer": "adam", "lr": "0.002", "schedule": "step(gamma=0.5, every=7st)", "accumulate": "1",
     "batch": "32"},
    {"optimizer": "rmsprop(momentum=0.9, centered=1)", "lr": "0.0005",
     "schedule": "warmup(4st) * exponential(gamma=0.9, every=1ep)"},
]
rng = random.Random(int(time.time()) if len(sys.argv) > 2 else 1)


def resume(out, want=0, *more):
    return run("train", "--resume", out, "--save-weights", f"{out}.safetensors", "--progress", "none", *more,
               want=want)


def start(words):
    return subprocess.Popen([program(), *map(str, words)], stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True, env=environment())


def wait_for_updates(out, process, count):
    """Until history.jsonl has so many updates, or the process has ended."""
    path = pathlib.Path(out) / "history.jsonl"
    while process.poll() is None:
        if path.exists() and path.read_text().count('"step"') > count:
            return
        time.sleep(0.005)


def stopped_by_count(work, method, number):
    whole = work / f"whole{number}"
    run(*training(work, whole, **method))
    for trial in range(STOPS):
        out = work / f"stop{number}-{trial}"
        at = rng.randrange(1, UPDATES)
        run(*training(work, out, max_steps=str(at), **method), want=0)
        steps = [row for row in history(out) if row["kind"] == "step"]
        if len(steps) != at:
            sys.exit(f"--max-steps {at} made {len(steps)} updates")
        again = rng.randrange(at, UPDATES) + 1
        if again < UPDATES:
            resume(out, 0, "--max-steps", again)
        resume(out)
        same_run(f"method {number}: stopped at {at} and {again}, resumed", out, whole)
    return whole


def stopped_by_signal(work, whole, number, code):
    out = work / f"signal{number}"
    process = start(training(work, out))
    wait_for_updates(out, process, rng.randrange(3, 20))
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    if process.returncode != code:
        sys.exit(f"{number.name}: exit status {process.returncode}, not {code}\n{errors}")
    if "Traceback" in errors:
        sys.exit(errors)
    resume(out)
    same_run(f"{number.name} ends with {code}, resumed", out, whole)


def killed(work, whole, trial):
    """kill -9 at random moments until the run gets through; what it leaves must always be usable."""
    out = work / f"kill{trial}"
    started = time.monotonic()
    process = start(training(work, out, checkpoint_every="2st"))
    wait_for_updates(out, process, 0)
    begin = time.monotonic() - started
    kills = 0
    for _ in range(3):
        time.sleep(rng.uniform(0, 0.15))
        process.kill()
        process.communicate()
        kills += 1
        if not any(out.rglob("*.safetensors")):
            shutil.rmtree(out, ignore_errors=True)  # nothing was saved yet: start again
            process = start(training(work, out, checkpoint_every="2st"))
        else:
            process = start(["train", "--resume", out, "--save-weights", f"{out}.safetensors",
                             "--progress", "none"])
        time.sleep(begin * rng.uniform(0.6, 1.1))
    _, errors = process.communicate(timeout=300)
    if process.returncode != 0:
        sys.exit(f"after {kills} kills: exit status {process.returncode}\n{errors}")
    if weights(out) != weights(whole):
        sys.exit(f"after {kills} kills: the weights differ")
    same_run(f"killed {kills} times, resumed", out, whole)


def main():
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        wholes = [stopped_by_count(work, method, i) for i, method in enumerate(METHODS)]
        stopped_by_signal(work, wholes[0], signal.SIGINT, 130)
        stopped_by_signal(work, wholes[0], signal.SIGTERM, 143)
        for trial in range(KILLS):
            killed(work, wholes[0], trial)


main()
