"""The passes of `relattr.statistics.pair_loops` in NumPy, with the same results to the last bit.

Sums are in the order of the loops: `numpy.bincount` and `numpy.cumsum` add one value after another.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def mark_images(
    left: NDArray[np.int32], right: NDArray[np.int32], label: NDArray[np.int8], n: int
) -> NDArray[np.bool_]:
    """Return a mask ``(n,)`` of the images that are in an ordered pair."""
    ordered = label != 0
    used = np.zeros(n, np.bool_)
    used[left[ordered]] = True
    used[right[ordered]] = True
    return used


def renumber_pairs(
    left: NDArray[np.int32], right: NDArray[np.int32], label: NDArray[np.int8], index: NDArray[np.int32], m: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the two images of each of the ``m`` ordered pairs, ``(m,)`` each, mapped to new indices."""
    ordered = label != 0
    return index[left[ordered]].astype(np.int32), index[right[ordered]].astype(np.int32)


def mark_correct(
    left: NDArray[np.int32], right: NDArray[np.int32], label: NDArray[np.int8], strengths: NDArray[np.float64], m: int
) -> tuple[NDArray[np.bool_], int, int]:
    """Return a mask of the correct ones of ``m`` ordered pairs, their number, and the first non-finite margin or -1."""
    ordered = np.flatnonzero(label)
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        margins = strengths[left[ordered]] - strengths[right[ordered]]
        correct = np.where(label[ordered] > 0, margins > 0.0, margins < 0.0)
    invalid = np.flatnonzero(~np.isfinite(margins))
    return correct, int(correct.sum()), int(ordered[invalid[0]]) if invalid.size else -1


def index_dyads(
    left: NDArray[np.int32], right: NDArray[np.int32], n: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Return the dyad of each pair, numbered by first occurrence; and the two images of each dyad, the lower first."""
    key = np.minimum(left, right).astype(np.int64) * n + np.maximum(left, right)
    _, first_pair, inverse = np.unique(key, return_index=True, return_inverse=True)
    order = np.argsort(first_pair)
    number = np.empty(order.size, np.int32)
    number[order] = np.arange(order.size, dtype=np.int32)
    pairs = first_pair[order]
    return number[inverse], np.minimum(left, right)[pairs], np.maximum(left, right)[pairs]


def add_residuals(q: NDArray[np.float64], dyad: NDArray[np.int32], correct: NDArray[np.bool_], scale: float) -> None:
    """Add ``scale * (correct - mean of correct)`` of each pair to the residual ``q`` of its dyad."""
    mean = correct.sum() / correct.size
    np.add.at(q, dyad, np.where(correct, scale * (1.0 - mean), -scale * mean))


def sum_by_image(
    q: NDArray[np.float64], first: NDArray[np.int32], second: NDArray[np.int32], n: int
) -> tuple[NDArray[np.float64], float]:
    """Return the sum of ``q`` at each image, ``(n,)``, and the sum of squares of ``q``."""
    images = np.stack([first, second], 1).ravel()
    sums = np.bincount(images, weights=np.repeat(q, 2), minlength=n).astype(np.float64, copy=False)
    return sums, float(np.cumsum(q * q)[-1]) if q.size else 0.0
