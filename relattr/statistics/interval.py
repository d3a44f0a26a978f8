"""Accuracy and difference of accuracies, with intervals for images drawn anew.

An accuracy is a mean over pairs, and two pairs vary together where they share an image. With the
residual ``q_d`` of a two-image set d (what it adds to the estimate, less its expectation) and ``S_i``
the sum of the residuals at image i, the variance over images is the sum of ``q_d q_e`` over all d, e
that share an image,

    V = sum_i S_i^2 - sum_d q_d^2,

since the first sum has every d twice when paired with itself (Fafchamps & Gubert, J. Development
Economics 2007; Aronow, Samii & Assenova, Political Analysis 2015). It is what resampling images tends
to, less what that counts too often: the plain bootstrap over images tends to sum S^2 + sum q^2, three
times too much where no image is in two pairs. For images drawn alike the true V is never below
``sum q_d^2``, its value if pairs were independent, so the estimate is not let below that.

The interval is Wilson's at the effective number of pairs ``p(1-p)/V`` (Korn & Graubard, Survey
Methodology 1998), with Student's t at Satterthwaite's degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.statistics import pair_loops
from relattr.statistics.design import Design, Judgement
from relattr.statistics.kernels import order_residuals


@dataclass(frozen=True)
class AccuracyEstimate:
    """An accuracy in [0, 1] with its interval; ``variance`` is that of images and of seeds, added."""

    value: float
    low: float
    high: float
    variance_images: float
    variance_seeds: float | None
    """Of the mean over seeds; None where no test has two of them, so that it is not known."""
    n_images: int
    n_ordered: int

    @property
    def variance(self) -> float:
        return self.variance_images + (self.variance_seeds or 0.0)


@dataclass(frozen=True)
class Difference:
    """First accuracy less second, on the same pairs; ``p`` is that of no difference, two-sided."""

    value: float
    low: float
    high: float
    p: float
    variance_images: float
    variance_seeds: float | None

    @property
    def variance(self) -> float:
        return self.variance_images + (self.variance_seeds or 0.0)


def accuracy(
    design: Design, judgements: Sequence[Judgement], *, weights: Sequence[float] | None = None, level: float = 0.95
) -> AccuracyEstimate:
    """The accuracy of a method: the mean over tests of the mean over its judgements (seeds) on each.

    ``weights``, one for each judgement, adding up to 1, make another mean of it. Raises `BadInput` where
    there is no judgement.
    """
    weights = _weights(judgements) if weights is None else weights
    value = float(sum(w * j.accuracy for w, j in zip(weights, judgements, strict=True)))
    images, df_images = _variance_images(design, judgements, weights)
    seeds, df_seeds = _variance_seeds(judgements, weights)
    tests = {j.test for j in judgements}
    low, high = _wilson(
        value, images + (seeds or 0.0), _together(images, df_images, seeds, df_seeds), design.n_images / 2, level
    )
    return AccuracyEstimate(value, low, high, images, seeds, design.n_images, sum(design.n_ordered[t] for t in tests))


def difference(
    design: Design,
    first: Sequence[Judgement],
    second: Sequence[Judgement],
    *,
    weights: tuple[Sequence[float], Sequence[float]] | None = None,
    level: float = 0.95,
) -> Difference:
    """The difference of two methods, paired: on the same tests, images and pairs.

    ``weights`` as in `accuracy`, for each method. Raises `BadInput` where the two are not judged on the same tests.
    """
    from scipy import special

    if {j.test for j in first} != {j.test for j in second}:
        raise BadInput("two methods can only be compared on the same test sets")
    plus, minus = (_weights(first), _weights(second)) if weights is None else weights
    signed = [*plus, *(-w for w in minus)]
    both = [*first, *second]
    value = float(sum(w * j.accuracy for w, j in zip(signed, both, strict=True)))
    images, df_images = _variance_images(design, both, signed)
    parts = [_variance_seeds(first, plus), _variance_seeds(second, minus)]
    known = [(v, df) for v, df in parts if v is not None]
    seeds = sum(v for v, _ in known) if known else None
    df_seeds = seeds**2 / sum(v * v / df for v, df in known if v) if seeds else 1.0
    variance = images + (seeds or 0.0)
    if variance <= 0.0:  # the same answer to every pair
        return Difference(value, value, value, 1.0 if value == 0.0 else 0.0, images, seeds)
    error = float(np.sqrt(variance))
    df = _together(images, df_images, seeds, df_seeds)
    half = float(special.stdtrit(df, 0.5 + level / 2)) * error
    p = min(1.0, float(2 * special.stdtr(df, -abs(value) / error)))
    return Difference(value, max(-1.0, value - half), min(1.0, value + half), p, images, seeds)


def pairs_interval(correct: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """The usual binomial interval (Wilson's), as if pairs were independent: for comparison, never in a table."""
    p = correct / n
    return _wilson(p, p * (1 - p) / n, np.inf, n, level)


# ---------------------------------------------------------------------------------------------------- parts


def _weights(judgements: Sequence[Judgement]) -> list[float]:
    """Each test weighs the same, and in it each seed."""
    if not judgements:
        raise BadInput("there is no judgement to make an accuracy of")
    tests = [j.test for j in judgements]
    return [1.0 / (len(set(tests)) * tests.count(t)) for t in tests]


def _variance_images(design: Design, judgements: Sequence[Judgement], weights: Sequence[float]) -> tuple[float, float]:
    """The variance over images of ``sum weight * accuracy``, and its degrees of freedom."""
    sums, squares = residuals(design, judgements, weights)
    n = design.n_images
    # the residuals are taken around an accuracy that was fitted to them; exact for all pairs of n images, where
    # this is the jackknife's factor, and 1 + 3/n or so
    total = float(sums @ sums) * (n * (n - 1) / (n - 2) ** 2 if n > 3 else 1.0)
    if total <= 0.0:
        return 0.0, float(max(1, n - 1))
    spread = float((sums**4).sum()) - float(sums @ sums) ** 2 / n  # that of the terms S_i^2, n times
    df = 2.0 * float(sums @ sums) ** 2 / spread if spread > 0 else float(n)
    return max(total - squares, squares), float(np.clip(df, 1.0, n))


def residuals(
    design: Design, judgements: Sequence[Judgement], weights: Sequence[float]
) -> tuple[NDArray[np.float64], float]:
    """``S_i`` ``(n_images,)``, and the sum of ``q_d^2``, of ``sum weight * accuracy``."""
    if design.implied:
        strengths = np.stack([j.strengths for j in judgements if j.strengths is not None])
        tests = np.array([j.test for j in judgements])
        scale = np.array([w / j.n_ordered for w, j in zip(weights, judgements, strict=True)])
        means = np.array([j.accuracy for j in judgements])
        sums, squares = order_residuals(design.truth[tests], strengths, scale, means)
        return sums, float(squares)
    places, low, high = design.dyads
    q = np.zeros(low.size)
    for k, (j, weight) in enumerate(zip(judgements, weights, strict=True)):
        assert j.correct is not None
        own = np.zeros(low.size) if k else q  # summed on its own, so that equal judgements cancel to the last bit
        pair_loops.add_residuals(own, places[j.test], j.correct, weight / j.n_ordered)
        if k:
            q += own
    return pair_loops.sum_by_image(q, low, high, design.n_images)


def _variance_seeds(judgements: Sequence[Judgement], weights: Sequence[float]) -> tuple[float | None, float]:
    """The variance that training again adds to the mean over seeds, and its degrees of freedom.

    Each test is a training of its own. The spread of seeds on the same images also holds what seed and
    images do together, which the other part has once already: if anything it is too large.
    """
    variance, spread, known = 0.0, 0.0, False
    for test in dict.fromkeys(j.test for j in judgements):
        own = [(w, j.accuracy) for w, j in zip(weights, judgements, strict=True) if j.test == test]
        if len(own) > 1:
            known = True
            weight = sum(w for w, _ in own)
            part = weight**2 * float(np.var([a for _, a in own], ddof=1)) / len(own)
            variance += part
            spread += part**2 / (len(own) - 1)
    return (variance if known else None), (variance**2 / spread if spread > 0 else 1.0)


def _together(images: float, df_images: float, seeds: float | None, df_seeds: float) -> float:
    """Satterthwaite's degrees of freedom of a sum of two variances."""
    parts = images**2 / df_images + (seeds or 0.0) ** 2 / df_seeds
    return (images + (seeds or 0.0)) ** 2 / parts if parts > 0 else df_images


def _wilson(p: float, variance: float, df: float, fallback: float, level: float) -> tuple[float, float]:
    """Wilson's interval at the effective number of pairs; ``fallback`` is that number where all are alike.

    Where every pair is right (or wrong) the data show no spread. Half the images is then the number of
    pairs that surely share none.
    """
    from scipy import special

    upper = 0.5 + level / 2
    z = float(special.stdtrit(df, upper)) if np.isfinite(df) else float(special.ndtri(upper))
    inside = p * (1.0 - p)
    n = inside / variance if variance > 0 and inside > 0 else max(1.0, fallback)
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(inside / n + z * z / (4 * n * n)))
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))
