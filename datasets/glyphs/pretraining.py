"""The classification set on which the backbone `micro` is pretrained, as ImageNet is for photographs.

Like ImageNet it has objects, textures and scenes: one emblem at any position, size and colour; a swarm of one kind of
small shape; or a background with almost nothing on it. Everything else (background, plates with emblems, specks) is
clutter. No picture of it is in any task, and its classes are not graded by strength.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.random import derive_seed

from . import outlines, style
from .canvas import Canvas, Colour

SIDE = 64

EMBLEMS: dict[str, Callable[[], outlines.Outline]] = {
    "disc": lambda: outlines.regular_polygon(outlines.ROUND_CORNERS),
    "ring": lambda: outlines.ring_sector(0.6, 5.2),
    "plus": lambda: outlines.plus_sign(0.3),
    "square": lambda: outlines.regular_polygon(4),
    "star": lambda: outlines.star(5, 0.5),
    "burst": lambda: outlines.star(11, 0.72),
    "heart": outlines.heart,
    "arrow": outlines.arrow,
}

SWARMS: dict[str, Callable[[], outlines.Outline]] = {
    "discs": lambda: outlines.regular_polygon(12),
    "stars": lambda: outlines.star(5, 0.45),
}

CLASSES = (*EMBLEMS, *SWARMS, *style.GROUNDS)


def draw_pretraining_set(n: int, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw ``n`` pictures ``(n, 64, 64, 3)`` uint8 RGB and their classes ``(n,)``, indices into `CLASSES`.

    Picture ``i`` does not depend on ``n``. Classes alternate, so their counts differ by at most 1. Raises `BadInput`
    for a negative ``n``.
    """
    if n < 0:
        raise BadInput(f"n must be at least 0 pictures; got {n}")
    classes = np.arange(n, dtype=np.int64) % len(CLASSES)
    pictures = np.empty((n, SIDE, SIDE, 3), np.uint8)
    for index, class_index in enumerate(classes):
        pictures[index] = draw_picture(int(class_index), np.random.default_rng(picture_seed(seed, index)))
    return pictures, classes


def picture_seed(seed: int, index: int) -> int:
    """Return the seed of picture ``index``, different from every seed of a scene."""
    return derive_seed(seed, "pretraining", index)


def draw_picture(class_index: int, rng: np.random.Generator, size: int = SIDE) -> NDArray[np.uint8]:
    """Draw one picture ``(size, size, 3)`` uint8 of a class, an index into `CLASSES`."""
    name = CLASSES[class_index]
    palette = style.PALETTES[int(rng.integers(len(style.PALETTES)))]
    canvas = Canvas(size, palette.top, palette.bottom)
    grounds = tuple(style.GROUNDS)
    if name in grounds:
        style.draw_ground(canvas, grounds.index(name), palette.pattern, rng.uniform(), rng)
    elif rng.random() < 0.5:
        style.draw_ground(canvas, int(rng.integers(len(grounds))), palette.pattern, rng.uniform(), rng)
    specks = int(rng.integers(14, 36)) if name in SWARMS else int(rng.integers(6))
    for _ in range(specks):
        radius = math.exp(rng.uniform(math.log(0.035), math.log(0.1)))
        outline = SWARMS[name]() if name in SWARMS else outlines.blob(rng)
        outline = outlines.rotate(outline, rng.uniform(0.0, 2.0 * math.pi))
        canvas.fill(radius * outline + rng.random(2), palette.clutter[int(rng.integers(len(palette.clutter)))])
    if name in EMBLEMS:
        _draw_emblem(canvas, EMBLEMS[name](), math.exp(rng.uniform(math.log(0.18), math.log(0.42))), rng)
    else:
        for _ in range(int(rng.integers(3))):
            outline = list(EMBLEMS.values())[int(rng.integers(len(EMBLEMS)))]()
            _draw_emblem(canvas, outline, rng.uniform(0.06, 0.18), rng, plated=True)
    return canvas.finish(rng, 3.0)


def _draw_emblem(
    canvas: Canvas, outline: outlines.Outline, radius: float, rng: np.random.Generator, *, plated: bool = False
) -> None:
    """Draw an emblem at a random position, half of the time on a white plate with a rim."""
    centre = rng.uniform(radius, 1.0 - radius, 2)
    if plated or rng.random() < 0.5:
        plate = outlines.regular_polygon(outlines.ROUND_CORNERS, radius)
        canvas.fill(plate + centre, _strong_colour(rng))
        canvas.fill(0.82 * plate + centre, style.PAPER)
        radius *= 0.7
    rotated = outlines.rotate(outline, rng.uniform(0.0, 2.0 * math.pi))
    canvas.fill(radius * rotated + centre, style.INK if rng.random() < 0.5 else _strong_colour(rng))


def _strong_colour(rng: np.random.Generator) -> Colour:
    """Draw a saturated colour, dark enough to be visible on every background."""
    values = rng.uniform(10, 110, 3)
    values[int(rng.integers(3))] = rng.uniform(110, 220)
    r, g, b = (round(float(v)) for v in values)
    return r, g, b
