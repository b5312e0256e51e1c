#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every schedule against other people's implementations, or the formula of its paper, in double.

oracle_schedules.py DUMP [--write docs/agreement-schedules.md]: runs the program DUMP (tests/plugin/dump.c).
The interpreter with torch, jax, optax, keras, timm, transformers and pytorch_optimizer is named by
LEHR_ORACLE_PYTHON; without it the test is skipped (exit 77).  Without --write the rows of the table in
docs/ must be those of this file.  optax and Keras compute in float32 by default: here their own code runs
with 64-bit numbers."""
import math
import os
import pathlib
import re
import subprocess
import sys
import time

if __name__ == "__main__" and os.environ.get("LEHR_ORACLE_INSIDE") != "1":
    python = os.environ.get("LEHR_ORACLE_PYTHON")
    if not python:
        print("SKIP: LEHR_ORACLE_PYTHON names no Python with torch, jax, optax, keras, timm, transformers")
        sys.exit(77)
    os.environ.update(LEHR_ORACLE_INSIDE="1", KERAS_BACKEND="torch", JAX_PLATFORMS="cpu", HF_HUB_OFFLINE="1",
                      TRANSFORMERS_OFFLINE="1", OMP_NUM_THREADS="1")
    os.execv(python, [python] + sys.argv)

try:
    import jax
    import keras
    import optax.contrib
    import pytorch_optimizer
    import timm.scheduler
    import torch
    import transformers.optimization as hf
except ImportError as error:
    print(f"SKIP: {error}; needed are torch, jax, optax, keras, timm, transformers and pytorch_optimizer")
    sys.exit(77)
jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import numpy as np
import optax
import timm
import transformers

keras.config.set_floatx("float64")
DUMP, DOC = sys.argv[1], pathlib.Path(__file__).parents[2] / "docs" / "agreement-schedules.md"
BASE, EPOCH, TOTAL, POINTS, LIMIT, SEED = 0.1, 391, 9775, 10000, 1e-12, 1
T = np.arange(POINTS)
torch_sched, keras_sched = torch.optim.lr_scheduler, keras.optimizers.schedules
rows, failures = [], []


def lehr(spec, points=POINTS, metrics=()):
    out = subprocess.run([DUMP, "schedule", spec, str(BASE), str(EPOCH), str(TOTAL), str(points)]
                         + [repr(m) for m in metrics], check=True, capture_output=True, text=True)
    return np.array([float(line) for line in out.stdout.split()])


def check(peer, spec, want, points=POINTS, metrics=()):
    """peer: what it is compared with, as the table says it; want: its values."""
    got, want = lehr(spec, points, metrics), np.asarray(want, "f8")
    # relative, down to the rounding of the base near an end at 0
    error = float(np.max(np.abs(got - want) / (np.abs(want) + 4e-16 / LIMIT * BASE)))
    good = bool(error <= LIMIT) and len(got) == len(want) == points
    print(f"{'ok  ' if good else 'FAIL'} {spec:70s} {peer:44s} {error:.1e}")
    rows.append((spec, peer, points, error))
    if not good:
        failures.append(spec)


def optimizer(lr=BASE):
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)


def pt_closed(make):
    """PyTorch's own closed form, which does not drift."""
    scheduler, values = make(optimizer()), []
    for t in range(POINTS):
        scheduler.last_epoch = t
        values.append(float(scheduler._get_closed_form_lr()[0]))
    return values


def pt(make, points=POINTS, metrics=None, field="lr", lr=BASE):
    """The value of every update from a scheduler that is stepped."""
    o = optimizer(lr)
    scheduler, values = make(o), []
    for t in range(points):
        values.append(o.param_groups[0][field])
        o.step()
        if t + 1 < points:
            scheduler.step() if metrics is None else scheduler.step(metrics[t])
    return values


def lambdas(scheduler):
    """transformers and pytorch_optimizer give factors of t."""
    return [BASE * scheduler.lr_lambdas[0](t) for t in range(POINTS)]


def jx(schedule):
    """optax, all updates at once."""
    return np.asarray(jax.jit(jax.vmap(schedule))(jnp.arange(POINTS, dtype="float64")))


def kr(schedule):
    """Keras, each update by itself: its operations on arrays return to float32."""
    return [float(schedule(float(t))) for t in T]


def tm(make, per_epoch=False):
    scheduler = make(optimizer())
    return [scheduler._get_lr(int(t) // EPOCH if per_epoch else int(t))[0] for t in T]


def pytorch():
    s = torch_sched
    peer = "PyTorch "
    check(peer + "StepLR", "torch:step(gamma=0.5, every=3ep)", pt_closed(lambda o: s.StepLR(o, 3 * EPOCH, 0.5)))
    check(peer + "MultiStepLR", "torch:multistep([10ep, 500st, 20ep, 500st], gamma=0.3)",
          pt_closed(lambda o: s.MultiStepLR(o, [3910, 500, 7820, 500], 0.3)))
    check(peer + "ExponentialLR", "torch:exponential(gamma=0.9995, every=1st, hold=1st)",
          pt_closed(lambda o: s.ExponentialLR(o, 0.9995)))
    check(peer + "LambdaLR", "time(decay=0.01)", pt(lambda o: s.LambdaLR(o, lambda k: 1 / (1 + 0.01 * k))))
    check(peer + "Adagrad lr_decay (formula)", "torch:time(decay=0.001)", BASE / (1 + T * 0.001))
    check(peer + "PolynomialLR", "torch:polynomial(power=2)", pt_closed(lambda o: s.PolynomialLR(o, TOTAL, 2.0)))
    check(peer + "LinearLR", "linear(end=10%)", pt_closed(lambda o: s.LinearLR(o, 1.0, 0.1, TOTAL)))
    check(peer + "LinearLR", "torch:linear(over=500st)", pt_closed(lambda o: s.LinearLR(o, 1 / 3, 1.0, 500)))
    check(peer + "LinearLR", "torch:warmup(500st)", pt_closed(lambda o: s.LinearLR(o, 1 / 3, 1.0, 500)))
    check(peer + "ConstantLR", "warmup(500st, from=25%, shape=constant)",
          pt_closed(lambda o: s.ConstantLR(o, 0.25, 500)))
    check(peer + "CosineAnnealingLR, rising again", "torch:cosine(end=1e-3, over=40%)",
          pt_closed(lambda o: s.CosineAnnealingLR(o, 3910, 1e-3)))
    for mult in (1, 2, 3):
        check(peer + "CosineAnnealingWarmRestarts", f"torch:restarts(first=700st, t_mult={mult}, end=1e-4)",
              pt(lambda o: s.CosineAnnealingWarmRestarts(o, 700, mult, 1e-4)))
    for anneal in ("cos", "linear"):
        cycle = pt(lambda o: s.OneCycleLR(o, BASE, TOTAL, anneal_strategy=anneal, cycle_momentum=False), TOTAL)
        check(peer + "OneCycleLR", f"torch:onecycle(anneal={anneal})", cycle, TOTAL)
        three = pt(lambda o: s.OneCycleLR(o, BASE, TOTAL, pct_start=0.35, div_factor=10, final_div_factor=100,
                                          anneal_strategy=anneal, three_phase=True, cycle_momentum=False), TOTAL)
        check(peer + "OneCycleLR, three phases",
              f"torch:onecycle(anneal={anneal}, rise=0.35, fall=0.7, div=10, final_div=100)", three, TOTAL)

    def with_momentum(make):
        o = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=BASE, momentum=0.5)
        scheduler, values = make(o), []
        for t in range(TOTAL):
            values.append(o.param_groups[0]["momentum"])
            o.step()
            if t + 1 < TOTAL:
                scheduler.step()
        return values
    check(peer + "OneCycleLR, its momentum", "torch:onecycle(mirror=1, low=85%)",
          with_momentum(lambda o: s.OneCycleLR(o, 1.0, TOTAL, base_momentum=0.085, max_momentum=BASE)), TOTAL)
    check(peer + "CyclicLR, its momentum", "torch:cyclic(low=0.08, up=900st, down=400st, mirror=1)",
          with_momentum(lambda o: s.CyclicLR(o, 0.01, BASE, 900, 400, base_momentum=0.08, max_momentum=BASE)),
          TOTAL)
    for mode, gamma in (("triangular", 1), ("triangular2", 1), ("exp_range", 0.9997)):
        check(peer + "CyclicLR", f"torch:cyclic(low=0.01, up=900st, down=400st, mode={mode}, gamma={gamma})",
              pt(lambda o: s.CyclicLR(o, 0.01, BASE, 900, 400, mode, gamma, cycle_momentum=False)))
    check(peer + "SequentialLR", "torch:warmup(500st) then torch:step(gamma=0.5, every=3ep)",
          pt(lambda o: s.SequentialLR(o, [s.LinearLR(o, 1 / 3, 1.0, 500), s.StepLR(o, 3 * EPOCH, 0.5)], [500])))
    check(peer + "LambdaLR", "warmup(1ep) * cosine(end=0)", pt(lambda o: s.LambdaLR(
        o, lambda k: min(1.0, (k + 1) / EPOCH) * 0.5 * (1 + math.cos(math.pi * min(k, TOTAL) / TOTAL)))))
    check(peer + "ChainedScheduler of closed forms", "torch:warmup(500st) * torch:step(gamma=0.5, every=3ep)",
          np.array(pt_closed(lambda o: s.LinearLR(o, 1 / 3, 1.0, 500)))
          * np.array(pt_closed(lambda o: s.StepLR(o, 3 * EPOCH, 0.5))) / BASE)


def keras3():
    k, peer = keras_sched, "Keras 3 "
    check(peer + "ExponentialDecay", "keras3:exponential(gamma=0.9, every=700st)",
          kr(k.ExponentialDecay(BASE, 700, 0.9)))
    check(peer + "ExponentialDecay, staircase", "keras3:step(gamma=0.9, every=700st)",
          kr(k.ExponentialDecay(BASE, 700, 0.9, staircase=True)))
    check(peer + "PiecewiseConstantDecay", "keras3:multistep([500st, 3000st], values=[0.1, 0.02, 0.07])",
          kr(k.PiecewiseConstantDecay([500, 3000], [0.1, 0.02, 0.07])))
    check(peer + "PolynomialDecay", "keras3:polynomial(power=2, over=8000st)",
          kr(k.PolynomialDecay(BASE, 8000, power=2.0)))
    check(peer + "PolynomialDecay, cycle", "keras3:polynomial(power=0.5, over=2345st, end=0.01, cycle=1)",
          kr(k.PolynomialDecay(BASE, 2345, 0.01, 0.5, cycle=True)))
    check(peer + "InverseTimeDecay", "keras3:time(decay=0.5, every=700st)", kr(k.InverseTimeDecay(BASE, 700, 0.5)))
    check(peer + "InverseTimeDecay, staircase", "keras3:time(decay=0.5, every=700st, hold=700st)",
          kr(k.InverseTimeDecay(BASE, 700, 0.5, staircase=True)))
    check(peer + "CosineDecay", "keras3:cosine(end=1%, over=8000st)", kr(k.CosineDecay(BASE, 8000, 0.01)))
    check(peer + "CosineDecay with warm-up, not part of decay_steps",
          "keras3:warmup(500st, from=10%) then keras3:cosine(end=1%, over=8000st)",
          kr(k.CosineDecay(0.01, 8000, 0.01, warmup_target=BASE, warmup_steps=500)))
    for t_mul, m_mul in ((2.0, 1.0), (1.0, 0.8), (1.5, 0.7)):
        check(peer + "CosineDecayRestarts",
              f"keras3:restarts(first=704st, t_mult={t_mul}, decay={m_mul}, end=1%)",
              kr(k.CosineDecayRestarts(BASE, 704, t_mul, m_mul, 0.01)))
    check("Keras of 2017, decay= (formula)", "keras2017:time(decay=1e-3)", [BASE * (1. / (1. + 1e-3 * t)) for t in T])


def of_optax():
    o, peer = optax, "optax "
    check(peer + "constant_schedule", "constant()", [o.constant_schedule(BASE)(t) for t in T])
    check(peer + "exponential_decay", "optax:exponential(gamma=0.9, every=700st, end=0.04)",
          jx(o.exponential_decay(BASE, 700, 0.9, end_value=0.04)))
    check(peer + "exponential_decay, transition_begin", "shift(optax:exponential(gamma=0.9, every=700st), 300st)",
          jx(o.exponential_decay(BASE, 700, 0.9, transition_begin=300)))
    check(peer + "exponential_decay, staircase", "optax:step(gamma=0.9, every=700st)",
          jx(o.exponential_decay(BASE, 700, 0.9, staircase=True)))
    check(peer + "piecewise_constant_schedule", "optax:multistep([500st, 3000st], factors=[0.3, 2])",
          jx(o.piecewise_constant_schedule(BASE, {500: 0.3, 3000: 2.0})))
    check(peer + "polynomial_schedule", "shift(optax:polynomial(end=1e-3, power=3, over=8000st), 300st)",
          jx(o.polynomial_schedule(BASE, 1e-3, 3, 8000, 300)))
    check(peer + "linear_schedule", "optax:linear(end=1e-3, over=8000st)", jx(o.linear_schedule(BASE, 1e-3, 8000)))
    check(peer + "cosine_decay_schedule", "optax:cosine(end=5%, exponent=1.7)",
          jx(o.cosine_decay_schedule(BASE, TOTAL, 0.05, 1.7)))
    for kind in ("linear", "cosine"):
        check(peer + "piecewise_interpolate_schedule",
              f"optax:piecewise([500st, 3000st, 9000st], [0.3, 2, 0.01], by={kind})",
              jx(o.piecewise_interpolate_schedule(kind, BASE, {500: 0.3, 3000: 2.0, 9000: 0.01})))
    check(peer + "cosine_onecycle_schedule", "optax:onecycle()", jx(o.cosine_onecycle_schedule(TOTAL, BASE)))
    check(peer + "linear_onecycle_schedule", "optax:onecycle(anneal=linear, fall=0.85, rise=0.33)",
          jx(o.linear_onecycle_schedule(TOTAL, BASE, 0.33)))
    check(peer + "warmup_constant_schedule", "optax:warmup(500st, from=0.01)",
          jx(o.warmup_constant_schedule(0.01, BASE, 500)))
    check(peer + "warmup_cosine_decay_schedule", "linear(0.1 -> 1, 500st) then optax:cosine(end=1e-3)",
          jx(o.warmup_cosine_decay_schedule(0.01, BASE, 500, TOTAL, 1e-3)))
    check(peer + "warmup_exponential_decay_schedule",
          "linear(0 -> 1, 500st) then optax:exponential(gamma=0.9, every=700st)",
          jx(o.warmup_exponential_decay_schedule(0.0, BASE, 500, 700, 0.9)))
    check(peer + "sgdr_schedule",
          "(linear(0 -> 1, 100st) then cosine()) for 1000st then 0.5 * (linear(0 -> 1, 50st) then cosine())",
          jx(o.sgdr_schedule([dict(init_value=0., peak_value=BASE, warmup_steps=100, decay_steps=1000),
                              dict(init_value=0., peak_value=BASE / 2, warmup_steps=50, decay_steps=TOTAL - 1000)])))
    check(peer + "join_schedules", "optax:linear(end=0.02, over=900st) then optax:cosine(over=3000st)",
          jx(o.join_schedules([o.linear_schedule(BASE, 0.02, 900), o.cosine_decay_schedule(BASE, 3000)], [900])))


def of_timm():
    s, peer = timm.scheduler, "timm "
    check(peer + "StepLRScheduler", "timm:step(gamma=0.7, every=3ep)",
          tm(lambda o: s.StepLRScheduler(o, 3, 0.7), per_epoch=True))
    check(peer + "MultiStepLRScheduler", "timm:multistep([3ep, 10ep], gamma=0.7)",
          tm(lambda o: s.MultiStepLRScheduler(o, [3, 10], 0.7), per_epoch=True))
    check(peer + "CosineLRScheduler", "timm:cosine(end=1e-5, k=1.3)",
          tm(lambda o: s.CosineLRScheduler(o, TOTAL, 1e-5, k_decay=1.3, t_in_epochs=False)))
    check(peer + "CosineLRScheduler by epochs, warm-up", "timm:warmup(3ep, from=1e-5) then timm:cosine(end=1e-5, over=20ep)",
          np.where(T < 3 * EPOCH, 1e-5 + (T / EPOCH) * (BASE - 1e-5) / 3, 0)
          + np.where(T >= 3 * EPOCH, tm(lambda o: s.CosineLRScheduler(
              o, 20 * EPOCH, 1e-5, warmup_t=3 * EPOCH, warmup_lr_init=1e-5, warmup_prefix=True)), 0))
    check(peer + "CosineLRScheduler, stepped once an epoch", "hold(timm:cosine(end=1e-5), 1ep)",
          tm(lambda o: s.CosineLRScheduler(o, 25, 1e-5), per_epoch=True))
    for mul, decay, limit in ((1.0, 0.5, 5), (2.0, 0.8, 4), (1.4, 0.9, 3)):
        check(peer + "CosineLRScheduler, cycles",
              f"timm:restarts(first=704st, t_mult={mul}, decay={decay}, limit={limit}, end=1e-5)",
              tm(lambda o: s.CosineLRScheduler(o, 704, 1e-5, cycle_mul=mul, cycle_decay=decay, cycle_limit=limit)))
    check(peer + "PolyLRScheduler", "timm:polynomial(end=1e-5, k=1.5)",
          tm(lambda o: s.PolyLRScheduler(o, TOTAL, 0.5, 1e-5, k_decay=1.5)))
    for name, kind in (("linear", "linear"), ("cosine", "cosine"), ("sqrt", "1-sqrt"), ("square", "power")):
        check(peer + f"WSDLRScheduler, {kind}",
              f"timm:wsd(500st, 2000st, end=1e-3, from=1e-4, cooldown={name})",
              tm(lambda o: s.WSDLRScheduler(o, TOTAL - 500, 2000, 1e-3, decay_fn=kind, decay_power=2.0, warmup_t=500,
                                            warmup_lr_init=1e-4)))
    check(peer + "WSDLRScheduler, rsqrt (Big Vision)",
          "hf:inverse_sqrt(500st) * wsd(warmup=0st, decay=2000st, cooldown=linear)",
          tm(lambda o: s.WSDLRScheduler(o, TOTAL - 500, 2000, stable_fn="rsqrt", decay_fn="linear", warmup_t=500)))
    check(peer + "TanhLRScheduler", "timm:tanh(end=1e-5)", tm(lambda o: s.TanhLRScheduler(o, TOTAL, lr_min=1e-5)))


def of_transformers():
    peer, w = "transformers ", 500
    check(peer + "get_constant_schedule_with_warmup", "hf:warmup(500st)",
          lambdas(hf.get_constant_schedule_with_warmup(optimizer(), w)))
    check(peer + "get_linear_schedule_with_warmup", "hf:warmup(500st) then hf:linear()",
          lambdas(hf.get_linear_schedule_with_warmup(optimizer(), w, TOTAL)))
    check(peer + "get_cosine_schedule_with_warmup, rising again", "hf:warmup(500st) then hf:cosine()",
          lambdas(hf.get_cosine_schedule_with_warmup(optimizer(), w, TOTAL)))
    check(peer + "get_cosine_schedule_with_warmup, num_cycles", "hf:warmup(500st) then hf:cosine(cycles=1.7)",
          lambdas(hf.get_cosine_schedule_with_warmup(optimizer(), w, TOTAL, 1.7)))
    check(peer + "get_cosine_with_min_lr_schedule_with_warmup", "hf:warmup(500st) then hf:cosine(end=7%)",
          lambdas(hf.get_cosine_with_min_lr_schedule_with_warmup(optimizer(), w, TOTAL, min_lr_rate=0.07)))
    check(peer + "get_cosine_with_min_lr..._lr_rate: (t + 1) / W, one update early",
          "warmup(500st) then shift(hf:cosine(end=7%, over=9275st), -1st)",
          lambdas(hf.get_cosine_with_min_lr_schedule_with_warmup_lr_rate(optimizer(), w, TOTAL, min_lr_rate=0.07)))
    check(peer + "get_cosine_with_hard_restarts_schedule_with_warmup",
          "hf:warmup(500st) then hf:restarts(first=1855st, limit=5)",
          lambdas(hf.get_cosine_with_hard_restarts_schedule_with_warmup(optimizer(), w, TOTAL, 5)))
    check(peer + "get_polynomial_decay_schedule_with_warmup", "hf:warmup(500st) then hf:polynomial(power=2)",
          lambdas(hf.get_polynomial_decay_schedule_with_warmup(optimizer(), w, TOTAL, power=2.0)))
    for scale in ("", ", timescale=2000st"):
        check(peer + "get_inverse_sqrt_schedule", f"hf:inverse_sqrt(500st{scale})",
              lambdas(hf.get_inverse_sqrt_schedule(optimizer(), w, 2000 if scale else None)))
    for decay, name in (("linear", "linear"), ("cosine", "cosine"), ("1-sqrt", "sqrt")):
        check(peer + f"get_wsd_schedule, {decay}",
              f"hf:wsd(500st, 2000st, end=2%, from=2%, cooldown={name}, shape={name})",
              lambdas(hf.get_wsd_schedule(optimizer(), w, 2000, TOTAL, warmup_type=decay, decay_type=decay,
                                          min_lr_ratio=0.02)))


def of_pytorch_optimizer():
    p, peer = pytorch_optimizer, "pytorch_optimizer "
    rex = p.REXScheduler(optimizer(), TOTAL, BASE, 1e-4)
    values = []
    for rex.step_t in range(POINTS): # its constructor has already made one step
        values.append(rex.get_linear_lr())
    check(peer + "REXScheduler", "rex(end=1e-4)", values)
    for kind, name in (("linear", "linear"), ("cosine", "cosine"), ("1-sqrt", "sqrt"), ("1-square", "square")):
        check(peer + f"get_wsd_schedule, {kind}", f"pytorch_optimizer:wsd(500st, 2000st, cooldown={name})",
              lambdas(p.get_wsd_schedule(optimizer(), 500, TOTAL - 2500, 2000, cooldown_type=kind)))
    cheb = p.get_chebyshev_schedule(optimizer(), 25).lr_lambdas[0]
    by_epoch = [BASE * cheb(e) for e in range(POINTS // EPOCH + 1)]
    check(peer + "get_chebyshev_schedule", "pytorch_optimizer:chebyshev()", [by_epoch[t // EPOCH] for t in T])
    for mult in (1.0, 2.0):
        o, values = optimizer(), []
        restarts = p.CosineAnnealingWarmupRestarts(o, 700, mult, BASE, 1e-4, 0, 0.9)
        for t in range(POINTS):
            restarts.step(t)
            values.append(o.param_groups[0]["lr"])
        check(peer + "CosineAnnealingWarmupRestarts",
              f"pytorch_optimizer:restarts(first=700st, t_mult={mult}, end=1e-4)", values)


def splitmix(x):
    mask = (1 << 64) - 1
    x = ((x ^ x >> 30) * 0xbf58476d1ce4e5b9) & mask
    x = ((x ^ x >> 27) * 0x94d049bb133111eb) & mask
    return x ^ x >> 31


def formulas():
    golden, mask, b = 0x9e3779b97f4a7c15, (1 << 64) - 1, T + 1  # Darknet's first batch is 1
    caffe, darknet, paper = "Caffe's formula", "Darknet's formula", "the formula of the paper"
    check(caffe, "caffe:step(gamma=0.5, every=700st)", BASE * 0.5 ** (T // 700))
    check(caffe, "caffe:multistep([500st, 3000st], gamma=0.5)", BASE * 0.5 ** ((T >= 500) * 1. + (T >= 3000)))
    check(caffe, "caffe:exponential(gamma=0.9995)", BASE * 0.9995 ** T)
    check(caffe, "caffe:time(decay=1e-4)", BASE * (1 + 1e-4 * T) ** -0.75)
    check(caffe, "caffe:polynomial(power=0.8)", BASE * np.maximum(0, 1 - T / TOTAL) ** 0.8)
    check(caffe, "caffe:sigmoid(gamma=0.003, center=5000st)", BASE * (1 / (1 + np.exp(-0.003 * (T - 5000)))))
    check(darknet, "darknet:step(gamma=0.5, every=700st)", BASE * 0.5 ** (b // 700))
    check(darknet, "darknet:multistep([500st, 3000st], factors=[0.5, 0.2])",
          BASE * np.where(b >= 500, 0.5, 1) * np.where(b >= 3000, 0.2, 1))
    check(darknet, "darknet:exponential(gamma=0.9995)", BASE * 0.9995 ** b)
    check(darknet, "darknet:polynomial()", BASE * np.maximum(0, 1 - b / TOTAL) ** 4)
    check(darknet, "darknet:sigmoid(gamma=0.003, center=5000st)", BASE * (1 / (1 + np.exp(0.003 * (b - 5000)))))
    check(darknet, "darknet:warmup(1000st)", np.where(b < 1000, BASE * (b / 1000) ** 4, BASE))
    draws = [splitmix((splitmix((SEED + golden) & mask) + golden * (t + 1)) & mask) >> 11 for t in range(POINTS)]
    check(darknet + " over SplitMix64", "darknet:random()", [BASE * (u * 2.0 ** -53) ** 4 for u in draws])
    s = b.astype("f8")
    check(paper + " (1706.03762)", "paper:inverse_sqrt(warmup=4000st)",
          BASE * 512 ** -0.5 * np.minimum(s ** -0.5, s * 4000 ** -1.5))
    check("min(s / W, sqrt(W / s))", "inverse_sqrt(1000st)", BASE * np.minimum(s / 1000, np.sqrt(1000 / s)))
    p = T / TOTAL
    check(paper + " (1806.01593)", "paper:tanh()",
          np.where(p < 1, BASE / 2 * (1 - np.tanh(-6 + (3 + 6) * np.minimum(p, 1))), 0))
    sigma = [0]
    while len(sigma) < 32:
        sigma = [x for v in sigma for x in (v, 2 * len(sigma) - 1 - v)]
    nodes = [1 / (1.05 / 2 - 0.95 / 2 * math.cos((j + 0.5) * math.pi / 32)) for j in sigma]
    check(paper + " (2103.01338)", "chebyshev()", [BASE * nodes[t // EPOCH] for t in T])
    check(paper + " (2405.18392)", "wsd()",
          np.where(T < 489, BASE * s / 489, np.where(T < TOTAL - 1955, BASE,
                   BASE * (1 - np.sqrt(np.clip((T - TOTAL + 1955) / 1955, 0, 1))))))
    check("np.interp", "piecewise([0ep, 5ep, 24ep], [0, 400%, 0])",
          np.interp(T, [0, 5 * EPOCH, 24 * EPOCH], [0, 4 * BASE, 0]))
    for shape, f in (("cosine", lambda u: 0.5 * (1 - np.cos(np.pi * u))), ("sqrt", lambda u: 1 - np.sqrt(1 - u))):
        u = np.minimum(s / 700, 1)
        check("the formula", f"warmup(700st, from=10%, shape={shape})", 0.01 + (BASE - 0.01) * f(u))
    check("np.geomspace", "warmup(700st, from=1%, shape=exponential)",
          np.concatenate([np.geomspace(1e-3, BASE, 701)[1:], np.full(POINTS - 700, BASE)]))
    noise(golden, mask)


def noise(golden, mask):
    def uniform(key, i):
        return (splitmix((key + golden * (i + 1)) & mask) >> 11) * 2.0 ** -53

    def one(t):
        key = int(uniform(SEED, t) * 2.0 ** 53)
        for i in range(1, 200, 2):
            n = 0.3 * math.sqrt(-2 * math.log(1 - uniform(key, i))) * math.cos(2 * math.pi * uniform(key, i + 1))
            if abs(n) < 0.67:
                return n
        return 0
    check("Box-Muller over SplitMix64", "noise(sd=0.3)", [BASE * (1 + one(t)) for t in range(POINTS)])
    check("the law of timm's noise over SplitMix64", "timm:noise(sd=0.3, every=1st)",
          [BASE * (1 + one(t)) for t in range(POINTS)])
    flat = [(2 * uniform(int(uniform(SEED, t) * 2.0 ** 53), 0) - 1) * 0.67 for t in range(POINTS)]
    check("uniform over SplitMix64", "noise(kind=uniform)", [BASE * (1 + n) for n in flat])


def tutorial():
    epoch, peer = T // EPOCH, "the tutorial's function"
    check(peer, "tutorial:step(gamma=0.2, every=2ep)",
          [BASE * math.pow(0.2, math.floor((1 + e) / 2)) for e in epoch])
    check(peer, "tutorial:exponential", [BASE * math.exp(-0.1 * e) for e in epoch])
    check(peer, "tutorial:time", BASE / (1 + BASE / (TOTAL / EPOCH) * T))


def algebra():
    cosine = BASE * 0.5 * (1 + np.cos(np.pi * np.minimum(T / TOTAL, 1)))
    check("np.minimum", "min(cosine(), 0.05, step(0.5, 5ep))",
          np.minimum(np.minimum(cosine, 0.05), BASE * 0.5 ** (T // (5 * EPOCH))))
    check("np.clip", "clip(cosine(), 10%, 0.08)", np.clip(cosine, 0.01, 0.08))
    check("np.maximum", "max(cosine(), 0.02)", np.maximum(cosine, 0.02))
    u = T % 1000 / 1000
    check("a repeated half wave", "repeat(cosine(), 1000st, times=7, decay=0.9)",
          np.where(T < 7000, BASE * 0.9 ** (T // 1000) * 0.5 * (1 + np.cos(np.pi * u)), 0))
    check("NumPy", 'expr("base * 0.5 ^ floor(epoch / 10) * (1 - p ** 2) + 1e-3 * abs(sin(step / 50))")',
          BASE * 0.5 ** (T // EPOCH // 10) * (1 - np.minimum(T / TOTAL, 1) ** 2) + 1e-3 * np.abs(np.sin(T / 50)))


class Stub:
    """As much of a Keras model as ReduceLROnPlateau touches."""
    stop_training = False

    def __init__(self):
        self.optimizer = type("Optimizer", (), {"learning_rate": BASE})()


def reactive():
    metrics = [float(x) for x in np.round(np.random.default_rng(3).random(300) * np.linspace(2, 1, 300), 4)]
    for mode in ("rel", "abs"):
        for cooldown in (0, 3):
            check("PyTorch ReduceLROnPlateau",
                  f"torch:plateau(factor=0.5, patience=2, cooldown={cooldown}, mode={mode}, threshold=0.01, min=1e-4)",
                  pt(lambda o: torch_sched.ReduceLROnPlateau(
                      o, factor=0.5, patience=2, cooldown=cooldown, threshold=0.01, threshold_mode=mode,
                      min_lr=1e-4), 300, metrics), 300, metrics)
    check("transformers get_reduce_on_plateau_schedule", "hf:plateau(factor=0.5, patience=2, min=1e-4)",
          pt(lambda o: hf.get_reduce_on_plateau_schedule(o, factor=0.5, patience=2, min_lr=1e-4), 300, metrics),
          300, metrics)
    o, values = optimizer(), []
    plateau = timm.scheduler.PlateauLRScheduler(o, 0.5, 2, 0.01, lr_min=1e-4, mode="min")
    for e, m in enumerate(metrics):
        values.append(o.param_groups[0]["lr"])
        plateau.step(e + 1, m)
    check("timm PlateauLRScheduler", "timm:plateau(factor=0.5, patience=2, threshold=0.01, min=1e-4)", values, 300,
          metrics)
    for cooldown in (0, 1, 3):
        callback, model, values = keras.callbacks.ReduceLROnPlateau(
            factor=0.5, patience=2, cooldown=cooldown, min_delta=0.01, min_lr=1e-4, mode="min"), Stub(), []
        callback.set_model(model)
        callback.monitor_op, callback._set_monitor_op = None, lambda c=callback: setattr(
            c, "monitor_op", lambda a, b: np.less(a, b - 0.01))
        callback.on_train_begin()
        for e, m in enumerate(metrics):
            values.append(model.optimizer.learning_rate)
            callback.best = np.inf if callback.best is None else callback.best
            callback.on_epoch_end(e, {"val_loss": m})
        check("Keras 3 ReduceLROnPlateau",
              f"keras3:plateau(factor=0.5, patience=2, cooldown={cooldown}, threshold=0.01, min=1e-4)",
              values, 300, metrics)
        rule = optax.contrib.reduce_on_plateau(factor=0.5, patience=2, cooldown=cooldown, rtol=0.01, min_scale=1e-3)
        state, values = rule.init(jnp.zeros(1, "float64")), []
        update = jax.jit(lambda state, m, rule=rule: rule.update(jnp.ones(1), state, value=m)[1])
        for m in metrics:
            values.append(float(state.scale) * BASE)
            state = update(state, jnp.float64(m))
        check("optax reduce_on_plateau",
              f"optax:plateau(factor=0.5, patience=2, cooldown={cooldown}, threshold=0.01, min=1e-4)",
              values, 300, metrics)
    better = [float(x) for x in np.round(np.concatenate(
        [np.linspace(2, 1, 80), 1 + np.random.default_rng(4).random(90), np.linspace(1, 0.1, 130)]), 4)]
    for cooldown, reset in ((0, 500), (2, 3)):
        check("transformers GreedyLR",
              f"hf:greedy(factor=0.8, patience=3, cooldown={cooldown}, warmup=1, min=0.02, max=0.5, reset={reset})",
              pt(lambda o: hf.GreedyLR(o, factor=0.8, patience=3, cooldown=cooldown, warmup=1, min_lr=0.02,
                                       max_lr=0.5, reset_start=reset), 300, better), 300, better)


def table():
    versions = ", ".join(f"{m.__name__} {m.__version__}" for m in (torch, keras, jax, optax, timm, transformers))
    lines = ["# Schedules: agreement with other implementations", "",
             "Written by `tests/plugin/oracle_schedules.py`; do not edit. To make it again:", "",
             "```", "LEHR_ORACLE_PYTHON=… python3 tests/plugin/oracle_schedules.py build/tests/plugin/plugin_dump \\",
             "    --write docs/agreement-schedules.md", "```", "",
             f"Learning rate {BASE}, {EPOCH} updates an epoch, {TOTAL} updates in the run. The difference is the "
             "largest relative one over all points, past the end of the run included; where the value tends to 0 "
             "the rounding of the base counts instead. optax and Keras compute in float32 by default; here their "
             "own code runs with 64-bit numbers. Metric-driven schedules are compared over 300 random "
             "measurements.", "", f"Compared with {versions}.", "",
             "| schedule | compared with | points | largest difference |", "|---|---|---|---|"]
    for spec, peer, points, error in rows:
        shown = "0" if error == 0 else f"{error:.0e}"
        lines.append(f"| `{spec.replace('|', chr(92) + '|')}` | {peer} | {points} | {shown} |")
    return "\n".join(lines) + "\n"


def untested():
    """Presets in the plugins' sources that no row compares."""
    for source in sorted((DOC.parents[1] / "plugins" / "schedules").glob("*.c")):
        text = source.read_text(encoding="utf-8")
        name = re.search(r'\.name = "(\w+)"', text).group(1)
        table_ = re.search(r"presets\[\] = \{(.*?)\};", text, re.S)
        for prefix in re.findall(r'\{\s*"(\w+)",', table_.group(1) if table_ else ""):
            if not any(f"{prefix}:{name}" in row[0] for row in rows):
                yield f"{prefix}:{name}"


def names(text):
    return [line.split(" | ")[:3] for line in text.splitlines() if line.startswith("| `")]


start = time.monotonic()
for part in (pytorch, keras3, of_optax, of_timm, of_transformers, of_pytorch_optimizer, formulas, tutorial, algebra,
             reactive):
    part()
    print(f"{part.__name__}: {time.monotonic() - start:.0f} s")
failures += [f"nothing is compared with {preset}" for preset in untested()]
if len(sys.argv) == 4 and sys.argv[2] == "--write":
    pathlib.Path(sys.argv[3]).write_text(table(), encoding="utf-8")
elif not DOC.exists() or names(DOC.read_text(encoding="utf-8")) != names(table()):
    failures.append(f"{DOC.name} has other rows: run this with --write")
print(f"{len(rows)} compared, " + (f"{len(failures)} disagree: {failures}" if failures else "all agree"))
sys.exit(1 if failures else 0)
