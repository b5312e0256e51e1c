#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The house rules that a machine can check: lint.py ROOT checks the tree; lint.py ROOT --samples
checks that each rule rejects its bad sample (samples.py) and accepts its good one."""
import pathlib
import re
import subprocess
import sys

sys.dont_write_bytecode = True
# A folder may include what stands on a lower floor, and itself.
FLOORS = {"core/base": 0, "core/runtime": 1, "kernels": 2, "core/plugin": 2, "core/model": 3,
          "core/data": 4, "core/train": 5, "core/study": 6, "core/check": 4}
VENDORS = (r"nvidia|geforce|cuda|\bamd\b|radeon|rocm|\bintel\b|pocl|\bmali\b|adreno|qualcomm|rusticl|"
           r"llvmpipe|\bapple\b|imagination|powervr")
LIBRARY = ("core/", "kernels/", "include/")
SOURCES = (".c", ".h", ".cl")
TEXTS = SOURCES + (".py", ".md", ".build", ".txt", ".sh", ".yml", "")


def folder_of(path):
    return next((f for f in FLOORS if path.startswith(f + "/")), None)


def without_comments(text):
    def blank(match):
        return match.group(0) if match.group(0)[0] in "\"'" else re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', blank, text,
                  flags=re.S)


def without_strings(code):
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', code)


def include_direction(path, text):
    """Each floor includes only lower floors; cli, examples and plugins only public headers."""
    where = folder_of(path)
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
        if not match:
            continue
        quoted, name = match.group(1) == '"', match.group(2)
        if ".." in name.split("/"):
            yield number, f"{name}: no '..' in includes"
            continue
        inner = folder_of(name) if quoted else None
        if path.startswith(("cli/", "examples/")) and (inner or name.startswith("tests/")):
            yield number, f"{name}: {path.split('/')[0]}/ includes <lehr/...> only"
        elif path.startswith("plugins/") and (inner or (name.startswith("lehr/") and
                                                        name != "lehr/plugin.h")):
            yield number, f"{name}: a plugin includes <lehr/plugin.h> only"
        elif path.startswith("include/") and (quoted or "CL/" in name):
            yield number, f"{name}: a public header includes <lehr/...> and standard headers only"
        elif path == "include/lehr/plugin.h" and name not in ("stddef.h", "stdint.h"):
            yield number, f"{name}: plugin.h includes <stddef.h> and <stdint.h> only"
        elif where and inner and where != inner and FLOORS[inner] >= FLOORS[where]:
            yield number, f"{name}: {where} stands on floor {FLOORS[where]}, {inner} on {FLOORS[inner]}"
        elif where and quoted and name.startswith(("cli/", "tests/", "bench/", "plugins/")):
            yield number, f"{name}: the library includes nothing of {name.split('/')[0]}/"


def vendor_words(path, text):
    """Vendor names stand in core/runtime/traits.c only; all else asks for traits.  (The doctor looks at the
    drivers themselves.)"""
    if not path.startswith(LIBRARY + ("cli/",)) or path in ("core/runtime/traits.c", "cli/doctor.c") \
            or path.startswith("kernels/shipped/"):
        return
    for number, line in enumerate(text.splitlines(), 1):
        match = re.search(VENDORS, re.sub("pocl-opencl-icd|POCL_CACHE_DIR|-apple-system", "", line), re.I)
        if match:
            yield number, f"'{match.group(0)}': ask a trait (core/runtime/traits.c)"


def clblast_place(path, text):
    """<clblast_c.h> is included by kernels/gemm only."""
    if path.endswith(SOURCES) and not path.startswith("kernels/gemm/"):
        for number, line in enumerate(text.splitlines(), 1):
            if re.match(r"\s*#\s*include\s+[\"<]clblast", line):
                yield number, "only kernels/gemm includes CLBlast"


def head_comment(path, text):
    """SPDX line first, then what the file owns."""
    if path.endswith(SOURCES):
        lines = text.splitlines()
        if not lines or lines[0].rstrip(" */") != "/* SPDX-License-Identifier: MIT":
            yield 1, "the first line is '/* SPDX-License-Identifier: MIT'"
        else:
            head = text[:text.find("*/")].splitlines()[1:]
            if not any(re.search(r"\w{2,}.*\w{2,}", line) for line in head):
                yield 1, "the head comment says what the file owns"
    elif path.endswith(".py") or (path.startswith(("scripts/", ".ci/")) and "." not in path[4:]):
        if "SPDX-License-Identifier: MIT" not in "\n".join(text.splitlines()[:3]):
            yield 1, "no SPDX line"


def numerics(path, text):
    """No mad, native_*, relaxed math, float atomics or -cl-std: bits must not depend on a driver's mood."""
    if not path.endswith(SOURCES):
        return
    code = without_comments(text)
    for number, line in enumerate(code.splitlines(), 1):
        match = re.search(r"\bmad\s*\(|\bnative_\w+\s*\(|\bhalf_(exp|log|sqrt|recip\w*|divide)\s*\(|"
                          r"-cl-(fast-relaxed-math|unsafe-math\w*|mad-enable|finite-math-only|std)|"
                          r"-ffast-math|\batomic_\w*float\w*|\batomic_(add|xchg)\w*\s*\([^;]*float", line)
        if match:
            yield number, f"'{match.group(0)}' is banned (docs/numerics.md)"


def unfinished(path, text):
    """Nothing is left for later."""
    words = "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"))
    phrases = "|".join(("not imple" + "mented", "unimple" + "mented", "place" + "holder"))
    if path.startswith("tests/lint/"):
        return
    for number, line in enumerate(text.splitlines(), 1):
        match = re.search(rf"\b({words})\b", line) or re.search(phrases, line, re.I)
        if match and path.endswith(SOURCES + (".py", ".build")) or match and path.startswith("scripts/"):
            yield number, f"'{match.group(0)}'"


def length(path, text):
    """Files of at most 800 lines, lines of at most 110 columns (aim at 100)."""
    if not path.endswith(SOURCES + (".py",)):
        return
    lines = text.splitlines()
    if len(lines) > 800:
        yield 801, f"{len(lines)} lines: split the file"
    for number, line in enumerate(lines, 1):
        if len(line) > 110 and path != "include/lehr/plugin.h" and not path.endswith(".py"):
            yield number, f"{len(line)} columns"
        if line != line.rstrip() or "\t" in line:
            yield number, "white space at the end, or a tab"


def quiet_library(path, text):
    """The library never prints or exits, reads the environment and parses numbers in one place."""
    if not path.startswith(("core/", "kernels/", "plugins/")) or not path.endswith(".c"):
        return
    banned = r"\b(printf|puts|putchar|perror|vprintf|exit|_exit|abort)\s*\(|\b(stdout|stderr)\b"
    if not path.startswith("core/base/"):
        banned += r"|(?<!lh_)\b(getenv|secure_getenv|atof|atoi|rand|srand)\s*\("
        if not path.startswith("core/check/"):  # looks at whether a plugin changes the locale
            banned += r"|\bsetlocale\s*\("
        if "lh_locale_enter" not in text:
            banned += r"|\b(strtod|strtof)\s*\("
    for number, line in enumerate(without_strings(without_comments(text)).splitlines(), 1):
        match = re.search(banned, line)
        if match:
            yield number, f"'{match.group(0)}' does not belong in the library"


def global_state(path, text):
    """No global mutable state in the library; a lock around someone else's is none."""
    if not path.startswith(("core/", "kernels/", "plugins/")) or not path.endswith(".c"):
        return
    for number, line in enumerate(without_comments(text).splitlines(), 1):
        if re.match(r"(static\s+)?(?!.*\b(?:const|pthread_mutex_t)\b)(?!typedef|extern|enum|"
                    r"struct\s+\w+\s*\{|return|else)[a-z_][\w\s\*]*\s\*?[a-z_]\w*(\[[^\]]*\])?\s*(=[^=].*|;)\s*$", line):
            yield number, f"'{line.strip()[:60]}': global mutable state"


def machine_paths(path, text):
    """Nothing of one developer's machine."""
    pattern = "/wo" + "rk/|/tmp/ci" + "far|/opt/le" + r"hr|/home/\w+/"
    for number, line in enumerate(text.splitlines(), 1):
        match = re.search(pattern, line)
        if match and not path.startswith("tests/lint/"):
            yield number, f"'{match.group(0)}' is a path of one machine"


RULES = (include_direction, vendor_words, clblast_place, head_comment, numerics, unfinished, length,
         quiet_library, global_state, machine_paths)


def check(path, text, rules=RULES):
    for rule in rules:
        for number, what in rule(path, text):
            yield rule.__name__, f"{path}:{number}: {rule.__name__}: {what}"


def tree(root):
    """Tracked and new files, relative to root; without git, all but build directories."""
    git = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"],
                         capture_output=True, text=True)
    if git.returncode == 0:
        names = git.stdout.splitlines()
    else:
        names = [p.relative_to(root).as_posix() for p in pathlib.Path(root).rglob("*") if p.is_file()]
        names = [n for n in names if not n.startswith(("build", "runs/", ".git/"))]
    return [n for n in sorted(names) if pathlib.PurePath(n).suffix in TEXTS
            and (pathlib.Path(root) / n).is_file()]


def check_tree(root):
    found = []
    names = tree(root)
    for name in names:
        text = (pathlib.Path(root) / name).read_text(errors="replace")
        found += [message for _, message in check(name, text)]
    for message in found:
        print(message)
    print(f"{len(names)} files, {len(found)} findings")
    return 1 if found or len(names) < 20 else 0


def check_samples():
    from samples import SAMPLES
    wrong = 0
    for rule, path, bad, good in SAMPLES:
        for text, want in ((bad, True), (good, False)):
            got = any(name == rule for name, _ in check(path, text))
            if got != want:
                wrong += 1
                print(f"{rule}: {'accepted a bad' if want else 'rejected a good'} sample of {path}:\n{text}")
    unproved = {r.__name__ for r in RULES} - {s[0] for s in SAMPLES}
    for rule in sorted(unproved):
        print(f"{rule}: no sample")
    print(f"{len(SAMPLES)} samples, {wrong + len(unproved)} wrong")
    return 1 if wrong or unproved else 0


sys.exit(check_samples() if "--samples" in sys.argv else check_tree(sys.argv[1]))
