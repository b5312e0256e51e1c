#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Optimizers against PyTorch and against Keras' formulas in NumPy.

oracle.py DUMP: runs the program DUMP (tests/plugin/dump.c).  The interpreter with torch and numpy is named
by LEHR_ORACLE_PYTHON; without it the test is skipped (exit 77)."""
import math
import os
import subprocess
import sys
import tempfile

if __name__ == "__main__" and os.environ.get("LEHR_ORACLE_INSIDE") != "1":
    python = os.environ.get("LEHR_ORACLE_PYTHON")
    if not python:
        print("SKIP: LEHR_ORACLE_PYTHON names no Python with torch and numpy")
        sys.exit(77)
    os.environ["LEHR_ORACLE_INSIDE"] = "1"
    os.execv(python, [python] + sys.argv)

import numpy as np
import torch

DUMP = sys.argv[1]
failures = []


def report(name, error, limit):
    ok = bool(error <= limit)
    print(f"{'ok  ' if ok else 'FAIL'} {name:58s} {error:.2e} (limit {limit:.0e})")
    if not ok:
        failures.append(name)


def lehr_optimizer(spec, weights, gradients, rates):
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("w", "g", "lr", "out")]
        weights.astype("<f4").tofile(paths[0])
        gradients.astype("<f4").tofile(paths[1])
        rates.astype("<f8").tofile(paths[2])
        subprocess.run([DUMP, "optimizer", spec] + paths, check=True)
        return np.fromfile(paths[3], "<f4").reshape(gradients.shape)


def torch_optimizer(make, weights, gradients, rates):
    parameter = torch.tensor(weights, dtype=torch.float64, requires_grad=True)
    optimizer, out = make([parameter]), []
    for gradient, rate in zip(gradients, rates):
        optimizer.param_groups[0]["lr"] = float(np.float32(rate))
        parameter.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        out.append(parameter.detach().numpy().copy())
    return np.array(out)


def keras_optimizer(kind, weights, gradients, rates, momentum=0.0, nesterov=False, centered=False, decay=0.0):
    """Update rules of Keras 3 with its defaults, in double."""
    w, out = weights.astype("f8"), []
    a, b, v = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    if kind == "adagrad":
        a += 0.1
    for t, (g, lr) in enumerate(zip(gradients.astype("f8"), rates), 1):
        lr = float(np.float32(lr))
        w = w - w * decay * lr
        if kind == "sgd":
            v = momentum * v - lr * g
            w = w + (momentum * v - lr * g if nesterov else v)
        elif kind == "adagrad":
            a = a + g * g
            w = w - lr * g / np.sqrt(a + 1e-7)
        elif kind == "adadelta":
            a = 0.95 * a + 0.05 * g * g
            step = -np.sqrt(b + 1e-7) * g / np.sqrt(a + 1e-7)
            b = 0.95 * b + 0.05 * step * step
            w = w + lr * step
        elif kind == "rmsprop":
            a = 0.9 * a + 0.1 * g * g
            b = 0.9 * b + 0.1 * g
            step = lr * g / np.sqrt((a - b * b if centered else a) + 1e-7)
            v = momentum * v + step
            w = w - v
        else:
            alpha = lr * math.sqrt(1 - 0.999 ** t) / (1 - 0.9 ** t)
            a = a + (g - a) * (1 - 0.9)
            b = b + (g * g - b) * (1 - 0.999)
            w = w - alpha * a / (np.sqrt(b) + 1e-7)
        out.append(w)
    return np.array(out)


def compare_optimizer(spec, want, weights, gradients, rates):
    got = lehr_optimizer(spec, weights, gradients, rates)
    moved = np.linalg.norm(want[-1] - weights) / np.linalg.norm(want[-1])
    error = max(np.linalg.norm(g - w) / np.linalg.norm(w) for g, w in zip(got, want))
    report(spec, float(error) if moved > 0.05 else math.inf, 1e-5)


def optimizers():
    rng = np.random.default_rng(11)
    n, steps, o = 4999, 100, torch.optim
    weights = (rng.standard_normal(n) * 0.1).astype("f4")
    gradients = (rng.standard_normal((steps, n)) + 0.3).astype("f4")

    def against_torch(spec, lr, make):
        rates = lr * (1 - np.arange(steps) / 150)
        compare_optimizer(spec, torch_optimizer(make, weights, gradients, rates), weights, gradients, rates)

    def against_keras(spec, lr, kind, **options):
        rates = lr * (1 - np.arange(steps) / 150)
        compare_optimizer(spec, keras_optimizer(kind, weights, gradients, rates, **options), weights,
                          gradients, rates)

    against_torch("sgd", 0.01, lambda p: o.SGD(p))
    against_torch("sgd(momentum=0.9, nesterov=1, weight_decay=0.05)", 0.01,
                  lambda p: o.SGD(p, momentum=0.9, nesterov=True, weight_decay=0.05))
    against_torch("sgd(momentum=0.8, dampening=0.2)", 0.01, lambda p: o.SGD(p, momentum=0.8, dampening=0.2))
    against_torch("adagrad(lr_decay=0.01, weight_decay=0.1)", 0.05,
                  lambda p: o.Adagrad(p, lr_decay=0.01, weight_decay=0.1))
    against_torch("adagrad(init=0.5, eps=0.01)", 0.05,
                  lambda p: o.Adagrad(p, initial_accumulator_value=0.5, eps=0.01))
    against_torch("adadelta", 1.0, lambda p: o.Adadelta(p))
    against_torch("adadelta(rho=0.7, eps=1e-3, weight_decay=0.1)", 1.0,
                  lambda p: o.Adadelta(p, rho=0.7, eps=1e-3, weight_decay=0.1))
    against_torch("rmsprop", 0.01, lambda p: o.RMSprop(p))
    against_torch("rmsprop(rho=0.9, eps=0.01, momentum=0.9, centered=1, weight_decay=0.1)", 0.001,
                  lambda p: o.RMSprop(p, alpha=0.9, eps=0.01, momentum=0.9, centered=True, weight_decay=0.1))
    against_torch("adam", 0.01, lambda p: o.Adam(p))
    against_torch("adam(beta1=0.8, beta2=0.9, eps=0.01, amsgrad=1, weight_decay=0.1)", 0.01,
                  lambda p: o.Adam(p, betas=(0.8, 0.9), eps=0.01, amsgrad=True, weight_decay=0.1))
    against_torch("adamw(amsgrad=1)", 0.01, lambda p: o.AdamW(p, amsgrad=True))
    against_torch("adamw(weight_decay=0.5)", 0.01, lambda p: o.AdamW(p, weight_decay=0.5))
    against_keras("keras3:sgd(momentum=0.9)", 0.01, "sgd", momentum=0.9)
    against_keras("keras3:sgd(momentum=0.9, nesterov=1, weight_decay=0.1)", 0.01, "sgd", momentum=0.9,
                  nesterov=True, decay=0.1)
    against_keras("keras3:adagrad", 0.05, "adagrad")
    against_keras("keras3:adadelta", 1.0, "adadelta")
    against_keras("keras3:rmsprop", 0.01, "rmsprop")
    against_keras("keras3:rmsprop(momentum=0.9, centered=1, weight_decay=0.1)", 0.001, "rmsprop", momentum=0.9,
                  centered=True, decay=0.1)
    against_keras("keras3:adam", 0.01, "adam")
    against_keras("keras3:adamw", 0.01, "adam", decay=0.004)


optimizers()
print(f"{len(failures)} disagree" if failures else "all agree")
sys.exit(1 if failures else 0)
