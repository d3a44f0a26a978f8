"""Accuracy: correct / ordered pairs; similar pairs are not scored, and a tied margin is an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.pairs import Order, Pairs


@dataclass(frozen=True)
class PairCounts:
    """Numbers of ordered, correct and tied pairs of a test set."""

    ordered: int
    correct: int
    tied: int

    @property
    def accuracy(self) -> float:
        """In [0, 1]; NaN if no pair is ordered."""
        return self.correct / self.ordered if self.ordered else float("nan")


def count_margins(margins: NDArray[np.floating[Any]], pairs: Pairs) -> PairCounts:
    """Count correct and tied pairs, given margins ``(n_pairs,)``: correct if the sign equals the label.

    Raises `BadInput` for another shape, NaN or infinity.
    """
    margins = np.asarray(margins)
    if margins.shape != (len(pairs),):
        raise BadInput(f"compare returned shape {margins.shape} for {len(pairs)} pairs; expected ({len(pairs)},)")
    invalid = np.flatnonzero(~np.isfinite(margins))
    if invalid.size:
        raise BadInput(f"the margin of pair {invalid[0]} is {margins[invalid[0]]}; margins must be finite")
    ordered = pairs.label != 0
    signs = np.sign(margins)
    return PairCounts(
        ordered=int(ordered.sum()),
        correct=int((ordered & (signs == pairs.label)).sum()),
        tied=int((ordered & (signs == 0)).sum()),
    )


def count_strengths(strengths: NDArray[np.floating[Any]], pairs: Pairs) -> PairCounts:
    """Count correct and tied pairs, given strengths ``(n_images,)``; equals `count_margins` of their differences.

    All pairs of images with scores are counted by sorting in O(n log n) for n images, without enumerating them: 3
    million pairs of 2,448 images take a millisecond. Raises `BadInput` if an image of a pair has no finite strength.
    """
    values = np.asarray(strengths, dtype=np.float64)
    images = pairs.images
    if values.ndim != 1 or values.size <= images.max(initial=-1):
        raise BadInput(f"strengths must be (n_images,); got shape {values.shape} for image {images.max(initial=-1)}")
    invalid = images[~np.isfinite(values[images])]
    if invalid.size:
        raise BadInput(f"the strength of image {invalid[0]} is {values[invalid[0]]}; strengths must be finite")
    if pairs.order is None:
        return count_margins(values[pairs.left] - values[pairs.right], pairs)
    return _count_order(values[pairs.order.items], pairs.order)


def _count_order(strengths: NDArray[np.float64], order: Order) -> PairCounts:
    ordered = order.n_pairs - order.n_similar
    correct = _concordant(order.strengths, strengths)
    wrong = _concordant(order.strengths, -strengths)
    return PairCounts(ordered=ordered, correct=correct, tied=ordered - correct - wrong)


def _concordant(truth: NDArray[np.float64], strengths: NDArray[np.float64]) -> int:
    """Return the number of pairs with ``truth[i] < truth[j]`` and ``strengths[i] < strengths[j]``.

    With images in ascending order of truth, and ties in descending order of strength, these are the non-inversions
    ``i < j, rank[i] < rank[j]``. Two different ranks differ first at one bit: for each bit, from the highest, count
    among the ranks with equal higher bits the zeros before each one.
    """
    _, rank = np.unique(strengths, return_inverse=True)
    rank = rank[np.lexsort((-strengths, truth))].astype(np.int64)
    total = 0
    for bit in reversed(range(int(rank.max(initial=0)).bit_length())):
        above = rank >> (bit + 1)
        one = (rank >> bit) & 1
        zeros_before = np.cumsum(1 - one) - (1 - one)
        starts = np.flatnonzero(np.concatenate([[True], above[1:] != above[:-1]])) if rank.size else np.zeros(0, int)
        zeros_at_start = np.repeat(zeros_before[starts], np.diff(np.append(starts, rank.size)))
        total += int(((zeros_before - zeros_at_start) * one).sum())
        rank = rank[np.argsort(rank >> bit, kind="stable")]
    return total
