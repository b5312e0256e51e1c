#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Matrix products beside OpenBLAS (NumPy's) and PyTorch's (oneDNN or MKL): gemm.py BUILD PYTHON [--rounds 7]
[--csv FILE].  Square ones, and those that dense layers and 1x1 convolutions make.  CLBlast is a variant of lehr's
own op, with lehr's parameters for it: a second lehr that is forced to take it; only up to 2 GFLOP."""
import statistics

import peer

# m n k trans_a trans_b, goal against OpenBLAS
PROBLEMS = [((512, 512, 512, 0, 0), 1.0), ((1024, 1024, 1024, 0, 0), 1.0), ((2048, 2048, 2048, 0, 0), 1.0),
            ((128, 1024, 512, 0, 1), 1.3), ((128, 512, 2304, 0, 1), 1.3), ((512, 2304, 128, 1, 0), 1.3),
            ((131072, 64, 576, 0, 0), 1.3), ((128, 10, 256, 0, 1), 1.3), ((512, 4096, 128, 1, 0), 1.3),
            ((128, 4096, 512, 0, 0), 1.3), ((32768, 256, 64, 0, 1), 1.3), ((32768, 64, 256, 0, 1), 1.3)]


def compare(lehr, clblast, torch, a, problem, goal):
    m, n, k, trans_a, trans_b = problem
    shape = {"m": m, "n": n, "k": k, "trans_a": trans_a, "trans_b": trans_b}
    text = "op gemm " + " ".join(f"{key}={value}" for key, value in shape.items())
    ours = lehr.make(text)
    theirs = {"openblas": torch.make("mm", library="numpy", **shape), "torch": torch.make("mm", library="torch", **shape)}
    if 2 * m * n * k <= 2.2e9 and clblast:
        theirs["clblast"] = clblast.make(text)
    times = peer.alternate({"lehr": ours["run"], **{t: made["run"] for t, made in theirs.items()}}, a.rounds, a.seconds, lehr)
    rows = []
    peak = statistics.median(lehr.gflops() for _ in range(3))
    rate = 2e-6 * m * n * k / statistics.median(times["lehr"])
    for other in theirs:
        row = peer.against(times, "lehr", [other])
        peer.say(f"{m} x {n} x {k}{' A^T' if trans_a else ''}{' B^T' if trans_b else ''} ({ours['variant']})", row,
                 goal if other == "openblas" else None)
        rows.append({**shape, "variant": ours["variant"], **row, "goal": goal if other == "openblas" else "",
                     "gflops": rate, "of_peak": rate / peak})
    for made in (ours, *theirs.values()):
        made["close"]()
    return rows


def main():
    parser = peer.arguments(__doc__)
    parser.add_argument("--no-clblast", action="store_true", help="where lehr was built without it")
    a = parser.parse_args()
    lehr, torch = peer.Lehr(a.build, a.device), peer.Torch(a.python, a.torch_device)
    clblast = None if a.no_clblast else peer.Lehr(a.build, a.device, LEHR_VARIANT="gemm=clblast")
    print(f"{lehr.about}\n{torch.about}\n{'product (variant of lehr)':58s} {'lehr ms':>9s} {'peer ms':>9s}  ratio")
    rows = []
    for problem, goal in [((33, 17, 40, 1, 1), None)] if a.tiny else PROBLEMS:
        rows += compare(lehr, clblast, torch, a, problem, goal)
    peer.write(a.csv, rows, lehr.about, torch.about)
    for process in filter(None, (lehr, torch, clblast)):
        process.close()


if __name__ == "__main__":
    main()
