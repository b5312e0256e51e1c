#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One update of PyTorch's Adam: torch_optimizer.py --mode loop|foreach|fused [--weights N] [--tensors N]
[--steps N].  Prints a JSON object."""
import argparse
import json
import statistics
import time

import torch


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=("loop", "foreach", "fused"), required=True)
    parser.add_argument("--weights", type=int, default=10000000)
    parser.add_argument("--tensors", type=int, default=50)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--threads", type=int)
    a = parser.parse_args()
    if a.threads:
        torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    parameters = [torch.nn.Parameter(0.1 * torch.randn(a.weights // a.tensors)) for _ in range(a.tensors)]
    for p in parameters:
        p.grad = torch.randn_like(p)
    how = {"loop": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}[a.mode]
    optimizer = torch.optim.Adam(parameters, 1e-4, **how)
    for _ in range(5):
        optimizer.step()
    times = []
    for _ in range(a.steps):
        start = time.perf_counter()
        optimizer.step()
        times.append(1e3 * (time.perf_counter() - start))
    print(json.dumps({"mode": a.mode, "ms": statistics.median(times), "best_ms": min(times),
                      "threads": torch.get_num_threads(), "version": torch.__version__}))


main()
