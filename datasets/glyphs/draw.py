"""Draws a scene: ground, clutter, decoys, and the cues on top."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from relattr.random import generator

from . import outlines, style
from .canvas import Canvas, Colour
from .scene import Scene, visible

FEWEST, MOST = 4, 36
"""Clutter shapes in the emptiest and the most crowded scene."""

DECOYS = 2
"""Badges without a coloured rim in each scene."""

GRAIN = 3.0


def draw(scene: Scene, size: int) -> NDArray[np.uint8]:
    """The image of a scene, ``(size, size, 3)`` uint8 RGB.

    Each part has randomness of its own: another strength, or more clutter, moves nothing else.
    """

    def rng(*part: str | int) -> np.random.Generator:
        return generator(scene.seed, *part)

    palette = style.PALETTES[int(rng("palette").integers(len(style.PALETTES)))]
    light = rng("light").uniform(0.9, 1.05)
    canvas = Canvas(size, _lit(palette.top, light), _lit(palette.bottom, light))
    style.ground(canvas, scene.category, palette.pattern, visible(scene.hint), rng("ground"))
    own = rng("clutter")
    for _ in range(round(FEWEST + (MOST - FEWEST) * visible(scene.crowding))):
        _shape(canvas, palette.clutter, visible(scene.hint), own)
    for k in range(DECOYS):
        own = rng("decoy", k)
        side = math.exp(own.uniform(math.log(0.13), math.log(0.3)))
        x, y = (float(v) for v in own.uniform(0.5 * side, 1.0 - 0.5 * side, 2))
        rim = style.PLAIN_RIMS[int(own.integers(len(style.PLAIN_RIMS)))]
        badge(canvas, x, y, side, own.uniform(), rim, own)
    for k, cue in enumerate(scene.cues):
        badge(canvas, cue.x, cue.y, cue.side, cue.spikiness, style.RIMS[k], rng("cue", k))
    return canvas.finish(rng("grain"), GRAIN)


def badge(
    canvas: Canvas, x: float, y: float, side: float, spikiness: float, rim: Colour, rng: np.random.Generator
) -> None:
    """A round badge with a rim and a glyph, inside the square of this side around ``(x, y)``.

    How many spikes the glyph has, how it is turned, its size and its ink vary and mean nothing.
    """
    spikes, angle = int(rng.integers(5, 9)), rng.uniform(0.0, 2.0 * math.pi)
    scale, ink = rng.uniform(0.82, 1.0), rng.uniform(1.0, 1.9)
    centre, radius = np.array([x, y]), 0.5 * side
    circle = outlines.ngon(outlines.ROUND, radius)
    canvas.fill(0.94 * circle + centre + [0.04 * radius, 0.06 * radius], style.SHADOW, 0.35)
    canvas.fill(0.94 * circle + centre, rim)
    canvas.fill(0.76 * circle + centre, style.PAPER)
    size = 0.7 * radius / outlines.reach(5, 1.0)
    mark = outlines.turned(outlines.glyph(spikes, spikiness), angle)
    canvas.fill(scale * size * mark + centre, _lit(style.INK, ink))


def _shape(canvas: Canvas, colours: tuple[Colour, ...], spiky: float, rng: np.random.Generator) -> None:
    """A shape of the scenery, a spiky one with this probability."""
    centre = rng.random(2)
    radius = math.exp(rng.uniform(math.log(0.035), math.log(0.1)))
    colour = _lit(colours[int(rng.integers(len(colours)))], rng.uniform(0.85, 1.15))
    sharp = rng.random() < spiky  # decided before the outline, and the outline drawn by a generator of its own:
    own = np.random.default_rng(int(rng.integers(2**63)))  # another hint turns some shapes and moves none
    outline = (_SPIKY if sharp else _ROUND)[int(own.integers(4))](own)
    canvas.fill(radius * outlines.turned(outline, own.uniform(0.0, 2.0 * math.pi)) + centre, colour)


_SPIKY: tuple[Callable[[np.random.Generator], outlines.Outline], ...] = (
    lambda rng: outlines.glyph(int(rng.integers(5, 8)), rng.uniform(0.6, 1.0)),
    lambda rng: outlines.glyph(int(rng.integers(5, 8)), rng.uniform(0.6, 1.0)),
    lambda rng: outlines.star(4, rng.uniform(0.35, 0.6)),
    lambda rng: outlines.ngon(3),
)
_ROUND: tuple[Callable[[np.random.Generator], outlines.Outline], ...] = (
    lambda rng: outlines.glyph(int(rng.integers(5, 8)), rng.uniform(0.0, 0.4)),
    lambda rng: outlines.blob(rng),
    lambda rng: outlines.blob(rng),
    lambda rng: outlines.arc(0.6, rng.uniform(1.5, 5.5)),
)


def _lit(colour: Colour, light: float) -> Colour:
    r, g, b = (min(255, round(light * value)) for value in colour)
    return r, g, b
