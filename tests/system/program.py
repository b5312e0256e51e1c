# SPDX-License-Identifier: MIT
"""What the script tests share: running the built `lehr`, a small model and data set that touch every kind
of state (dropout, batch normalisation, augmentation, momentum, a metric-driven schedule), comparing runs."""
import json
import os
import pathlib
import subprocess
import sys

MODEL = """input 3 32 32
init he_normal
conv 8 3x3 pad=1 bias=0
batchnorm
relu
maxpool 4
dropout 0.2
flatten
dense 10
"""
# Columns that tell the time and nothing of the training.
TIMES = {"seconds", "images_per_second", "time", "wall", "eta"}


def program():
    return str(pathlib.Path(sys.argv[1]).resolve())


def kernel_cache():
    """Where the CPU driver keeps kernels, for an environment with another HOME: kernels that are known
    already cost a compiler's time again otherwise."""
    caches = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))
    return os.environ.get("POCL_CACHE_DIR", f"{caches}/pocl")


def environment(**more):
    env = {k: v for k, v in os.environ.items() if k != "LEHR_DATA"}
    env.update(more)
    return {k: v for k, v in env.items() if v is not None}


def run(*words, want=0, **options):
    """Runs lehr; ends the test when the exit status is another one."""
    options.setdefault("env", environment())
    done = subprocess.run([program(), *map(str, words)], capture_output=True, text=True, timeout=600,
                          **options)
    if want is not None and done.returncode != want:
        sys.exit(f"lehr {' '.join(map(str, words))}\nended with {done.returncode}, not {want}\n"
                 f"{done.stdout[-2000:]}{done.stderr[-3000:]}")
    return done


def write_model(work):
    path = pathlib.Path(work) / "small.model"
    path.write_text(MODEL)
    return path


def training(work, out, **changes):
    """The words of a training run: 18 updates an epoch, three epochs."""
    options = {
        "data": "synthetic:n=640,test=64", "model": write_model(work),
        "optimizer": "sgd(momentum=0.9, nesterov=1)",
        "schedule": "warmup(1ep) * cosine(end=0) * plateau(val.loss, factor=0.5, patience=0)",
        "lr": "0.05", "epochs": "3", "batch": "16", "accumulate": "2", "seed": "7", "augment": "standard",
        "weight-decay": "1e-4", "clip-norm": "5", "label-smoothing": "0.1", "checkpoint-every": "5st",
        "progress": "none", "out": out, "save-weights": f"{out}.safetensors"}
    options.update({k.replace("_", "-"): v for k, v in changes.items()})
    return ["train"] + [w for k, v in options.items() if v is not None for w in (f"--{k}", v)]


def history(out):
    """history.jsonl without what depends on the clock."""
    rows = []
    for line in (pathlib.Path(out) / "history.jsonl").read_text().splitlines():
        rows.append({k: v for k, v in json.loads(line).items() if k not in TIMES})
    return rows


def weights(out):
    return pathlib.Path(f"{out}.safetensors").read_bytes()


def same_run(what, got, want):
    if weights(got) != weights(want):
        sys.exit(f"{what}: the weights files differ")
    a, b = history(got), history(want)
    if a != b:
        first = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
        sys.exit(f"{what}: histories differ at line {first + 1} of {len(a)} and {len(b)}:\n"
                 f"{a[first:first + 1]}\n{b[first:first + 1]}")
    print(f"ok {what}")
