"""Accuracy and differences of accuracies, with confidence intervals for the sampling of images.

An accuracy is a mean over pairs (a U-statistic), and pairs are correlated if they share an image. With the residual
``q_d`` of a dyad d (an unordered pair of images; its contribution to the estimate minus the expectation) and the sum
``S_i`` of the residuals at image i, the dyadic cluster-robust variance is the sum of ``q_d q_e`` over all d, e that
share an image,

    V = sum_i S_i^2 - sum_d q_d^2,

since the first sum counts the product of d with itself twice (Fafchamps & Gubert, J. Development Economics 2007;
Aronow, Samii & Assenova, Political Analysis 2015). The variance of the plain bootstrap over images tends to
sum S^2 + sum q^2 instead, three times too much if no image is in two pairs. For identically distributed images the
true V is never below ``sum q_d^2``, its value for independent pairs, so this is a lower bound of the estimate.

The interval is Wilson's (J. American Statistical Association 1927) at the effective number of pairs ``p(1-p)/V``, as
Korn & Graubard (Survey Methodology 1998) use it in the Clopper-Pearson interval, with Student's t at Satterthwaite's
degrees of freedom (Biometrics Bulletin 1946), of which ``_variance_images`` estimates those over images.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.statistics import pair_loops
from relattr.statistics.design import Design, Judgement
from relattr.statistics.kernels import order_residuals

ROUNDING = 1e-12
"""Differences of accuracies below this are those of the order of summation."""


@dataclass(frozen=True)
class AccuracyEstimate:
    """An accuracy in [0, 1] with its confidence interval; ``variance`` is the sum of those of images and seeds."""

    value: float
    lower: float
    upper: float
    variance_images: float
    variance_seeds: float | None
    """Variance of the mean over seeds; None if it is unknown because no test has two seeds."""
    n_images: int
    n_ordered: int

    @property
    def variance(self) -> float:
        return self.variance_images + (self.variance_seeds or 0.0)


@dataclass(frozen=True)
class Difference:
    """First accuracy minus second, on the same pairs; ``p`` is the two-sided p-value of no difference."""

    value: float
    lower: float
    upper: float
    p: float
    variance_images: float
    variance_seeds: float | None

    @property
    def variance(self) -> float:
        return self.variance_images + (self.variance_seeds or 0.0)


def estimate_accuracy(
    design: Design, judgements: Sequence[Judgement], *, weights: Sequence[float] | None = None, level: float = 0.95
) -> AccuracyEstimate:
    """Estimate the accuracy of a method: the mean over tests of the mean over its judgements (seeds) on each.

    ``weights``, one for each judgement and summing to 1, define another weighted mean. Raises `BadInput` if there is
    no judgement.
    """
    weights = equal_weights(judgements) if weights is None else weights
    value = float(sum(w * j.accuracy for w, j in zip(weights, judgements, strict=True)))
    images, df_images = _variance_images(design, judgements, weights)
    seeds, df_seeds = variance_of_seeds([j.test for j in judgements], weights, [j.accuracy for j in judgements])
    tests = {j.test for j in judgements}
    df = satterthwaite(images, df_images, seeds, df_seeds)
    lower, upper = _wilson(value, images + (seeds or 0.0), df, design.n_images / (2 * design.variance_factor), level)
    n_ordered = sum(design.n_ordered[t] for t in tests)
    return AccuracyEstimate(value, lower, upper, images, seeds, design.n_images, n_ordered)


def difference(
    design: Design,
    first: Sequence[Judgement],
    second: Sequence[Judgement],
    *,
    weights: tuple[Sequence[float], Sequence[float]] | None = None,
    paired_seeds: bool = False,
    level: float = 0.95,
) -> Difference:
    """Estimate the paired difference of two methods on the same tests, images and pairs.

    ``weights`` are those of `estimate_accuracy` for each method. With ``paired_seeds`` the k-th judgements of both have
    the same test and seed, and the variance due to retraining is that of their differences. Otherwise, a method with
    one seed is taken to vary between trainings as much as the other, if that has several. Raises `BadInput` if the
    methods are judged on different tests, or in another order with ``paired_seeds``.
    """
    from scipy import special

    if {j.test for j in first} != {j.test for j in second}:
        raise BadInput("two methods can only be compared on the same test sets")
    plus, minus = (equal_weights(first), equal_weights(second)) if weights is None else weights
    signed = [*plus, *(-w for w in minus)]
    both = [*first, *second]
    value = float(sum(w * j.accuracy for w, j in zip(signed, both, strict=True)))
    if abs(value) < ROUNDING:
        value = 0.0
    images, df_images = _variance_images(design, both, signed)
    if paired_seeds:
        if [j.test for j in first] != [j.test for j in second]:
            raise BadInput("judgements with paired seeds must be on the same test sets in the same order")
        differences = [a.accuracy - b.accuracy for a, b in zip(first, second, strict=True)]
        parts = [variance_of_seeds([j.test for j in first], plus, differences)]
    else:
        parts = _variances_of_two(((first, plus), (second, minus)))
    known = [(v, df) for v, df in parts if v is not None]
    seeds = sum(v for v, _ in known) if known else None
    df_seeds = seeds**2 / sum(v * v / df for v, df in known if v) if seeds else 1.0
    variance = images + (seeds or 0.0)
    if variance <= 0.0:  # the same outcome on every pair
        return Difference(value, value, value, 1.0 if value == 0.0 else 0.0, images, seeds)
    error = float(np.sqrt(variance))
    df = satterthwaite(images, df_images, seeds, df_seeds)
    half = float(special.stdtrit(df, 0.5 + level / 2)) * error
    p = 1.0 if value == 0.0 else min(1.0, float(2 * special.stdtr(df, -abs(value) / error)))
    return Difference(value, max(-1.0, value - half), min(1.0, value + half), p, images, seeds)


def pairs_interval(correct: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's binomial interval (1927), which assumes independent pairs: for comparison, not used in tables."""
    p = correct / n
    return _wilson(p, p * (1 - p) / n, np.inf, n, level)


# ---------------------------------------------------------------------------------------------------- parts


def equal_weights(judgements: Sequence[Judgement]) -> list[float]:
    """Return equal weights for all tests, and for all seeds of a test."""
    if not judgements:
        raise BadInput("there is no judgement to estimate an accuracy from")
    tests = [j.test for j in judgements]
    return [1.0 / (len(set(tests)) * tests.count(t)) for t in tests]


def _variance_images(design: Design, judgements: Sequence[Judgement], weights: Sequence[float]) -> tuple[float, float]:
    """Return the variance over images of ``sum weight * accuracy``, and its degrees of freedom."""
    sums, squares = residuals(design, judgements, weights)
    n = design.n_images
    # correction for residuals around the estimated accuracy, about 1 + 3/n: with this factor, the sum of S_i^2 is the
    # variance of the leave-one-image-out jackknife, exactly so for all pairs of n images
    total = float(sums @ sums) * (n * (n - 1) / (n - 2) ** 2 if n > 3 else 1.0)
    if total <= 0.0:
        return 0.0, float(max(1, n - 1))
    dispersion = float((sums**4).sum()) - float(sums @ sums) ** 2 / n  # n times the variance of the terms S_i^2
    df = 2.0 * float(sums @ sums) ** 2 / dispersion if dispersion > 0 else float(n)
    return design.variance_factor * max(total - squares, squares), float(np.clip(df, 1.0, n))


def residuals(
    design: Design, judgements: Sequence[Judgement], weights: Sequence[float]
) -> tuple[NDArray[np.float64], float]:
    """Return ``S_i`` ``(n_images,)`` and the sum of ``q_d^2`` for the estimate ``sum weight * accuracy``."""
    if design.implied:
        strengths = np.stack([j.strengths for j in judgements if j.strengths is not None])
        tests = np.array([j.test for j in judgements])
        scale = np.array([w / j.n_ordered for w, j in zip(weights, judgements, strict=True)])
        means = np.array([j.accuracy for j in judgements])
        sums, squares = order_residuals(design.truth[tests], strengths, scale, means)
        return sums, float(squares)
    dyads, first, second = design.dyads
    q = np.zeros(first.size)
    for k, (j, weight) in enumerate(zip(judgements, weights, strict=True)):
        assert j.correct is not None
        part = np.zeros(first.size) if k else q  # summed separately, so that equal judgements cancel exactly
        pair_loops.add_residuals(part, dyads[j.test], j.correct, weight / j.n_ordered)
        if k:
            q += part
    return pair_loops.sum_by_image(q, first, second, design.n_images)


def variance_of_seeds(
    tests: Sequence[Hashable], weights: Sequence[float], values: Sequence[float]
) -> tuple[float | None, float]:
    """Return the variance of ``sum weight * value`` due to retraining, and its degrees of freedom.

    Each test has separate trainings, so the variance is the sum over tests of the squared weight of a test times the
    sample variance between its seeds, divided by their number, with degrees of freedom by Satterthwaite (1946). A test
    with one seed is taken to vary as the tests with several do on average (weighted by their degrees of freedom). The
    variance is None if no test has two seeds. The variance between seeds on the same images includes the interaction of
    seeds and images, which is also part of the variance over images: the sum is conservative.
    """
    return _variance_of_retraining(tests, weights, values, 0.0)


def _variances_of_two(
    sides: Sequence[tuple[Sequence[Judgement], Sequence[float]]],
) -> list[tuple[float | None, float]]:
    """Return `variance_of_seeds` of each of two methods, or of both together if only one of them has two seeds.

    The other is then taken to vary as much: it would otherwise seem to be certain, and equal methods to differ.
    """
    tests = [[j.test for j in side] for side, _ in sides]
    weights = [of_side for _, of_side in sides]
    values = [[j.accuracy for j in side] for side, _ in sides]
    several = [k for k in (0, 1) if len(set(tests[k])) < len(tests[k])]
    if len(several) != 1:
        return [variance_of_seeds(*of_side) for of_side in zip(tests, weights, values, strict=True)]
    (known,) = several
    other = sum(w**2 for w in weights[1 - known])
    return [_variance_of_retraining(tests[known], weights[known], values[known], other)]


def _variance_of_retraining(
    tests: Sequence[Hashable], weights: Sequence[float], values: Sequence[float], others: float
) -> tuple[float | None, float]:
    """Return `variance_of_seeds`, with further trainings that vary as much, whose squared weights sum to ``others``."""
    groups = [
        [(w, value) for t, w, value in zip(tests, weights, values, strict=True) if t == test]
        for test in dict.fromkeys(tests)
    ]
    several = [group for group in groups if len(group) > 1]
    if not several:
        return None, 1.0
    of_one_seed = others + sum(group[0][0] ** 2 for group in groups if len(group) == 1)
    df = np.array([len(group) - 1 for group in several])
    of_one_training = np.array([np.var([value for _, value in group], ddof=1) for group in several])
    squared_weights = np.array([sum(w for w, _ in group) ** 2 for group in several])
    parts = (squared_weights / (df + 1) + of_one_seed * df / df.sum()) * of_one_training
    variance, denominator = float(parts.sum()), float((parts**2 / df).sum())
    return variance, (variance**2 / denominator if denominator > 0 else 1.0)


def satterthwaite(images: float, df_images: float, seeds: float | None, df_seeds: float) -> float:
    """Return the degrees of freedom of the sum of two variances (Satterthwaite, Biometrics Bulletin 1946)."""
    denominator = images**2 / df_images + (seeds or 0.0) ** 2 / df_seeds
    return (images + (seeds or 0.0)) ** 2 / denominator if denominator > 0 else df_images


def _wilson(p: float, variance: float, df: float, fallback: float, level: float) -> tuple[float, float]:
    """Return Wilson's interval at the effective number of pairs, or at ``fallback`` if all outcomes are equal.

    If every pair is correct, or every pair wrong, the sample variance is zero. Half the number of images is then used,
    the number of pairs that can share no image, divided by the design's variance factor.
    """
    from scipy import special

    upper = 0.5 + level / 2
    z = float(special.stdtrit(df, upper)) if np.isfinite(df) else float(special.ndtri(upper))
    bernoulli = p * (1.0 - p)
    n = bernoulli / variance if variance > 0 and bernoulli > 0 else max(1.0, fallback)
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(bernoulli / n + z * z / (4 * n * n)))
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))
