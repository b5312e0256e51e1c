#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the header that a later minor version could be: later.py HEADER OUT."""
import pathlib
import sys

sys.dont_write_bytecode = True
import header

pathlib.Path(sys.argv[2]).write_text(header.later(pathlib.Path(sys.argv[1]).read_text()))
