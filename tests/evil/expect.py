#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each defective plugin is found by the check that it was made for, and by no other; the good twins
pass everything without a warning.  expect.py LEHR DIRECTORY [--device]: checks that need no device,
or those that do."""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile

# What must be found: verdict "warn" where a W stands before the name.
HOST = {
    "good_schedule": "", "good_optimizer": "", "good_keeper": "",
    # made from a good one, see made()
    "cut": "binary/object", "text": "binary/object", "writable": "W binary/file",
    # refused by the loader
    "no_entry": "binary/entry", "execstack": "binary/stack", "static_tls": "binary/tls",
    "null": "entry/same", "changing": "entry/same", "changing_entry": "entry/same",
    "thread_entry": "entry/threads",
    "minor": "entry/accepted", "major": "entry/accepted", "small": "entry/accepted",
    "no_id": "entry/accepted", "empty": "entry/accepted", "no_array": "entry/accepted",
    "small_schedule": "structs/sizes",
    "schedule_flag": "tables/accepted", "stride": "tables/accepted", "no_value": "tables/accepted",
    "default_above_max": "tables/accepted", "param_name": "tables/accepted",
    "param_twice": "tables/accepted", "param_kind": "tables/accepted", "param_flag": "tables/accepted",
    "min_above_max": "tables/accepted", "nan_bound": "tables/accepted", "no_choices": "tables/accepted",
    "bare_duration": "tables/accepted", "param_word": "tables/accepted", "no_scalar": "tables/accepted",
    "slot_when": "tables/accepted",
    "rule_return": "tables/language", "rule_bracket": "tables/language",
    "rule_digraph": "tables/language", "rule_barrier": "tables/language",
    "rule_define": "tables/language", "rule_index": "tables/language",
    "rule_comment": "tables/language", "shadow": "tables/unique",
    # the file
    "extra_symbol": "binary/exports", "calls_host": "binary/undefined", "library": "W binary/libraries",
    "search_path": "W binary/search_path",
    # loading
    "load_crashes": "loading/opens", "load_rounding": "loading/floating_point",
    "load_locale": "loading/locale", "load_chdir": "loading/directory", "load_signal": "loading/signals",
    "load_thread": "loading/threads", "load_prints": "loading/output",
    "load_environment": "loading/environment", "load_open_file": "loading/descriptors",
    # tables
    "too_large": "W structs/sizes", "any_extension": "structs/extensions",
    "no_doc": "W tables/docs", "doc_lines": "W tables/docs", "choices_twice": "tables/ranges",
    "metric_name": "tables/text", "default_text": "tables/defaults", "refuses": "tables/defaults", "preset": "tables/presets",
    "preset_source": "W tables/presets", "plain_id": "W tables/identity",
    # schedules
    "nan_value": "schedules/finite", "negative_value": "schedules/finite",
    "nan_late": "schedules/finite", "negative": "schedules/finite", "hangs": "schedules/finite",
    "exits": "schedules/finite", "aborts": "schedules/finite", "crashes": "schedules/finite",
    "writes_params": "schedules/read_only", "writes_state": "schedules/read_only",
    "writes_progress": "schedules/read_only",
    "reads_params_beyond": "schedules/inside", "reads_state_beyond": "schedules/inside",
    "reads_progress_beyond": "schedules/inside", "reads_host_beyond": "schedules/inside",
    "impure": "schedules/pure", "order": "schedules/order", "bound_is_pole": "schedules/bounds",
    "random_negative": "schedules/random", "beyond_the_end": "schedules/extremes",
    "needs_total": "schedules/open_ended", "needs_epochs": "schedules/no_epochs",
    "needs_two_updates": "schedules/short_runs", "small_base": "schedules/bases",
    "observe_nan": "schedules/observe", "observe_fails": "schedules/observe",
    "observe_counts": "schedules/replay", "observe_beyond": "schedules/state",
    "observe_writes_params": "schedules/state", "hidden_state": "schedules/resume",
    "slow": "W schedules/speed",
    # optimizers
    "scalar_unset": "optimizers/scalars", "scalar_beyond": "optimizers/scalars",
    "inf_scalar": "optimizers/finite, W optimizers/unused", "scalar_infinite": "optimizers/finite",
    "scalar_writes_state": "optimizers/read_only", "advance_writes_params": "optimizers/read_only",
    "scalar_reads_beyond": "optimizers/inside", "advance_beyond": "optimizers/inside",
    "scalar_impure": "optimizers/pure", "advance_static": "optimizers/advance",
    "beta_is_one": "optimizers/ranges", "silent_refusal": "W optimizers/ranges",
    "hidden_rule_state": "optimizers/resume", "keeper_load": "optimizers/resume",
    "keeper_short": "optimizers/resume", "unused_slot": "W optimizers/unused",
    # the process
    "fast_math": "loading/floating_point, running/floating_point",
    "rounding": "running/floating_point", "locale": "running/locale", "chdir": "running/directory",
    "umask": "running/directory", "signal": "running/signals", "thread_in_create": "running/threads, W whole/globals",
    "prints": "running/output", "environment": "running/environment",
    "open_file": "running/descriptors",
    # as a whole
    "leak": "whole/leaks", "double_release": "whole/leaks", "malloc_leak": "whole/memory",
    "ignores_failure": "whole/allocation", "leak_on_failure": "whole/allocation",
    "shared_instance": "whole/instances", "shared_between_threads": "whole/threads",
    "rounds_up": "whole/rounding", "remembers": "W whole/globals", "decimal_point": "whole/locale", "exit_crashes": "whole/exit",
}
DEVICE = {
    "good_optimizer": "", "good_keeper": "", "ascends": "device/quadratic", "cancels": "device/double",
    "overflows": "device/finite", "evaluation_lost": "device/evaluation",
    "wild_choice": "device/choices",
    "zero_gradient": "device/zero_gradient", "no_such_name": "device/compiles", "rule_syntax": "device/compiles",
}
COMMAND = {"timeout": "30"}


def needs_locale():
    names = subprocess.run(["locale", "-a"], capture_output=True, text=True).stdout.split()
    return any(n.startswith(("de_DE", "fr_FR", "pl_PL", "pt_BR", "sv_SE")) for n in names)


def made(directory, scratch):
    """Files that are no plugins, and one that others may write."""
    good = pathlib.Path(f"{directory}/evil-good_schedule.so").read_bytes()
    for name, content, mode in (("cut", good[:5000], 0o600), ("text", b"lr = 0.1\n", 0o600),
                                ("writable", good, 0o666)):
        path = pathlib.Path(scratch) / f"evil-{name}.so"
        path.write_bytes(content)
        path.chmod(mode)
    return {"cut", "text", "writable"}


def findings(lehr, path, only):
    command = [lehr, "plugin", "check", path, "--json", "--timeout",
               "3" if "hangs" in path else COMMAND["timeout"]]
    for name in only:
        command += ["--only", name]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    checks = json.loads(run.stdout)["checks"]
    found = {("W " if c["verdict"] == "warn" else "") + c["name"]: c.get("reason", "") for c in checks
             if c["verdict"] in ("warn", "FAIL")}
    failed = any(not name.startswith("W ") for name in found)
    if run.returncode != (9 if failed else 0):
        found[f"exit code {run.returncode}"] = run.stderr
    return found, sum(c["verdict"] == "ok" for c in checks)


def main():
    lehr, directory = sys.argv[1:3]
    device = "--device" in sys.argv
    expected = dict(DEVICE if device else HOST)
    if not device and not needs_locale():
        print("decimal_point: skipped, no locale with a decimal comma is installed")
        expected.pop("decimal_point")
    listed = json.loads(subprocess.run([lehr, "plugin", "check", "--list", "--json"],
                                       capture_output=True, text=True, check=True).stdout)
    groups = sorted({c["name"].split("/")[0] for c in listed if bool(c["device"]) == device})
    known = {c["name"] for c in listed}
    built = {p.name[5:-3] for p in pathlib.Path(directory).glob("evil-*.so")}
    wrong = [f"{n}: there is no such check" for v in expected.values() for n in v.split(", ")
             if n and n.removeprefix("W ") not in known]
    if not device:
        wrong += [f"{name}: nothing says what must find it" for name in
                  sorted(built - set(HOST) - set(DEVICE) - {"reduces"})]
    if device:
        COMMAND["timeout"] = "60"
    with tempfile.TemporaryDirectory() as scratch, \
            concurrent.futures.ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1))) as pool:
        elsewhere = made(directory, scratch)
        jobs = {name: pool.submit(findings, lehr, f"{scratch if name in elsewhere else directory}/"
                                                  f"evil-{name}.so", groups)
                for name in expected}
        concurrent.futures.wait(jobs.values())
    for name, job in jobs.items():
        found, ok = job.result()
        want = set(filter(None, expected[name].split(", ")))
        if set(found) == want and (want or ok > 0):
            continue
        wrong.append(f"{name}: wanted {sorted(want)}, found:")
        wrong += [f"    {check}: {reason}" for check, reason in sorted(found.items())]
    print("\n".join(wrong))
    caught = sum(1 for v in expected.values() if v)
    print(f"{caught} defective plugins, {len(wrong)} lines of what is wrong")
    sys.exit(1 if wrong else 0)


main()
