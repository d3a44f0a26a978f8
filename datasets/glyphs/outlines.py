"""Outlines of shapes: polygons ``(n, 2)`` around the origin, x right and y down."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

Outline = NDArray[np.float64]

ROUND = 40
"""Corners of what should look round."""

SHARPEST = 0.36
"""Inner over outer radius of a star of spikiness 1."""


def turned(outline: Outline, angle: float) -> Outline:
    """The outline turned by ``angle`` radians."""
    c, s = math.cos(angle), math.sin(angle)
    return outline @ np.array([[c, s], [-s, c]])


def ngon(n: int, radius: float = 1.0) -> Outline:
    """The regular polygon of ``n`` corners."""
    return radius * _circle(n)


@cache
def _circle(n: int) -> Outline:
    around = 2.0 * math.pi * np.arange(n) / n
    corners = np.stack([np.cos(around), np.sin(around)], axis=1)
    corners.flags.writeable = False
    return corners


def star(spikes: int, inner: float) -> Outline:
    """A star of outer radius 1 whose notches reach to ``inner`` of it."""
    corners = ngon(2 * spikes)
    corners[1::2] *= inner
    return corners


def glyph(spikes: int, spikiness: float) -> Outline:
    """The mark that carries a strength: blunt at spikiness 0 (all but a disc), a sharp star at 1.

    Its area is that of the disc of radius 1 whatever the spikiness, so the amount of ink, and with it
    every mean colour, says nothing about the strength.
    """
    inner = 1.0 - (1.0 - SHARPEST) * spikiness
    area = spikes * inner * math.sin(math.pi / spikes)
    return star(spikes, inner) * math.sqrt(math.pi / area)


def reach(spikes: int, spikiness: float) -> float:
    """The distance of the farthest corner of `glyph` from its centre."""
    return float(glyph(spikes, spikiness)[0, 0])


def compactness(outline: Outline) -> float:
    """Perimeter squared over 4 pi times the area: 1 for a disc, more for anything else, whatever its size."""
    x, y = outline.T
    after = np.roll(outline, -1, axis=0)
    perimeter = np.hypot(*(after - outline).T).sum()
    area = 0.5 * abs(float(np.sum(x * after[:, 1] - y * after[:, 0])))
    return float(perimeter**2 / (4.0 * math.pi * area))


def box(width: float, height: float) -> Outline:
    """A rectangle of these half sides."""
    return np.array([[-width, -height], [width, -height], [width, height], [-width, height]])


def cross(arm: float) -> Outline:
    """A plus sign of reach 1 whose arms are ``2 * arm`` wide."""
    corner = [[arm, -1.0], [arm, -arm], [1.0, -arm]]
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    parts = [np.array(corner)]
    for _ in range(3):
        parts.append(parts[-1] @ -quarter)
    return np.concatenate(parts)


def blob(rng: np.random.Generator) -> Outline:
    """A smooth pebble of random form and radius about 1."""
    around = 2.0 * math.pi * np.arange(ROUND) / ROUND
    radius = np.ones(ROUND)
    for wave in (2, 3, 4):
        radius += rng.uniform(0.0, 0.3 / wave) * np.cos(wave * around + rng.uniform(0.0, 2.0 * math.pi))
    return radius[:, None] * np.stack([np.cos(around), np.sin(around)], axis=1)


def arc(inner: float, sweep: float) -> Outline:
    """A piece of a ring of outer radius 1: ``sweep`` radians of it, from ``inner`` outwards."""
    around = np.linspace(0.0, sweep, ROUND)
    outer = np.stack([np.cos(around), np.sin(around)], axis=1)
    return np.concatenate([outer, inner * outer[::-1]])


def heart() -> Outline:
    """A heart of radius about 1."""
    a = 2.0 * math.pi * np.arange(ROUND) / ROUND
    x = 16.0 * np.sin(a) ** 3
    y = -(13.0 * np.cos(a) - 5.0 * np.cos(2 * a) - 2.0 * np.cos(3 * a) - np.cos(4 * a))
    return np.stack([x, y], axis=1) / 17.0


def arrow() -> Outline:
    """An arrow that points right."""
    return np.array([[-1, -0.28], [0.1, -0.28], [0.1, -0.75], [1, 0], [0.1, 0.75], [0.1, 0.28], [-1, 0.28]], float)
