#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The picture of all schedules in the manual: picture_schedules.py DUMP [--write].

DUMP is build/tests/plugin/plugin_dump.  With --write docs/pictures/schedules.svg is drawn anew; without, it must
be what would be drawn, and hold every schedule that plugins/meson.build names (exit 1 if not)."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "pictures" / "schedules.svg"
BASE, EPOCH, TOTAL = 0.1, 10, 300
COLUMNS, WIDTH, HEIGHT, PLOT_H = 4, 232, 128, 84

# Measurements of a loss that falls, stops and falls again: what plateau and greedy see.
LOSS = [max(0.2, 2 - t / 50) if t < 150 else 0.2 - (t - 220) / 500 if t > 220 else 0.2 + (t % 3) / 50
        for t in range(TOTAL)]

PANELS = [
    "constant()", "step(gamma=0.5, every=6ep)", "multistep([10ep, 20ep], gamma=0.3)",
    "multistep([5ep, 15ep], factors=[0.4, 1.5])", "exponential(gamma=0.9, every=1ep)",
    "exponential(gamma=0.8, hold=3ep)", "time(decay=0.02)", "caffe:time(decay=0.02)", "inverse_sqrt(warmup=3ep)",
    "linear(end=10%)", "polynomial(power=2)", "keras3:polynomial(power=0.5, over=8ep, cycle=1)", "cosine()",
    "cosine(k=2)", "cosine(exponent=3)", "torch:cosine(over=12ep)", "restarts(first=4ep, t_mult=2)",
    "restarts(first=5ep, decay=0.7)", "tanh()", "sigmoid()", "onecycle()",
    "onecycle(fall=0.7, anneal=linear)", "torch:onecycle(mirror=1, low=50%)", "cyclic(up=3ep, down=2ep)",
    "cyclic(up=4ep, mode=triangular2)", "cyclic(up=4ep, mode=exp_range, gamma=0.992)", "warmup(10ep)",
    "warmup(10ep, shape=cosine)", "warmup(10ep, from=1%, shape=exponential)", "darknet:warmup(10ep)",
    "wsd()", "wsd(decay=40%, cooldown=cosine)", "piecewise([0ep, 5ep, 24ep], [0, 0.1, 0])",
    "piecewise([2ep, 10ep, 25ep], [0.03, 0.1, 0.05], by=cosine)", "rex()", "chebyshev()",
    "random(every=1ep)", "noise(sd=0.1)", "plateau(factor=0.5, patience=8)", "greedy(factor=0.8, patience=12, max=300%)",
    "linear(0 -> 1, 5ep) then cosine(1 -> 0)", "warmup(5ep) * step(gamma=0.5, every=8ep)",
    "repeat(linear(), 6ep, decay=0.7)", "clip(cosine(), 20%, 80%)",
    "warmup(3ep) then 0.6 * constant() for 9ep then rex()", "min(cosine(), step(0.5, 10ep))",
    "hold(cosine(), 3ep)", "expr(\"base * (1 - p) * (1 + cos(9 * p)) / 2\")",
]

STYLE = (".s{--fg:#1f2328;--dim:#8b949e;--grid:#d0d7de;--bg:#fff;--line:#0b61a4;background:var(--bg);"
         "font:9px ui-monospace,Menlo,Consolas,monospace}"
         "@media(prefers-color-scheme:dark){.s{--fg:#e6edf3;--dim:#8b949e;--grid:#30363d;--bg:#0d1117;"
         "--line:#58a6ff}}"
         ".s text{fill:var(--fg)}.s .a{stroke:var(--grid);fill:none}.s .b{stroke:var(--dim);stroke-dasharray:2 3}"
         ".s .l{stroke:var(--line);stroke-width:1.5;fill:none;stroke-linejoin:round}")


def values(dump, spec):
    metrics = [repr(m) for m in LOSS] if spec.startswith(("plateau", "greedy")) else []
    out = subprocess.run([dump, "schedule", spec, str(BASE), str(EPOCH), str(TOTAL), str(TOTAL)] + metrics,
                         check=True, capture_output=True, text=True).stdout
    return [float(line) for line in out.split()]


def thin(points):
    """Leaves out what lies on a straight line between the points that stay, to a tenth of a pixel."""
    kept, start = [points[0]], 0
    for end in range(2, len(points)):
        (x0, y0), (x2, y2) = points[start], points[end]
        if any(abs(y0 + (y2 - y0) * (x - x0) / (x2 - x0) - y) > 0.1 for x, y in points[start + 1:end]):
            start = end - 1
            kept.append(points[start])
    return kept + [points[-1]]


def words(spec, width):
    """The spec in lines of at most width characters, cut at blanks."""
    lines = [""]
    for word in spec.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return lines


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def panel(dump, spec, left, top):
    ys = values(dump, spec)
    peak = max(max(ys), BASE) * 1.06
    width = WIDTH - 18
    points = thin([(left + t * width / (TOTAL - 1), top + PLOT_H * (1 - y / peak)) for t, y in enumerate(ys)])
    base = top + PLOT_H * (1 - BASE / peak)
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    out = [f'<path class="a" d="M{left:.1f},{top:.1f}V{top + PLOT_H:.1f}H{left + width:.1f}"/>',
           f'<path class="b" d="M{left:.1f},{base:.1f}H{left + width:.1f}"/>',
           f'<polyline class="l" points="{line}"/>']
    for row, text in enumerate(words(spec, 42)):
        out.append(f'<text x="{left}" y="{top + PLOT_H + 12 + 10 * row}">{escape(text)}</text>')
    return out


def picture(dump):
    rows = -(-len(PANELS) // COLUMNS)
    size = (COLUMNS * WIDTH + 12, rows * HEIGHT + 12)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" class="s" viewBox="0 0 {size[0]} {size[1]}" '
           f'width="{size[0]}" height="{size[1]}" role="img" aria-label="All schedules over 30 epochs">',
           f"<style>{STYLE}</style>"]
    for i, spec in enumerate(PANELS):
        out += panel(dump, spec, 12 + i % COLUMNS * WIDTH, 12 + i // COLUMNS * HEIGHT)
    return "\n".join(out + ["</svg>", ""])


def missing():
    names = re.search(r"schedule_plugins = \[(.*?)\]", (ROOT / "plugins" / "meson.build").read_text(), re.S)
    return [name for name in re.findall(r"'(\w+)'", names.group(1))
            if not any(re.search(rf"\b{name}\(", spec) for spec in PANELS)]


if missing():
    print("not in the picture:", ", ".join(missing()))
    sys.exit(1)
drawn = picture(sys.argv[1])
if sys.argv[2:] == ["--write"]:
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(drawn, encoding="utf-8")
elif not PICTURE.exists() or PICTURE.read_text(encoding="utf-8") != drawn:
    print(f"{PICTURE.name} is not current: run scripts/picture_schedules.py {sys.argv[1]} --write")
    sys.exit(1)
print(f"{len(PANELS)} panels")
