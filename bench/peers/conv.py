#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Convolutions beside PyTorch's, layer by layer: forward, backward-data and backward-filter of every shape in
vgg6 and resnet20 at batch 128, and 1x1, 5x5 and strided ones: conv.py BUILD PYTHON [--rounds 7] [--csv FILE]

PyTorch runs both memory formats (its convolutions are oneDNN's), the faster one of each round counts.  lehr runs
the variant that it chooses on this device."""
import statistics

import peer

# n c h w k r s stride pad, the networks with this layer, goal over forward, data, filter
LAYERS = [((3, 32, 64, 3, 1, 1), "vgg6 first", (1.1, 1.1, 1.1)),
          ((64, 32, 64, 3, 1, 1), "vgg6", (2.5, 2.5, 2.0)),
          ((64, 16, 128, 3, 1, 1), "vgg6", (2.5, 2.5, 2.0)),
          ((128, 16, 128, 3, 1, 1), "vgg6", (2.5, 2.5, 2.0)),
          ((128, 8, 256, 3, 1, 1), "vgg6", (2.5, 2.5, 2.0)),
          ((256, 8, 256, 3, 1, 1), "vgg6", (2.5, 2.5, 2.0)),
          ((3, 32, 16, 3, 1, 1), "resnet20 first", (1.1, 1.1, 1.1)),
          ((16, 32, 16, 3, 1, 1), "resnet20", None),
          ((16, 32, 32, 3, 2, 1), "resnet20 stride 2", (1.1, 1.1, 1.1)),
          ((32, 16, 32, 3, 1, 1), "resnet20", None),
          ((32, 16, 64, 3, 2, 1), "resnet20 stride 2", (1.1, 1.1, 1.1)),
          ((64, 8, 64, 3, 1, 1), "resnet20", None),
          ((64, 32, 128, 3, 2, 1), "stride 2", (1.1, 1.1, 1.1)),
          ((64, 16, 256, 1, 1, 0), "1x1", (1.1, 1.1, 1.1)),
          ((256, 16, 64, 1, 1, 0), "1x1", (1.1, 1.1, 1.1)),
          ((64, 16, 64, 5, 1, 2), "5x5", None)]
PASSES = (("forward", "conv.forward"), ("data", "conv.backward_data"), ("filter", "conv.backward_filter"))


def compare(lehr, torch, a, batch, layer, name, goals):
    c, h, k, r, stride, pad = layer
    shape = {"n": batch, "c": c, "h": h, "w": h, "k": k, "r": r, "s": r, "stride": stride, "pad": pad}
    text = " ".join(f"{key}={value}" for key, value in shape.items())
    out = (h + 2 * pad - r) // stride + 1
    rows = []
    for number, (what, op) in enumerate(PASSES):
        if what == "data" and c == 3:
            continue  # nobody asks for the gradient of the images
        ours = lehr.make(f"op {op} {text}")
        theirs = {f: torch.make("conv", layout=f, **{"pass": what}, **shape) for f in ("nchw", "channels_last")}
        times = peer.alternate({"lehr": ours["run"], **{f: t["run"] for f, t in theirs.items()}}, a.rounds, a.seconds, lehr)
        row = peer.against(times, "lehr", list(theirs))
        goal = goals[number] if goals else None
        peer.say(f"{name}: {what} c={c} h={h} k={k} {r}x{r} s={stride} ({ours['variant']})", row, goal)
        peak = statistics.median(lehr.gflops() for _ in range(3))
        rate = 2e-6 * batch * k * out * out * c * r * r / row["lehr_ms"]
        rows.append({"layer": name, "pass": what, **shape, "variant": ours["variant"], **row, "goal": goal or "",
                     "gflops": rate, "of_peak": rate / peak})
        for made in (ours, *theirs.values()):
            made["close"]()
    return rows


def main():
    parser = peer.arguments(__doc__)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--only", default="", help="layers whose name holds this")
    a = parser.parse_args()
    lehr, torch = peer.Lehr(a.build, a.device), peer.Torch(a.python, a.torch_device)
    print(f"{lehr.about}\n{torch.about}\n{'layer (variant of lehr)':58s} {'lehr ms':>9s} {'torch ms':>9s}  ratio")
    layers = [row for row in LAYERS if a.only in row[1]]
    rows = []
    for layer, name, goals in layers[:2] if a.tiny else layers:
        rows += compare(lehr, torch, a, 2 if a.tiny else a.batch, layer, name, None if a.tiny else goals)
    peer.write(a.csv, rows, lehr.about, torch.about)
    lehr.close()
    torch.close()


if __name__ == "__main__":
    main()
