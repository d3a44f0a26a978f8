"""Compute the scores of scenes: a weighted sum of latent strengths, plus noise, with a heavy tail.

The latent strength of an attribute is N(0, 1) (for ``category``, a mixture of variance 1), so the accuracy of a
perfect method on noisy labels is known: see `accuracy_ceiling`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .scene import Scene, sample_noise


@dataclass(frozen=True)
class AttributeWeights:
    """Weights of the latent strengths in an attribute; their squares sum to 1.

    ``cues`` are the weights of the large, the medium and the small cue.
    """

    cues: tuple[float, float, float] = (0.0, 0.0, 0.0)
    crowding: float = 0.0
    category: float = 0.0


ATTRIBUTE_WEIGHTS = {
    "global": AttributeWeights(crowding=1.0),
    "local": AttributeWeights(cues=(0.0, 1.0, 0.0)),
    "multiscale": AttributeWeights(cues=(math.sqrt(1 / 3), math.sqrt(1 / 3), math.sqrt(1 / 3))),
    "category": AttributeWeights(cues=(0.0, math.sqrt(1 / 2), 0.0), category=math.sqrt(1 / 2)),
}

_STEPS = np.array([1.0, -3.0, 5.0, -1.0, 3.0, -5.0])
SHIFTS = _STEPS / np.sqrt(np.mean(_STEPS**2))
"""The shift that each category adds to the strength; mean 0, variance 1, not monotonic in the category's index."""

SKEW, TAIL = 0.8, 0.3
"""g and h of `heavy_tailed_scores`: the upper tail of a score falls about as ``score ** (-1 / TAIL)``."""


def noisy_strengths(
    scenes: Sequence[Scene], attribute: str, seed: int, stream: str, noise_level: float
) -> NDArray[np.float64]:
    """Compute the strength ``(n,)`` of an attribute, with label noise, in the first scenes of a stream; variance 1.

    ``noise_level`` is the standard deviation of the noise before the sum is scaled to that variance.
    """
    weights = ATTRIBUTE_WEIGHTS[attribute]
    parts = np.array([[cue.strength for cue in s.cues] + [s.crowding, SHIFTS[s.category]] for s in scenes])
    true = parts.reshape(len(scenes), 5) @ np.array([*weights.cues, weights.crowding, weights.category])
    noisy = true + noise_level * sample_noise(seed, stream, attribute, len(scenes))
    return noisy / math.sqrt(1.0 + noise_level**2)


def heavy_tailed_scores(strength: NDArray[Any]) -> NDArray[np.float64]:
    """Apply Tukey's g-and-h transform to N(0, 1) strengths: increasing, skewed, with power-law tails.

    (Tukey, "Exploratory Data Analysis", 1977.) The order of images is preserved; means and squared errors are
    dominated by the few largest scores, as with the scores of virality.
    """
    return np.expm1(SKEW * strength) / SKEW * np.exp(0.5 * TAIL * strength**2)


def accuracy_ceiling(noise_level: float) -> float:
    """Return the share of pairs that the noiseless strength, if normal, orders as the noisy strength does."""
    return 0.5 + math.asin(1.0 / math.sqrt(1.0 + noise_level**2)) / math.pi


def band_strengths(strength: NDArray[Any], similar: float) -> NDArray[np.float64]:
    """Quantise strengths into bands of equal size, so that the share ``similar`` of all pairs is equal.

    With ``similar`` 0 the strengths are unchanged. Bands are numbered ``0, 1, ...`` in the order of the strengths.
    """
    if similar == 0:
        return np.asarray(strength, np.float64)
    n = strength.size
    ranks = np.empty(n)
    ranks[np.argsort(strength, kind="stable")] = np.arange(n)
    return np.floor(ranks * max(1, round(1.0 / similar)) / n)
