#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Everything in bench, into files: run.py BUILD PYTHON [--short] [--out DIR] [--only PART,...]
[--device gpu --torch-device cuda]

PYTHON is one that has torch and numpy.  Parts: step, conv, gemm, optimizer, start, threads, and lehr-bench on its own:
ops, direct.  Into DIR, bench/results/DEVICE/DATE by default, go one CSV a part, roofline.svg, direct.svg, ratios.svg and README.md with
what was printed.  About 15 minutes on two cores; --short about 4.  A machine that does nothing else is wanted:
rounds alternate, but other programs still widen the spread."""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "peers"))
import peer

PEERS = HERE / "peers"
# part: arguments of the full run, of the short one
PARTS = {"step": (["--rounds", "9", "--seconds", "30"], ["--rounds", "3", "--seconds", "20", "vgg6", "resnet20"]),
         "conv": (["--rounds", "9", "--seconds", "2"], ["--rounds", "3", "--only", "vgg6"]),
         "gemm": (["--rounds", "9", "--seconds", "5"], ["--rounds", "3", "--seconds", "3"]),
         "optimizer": (["--rounds", "21"], ["--rounds", "5"]),
         "start": (["--rounds", "2"], ["--rounds", "1"]),
         "threads": (["--rounds", "9"], ["--rounds", "3"])}


def told(command, log, head=False, **env):
    """Runs, prints as it comes and keeps what was printed, of a table that is a file only its head; None when it
    failed."""
    print("$ " + " ".join(command), flush=True)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **env})
    lines = []
    for line in process.stdout:
        print(line, end="", flush=True)
        if not head or line.startswith("#"):
            lines.append(line)
    log.append(f"```\n$ {peer.shown(command)}\n{''.join(lines)}```\n")
    return None if process.wait() else lines


def ops(a, out, log, part):
    """lehr-bench: what the variants that lehr chooses reach of the roofline; direct: the direct convolutions, most of
    which stand behind Winograd's."""
    command = [str(a.build / "bench" / "lehr-bench"), "--rounds", "3" if a.short else "5", "--csv", str(out / f"{part}.csv")]
    command += ["--device", a.device] if a.device else []
    command += ["--chosen", "yes"] if part == "ops" else ["--op", "conv", "--variant", "direct_cpu"]
    if a.tiny:
        command += ["--level", "0", "--case", "1", *(["--op", "add"] if part == "ops" else [])]
    elif a.short and part == "ops":
        command += ["--op", "batchnorm"]
    if told(command, log, head=True, **peer.PINNED) is None:
        return False
    subprocess.run([sys.executable, HERE / "plot.py", "roofline", out / f"{part}.csv",
                    out / f"{'roofline' if part == 'ops' else part}.svg"], check=True)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("python")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--tiny", action="store_true", help="small problems: to see that it works")
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--device", help="lehr's: a number, cpu, gpu or part of a name (lehr devices)")
    parser.add_argument("--torch-device", default="cpu", help="PyTorch's: cpu, cuda; on a GPU gemm, start, threads and "
                        "direct, which are about CPUs, are left out unless named")
    parser.add_argument("--only", default="")
    a = parser.parse_args()
    parts = [*PARTS, "ops", "direct"] if a.torch_device == "cpu" else ["step", "conv", "optimizer", "ops"]
    lehr = peer.Lehr(a.build, a.device)
    about = lehr.about
    lehr.close()
    date = time.strftime("%Y-%m-%d", time.gmtime())
    device = re.sub(r"[^a-z0-9]+", "-", about["device"].lower()).strip("-")
    out = a.out or HERE / "results" / device / date
    out.mkdir(parents=True, exist_ok=True)
    command = "bench/run.py BUILD PYTHON " + peer.shown(w for w in sys.argv[1:] if w not in (str(a.build), a.python))
    log = [f"# {about['device']}, {date}\n", f"lehr {about['lehr']}, {about['platform']} {about['driver']}, "
           f"{about['units']} compute units; made by `{command.strip()}`.  Ratios are the peer's time / lehr's; the figures in "
           "brackets are the least and the largest of all rounds.\n"]
    start, failed, files = time.monotonic(), [], []
    where = ["--device", a.device] if a.device else []
    for part in a.only.split(",") if a.only else parts:
        if part in ("ops", "direct"):
            failed += [] if ops(a, out, log, part) else [part]
            continue
        how = ["--tiny", "--rounds", "1"] if a.tiny else PARTS[part][a.short]
        if part not in ("start", "threads"):
            how = [*how, *where, "--torch-device", a.torch_device]
        csv = out / f"{part}.csv"
        if told([sys.executable, str(PEERS / f"{part}.py"), str(a.build), a.python, *how, "--csv", str(csv)], log) is None:
            failed.append(part)
        elif part not in ("start", "threads"):
            files.append(csv)
    if files:
        subprocess.run([sys.executable, HERE / "plot.py", "ratios", out / "ratios.svg", *files], check=True)
    log.append(f"{time.monotonic() - start:.0f} s in all.{'  Failed: ' + ', '.join(failed) if failed else ''}\n")
    (out / "README.md").write_text("\n".join(log), encoding="utf-8")
    print(f"{out}: {log[-1]}")
    sys.exit(1 if failed else 0)


main()
