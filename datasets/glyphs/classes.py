"""A classification set on which the small backbone is pretrained: what ImageNet is to photographs.

Like ImageNet it holds things, stuff and scenes: one emblem at any place, size and colour; a swarm of one
kind of small shape; or a ground with next to nothing on it. Whatever does not make the class (ground,
plates with emblems, specks) is there as clutter. No picture of it is in any task, and nothing in it is graded.
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
    "disc": lambda: outlines.ngon(outlines.ROUND),
    "ring": lambda: outlines.arc(0.6, 5.2),
    "plus": lambda: outlines.cross(0.3),
    "square": lambda: outlines.ngon(4),
    "star": lambda: outlines.star(5, 0.5),
    "burst": lambda: outlines.star(11, 0.72),
    "heart": outlines.heart,
    "arrow": outlines.arrow,
}

SWARMS: dict[str, Callable[[], outlines.Outline]] = {
    "discs": lambda: outlines.ngon(12),
    "stars": lambda: outlines.star(5, 0.45),
}

CLASSES = (*EMBLEMS, *SWARMS, *style.GROUNDS)


def pretraining(n: int, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """``n`` pictures ``(n, 64, 64, 3)`` uint8 RGB and their classes ``(n,)``, indices into `CLASSES`.

    Picture ``i`` does not depend on ``n``; classes come in turn, so their counts differ by 1 at most.
    Raises `BadInput` for a negative ``n``.
    """
    if n < 0:
        raise BadInput(f"n must be at least 0 pictures; got {n}")
    classes = np.arange(n, dtype=np.int64) % len(CLASSES)
    pictures = np.empty((n, SIDE, SIDE, 3), np.uint8)
    for index, kind in enumerate(classes):
        pictures[index] = picture(int(kind), np.random.default_rng(picture_seed(seed, index)))
    return pictures, classes


def picture_seed(seed: int, index: int) -> int:
    """The seed of picture ``index``, of a stream of its own."""
    return derive_seed(seed, "pretraining", index)


def picture(kind: int, rng: np.random.Generator, size: int = SIDE) -> NDArray[np.uint8]:
    """One picture ``(size, size, 3)`` uint8 of this class, an index into `CLASSES`."""
    name = CLASSES[kind]
    palette = style.PALETTES[int(rng.integers(len(style.PALETTES)))]
    canvas = Canvas(size, palette.top, palette.bottom)
    grounds = tuple(style.GROUNDS)
    if name in grounds:
        style.ground(canvas, grounds.index(name), palette.pattern, rng.uniform(), rng)
    elif rng.random() < 0.5:
        style.ground(canvas, int(rng.integers(len(grounds))), palette.pattern, rng.uniform(), rng)
    specks = int(rng.integers(14, 36)) if name in SWARMS else int(rng.integers(6))
    for _ in range(specks):
        radius = math.exp(rng.uniform(math.log(0.035), math.log(0.1)))
        outline = SWARMS[name]() if name in SWARMS else outlines.blob(rng)
        outline = outlines.turned(outline, rng.uniform(0.0, 2.0 * math.pi))
        canvas.fill(radius * outline + rng.random(2), palette.clutter[int(rng.integers(len(palette.clutter)))])
    if name in EMBLEMS:
        _emblem(canvas, EMBLEMS[name](), math.exp(rng.uniform(math.log(0.18), math.log(0.42))), rng)
    else:
        for _ in range(int(rng.integers(3))):
            any_of = list(EMBLEMS.values())[int(rng.integers(len(EMBLEMS)))]
            _emblem(canvas, any_of(), rng.uniform(0.06, 0.18), rng, plated=True)
    return canvas.finish(rng, 3.0)


def _emblem(
    canvas: Canvas, outline: outlines.Outline, radius: float, rng: np.random.Generator, *, plated: bool = False
) -> None:
    """One emblem anywhere, as often as not on a white plate with a rim."""
    centre = rng.uniform(radius, 1.0 - radius, 2)
    if plated or rng.random() < 0.5:
        plate = outlines.ngon(outlines.ROUND, radius)
        canvas.fill(plate + centre, _colour(rng))
        canvas.fill(0.82 * plate + centre, style.PAPER)
        radius *= 0.7
    turned = outlines.turned(outline, rng.uniform(0.0, 2.0 * math.pi))
    canvas.fill(radius * turned + centre, style.INK if rng.random() < 0.5 else _colour(rng))


def _colour(rng: np.random.Generator) -> Colour:
    """A strong colour, dark enough to be seen on any ground."""
    values = rng.uniform(10, 110, 3)
    values[int(rng.integers(3))] = rng.uniform(110, 220)
    r, g, b = (round(float(v)) for v in values)
    return r, g, b
