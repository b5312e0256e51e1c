#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every plugin that ships passes every check without a warning: shipped.py LEHR DIRECTORY.  Checks that
use a device run on a few of the optimizers, on all with LEHR_TEST_LEVEL=1."""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

SAMPLE = ("adam", "sgd", "lamb", "muon")


def check(lehr, path, groups):
    command = [lehr, "plugin", "check", str(path), "--quick", "--json", "--timeout", "60"]
    for name in groups:
        command += ["--only", name]
    run = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    checks = json.loads(run.stdout)["checks"]
    bad = [f"{path.name}: {c['verdict']} {c['name']}: {c.get('reason', '')}" for c in checks
           if c["verdict"] in ("warn", "FAIL")]
    if run.returncode != (9 if any(": FAIL " in line for line in bad) else 0):
        bad.append(f"{path.name}: exit code {run.returncode} {run.stderr}")
    return bad, sum(c["verdict"] == "ok" for c in checks)


def main():
    lehr, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    listed = json.loads(subprocess.run([lehr, "plugin", "check", "--list", "--json"],
                                       capture_output=True, text=True, check=True).stdout)
    host = sorted({c["name"].split("/")[0] for c in listed if not c["device"]})
    files = sorted(directory.glob("lehr-*.so"))
    every = os.environ.get("LEHR_TEST_LEVEL", "0") != "0"
    bad, passed = [], 0
    with concurrent.futures.ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1))) as pool:
        jobs = [pool.submit(check, lehr, path, [] if every or path.stem[5:] in SAMPLE else host)
                for path in files]
        for job in jobs:
            found, ok = job.result()
            bad += found
            passed += ok
    print("\n".join(bad))
    print(f"{len(files)} plugins, {passed} checks passed, {len(bad)} findings")
    sys.exit(1 if bad or len(files) < 16 else 0)


main()
