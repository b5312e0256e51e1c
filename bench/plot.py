#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Pictures of bench figures, with the standard library only:
plot.py roofline CSV SVG   lehr-bench's rows under the roofline of its head: operations a byte, GFLOP/s
plot.py ratios SVG CSV...  the ratios of bench/peers with their spread, and the goals"""
import csv
import math
import re
import sys
from html import escape

COLOURS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#a463f2", "#97bbf5", "#9c6b4e", "#9498a0", "#e377c2")
STYLE = ("<style>text{font:11px sans-serif;fill:#333}.g{stroke:#ccc}.r{stroke:#666;fill:none;stroke-width:1.5}"
         "@media(prefers-color-scheme:dark){text{fill:#ddd}.g{stroke:#444}.r{stroke:#aaa}}</style>")


def read(path):
    with open(path, encoding="utf-8") as text:
        lines = text.read().splitlines()
    return [line for line in lines if line.startswith("#")], list(
        csv.DictReader(line for line in lines if not line.startswith("#")))


def page(width, height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}">{STYLE}{"".join(parts)}</svg>\n')


def text(x, y, words, anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def line(x1, y1, x2, y2, kind="g"):
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def roofline(path):
    """The fastest variant of each problem, by kind of operation."""
    head, rows = read(path)
    peak, copy = map(float, re.search(r"fma ([\d.]+) GFLOP/s, copy ([\d.]+) GB/s", "\n".join(head)).groups())
    best = {}
    for row in rows:
        key = row["op"], row["problem"]
        if float(row["flops"]) > 0 and (key not in best or float(row["ms"]) < float(best[key]["ms"])):
            best[key] = row
    width, height, left, top, bottom = 820, 460, 60, 40, 400
    xs, ys = (0.05, 2000.0), (1.0, 1000.0)

    def at(x, y):
        def share(value, low_high):
            low, high = (math.log(v) for v in low_high)
            return (math.log(min(max(value, low_high[0]), low_high[1])) - low) / (high - low)
        return left + share(x, xs) * 560, bottom - share(y, ys) * (bottom - top)

    parts = [text(left, 20, f"{head[1][2:] if len(head) > 1 else ''}: {peak:.0f} GFLOP/s, {copy:.0f} GB/s")]
    for x in (0.1, 1, 10, 100, 1000):
        parts += [line(*at(x, ys[0]), *at(x, ys[1])), text(at(x, 1)[0], bottom + 15, f"{x:g}", "middle")]
    for y in (1, 10, 100, 1000):
        parts += [line(*at(xs[0], y), *at(xs[1], y)), text(left - 6, at(1, y)[1] + 4, f"{y:g}", "end")]
    knee = peak / copy
    parts += [line(*at(xs[0], xs[0] * copy), *at(knee, peak), "r"), line(*at(knee, peak), *at(xs[1], peak), "r"),
              text(left + 280, bottom + 35, "operations a byte (operands once)", "middle"),
              text(left, top - 6, "GFLOP/s (Winograd saves operations that are counted)")]
    ops = sorted({row["op"] for row in best.values()})
    for i, op in enumerate(ops):
        colour, hollow = COLOURS[i % len(COLOURS)], i >= len(COLOURS)
        paint = f'fill="{"none" if hollow else colour}" stroke="{colour}"'
        parts += [f'<circle cx="{left + 580}" cy="{top + 16 * i}" r="4" {paint}/>', text(left + 590, top + 4 + 16 * i, op)]
        for row in (r for r in best.values() if r["op"] == op):
            x, y = at(float(row["flops"]) / float(row["bytes"]), float(row["gflops"]))
            tip = f'{op} {row["problem"]} {row["variant"]}: {row["ms"]} ms, {row["gflops"]} GFLOP/s, {row["gbs"]} GB/s'
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" {paint}><title>{escape(tip)}</title></circle>')
    return page(width, max(height, top + 16 * len(ops) + 10), parts)


def label(row):
    if "model" in row:
        return "step " + row["model"]
    if "pass" in row:
        return f'{row["pass"]} {row["c"]}->{row["k"]} {row["h"]}px {row["r"]}x{row["s"]} s{row["stride"]}'
    if "trans_a" in row:
        return f'product {row["m"]}x{row["n"]}x{row["k"]}, {row["peer"]}'
    return f'Adam, {row.get("weights", "")} weights'


def ratios(paths):
    rows = [row for path in paths for row in read(path)[1] if row.get("ratio")]
    most = max([float(row["high"]) for row in rows] + [3.0])
    most = min(most, 6.0)
    width, left, step = 820, 260, 18

    def x(value):
        return left + min(value, most) / most * (width - left - 60)

    height = 50 + step * len(rows)
    parts = [text(left, 16, "peer's time / lehr's, medians of alternated rounds; line: least to largest; |: goal")]
    parts += [line(x(v), 24, x(v), height - 10) + text(x(v), height, f"{v}", "middle") for v in range(int(most) + 1)]
    for i, row in enumerate(rows):
        y, ratio, goal = 36 + step * i, float(row["ratio"]), float(row["goal"] or 0)
        colour = COLOURS[4] if ratio >= goal else COLOURS[2]
        parts += [text(left - 8, y + 4, label(row), "end"),
                  f'<rect x="{left}" y="{y - 5}" width="{x(ratio) - left:.1f}" height="10" fill="{colour}" opacity="0.8"/>',
                  line(x(float(row["low"])), y, x(float(row["high"])), y, "r"),
                  text(x(max(ratio, goal, float(row["high"]))) + 6, y + 4, f"{ratio:.2f}")]
        if goal:
            parts.append(line(x(goal), y - 7, x(goal), y + 7, "r"))
    return page(width, height + 10, parts)


def main():
    if len(sys.argv) >= 4 and sys.argv[1] == "roofline":
        out, picture = sys.argv[3], roofline(sys.argv[2])
    elif len(sys.argv) >= 4 and sys.argv[1] == "ratios":
        out, picture = sys.argv[2], ratios(sys.argv[3:])
    else:
        sys.exit(__doc__)
    with open(out, "w", encoding="utf-8") as file:
        file.write(picture)


if __name__ == "__main__":
    main()
