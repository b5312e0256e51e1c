#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""lehr optimizer trace against PyTorch in double, through files that NumPy writes and reads: trace.py LEHR"""
import os
import subprocess
import sys
import tempfile

ORACLE = os.environ.get("LEHR_ORACLE_PYTHON")
if not ORACLE:
    print("LEHR_ORACLE_PYTHON is not set: skipped")
    sys.exit(77)
if os.environ.get("LEHR_TRACE_ORACLE") != "1":
    os.execve(ORACLE, [ORACLE, *sys.argv], dict(os.environ, LEHR_TRACE_ORACLE="1"))

import numpy as np
import torch

STEPS, N = 60, 513
CASES = [
    ("torch:sgd(momentum=0.9, nesterov=1)", 0.05, lambda p: torch.optim.SGD(p, 0.05, 0.9, nesterov=True)),
    ("torch:adam(beta1=0.8)", 0.01, lambda p: torch.optim.Adam(p, 0.01, (0.8, 0.999))),
    ("torch:adamw(weight_decay=0.1)", 0.003, lambda p: torch.optim.AdamW(p, 0.003, weight_decay=0.1)),
    ("torch:rmsprop", 0.01, lambda p: torch.optim.RMSprop(p, 0.01)),
]


def lehr(spec, lr, want=0, **files):
    words = [sys.argv[1], "optimizer", "trace", spec, "--lr", repr(lr), "--schedule", "cosine(end=0)"]
    for name, path in files.items():
        words += ["--" + name, path]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != want:
        sys.exit(f"{words} ended with {done.returncode}, not {want}: {done.stderr}")
    return done.stderr


def main():
    rng = np.random.default_rng(11)
    w = rng.standard_normal(N).astype("<f4")
    g = rng.standard_normal((STEPS, N)).astype("<f4")
    np.save("w.npy", w)
    with open("g.npy", "wb") as file:
        np.lib.format.write_array(file, g, version=(2, 0))
    worst = 0
    for spec, lr, make in CASES:
        lehr(spec, lr, weights="w.npy", grads="g.npy", out="out.npy")
        out = np.load("out.npy", allow_pickle=False)
        assert out.dtype == np.dtype("<f4") and out.shape == (STEPS, N) and out.flags.c_contiguous
        p = torch.nn.Parameter(torch.tensor(w, dtype=torch.float64))
        judge = make([p])
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(judge, STEPS)
        for step in range(STEPS):
            p.grad = torch.tensor(g[step], dtype=torch.float64)
            judge.step()
            schedule.step()
            error = np.abs(out[step] - p.detach().numpy()).max()
            worst = max(worst, error)
            if not error <= 1e-5:
                sys.exit(f"{spec}: step {step} is off by {error:g}")
    for name, array, word in (("f8", w.astype("f8"), "float64"), ("fortran", np.asfortranarray(g), "Fortran"),
                              ("half", w.astype("f2"), "'<f2'"), ("shape", g[:, :-1], "does not fit")):
        path = name + ".npy"
        np.save(path, array)
        files = {"weights": path, "grads": "g.npy"} if array.ndim == 1 else {"weights": "w.npy", "grads": path}
        message = lehr("sgd", 0.1, want=4, out="no.npy", **files)
        assert word in message, message
    assert not os.path.exists("no.npy")
    print(f"{len(CASES)} optimizers, {STEPS} steps: largest difference {worst:.2g}; 4 wrong files refused")


sys.argv[1] = os.path.abspath(sys.argv[1])
with tempfile.TemporaryDirectory() as temporary:
    os.chdir(temporary)
    main()
    os.chdir("/")
