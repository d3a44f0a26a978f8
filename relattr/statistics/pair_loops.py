"""Single passes over explicit pairs, compiled where there are many: NumPy's temporaries cost more than the sums.

Each has an equivalent in NumPy with the same results to the last bit (`relattr.statistics.pair_passes`), which is used
in a process that has few pairs to judge.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relattr.statistics import pair_passes
from relattr.system.compiled import njit


@njit(in_numpy=pair_passes.mark_images)
def mark_images(
    left: NDArray[np.int32], right: NDArray[np.int32], label: NDArray[np.int8], n: int
) -> NDArray[np.bool_]:
    """Return a mask ``(n,)`` of the images that are in an ordered pair."""
    used = np.zeros(n, np.bool_)
    for e in range(left.size):
        if label[e] != 0:
            used[left[e]] = True
            used[right[e]] = True
    return used


@njit(in_numpy=pair_passes.renumber_pairs)
def renumber_pairs(
    left: NDArray[np.int32], right: NDArray[np.int32], label: NDArray[np.int8], index: NDArray[np.int32], m: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the two images of each of the ``m`` ordered pairs, ``(m,)`` each, mapped to new indices."""
    first, second = np.empty(m, np.int32), np.empty(m, np.int32)
    k = 0
    for e in range(left.size):
        if label[e] != 0:
            first[k] = index[left[e]]
            second[k] = index[right[e]]
            k += 1
    return first, second


@njit(in_numpy=pair_passes.mark_correct)
def mark_correct(
    left: NDArray[np.int32], right: NDArray[np.int32], label: NDArray[np.int8], strengths: NDArray[np.float64], m: int
) -> tuple[NDArray[np.bool_], int, int]:
    """Return a mask of the correct ones of ``m`` ordered pairs, their number, and the first non-finite margin or -1.

    A tie is wrong.
    """
    correct = np.empty(m, np.bool_)
    k, n_correct, invalid = 0, 0, -1
    for e in range(left.size):
        y = label[e]
        if y != 0:
            margin = strengths[left[e]] - strengths[right[e]]
            if not np.isfinite(margin) and invalid < 0:
                invalid = e
            hit = margin > 0.0 if y > 0 else margin < 0.0
            correct[k] = hit
            n_correct += hit
            k += 1
    return correct, n_correct, invalid


@njit(in_numpy=pair_passes.index_dyads)
def index_dyads(
    left: NDArray[np.int32], right: NDArray[np.int32], n: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Return the dyad of each pair, numbered by first occurrence; and the two images of each dyad, the lower first.

    A dyad is an unordered pair of the ``n`` images; they are looked up in a table of all dyads.
    """
    table = np.zeros(n * n, np.int32)
    dyad = np.empty(left.size, np.int32)
    first, second = np.empty(left.size, np.int32), np.empty(left.size, np.int32)
    n_dyads = 0
    for e in range(left.size):
        a, b = left[e], right[e]
        if a > b:
            a, b = b, a
        key = np.int64(a) * n + b
        if table[key] == 0:
            first[n_dyads] = a
            second[n_dyads] = b
            n_dyads += 1
            table[key] = n_dyads
        dyad[e] = table[key] - 1
    return dyad, first[:n_dyads], second[:n_dyads]


@njit(in_numpy=pair_passes.add_residuals)
def add_residuals(q: NDArray[np.float64], dyad: NDArray[np.int32], correct: NDArray[np.bool_], scale: float) -> None:
    """Add ``scale * (correct - mean of correct)`` of each pair to the residual ``q`` of its dyad."""
    mean = correct.sum() / correct.size
    right, wrong = scale * (1.0 - mean), -scale * mean
    for e in range(dyad.size):
        q[dyad[e]] += right if correct[e] else wrong


@njit(in_numpy=pair_passes.sum_by_image)
def sum_by_image(
    q: NDArray[np.float64], first: NDArray[np.int32], second: NDArray[np.int32], n: int
) -> tuple[NDArray[np.float64], float]:
    """Return the sum of ``q`` at each image, ``(n,)``, and the sum of squares of ``q``."""
    sums = np.zeros(n)
    squares = 0.0
    for d in range(q.size):
        sums[first[d]] += q[d]
        sums[second[d]] += q[d]
        squares += q[d] * q[d]
    return sums, squares
