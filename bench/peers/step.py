#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The training step (forward, loss, backward, SGD with momentum) beside PyTorch's, images per second and memory:
step.py BUILD PYTHON [MODEL...] [--rounds 7] [--batch 128] [--no-compile] [--no-memory] [--csv FILE]

PyTorch runs eager in both memory formats and through torch.compile in both; the fastest of each round counts.
Memory is measured in processes of their own, one for each of PyTorch's eager modes: the peak resident memory during
five steps less what was resident before the model was made (so libraries and compilers do not count, but a compiler's
work in between does), of both programs; and beside it what each asked for: lehr's buffers, and PyTorch's
tensors (parameters, gradients and momenta, plus the most that its allocator had handed out during a step)."""
import json
import pathlib
import statistics
import subprocess
import tempfile

import peer

GOALS = {"vgg6": 2.5, "resnet20": 1.8, "keras-cnn": 2.5, "tutorial": 2.5}
MODES = ("nchw", "channels_last", "compile_nchw", "compile_channels_last")


def lehr_memory(a, model):
    process = peer.Lehr(a.build)
    before = process.ask("memory reset")["rss"]
    made = process.make(f"step {model} {a.batch}")
    for _ in range(5):
        made["run"]()
    after = process.ask("memory")["peak"]
    process.close()
    return {"rss": after - before, "asked": made["mib"], "values": made["values_mib"], "least": made["least_mib"]}


def torch_memory(a, description, mode):
    process = peer.Torch(a.python)
    process.make("mm", library="torch", m=64, n=64, k=64, trans_a=0, trans_b=0)["run"]()  # threads and libraries
    before = process.memory(reset=True)["rss"]
    made = process.make("step", description=str(description), batch=a.batch, mode=mode)
    for _ in range(5):
        made["run"]()
    after = process.memory()["peak"]
    asked = made["tensors"]()
    process.close()
    return {"rss": after - before, "asked": asked}


def compare(a, lehr, torch, model, work):
    description = pathlib.Path(work) / f"{model}.txt"
    program = pathlib.Path(a.build) / "cli" / "lehr"
    description.write_text(subprocess.run([program, "models", "--dump", model], check=True, capture_output=True,
                                          text=True).stdout)
    ours = lehr.make(f"step {model} {a.batch}")
    modes = [m for m in MODES if not (a.no_compile and m.startswith("compile_"))]
    theirs = {m: torch.make("step", description=str(description), batch=a.batch, mode=m) for m in modes}
    contenders = {"lehr": ours["run"], **{m: made["run"] for m, made in theirs.items()}}
    for _ in range(2):  # warm-up beside that of alternate()
        for run in contenders.values():
            run()
    times = peer.alternate(contenders, a.rounds, a.seconds, lehr)
    row = {"model": model, "batch": a.batch, **peer.against(times, "lehr", modes), "goal": GOALS.get(model, "")}
    for name in contenders:
        row[f"{name}_images_s"] = 1e3 * a.batch / statistics.median(times[name])
    peer.say(model, row, None if a.tiny else GOALS.get(model))
    print("  images/s: " + ", ".join(f"{name} {row[name + '_images_s']:.1f}" for name in contenders), flush=True)
    for made in (ours, *theirs.values()):
        made["close"]()
    if not a.no_memory:
        row.update(memory(a, model, description))
    return row


def memory(a, model, description):
    ours = lehr_memory(a, model)
    theirs = {m: torch_memory(a, description, m) for m in ("nchw", "channels_last")}
    leanest = min(theirs.values(), key=lambda m: m["rss"])
    asked = min(m["asked"] for m in theirs.values())
    row = {"lehr_rss_mib": ours["rss"], "lehr_mib": ours["asked"], "lehr_values_mib": ours["values"],
           "least_values_mib": ours["least"], "torch_rss_mib": leanest["rss"], "torch_mib": asked,
           "rss_ratio": ours["rss"] / leanest["rss"], "asked_ratio": ours["asked"] / asked}
    print(f"  memory: resident {ours['rss']:.0f} MiB / {leanest['rss']:.0f} MiB = {row['rss_ratio']:.2f}; asked for "
          f"{ours['asked']:.0f} / {asked:.0f} = {row['asked_ratio']:.2f}  goal 0.8"
          f"{'' if row['rss_ratio'] <= 0.8 else ' missed'}", flush=True)
    return row


def main():
    parser = peer.arguments(__doc__)
    parser.add_argument("models", nargs="*", default=list(GOALS))
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--no-memory", action="store_true")
    a = parser.parse_intermixed_args()
    if a.torch_device != "cpu":
        a.no_memory = True  # resident memory says nothing about a GPU's
    if a.tiny:
        a.models, a.batch, a.no_compile = ["tutorial"], 4, True
    lehr, torch = peer.Lehr(a.build, a.device), peer.Torch(a.python, a.torch_device)
    print(f"{json.dumps(lehr.about)}\n{json.dumps(torch.about)}\n{'model':58s} {'lehr ms':>9s} {'torch ms':>9s}  ratio")
    with tempfile.TemporaryDirectory() as work:
        rows = [compare(a, lehr, torch, model, work) for model in a.models]
    peer.write(a.csv, rows, lehr.about, torch.about)
    lehr.close()
    torch.close()


if __name__ == "__main__":
    main()
