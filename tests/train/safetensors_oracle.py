#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""safetensors_oracle.py TOOL: Python's safetensors reads what we write, and we read what it writes.
Needs a Python with numpy and safetensors, named by LEHR_ORACLE_PYTHON; without it: skipped."""
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile

if os.environ.get("LEHR_ORACLE_CHILD") != "1":
    python = os.environ.get("LEHR_ORACLE_PYTHON")
    if not python:
        print("skipped: LEHR_ORACLE_PYTHON names no Python that has numpy and safetensors")
        sys.exit(77)
    os.environ["LEHR_ORACLE_CHILD"] = "1"
    os.execv(python, [python, *sys.argv])

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file


def they_read_ours(tool, path):
    subprocess.run([tool, "write", path, "2.5"], check=True)
    got = load_file(path)
    want = {
        "conv1.weight": (2.5 + np.arange(24, dtype=np.float32) / 8).reshape(2, 3, 2, 2),
        "slots": np.float64(np.float32(2.5)) / 3 + np.arange(2),
        "flags": np.array([0, 100, 200], np.uint8),
        "counter": np.array(3 - 1000000007, np.int64),
    }
    assert set(got) == set(want), sorted(got)
    for name, array in want.items():
        assert got[name].dtype == array.dtype and got[name].shape == array.shape, name
        assert np.array_equal(got[name], array), name
    with safe_open(path, "np") as file:
        metadata = file.metadata()
    assert metadata["version"] == "2.5" and metadata["text"] == 'a "b"\né', metadata
    assert all(isinstance(v, str) for v in metadata.values())
    digest = hashlib.sha256(want["conv1.weight"].tobytes()).hexdigest()
    assert metadata["lehr.sha256:conv1.weight"] == digest


def we_read_theirs(tool, path):
    rng = np.random.default_rng(5)
    dtypes = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "I64": np.int64,
              "I32": np.int32, "I16": np.int16, "I8": np.int8, "U64": np.uint64, "U8": np.uint8,
              "BOOL": np.bool_}
    shapes = [(), (0,), (1,), (3,), (2, 3), (5, 1, 2), (2, 0, 3), (1, 2, 3, 4, 5)]
    tensors, want = {}, set()
    for dtype, kind in dtypes.items():
        for i, shape in enumerate(shapes):
            array = rng.integers(0, 2, shape).astype(kind)
            if kind in (np.float64, np.float32):
                array = rng.normal(size=shape).astype(kind)
            array = np.array(array)
            tensors[f"{dtype}.{i} é"] = array
            digest = hashlib.sha256(array.tobytes()).hexdigest()
            want.add(f"{dtype}.{i} é {dtype} ({','.join(map(str, shape))}) {digest}")
    for metadata in (None, {"version": "theirs"}):
        save_file(tensors, path, metadata=metadata)
        out = subprocess.run([tool, "list", path], check=True, capture_output=True).stdout.decode()
        first, *lines = out.splitlines()
        assert first == ("foreign theirs" if metadata else "foreign -"), first
        assert set(lines) == want, set(lines) ^ want
    return len(want)


def main():
    tool = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        path = str(pathlib.Path(folder) / "x.safetensors")
        they_read_ours(tool, path)
        count = we_read_theirs(tool, path)
    print(f"4 tensors of ours and {count} of theirs agree")


main()
