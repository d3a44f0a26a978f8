"""Bootstrap over images: resample all images with replacement, and compute the accuracy on the pairs among them.

This is the bootstrap of a U-statistic (Bickel & Freedman, Annals of Statistics 1981). A pair has the weight
``w_i w_j``, the product of the numbers of times its two images were drawn. Pairs are not repeated: weighted sums are
computed along adjacency lists, or, for pairs implied by an order, along a Fenwick tree; in integers, so that they equal
a loop over repeated pairs exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.random import generator
from relattr.statistics import kernels
from relattr.statistics.design import Design, Judgement
from relattr.statistics.interval import equal_weights, residuals


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Bootstrap replicates ``(replicates,)`` of the accuracy, whose estimate is ``value``.

    ``shrink`` corrects the standard deviation of the replicates, which is too large: drawing an image twice repeats
    all of its pairs, which adds the variance of single pairs once for each of their two images (see
    `relattr.statistics.interval`). It is near 1 if images are in many pairs, and the square root of 1/3 if each is in
    one.
    """

    value: float
    replicates: NDArray[np.float64]
    shrink: float

    def interval(self, *, level: float = 0.95, calibrated: bool = True) -> tuple[float, float]:
        """Return the percentile interval of the replicates, corrected by ``shrink`` if ``calibrated``."""
        replicates = self.value + (self.replicates - self.value) * (self.shrink if calibrated else 1.0)
        lower, upper = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
        return max(0.0, float(lower)), min(1.0, float(upper))


def bootstrap(design: Design, judgements: Sequence[Judgement], *, replicates: int = 1000, seed: int = 0) -> Bootstrap:
    """Resample the images of a design; the accuracy is the mean over tests of the mean over seeds.

    In a replicate without any pair of a test, that test has its accuracy in the original sample.
    """
    if replicates < 2:
        raise BadInput(f"replicates must be at least 2; got {replicates}")
    counts = draw_counts(design.n_images, replicates, seed)
    weights = equal_weights(judgements)
    value = float(sum(w * j.accuracy for w, j in zip(weights, judgements, strict=True)))
    total = np.zeros(replicates)
    for weight, judgement in zip(weights, judgements, strict=True):
        hits, all_pairs = weighted_counts(design, judgement, counts)
        total += weight * np.where(all_pairs > 0, hits / np.maximum(all_pairs, 1), judgement.accuracy)
    sums, squares = residuals(design, judgements, weights)
    clustered = float(sums @ sums)
    variance, bootstrapped = max(clustered - squares, squares), clustered + squares
    return Bootstrap(value, total, float(np.sqrt(variance / bootstrapped)) if bootstrapped > 0 else 1.0)


def draw_counts(n: int, replicates: int, seed: int) -> NDArray[np.int16]:
    """Draw multinomial counts of n images: ``(replicates, n)``, each row summing to n."""
    drawn = generator(seed, "bootstrap").integers(
        0, n, size=(replicates, n), dtype=np.uint16 if n < 2**16 else np.uint32
    )
    return kernels.count_draws(drawn, n)


def weighted_counts(
    design: Design, judgement: Judgement, counts: NDArray[np.int16]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the weighted numbers of correct and of ordered pairs in each replicate, ``(replicates,)`` each.

    ``counts`` ``(replicates, n_images)`` are non-negative integers.
    """
    replicates, n = counts.shape
    if design.implied:
        blocks = -(-replicates // kernels.LANES)
        truth = design.truth[judgement.test]
        tested = np.flatnonzero(np.isfinite(truth))
        tested = tested[np.argsort(truth[tested], kind="stable")]
        assert judgement.strengths is not None
        _, rank = np.unique(judgement.strengths[tested], return_inverse=True)
        groups = np.flatnonzero(np.concatenate([[True], np.diff(truth[tested]) > 0, [True]]))
        padded = np.zeros((blocks * kernels.LANES, tested.size), np.int32)
        padded[:replicates] = counts[:, tested]
        weights = np.ascontiguousarray(padded.reshape(blocks, kernels.LANES, tested.size).transpose(0, 2, 1))
        hits, totals = kernels.weighted_order_sums(groups, rank.astype(np.int64) + 1, weights)
    else:
        left, right = design.edges[judgement.test]
        assert judgement.correct is not None
        starts, images = kernels.adjacency(left, right, judgement.correct, n)
        most = max(1, int(counts.max(initial=0)))
        degree = int(np.diff(starts[::2]).max(initial=0))
        if most > 255 or most * degree >= 2**16:  # would overflow the narrow sums
            return _loop_over_replicates(left, right, judgement.correct, counts)
        packed = kernels.pack_weights(counts, kernels.PAIR_LANES)
        hits, totals = kernels.weighted_pair_sums(starts, images, packed.view(np.uint64), most)
    return hits[:replicates], totals[:replicates]


def _loop_over_replicates(
    left: NDArray[np.int32], right: NDArray[np.int32], correct: NDArray[np.bool_], counts: NDArray[np.int16]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    hits, totals = np.zeros(len(counts), np.int64), np.zeros(len(counts), np.int64)
    for r, row in enumerate(counts.astype(np.int64)):
        weights = row[left] * row[right]
        hits[r], totals[r] = weights[correct].sum(), weights.sum()
    return hits, totals
