"""The appearance of scenes: palettes, independent of the category, and background patterns, one per category."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import outlines
from .canvas import Canvas, Colour


@dataclass(frozen=True)
class Palette:
    """The colours of a scene: top and bottom of the background, the pattern on it, and the clutter."""

    top: Colour
    bottom: Colour
    pattern: Colour
    clutter: tuple[Colour, ...]


# muted, so that the saturated rims of the cues stand out; independent of the category, or mean colour would reveal it
PALETTES = (
    Palette((226, 222, 208), (196, 186, 164), (148, 132, 108), ((140, 124, 104), (104, 112, 104), (176, 148, 120))),
    Palette((206, 218, 222), (158, 178, 188), (104, 130, 146), ((92, 116, 134), (136, 150, 150), (180, 188, 186))),
    Palette((214, 222, 204), (164, 180, 154), (108, 132, 104), ((98, 120, 98), (140, 148, 112), (184, 186, 154))),
    Palette((230, 214, 208), (198, 172, 168), (154, 120, 122), ((136, 106, 112), (170, 140, 132), (110, 110, 124))),
    Palette((212, 208, 222), (170, 164, 188), (118, 112, 146), ((104, 102, 134), (146, 138, 160), (186, 174, 186))),
    Palette((180, 184, 190), (118, 124, 136), (78, 86, 104), ((88, 94, 108), (146, 146, 150), (108, 122, 122))),
)

PAPER: Colour = (246, 243, 234)
INK: Colour = (44, 44, 54)
SHADOW: Colour = (20, 20, 30)
RIMS: tuple[Colour, ...] = ((38, 98, 190), (206, 42, 58), (236, 160, 20))
"""The rims of the large, the medium and the small cue: blue, red and gold."""
PLAIN_RIMS: tuple[Colour, ...] = ((122, 122, 126), (88, 88, 96), (158, 154, 148))
"""The rims of decoys, which look like cues but do not affect any label."""


def _bands(canvas: Canvas, colour: Colour, bold: float, rng: np.random.Generator) -> None:
    angle, step = rng.uniform(0.2, 1.3) * float(rng.choice([-1, 1])), rng.uniform(0.085, 0.12)
    for k in range(-12, 13):
        stripe = outlines.rectangle(1.2, 0.22 * step) + np.array([0.0, k * step])
        canvas.fill(outlines.rotate(stripe, angle) + 0.5, colour, 0.48 * bold)


def _waves(canvas: Canvas, colour: Colour, bold: float, rng: np.random.Generator) -> None:
    step, length, phase = rng.uniform(0.1, 0.13), rng.uniform(0.18, 0.28), rng.uniform(0.0, 2.0 * math.pi)
    x = np.linspace(-0.05, 1.05, 60)
    swell = 0.3 * step * np.sin(2.0 * math.pi * x / length + phase)
    for k in range(12):
        y = k * step + swell
        ribbon = np.concatenate([np.stack([x, y], 1), np.stack([x, y + 0.4 * step], 1)[::-1]])
        canvas.fill(ribbon, colour, 0.53 * bold)


def _dots(canvas: Canvas, colour: Colour, bold: float, rng: np.random.Generator) -> None:
    step, angle = rng.uniform(0.095, 0.13), rng.uniform(0.0, 0.5 * math.pi)
    dot = outlines.regular_polygon(12, 0.34 * step)
    across = step * np.arange(-8.0, 9.0)
    grid = np.stack(np.meshgrid(across, across), axis=-1).reshape(-1, 2)
    for centre in outlines.rotate(grid, angle):
        if (abs(centre) < 0.55).all():
            canvas.fill(dot + centre + 0.5, colour, 0.58 * bold)


def _bricks(canvas: Canvas, colour: Colour, bold: float, rng: np.random.Generator) -> None:
    height = rng.uniform(0.085, 0.115)
    width, shift = 2.1 * height, rng.uniform(0.0, 1.0)
    brick = outlines.rectangle(0.43 * width, 0.36 * height)
    for row in range(-1, 13):
        for column in range(-1, 7):
            centre = [(column + 0.5 * (row % 2) + shift) * width, (row + shift) * height]
            canvas.fill(brick + centre, colour, 0.36 * bold)


def _rays(canvas: Canvas, colour: Colour, bold: float, rng: np.random.Generator) -> None:
    middle, n, phase = rng.uniform(0.2, 0.8, 2), int(rng.integers(11, 17)), rng.uniform(0.0, 1.0)
    for k in range(n):
        around = 2.0 * math.pi * (k + phase + np.array([-0.24, 0.24])) / n
        tip = 1.8 * np.stack([np.cos(around), np.sin(around)], 1)
        canvas.fill(np.concatenate([[[0.0, 0.0]], tip]) + middle, colour, 0.44 * bold)


def _scales(canvas: Canvas, colour: Colour, bold: float, rng: np.random.Generator) -> None:
    radius, shift = rng.uniform(0.075, 0.095), rng.uniform(0.0, 1.0)
    scale = outlines.ring_sector(0.72, math.pi) * radius
    for row in range(-2, 16):
        for column in range(-1, 8):
            centre = [(column + 0.5 * (row % 2) + shift) * 2.0 * radius, (row + shift) * radius]
            canvas.fill(scale + centre, colour, 0.51 * bold)


GROUNDS: dict[str, Callable[[Canvas, Colour, float, np.random.Generator], None]] = {
    "bands": _bands,
    "waves": _waves,
    "dots": _dots,
    "bricks": _bricks,
    "rays": _rays,
    "scales": _scales,
}
"""The categories, by their background pattern.

Strokes and opacities are chosen so that each pattern darkens the background about equally: the mean grey level does
not reveal the category.
"""


def draw_ground(canvas: Canvas, category: int, colour: Colour, boldness: float, rng: np.random.Generator) -> None:
    """Fill a canvas with the pattern of a category, from faint (``boldness`` 0) to strong (1)."""
    list(GROUNDS.values())[category](canvas, colour, 0.4 + 1.2 * boldness, rng)
