#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Training steps of every built-in model beside PyTorch in double precision, from the same weights on the
same images: step.py LEHR [MODEL...]

One SGD step: loss, every gradient (recovered from the update), the updated weights, each within 1e-4 of its
norm, and the running statistics.  Twenty steps with momentum: loss curves within 1e-3.  Then the evaluation
of those weights.

Networks with batch normalisation and ReLU have so many values near zero that a few always fall on the other
side of it in another precision; PyTorch's float and double gradients then differ by up to 1e-2 as well.
Those models are compared as they are with that limit, and once more with ReLU replaced by SiLU and max by
average pooling, where 1e-4 is sharp.

Needs a Python with torch and safetensors, named by LEHR_ORACLE_PYTHON; without it the test is skipped."""
import json
import os
import pathlib
import re
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

import numpy as np
import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from described import Described

MODELS = ("tutorial", "keras-cnn", "vgg6", "resnet20", "mlp")
BATCH, STEPS = 32, 20
GRADIENT_LR = 1024.0  # a power of two: the update then loses nothing but the weight's own rounding


def write_images(directory, count, seed):
    """Smooth random images with a class-dependent tint, in CIFAR-10's binary layout."""
    rng = np.random.default_rng(seed)
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    for name in names:
        labels = rng.integers(0, 10, count)
        coarse = rng.uniform(0, 255, (count, 3, 8, 8)) * 0.7 + (labels * 7.0)[:, None, None, None]
        images = coarse.repeat(4, 2).repeat(4, 3) + rng.normal(0, 12, (count, 3, 32, 32))
        images = images.clip(0, 255).astype(np.uint8)
        rows = np.concatenate([labels[:, None].astype(np.uint8), images.reshape(count, -1)], 1)
        (directory / name).write_bytes(rows.tobytes())
    (directory / "batches.meta.txt").write_text(
        "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n")


def read_images(directory, name):
    rows = np.frombuffer((directory / name).read_bytes(), np.uint8).reshape(-1, 3073)
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0].astype(np.int64)


class Run:
    """One `lehr train` without shuffling, augmentation or validation part."""

    def __init__(self, lehr, work, data, model):
        self.lehr, self.work, self.data, self.model = lehr, work, data, model

    def __call__(self, name, init, steps, optimizer, lr, batch=BATCH):
        out = self.work / name
        weights = self.work / f"{name}.safetensors"
        command = [self.lehr, "train", "--data", f"cifar10:{self.data}", "--model", str(self.model),
                   "--optimizer", optimizer, "--schedule", "constant()", "--lr", repr(lr), "--epochs", "1",
                   "--max-steps", str(steps), "--batch", str(batch), "--seed", "5", "--no-shuffle",
                   "--augment", "none", "--val-fraction", "0", "--init", str(init), "--save-weights",
                   str(weights), "--out", str(out), "--progress", "none"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)}\nended with {done.returncode}\n{done.stdout}{done.stderr}")
        rows = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
        losses = [row["loss"] for row in rows if row["kind"] == "step"]
        return load_file(weights), losses, json.loads((out / "run.json").read_text())


def normalisation(run):
    """mean and std per channel from run.json, wherever it keeps them."""
    def find(node, key):
        if isinstance(node, dict):
            if key in node and isinstance(node[key], list):
                return node[key]
            for value in node.values():
                got = find(value, key)
                if got:
                    return got
        return None
    mean, std = find(run, "mean"), find(run, "std")
    if not mean or not std:
        sys.exit(f"run.json states no normalisation: {json.dumps(run)[:500]}")
    return mean[:3], std[:3]


def prepare(images, mean, std, dtype):
    shape = (1, 3, 1, 1)
    x = torch.tensor(images).to(dtype) / 255
    return (x - torch.tensor(mean, dtype=dtype).view(shape)) / torch.tensor(std, dtype=dtype).view(shape)


def distance(got, want):
    """Norm of the difference relative to the norm of what is wanted."""
    want = want.double()
    norm = want.norm().item()
    return (got.double() - want).norm().item() / (norm if norm > 0 else 1.0)


class Checks:
    def __init__(self):
        self.failed = 0

    def __call__(self, what, error, limit):
        good = error <= limit
        self.failed += not good
        print(f"  {'ok    ' if good else 'FAILED'} {what}: {error:.2e} (limit {limit:.0e})")


def fresh(text, weights, dtype):
    model = Described(text).to(dtype)
    model.load_state_dict({k: v.to(dtype) for k, v in weights.items()}, strict=False)
    return model.train()


def one_step(check, run, text, start, init, images, labels, limit):
    after, losses, info = run("one", init, 1, "sgd", GRADIENT_LR)
    mean, std = normalisation(info)
    model = fresh(text, start, torch.float64)
    loss = torch.nn.functional.cross_entropy(
        model(prepare(images[:BATCH], mean, std, torch.float64)), torch.tensor(labels[:BATCH]))
    loss.backward()
    check("loss of one step", abs(losses[0] - loss.item()) / abs(loss.item()), 1e-5)
    worst, where, updated, at = 0.0, "", 0.0, ""
    for name, p in model.named_parameters():
        gradient = (start[name].double() - after[name].double()) / GRADIENT_LR
        error = distance(gradient, p.grad)
        if not error <= worst:
            worst, where = error, name
        error = distance(after[name], start[name].double() - GRADIENT_LR * p.grad)
        if not error <= updated:
            updated, at = error, name
    check(f"gradients, worst {where}", worst, limit)
    check(f"updated weights, worst {at}", updated, limit)
    statistics = [(k, v) for k, v in model.state_dict().items() if "running_" in k]
    if statistics:
        worst, where = max((distance(after[k], v), k) for k, v in statistics)
        check(f"running statistics, worst {where}", worst, 1e-5)
    missing = sorted(k for k in model.state_dict() if k not in after and "num_batches" not in k)
    check(f"tensors missing from the weights file {missing}", len(missing), 0)
    return mean, std


def many_steps(check, run, text, start, init, images, labels, mean, std):
    lr = 0.02
    after, losses, _ = run("many", init, STEPS, "sgd(momentum=0.9, nesterov=1)", lr)
    model = fresh(text, start, torch.float64)
    optimizer = torch.optim.SGD(model.parameters(), lr, momentum=0.9, nesterov=True)
    worst = 0.0
    for step in range(STEPS):
        part = slice(step * BATCH, (step + 1) * BATCH)
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(
            model(prepare(images[part], mean, std, torch.float64)), torch.tensor(labels[part]))
        loss.backward()
        optimizer.step()
        worst = max(worst, abs(losses[step] - loss.item()))
    check(f"losses of {STEPS} steps ({losses[0]:.4f} to {losses[-1]:.4f})", worst, 1e-3)
    return after


def evaluation(check, run, text, weights, mean, std):
    images, labels = read_images(run.data, "test_batch.bin")
    model = fresh(text, weights, torch.float64).eval()
    with torch.no_grad():
        logits = model(prepare(images, mean, std, torch.float64))
        want = torch.nn.functional.cross_entropy(logits, torch.tensor(labels)).item()
        accuracy = (logits.argmax(1) == torch.tensor(labels)).double().mean().item()
    done = subprocess.run([run.lehr, "eval", "--data", f"cifar10:{run.data}", "--weights",
                           str(run.work / "many.safetensors"), "--model", str(run.model), "--json"],
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"lehr eval ended with {done.returncode}\n{done.stdout}{done.stderr}")
    got = json.loads(done.stdout)
    check("loss in evaluation", abs(got["loss"] - want) / want, 1e-5)
    check("accuracy in evaluation", abs(got["accuracy"] - accuracy), 1.01 / len(labels))


def compare(check, lehr, place, data, text, images, labels, limit, many):
    torch.manual_seed(3)
    place.mkdir()
    description = place / f"{place.name}.txt"
    description.write_text(text)
    start = {k: v.detach().clone() for k, v in Described(text).state_dict().items()
             if "num_batches" not in k}
    init = place / "init.safetensors"
    save_file(start, init)
    run = Run(lehr, place, data, description)
    print(f"{place.name}: {sum(v.numel() for v in start.values())} numbers", flush=True)
    mean, std = one_step(check, run, text, start, init, images, labels, limit)
    if many:
        after = many_steps(check, run, text, start, init, images, labels, mean, std)
        evaluation(check, run, text, after, mean, std)


def main():
    lehr = str(pathlib.Path(sys.argv[1]).resolve())
    check = Checks()
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        data = work / "data"
        data.mkdir()
        write_images(data, BATCH * STEPS // 5 + 1, 11)
        parts = [read_images(data, f"data_batch_{i}.bin") for i in range(1, 6)]
        images, labels = (np.concatenate(p) for p in zip(*parts))
        for name in sys.argv[2:] or MODELS:
            text = subprocess.run([lehr, "models", "--dump", name], capture_output=True, text=True,
                                  check=True).stdout
            # Random masks cannot be compared; without them the layer must be the identity.
            text = re.sub(r"\bdropout \S+", "dropout 0", text)
            kinked = "batchnorm" in text
            compare(check, lehr, work / name, data, text, images, labels, 3e-2 if kinked else 1e-4,
                    many=not kinked)
            if kinked:
                smooth = re.sub(r"\brelu$", "silu", text, flags=re.M).replace("maxpool", "avgpool")
                compare(check, lehr, work / f"{name}-smooth", data, smooth, images, labels, 1e-4, many=True)
    print(f"{check.failed} failed")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
