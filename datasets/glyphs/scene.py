"""What is in an image before it is drawn: its category, its clutter, and its three cues.

A scene is decided by a seed and an index alone, so any one can be made without the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from relattr.random import derive_seed, generator

CATEGORIES = ("bands", "waves", "dots", "bricks", "rays", "scales")
"""Names of the categories, by what the ground of their scenes is strewn with."""

CUES = ("large", "medium", "small")
"""The cues of a scene, in the order of `Scene.cues`."""

SIDES = (0.36, 0.2, 0.13)
"""The mean side of each cue, the side of the image being 1; each varies by `VARIATION` of it."""

VARIATION = 0.1
HINTS = (0.3, 0.6, 0.3)
"""Correlation of a scene's hint with the strength of each cue."""
CROWDED = 0.8
"""Correlation of how crowded a scene is with its hint: what even a coarse look at the whole image can see."""

_MIDDLE = 0.26
"""The medium cue is at most this far from the middle in x and in y; the others are anywhere."""
HOME = (0.5, 0.7)
"""Where the medium cue lies in aligned scenes, as a mouth does in aligned faces: on the axis that mirroring keeps."""
_APART = 0.015


@dataclass(frozen=True)
class Cue:
    """A badge at ``(x, y)``, ``side`` across (all in [0, 1]), with a glyph of this latent strength, N(0, 1)."""

    x: float
    y: float
    side: float
    strength: float

    @property
    def spikiness(self) -> float:
        """What is seen of the strength, in (0, 1): uniform over scenes."""
        return visible(self.strength)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 in [0, 1]."""
        half = 0.5 * self.side
        return self.x - half, self.y - half, self.x + half, self.y + half


@dataclass(frozen=True)
class Scene:
    """One image to be: ``seed`` decides all that is not named here, none of which carries strength.

    ``crowding`` is the latent strength, N(0, 1), of how much clutter there is. ``hint``, N(0, 1), is how
    spiky that clutter and how bold the ground is, and goes with how much of it there is: as in photographs,
    the surroundings go with what is compared, but loosely.
    """

    seed: int
    category: int
    crowding: float
    hint: float
    cues: tuple[Cue, Cue, Cue]


def visible(strength: float) -> float:
    """The share of N(0, 1) below a latent strength: what a drawing shows of it, in (0, 1)."""
    return 0.5 * (1.0 + math.erf(strength / math.sqrt(2.0)))


def scene(seed: int, stream: str, index: int, jitter: float | None = None) -> Scene:
    """Scene ``index`` of a stream (``train``, ``test``, ...); it does not depend on how many there are.

    Its medium cue is at most ``jitter`` from `HOME` in x and in y; None: anywhere around the middle.
    """
    own = derive_seed(seed, "scene", stream, index)
    rng = np.random.default_rng(own)
    latent = rng.standard_normal(5)
    category = int(rng.integers(len(CATEGORIES)))
    sides = [side * rng.uniform(1.0 - VARIATION, 1.0 + VARIATION) for side in SIDES]
    places = _places(sides, rng, jitter)
    apart = math.sqrt(1.0 - sum(h * h for h in HINTS))
    hint = float(np.dot([*HINTS, apart], latent[[0, 1, 2, 4]]))
    large, medium, small = (
        Cue(x, y, side, float(z)) for (x, y), side, z in zip(places, sides, latent[:3], strict=True)
    )
    crowding = CROWDED * hint + math.sqrt(1.0 - CROWDED**2) * float(latent[3])
    return Scene(derive_seed(own, "drawing"), category, crowding, hint, (large, medium, small))


def _places(sides: list[float], rng: np.random.Generator, jitter: float | None) -> list[tuple[float, float]]:
    """Centres at which the three boxes lie inside the image and apart from each other."""
    home, room = ((0.5, 0.5), _MIDDLE) if jitter is None else (HOME, jitter)
    ranges = [(np.full(2, 0.5 * side), np.full(2, 1.0 - 0.5 * side)) for side in sides]
    ranges[1] = np.subtract(home, room), np.add(home, room)
    found: dict[int, tuple[float, float]] = {}
    while len(found) < len(sides):  # the medium one first: it has least room
        found.clear()
        for k in (1, 0, 2):
            for _ in range(50):
                x, y = (float(v) for v in rng.uniform(*ranges[k]))
                if all(
                    max(abs(x - u), abs(y - v)) > 0.5 * (sides[k] + sides[j]) + _APART for j, (u, v) in found.items()
                ):
                    found[k] = (x, y)
                    break
            else:
                break
    return [found[k] for k in range(len(sides))]


def noise(seed: int, stream: str, what: str, n: int) -> np.ndarray:
    """N(0, 1) numbers ``(n,)``, one for each scene of a stream; more scenes leave the first as they were."""
    return generator(seed, "noise", stream, what).standard_normal(n)
