#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Schedules and optimizers against PyTorch and against Keras' formulas in NumPy.

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

DUMP, BASE, EPOCH, TOTAL, POINTS = sys.argv[1], 0.1, 391, 9775, 10000
failures = []


def lehr_schedule(spec, points=POINTS, metrics=()):
    out = subprocess.run([DUMP, "schedule", spec, str(BASE), str(EPOCH), str(TOTAL), str(points)]
                         + [repr(m) for m in metrics], check=True, capture_output=True, text=True)
    return np.array([float(line) for line in out.stdout.split()])


def torch_schedule(make, points=POINTS, closed=False, metrics=None):
    """lr of every update; closed: from the scheduler's own closed form, which does not drift."""
    parameter = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([parameter], lr=BASE)
    scheduler, values = make(optimizer), []
    for t in range(points):
        if closed:
            scheduler.last_epoch = t
            values.append(float(scheduler._get_closed_form_lr()[0]))
            continue
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step() if metrics is None else scheduler.step(metrics[t])
    return np.array(values)


def report(name, error, limit):
    ok = bool(error <= limit)
    print(f"{'ok  ' if ok else 'FAIL'} {name:58s} {error:.2e} (limit {limit:.0e})")
    if not ok:
        failures.append(name)


def compare_schedule(spec, want, points=POINTS, metrics=(), limit=1e-12):
    got = lehr_schedule(spec, points, metrics)
    # relative, down to the rounding of the base near an end at 0
    report(spec, float(np.max(np.abs(got - want) / (np.abs(want) + 4e-16 / limit * BASE))), limit)


def schedules():
    s = torch.optim.lr_scheduler
    t = np.arange(POINTS)
    compare_schedule("step(gamma=0.5, every=3ep)",
                     torch_schedule(lambda o: s.StepLR(o, 3 * EPOCH, 0.5), closed=True))
    compare_schedule("multistep(milestones=[10ep, 20ep], gamma=0.1)",
                     torch_schedule(lambda o: s.MultiStepLR(o, [10 * EPOCH, 20 * EPOCH], 0.1), closed=True))
    compare_schedule("exponential(gamma=0.9995, every=1st)",
                     torch_schedule(lambda o: s.ExponentialLR(o, 0.9995), closed=True))
    compare_schedule("exponential(gamma=0.9, every=1ep)", BASE * 0.9 ** (t / EPOCH))
    compare_schedule("time(decay=0.01)",
                     torch_schedule(lambda o: s.LambdaLR(o, lambda k: 1 / (1 + 0.01 * k))))
    compare_schedule("polynomial(power=2)",
                     torch_schedule(lambda o: s.PolynomialLR(o, TOTAL, 2.0), closed=True))
    compare_schedule("linear(end=10%)",
                     torch_schedule(lambda o: s.LinearLR(o, 1.0, 0.1, TOTAL), closed=True))
    cosine = torch_schedule(lambda o: s.CosineAnnealingLR(o, TOTAL, 1e-3), closed=True)
    cosine[TOTAL:] = 1e-3  # PyTorch's rises again past its end, lehr's is held
    compare_schedule("cosine(end=1e-3)", cosine)
    compare_schedule("torch:warmup(500st)",
                     torch_schedule(lambda o: s.LinearLR(o, 1 / 3, 1.0, 500), closed=True))
    warm = torch_schedule(lambda o: s.LambdaLR(
        o, lambda k: min(1.0, (k + 1) / EPOCH) * 0.5 * (1 + math.cos(math.pi * min(k, TOTAL) / TOTAL))))
    compare_schedule("warmup(1ep) * cosine(end=0)", warm)
    metrics = [float(x) for x in np.round(np.random.default_rng(3).random(300) * np.linspace(2, 1, 300), 4)]
    for mode in ("rel", "abs"):
        for cooldown in (0, 3):
            compare_schedule(
                f"plateau(factor=0.5, patience=2, cooldown={cooldown}, mode={mode}, threshold=0.01, min=1e-4)",
                torch_schedule(lambda o: s.ReduceLROnPlateau(
                    o, factor=0.5, patience=2, cooldown=cooldown, threshold=0.01, threshold_mode=mode,
                    min_lr=1e-4, eps=0), 300, metrics=metrics), 300, metrics)
    # the tutorial's three functions, evaluated once an epoch, and its time-based decay
    epoch = t // EPOCH
    compare_schedule("tutorial:step(gamma=0.2, every=2ep)",
                     np.array([BASE * math.pow(0.2, math.floor((1 + e) / 2)) for e in epoch]))
    compare_schedule("tutorial:exponential", np.array([BASE * math.exp(-0.1 * e) for e in epoch]))
    compare_schedule("tutorial:time", BASE / (1 + BASE / (TOTAL / EPOCH) * t))


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


schedules()
optimizers()
print(f"{len(failures)} disagree" if failures else "all agree")
sys.exit(1 if failures else 0)
