#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An Adam update beside PyTorch's for-loop, foreach and fused ones: optimizer.py BUILD PYTHON [--weights N]
[--tensors N] [--rounds 15] [--csv FILE].  The fastest of PyTorch's three in each round counts.  GB/s count seven
numbers a weight; lehr-bench-optimizer puts the same update beside a kernel written by hand."""
import statistics

import peer

MODES = ("loop", "foreach", "fused")


def main():
    parser = peer.arguments(__doc__, rounds=15)
    parser.add_argument("--weights", type=int, default=10000000)
    parser.add_argument("--tensors", type=int, default=50)
    a = parser.parse_args()
    if a.tiny:
        a.weights, a.tensors = 1000, 2
    lehr, torch = peer.Lehr(a.build, a.device), peer.Torch(a.python, a.torch_device)
    print(f"{lehr.about}\n{torch.about}\n{'update':58s} {'lehr ms':>9s} {'torch ms':>9s}  ratio")
    ours = lehr.make(f"optimizer adam {a.weights} {a.tensors}")
    contenders = {"lehr": ours["run"], "copy": lambda: 28e-6 * a.weights / lehr.ask("roofline")["gbs"]}
    for mode in MODES:
        contenders[mode] = torch.make("optimizer", mode=mode, weights=a.weights, tensors=a.tensors)["run"]
    times = peer.alternate(contenders, a.rounds, a.seconds, lehr)
    row = {"weights": a.weights, "tensors": a.tensors, **peer.against(times, "lehr", MODES), "goal": 2.5,
           "gbs": 28e-6 * a.weights / statistics.median(times["lehr"]),
           "of_copy": statistics.median(c / t for c, t in zip(times["copy"], times["lehr"]))}
    for mode in MODES:
        row[f"{mode}_ms"] = statistics.median(times[mode])
    peer.say(f"Adam, {a.weights} weights in {a.tensors} tensors", row, None if a.tiny else 2.5)
    print("  ms: " + ", ".join(f"{mode} {row[mode + '_ms']:.2f}" for mode in MODES)
          + f"; lehr {row['gbs']:.1f} GB/s, {row['of_copy']:.2f} of copying (goal 0.9)")
    peer.write(a.csv, [row], lehr.about, torch.about)
    lehr.close()
    torch.close()


if __name__ == "__main__":
    main()
