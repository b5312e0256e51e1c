#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every optimizer trains: with its defaults the loss falls; a run that was stopped and resumed equals the
uninterrupted one bit for bit (here for those with state of a kind of its own; in the long suite,
LEHR_TEST_LEVEL=1, for every optimizer, each with a quarter of the schedules: train/resume has all pairs).
optimizers.py LEHR [NAME...]"""
import concurrent.futures
import os
import pathlib
import random
import sys
import tempfile

from program import history, run, weights

LONG = int(os.environ.get("LEHR_TEST_LEVEL", "0") or 0) > 0
# Rates that start far below any useful one need more than this test's updates.
SPECS = {"dog": "dog(r_eps=1e-2)", "dadapt_sgd": "dadapt_sgd(d0=1e-4)"}
# Host state, reductions, slots from weights, weights for evaluation, the loss, custom steps.
MODEL = """input 3 32 32
maxpool 4
flatten
dense 32
batchnorm
relu
dense 10
"""
RESUMED = ["nadam", "laprop", "lookahead_sgd", "asgd", "schedule_free_adamw", "cautious_lion", "novograd",
           "prodigy", "dadapt_sgd", "polyak_sgd", "muon", "adafactor"]
SCHEDULES = {
    "chebyshev": "chebyshev()", "constant": "constant()", "cosine": "cosine(end=0)",
    "cyclic": "cyclic(low=10%, up=5st)", "exponential": "exponential(gamma=0.9, every=3st)",
    "greedy": "greedy(val.loss, factor=0.8, patience=0)", "inverse_sqrt": "inverse_sqrt(warmup=4st)",
    "linear": "linear(end=0)", "multistep": "multistep(milestones=[4st, 9st], gamma=0.5)",
    "noise": "noise()", "onecycle": "onecycle()", "piecewise": "piecewise(at=[0st, 5st, 12st], to=[10%, 100%, 1%])",
    "plateau": "plateau(val.loss, factor=0.5, patience=0)", "polynomial": "polynomial(power=2, end=1%)",
    "random": "random()", "restarts": "restarts(first=4st, t_mult=2)", "rex": "rex()",
    "sigmoid": "sigmoid(center=8st, every=2st)", "step": "step(gamma=0.5, every=4st)", "tanh": "tanh()",
    "time": "time(decay=0.1)", "warmup": "warmup(4st)", "wsd": "wsd(warmup=3st, decay=5st)"}


def listed(kind):
    """Names at the beginning of a line of `lehr KIND list`, in one table."""
    lines = run(kind, "list").stdout.split("\n\n")[0].splitlines()[1:]
    return [line.split()[0] for line in lines if line and not line[0].isspace()]


def words(out, spec, schedule, *more):
    return ["train", "--data", "synthetic:n=1000,test=50", "--model", out.parent / "small.model", "--optimizer", spec, "--schedule",
            schedule, "--progress", "none", "--out", out, "--save-weights", f"{out}.safetensors", *more]


def falls(work, name):
    out = work / name
    run(*words(out, SPECS.get(name, name), "constant()", "--epochs", "2", "--batch", "32", "--seed", "1"))
    losses = [row["loss"] for row in history(out) if row["kind"] == "step"]
    first, last = sum(losses[:5]) / 5, sum(losses[-5:]) / 5
    if not last < 0.95 * first:
        return f"{name}: the loss goes from {first:.3f} to {last:.3f} over {len(losses)} updates"
    return None


def resumes(work, name, schedule, stop):
    """Stopped after `stop` updates and resumed against the whole."""
    spec = SPECS.get(name, name)
    label = f"{name}-{schedule.split('(')[0]}"
    whole, part = work / f"{label}-whole", work / f"{label}-part"
    length = ("--epochs", "2", "--batch", "100")
    run(*words(whole, spec, schedule, *length))
    run(*words(part, spec, schedule, "--max-steps", stop, *length))
    run("train", "--resume", part, "--save-weights", f"{part}.safetensors", "--progress", "none")
    if weights(part) != weights(whole):
        return f"{name}, {schedule}, stopped at {stop}: the weights differ"
    if history(part) != history(whole):
        return f"{name}, {schedule}, stopped at {stop}: the histories differ"
    return None


def main():
    rng = random.Random(5)
    names = sys.argv[2:] or listed("optimizer")
    missing = set(listed("schedule")) ^ set(SCHEDULES)
    if missing:
        sys.exit(f"SCHEDULES of this test and the program's differ: {', '.join(sorted(missing))}")
    some = list(SCHEDULES.values())
    pairs = [(n, s) for i, n in enumerate(names) for k, s in enumerate(some) if (i + k) % 4 == 0]
    if not LONG:
        pairs = [(n, some[(7 * i + 1) % len(some)]) for i, n in enumerate(n for n in names if n in RESUMED)]
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        work = pathlib.Path(folder)
        (work / "small.model").write_text(MODEL)
        jobs = [pool.submit(falls, work, name) for name in names]
        jobs += [pool.submit(resumes, work, n, s, rng.randrange(1, 18)) for n, s in pairs]
        wrong = [job.result() for job in jobs if job.result()]
    print("\n".join(wrong) or f"ok {len(names)} optimizers: the loss falls; {len(pairs)} runs resume bit for bit")
    sys.exit(1 if wrong else 0)


main()
