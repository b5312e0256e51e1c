#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Optimizers over 100 updates against PyTorch, Keras 3, optax, timm and pytorch_optimizer, in double.

oracle_optimizers.py DUMP [--write FILE] [--only NAME]: runs the program DUMP (dump_optimizers.c) and compares
the weights after every update, for presets as they are and for random values of the hyperparameters, with a
learning rate that falls.  --write makes the table of agreement.  The interpreter that has the libraries is
named by LEHR_ORACLE_PYTHON; without it the test is skipped (exit 77); libraries that it lacks are named."""
import argparse
import collections
import importlib
import importlib.metadata
import inspect
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

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
import numpy as np
import torch

STEPS, DRAWS, LIMIT, EXCUSED = 100, 3, 1e-5, 20
SHAPES = [(40, 50), (50,), (30, 20)]
torch.set_num_threads(1)


def optional(name):
    try:
        return importlib.import_module(name)
    except Exception as error:
        print(f"without {name}: {error}")
        return None


jax = optional("jax")
if jax:
    jax.config.update("jax_enable_x64", True)
optax, keras = jax and optional("optax"), optional("keras")
timm, peer = optional("timm.optim"), optional("pytorch_optimizer")
if keras:
    keras.backend.set_floatx("float64")
    keras.backend.set_epsilon(1e-7)

# ---- the world: weights, gradients that keep their direction for a while, losses ----

rng = np.random.default_rng(11)
WEIGHTS = [(rng.standard_normal(s) * 0.1).astype("f4") for s in SHAPES]
FIXED = [rng.standard_normal(s) + 0.3 for s in SHAPES]
KEPT = np.where(np.arange(STEPS) < 30, 0.7, 0.0)
GRADIENTS = [[(KEPT[t] * f + (1 - KEPT[t]) * rng.standard_normal(f.shape)).astype("f4") for f in FIXED]
             for t in range(STEPS)]
LOSSES = 100 - 0.5 * np.arange(STEPS)
FALL = 1 - np.arange(STEPS) / 150


def flat(parts):
    return np.concatenate([np.asarray(p, dtype="f8").ravel() for p in parts])


# ---- judges: the weights after every update, and those that evaluation sees ----

def run_torch(make, rates, judged=None):
    params = [torch.tensor(w, dtype=torch.float64, requires_grad=True) for w in WEIGHTS]
    optimizer, out = make(params), []
    for t in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = float(np.float32(rates[t]))
        for p, g in zip(params, GRADIENTS[t]):
            p.grad = torch.tensor(g, dtype=torch.float64)
        optimizer.step()
        out.append(flat([p.detach().numpy() for p in params]))
    if judged:
        judged(optimizer)
    return out + [flat([p.detach().numpy() for p in params])]


def run_optax(make, rates, judged=None):
    jnp = jax.numpy
    table = jnp.asarray(np.float32(rates).astype("f8"))
    optimizer = make(lambda count: table[jnp.minimum(count, STEPS - 1)])
    params = [jnp.asarray(w, dtype="float64") for w in WEIGHTS]
    state, out = optimizer.init(params), []

    @jax.jit
    def step(grads, state, params, value):
        try:
            updates, state = optimizer.update(grads, state, params, value=value)
        except TypeError:
            updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state
    for t in range(STEPS):
        grads = [jnp.asarray(g, dtype="float64") for g in GRADIENTS[t]]
        params, state = step(grads, state, params, LOSSES[t])
        out.append(flat(params))
    return out + [flat(judged(state, params) if judged else params)]


def run_optax_lookahead(make, rates, k, alpha):
    jnp = jax.numpy
    table = jnp.asarray(np.float32(rates).astype("f8"))
    optimizer = optax.lookahead(make(lambda count: table[jnp.minimum(count, STEPS - 1)]), k, alpha)
    params = optax.LookaheadParams.init_synced([jnp.asarray(w, dtype="float64") for w in WEIGHTS])
    state, out = optimizer.init(params), []
    for t in range(STEPS):
        grads = [jnp.asarray(g, dtype="float64") for g in GRADIENTS[t]]
        updates, state = optimizer.update(grads, state, params)
        params = optax.apply_updates(params, updates)
        out.append(flat(params.fast))
    return out + out[-1:]


def run_keras(make, rates, judged=None):
    variables = [keras.Variable(w.astype("f8"), dtype="float64") for w in WEIGHTS]
    optimizer, out = make(float(rates[0])), []
    optimizer.build(variables)
    for t in range(STEPS):
        optimizer.learning_rate.assign(float(np.float32(rates[t])))
        optimizer.apply([keras.ops.convert_to_tensor(g.astype("f8")) for g in GRADIENTS[t]], variables)
        out.append(flat([keras.ops.convert_to_numpy(v.value) for v in variables]))
    return out


def free_torch_eval(optimizer):
    optimizer.eval()


# ---- cases ----

Case = collections.namedtuple("Case", "name judge spec lr space run note", defaults=("",))
cases = []
BETAS = {"beta1": (0.5, 0.95), "beta2": (0.9, 0.999), "eps": (1e-8, 0.1, "log")}
WD = {"weight_decay": (1e-4, 0.02, "log")}


def case(name, judge, spec, lr, space, run, note=""):
    """spec: the optimizer with its preset and fixed parameters; space: what is drawn; run: from values and
    rates to the weights of the judge."""
    cases.append(Case(name, judge, spec, lr, space, run, note))


def with_torch(name, spec, lr, space, make, note="", judge="torch", judged=None):
    case(name, judge, spec, lr, space, lambda v, r: run_torch(lambda p: make(p, v), r, judged), note)


def with_timm(*args, **options):
    if timm:
        with_torch(*args, judge="timm", **options)


def with_peer(*args, **options):
    if peer:
        with_torch(*args, judge="pytorch_optimizer", **options)


def with_optax(name, spec, lr, space, make, note="", judged=None):
    if optax:
        case(name, "optax", spec, lr, space, lambda v, r: run_optax(lambda s: make(s, v), r, judged), note)


def with_keras(name, spec, lr, space, make, note=""):
    if keras:
        case(name, "keras", spec, lr, space, lambda v, r: run_keras(lambda lr: make(lr, v), r), note)


def betas(v):
    return (v["beta1"], v["beta2"])


def wd(v):
    return v["weight_decay"]


def torch_cases():
    o = torch.optim
    with_torch("sgd", "sgd", 0.01, {"momentum": (0.5, 0.95), "dampening": (0, 0.5), **WD},
               lambda p, v: o.SGD(p, momentum=v["momentum"], dampening=v["dampening"], weight_decay=wd(v)))
    with_torch("sgd", "sgd(nesterov=1)", 0.01, {"momentum": (0.5, 0.95), **WD},
               lambda p, v: o.SGD(p, momentum=v["momentum"], nesterov=True, weight_decay=wd(v)))
    with_torch("adagrad", "adagrad", 0.05, {"lr_decay": (0, 0.05), "eps": (1e-10, 0.1, "log"),
                                            "init": (0, 0.5), **WD},
               lambda p, v: o.Adagrad(p, lr_decay=v["lr_decay"], eps=v["eps"], weight_decay=wd(v),
                                      initial_accumulator_value=v["init"]))
    with_torch("adadelta", "adadelta", 1, {"rho": (0.8, 0.99), "eps": (1e-6, 0.1, "log"), **WD},
               lambda p, v: o.Adadelta(p, rho=v["rho"], eps=v["eps"], weight_decay=wd(v)))
    for centered in (0, 1):
        with_torch("rmsprop", f"rmsprop(centered={centered})", 0.005,
                   {"rho": (0.8, 0.99), "eps": (1e-4, 0.1, "log"), "momentum": (0.1, 0.9), **WD},
                   lambda p, v, c=centered: o.RMSprop(p, alpha=v["rho"], eps=v["eps"], weight_decay=wd(v),
                                                      momentum=v["momentum"], centered=bool(c)))
    with_torch("adam", "adam", 0.01, {**BETAS, **WD},
               lambda p, v: o.Adam(p, betas=betas(v), eps=v["eps"], weight_decay=wd(v)))
    with_torch("amsgrad", "amsgrad", 0.01, {**BETAS, **WD},
               lambda p, v: o.Adam(p, betas=betas(v), eps=v["eps"], weight_decay=wd(v), amsgrad=True))
    for amsgrad in (0, 1):
        with_torch("adamw", f"adamw(amsgrad={amsgrad})", 0.01, {**BETAS, **WD},
                   lambda p, v, a=amsgrad: o.AdamW(p, betas=betas(v), eps=v["eps"], weight_decay=wd(v),
                                                   amsgrad=bool(a)))
    with_torch("adamax", "adamax", 0.01, {**BETAS, **WD},
               lambda p, v: o.Adamax(p, betas=betas(v), eps=v["eps"], weight_decay=wd(v)))
    for name, decoupled in (("nadam", False), ("nadamw", True)):
        with_torch(name, name, 0.01, {**BETAS, "momentum_decay": (1e-3, 1, "log"), **WD},
                   lambda p, v, d=decoupled: o.NAdam(p, betas=betas(v), eps=v["eps"], weight_decay=wd(v),
                                                     momentum_decay=v["momentum_decay"],
                                                     decoupled_weight_decay=d))
    for how in ("l2", "decoupled"):
        with_torch("radam", f"radam(decay={how})", 0.01, {**BETAS, **WD},
                   lambda p, v, h=how: o.RAdam(p, betas=betas(v), eps=v["eps"], weight_decay=wd(v),
                                               decoupled_weight_decay=h == "decoupled"))
    with_torch("rprop", "rprop", 0.01, {"eta_minus": (0.3, 0.9), "eta_plus": (1.05, 1.5),
                                        "step_min": (1e-6, 1e-3, "log"), "step_max": (0.1, 1)},
               lambda p, v: o.Rprop(p, lr=float(np.float32(0.01)), etas=(v["eta_minus"], v["eta_plus"]),
                                    step_sizes=(v["step_min"], v["step_max"])))
    with_torch("asgd", "torch:asgd", 0.01, {"lambda": (1e-4, 0.1, "log"), "alpha": (0.5, 1),
                                            "t0": (0, 90, "whole"), **WD},
               lambda p, v: o.ASGD(p, lr=float(np.float32(0.01)), lambd=v["lambda"], alpha=v["alpha"],
                                   t0=v["t0"], weight_decay=wd(v)), judged=asgd_mean,
               note="eta follows a schedule one update late (lagging=1)")


def asgd_mean(optimizer):
    for p in optimizer.param_groups[0]["params"]:
        p.data = optimizer.state[p]["ax"].clone()


def keras_cases():
    k = keras.optimizers if keras else None
    base = {"weight_decay": (1e-4, 0.02, "log")}
    for nesterov in (0, 1):
        with_keras("sgd", f"keras3:sgd(nesterov={nesterov})", 0.01, {"momentum": (0.5, 0.95), **base},
                   lambda lr, v, n=nesterov: k.SGD(lr, momentum=v["momentum"], nesterov=bool(n),
                                                   weight_decay=wd(v)))
    with_keras("adagrad", "keras3:adagrad", 0.05, {"init": (0, 0.5), "eps": (1e-8, 0.1, "log"), **base},
               lambda lr, v: k.Adagrad(lr, initial_accumulator_value=v["init"], epsilon=v["eps"],
                                       weight_decay=wd(v)))
    with_keras("adadelta", "keras3:adadelta", 1, {"rho": (0.8, 0.99), "eps": (1e-6, 0.1, "log"), **base},
               lambda lr, v: k.Adadelta(lr, rho=v["rho"], epsilon=v["eps"], weight_decay=wd(v)))
    for centered in (0, 1):
        with_keras("rmsprop", f"keras3:rmsprop(centered={centered})", 0.005,
                   {"rho": (0.8, 0.99), "eps": (1e-4, 0.1, "log"), "momentum": (0.1, 0.9), **base},
                   lambda lr, v, c=centered: k.RMSprop(lr, rho=v["rho"], momentum=v["momentum"],
                                                       epsilon=v["eps"], centered=bool(c),
                                                       weight_decay=wd(v)))
    adam = {**BETAS, **base}
    for amsgrad in (0, 1):
        with_keras("amsgrad" if amsgrad else "adam", "keras3:amsgrad" if amsgrad else "keras3:adam", 0.01,
                   adam, lambda lr, v, a=amsgrad: k.Adam(lr, *betas(v), v["eps"], amsgrad=bool(a),
                                                         weight_decay=wd(v)))
    with_keras("adamw", "keras3:adamw", 0.01, adam,
               lambda lr, v: k.AdamW(lr, beta_1=v["beta1"], beta_2=v["beta2"], epsilon=v["eps"],
                                     weight_decay=wd(v)))
    with_keras("adamax", "keras3:adamax", 0.01, adam,
               lambda lr, v: k.Adamax(lr, *betas(v), v["eps"], weight_decay=wd(v)))
    with_keras("nadam", "keras3:nadam", 0.01, adam,
               lambda lr, v: k.Nadam(lr, *betas(v), v["eps"], weight_decay=wd(v)))
    with_keras("lion", "keras3:lion", 0.005, {"beta1": (0.5, 0.95), "beta2": (0.9, 0.99), **base},
               lambda lr, v: k.Lion(lr, *betas(v), weight_decay=wd(v)))
    with_keras("ftrl", "keras3:ftrl", 0.05,
               {"lr_power": (-0.8, -0.2), "init": (0.05, 1), "l1": (0, 0.1), "l2": (0, 0.1),
                "l2_shrinkage": (0, 0.1), "beta": (0, 1), **base},
               lambda lr, v: k.Ftrl(lr, v["lr_power"], v["init"], v["l1"], v["l2"], v["l2_shrinkage"],
                                    v["beta"], weight_decay=wd(v)))
    with_keras("lamb", "keras3:lamb", 0.01, adam,
               lambda lr, v: k.Lamb(lr, *betas(v), v["eps"], weight_decay=wd(v)),
               note="weight decay outside the ratio, unlike the paper")
    with_keras("schedule_free_adamw", "keras3:schedule_free_adamw", 0.01,
               {**BETAS, "warmup": (0, 50, "whole")},
               lambda lr, v: k.ScheduleFreeAdamW(lr, *betas(v), v["eps"], warmup_steps=v["warmup"]),
               note="power=0; no weights of its own for evaluation, its weight decay acts on y alone")


def optax_cases():
    c = optax.contrib if optax else None
    with_optax("sgd", "optax:sgd", 0.01, {"momentum": (0.5, 0.95)},
               lambda s, v: optax.sgd(s, momentum=v["momentum"]))
    with_optax("sgd", "optax:sgd(nesterov=1)", 0.01, {"momentum": (0.5, 0.95)},
               lambda s, v: optax.sgd(s, momentum=v["momentum"], nesterov=True))
    with_optax("adagrad", "optax:adagrad", 0.05, {"init": (0.01, 0.5), "eps": (1e-8, 0.1, "log")},
               lambda s, v: optax.adagrad(s, v["init"], v["eps"]))
    with_optax("adadelta", "optax:adadelta", 1, {"rho": (0.8, 0.99), "eps": (1e-6, 0.1, "log"), **WD},
               lambda s, v: optax.adadelta(s, v["rho"], v["eps"], wd(v)))
    for centered in (0, 1):
        with_optax("rmsprop", f"optax:rmsprop(centered={centered})", 0.005,
                   {"rho": (0.8, 0.99), "eps": (1e-4, 0.1, "log"), "momentum": (0.1, 0.9), "init": (0, 1)},
                   lambda s, v, k=centered: optax.rmsprop(s, v["rho"], v["eps"], v["init"], True, bool(k),
                                                          v["momentum"]))
    with_optax("adam", "optax:adam", 0.01, BETAS, lambda s, v: optax.adam(s, *betas(v), v["eps"]))
    with_optax("amsgrad", "optax:amsgrad", 0.01, BETAS, lambda s, v: optax.amsgrad(s, *betas(v), v["eps"]),
               note="the largest of the corrected averages (corrected=1), unlike the paper, PyTorch and Keras")
    with_optax("adamw", "optax:adamw", 0.01, {**BETAS, **WD},
               lambda s, v: optax.adamw(s, *betas(v), v["eps"], weight_decay=wd(v)))
    with_optax("adamax", "optax:adamax(decay=decoupled)", 0.01, {**BETAS, **WD},
               lambda s, v: optax.adamaxw(s, *betas(v), v["eps"], wd(v)))
    with_optax("nadam", "optax:nadam", 0.01, BETAS, lambda s, v: optax.nadam(s, *betas(v), v["eps"]),
               note="no momentum schedule (correction=next), unlike Dozat, PyTorch and Keras")
    with_optax("nadamw", "optax:nadamw", 0.01, {**BETAS, **WD},
               lambda s, v: optax.nadamw(s, *betas(v), v["eps"], weight_decay=wd(v)),
               note="no momentum schedule (correction=next)")
    with_optax("radam", "optax:radam", 0.01, BETAS, lambda s, v: optax.radam(s, *betas(v), v["eps"]))
    with_optax("lion", "optax:lion", 0.005, {"beta1": (0.5, 0.95), "beta2": (0.9, 0.99), **WD},
               lambda s, v: optax.lion(s, *betas(v), weight_decay=wd(v)))
    with_optax("signum", "optax:signum", 0.005, {}, lambda s, v: optax.sign_sgd(s))
    with_optax("yogi", "optax:yogi", 0.01, BETAS, lambda s, v: optax.yogi(s, *betas(v), v["eps"]),
               note="m starts at 1e-6 too (init_m)")
    with_optax("adabelief", "optax:adabelief", 0.01, {**BETAS, "eps_root": (1e-16, 1e-3, "log")},
               lambda s, v: optax.adabelief(s, *betas(v), v["eps"], v["eps_root"]))
    with_optax("adan", "optax:adan", 0.01,
               {"beta1": (0.5, 0.98), "beta2": (0.5, 0.95), "beta3": (0.9, 0.99), "eps": (1e-8, 0.1, "log"),
                "eps_root": (1e-12, 1e-2, "log"), **WD},
               lambda s, v: optax.adan(s, v["beta1"], v["beta2"], v["beta3"], v["eps"], v["eps_root"], wd(v)),
               note="1 - beta2 before the differences (complement=1) where the paper and its code have what is here "
                    "beta2; decoupled weight decay, unlike the paper's proximal one")
    with_optax("adopt", "optax:adopt", 0.01, BETAS, lambda s, v: c.adopt(s, *betas(v), v["eps"]))
    with_optax("ademamix", "optax:ademamix", 0.01,
               {**BETAS, "beta3": (0.96, 0.9999), "alpha": (0, 8), **WD},
               lambda s, v: c.ademamix(s, *betas(v), v["beta3"], v["alpha"], v["eps"], weight_decay=wd(v)))
    with_optax("madgrad", "optax:madgrad", 0.01,
               {"momentum": (0.1, 0.95), "eps": (1e-6, 0.1, "log"), **WD},
               lambda s, v: c.madgrad(s, v["momentum"], wd(v), v["eps"]))
    with_optax("lars", "optax:lars", 5, {"momentum": (0.1, 0.9), "trust": (1e-3, 0.1, "log"),
                                         "eps": (1e-8, 0.1, "log"), **WD},
               lambda s, v: optax.lars(s, wd(v), trust_coefficient=v["trust"], eps=v["eps"],
                                       momentum=v["momentum"]),
               note="the norm of g + weight_decay w below (norm=joint), unlike the paper")
    with_optax("lamb", "optax:lamb", 0.01, {**BETAS, **WD},
               lambda s, v: optax.lamb(s, *betas(v), v["eps"], weight_decay=wd(v)))
    with_optax("novograd", "optax:novograd", 0.02,
               {"beta1": (0.5, 0.95), "beta2": (0.25, 0.99), "eps": (1e-8, 0.1, "log"), **WD},
               lambda s, v: optax.novograd(s, *betas(v), v["eps"], weight_decay=wd(v)))
    with_optax("fromage", "optax:fromage", 0.05, {"min_norm": (1e-6, 1, "log")},
               lambda s, v: optax.fromage(s, v["min_norm"]))
    with_optax("polyak_sgd", "optax:polyak_sgd", 1, {"max_rate": (1e-3, 1e-2), "eps": (1e-8, 0.1, "log")},
               lambda s, v: optax.polyak_sgd(v["max_rate"], 1.0, 0.0, v["eps"]),
               note="at a constant lr of 1: its factor enters before the norm")
    with_optax("dog", "optax:dog", 1, {"r_eps": (1e-4, 1e-2, "log"), "eps": (1e-8, 0.1, "log"), **WD},
               lambda s, v: c.dog(s, ("heuristic", v["r_eps"]), v["eps"], wd(v)))
    with_optax("dowg", "optax:dowg", 1, {"eps": (1e-5, 1e-2, "log"), "r_square": (1e-4, 1e-2, "log"), **WD},
               lambda s, v: c.dowg(s, v["r_square"], v["eps"], wd(v)))
    with_optax("prodigy", "optax:prodigy(decay=decoupled)", 1,
               {**BETAS, "beta3": (0.9, 0.999), "d0": (1e-3, 1e-2, "log"), "d_coef": (0.5, 1), **WD},
               lambda s, v: c.prodigy(s, betas(v), v["beta3"], v["eps"], v["d0"], v["d_coef"], wd(v)))
    with_optax("dadapt_adam", "optax:dadapt_adam", 1, {**BETAS, "d0": (1e-3, 1e-2, "log"), **WD},
               lambda s, v: c.dadapt_adamw(s, betas(v), v["eps"], v["d0"], wd(v)))
    free = lambda state, params: c.schedule_free_eval_params(state, params)
    with_optax("schedule_free_sgd", "optax:schedule_free_sgd", 0.05, {"momentum": (0.5, 0.95), **WD},
               lambda s, v: optax_free(v, optax.sgd(s), s, v["momentum"]), judged=free)
    with_optax("schedule_free_adamw", "optax:schedule_free_adamw", 0.01, {**BETAS, **WD},
               lambda s, v: optax_free(v, optax.chain(
                   optax.scale_by_rms(v["beta2"], v["eps"], eps_in_sqrt=False, bias_correction=True),
                   ), s, v["beta1"], s), judged=free)


def optax_free(v, inner, schedule, beta, scale=None):
    """schedule_free counts from 1 for its own weights: its schedule is shifted to agree with the step's."""
    if scale is None:
        inner = optax.chain(optax.add_decayed_weights(wd(v)), inner)
    else:
        inner = optax.chain(inner, optax.add_decayed_weights(wd(v)), optax.scale_by_learning_rate(scale))
    return optax.contrib.schedule_free(inner, lambda count: schedule(count - 1), beta)


def timm_cases():
    t = timm
    with_timm("rmsprop", "timm:rmsprop", 0.005,
              {"rho": (0.8, 0.99), "eps": (1e-4, 0.1, "log"), "momentum": (0.1, 0.9), **WD},
              lambda p, v: t.RMSpropTF(p, alpha=v["rho"], eps=v["eps"], momentum=v["momentum"],
                                       weight_decay=wd(v)))
    with_timm("nadamw", "timm:nadamw", 0.01, {**BETAS, **WD},
              lambda p, v: t.NAdamW(p, betas=betas(v), eps=v["eps"], weight_decay=wd(v)),
              note="no momentum schedule, one correction (correction=same), as AlgoPerf")
    with_timm("radam", "timm:radam", 0.01, {**BETAS, **WD},
              lambda p, v: t.RAdamLegacy(p, betas=betas(v), eps=v["eps"], weight_decay=wd(v)))
    with_timm("lion", "timm:lion", 0.005, {"beta1": (0.5, 0.95), "beta2": (0.9, 0.99), **WD},
              lambda p, v: t.Lion(p, betas=betas(v), weight_decay=wd(v)))
    with_timm("adabelief", "timm:adabelief", 0.01, {**BETAS, "eps_root": ("same as", "eps"), **WD},
              lambda p, v: t.AdaBelief(p, betas=betas(v), eps=v["eps"], weight_decay=wd(v)))
    adan = {"beta1": (0.5, 0.98), "beta2": (0.5, 0.95), "beta3": (0.9, 0.99), "eps": (1e-8, 0.1, "log"), **WD}
    for how in ("proximal", "decoupled"):
        with_timm("adan", f"timm:adan(decay={how})", 0.01, adan,
                  lambda p, v, h=how: t.Adan(p, betas=(v["beta1"], v["beta2"], v["beta3"]), eps=v["eps"],
                                             weight_decay=wd(v), no_prox=h == "decoupled"))
    with_timm("laprop", "timm:laprop", 0.01, {**BETAS, **WD},
              lambda p, v: t.LaProp(p, betas=betas(v), eps=v["eps"], weight_decay=wd(v)),
              note="weight decay after the step (after=1)")
    for how in ("l2", "decoupled"):
        with_timm("adopt", f"timm:adopt(decay={how})", 0.01, {**BETAS, **WD},
                  lambda p, v, h=how: t.Adopt(p, betas=betas(v), eps=v["eps"], weight_decay=wd(v),
                                              decoupled=h == "decoupled"),
                  note="the limit grows as (t - 1)^0.333, 1/4 in the paper")
    for how in ("l2", "decoupled"):
        with_timm("madgrad", f"timm:madgrad(decay={how})", 0.01,
                  {"momentum": (0.1, 0.95), "eps": (1e-6, 0.1, "log"), **WD},
                  lambda p, v, h=how: t.MADGRAD(p, momentum=v["momentum"], eps=v["eps"], weight_decay=wd(v),
                                                decoupled_decay=h == "decoupled"))
    for clip in (0, 1):
        with_timm("lars", f"timm:lars(clip={clip})", 0.05,
                  {"momentum": (0.1, 0.9), "trust": (1e-2, 1, "log"), "eps": (1e-8, 0.1, "log"), **WD},
                  lambda p, v, k=clip: t.Lars(p, momentum=v["momentum"], weight_decay=wd(v), eps=v["eps"],
                                              trust_coeff=v["trust"], trust_clip=bool(k)))
    with_timm("lamb", "timm:lamb", 0.01, {**BETAS, **WD},
              lambda p, v: t.Lamb(p, betas=betas(v), eps=v["eps"], weight_decay=wd(v), max_grad_norm=None),
              note="without its clipping of gradients (--clip-norm 1)")
    for averaging in (0, 1):
        with_timm("novograd", f"timm:novograd(averaging={averaging})", 0.02,
                  {"beta1": (0.5, 0.95), "beta2": (0.25, 0.99), "eps": (1e-8, 0.1, "log"), **WD},
                  lambda p, v, a=averaging: t.NvNovoGrad(p, betas=betas(v), eps=v["eps"], weight_decay=wd(v),
                                                         grad_averaging=bool(a)))
    with_timm("cautious_adamw", "timm:cautious_adamw", 0.01, {**BETAS, **WD},
              lambda p, v: t.AdamWLegacy(p, betas=betas(v), eps=v["eps"], weight_decay=wd(v), caution=True))
    with_timm("cautious_lion", "timm:cautious_lion", 0.005,
              {"beta1": (0.5, 0.95), "beta2": (0.9, 0.99), **WD},
              lambda p, v: t.Lion(p, betas=betas(v), weight_decay=wd(v), caution=True))


def peer_cases():
    q = peer
    with_peer("lion", "lion", 0.005, {"beta1": (0.5, 0.95), "beta2": (0.9, 0.99), **WD},
              lambda p, v: q.Lion(p, betas=betas(v), weight_decay=wd(v)))
    with_peer("signum", "signum", 0.005, {"momentum": (0.5, 0.95), **WD},
              lambda p, v: q.SignSGD(p, momentum=v["momentum"], weight_decay=wd(v)))
    for how in ("decoupled", "independent"):
        with_peer("ademamix", f"ademamix(decay={how})", 0.01,
                  {**BETAS, "beta3": (0.96, 0.9999), "alpha": (0, 8), "warmup": (1, 150, "whole"), **WD},
                  lambda p, v, h=how: q.AdEMAMix(p, betas=(*betas(v), v["beta3"]), alpha=v["alpha"],
                                                 t_alpha_beta3=v["warmup"], eps=v["eps"], weight_decay=wd(v),
                                                 weight_decouple=True, fixed_decay=h == "independent"))
    with_peer("adopt", "adopt", 0.01, {**BETAS, **WD},
              lambda p, v: q.ADOPT(p, betas=betas(v), eps=v["eps"], weight_decay=wd(v),
                                   clip_lambda=lambda t: (t - 1) ** 0.25),
              note="counts from 1 in its limit, t^(1/4); compared with (t - 1)^(1/4) as in the paper's code. Its "
                   "decoupled weight decay acts in the first update too, timm's and this one do not")
    with_peer("adabelief", "adabelief(decay=decoupled)", 0.01, {**BETAS, "eps_root": ("same as", "eps"), **WD},
              lambda p, v: q.AdaBelief(p, betas=betas(v), eps=v["eps"], weight_decay=wd(v)))
    with_peer("yogi", "yogi(decay=decoupled, init_m=1e-6)", 0.01, {**BETAS, "eps": (1e-3, 0.1, "log"), **WD},
              lambda p, v: q.Yogi(p, betas=betas(v), eps=v["eps"], weight_decay=wd(v)))
    with_peer("prodigy", "prodigy", 1, {**BETAS, "beta3": (0.9, 0.999), "d0": (1e-3, 1e-2, "log"),
                                        "d_coef": (0.5, 2), "growth": (1.02, 1.2), **WD},
              lambda p, v: q.Prodigy(p, betas=betas(v), beta3=v["beta3"], eps=v["eps"], d0=v["d0"],
                                     d_coef=v["d_coef"], growth_rate=v["growth"], weight_decay=wd(v)))
    with_peer("dadapt_adam", "dadapt_adam", 1, {**BETAS, "d0": (1e-3, 1e-2, "log")},
              lambda p, v: q.DAdaptAdam(p, betas=betas(v), eps=v["eps"], d0=v["d0"]))
    with_peer("dadapt_sgd", "dadapt_sgd", 1, {"momentum": (0.1, 0.9), "d0": (1e-2, 1e-1, "log"), **WD},
              lambda p, v: q.DAdaptSGD(p, momentum=v["momentum"], d0=v["d0"], weight_decay=wd(v)))
    with_peer("schedule_free_sgd", "schedule_free_sgd", 0.05,
              {"momentum": (0.5, 0.95), "r": (0, 2), "power": (0, 3), "warmup": (1, 50, "whole"), **WD},
              lambda p, v: q.ScheduleFreeSGD(p, momentum=v["momentum"], r=v["r"], weight_decay=wd(v),
                                             weight_lr_power=v["power"], warmup_steps=v["warmup"]),
              judged=free_torch_eval)
    with_peer("schedule_free_adamw", "schedule_free_adamw", 0.01,
              {**BETAS, "r": (0, 2), "power": (0, 3), "warmup": (1, 50, "whole"), **WD},
              lambda p, v: q.ScheduleFreeAdamW(p, betas=betas(v), eps=v["eps"], r=v["r"], weight_decay=wd(v),
                                               weight_lr_power=v["power"], warmup_steps=v["warmup"]),
              judged=free_torch_eval)
    with_peer("ranger", "ranger", 0.02, {"k": (2, 10, "whole"), "alpha": (0.1, 1), **BETAS, **WD},
              lambda p, v: q.Ranger(p, betas=betas(v), eps=v["eps"], k=v["k"], alpha=v["alpha"],
                                    weight_decay=wd(v), use_gc=False, degenerated_to_sgd=True),
              note="with degenerated_to_sgd; its default moves by +m while the variance is intractable")
    with_peer("lookahead_adamw", "lookahead_adamw", 0.01,
              {"k": (1, 10, "whole"), "alpha": (0.1, 1), **BETAS, **WD},
              lambda p, v: q.Lookahead(torch.optim.AdamW(p, betas=betas(v), eps=v["eps"], weight_decay=wd(v)),
                                       k=v["k"], alpha=v["alpha"]))
    with_peer("lookahead_sgd", "lookahead_sgd", 0.01,
              {"k": (1, 10, "whole"), "alpha": (0.1, 1), "momentum": (0.1, 0.9), **WD},
              lambda p, v: q.Lookahead(torch.optim.SGD(p, momentum=v["momentum"], weight_decay=wd(v)),
                                       k=v["k"], alpha=v["alpha"]))
    if optax:
        case("lookahead_adamw", "optax", "lookahead_adamw", 0.01,
             {"k": (1, 10, "whole"), "alpha": (0.1, 1), **BETAS, **WD},
             lambda v, r: run_optax_lookahead(
                 lambda s: optax.adamw(s, *betas(v), v["eps"], weight_decay=wd(v)), r, v["k"], v["alpha"]))


# ---- the comparison ----

def draw(space, random):
    values = {}
    for name, (low, high, *kind) in space.items():
        if low == "same as":
            values[name] = values[high]
        elif kind == ["log"]:
            values[name] = float(low * (high / low) ** random.random())
        elif kind == ["whole"]:
            values[name] = int(random.integers(low, high + 1))
        else:
            values[name] = float(low + (high - low) * random.random())
    return values


def with_values(spec, values):
    head, inside = spec.rstrip(")").split("(", 1) if "(" in spec else (spec, "")
    parts = ([inside] if inside else []) + [f"{name}={value!r}" for name, value in values.items()]
    return f"{head}({', '.join(parts)})" if parts else head


def dump(program, jobs):
    """jobs: of (spec, base, rates); the weights after every update and in evaluation, of each."""
    with tempfile.TemporaryDirectory() as folder:
        def path(name):
            return os.path.join(folder, name)
        flat(WEIGHTS).astype("<f4").tofile(path("w"))
        np.array([flat(g) for g in GRADIENTS]).astype("<f4").tofile(path("g"))
        LOSSES.astype("<f8").tofile(path("loss"))
        np.array([w.size for w in WEIGHTS], dtype="<u8").tofile(path("sizes"))
        lines = []
        for i, (spec, base, rates) in enumerate(jobs):
            np.asarray(rates, dtype="<f8").tofile(path(f"lr{i}"))
            lines.append(f"{spec}\t{base!r}\t{path(f'lr{i}')}\t{path(f'out{i}')}\n")
        subprocess.run([program, path("w"), path("g"), path("loss"), path("sizes")], check=True, text=True,
                       input="".join(lines))
        return [np.fromfile(path(f"out{i}"), "<f4").reshape(STEPS + 1, -1) for i in range(len(jobs))]


DEVIATIONS = ["`rprop`, optax: applies each step one update late (the weights do not move in the first); not "
              "reproduced, no preset"]
SIGNS = {"lion", "signum", "yogi", "cautious_lion", "cautious_adamw", "rprop"}


def compare(name, got, want):
    """The largest relative error of the weights after any update.  Where a rule decides by a sign, the few
    weights whose sign hangs on the last bit are left out."""
    want = np.array(want)
    difference = np.abs(got[:len(want)] - want)
    if name in SIGNS:
        worst = np.argsort(difference.max(axis=0))[-EXCUSED:]
        difference[:, worst] = 0
    errors = np.linalg.norm(difference, axis=1) / np.linalg.norm(want, axis=1)
    moved = np.linalg.norm(want[STEPS - 1] - flat(WEIGHTS)) / np.linalg.norm(want[STEPS - 1])
    return float(errors.max()) if moved > 0.03 else float("inf")


# ---- presets: the values that a library itself has as its defaults ----

KERAS = {"learning_rate": "lr", "beta_1": "beta1", "beta_2": "beta2", "epsilon": "eps", "rho": "rho",
         "momentum": "momentum", "initial_accumulator_value": "init", "weight_decay": "weight_decay",
         "learning_rate_power": "lr_power", "l1_regularization_strength": "l1", "beta": "beta",
         "l2_regularization_strength": "l2", "l2_shrinkage_regularization_strength": "l2_shrinkage",
         "amsgrad": "amsgrad", "centered": "centered", "nesterov": "nesterov", "warmup_steps": "warmup"}
TORCH = {"lr": "lr", "betas": ("beta1", "beta2", "beta3"), "eps": "eps", "weight_decay": "weight_decay",
         "momentum": "momentum", "dampening": "dampening", "nesterov": "nesterov", "rho": "rho",
         "alpha": "rho", "lr_decay": "lr_decay", "initial_accumulator_value": "init", "centered": "centered",
         "momentum_decay": "momentum_decay", "lambd": "lambda", "t0": "t0", "etas": ("eta_minus", "eta_plus"),
         "step_sizes": ("step_min", "step_max"), "trust_coeff": "trust", "trust_clip": "clip",
         "always_adapt": "always", "rectify": "rectify", "clip_exp": "clip_power", "grad_averaging": "averaging"}
OPTAX = {"b1": "beta1", "b2": "beta2", "b3": "beta3", "eps": "eps", "eps_root": "eps_root", "rho": "rho",
         "decay": "rho", "weight_decay": "weight_decay", "momentum": "momentum", "alpha": "alpha",
         "initial_accumulator_value": "init", "initial_scale": "init", "min_norm": "min_norm",
         "trust_coefficient": "trust", "nesterov": "nesterov", "centered": "centered", "f_min": "f_min",
         "max_learning_rate": "max_rate", "estim_lr0": "d0", "estim_lr_coef": "d_coef",
         "betas": ("beta1", "beta2"), "weight_lr_power": "power", "learning_rate": "lr",
         "eta_minus": "eta_minus", "eta_plus": "eta_plus"}


def preset_rows():
    t, k = torch.optim, keras.optimizers if keras else None
    for name, kind in (("sgd", "SGD"), ("adagrad", "Adagrad"), ("adadelta", "Adadelta"), ("rmsprop", "RMSprop"),
                       ("adam", "Adam"), ("adamw", "AdamW"), ("adamax", "Adamax"), ("nadam", "NAdam"),
                       ("radam", "RAdam"), ("rprop", "Rprop"), ("asgd", "ASGD")):
        skip = {"alpha"} if name == "asgd" else set()
        yield f"torch:{name}", getattr(t, kind), TORCH, skip
        yield name, getattr(t, kind), TORCH, skip
    for name, kind in (("sgd", "SGD"), ("adagrad", "Adagrad"), ("adadelta", "Adadelta"), ("rmsprop", "RMSprop"),
                       ("adam", "Adam"), ("adamw", "AdamW"), ("adamax", "Adamax"), ("nadam", "Nadam"),
                       ("lion", "Lion"), ("ftrl", "Ftrl"), ("lamb", "Lamb"),
                       ("schedule_free_adamw", "ScheduleFreeAdamW")):
        if k:
            yield f"keras3:{name}", getattr(k, kind), KERAS, set()
    for name, kind in (("rmsprop", "RMSpropTF"), ("adamw", "AdamWLegacy"), ("nadamw", "NAdamW"),
                       ("radam", "RAdamLegacy"), ("lion", "Lion"), ("adabelief", "AdaBelief"), ("adan", "Adan"),
                       ("laprop", "LaProp"), ("adopt", "Adopt"), ("madgrad", "MADGRAD"), ("lars", "Lars"),
                       ("lamb", "Lamb"), ("novograd", "NvNovoGrad"), ("cautious_adamw", "AdamWLegacy"),
                       ("cautious_lion", "Lion")):
        if timm:
            yield f"timm:{name}", getattr(timm, kind), TORCH, set()
    for name, kind in (("sgd", "sgd"), ("adagrad", "adagrad"), ("adadelta", "adadelta"),
                       ("rmsprop", "rmsprop"), ("adam", "adam"), ("amsgrad", "amsgrad"), ("adamw", "adamw"),
                       ("adamax", "adamax"), ("radam", "radam"), ("lion", "lion"), ("yogi", "yogi"),
                       ("adabelief", "adabelief"), ("adan", "adan"), ("lars", "lars"), ("lamb", "lamb"),
                       ("novograd", "novograd"), ("fromage", "fromage"), ("polyak_sgd", "polyak_sgd")):
        if optax:
            yield f"optax:{name}", getattr(optax, kind), OPTAX, set()
    for name in ("adopt", "ademamix", "madgrad", "dowg", "prodigy", "schedule_free_sgd",
                 "schedule_free_adamw", "dog"):
        if optax:
            skip = {"b1"} if name == "schedule_free_sgd" else set()
            yield f"optax:{name}", getattr(optax.contrib, name), OPTAX, skip
    if optax:
        yield "optax:dadapt_adam", optax.contrib.dadapt_adamw, OPTAX, set()


def compare_presets(program):
    """A library's default for every argument that has a counterpart, against the preset's value."""
    rows, wrong, values = list(preset_rows()), 0, 0
    out = subprocess.run([program, "resolve"] + [r[0] for r in rows], check=True, text=True,
                         capture_output=True).stdout.splitlines()
    for (spec, make, names, skip), line in zip(rows, out):
        text, lr = line.split("\t")
        inside = text.split("(", 1)[1].rstrip(")")
        mine = dict(part.split("=") for part in inside.split(", ") if part)
        mine["lr"] = lr
        for argument, parameter in inspect.signature(make).parameters.items():
            default = parameter.default
            if argument not in names or argument in skip or default is inspect.Parameter.empty or default is None:
                continue
            targets = names[argument] if isinstance(names[argument], tuple) else (names[argument],)
            for target, value in zip(targets, default if isinstance(default, tuple) else (default,)):
                if target not in mine:
                    continue
                values += 1
                if abs(float(mine[target]) - float(value)) > 1e-12 * abs(float(value)):
                    print(f"FAIL preset {spec}: {target} is {mine[target]}, {make.__name__} has {value}")
                    wrong += 1
    print(f"{len(rows)} presets, {values} values, {wrong} differ")
    return wrong


def write_table(path, rows):
    judges = {"torch": torch.__version__.split("+")[0]}
    for name, module in (("keras", keras), ("optax", optax), ("timm", optional("timm")),
                         ("pytorch_optimizer", peer)):
        if module:
            judges[name] = importlib.metadata.version(name)
    best = {}
    for c, error in rows:
        best[c.name, c.judge] = max(error, best.get((c.name, c.judge), 0))
    out = ["# Agreement of the optimizers with their peers", "",
           "Written by `tests/plugin/oracle_optimizers.py`; do not edit. To make it again:", "", "```",
           "LEHR_ORACLE_PYTHON=… python3 tests/plugin/oracle_optimizers.py "
           "build/tests/plugin/dump_optimizers \\", "    --write docs/agreement-optimizers.md", "```", "",
           f"The largest relative difference of the weights (2-norm over {flat(WEIGHTS).size} weights in "
           f"{len(SHAPES)} tensors) after any of {STEPS} updates with a falling learning rate, for {DRAWS} draws "
           f"of all hyperparameters per row of the test; lehr computes in float32, the judges in float64. The "
           f"limit is {LIMIT:.0e}. Where evaluation has weights of its own they are compared too. Rules that "
           f"decide by a sign may have up to {EXCUSED} weights whose sign hangs on the last bit; they are left "
           "out.", "", "| optimizer | " + " | ".join(f"{j} {v}" for j, v in judges.items()) + " |",
           "|---|" + "---|" * len(judges)]
    for name in sorted({c.name for c, _ in rows}):
        cells = [f"{best[name, j]:.0e}" if (name, j) in best else "" for j in judges]
        out.append(f"| `{name}` | " + " | ".join(cells) + " |")
    out += ["", "Where a judge differs from the paper or from the others, and how lehr says it:", ""]
    for line in sorted({f"* {n}" for n in DEVIATIONS} | {f"* `{c.name}`, {c.judge}: {c.note}" for c, _ in rows if c.note}):
        out.append(line)
    with open(path, "w") as file:
        file.write("\n".join(out) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dump")
    parser.add_argument("--write")
    parser.add_argument("--only")
    options = parser.parse_args()
    for make in (torch_cases, keras_cases, optax_cases, timm_cases, peer_cases):
        make()
    plan, failed, rows = [], 0, []
    for i, c in enumerate(c for c in cases if options.only in (None, c.name)):
        random = np.random.default_rng(100 + i)
        fall = np.ones(STEPS) if c.name == "polyak_sgd" else FALL
        for _ in range(DRAWS if c.space else 1):
            values = draw(c.space, random)
            plan.append((c, values, with_values(c.spec, values), c.lr * fall))
    results = dump(options.dump, [(spec, c.lr, rates) for c, _, spec, rates in plan])
    for (c, values, spec, rates), got in zip(plan, results):
        try:
            error = compare(c.name, got, c.run(values, rates))
        except Exception as problem:
            print(f"FAIL {c.judge} {spec}: {type(problem).__name__}: {problem}")
            failed += 1
            continue
        ok = error <= LIMIT
        failed += not ok
        rows.append((c, error))
        print(f"{'ok  ' if ok else 'FAIL'} {c.judge:17s} {error:.1e}  {spec if not ok else c.spec}")
    failed += compare_presets(options.dump)
    if options.write:
        write_table(options.write, rows)
    print(f"{len(plan)} comparisons, {failed} disagree")
    return 1 if failed else 0


sys.exit(main())
