"""Draw a scene: background, clutter, decoys, and the cues on top."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from relattr.random import generator

from . import outlines, style
from .canvas import Canvas, Colour
from .scene import Scene, visible_strength

MIN_CLUTTER, MAX_CLUTTER = 4, 36
"""Number of clutter shapes in the emptiest and in the most crowded scene."""

DECOYS = 2
"""Number of badges without a coloured rim in each scene."""

GRAIN = 3.0
"""Standard deviation of the grey noise (0 to 255)."""


def draw_scene(scene: Scene, size: int) -> NDArray[np.uint8]:
    """Draw a scene, ``(size, size, 3)`` uint8 RGB.

    Each part has its own random generator: another strength, or more clutter, changes no other part.
    """

    def rng(*part: str | int) -> np.random.Generator:
        return generator(scene.seed, *part)

    palette = style.PALETTES[int(rng("palette").integers(len(style.PALETTES)))]
    brightness = rng("light").uniform(0.9, 1.05)
    canvas = Canvas(size, _scale_brightness(palette.top, brightness), _scale_brightness(palette.bottom, brightness))
    style.draw_ground(canvas, scene.category, palette.pattern, visible_strength(scene.hint), rng("ground"))
    clutter_rng = rng("clutter")
    for _ in range(round(MIN_CLUTTER + (MAX_CLUTTER - MIN_CLUTTER) * visible_strength(scene.crowding))):
        _draw_clutter(canvas, palette.clutter, visible_strength(scene.hint), clutter_rng)
    for k in range(DECOYS):
        decoy_rng = rng("decoy", k)
        side = math.exp(decoy_rng.uniform(math.log(0.13), math.log(0.3)))
        x, y = (float(v) for v in decoy_rng.uniform(0.5 * side, 1.0 - 0.5 * side, 2))
        rim = style.PLAIN_RIMS[int(decoy_rng.integers(len(style.PLAIN_RIMS)))]
        draw_badge(canvas, x, y, side, decoy_rng.uniform(), rim, decoy_rng)
    for k, cue in enumerate(scene.cues):
        draw_badge(canvas, cue.x, cue.y, cue.side, cue.spikiness, style.RIMS[k], rng("cue", k))
    return canvas.finish(rng("grain"), GRAIN)


def draw_badge(
    canvas: Canvas, x: float, y: float, side: float, spikiness: float, rim: Colour, rng: np.random.Generator
) -> None:
    """Draw a round badge with a rim and a glyph, inside the square of this side around ``(x, y)``.

    Number of spikes, rotation, size and ink of the glyph are random and independent of the strength.
    """
    spikes, angle = int(rng.integers(5, 9)), rng.uniform(0.0, 2.0 * math.pi)
    scale, ink = rng.uniform(0.82, 1.0), rng.uniform(1.0, 1.9)
    centre, radius = np.array([x, y]), 0.5 * side
    circle = outlines.regular_polygon(outlines.ROUND_CORNERS, radius)
    canvas.fill(0.94 * circle + centre + [0.04 * radius, 0.06 * radius], style.SHADOW, 0.35)
    canvas.fill(0.94 * circle + centre, rim)
    canvas.fill(0.76 * circle + centre, style.PAPER)
    size = 0.7 * radius / outlines.glyph_radius(5, 1.0)
    mark = outlines.rotate(outlines.glyph(spikes, spikiness), angle)
    canvas.fill(scale * size * mark + centre, _scale_brightness(style.INK, ink))


def _draw_clutter(canvas: Canvas, colours: tuple[Colour, ...], p_spiky: float, rng: np.random.Generator) -> None:
    """Draw one clutter shape, a spiky one with probability ``p_spiky``."""
    centre = rng.random(2)
    radius = math.exp(rng.uniform(math.log(0.035), math.log(0.1)))
    colour = _scale_brightness(colours[int(rng.integers(len(colours)))], rng.uniform(0.85, 1.15))
    is_spiky = rng.random() < p_spiky
    # the outline has its own generator, so that another hint changes some outlines but moves no shape
    outline_rng = np.random.default_rng(int(rng.integers(2**63)))
    outline = (_SPIKY if is_spiky else _ROUND)[int(outline_rng.integers(4))](outline_rng)
    canvas.fill(radius * outlines.rotate(outline, outline_rng.uniform(0.0, 2.0 * math.pi)) + centre, colour)


_SPIKY: tuple[Callable[[np.random.Generator], outlines.Outline], ...] = (
    lambda rng: outlines.glyph(int(rng.integers(5, 8)), rng.uniform(0.6, 1.0)),
    lambda rng: outlines.glyph(int(rng.integers(5, 8)), rng.uniform(0.6, 1.0)),
    lambda rng: outlines.star(4, rng.uniform(0.35, 0.6)),
    lambda rng: outlines.regular_polygon(3),
)
_ROUND: tuple[Callable[[np.random.Generator], outlines.Outline], ...] = (
    lambda rng: outlines.glyph(int(rng.integers(5, 8)), rng.uniform(0.0, 0.4)),
    lambda rng: outlines.blob(rng),
    lambda rng: outlines.blob(rng),
    lambda rng: outlines.ring_sector(0.6, rng.uniform(1.5, 5.5)),
)


def _scale_brightness(colour: Colour, factor: float) -> Colour:
    r, g, b = (min(255, round(factor * value)) for value in colour)
    return r, g, b
