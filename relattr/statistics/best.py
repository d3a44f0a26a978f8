"""Simultaneous comparison of several methods with the one that the same data show to be the best.

The best method is chosen by the data, so a test of "no difference from the best" is a test of the largest of many
differences, and even Holm's correction over the comparisons with the chosen one is too liberal. The p-values here refer
to the maximum, over all pairs of methods, of the absolute standardised difference when all methods are equally good:
Tukey's all-pairwise comparisons, with the covariance of the methods' accuracies in place of equal variances (Hothorn,
Bretz & Westfall, Biometrical Journal 2008). Whichever method is the best, the probability that any method is called
worse than one that is not better is at most the level.

The covariance is that of the sums of residuals at each image (see ``interval``), as in a multiplier bootstrap over
images; the distribution of the maximum is simulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relattr.errors import BadInput
from relattr.random import generator
from relattr.statistics.design import Design, Judgement
from relattr.statistics.interval import residuals

N_DRAWS = 20_000
"""Simulated maxima: a p-value of 5 % has a standard error of 0.15 %."""
MANY = 32
"""From this many methods on, the maxima are computed by a compiled loop: importing the compiler then pays."""


def difference_covariance(
    design: Design,
    judgements: Sequence[Sequence[Judgement]],
    weights: Sequence[Sequence[float]],
    *,
    variances_images: ArrayLike,
    best: int,
    variances_seeds: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Estimate a covariance ``(k, k)`` of the accuracies of k methods; only that of their differences is meaningful.

    ``judgements`` and ``weights`` are those of each method, as for `estimate_accuracy`, all on the tests of ``design``;
    ``variances_images`` ``(k,)`` are the variances over images of the difference of each method from the method
    ``best``, and ``variances_seeds`` ``(k,)`` those of each accuracy due to retraining (default: 0).
    """
    pairs = zip(judgements, weights, strict=True)
    sums = np.stack([residuals(design, of_method, of_seeds)[0] for of_method, of_seeds in pairs])
    sums -= sums[best]
    gram = sums @ sums.T
    # the products count each dyad twice with itself; relative to the other pairs of dyads that is a common factor
    total = float(np.trace(gram))
    if total > 0:
        gram *= float(np.sum(variances_images)) / total
    if variances_seeds is not None:
        gram += np.diag(np.asarray(variances_seeds, np.float64))
    return gram


class LargestDifference:
    """The distribution of the largest absolute standardised difference between any two of k equal methods.

    Parameters
    ----------
    covariance : ``(k, k)``, of the methods' accuracies.

    Raises `BadInput` for an array of another shape, or one that is not finite.
    """

    def __init__(self, covariance: ArrayLike) -> None:
        covariance = np.asarray(covariance, np.float64)
        if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1] or not np.isfinite(covariance).all():
            raise BadInput(f"a covariance should be a finite square array; got shape {covariance.shape}")
        self.n_methods = len(covariance)
        values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
        factor = vectors * np.sqrt(np.clip(values, 0.0, None))
        draws = _standard_normal(self.n_methods) @ factor.T
        inverse_deviations = _inverse_deviations(factor)
        if self.n_methods < MANY:
            maxima = _largest_differences(draws, inverse_deviations)
        else:
            from relattr.statistics.range_loops import largest_differences

            maxima = largest_differences(draws, inverse_deviations)
        self._maxima = np.sort(maxima)

    def adjusted_p(self, p: float) -> float:
        """Return the adjusted p-value of the difference of two of the methods, from its two-sided p-value ``p``.

        It is never below ``p`` and never above Bonferroni's for all pairs of methods. Raises `BadInput` for a value
        outside [0, 1].
        """
        from scipy import special

        if not 0.0 <= p <= 1.0:
            raise BadInput(f"{p} is not a p-value; expected a number in [0, 1]")
        if self.n_methods < 3 or p in (0.0, 1.0):
            return p
        statistic = -float(special.ndtri(p / 2))
        exceeding = N_DRAWS - int(np.searchsorted(self._maxima, statistic, side="left"))
        bonferroni = p * self.n_methods * (self.n_methods - 1) / 2
        return max(p, min(1.0, bonferroni, (exceeding + 1) / (N_DRAWS + 1)))


@lru_cache(maxsize=1)
def _standard_normal(n_methods: int) -> NDArray[np.float64]:
    """Normal deviates ``(N_DRAWS, n_methods)``, read-only: the columns of a table mostly have the same methods."""
    draws = generator(0, "largest difference").standard_normal((N_DRAWS, n_methods))
    draws.flags.writeable = False
    return draws


def _inverse_deviations(factor: NDArray[np.float64]) -> NDArray[np.float64]:
    """One over the standard deviation of each difference, ``(k, k)``; 0 for two methods with the same answers."""
    squares = np.stack([((factor - row) ** 2).sum(1) for row in factor])
    deviations = np.sqrt(squares)
    differs = deviations > 1e-6 * np.abs(factor).max(initial=0.0)
    return np.divide(1.0, deviations, out=np.zeros_like(deviations), where=differs)


def _largest_differences(draws: NDArray[np.float64], inverse_deviations: NDArray[np.float64]) -> NDArray[np.float64]:
    """What `relattr.statistics.range_loops.largest_differences` returns."""
    maxima = np.zeros(len(draws))
    for i in range(draws.shape[1] - 1):
        differences = np.abs(draws[:, i + 1 :] - draws[:, [i]]) * inverse_deviations[i, i + 1 :]
        np.maximum(maxima, differences.max(1), out=maxima)
    return maxima
