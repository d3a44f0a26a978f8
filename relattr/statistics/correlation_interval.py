"""Confidence interval of a mean of Spearman's correlations, for the sampling of images and the variance between seeds.

The variance over images is that of the jackknife, with each image left out once from all correlations that it is part
of; so correlations of several seeds and attributes on the same images may be dependent (Efron, 1982, chapter 3). The
interval is Student's on Fisher's scale, atanh(rho), on which its ends stay within (-1, 1) and its width hardly depends
on rho (Bonett & Wright, Psychometrika 2000).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.statistics.correlation import spearman
from relattr.statistics.interval import satterthwaite, variance_of_seeds

_BLOCK = 1 << 22
"""Comparisons of two images that are made at a time."""
_ROUNDING = 1e-12
"""Correlations this close to 1 or -1 are 1 or -1."""


@dataclass(frozen=True, eq=False)
class CorrelationSample:
    """The strengths and scores of some images, ``(n,)`` each, and integers ``(n,)`` that identify the images.

    Samples with equal ``test`` have the same images and scores, and strengths of different seeds.
    """

    test: str
    strengths: NDArray[np.floating[Any]]
    scores: NDArray[np.floating[Any]]
    image_ids: NDArray[np.integer[Any]]


@dataclass(frozen=True)
class CorrelationEstimate:
    """A mean of Spearman's correlations, in [-1, 1], with its confidence interval."""

    value: float
    lower: float
    upper: float
    variance_images: float
    variance_seeds: float | None
    """Variance of the mean over seeds; None if no test has two seeds."""


def estimate_correlation(samples: Sequence[CorrelationSample], *, level: float = 0.95) -> CorrelationEstimate | None:
    """Estimate the mean over tests of the mean over seeds of Spearman's correlation.

    None if a correlation is undefined with all images or without one of them, or if the mean is 1 or -1, where its
    variance cannot be estimated. Raises `BadInput` without samples.
    """
    from scipy import special

    if not samples:
        raise BadInput("there is no sample to estimate a correlation from")
    values = [spearman(sample.strengths, sample.scores) for sample in samples]
    tests = [sample.test for sample in samples]
    weights = [1.0 / (len(set(tests)) * tests.count(test)) for test in tests]
    ids, places = np.unique(np.concatenate([sample.image_ids for sample in samples]), return_inverse=True)
    parts = np.split(places, np.cumsum([sample.image_ids.size for sample in samples])[:-1])
    deviations = np.zeros(ids.size)
    for sample, weight, place in zip(samples, weights, parts, strict=True):
        without = leave_one_out(sample.strengths, sample.scores)
        n = without.size
        deviations[place] += weight * np.sqrt((n - 1) / n) * (without - without.mean())
    known = [value for value in values if value is not None]
    mean = float(sum(w * value for w, value in zip(weights, known, strict=False)))
    if len(known) < len(values) or not np.isfinite(deviations).all() or abs(mean) > 1.0 - _ROUNDING:
        return None
    images = float(deviations @ deviations)
    seeds, df_seeds = variance_of_seeds(tests, weights, known)
    variance = images + (seeds or 0.0)
    df = satterthwaite(images, ids.size - 1.0, seeds, df_seeds)
    half = float(special.stdtrit(df, 0.5 + level / 2)) * variance**0.5 / (1.0 - mean**2)
    ends = np.tanh(np.arctanh(mean) + np.array([-half, half]))
    return CorrelationEstimate(mean, float(ends[0]), float(ends[1]), images, seeds)


def leave_one_out(strengths: NDArray[Any], scores: NDArray[Any]) -> NDArray[np.float64]:
    """Spearman's correlation of ``strengths`` and ``scores`` ``(n,)`` without each image in turn, ``(n,)``.

    NaN where it is undefined. Without image i, the mean rank of image j is lower by 1 if j has more than i, and by 1/2
    if they are equal, so all correlations follow from the ranks of all images.
    """
    from scipy.stats import rankdata

    x, y = rankdata(strengths), rankdata(scores)
    n = x.size
    if n < 3:
        return np.full(n, np.nan)
    result = np.empty(n)
    step = max(1, _BLOCK // n)
    for start in range(0, n, step):
        part = slice(start, start + step)
        left = _ranks_without(x, part)
        right = _ranks_without(y, part)
        numerator = np.einsum("ij,ij->i", left, right)
        squares = np.einsum("ij,ij->i", left, left) * np.einsum("ij,ij->i", right, right)
        with np.errstate(invalid="ignore", divide="ignore"):
            result[part] = np.where(squares > 0, numerator / np.sqrt(squares), np.nan)
    return result


def _ranks_without(ranks: NDArray[np.float64], part: slice) -> NDArray[np.float64]:
    """For each image i of a part, the centred ranks of the other images without it, ``(k, n)``; 0 at i itself."""
    n = ranks.size
    own = ranks[part, None]
    centred = ranks - 0.5 * (1.0 + np.sign(ranks - own)) - n / 2  # n - 1 ranks have the mean n / 2
    centred[np.arange(own.size), np.arange(n)[part]] = 0.0
    return centred
