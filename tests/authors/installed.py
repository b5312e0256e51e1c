# SPDX-License-Identifier: MIT
"""What a plugin's author has: the installed header and lehr-plugin.pc, nothing else of lehr's development
files, and the program in the path."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True


def environment(lehr, build, top):
    """Environment in which pkg-config knows lehr-plugin only, from a copy of what would be installed."""
    build, top = pathlib.Path(build), pathlib.Path(top)
    pc = (build / "meson-private" / "lehr-plugin.pc").read_text()
    if re.search(r"^(Libs|Requires)[^:]*:\s*\S", pc, re.M):
        sys.exit(f"lehr-plugin.pc links or requires something:\n{pc}")
    prefix, pkgconfig = top / "prefix", top / "pkgconfig"
    include = prefix / "include" / "lehr"
    include.mkdir(parents=True)
    pkgconfig.mkdir()
    source = pathlib.Path(__file__).resolve().parents[2]
    shutil.copy(source / "include" / "lehr" / "plugin.h", include)
    (pkgconfig / "lehr-plugin.pc").write_text(re.sub(r"^prefix=.*$", f"prefix={prefix}", pc, flags=re.M))
    home = top / "home"
    home.mkdir()
    env = {k: v for k, v in os.environ.items() if not k.startswith(("LEHR_", "XDG_"))}
    env.update(PKG_CONFIG_LIBDIR=str(pkgconfig), HOME=str(home), LC_ALL="C",
               PATH=f"{pathlib.Path(lehr).resolve().parent}:{os.environ['PATH']}")
    env.pop("PKG_CONFIG_PATH", None)
    # Compiled kernels are not thrown away.
    old = pathlib.Path(os.environ.get("HOME", "/"))
    env["XDG_CACHE_HOME"] = os.environ.get("XDG_CACHE_HOME", str(old / ".cache"))
    # What a toolchain keeps below the home directory stays reachable.
    for name, folder in (("RUSTUP_HOME", ".rustup"), ("CARGO_HOME", ".cargo")):
        path = old / folder
        if name not in env and path.is_dir():
            env[name] = str(path)
    return env


def shell(command, where, env, want=0):
    done = subprocess.run(["sh", "-c", command], cwd=where, env=env, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    if done.returncode != want:
        sys.exit(f"{command}\nended with {done.returncode}, not {want}\n{done.stdout[-3000:]}"
                 f"{done.stderr[-3000:]}")
    return done.stdout
