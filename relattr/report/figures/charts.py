"""The charts of the page: intervals, accuracy against time, critical difference, learning curves; as inline SVG."""

from __future__ import annotations

import math
import textwrap

import numpy as np
from numpy.typing import NDArray

from relattr.report.figures.svg import (
    axis_ticks,
    svg_circle,
    svg_figure,
    svg_label,
    svg_line,
    svg_text,
    wrap_label,
)
from relattr.report.tables.captions import MAX_RANKED
from relattr.report.tables.table import PaperTable
from relattr.statistics.ranks import Ranks

WIDTH = 720
LABEL_WIDTH = 230
MAX_LEGEND = 60
"""How many points the legend of the cost chart names; the others are named by tooltips only."""
ROUND_DURATIONS = (60.0, 600.0, 3600.0, 36000.0, 86400.0, 864000.0)
"""Durations from a minute, in seconds, that an axis of time is labelled with."""
N_MARKERS = 8
"""Number of marker colours; `page.html.jinja` defines them as the classes m0, m1, ..."""


def interval_chart(table: PaperTable, column: int, key: str) -> str | None:
    """Accuracy of each method in a column with its interval, and the published number; None without measurements."""
    rows = [(row, row.entries[column]) for row in table.measured_rows]
    rows = [(row, entry) for row, entry in rows if entry.measured is not None or entry.published is not None]
    if not any(entry.measured is not None for _, entry in rows):
        return None
    values = [v for _, e in rows for v in (e.measured, e.lower, e.upper, e.published) if v is not None]
    ticks = axis_ticks(min(values), max(max(values), min(values) + 1.0))
    pitch = (24, 32, 44)[max(len(wrap_label(row.label)) for row, _ in rows) - 1]
    height = pitch * len(rows) + 48

    def x_of(value: float) -> float:
        return LABEL_WIDTH + (WIDTH - LABEL_WIDTH - 20) * (value - ticks[0]) / (ticks[-1] - ticks[0])

    body, descriptions = [], []
    for tick in ticks:
        body += [
            svg_line(x_of(tick), 8, x_of(tick), height - 34, "grid"),
            svg_text(x_of(tick), height - 18, f"{tick:g}", "middle", "tick"),
        ]
    if ticks[0] <= 50.0 <= ticks[-1]:
        body.append(svg_line(x_of(50.0), 8, x_of(50.0), height - 34, "chance"))
    body.append(svg_text((LABEL_WIDTH + WIDTH - 20) / 2, height - 3, "accuracy, per cent", "middle", "axis"))
    for k, (row, entry) in enumerate(rows):
        y = 22 + pitch * k
        body.append(svg_label(LABEL_WIDTH - 12, y + 4, row.label, "end", "name best" if entry.best else "name"))
        parts = []
        if entry.published is not None:
            published = f"published {entry.published:.2f}"
            body.append(
                f'<path d="M{x_of(entry.published):.1f} {y - 6:.1f}l5 6l-5 6l-5 -6z" class="published">'
                f"<title>{published}</title></path>"
            )
            parts.append(published)
        if entry.measured is not None:
            measured = f"measured {entry.measured:.2f}"
            if entry.lower is not None and entry.upper is not None:
                body.append(svg_line(x_of(entry.lower), y, x_of(entry.upper), y, "whisker"))
                body += [svg_line(x_of(v), y - 4, x_of(v), y + 4, "whisker") for v in (entry.lower, entry.upper)]
                parts.insert(0, f"interval {entry.lower:.2f} to {entry.upper:.2f}")
            kind = "measured best" if entry.best else "measured"
            body.append(svg_circle(x_of(entry.measured), y, 4.5, kind, measured))
            parts.insert(0, measured)
        descriptions.append(f"{row.label}: {', '.join(parts)}")
    title = f"{table.columns[column].label}: accuracy with confidence intervals"
    return svg_figure(WIDTH, height, title, "; ".join(descriptions), body, key)


def cost_chart(table: PaperTable, column: int, key: str) -> str | None:
    """Accuracy against the time to fit and compare, on a logarithmic axis; None for fewer than two methods."""
    points = [
        (row.label, row.entries[column])
        for row in table.rows
        if row.entries[column].measured is not None and (row.entries[column].seconds or 0) > 0
    ]
    if len(points) < 2:
        return None
    seconds = [entry.seconds or 0.0 for _, entry in points]
    accuracies = [v for _, e in points for v in (e.measured, e.lower, e.upper) if v is not None]
    durations = _duration_ticks(min(seconds), max(seconds))
    first, last = math.log10(durations[0]), math.log10(durations[-1])
    ticks = axis_ticks(min(accuracies), max(max(accuracies), min(accuracies) + 1.0), 5)
    height, left, bottom = 330, 52, 280

    def x_of(value: float) -> float:
        return left + 12 + (WIDTH - left - 40) * (math.log10(value) - first) / (last - first)

    def y_of(value: float) -> float:
        return 14 + (bottom - 20) * (ticks[-1] - value) / (ticks[-1] - ticks[0])

    body = []
    for tick in ticks:
        body += [
            svg_line(left, y_of(tick), WIDTH - 20, y_of(tick), "grid"),
            svg_text(left - 8, y_of(tick) + 4, f"{tick:g}", "end", "tick"),
        ]
    for duration in durations:
        x = x_of(duration)
        body += [
            svg_line(x, 8, x, bottom, "grid"),
            svg_text(x, bottom + 18, _round_duration(duration), "middle", "tick"),
        ]
    axis = "time to fit and compare: all attributes of the column, one seed"
    body.append(svg_text((left + WIDTH) / 2, height - 10, axis, "middle", "axis"))
    body.append(
        f'<text x="14" y="{bottom / 2:g}" text-anchor="middle" class="axis" '
        f'transform="rotate(-90 14 {bottom / 2:g})">accuracy, per cent</text>'
    )
    ranked = sorted(points, key=lambda point: -(point[1].measured or 0))
    for k, (label, entry) in enumerate(ranked):
        x, y = x_of(entry.seconds or 1.0), y_of(entry.measured or 0.0)
        if entry.lower is not None and entry.upper is not None:
            body.append(svg_line(x, y_of(entry.lower), x, y_of(entry.upper), f"whisker m{k % N_MARKERS}"))
        tooltip = f"{label}: {entry.measured:.2f} % in {_duration(entry.seconds or 0)}"
        body.append(svg_circle(x, y, 9, f"point m{k % N_MARKERS}", tooltip))
        body.append(svg_text(x, y + 3.6, str(k + 1), "middle", "number"))
    named = ranked[:MAX_LEGEND]
    n_columns = 1 if any(len(label) > 36 for label, _ in named) else 2  # labels inside the plot would overlap
    for k, (label, entry) in enumerate(named):
        x, y = 20 + (WIDTH - 20) / 2 * (k % n_columns), height + 14 + 22 * (k // n_columns)
        body.append(svg_circle(x, y - 4, 8, f"point m{k % N_MARKERS}"))
        body.append(svg_text(x, y - 0.5, str(k + 1), "middle", "number"))
        body.append(svg_text(x + 14, y, f"{label}, {_duration(entry.seconds or 0)}", "start", "name", 96 // n_columns))
    height += 24 + 22 * ((len(named) + n_columns - 1) // n_columns)
    description = "; ".join(f"{label}: {e.measured:.2f} % in {_duration(e.seconds or 0)}" for label, e in points)
    return svg_figure(WIDTH, height, f"{table.columns[column].label}: accuracy against time", description, body, key)


def critical_difference_diagram(ranks: Ranks, key: str) -> str | None:
    """Average ranks on an axis; bars join methods that do not differ significantly (Demsar, JMLR 2006).

    None for more than `MAX_RANKED` methods.
    """
    k = len(ranks.methods)
    if k > MAX_RANKED:
        return None
    half = (k + 1) // 2
    top = 64 + 12 * len(ranks.groups)
    n_lines = max(len(textwrap.wrap(f"{m} (9.99)", 28, break_on_hyphens=False)) for m in ranks.methods)
    pitch = 8 + 14 * min(n_lines, 3)
    height = top + pitch * half + 12
    worst = float(max(k, 2))
    left, right = 210.0, WIDTH - 210.0

    def x_of(rank: float) -> float:
        return left + (right - left) * (rank - 1.0) / (worst - 1.0)

    body = [svg_line(left, 40, right, 40, "axisline")]
    for rank in range(1, k + 1, max(1, k // 10)):
        x = x_of(rank)
        body += [svg_line(x, 35, x, 40, "axisline"), svg_text(x, 28, str(rank), "middle", "tick")]
    end_of_critical = x_of(1.0 + min(ranks.critical, worst - 1.0))
    body += [
        svg_line(left, 10, end_of_critical, 10, "whisker"),
        svg_text(end_of_critical + 6, 14, f"critical difference {ranks.critical:.2f}", "start", "tick"),
    ]
    for g, group in enumerate(ranks.groups):
        averages = [ranks.average[ranks.methods.index(method)] for method in group]
        y = 52 + 12 * g
        body.append(svg_line(x_of(min(averages)) - 4, y, x_of(max(averages)) + 4, y, "group"))
    for n, (method, average) in enumerate(zip(ranks.methods, ranks.average, strict=True)):
        on_left = n < half
        x = x_of(average)
        y = top + pitch * (n if on_left else k - 1 - n)
        end, label_x, anchor = (left - 12, left - 16, "end") if on_left else (right + 12, right + 16, "start")
        body += [
            f'<polyline points="{x:.1f},40 {x:.1f},{y:.1f} {end:.1f},{y:.1f}" class="stem"/>',
            svg_label(label_x, y + 4, f"{method} ({average:.2f})", anchor, line_length=28),
        ]
    averages_text = ", ".join(f"{m} {a:.2f}" for m, a in zip(ranks.methods, ranks.average, strict=True))
    groups = "; ".join(", ".join(group) for group in ranks.groups) or "none"
    description = f"Average ranks, 1 is best: {averages_text}. Groups without significant differences: {groups}"
    return svg_figure(WIDTH, height, "Critical-difference diagram", description, body, key)


def learning_curve_chart(curve: NDArray[np.float64], title: str, key: str) -> str | None:
    """Training loss and, where it was evaluated, held-out accuracy over the steps; None without a loss.

    ``curve`` ``(points, 4)``: step, loss, accuracy in [0, 1] or NaN, seconds since the start. The axis of the loss
    begins at 0, so that curves beside each other can be compared.
    """
    panels = []
    for column, name, factor in ((1, "loss", 1.0), (2, "held-out accuracy, per cent", 100.0)):
        known = np.isfinite(curve[:, column]) & np.isfinite(curve[:, 0])
        if known.sum() > 1:
            panels.append((name, curve[known, 0], factor * curve[known, column]))
    if not panels or np.ptp(panels[0][1]) == 0:
        return None
    body, descriptions = [], []
    panel_pitch, panel_height = 360.0, 120.0
    panel_width = panel_pitch - 84
    for k, (name, x, y) in enumerate(panels):
        left = 44.0 + k * panel_pitch
        steps = axis_ticks(float(x.min()), float(max(x.max(), x.min() + 1e-9)), 4)
        lowest = min(float(y.min()), 0.0) if name == "loss" else float(y.min())
        ticks = axis_ticks(lowest, max(float(y.max()), lowest + 1e-9 + abs(lowest) * 1e-3), 4)
        xs = left + panel_width * (x - steps[0]) / (steps[-1] - steps[0])
        ys = 24 + panel_height * (ticks[-1] - y) / (ticks[-1] - ticks[0])
        for tick in ticks:
            at = 24 + panel_height * (ticks[-1] - tick) / (ticks[-1] - ticks[0])
            body.append(svg_line(left, at, left + panel_width, at, "grid"))
            body.append(svg_text(left - 6, at + 4, f"{tick:g}", "end", "tick"))
        for tick in (steps[0], steps[-1]):
            at = left + panel_width * (tick - steps[0]) / (steps[-1] - steps[0])
            body.append(svg_text(at, 24 + panel_height + 17, f"{tick:g}", "middle", "tick"))
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(xs, ys, strict=True))
        body.append(f'<polyline points="{points}" class="curve m{k}"/>')
        body.append(svg_text(left, 12, name, "start", "axis"))
        body.append(svg_text(left + panel_width / 2, 24 + panel_height + 17, "step", "middle", "axis"))
        descriptions.append(f"{name} from {y[0]:.4g} to {y[-1]:.4g}")
    seconds = curve[np.isfinite(curve[:, 3]), 3]
    duration = f"; {_duration(float(seconds[-1]))} in total" if seconds.size and seconds[-1] > 0 else ""
    description = f"{'; '.join(descriptions)}, over {panels[0][1].max():,.0f} steps{duration}"
    return svg_figure(panel_pitch * len(panels), panel_height + 48, title, description, body, key)


def _duration_ticks(least: float, most: float) -> list[float]:
    """Round durations in seconds, each about ten times the one before, from at most ``least`` to more than ``most``."""
    ticks = [*(10.0**power for power in range(-9, 2)), *ROUND_DURATIONS]
    while ticks[-1] <= most:
        ticks.append(10 * ticks[-1])
    first = max(k for k, tick in enumerate(ticks) if tick <= least or not k)
    last = min(k for k, tick in enumerate(ticks) if tick > most)
    return ticks[first : last + 1]


def _round_duration(seconds: float) -> str:
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0)):
        if seconds >= size:
            return f"{seconds / size:g} {unit}"
    return f"{1000 * seconds:.3g} ms"


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"
