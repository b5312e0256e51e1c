# SPDX-License-Identifier: MIT
"""What the comparisons share: the two programs, kept alive and asked for one sample at a time, rounds in which
they take turns, and files of figures.  Ratios are peer's time / lehr's time, above 1 where lehr is faster, and
the median over rounds of each round's ratio: a shared machine drifts by tens of percent within seconds."""
import argparse
import csv
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
TUNED = {"MALLOC_TRIM_THRESHOLD_": "4294967296", "MALLOC_MMAP_THRESHOLD_": "4294967296",
         "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",  # large pages, as lehr's buffers have them
         "OPENBLAS_THREAD_TIMEOUT": "20",  # idle threads of OpenBLAS must not spin beside others
         "OMP_PROC_BIND": "true", "OMP_PLACES": "cores"}
# A thread a processor, in both programs: beside other work a scheduler may put all threads of one on one processor.
PINNED = {"POCL_AFFINITY": "1"}


class Process:
    def __init__(self, command, **env):
        self.command = [str(c) for c in command]
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **env})

    def ask(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            reply = self.process.stdout.readline()
        except BrokenPipeError:
            reply = ""
        if not reply:
            sys.exit(f"{self.command[0]} ended at '{line}' with {self.process.wait()}")
        return json.loads(reply)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Lehr(Process):
    def __init__(self, build, device=None, **env):
        super().__init__([pathlib.Path(build) / "bench" / "lehr-bench-serve", *([device] if device else [])],
                         **{**PINNED, **env})
        self.about = self.ask("device")

    def peak(self):
        """The calmer of two looks, since a burst is short."""
        return max((self.ask("roofline") for _ in range(2)), key=lambda r: r["at_once"])

    def gflops(self):
        return self.ask("roofline")["gflops"]

    def make(self, line):
        made = self.ask(line)
        return {**made, "run": lambda: self.ask(f"run {made['id']}")["ms"],
                "close": lambda: self.ask(f"close {made['id']}")}


class Torch(Process):
    def __init__(self, python, device="cpu", **env):
        super().__init__([python, HERE / "torch_peer.py", device], **{**TUNED, **env})
        self.about = self.ask(json.dumps({"versions": True}))

    def make(self, what, **how):
        made = self.ask(json.dumps({"make": what, **how}))
        return {**made, "run": lambda: self.ask(json.dumps({"run": made["id"]}))["ms"],
                "close": lambda: self.ask(json.dumps({"close": made["id"]})),
                "tensors": lambda: self.ask(json.dumps({"tensors": made["id"]}))["mib"]}

    def memory(self, reset=False):
        return self.ask(json.dumps({"memory": "reset" if reset else True}))


def alternate(contenders, rounds, seconds=1e9, lehr=None):
    """{name: [ms of each round]}; the first sample of each is warm-up.  Each round begins with another contender.
    Ends early, after three rounds, when the seconds are spent.  With lehr, its FMA peak is taken around each
    round.  One in which that changed by more than a sixth (on virtual machines it halves and doubles, when two
    processors become the halves of one and back), or in which its threads did not run at once, compares nothing
    and is made again, until twice the rounds have been tried."""
    start, times, other = time.monotonic(), {name: [] for name in contenders}, []
    for run in contenders.values():
        run()
    peak = lehr.peak if lehr else lambda: {"gflops": 1, "at_once": 1}
    before = peak()
    for _ in range(2 * rounds):
        count = len(next(iter(times.values())))
        if count >= rounds or (count + len(other) >= 3 and time.monotonic() - start > seconds):
            break
        row, first = {}, (count + len(other)) % len(contenders)
        for name in [*contenders][first:] + [*contenders][:first]:  # who comes first has it easier
            row[name] = contenders[name]()
            time.sleep(0.01)  # threads that spin after their work fall asleep
        after = peak()
        slower, faster = sorted((before["gflops"], after["gflops"]))
        if faster > 1.17 * slower or min(before["at_once"], after["at_once"]) < 0.8:
            other.append(row)
        else:
            for name, value in row.items():
                times[name].append(value)
        before = after
    while len(next(iter(times.values()))) < min(3, rounds) and other:  # never calm: those have to do
        for name, value in other.pop().items():
            times[name].append(value)
    return times


def against(times, ours, theirs):
    """Median over rounds of the fastest of theirs / ours, with the least and the largest; and who was fastest."""
    ratios = [min(times[t][i] for t in theirs) / times[ours][i] for i in range(len(times[ours]))]
    best = min(theirs, key=lambda t: statistics.median(times[t]))
    return {"ratio": statistics.median(ratios), "low": min(ratios), "high": max(ratios), "peer": best,
            "lehr_ms": statistics.median(times[ours]), "peer_ms": statistics.median(times[best])}


def rounded(value):
    return f"{value:.4g}" if isinstance(value, float) else value


def shown(command):
    """A command for a file that is read elsewhere: paths of this machine say nothing there."""
    return " ".join(pathlib.Path(w).name if "/" in str(w) else str(w) for w in command)


def write(path, rows, *about):
    """A CSV whose first lines, with #, say where it is from."""
    if not path:
        return
    names = list(dict.fromkeys(name for row in rows for name in row))
    with open(path, "w", newline="", encoding="utf-8") as out:
        for line in (*(json.dumps(a) for a in about), f"date {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}",
                     "command " + shown(sys.argv)):
            out.write(f"# {line}\n")
        table = csv.DictWriter(out, names)
        table.writeheader()
        table.writerows({name: rounded(value) for name, value in row.items()} for row in rows)


def arguments(text, **defaults):
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="lehr's build directory, made with -Dbench=true")
    parser.add_argument("python", help="a Python that has torch and numpy")
    parser.add_argument("--rounds", type=int, default=defaults.get("rounds", 7))
    parser.add_argument("--seconds", type=float, default=1e9, help="of a comparison of several, after three rounds")
    parser.add_argument("--csv", type=pathlib.Path)
    parser.add_argument("--device", help="lehr's: a number, cpu, gpu or part of a name (lehr devices)")
    parser.add_argument("--torch-device", default="cpu", help="PyTorch's: cpu, cuda, cuda:1; a GPU runs fp32 without TF32")
    parser.add_argument("--tiny", action="store_true", help="small problems: to see that it works")
    return parser


def say(name, r, goal=None):
    mark = "" if goal is None else f"  goal {goal:.1f}{' ' if r['ratio'] >= goal else ' missed'}"
    print(f"{name:58s} {r['lehr_ms']:9.3f} {r['peer_ms']:9.3f} {r['ratio']:6.2f} ({r['low']:.2f} to {r['high']:.2f})"
          f"  {r['peer']}{mark}", flush=True)
