"""How many pairs or images a test set needs for an interval of a given width."""

from __future__ import annotations

import math

from relattr.errors import BadInput
from relattr.statistics.design import CROSS_VALIDATION_FACTOR

FEW_TEST_PAIRS = 100
"""With fewer ordered test pairs, intervals are so wide that a test set is called too small."""
TYPICAL_ACCURACY = 0.8
TARGET = 0.05
"""The half-width of an interval, as a share, for which the number of pairs is advised."""
_Z = 1.959964
"""Quantile of the normal distribution for 95 % intervals."""


def pairs_needed(half_width: float, *, accuracy: float = TYPICAL_ACCURACY, cross_validated: bool = False) -> int:
    """Return how many test pairs that share no image give a 95 % interval of this half-width, in (0, 1).

    By the normal approximation of the binomial distribution, ``p(1-p)(1.96/h)^2``. Raises `BadInput` for a half-width
    or an accuracy outside (0, 1).
    """
    _check(half_width, accuracy)
    variance = accuracy * (1 - accuracy)
    return math.ceil(variance * _factor(cross_validated) * (_Z / half_width) ** 2)


def images_needed(half_width: float, *, accuracy: float = TYPICAL_ACCURACY, cross_validated: bool = False) -> int:
    """Return how many test images, all of whose pairs are tested, give a 95 % interval of this half-width, in (0, 1).

    For Gaussian scores and strengths, the variance of Kendall's tau (Esscher 1924), and so of the accuracy, which is
    ``(1 + tau) / 2``. Raises `BadInput` as `pairs_needed`.
    """
    _check(half_width, accuracy)
    correlation = math.sin(math.pi * (accuracy - 0.5))
    variance = 1 / 9 - (2 / math.pi * math.asin(correlation / 2)) ** 2  # of sqrt(n) times the accuracy
    return math.ceil(variance * _factor(cross_validated) * (_Z / half_width) ** 2)


def describe_few_pairs(n_ordered: int, *, cross_validated: bool = False) -> str:
    """Say what a test set of so few pairs can show, and how many pairs or images it needs, as a sentence."""
    half = _Z * math.sqrt(TYPICAL_ACCURACY * (1 - TYPICAL_ACCURACY) * _factor(cross_validated) / max(n_ordered, 1))
    pairs, images = (_round_up(n(TARGET, cross_validated=cross_validated)) for n in (pairs_needed, images_needed))
    count = "1 ordered test pair" if n_ordered == 1 else f"{n_ordered:,} ordered test pairs"
    width = f"is about ± {100 * half:.0f} points" if half < 0.4 else "is wider than ± 40 points"
    held_out = "" if cross_validated else "held-out "
    return (
        f"only {count}: at an accuracy of {100 * TYPICAL_ACCURACY:.0f} % the 95 % interval {width}. For "
        f"± {100 * TARGET:.0f} points, compare about {pairs:,} pairs of {held_out}images, or give scores of about "
        f"{images:,} {held_out}images, all of whose pairs are then tested"
    )


def _factor(cross_validated: bool) -> float:
    return CROSS_VALIDATION_FACTOR if cross_validated else 1.0


def _check(half_width: float, accuracy: float) -> None:
    for name, value in (("half_width", half_width), ("accuracy", accuracy)):
        if not 0 < value < 1:
            raise BadInput(f"{name} must be between 0 and 1; got {value}")


def _round_up(n: int) -> int:
    """Round up to two digits."""
    unit = 10 ** max(0, len(str(n)) - 2)
    return -(-n // unit) * unit
