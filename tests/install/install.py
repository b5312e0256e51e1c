#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds and installs into a temporary prefix and uses that as a stranger would: pkg-config, the
examples in C, a program in C++, a plugin with the one-line command.  install.py SOURCE"""
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

source = pathlib.Path(sys.argv[1])
CC, CXX = os.environ.get("CC", "cc"), os.environ.get("CXX", "c++")
STRICT = "-Wall -Wextra -Wpedantic -Werror"


def run(command, want=0, **more):
    done = subprocess.run(shlex.split(command) if isinstance(command, str) else command,
                          capture_output=True, text=True, **more)
    if done.returncode != want:
        sys.exit(f"install: '{command}' ended with {done.returncode}, not {want}\n"
                 f"{done.stdout}{done.stderr}")
    return done.stdout


def main():
    with tempfile.TemporaryDirectory() as temporary:
        prefix = pathlib.Path(temporary) / "prefix"
        work = pathlib.Path(temporary) / "elsewhere"
        work.mkdir()
        build = f"{temporary}/build"
        run(f"meson setup {build} {source} --prefix={prefix} -Doptimization=0 -Dtests=false")
        run(f"meson install -C {build} --quiet")
        pc = next(prefix.rglob("lehr.pc"))
        # What the build directory holds must not be needed any more.
        pathlib.Path(build).rename(f"{temporary}/gone")
        env = dict(os.environ, PKG_CONFIG_PATH=str(pc.parent), LD_LIBRARY_PATH=str(pc.parent.parent))

        def config(words):
            return run(f"pkg-config {words}", env=env).strip()

        flags, plugin_flags = config("--cflags --libs lehr"), config("--cflags lehr-plugin")
        assert config("--libs lehr-plugin") == "", "lehr-plugin must link nothing"
        for name in ("train_cnn", "schedule_only", "conv_on_buffers"):
            run(f"{CC} -std=c11 {STRICT} -o {work}/{name} {source}/examples/{name}.c {flags} -lOpenCL "
                "-lm", cwd=work)
        (work / "all.cpp").write_text("#include <lehr/lehr.h>\n#include <lehr/ops.h>\n#include <cstdio>\n"
                                      "int main() { std::puts(lehr_version()); }\n")
        run(f"{CXX} -std=c++17 {STRICT} -o {work}/all {work}/all.cpp {flags}", cwd=work)
        version = run([str(work / "all")], env=env).strip()
        assert version == config("--modversion lehr"), version
        run(f"{CC} -shared -fPIC -o {work}/step_decay.so {source}/examples/step_decay.c {plugin_flags} -lm",
            cwd=work)
        headers = sorted(p.name for p in (prefix.rglob("include/lehr/*.h")))
        for header in headers:  # each header stands alone, in C and in C++
            for compiler, language, standard in ((CC, "c", "c11"), (CXX, "c++", "c++11")):
                run(f"{compiler} -x {language} -std={standard} {STRICT} -Wno-missing-field-initializers "
                    f"-fsyntax-only {flags.split(' -L')[0]} -include lehr/{header} /dev/null", cwd=work)

        print(run([str(work / "conv_on_buffers")], env=env, cwd=work), end="")
        rows = run([str(work / "schedule_only"), "exponential(gamma=0.5, every=1ep)", "0.1", "3", "2"],
                   env=env, cwd=work).split()
        values = [float(row.split(",")[1]) for row in rows]
        want = [0.1 * 0.5 ** (step / 2) for step in range(6)]
        assert len(values) == 6 and all(abs(v - w) <= 1e-12 for v, w in zip(values, want)), values
        print(run([str(work / "train_cnn"), "synthetic:n=600,test=200"], env=env, cwd=work), end="")

        lehr = next(prefix.rglob("bin/lehr"))
        lines = run([str(lehr), "schedule", "show", "floored_step(every=2ep, least=0.02)", "--lr", "0.1",
                     "--epochs", "8", "--steps-per-epoch", "1", "--csv", "--plugin",
                     str(work / "step_decay.so")], env=env, cwd=work).strip().splitlines()
        got = [float(line.split(",")[2]) for line in lines[1:]]
        assert got == [0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.02, 0.02], got

        # A new plugin finds the header of this installation, without pkg-config and in a directory of its own.
        alone = dict(os.environ, PKG_CONFIG_LIBDIR="/nonexistent", LD_LIBRARY_PATH=str(pc.parent.parent))
        run([str(lehr), "plugin", "new", "optimizer", "fresh"], env=alone, cwd=work)
        run("make -C fresh check", env=alone, cwd=work)
        makefile = (work / "fresh" / "Makefile").read_text()
        assert f"LEHR_INCLUDE = {prefix}/include\n" in makefile, makefile

        print(f"{len(headers)} headers, 3 examples, C++ program, plugin: built and run from the prefix")


main()
