#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""PyTorch's accuracy for comparison with `lehr train` on the same files: torch_accuracy.py CIFAR_DIR
DESCRIPTION --epochs N [--seed 1] [--limit-train N] [--stop-epochs N].  SGD momentum 0.9 nesterov, weight
decay 5e-4 on conv and dense weights only (lehr leaves out biases and normalisation), lr 0.1, one epoch of
warmup ((t + 1) / W) times a cosine to 0 over the whole budget, batch 128, pad-4 crop and flip.  Prints a
JSON object each epoch.  The same in lehr:
  lehr train --data cifar10:DIR --model vgg6 --optimizer 'sgd(momentum=0.9, nesterov=1)' --weight-decay 5e-4
    --schedule 'warmup(1ep) * cosine(end=0)' --lr 0.1 --batch 128 --augment standard --val-fraction 0 ..."""
import argparse
import json
import math
import pathlib
import sys
import time

import numpy as np
import torch
from torch.nn import functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "oracle"))
from described import Described


def load(directory, names):
    rows = np.concatenate([np.fromfile(directory / n, np.uint8).reshape(-1, 3073) for n in names])
    return torch.tensor(rows[:, 1:].reshape(-1, 3, 32, 32)), torch.tensor(rows[:, 0].astype(np.int64))


def augmented(images, generator):
    """A random 32 x 32 window of the zero-padded image, mirrored half of the time."""
    n = len(images)
    padded = F.pad(images, (4, 4, 4, 4))
    dy = torch.randint(0, 9, (n, 1), generator=generator)
    dx = torch.randint(0, 9, (n, 1), generator=generator)
    rows, columns = dy + torch.arange(32), dx + torch.arange(32)
    flip = torch.rand(n, generator=generator) < 0.5
    columns[flip] = columns[flip].flip(1)
    return padded[torch.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(
        0, 3, 1, 2)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("description", type=pathlib.Path)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--stop-epochs", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit-train", type=int)
    parser.add_argument("--threads", type=int, default=2)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    generator = torch.Generator().manual_seed(a.seed)
    x, y = load(a.directory, [f"data_batch_{i}.bin" for i in range(1, 6)])
    x, y = x[:a.limit_train], y[:a.limit_train]
    test_x, test_y = load(a.directory, ["test_batch.bin"])
    mean = (x.float() / 255).mean((0, 2, 3)).view(1, 3, 1, 1)
    std = (x.float() / 255).std((0, 2, 3), correction=0).view(1, 3, 1, 1)

    def ready(images):
        return ((images.float() / 255 - mean) / std).contiguous(memory_format=torch.channels_last)

    model = Described(a.description.read_text()).to(memory_format=torch.channels_last)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.SGD([{"params": decayed, "weight_decay": 5e-4}, {"params": others}], 0.1,
                                momentum=0.9, nesterov=True)
    per_epoch = -(-len(x) // 128)
    step, total, seconds = 0, per_epoch * a.epochs, 0.0
    for epoch in range(a.stop_epochs or a.epochs):
        start = time.perf_counter()
        order = torch.randperm(len(x), generator=generator)
        model.train()
        loss_sum = 0.0
        for part in order.split(128):
            lr = 0.1 * min(1.0, (step + 1) / per_epoch) * 0.5 * (1 + math.cos(math.pi * step / total))
            for group in optimizer.param_groups:
                group["lr"] = lr
            optimizer.zero_grad(set_to_none=True)
            # Padding is black, before normalisation, in both programs (and in torchvision).
            loss = F.cross_entropy(model(ready(augmented(x[part], generator))), y[part])
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(part)
            step += 1
        seconds += time.perf_counter() - start
        model.eval()
        with torch.no_grad():
            right = sum((model(ready(bx)).argmax(1) == by).sum().item()
                        for bx, by in zip(test_x.split(500), test_y.split(500)))
        print(json.dumps({"epoch": epoch + 1, "loss": loss_sum / len(x), "test_accuracy": right / len(test_y),
                          "seconds": seconds}), flush=True)


main()
