#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Training steps of every built-in model beside PyTorch in double precision, from the same weights on the
same images: step.py LEHR [MODEL...]

One SGD step: loss, every gradient (recovered from the update), the updated weights, each within 1e-4 of its
norm, and the running statistics.  Twenty steps with momentum: loss curves within 1e-3.  Then the evaluation
of those weights.

Models with batch normalisation have so many values near a kink (kinks.py) that in single precision some take
the other side, in lehr as in PyTorch.  They are compared
* exactly as they are, from biases and on a batch with which no value is near a kink: limit 1e-4;
* from the usual start: not farther from PyTorch in double than that is from itself when every value that
  rounding can take to the other side of its kink is there; over twenty steps, not farther than a small
  multiple of PyTorch in float, and within 1e-3 at a rate at which that holds 1e-3 itself;
* with SiLU for ReLU and average for max pooling, where nothing is near a kink: the sharpest limits.

Needs a Python with torch and safetensors, named by LEHR_ORACLE_PYTHON; without it the test is skipped."""
import json
import os
import pathlib
import re
import shutil
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
import kinks
from described import Described

MODELS = ("tutorial", "keras-cnn", "vgg6", "resnet20", "mlp")
BATCH, STEPS, LR = 32, 20, 0.02
CALM_LR = {"vgg6": 0.002, "resnet20": 0.0002}  # PyTorch in float holds 20 steps to 5e-4 there
MOMENTUM = "sgd(momentum=0.9, nesterov=1)"
SMALL_BATCH = 4  # for the comparison far from all kinks
MARGIN = 2e-5    # the smallest distance from a kink that counts as far, in sd of the layer's input
ROUNDING = MARGIN / 2  # what PyTorch in float may round there, or the margin would be worth nothing
TURNING = 8      # a value so many roundings (root mean square of its layer) from its kink may turn
FLOATS = 4       # runs of PyTorch in float that are printed beside
FAR_LIMIT = 5e-5  # for what is far from all kinks; 9e-6 is usual
YARDSTICK = 10   # twenty steps: lehr may be so many times as far from double as PyTorch in float
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
        write_file(directory / name, images, labels)
    (directory / "batches.meta.txt").write_text(
        "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n")


def write_file(path, images, labels):
    rows = np.concatenate([labels[:, None].astype(np.uint8), images.reshape(len(images), -1)], 1)
    path.write_bytes(rows.tobytes())


def rotated(data, place, images, labels, first):
    """A copy of the data set that begins with image `first`."""
    shutil.copytree(data, place)
    parts = zip(np.array_split(np.roll(images, -first, 0), 5), np.array_split(np.roll(labels, -first), 5))
    for i, (x, y) in enumerate(parts):
        write_file(place / f"data_batch_{i + 1}.bin", x, y)
    return place


def read_images(directory, name):
    rows = np.frombuffer((directory / name).read_bytes(), np.uint8).reshape(-1, 3073)
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0].astype(np.int64)


class Run:
    """One `lehr train` without shuffling, augmentation or validation part."""

    def __init__(self, lehr, work, data, model):
        self.lehr, self.work, self.data, self.model, self.runs = lehr, work, data, model, 0

    def __call__(self, name, init, steps, optimizer, lr, batch=BATCH):
        self.runs += 1
        out = self.work / f"{name}-{self.runs}"
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
        print(f"  {'ok    ' if good else 'FAILED'} {what}: {error:.2e} (limit {limit:.0e})", flush=True)


def fresh(text, weights, dtype):
    model = Described(text).to(dtype)
    model.load_state_dict({k: v.to(dtype) for k, v in weights.items()}, strict=False)
    return model.train()


class Case:
    """A model's description and start, lehr's runs of it, and PyTorch beside them."""

    def __init__(self, lehr, place, data, text, images, labels):
        torch.manual_seed(3)
        place.mkdir()
        self.name, self.place, self.text, self.images, self.labels = place.name, place, text, images, labels
        description = place / f"{place.name}.txt"
        description.write_text(text)
        self.run = Run(lehr, place, data, description)
        self.begin({k: v.detach().clone() for k, v in Described(text).state_dict().items()
                    if "num_batches" not in k})
        self.mean, self.std = normalisation(self.run("ready", self.init, 1, "sgd", 1.0)[2])

    def begin(self, start):
        self.start, self.init = start, self.place / "init.safetensors"
        save_file(start, self.init)

    def batch(self, part, dtype):
        return prepare(self.images[part], self.mean, self.std, dtype), torch.tensor(self.labels[part])

    def model(self, dtype):
        return fresh(self.text, self.start, dtype)

    def step(self, part, dtype):
        """PyTorch's model after forward and backward, and its loss."""
        model = self.model(dtype)
        x, y = self.batch(part, dtype)
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        return model, loss.item()

    def curve(self, dtype, lr, seed=0):
        """The losses of STEPS steps in PyTorch; a seed other than 0 shuffles the images of each batch,
        which changes nothing but the order of sums."""
        model = self.model(dtype)
        optimizer = torch.optim.SGD(model.parameters(), lr, momentum=0.9, nesterov=True)
        losses = []
        for step in range(STEPS):
            x, y = self.batch(shuffled(step * BATCH, BATCH, seed), dtype)
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return np.array(losses)


def shuffled(first, count, seed):
    order = np.arange(first, first + count)
    if seed:
        np.random.default_rng(seed).shuffle(order)
    return order


def farthest(errors):
    """(largest error, its name); NaN counts as the largest."""
    return max(((e if e == e else float("inf"), name) for name, e in errors.items()), default=(0.0, ""))


def gradient_errors(gradients, truth):
    return {name: distance(gradients[name], p.grad) for name, p in truth.named_parameters()}


def one_step(check, case, part, limit):
    """lehr's step on the data set's first images beside PyTorch in double, which finds them at `part`."""
    after, losses, _ = case.run("one", case.init, 1, "sgd", GRADIENT_LR, len(part))
    truth, loss = case.step(part, torch.float64)
    start = case.start
    check("loss of one step", abs(losses[0] - loss) / abs(loss), 1e-5)
    error, name = farthest(gradient_errors(
        {k: (start[k].double() - after[k].double()) / GRADIENT_LR for k in start}, truth))
    check(f"gradients, worst {name}", error, limit)
    error, name = farthest({k: distance(after[k], start[k].double() - GRADIENT_LR * p.grad)
                            for k, p in truth.named_parameters()})
    check(f"updated weights, worst {name}", error, limit)
    statistics = {k: distance(after[k], v) for k, v in truth.state_dict().items() if "running_" in k}
    if statistics:
        error, name = farthest(statistics)
        check(f"running statistics, worst {name}", error, 1e-5)
    missing = sorted(k for k in truth.state_dict() if k not in after and "num_batches" not in k)
    check(f"tensors missing from the weights file {missing}", len(missing), 0)


def many_steps(check, case, lr, limit, truth=None):
    after, losses, _ = case.run("many", case.init, STEPS, MOMENTUM, lr)
    truth = case.curve(torch.float64, lr) if truth is None else truth
    error = np.abs(np.array(losses) - truth).max()
    check(f"losses of {STEPS} steps at {lr} ({losses[0]:.4f} to {losses[-1]:.4f})", error, limit)
    return after, losses


def evaluation(check, case, weights):
    run = case.run
    images, labels = read_images(run.data, "test_batch.bin")
    model = fresh(case.text, weights, torch.float64).eval()
    with torch.no_grad():
        logits = model(prepare(images, case.mean, case.std, torch.float64))
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


def far_from_kinks(check, case):
    """The model as it is: biases that keep ReLU's inputs off zero, and the first images in the set with
    which no window's winner is close.  There single precision takes the same sides, and 1e-4 is sharp."""
    for first in range(0, len(case.images) - SMALL_BATCH, SMALL_BATCH):
        part = np.arange(first, first + SMALL_BATCH)
        model = case.model(torch.float64)
        x, _ = case.batch(part, torch.float64)
        kinks.keep_off_zero(model, x)
        values = kinks.values_of(model, x)
        nearest = min(kinks.distances(model, values))
        if nearest >= MARGIN:
            break
    usual, data = case.start, case.run.data
    case.begin({k: model.state_dict()[k].float() if k.endswith("bias") else v for k, v in usual.items()})
    single = kinks.values_of(case.model(torch.float32), case.batch(part, torch.float32)[0])
    count, total, rounding = kinks.flips(model, values, single)
    print(f"  images from {first}: nearest to a kink {nearest:.1e} sd, float rounds {rounding:.1e} sd")
    check("margin over distance to the nearest kink", MARGIN / nearest, 1)
    check("rounding of PyTorch in float, in sd", rounding, ROUNDING)
    check(f"elements of {total} on the other side in float", count, 0)
    case.run.data = rotated(data, case.place / "data", case.images, case.labels, first)
    one_step(check, case, part, FAR_LIMIT)
    case.run.data = data
    case.begin(usual)


def beside_float(check, case):
    """The usual start, kinks and all.  The yardstick is how far PyTorch in double moves when all values turn
    that are within TURNING times the layer's rounding (of PyTorch in float) of their kink."""
    part = np.arange(BATCH)
    truth, _ = case.step(part, torch.float64)
    double, single = case.model(torch.float64), case.model(torch.float32)
    values = kinks.values_of(double, case.batch(part, torch.float64)[0])
    others = kinks.values_of(single, case.batch(part, torch.float32)[0])
    crossed, total, _ = kinks.flips(double, values, others)
    margins = {k: TURNING * v for k, v in kinks.rounding(double, values, others).items()}
    turned, count = case.model(torch.float64), None
    x, y = case.batch(part, torch.float64)
    count = kinks.turn(turned, margins)
    torch.nn.functional.cross_entropy(turned(x), y).backward()

    def worst(model):
        return farthest(gradient_errors({k: p.grad for k, p in model.named_parameters()}, truth))
    floats = [worst(case.step(shuffled(0, BATCH, seed), torch.float32)[0])[0] for seed in range(FLOATS)]
    error, name = worst(turned)
    print(f"  of {total} elements PyTorch in float has {crossed} on the other side of a kink; its gradients are "
          f"off by {', '.join(f'{e:.1e}' for e in floats)}\n"
          f"  {count[0]} elements within {TURNING} roundings turned: {name} is off by {error:.1e}")
    one_step(check, case, part, max(1e-4, error))


def chaos(check, case, calm):
    """Twenty steps at the usual rate, where the kinks' differences grow from step to step: PyTorch in float
    is the yardstick, and the last loss is computed once more in double from lehr's weights before it.  Then
    at a rate at which PyTorch in float stays within half of 1e-3 itself."""
    for lr in (LR, calm):
        truth = case.curve(torch.float64, lr)
        error = np.abs(case.curve(torch.float32, lr) - truth).max()
        print(f"  {STEPS} steps at {lr}: PyTorch in float is off by {error:.1e}")
        if lr == calm:
            check("PyTorch in float at the small rate", error, 5e-4)
        after, losses = many_steps(check, case, lr, 1e-3 if lr == calm else YARDSTICK * error, truth)
        if lr != calm:
            before, _, _ = case.run("before", case.init, STEPS - 1, MOMENTUM, lr)
            x, y = case.batch(np.arange((STEPS - 1) * BATCH, STEPS * BATCH), torch.float64)
            with torch.no_grad():
                want = torch.nn.functional.cross_entropy(fresh(case.text, before, torch.float64)(x), y).item()
            check("last loss, from lehr's weights", abs(losses[-1] - want) / want, 1e-5)
    evaluation(check, case, after)


def compare_plain(check, case, gradient_limit=1e-4, curve_limit=1e-3):
    print(f"{case.name}: {sum(v.numel() for v in case.start.values())} numbers", flush=True)
    one_step(check, case, np.arange(BATCH), gradient_limit)
    evaluation(check, case, many_steps(check, case, LR, curve_limit)[0])


def compare_kinked(check, case, calm):
    print(f"{case.name}: {sum(v.numel() for v in case.start.values())} numbers", flush=True)
    far_from_kinks(check, case)
    beside_float(check, case)
    chaos(check, case, calm)


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
            make = lambda suffix, text: Case(lehr, work / (name + suffix), data, text, images, labels)
            if "batchnorm" not in text:
                compare_plain(check, make("", text))
                continue
            compare_kinked(check, make("", text), CALM_LR[name])
            smooth = re.sub(r"\brelu$", "silu", text, flags=re.M).replace("maxpool", "avgpool")
            compare_plain(check, make("-smooth", smooth), 2e-5, 1e-5)
    print(f"{check.failed} failed")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
