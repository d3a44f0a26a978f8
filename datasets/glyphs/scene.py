"""The content of an image before it is drawn: its category, its clutter, and its three cues.

A scene depends on a seed and an index only, so each can be sampled without the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from relattr.random import derive_seed, generator

CATEGORIES = ("bands", "waves", "dots", "bricks", "rays", "scales")
"""Names of the categories, after the background pattern of their scenes."""

CUES = ("large", "medium", "small")
"""The cues of a scene, in the order of `Scene.cues`."""

SIDES = (0.36, 0.2, 0.13)
"""Mean side of each cue in units of the image's side; sides vary by up to `SIDE_VARIATION` of it."""

SIDE_VARIATION = 0.1
HINT_CORRELATION = (0.3, 0.6, 0.3)
"""Correlation of a scene's hint with the strength of each cue."""
CROWDED = 0.8
"""Correlation of a scene's crowding with its hint; crowding is visible even at low resolution."""

MAX_OFFSET = 0.26
"""Largest distance of the medium cue from the centre in x and in y; the other cues are anywhere."""
ALIGNED_CENTRE = (0.5, 0.7)
"""Position of the medium cue in aligned scenes, on the axis of mirroring, like the mouth in aligned faces."""
_MARGIN = 0.015
"""Smallest distance between two cues."""


@dataclass(frozen=True)
class Cue:
    """A badge with centre ``(x, y)`` and width ``side`` (all in [0, 1]); its glyph has a latent strength, N(0, 1)."""

    x: float
    y: float
    side: float
    strength: float

    @property
    def spikiness(self) -> float:
        """The strength as drawn, in (0, 1): uniformly distributed over scenes."""
        return visible_strength(self.strength)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The bounding box x0, y0, x1, y1 in [0, 1]."""
        half = 0.5 * self.side
        return self.x - half, self.y - half, self.x + half, self.y + half


@dataclass(frozen=True)
class Scene:
    """The content of one image; ``seed`` decides everything else, none of which depends on the strengths.

    ``crowding``, N(0, 1), decides the amount of clutter. ``hint``, N(0, 1), decides how spiky the clutter and how
    bold the background is, and correlates with the crowding: as in photographs, the surroundings are weakly related
    to the attribute.
    """

    seed: int
    category: int
    crowding: float
    hint: float
    cues: tuple[Cue, Cue, Cue]


def visible_strength(strength: float) -> float:
    """Map a latent strength to (0, 1), the range in which it is drawn: the normal distribution function."""
    return 0.5 * (1.0 + math.erf(strength / math.sqrt(2.0)))


def sample_scene(seed: int, stream: str, index: int, jitter: float | None = None) -> Scene:
    """Sample scene ``index`` of a stream (``train``, ``test``, ...), independently of the number of scenes.

    The medium cue is at most ``jitter`` from `ALIGNED_CENTRE` in x and in y; None: anywhere around the centre.
    """
    scene_seed = derive_seed(seed, "scene", stream, index)
    rng = np.random.default_rng(scene_seed)
    latent = rng.standard_normal(5)
    category = int(rng.integers(len(CATEGORIES)))
    sides = [side * rng.uniform(1.0 - SIDE_VARIATION, 1.0 + SIDE_VARIATION) for side in SIDES]
    centres = _sample_centres(sides, rng, jitter)
    residual = math.sqrt(1.0 - sum(h * h for h in HINT_CORRELATION))
    hint = float(np.dot([*HINT_CORRELATION, residual], latent[[0, 1, 2, 4]]))
    large, medium, small = (
        Cue(x, y, side, float(z)) for (x, y), side, z in zip(centres, sides, latent[:3], strict=True)
    )
    crowding = CROWDED * hint + math.sqrt(1.0 - CROWDED**2) * float(latent[3])
    return Scene(derive_seed(scene_seed, "drawing"), category, crowding, hint, (large, medium, small))


def _sample_centres(sides: list[float], rng: np.random.Generator, jitter: float | None) -> list[tuple[float, float]]:
    """Centres at which the three boxes lie inside the image and do not touch."""
    home, radius = ((0.5, 0.5), MAX_OFFSET) if jitter is None else (ALIGNED_CENTRE, jitter)
    ranges = [(np.full(2, 0.5 * side), np.full(2, 1.0 - 0.5 * side)) for side in sides]
    ranges[1] = np.subtract(home, radius), np.add(home, radius)
    centres: dict[int, tuple[float, float]] = {}
    while len(centres) < len(sides):  # the medium one first: it has the smallest range
        centres.clear()
        for k in (1, 0, 2):
            for _ in range(50):
                x, y = (float(v) for v in rng.uniform(*ranges[k]))
                if all(
                    max(abs(x - u), abs(y - v)) > 0.5 * (sides[k] + sides[j]) + _MARGIN for j, (u, v) in centres.items()
                ):
                    centres[k] = (x, y)
                    break
            else:
                break
    return [centres[k] for k in range(len(sides))]


def sample_noise(seed: int, stream: str, what: str, n: int) -> np.ndarray:
    """Sample N(0, 1) numbers ``(n,)``, one per scene of a stream; a larger ``n`` does not change the first ones."""
    return generator(seed, "noise", stream, what).standard_normal(n)
