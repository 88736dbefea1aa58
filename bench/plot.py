# SPDX-License-Identifier: BSD-3-Clause
"""Draws SVG for docs/bench.md: lines over a scale, and groups of bars. Nothing beyond the standard library."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 170, 44, 52
COLOURS = ("#0b62a4", "#c8511b", "#4d8a2f", "#8a3fa0", "#a67c00", "#5b6770")
DASHES = ("", "6 3", "2 3", "8 3 2 3", "4 4", "1 2")


def nice_step(span, parts=6):
    """1, 2 or 5 times a power of ten, so that about so many fit into span."""
    raw = span / parts
    power = 10 ** math.floor(math.log10(raw))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)


def number(value):
    """Short, as on an axis."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:.3g} M"
    if abs(value) >= 1e4:
        return f"{value / 1e3:.3g} k"
    return f"{value:g}"


class Picture:
    """SVG elements, and the frame that all plots share. The vertical scale begins at 0, so that ratios do not deceive, or
    is logarithmic from the power of ten below least."""

    def __init__(self, title, x_label, y_label, most, least=None):
        if least:
            self.decades = math.floor(math.log10(least)), math.ceil(math.log10(most))
            marks = [10.0 ** n for n in range(self.decades[0], self.decades[1] + 1)]
        else:
            step = nice_step(most or 1)
            self.decades, self.top_value = None, math.ceil(most / step) * step or 1
            marks = [i * step for i in range(round(self.top_value / step) + 1)]
        self.parts = []
        self.text(LEFT, 22, title, "start", 15, "bold")
        self.text(LEFT + (WIDTH - LEFT - RIGHT) / 2, HEIGHT - 10, x_label)
        self.parts.append(f'<text x="16" y="{(TOP + HEIGHT - BOTTOM) / 2:.1f}" text-anchor="middle" font-size="12" '
                          f'transform="rotate(-90 16 {(TOP + HEIGHT - BOTTOM) / 2:.1f})">{escape(y_label)}</text>')
        for i, mark in enumerate(marks):
            y = self.y(mark)
            self.line(LEFT, y, WIDTH - RIGHT, y, "#dddddd" if i else "#333333")
            self.text(LEFT - 6, y + 4, number(mark), "end")

    def y(self, value):
        part = value / self.top_value if not self.decades else (
            (math.log10(value) - self.decades[0]) / ((self.decades[1] - self.decades[0]) or 1))
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)

    def text(self, x, y, what, anchor="middle", size=12, weight="normal"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
                          f'font-weight="{weight}">{escape(what)}</text>')

    def line(self, x1, y1, x2, y2, colour, width=1, dash=""):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
                          f'stroke-width="{width}" stroke-dasharray="{dash}"/>')

    def legend(self, names):
        for i, name in enumerate(names):
            y = TOP + 8 + 20 * i
            x = WIDTH - RIGHT + 14
            self.line(x, y, x + 24, y, COLOURS[i % 6], 3, DASHES[i % 6])
            self.text(x + 30, y + 4, name, "start")

    def svg(self):
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
                'font-family="sans-serif" fill="#222222">\n<rect width="100%" height="100%" fill="white"/>\n'
                + "\n".join(self.parts) + "\n</svg>\n")


def lines(title, x_label, y_label, series, logarithmic=False):
    """series: name -> [(x, y), ...] with x above 0. The horizontal scale is logarithmic; its marks are the values of x.
    logarithmic: the vertical one, too."""
    values = [y for points in series.values() for _, y in points]
    p = Picture(title, x_label, y_label, max(values), min(values) if logarithmic else None)
    marks = sorted({x for points in series.values() for x, _ in points})
    low, high = math.log(marks[0]), math.log(marks[-1])

    def at(x):
        return LEFT + 12 + (math.log(x) - low) / ((high - low) or 1) * (WIDTH - LEFT - RIGHT - 24)
    for x in marks:
        p.text(at(x), HEIGHT - BOTTOM + 18, number(x))
        p.line(at(x), HEIGHT - BOTTOM, at(x), HEIGHT - BOTTOM + 4, "#333333")
    for i, points in enumerate(series.values()):
        path = " ".join(f"{at(x):.1f},{p.y(y):.1f}" for x, y in points)
        p.parts.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[i % 6]}" stroke-width="2" '
                       f'stroke-dasharray="{DASHES[i % 6]}"/>')
        p.parts += [f'<circle cx="{at(x):.1f}" cy="{p.y(y):.1f}" r="3" fill="{COLOURS[i % 6]}"/>' for x, y in points]
    p.legend(series)
    return p.svg()


def bars(title, x_label, y_label, groups):
    """groups: name -> {series: y}; a group of bars each, one bar a series."""
    names = list(dict.fromkeys(s for g in groups.values() for s in g))
    p = Picture(title, x_label, y_label, max(y for g in groups.values() for y in g.values()))
    pitch = (WIDTH - LEFT - RIGHT) / len(groups)
    width = pitch * 0.8 / len(names)
    for g, (group, values) in enumerate(groups.items()):
        p.text(LEFT + (g + 0.5) * pitch, HEIGHT - BOTTOM + 18, group)
        for i, name in enumerate(names):
            if name not in values:
                continue
            x, y = LEFT + g * pitch + pitch * 0.1 + i * width, p.y(values[name])
            p.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width * 0.92:.1f}" height="{HEIGHT - BOTTOM - y:.1f}" '
                           f'fill="{COLOURS[i % 6]}"/>')
            p.text(x + width * 0.46, y - 4, number(float(f"{values[name]:.3g}")), size=10)
    p.legend(names)
    return p.svg()


def cycles_per_packet(title, series):
    """series: table ("1 route", "full table, 8,192 packets") -> [(burst, cycles a packet), ...]"""
    return lines(title, "packets a burst", "TSC cycles a packet", series)
