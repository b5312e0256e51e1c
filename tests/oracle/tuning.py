#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Scheduled hyperparameters, a growing batch and parameter groups beside PyTorch in double precision, whose
param_groups are set by hand before every step, after docs/hyperparameters.md: tuning.py LEHR

Needs a Python with torch and safetensors, named by LEHR_ORACLE_PYTHON; without it the test is skipped."""
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

if __name__ == "__main__" and os.environ.get("LEHR_ORACLE_CHILD") != "1":
    python = os.environ.get("LEHR_ORACLE_PYTHON")
    if not python:
        print("skipped: LEHR_ORACLE_PYTHON names no Python that has torch and safetensors")
        sys.exit(77)
    os.environ["LEHR_ORACLE_CHILD"] = "1"
    os.execv(python, [python, *sys.argv])

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from step import normalisation, read_images, write_images

# No ReLU, no maximum: nothing has a kink that single precision could take the other side of.
MODEL = ("input 3 32 32\nconv 8 3x3 stride=2 pad=1 bias=0\nbatchnorm\nsilu\navgpool 4\nflatten\ndense 16\nsilu\n"
         "dense 10\n")
IMAGES, BATCH, EPOCHS = 130, 32, 3
BASE_STEPS = math.ceil(IMAGES / BATCH)
TOTAL = BASE_STEPS * EPOCHS
LIMIT = 1e-4  # of what a tensor moved


def forward(w, x):
    x = F.conv2d(x, w["conv1.weight"], stride=2, padding=1)
    x = F.silu(F.batch_norm(x, None, None, w["bn1.weight"], w["bn1.bias"], training=True, eps=1e-5))
    x = F.avg_pool2d(x, 4).flatten(1)
    x = F.silu(F.linear(x, w["fc1.weight"], w["fc1.bias"]))
    return F.linear(x, w["fc2.weight"], w["fc2.bias"])


def linear(base, end, step):
    return base + (end - base) * step / TOTAL


def cosine(base, step):
    return base * (1 + math.cos(math.pi * step / TOTAL)) / 2


def kind(name):
    if name.startswith("bn"):
        return "norm"
    return "bias" if name.endswith("bias") else "weight"


def numbers(name, step, lr, decay, mark):
    """lr, weight decay and mark (momentum or beta1) of one parameter, as the command line below asks."""
    run_lr, run_decay, run_mark = cosine(lr, step), linear(decay, 0, step), linear(mark, 0.5, step)
    if name.startswith("fc2"):
        return cosine(0.02, step), 0.03, mark
    if name == "conv1.weight":
        return linear(0.5 * lr, 0, step), 0.5 * run_decay, run_mark
    if kind(name) in ("bias", "norm"):
        return 2 * run_lr, 0, run_mark
    return run_lr, run_decay, run_mark


def torch_run(start, images, labels, method):
    weights = {k: v.double().requires_grad_() for k, v in start.items() if "running" not in k}
    groups = [{"params": [w], "name": k} for k, w in weights.items()]
    if method["name"] == "sgd":
        optimizer = torch.optim.SGD(groups, lr=1, momentum=0.9, nesterov=True)
    else:
        optimizer = torch.optim.AdamW(groups, lr=1)
    updates = 0
    for epoch in range(EPOCHS):
        used = 0
        while used < IMAGES:
            step = epoch * BASE_STEPS + used // BATCH
            size = BATCH * 2 ** (step // BASE_STEPS)
            x, y = images[used:used + size], labels[used:used + size]
            for group in optimizer.param_groups:
                lr, decay, mark = numbers(group["name"], step, method["lr"], method["decay"], method["mark"])
                group["lr"], group["weight_decay"] = lr, decay
                if method["name"] == "sgd":
                    group["momentum"] = mark
                else:
                    group["betas"] = (mark, 0.999)
            optimizer.zero_grad()
            F.cross_entropy(forward(weights, x), y, label_smoothing=linear(0.2, 0, step)).backward()
            optimizer.step()
            used += size
            updates += 1
    return {k: v.detach() for k, v in weights.items()}, updates


def lehr_run(lehr, work, name, method, extra):
    weights = work / f"{name}.safetensors"
    command = [lehr, "train", "--data", f"cifar10:{work / 'data'}", "--model", str(work / "small.model"),
               "--optimizer", method["optimizer"], "--lr", repr(method["lr"]), "--epochs", str(EPOCHS),
               "--batch", str(BATCH), "--label-smoothing", "0.2", "--weight-decay", repr(method["decay"]),
               "--no-shuffle", "--augment", "none", "--val-fraction", "0", "--save-weights", str(weights),
               "--out", str(work / name), "--progress", "none", "--checkpoint-every", "none", *extra]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\nended with {done.returncode}\n{done.stdout}{done.stderr}")
    return load_file(weights), json.loads((work / name / "run.json").read_text())


def compare(lehr, work, method):
    name, mark = method["name"], method["param"]
    start, _ = lehr_run(lehr, work, f"{name}-start", method, ["--group", "*: lr=0", "--max-steps", "1"])
    end, run = lehr_run(lehr, work, name, method, [
        "--schedule", "cosine()", "--schedule", f"{mark}: linear(end=0.5)",
        "--schedule", "weight_decay: linear(end=0)", "--schedule", "label_smoothing: linear(end=0)",
        "--schedule", "batch: step(gamma=2, every=1ep)",
        "--group", "bias,norm: lr*2", "--group", f"fc2*: lr=0.02, weight_decay=0.03, "
        f"schedule={mark}: constant()", "--group", "conv1.weight: lr*0.5, schedule=linear(end=0), "
        "weight_decay*0.5"])
    mean, std = normalisation(run)
    parts = [read_images(work / "data", f"data_batch_{i}.bin") for i in range(1, 6)]
    images = torch.cat([torch.from_numpy(x.copy()) for x, _ in parts]).double() / 255
    labels = torch.cat([torch.from_numpy(y.copy()) for _, y in parts])
    images = (images - torch.tensor(mean).double()[:, None, None]) / torch.tensor(std).double()[:, None, None]
    wanted, updates = torch_run(start, images, labels, method)
    good = run["result"]["steps"] == updates
    print(f"{name}: {updates} updates" + ("" if good else f", lehr made {run['result']['steps']}"))
    for key, value in wanted.items():
        moved = (value - start[key].double()).norm()
        error = float((end[key].double() - value).norm() / moved)
        good = good and error <= LIMIT
        print(f"  {key:14} {error:.1e}{'' if error <= LIMIT else '  above ' + repr(LIMIT)}")
    return good


def main():
    methods = [{"name": "sgd", "optimizer": "sgd(momentum=0.9, nesterov=1)", "param": "momentum", "mark": 0.9,
                "lr": 0.05, "decay": 0.01},
               {"name": "adamw", "optimizer": "adamw", "param": "beta1", "mark": 0.9, "lr": 0.01,
                "decay": 0.05}]
    with tempfile.TemporaryDirectory() as place:
        work = pathlib.Path(place)
        (work / "data").mkdir()
        write_images(work / "data", IMAGES // 5, 3)
        (work / "small.model").write_text(MODEL)
        good = [compare(sys.argv[1], work, method) for method in methods]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
