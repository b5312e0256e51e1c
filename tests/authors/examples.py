#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One example plugin: examples.py LEHR BUILD SOURCE EXAMPLE.  The commands of its head comment are run in an
empty directory outside the tree with the installed header only; then the validator must find nothing, what it
gives is compared with its formula, and it trains."""
import math
import pathlib
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True
from installed import environment, shell

LEHR, BUILD, SOURCE, NAME = sys.argv[1:5]
PATH = pathlib.Path(SOURCE) / "examples" / NAME
TRAIN = "--data synthetic:n=256,test=64 --batch 32 --epochs 2 --out run --progress none"


def floored_step(step):
    return max(0.1 * 0.5 ** (step // 6), 0.01)


def logistic(step):
    return 0.1 / (1 + math.exp(12 * (step / 12 - 0.6)))


# compiler, what is trained with, a schedule to be shown and its values
EXAMPLES = {
    "step_decay.c": ("cc", "--schedule 'floored_step(every=1ep)'", "floored_step(every=2ep, least=0.01)",
                     floored_step),
    "short_plateau.c": ("cc", "--schedule 'short_plateau(patience=0)'", "short_plateau(factor=0.5)", lambda step: 0.1),
    "softsign.cpp": ("c++", "--optimizer 'softsign(beta=0.95)'", None, None),
    "bold_driver.rs": ("rustc", "--schedule 'bold_driver()'", "bold_driver()", lambda step: 0.1),
    "logistic.f90": ("gfortran", "--schedule 'logistic()'", "logistic(middle=0.6)", logistic),
}


def head_commands():
    """The indented lines of the head comment; those of lehr itself are returned apart."""
    lines = []
    for line in PATH.read_text().splitlines():
        text = line.lstrip("/*! ").removesuffix("*/").strip()
        if line[:1] not in ("/", " ", "!"):
            break
        if line[2:5] == "   " or line[1:4] == "   ":
            lines.append(text)
    return [c for c in lines if not c.startswith("lehr ")], [c for c in lines if c.startswith("lehr ")]


def main():
    compiler, train, shown, formula = EXAMPLES[NAME]
    if not shutil.which(compiler):
        print(f"{compiler} is not here: skipped")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as temporary:
        env = environment(LEHR, BUILD, temporary)
        where = pathlib.Path(temporary) / "work"
        where.mkdir()
        shutil.copy(PATH, where)
        build, use = head_commands()
        if not build or not use:
            sys.exit(f"{NAME}: its head comment does not say how to build and use it")
        for command in build + use:
            if "lehr train" in command:
                command = command.split("--data")[0] + TRAIN.replace("--out run", "--out head")
            shell(command, where, env)
        plugin = next(where.glob("*.so"))
        verdict = shell(f"lehr plugin check {plugin} 2>&1", where, env).splitlines()[-1]
        if ", 0 warnings, 0 failed" not in verdict:
            sys.exit(shell(f"lehr plugin check {plugin}", where, env))
        if shown:
            rows = shell(f"lehr schedule show '{shown}' --plugin {plugin} --epochs 4 --steps-per-epoch 3 --lr 0.1 "
                         "--csv", where, env).split()[1:]
            for row in rows:
                step, _, lr = row.split(",")
                if not abs(float(lr) - formula(int(step))) <= 1e-15:
                    sys.exit(f"{shown}: {lr} at update {step}, not {formula(int(step))!r}")
            if len(rows) != 12:
                sys.exit(f"{len(rows)} rows")
        shell(f"lehr train {train} --plugin {plugin} {TRAIN}", where, env)
        print(f"{NAME}: {compiler}; {verdict}; trained")


main()
