#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts tests for scripts/test: tally.py RESULTS COMMAND ...

  pass|fail|skip NAME [WHY]  one result
  suite PART TESTLOG         a meson run: Criterion's JSON files below RESULTS/PART, one result a test,
                             and every other test of the log by its exit status (77: skipped)
  lines PART FILE            lines "ok NAME", "not ok NAME WHY", "skip NAME WHY"
  logs PART DIR              sanitizer logs: each is a failure
  sum                        prints the closing line; exits 1 when anything failed or nothing passed

Anything unexpected (a binary that died, a log that is missing) counts as failed."""
import json
import pathlib
import re
import sys


def record(results, outcome, name, why=""):
    with open(results / "counts.jsonl", "a") as f:
        f.write(json.dumps([outcome, name, why]) + "\n")
    if outcome == "failed":
        print(f"test: FAILED {name}" + (f": {why}" if why else ""))
    elif outcome == "skipped":
        print(f"test: skipped {name}" + (f": {why}" if why else ""))


def quoted(line):
    """A line of a message as valid JSON: Criterion writes quotation marks and backslashes as they are."""
    text = re.fullmatch(r'(\s+")(.*)(",?)', line)
    if not text or re.match(r'\s+"\w+": ', line):
        return line
    return text[1] + json.dumps(text[2])[1:-1] + text[3]


def parse(text):
    try:
        return json.loads(text, strict=False)
    except ValueError:
        return json.loads("\n".join(quoted(line) for line in text.split("\n")), strict=False)


def criterion(results, part, binary):
    """Results of one Criterion binary; None when it wrote nothing."""
    rows = []
    found = False
    for path in sorted((results / part).glob(binary + ".*.json")):
        try:
            suites = parse(path.read_text(errors="replace"))["test_suites"]
        except (ValueError, KeyError) as error:
            return [("failed", f"{part}/{binary}", f"{path.name} is unreadable: {error}")]
        found = True
        for suite in suites:
            for test in suite["tests"]:
                outcome = {"PASSED": "passed", "SKIPPED": "skipped"}.get(test["status"], "failed")
                why = "; ".join(test.get("messages", []))[:2000]
                rows.append((outcome, f"{part}/{binary}/{suite['name']}/{test['name']}", why))
    return rows if found else None


def binary_of(test):
    return next((pathlib.Path(word).name for word in test["command"]
                 if pathlib.Path(word).name.startswith("test_")), "")


def suite(results, part, testlog):
    try:
        tests = [json.loads(line) for line in open(testlog, errors="replace")]
    except OSError as error:
        record(results, "failed", part, f"meson test left no log: {error}; see {part}.log")
        return
    seen = set()
    for test in tests:
        binary = binary_of(test)
        rows = criterion(results, part, binary) if binary else None
        name = test["name"].split(" / ")[-1].split(":")[-1]
        output = (test.get("stdout") or "") + (test.get("stderr") or "")
        status = test.get("returncode")
        if rows is not None:
            # A binary that runs several times (on other devices) leaves a file each time.
            if binary not in seen:
                for row in rows:
                    record(results, *row)
            seen.add(binary)
            if status != 0 and not any(r[0] == "failed" for r in rows):
                record(results, "failed", f"{part}/{name}", f"exit status {status}\n{output[-1500:]}")
            runs = sum(binary_of(t) == binary for t in tests)
            files = len(list((results / part).glob(binary + ".*.json")))
            if files != runs:
                record(results, "failed", f"{part}/{name}", f"{runs} runs left {files} results")
        elif status == 0 and test["result"] == "OK":
            record(results, "passed", f"{part}/{name}")
        elif status == 77:
            record(results, "skipped", f"{part}/{name}", output.strip().split("\n")[-1][:300])
        else:
            record(results, "failed", f"{part}/{name}",
                   f"{test['result']}, exit status {status}\n{output[-3000:]}")


def lines(results, part, path):
    seen = 0
    for line in open(path, errors="replace"):
        for word, outcome in (("ok ", "passed"), ("not ok ", "failed"), ("skip ", "skipped")):
            if line.startswith(word):
                name, _, why = line[len(word):].strip().partition(" ")
                record(results, outcome, f"{part}/{name}", why)
                seen += 1
    if not seen:
        record(results, "failed", part, f"no results in {path}")


def logs(results, part, directory):
    found = sorted(pathlib.Path(directory).iterdir())
    for path in found:
        record(results, "failed", f"{part}/{path.name}", path.read_text(errors="replace")[:3000])
    if not found:
        record(results, "passed", f"{part}/no-reports")


def closing(results):
    count = {"passed": 0, "failed": 0, "skipped": 0}
    path = results / "counts.jsonl"
    for line in path.read_text().splitlines() if path.exists() else []:
        count[json.loads(line)[0]] += 1
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return 1 if count["failed"] or not count["passed"] else 0


def main():
    results, command, rest = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    if command in ("pass", "fail", "skip"):
        outcome = {"pass": "passed", "fail": "failed", "skip": "skipped"}[command]
        record(results, outcome, *rest)
    elif command == "sum":
        return closing(results)
    else:
        {"suite": suite, "lines": lines, "logs": logs}[command](results, *rest)
    return 0


sys.exit(main())
