#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Optimizers of matrices, muon and adafactor, through lehr optimizer trace: against their formulas in
double, PyTorch, Keras and optax.  matrix.py LEHR"""
import os
import subprocess
import sys
import tempfile

ORACLE = os.environ.get("LEHR_ORACLE_PYTHON")
if not ORACLE:
    print("LEHR_ORACLE_PYTHON is not set: skipped")
    sys.exit(77)
if os.environ.get("LEHR_MATRIX_ORACLE") != "1":
    os.execve(ORACLE, [ORACLE, *sys.argv], dict(os.environ, LEHR_MATRIX_ORACLE="1"))

os.environ.setdefault("KERAS_BACKEND", "torch")
import numpy as np

STEPS = 20
LR = [0.02 * (1 - 0.03 * t) for t in range(STEPS)]
SHAPES = [(40, 24), (24, 40), (7, 70), (16, 5, 3, 3), (33,)]


def lehr(spec, w, g):
    if os.path.exists("out.npy"):
        os.unlink("out.npy")
    np.save("w.npy", w)
    np.save("g.npy", g)
    words = [sys.argv[1], "optimizer", "trace", spec, "--lr", "0.02", "--schedule", "linear(end=40%)",
             "--weights", "w.npy", "--grads", "g.npy", "--out", "out.npy"]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{words}: {done.stderr}")
    return np.load("out.npy").astype(np.float64)


def adamw(w, grads, decay, eps_hat):
    m = v = 0
    for t, g in enumerate(grads, 1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        w = w - LR[t - 1] * decay * w
        if eps_hat:
            w = w - LR[t - 1] * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-7)
        else:
            w = w - LR[t - 1] * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return w


def muon(w, grads, decay, scale, nesterov=True, steps=5):
    """The paper's text in double, convolutions as K x C R S."""
    shape, m = w.shape, 0
    w = w.reshape(shape[0], -1)
    for t, g in enumerate(grads):
        g = g.reshape(w.shape)
        m = 0.95 * m + 0.05 * g
        x = 0.95 * m + 0.05 * g if nesterov else m
        x = x / np.linalg.norm(x)
        for _ in range(steps):
            a = x @ x.T
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
        w = w - LR[t] * decay * w - LR[t] * scale(*w.shape) * x
    return w.reshape(shape)


def original(m, n):
    return np.sqrt(max(1, m / n))


def match(m, n):
    return 0.2 * np.sqrt(max(m, n))


def adafactor(w, grads, eps1, floor, relative, decay, lr_decay=True):
    shape = w.shape
    matrix = len(shape) > 1
    w = w.reshape(shape[0], -1) if matrix else w
    r = c = v = 0
    for t, g in enumerate(grads, 1):
        g, share, lr = g.reshape(w.shape), t**-0.8, LR[t - 1]
        square = g * g + (0 if floor else eps1)
        if matrix:
            r = (1 - share) * r + share * square.mean(1, keepdims=True)
            c = (1 - share) * c + share * square.mean(0, keepdims=True)
            est = r * c / max(r.mean(), eps1 if floor else 0)
        else:
            est = v = (1 - share) * v + share * square
        u = g / np.sqrt(np.maximum(est, eps1 * eps1) if floor else est)
        size = max(1e-3, np.sqrt((w * w).mean()))
        rate = min(lr, t**-0.5) if relative else lr
        w = w - (lr if lr_decay else 1) * decay * w
        w = w - rate * size / max(1, np.sqrt((u * u).mean())) * u
    return w.reshape(shape)


def torch_run(make, w, grads):
    import torch
    p = torch.nn.Parameter(torch.tensor(w, dtype=torch.float32))
    judge = make([p])
    for t, g in enumerate(grads):
        judge.param_groups[0]["lr"] = LR[t]
        p.grad = torch.tensor(g, dtype=torch.float32)
        judge.step()
    return p.detach().numpy().astype(np.float64)


def keras_run(make, w, grads):
    import keras
    v = keras.Variable(w.astype(np.float32))
    judge = make()
    for t, g in enumerate(grads):
        judge.learning_rate = LR[t]
        judge.apply([keras.ops.convert_to_tensor(g.astype(np.float32))], [v])
    return np.array(keras.ops.convert_to_numpy(v)).astype(np.float64)


def optax_run(make, w, grads):
    import jax.numpy as jnp
    import optax
    p = jnp.asarray(w, jnp.float32)
    judge = make(lambda count: jnp.asarray(LR, jnp.float32)[count])
    state = judge.init(p)
    for g in grads:
        updates, state = judge.update(jnp.asarray(g, jnp.float32), state, p)
        p = optax.apply_updates(p, updates)
    return np.array(p).astype(np.float64)


def judges():
    """(spec, shapes, answer, limit, judge's name)"""
    import keras
    import optax
    import torch
    flat, two = [s for s in SHAPES if len(s) < 3], [s for s in SHAPES if len(s) == 2]
    every, matrices = SHAPES, [s for s in SHAPES if len(s) > 1]
    k = keras.optimizers
    yield ("torch:muon", matrices, lambda w, g: muon(w, g, 0.1, original), 1e-5, "formula")
    yield ("muon(nesterov=0, scale=match_rms, weight_decay=0)", matrices,
           lambda w, g: muon(w, g, 0, match, False), 1e-5, "formula")
    yield ("muon(scale=spectral, ns_steps=3)", matrices,
           lambda w, g: muon(w, g, 0.1, lambda m, n: np.sqrt(m / n), True, 3), 1e-5, "formula")
    yield ("muon(scale=none)", matrices, lambda w, g: muon(w, g, 0.1, lambda m, n: 1), 1e-5, "formula")
    yield ("torch:muon", [(33,)], lambda w, g: adamw(w, g, 0.1, False), 1e-5, "formula")
    yield ("keras3:muon", flat, lambda w, g: keras_run(lambda: k.Muon(0.02), w, g), 1e-5, "keras")
    yield ("torch:muon", two, lambda w, g: torch_run(lambda p: torch.optim.Muon(p, 0.02), w, g), 2e-2,
           "torch, in bfloat16")
    yield ("optax:muon", two, lambda w, g: optax_run(  # [in][out] there
        optax.contrib.muon, w.T, g.transpose(0, 2, 1)).T, 1e-5, "optax")
    yield ("adafactor(weight_decay=0.1)", every,
           lambda w, g: adafactor(w, g, float(np.finfo(np.float32).eps), True, True, 0.1), 1e-5, "formula")
    yield ("paper:adafactor", every, lambda w, g: adafactor(w, g, 1e-30, False, True, 0), 1e-5, "formula")
    yield ("torch:adafactor(weight_decay=0.05)", flat,
           lambda w, g: torch_run(lambda p: torch.optim.Adafactor(p, 0.02, weight_decay=0.05), w, g), 1e-5,
           "torch")
    yield ("keras3:adafactor", flat, lambda w, g: keras_run(lambda: k.Adafactor(0.02), w, g), 1e-5, "keras")
    yield ("optax:adafactor(weight_decay=0.01)", flat,
           lambda w, g: optax_run(lambda lr: optax.adafactor(lr, min_dim_size_to_factor=2,
                                                             weight_decay_rate=0.01), w, g), 1e-5, "optax")


def main():
    rng = np.random.default_rng(5)
    inputs = {s: ((0.3 * rng.standard_normal(s)).astype("<f4"),
                  rng.standard_normal((STEPS, *s)).astype("<f4")) for s in SHAPES}
    failed = False
    for spec, shapes, answer, limit, name in judges():
        worst = 0
        for shape in shapes:
            w, g = inputs[shape]
            want = answer(w.astype(np.float64), g.astype(np.float64))
            got = lehr(spec, w, g)[-1]
            assert np.linalg.norm(want - w) > 0.02 * np.linalg.norm(w), (spec, shape)
            worst = max(worst, np.linalg.norm(got - want) / np.linalg.norm(want))
        failed |= not worst <= limit
        print(f"{spec:48s} {name:20s} {worst:.2g}{'' if worst <= limit else '  FAILED'}")
    return failed


sys.argv[1] = os.path.abspath(sys.argv[1])
with tempfile.TemporaryDirectory() as temporary:
    os.chdir(temporary)
    bad = main()
    os.chdir("/")
sys.exit(1 if bad else 0)
