"""Outlines of shapes: polygons ``(n, 2)`` around the origin, x right and y down."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

Outline = NDArray[np.float64]

ROUND_CORNERS = 40
"""Corners of a polygon that looks round."""

SHARPEST = 0.36
"""Ratio of inner to outer radius of a star of spikiness 1."""


def rotate(outline: Outline, angle: float) -> Outline:
    """Rotate the outline by ``angle`` radians."""
    c, s = math.cos(angle), math.sin(angle)
    return outline @ np.array([[c, s], [-s, c]])


def regular_polygon(n: int, radius: float = 1.0) -> Outline:
    """Return the regular polygon of ``n`` corners."""
    return radius * _circle(n)


@cache
def _circle(n: int) -> Outline:
    angles = 2.0 * math.pi * np.arange(n) / n
    corners = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    corners.flags.writeable = False
    return corners


def star(spikes: int, inner: float) -> Outline:
    """Return a star of outer radius 1 and inner radius ``inner``."""
    corners = regular_polygon(2 * spikes)
    corners[1::2] *= inner
    return corners


def glyph(spikes: int, spikiness: float) -> Outline:
    """Return the mark that shows a strength: blunt (almost a disc) at spikiness 0, a sharp star at 1.

    Its area is that of the unit disc for every spikiness. The amount of ink, and therefore every mean colour, does
    not depend on the strength.
    """
    inner = 1.0 - (1.0 - SHARPEST) * spikiness
    area = spikes * inner * math.sin(math.pi / spikes)
    return star(spikes, inner) * math.sqrt(math.pi / area)


def glyph_radius(spikes: int, spikiness: float) -> float:
    """Return the distance of the farthest corner of `glyph` from its centre."""
    return float(glyph(spikes, spikiness)[0, 0])


def compactness(outline: Outline) -> float:
    """Return perimeter squared over 4 pi times the area: 1 for a disc of any size, more for other shapes."""
    x, y = outline.T
    after = np.roll(outline, -1, axis=0)
    perimeter = np.hypot(*(after - outline).T).sum()
    area = 0.5 * abs(float(np.sum(x * after[:, 1] - y * after[:, 0])))
    return float(perimeter**2 / (4.0 * math.pi * area))


def rectangle(width: float, height: float) -> Outline:
    """Return a rectangle with these half sides."""
    return np.array([[-width, -height], [width, -height], [width, height], [-width, height]])


def plus_sign(arm: float) -> Outline:
    """Return a plus sign of half length 1 whose arms are ``2 * arm`` wide."""
    corner = [[arm, -1.0], [arm, -arm], [1.0, -arm]]
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    parts = [np.array(corner)]
    for _ in range(3):
        parts.append(parts[-1] @ -quarter)
    return np.concatenate(parts)


def blob(rng: np.random.Generator) -> Outline:
    """Return a smooth random blob of radius about 1."""
    angles = 2.0 * math.pi * np.arange(ROUND_CORNERS) / ROUND_CORNERS
    radius = np.ones(ROUND_CORNERS)
    for wave in (2, 3, 4):
        radius += rng.uniform(0.0, 0.3 / wave) * np.cos(wave * angles + rng.uniform(0.0, 2.0 * math.pi))
    return radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def ring_sector(inner: float, sweep: float) -> Outline:
    """Return a sector of ``sweep`` radians of a ring with radii ``inner`` and 1."""
    angles = np.linspace(0.0, sweep, ROUND_CORNERS)
    outer = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.concatenate([outer, inner * outer[::-1]])


def heart() -> Outline:
    """Return a heart of radius about 1."""
    a = 2.0 * math.pi * np.arange(ROUND_CORNERS) / ROUND_CORNERS
    x = 16.0 * np.sin(a) ** 3
    y = -(13.0 * np.cos(a) - 5.0 * np.cos(2 * a) - 2.0 * np.cos(3 * a) - np.cos(4 * a))
    return np.stack([x, y], axis=1) / 17.0


def arrow() -> Outline:
    """Return an arrow that points right."""
    return np.array([[-1, -0.28], [0.1, -0.28], [0.1, -0.75], [1, 0], [0.1, 0.75], [0.1, 0.28], [-1, 0.28]], float)
