"""From what a scene holds to its score: a weighted sum of latent strengths, noise, and a heavy tail.

The latent strength of an attribute is N(0, 1) (for ``category``, a mixture of variance 1), so the
accuracy that its noise leaves to a perfect method is known: see `ceiling`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .scene import Scene, noise


@dataclass(frozen=True)
class Recipe:
    """What an attribute is made of: weights whose squares sum to 1.

    ``cues`` weighs the large, the medium and the small cue.
    """

    cues: tuple[float, float, float] = (0.0, 0.0, 0.0)
    crowding: float = 0.0
    category: float = 0.0


RECIPES = {
    "global": Recipe(crowding=1.0),
    "local": Recipe(cues=(0.0, 1.0, 0.0)),
    "multiscale": Recipe(cues=(math.sqrt(1 / 3), math.sqrt(1 / 3), math.sqrt(1 / 3))),
    "category": Recipe(cues=(0.0, math.sqrt(1 / 2), 0.0), category=math.sqrt(1 / 2)),
}

_STEPS = np.array([1.0, -3.0, 5.0, -1.0, 3.0, -5.0])
SHIFTS = _STEPS / np.sqrt(np.mean(_STEPS**2))
"""What each category adds, mean 0 and variance 1: like ones are not neighbours."""

SKEW, TAIL = 0.8, 0.3
"""g and h of `heavy`: the upper tail of a score falls about as ``score ** (-1 / TAIL)``."""


def latent(scenes: Sequence[Scene], attribute: str, seed: int, stream: str, noise_level: float) -> NDArray[np.float64]:
    """The strength ``(n,)`` of an attribute in these first scenes of a stream, its noise included; variance 1.

    ``noise_level`` is the standard deviation of the noise before it is scaled to that variance.
    """
    recipe = RECIPES[attribute]
    parts = np.array([[cue.strength for cue in s.cues] + [s.crowding, SHIFTS[s.category]] for s in scenes])
    true = parts.reshape(len(scenes), 5) @ np.array([*recipe.cues, recipe.crowding, recipe.category])
    noisy = true + noise_level * noise(seed, stream, attribute, len(scenes))
    return noisy / math.sqrt(1.0 + noise_level**2)


def heavy(strength: NDArray[Any]) -> NDArray[np.float64]:
    """Tukey's g-and-h transform of N(0, 1): increasing, skewed, and with tails that fall as a power.

    (Tukey, "Exploratory Data Analysis", 1977.) The order of images stays; means and squared errors
    come to hang on the few largest scores, as with the scores of virality.
    """
    return np.expm1(SKEW * strength) / SKEW * np.exp(0.5 * TAIL * strength**2)


def ceiling(noise_level: float) -> float:
    """The share of pairs that the noiseless strength, if normal, orders as the noisy one does."""
    return 0.5 + math.asin(1.0 / math.sqrt(1.0 + noise_level**2)) / math.pi


def banded(strength: NDArray[Any], similar: float) -> NDArray[np.float64]:
    """Strengths made equal within bands of equal size, so that this share of all pairs is similar.

    ``similar`` 0 leaves all of them distinct. Bands are ranks ``0, 1, ...``; their order is the strengths'.
    """
    if similar == 0:
        return np.asarray(strength, np.float64)
    n = strength.size
    ranks = np.empty(n)
    ranks[np.argsort(strength, kind="stable")] = np.arange(n)
    return np.floor(ranks * max(1, round(1.0 / similar)) / n)
