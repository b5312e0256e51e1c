#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""lehr's matrix products beside OpenBLAS' on the same machine: gemm.py LEHR_BENCH [--rounds 7] [--threads N]
[--op gemm|dense] [--case NUMBER] [--blas libopenblas.so.0] [--csv FILE]

The shapes are lehr-bench's own (tests/cases/gemm.c, dense.c).  The two take turns within each round on
random data, and the median of the rounds' ratios counts, since a shared machine drifts.  Bias and ReLU
of the dense layers are in lehr's time and not in OpenBLAS'."""
import argparse
import csv
import ctypes
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import time

ROW, NO_TRANSPOSE, TRANSPOSE = 101, 111, 112
SAMPLE = 0.02  # seconds; as lehr-bench's


class Blas:
    def __init__(self, path, threads):
        # Threads that wait for work sleep at once instead of taking lehr's processors.
        os.environ["OPENBLAS_THREAD_TIMEOUT"] = "4"
        self.lib = ctypes.CDLL(path)
        self.lib.openblas_get_config.restype = ctypes.c_char_p
        self.lib.openblas_set_num_threads(threads)
        self.name = self.lib.openblas_get_config().decode().strip()

    def product(self, m, n, k, trans_a, trans_b):
        """A closure that runs one product of random matrices."""
        def matrix(count):
            some = [random.uniform(-1, 1) for _ in range(min(count, 10007))]  # no period of a row
            return (ctypes.c_float * count)(*(some * (count // len(some) + 1))[:count])

        a, b, c = matrix(m * k), matrix(k * n), matrix(m * n)
        alpha, beta = ctypes.c_float(1), ctypes.c_float(0)
        return lambda: self.lib.cblas_sgemm(
            ROW, TRANSPOSE if trans_a else NO_TRANSPOSE, TRANSPOSE if trans_b else NO_TRANSPOSE, m, n, k, alpha,
            a, m if trans_a else k, b, k if trans_b else n, beta, c, n)


def seconds(run):
    def repeat(times):
        start = time.perf_counter()
        for _ in range(times):
            run()
        return (time.perf_counter() - start) / times

    repeat(1)
    times = int(SAMPLE / repeat(1)) + 1
    return statistics.median(repeat(times) for _ in range(3))


def bench(command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command} ended with {done.returncode}\n{done.stderr}")
    lines = [line for line in done.stdout.splitlines() if not line.startswith("#")]
    return next(iter(csv.DictReader(lines)), None)


def product_of(op, problem):
    """m, n, k, trans_a, trans_b of a row of lehr-bench."""
    v = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", problem)}
    return {"gemm": lambda: (v["m"], v["n"], v["k"], v["trans_a"], v["trans_b"]),
            "dense.forward": lambda: (v["n"], v["out"], v["in"], 0, 1),
            "dense.backward_data": lambda: (v["n"], v["in"], v["out"], 0, 0),
            "dense.backward_filter": lambda: (v["out"], v["in"], v["n"], 1, 0)}[op]()


def compare(a, blas, op, case):
    command = [a.bench, "--op", op, "--case", case, "--variant", a.variant, "--rounds", 3]
    row = bench(command)
    if row is None:
        return None
    theirs = blas.product(*product_of(op, row["problem"]))
    ours, others, ratios = [], [], []
    for _ in range(a.rounds):
        ours.append(float(bench(command)["ms"]))
        others.append(1e3 * seconds(theirs))
        ratios.append(others[-1] / ours[-1])
    m, n, k, trans_a, trans_b = product_of(op, row["problem"])
    result = {"op": op, "m": m, "n": n, "k": k, "trans_a": trans_a, "trans_b": trans_b,
              "lehr_ms": statistics.median(ours), "blas_ms": statistics.median(others),
              "lehr_best_ms": min(ours), "blas_best_ms": min(others), "ratio": statistics.median(ratios),
              "ratio_low": min(ratios), "ratio_high": max(ratios)}
    shape = f"{m}x{n}x{k} {'T' if trans_a else 'N'}{'T' if trans_b else 'N'}"
    rate = 2e-6 * m * n * k / result["lehr_ms"]
    print(f"{op:22s} {shape:20s} {result['lehr_ms']:9.3f} {result['blas_ms']:9.3f} {rate:7.1f} "
          f"{result['ratio']:6.2f}  ({min(ratios):.2f} to {max(ratios):.2f})", flush=True)
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bench")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--op", choices=("gemm", "dense"), action="append")
    parser.add_argument("--case", type=int)
    parser.add_argument("--variant", default="packed_cpu")
    parser.add_argument("--blas", default="libopenblas.so.0")
    parser.add_argument("--csv", type=pathlib.Path)
    a = parser.parse_args()
    blas = Blas(a.blas, a.threads)
    print(f"products beside {blas.name}, {a.threads} threads, median of {a.rounds} alternated rounds")
    print(f"{'op':22s} {'m x n x k':20s} {'lehr ms':>9s} {'blas ms':>9s} {'GF/s':>7s} {'ratio':>6s}")
    rows = []
    for family in a.op or ("gemm", "dense"):
        names = ["gemm"] if family == "gemm" else [f"dense.{p}" for p in ("forward", "backward_data",
                                                                          "backward_filter")]
        for op in names:
            case = a.case or 0
            while (row := compare(a, blas, op, case)) is not None:
                rows.append(row)
                case += 1
                if a.case is not None:
                    break
    if a.csv:
        with a.csv.open("w", newline="") as out:
            writer = csv.DictWriter(out, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


main()
