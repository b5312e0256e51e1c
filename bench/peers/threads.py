#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The training step on all of a CPU's threads and on one, in alternation: threads.py BUILD PYTHON [MODEL...]
[--rounds 7] [--csv FILE].  PYTHON is not used.  One thread is PoCL's POCL_MAX_PTHREAD_COUNT=1 (other drivers have none that is known
here).  Beside it the same ratio of the FMA peak: what the machine's threads are worth at that moment, 2 at most on
two cores, 1 when both are the halves of one."""
import statistics

import peer


def main():
    parser = peer.arguments(__doc__)
    parser.add_argument("models", nargs="*", default=["vgg6"])
    parser.add_argument("--batch", type=int, default=128)
    a = parser.parse_intermixed_args()
    if a.tiny:
        a.models, a.batch = ["tutorial"], 4
    many, one = peer.Lehr(a.build), peer.Lehr(a.build, POCL_MAX_PTHREAD_COUNT="1")
    if one.about["units"] != 1:
        print("threads: this driver cannot be kept to one thread")
        return
    print(f"{many.about}\n{'model':58s} {'all ms':>9s} {'one ms':>9s}  ratio")
    rows = []
    for model in a.models:
        made = {"lehr": many.make(f"step {model} {a.batch}"), "one": one.make(f"step {model} {a.batch}")}
        peaks = []
        times = peer.alternate({**{name: m["run"] for name, m in made.items()},
                                "peak": lambda: peaks.append(many.ask("roofline")["gflops"] / one.ask("roofline")["gflops"])},
                               a.rounds, a.seconds, many)
        row = {"model": model, "batch": a.batch, "threads": many.about["units"],
               **peer.against(times, "lehr", ["one"]), "goal": 1.9, "fma_ratio": statistics.median(peaks)}
        peer.say(model, row, None if a.tiny else 1.9)
        print(f"  FMA peak of {row['threads']} threads / one: {row['fma_ratio']:.2f}")
        rows.append(row)
        for m in made.values():
            m["close"]()
    peer.write(a.csv, rows, many.about)
    many.close()
    one.close()


if __name__ == "__main__":
    main()
