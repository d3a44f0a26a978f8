"""Figures as inline SVG: text stays text, colours follow the page, and each says in words what it shows."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from relattr.report.tables.table import PaperTable
from relattr.statistics.ranks import Ranks

WIDTH = 720
LABEL = 230
KEY = 60
"""Up to so many points are named below a figure; the others only where one points at them."""
MARKS = 8
"""Different looks of points; `page.html.jinja` has their colours."""


def _svg(width: float, height: float, title: str, description: str, body: Sequence[str], key: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-labelledby="{key}-t {key}-d" class="figure">'
        f'<title id="{key}-t">{escape(title)}</title><desc id="{key}-d">{escape(description)}</desc>'
        f"{''.join(body)}</svg>"
    )


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "", most: int = 0) -> str:
    shown = text if not most or len(text) <= most else text[: most - 1] + "…"
    title = f"<title>{escape(text)}</title>" if shown != text else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(shown)}{title}</text>'


def _lines(label: str, most: int = 30) -> list[str]:
    """A name in at most three lines."""
    return textwrap.wrap(label, most, break_on_hyphens=False)[:3] or [""]


def _name(x: float, y: float, label: str, anchor: str, kind: str = "name", most: int = 30) -> str:
    """A name whole, in as many lines as it needs, about the height ``y``."""
    lines = _lines(label, most)
    top = y - 7.0 * (len(lines) - 1)
    spans = "".join(f'<tspan x="{x:.1f}" y="{top + 14 * k:.1f}">{escape(s)}</tspan>' for k, s in enumerate(lines))
    return f'<text text-anchor="{anchor}" class="{kind}">{spans}<title>{escape(label)}</title></text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Round numbers from at or below ``low`` to at or above ``high``."""
    step = 10 ** math.floor(math.log10((high - low) / about))
    for factor in (1, 2, 5, 10):
        if (high - low) / (step * factor) <= about:
            step *= factor
            break
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [k * step for k in range(first, last + 1)]


def intervals(table: PaperTable, column: int, key: str) -> str | None:
    """Dots and whiskers: each method's accuracy in a column with its interval, and the published number."""
    lines = [(line, line.entries[column]) for line in table.lines if line.block < 2]
    lines = [(line, e) for line, e in lines if e.measured is not None or e.published is not None]
    if not any(e.measured is not None for _, e in lines):
        return None
    known = [v for _, e in lines for v in (e.measured, e.low, e.high, e.published) if v is not None]
    marks = ticks(min(known), max(max(known), min(known) + 1.0))
    low, high = marks[0], marks[-1]
    pitch = (24, 32, 44)[max(len(_lines(line.label)) for line, _ in lines) - 1]
    height = pitch * len(lines) + 48

    def place(value: float) -> float:
        return LABEL + (WIDTH - LABEL - 20) * (value - low) / (high - low)

    body, words = [], []
    for mark in marks:
        body += [
            _line(place(mark), 8, place(mark), height - 34, "grid"),
            _text(place(mark), height - 18, f"{mark:g}", "middle", "tick"),
        ]
    if low <= 50.0 <= high:
        body.append(_line(place(50.0), 8, place(50.0), height - 34, "chance"))
    body.append(_text((LABEL + WIDTH - 20) / 2, height - 3, "accuracy, per cent", "middle", "axis"))
    for k, (line, e) in enumerate(lines):
        y = 22 + pitch * k
        body.append(_name(LABEL - 12, y + 4, line.label, "end", "name best" if e.best else "name"))
        said = []
        if e.published is not None:
            x = place(e.published)
            body.append(
                f'<path d="M{x:.1f} {y - 6:.1f}l5 6l-5 6l-5 -6z" class="published">'
                f"<title>published {e.published:.2f}</title></path>"
            )
            said.append(f"published {e.published:.2f}")
        if e.measured is not None:
            if e.low is not None and e.high is not None:
                body.append(_line(place(e.low), y, place(e.high), y, "whisker"))
                body += [_line(place(v), y - 4, place(v), y + 4, "whisker") for v in (e.low, e.high)]
                said.insert(0, f"interval {e.low:.2f} to {e.high:.2f}")
            body.append(
                f'<circle cx="{place(e.measured):.1f}" cy="{y}" r="4.5" class="measured{" best" if e.best else ""}">'
                f"<title>measured {e.measured:.2f}</title></circle>"
            )
            said.insert(0, f"measured {e.measured:.2f}")
        words.append(f"{line.label}: {', '.join(said)}")
    return _svg(WIDTH, height, f"{table.columns[column].label}: accuracy with intervals", "; ".join(words), body, key)


def cost(table: PaperTable, column: int, key: str) -> str | None:
    """Accuracy against the seconds of fitting and comparing, on a logarithmic axis."""
    points = [
        (line.label, line.entries[column])
        for line in table.lines
        if line.entries[column].measured is not None and (line.entries[column].seconds or 0) > 0
    ]
    if len(points) < 2:
        return None
    spent = [e.seconds or 0.0 for _, e in points]
    right = [v for _, e in points for v in (e.measured, e.low, e.high) if v is not None]
    first, last = math.floor(math.log10(min(spent))), math.ceil(math.log10(max(spent) * 1.0001))
    last = max(last, first + 1)
    marks = ticks(min(right), max(max(right), min(right) + 1.0), 5)
    height, left, bottom = 330, 52, 280

    def x_of(value: float) -> float:
        return left + 12 + (WIDTH - left - 40) * (math.log10(value) - first) / (last - first)

    def y_of(value: float) -> float:
        return 14 + (bottom - 20) * (marks[-1] - value) / (marks[-1] - marks[0])

    body = []
    for mark in marks:
        body += [
            _line(left, y_of(mark), WIDTH - 20, y_of(mark), "grid"),
            _text(left - 8, y_of(mark) + 4, f"{mark:g}", "end", "tick"),
        ]
    for power in range(first, last + 1):
        x = x_of(10.0**power)
        body += [_line(x, 8, x, bottom, "grid"), _text(x, bottom + 18, _seconds(10.0**power), "middle", "tick")]
    body.append(
        _text(
            (left + WIDTH) / 2,
            height - 10,
            "time to fit and compare, all attributes of the column, one seed",
            "middle",
            "axis",
        )
    )
    body.append(
        f'<text x="14" y="{bottom / 2:g}" text-anchor="middle" class="axis" '
        f'transform="rotate(-90 14 {bottom / 2:g})">accuracy, per cent</text>'
    )
    ranked = sorted(points, key=lambda p: -(p[1].measured or 0))
    for k, (label, e) in enumerate(ranked):
        x, y = x_of(e.seconds or 1.0), y_of(e.measured or 0.0)
        if e.low is not None and e.high is not None:
            body.append(_line(x, y_of(e.low), x, y_of(e.high), f"whisker m{k % MARKS}"))
        body.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="9" class="point m{k % MARKS}">'
            f"<title>{escape(label)}: {e.measured:.2f} % in {_seconds(e.seconds or 0)}</title></circle>"
        )
        body.append(_text(x, y + 3.6, str(k + 1), "middle", "number"))
    shown = ranked[:KEY]
    beside = 1 if any(len(label) > 36 for label, _ in shown) else 2  # names in the plot would lie on each other
    for k, (label, e) in enumerate(shown):
        x, y = 20 + (WIDTH - 20) / 2 * (k % beside), height + 14 + 22 * (k // beside)
        body.append(f'<circle cx="{x:.1f}" cy="{y - 4:.1f}" r="8" class="point m{k % MARKS}"/>')
        body.append(_text(x, y - 0.5, str(k + 1), "middle", "number"))
        body.append(_text(x + 14, y, f"{label}, {_seconds(e.seconds or 0)}", "start", "name", 96 // beside))
    height += 24 + 22 * ((len(shown) + beside - 1) // beside)
    words = "; ".join(f"{label}: {e.measured:.2f} % in {_seconds(e.seconds or 0)}" for label, e in points)
    return _svg(WIDTH, height, f"{table.columns[column].label}: accuracy against cost", words, body, key)


def _seconds(value: float) -> str:
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if value >= 2 * size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g} s" if value >= 1 else f"{1000 * value:.3g} ms"


def critical_difference(ranks: Ranks, key: str) -> str | None:
    """Average ranks on a line; a bar joins the methods that cannot be told apart (Demsar, JMLR 2006)."""
    k = len(ranks.methods)
    if k > 40:
        return None
    half = (k + 1) // 2
    top = 64 + 12 * len(ranks.groups)
    lines = max(len(textwrap.wrap(f"{m} (9.99)", 28, break_on_hyphens=False)) for m in ranks.methods)
    pitch = 8 + 14 * min(lines, 3)
    height = top + pitch * half + 12
    low, high = 1.0, float(max(k, 2))
    left, right = 210.0, WIDTH - 210.0

    def place(rank: float) -> float:
        return left + (right - left) * (rank - low) / (high - low)

    body = [_line(left, 40, right, 40, "axisline")]
    step = max(1, k // 10)
    for r in range(1, k + 1, step):
        body += [_line(place(r), 35, place(r), 40, "axisline"), _text(place(r), 28, str(r), "middle", "tick")]
    shown = min(ranks.critical, high - low)
    body += [
        _line(left, 10, place(low + shown), 10, "whisker"),
        _text(place(low + shown) + 6, 14, f"critical difference {ranks.critical:.2f}", "start", "tick"),
    ]
    for g, group in enumerate(ranks.groups):
        at = [ranks.average[ranks.methods.index(m)] for m in group]
        body.append(_line(place(min(at)) - 4, 52 + 12 * g, place(max(at)) + 4, 52 + 12 * g, "group"))
    for n, (method, average) in enumerate(zip(ranks.methods, ranks.average, strict=True)):
        x = place(average)
        y = top + pitch * (n if n < half else k - 1 - n)
        end = left - 12 if n < half else right + 12
        body += [
            f'<polyline points="{x:.1f},40 {x:.1f},{y:.1f} {end:.1f},{y:.1f}" class="stem"/>',
            _name(
                end - 4 if n < half else end + 4,
                y + 4,
                f"{method} ({average:.2f})",
                "end" if n < half else "start",
                most=28,
            ),
        ]
    words = "Average ranks, 1 is best: " + ", ".join(
        f"{m} {a:.2f}" for m, a in zip(ranks.methods, ranks.average, strict=True)
    )
    words += ". Not told apart: " + ("; ".join(", ".join(g) for g in ranks.groups) or "none")
    return _svg(WIDTH, height, "Critical-difference diagram", words, body, key)


def learning(curve: NDArray[np.float64], title: str, key: str) -> str | None:
    """How a cell learnt, small: loss and, where it was looked at, held-out accuracy, over the steps.

    ``curve`` ``(points, 4)``: step, loss, accuracy in [0, 1] or NaN, seconds since the start.
    """
    panels = []
    for column, name, factor in ((1, "loss", 1.0), (2, "held-out accuracy, per cent", 100.0)):
        known = np.isfinite(curve[:, column]) & np.isfinite(curve[:, 0])
        if known.sum() > 1:
            panels.append((name, curve[known, 0], factor * curve[known, column]))
    if not panels or np.ptp(panels[0][1]) == 0:
        return None
    body, words = [], []
    wide, high = 330.0, 120.0
    for k, (name, x, y) in enumerate(panels):
        left = 44.0 + k * (wide + 30)
        across = ticks(float(x.min()), float(max(x.max(), x.min() + 1e-9)), 4)
        low = float(y.min())
        up = ticks(low, max(float(y.max()), low + 1e-9 + abs(low) * 1e-3), 4)
        px = left + (wide - 54) * (x - across[0]) / (across[-1] - across[0])
        py = 24 + high * (up[-1] - y) / (up[-1] - up[0])
        for mark in up:
            at = 24 + high * (up[-1] - mark) / (up[-1] - up[0])
            body += [_line(left, at, left + wide - 54, at, "grid"), _text(left - 6, at + 4, f"{mark:g}", "end", "tick")]
        for mark in (across[0], across[-1]):
            at = left + (wide - 54) * (mark - across[0]) / (across[-1] - across[0])
            body.append(_text(at, 24 + high + 17, f"{mark:g}", "middle", "tick"))
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(px, py, strict=True))
        body.append(f'<polyline points="{points}" class="curve m{k}"/>')
        body.append(_text(left, 12, name, "start", "axis"))
        body.append(_text(left + (wide - 54) / 2, 24 + high + 17, "step", "middle", "axis"))
        words.append(f"{name} from {y[0]:.4g} to {y[-1]:.4g}")
    seconds = curve[np.isfinite(curve[:, 3]), 3]
    spent = f"; {_seconds(float(seconds[-1]))} in all" if seconds.size and seconds[-1] > 0 else ""
    return _svg(WIDTH, high + 48, title, f"{'; '.join(words)}, over {panels[0][1].max():,.0f} steps{spent}", body, key)
