#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs every command of README.md, in order, in an empty directory with `lehr` in the path: readme.py LEHR
SOURCE.  The two scripts at the top are the ones that run this test, so here they are only looked up."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from program import environment, kernel_cache, program

source = pathlib.Path(sys.argv[2])
text = (source / "README.md").read_text()
commands = [line for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
            for line in block.splitlines() if line.strip()]
scripts = [c for c in commands if c.startswith("sh scripts/")]
ci = (source / ".ci" / "run").read_text()
for script in scripts:
    if not (source / script.split()[1]).exists() or script not in ci:
        sys.exit(f"{script}: not there, or not run by .ci/run")
for link in re.findall(r"\]\(([^)#:]+)\)", text):
    if not (source / link).exists():
        sys.exit(f"README.md links to {link}, which does not exist")
with tempfile.TemporaryDirectory() as temporary:
    for name in ("examples", "include"):
        (pathlib.Path(temporary) / name).symlink_to(source / name)
    env = environment(PATH=f"{pathlib.Path(program()).parent}:{os.environ['PATH']}", HOME=temporary,
                      POCL_CACHE_DIR=kernel_cache())
    for command in commands:
        if command in scripts:
            continue
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, cwd=temporary, env=env)
        if done.returncode or (not done.stdout and ">" not in command and not command.startswith("cc")):
            sys.exit(f"{command}\nended with {done.returncode}\n{done.stdout[-1500:]}{done.stderr[-1500:]}")
        print(f"ok {command[:110]}")
print(f"{len(commands)} commands of README.md")
