#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Times PyTorch's training step on a model described by lehr: torch_step.py DESCRIPTION [--batch 128]
[--steps 10] [--layout channels_last|nchw] [--threads 2].  Prints one JSON object.  The step is forward,
cross-entropy, backward, SGD with momentum, on random data; the median after warm-up.

Run it with MALLOC_TRIM_THRESHOLD_ and MALLOC_MMAP_THRESHOLD_ at 4294967296 (step.py does): with the stock
thresholds glibc returns and faults in the activations at every step, which costs PyTorch up to a tenth."""
import argparse
import json
import pathlib
import statistics
import sys
import time

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "oracle"))
from described import Described


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("description", type=pathlib.Path)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--layout", choices=("channels_last", "nchw"), default="channels_last")
    parser.add_argument("--threads", type=int, default=2)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    layout = torch.channels_last if a.layout == "channels_last" else torch.contiguous_format
    model = Described(a.description.read_text()).train().to(memory_format=layout)
    c, h, w = model.shapes["input"]
    x = torch.randn(a.batch, c, h, w).contiguous(memory_format=layout)
    labels = torch.randint(0, model.shapes[model.output][0], (a.batch,))
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, foreach=True)
    criterion = torch.nn.CrossEntropyLoss()

    def step():
        optimizer.zero_grad(set_to_none=True)
        criterion(model(x), labels).backward()
        optimizer.step()

    for _ in range(2):
        step()
    times = []
    for _ in range(a.steps):
        start = time.perf_counter()
        step()
        times.append(1e3 * (time.perf_counter() - start))
    ms = statistics.median(times)
    print(json.dumps({"torch": torch.__version__, "model": a.description.stem, "batch": a.batch,
                      "layout": a.layout, "threads": a.threads, "step_ms": ms,
                      "images_per_second": 1e3 * a.batch / ms, "fastest_ms": min(times)}))


main()
