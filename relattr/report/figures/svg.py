"""SVG elements as text. Text stays text, colours are classes of the page, and every figure is described in words."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from html import escape


def svg_figure(width: float, height: float, title: str, description: str, body: Sequence[str], key: str) -> str:
    """An ``svg`` element with a title and a description for screen readers; ``key`` is unique on the page."""
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-labelledby="{key}-t {key}-d" class="figure">'
        f'<title id="{key}-t">{escape(title)}</title><desc id="{key}-d">{escape(description)}</desc>'
        f"{''.join(body)}</svg>"
    )


def svg_text(x: float, y: float, text: str, anchor: str = "start", kind: str = "", max_length: int = 0) -> str:
    """Text on one line; if it is cut to ``max_length`` characters, the whole is its tooltip."""
    shown = text if not max_length or len(text) <= max_length else text[: max_length - 1] + "…"
    tooltip = f"<title>{escape(text)}</title>" if shown != text else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(shown)}{tooltip}</text>'


def wrap_label(label: str, line_length: int = 30) -> list[str]:
    """A label in at most three lines."""
    return textwrap.wrap(label, line_length, break_on_hyphens=False)[:3] or [""]


def svg_label(x: float, y: float, label: str, anchor: str, kind: str = "name", line_length: int = 30) -> str:
    """A label in up to three lines, centred vertically at ``y``."""
    lines = wrap_label(label, line_length)
    top = y - 7.0 * (len(lines) - 1)
    spans = "".join(f'<tspan x="{x:.1f}" y="{top + 14 * k:.1f}">{escape(s)}</tspan>' for k, s in enumerate(lines))
    return f'<text text-anchor="{anchor}" class="{kind}">{spans}<title>{escape(label)}</title></text>'


def svg_line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """A straight line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def svg_circle(x: float, y: float, radius: float, kind: str, tooltip: str = "") -> str:
    """A circle."""
    inner = f"><title>{escape(tooltip)}</title></circle>" if tooltip else "/>"
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" class="{kind}"{inner}'


def axis_ticks(lower: float, upper: float, about: int = 6) -> list[float]:
    """About so many round numbers, from at or below ``lower`` to at or above ``upper``."""
    step = 10 ** math.floor(math.log10((upper - lower) / about))
    for factor in (1, 2, 5, 10):
        if (upper - lower) / (step * factor) <= about:
            step *= factor
            break
    first, last = math.floor(lower / step + 1e-9), math.ceil(upper / step - 1e-9)
    return [k * step for k in range(first, last + 1)]
