"""The bootstrap over images: draw as many images as there are, with replacement, and judge the pairs among them.

A pair counts as often as its two images were drawn together, ``w_i w_j``. No pair is ever repeated or
listed: the sums are taken along each image's neighbours, or, where an order implies the pairs, along a
Fenwick tree; in whole numbers, so that they are those of the literal loop to the last bit.
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
from relattr.statistics.interval import _weights, residuals


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Accuracies ``(replicates,)`` of images drawn anew, around ``value``.

    ``shrink`` is the factor by which their spread is too large: an image drawn twice puts its pairs in
    twice, which adds the variance of single pairs once for each of their two images (`relattr.statistics
    .interval`). It is near 1 where images are in many pairs, and the root of 1/3 where they are in one.
    """

    value: float
    replicates: NDArray[np.float64]
    shrink: float

    def interval(self, *, level: float = 0.95, calibrated: bool = True) -> tuple[float, float]:
        """Percentiles of the replicates, drawn in by ``shrink`` unless ``calibrated`` is false."""
        around = self.value + (self.replicates - self.value) * (self.shrink if calibrated else 1.0)
        low, high = np.quantile(around, [(1 - level) / 2, (1 + level) / 2])
        return max(0.0, float(low)), min(1.0, float(high))


def bootstrap(design: Design, judgements: Sequence[Judgement], *, replicates: int = 1000, seed: int = 0) -> Bootstrap:
    """Resample the images of a design; the accuracy is the mean over tests of the mean over seeds.

    A replicate in which no pair of a test is left takes the test's own accuracy there.
    """
    if replicates < 2:
        raise BadInput(f"replicates must be at least 2; got {replicates}")
    counts = draw_counts(design.n_images, replicates, seed)
    weights = _weights(judgements)
    value = float(sum(w * j.accuracy for w, j in zip(weights, judgements, strict=True)))
    total = np.zeros(replicates)
    for weight, judgement in zip(weights, judgements, strict=True):
        hits, all_pairs = weighted_counts(design, judgement, counts)
        total += weight * np.where(all_pairs > 0, hits / np.maximum(all_pairs, 1), judgement.accuracy)
    sums, squares = residuals(design, judgements, weights)
    first = float(sums @ sums)
    right, plain = max(first - squares, squares), first + squares
    return Bootstrap(value, total, float(np.sqrt(right / plain)) if plain > 0 else 1.0)


def draw_counts(n: int, replicates: int, seed: int) -> NDArray[np.int16]:
    """How often each of n images is drawn: ``(replicates, n)``, each row adding up to n."""
    drawn = generator(seed, "bootstrap").integers(
        0, n, size=(replicates, n), dtype=np.uint16 if n < 2**16 else np.uint32
    )
    return kernels.count_draws(drawn, n)


def weighted_counts(
    design: Design, judgement: Judgement, counts: NDArray[np.int16]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Weighted correct and weighted ordered pairs of each replicate, ``(replicates,)`` each.

    ``counts`` ``(replicates, n_images)``, whole numbers >= 0.
    """
    replicates, n = counts.shape
    if design.implied:
        blocks = -(-replicates // kernels.LANES)
        truth = design.truth[judgement.test]
        here = np.flatnonzero(np.isfinite(truth))
        here = here[np.argsort(truth[here], kind="stable")]
        assert judgement.strengths is not None
        _, place = np.unique(judgement.strengths[here], return_inverse=True)
        groups = np.flatnonzero(np.concatenate([[True], np.diff(truth[here]) > 0, [True]]))
        padded = np.zeros((blocks * kernels.LANES, here.size), np.int32)
        padded[:replicates] = counts[:, here]
        ordered = np.ascontiguousarray(padded.reshape(blocks, kernels.LANES, here.size).transpose(0, 2, 1))
        hits, totals = kernels.weighted_order_sums(groups, place.astype(np.int64) + 1, ordered)
    else:
        left, right = design.edges[judgement.test]
        assert judgement.correct is not None
        starts, images = kernels.adjacency(left, right, judgement.correct, n)
        most = max(1, int(counts.max(initial=0)))
        degree = int(np.diff(starts[::2]).max(initial=0))
        if most > 255 or most * degree >= 2**16:  # beyond the narrow sums: pair by pair, exact as well
            return _one_by_one(left, right, judgement.correct, counts)
        weights = kernels.pack_weights(counts, kernels.PAIR_LANES)
        hits, totals = kernels.weighted_pair_sums(starts, images, weights.view(np.uint64), most)
    return hits[:replicates], totals[:replicates]


def _one_by_one(
    left: NDArray[np.int32], right: NDArray[np.int32], correct: NDArray[np.bool_], counts: NDArray[np.int16]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    hits, totals = np.zeros(len(counts), np.int64), np.zeros(len(counts), np.int64)
    for r, row in enumerate(counts.astype(np.int64)):
        each = row[left] * row[right]
        hits[r], totals[r] = each[correct].sum(), each.sum()
    return hits, totals
