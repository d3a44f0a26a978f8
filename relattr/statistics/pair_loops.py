"""Single passes along listed pairs, compiled: with a million pairs NumPy's temporaries cost more than the sums.

Each has its slow, obvious twin in the tests.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def mark_images(
    left: NDArray[np.int32], right: NDArray[np.int32], label: NDArray[np.int8], n: int
) -> NDArray[np.bool_]:
    """``(n,)`` whether an image is in an ordered pair."""
    there = np.zeros(n, np.bool_)
    for e in range(left.size):
        if label[e] != 0:
            there[left[e]] = True
            there[right[e]] = True
    return there


@njit(cache=True)
def renumber_pairs(
    left: NDArray[np.int32], right: NDArray[np.int32], label: NDArray[np.int8], number: NDArray[np.int32], m: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The two images of each of the ``m`` ordered pairs, ``(m,)`` each, under their new numbers."""
    first, second = np.empty(m, np.int32), np.empty(m, np.int32)
    k = 0
    for e in range(left.size):
        if label[e] != 0:
            first[k] = number[left[e]]
            second[k] = number[right[e]]
            k += 1
    return first, second


@njit(cache=True)
def mark_correct(
    left: NDArray[np.int32], right: NDArray[np.int32], label: NDArray[np.int8], strengths: NDArray[np.float64], m: int
) -> tuple[NDArray[np.bool_], int, int]:
    """Which of the ``m`` ordered pairs are right, how many, and the first pair without a finite margin (else -1).

    A tie is wrong.
    """
    correct = np.empty(m, np.bool_)
    k, hits, bad = 0, 0, -1
    for e in range(left.size):
        y = label[e]
        if y != 0:
            margin = strengths[left[e]] - strengths[right[e]]
            if not np.isfinite(margin) and bad < 0:
                bad = e
            hit = margin > 0.0 if y > 0 else margin < 0.0
            correct[k] = hit
            hits += hit
            k += 1
    return correct, hits, bad


@njit(cache=True)
def index_dyads(
    left: NDArray[np.int32], right: NDArray[np.int32], n: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Which two-image set each pair is, numbered as they first occur; and the two images of each set, lower first.

    Through a table of all sets of two of the ``n`` images.
    """
    table = np.zeros(n * n, np.int32)
    place = np.empty(left.size, np.int32)
    low, high = np.empty(left.size, np.int32), np.empty(left.size, np.int32)
    known = 0
    for e in range(left.size):
        a, b = left[e], right[e]
        if a > b:
            a, b = b, a
        key = np.int64(a) * n + b
        if table[key] == 0:
            low[known] = a
            high[known] = b
            known += 1
            table[key] = known
        place[e] = table[key] - 1
    return place, low[:known], high[:known]


@njit(cache=True)
def add_residuals(q: NDArray[np.float64], place: NDArray[np.int32], correct: NDArray[np.bool_], scale: float) -> None:
    """Add ``scale * (correct - mean of correct)`` of each pair to its two-image set in ``q``."""
    mean = correct.sum() / correct.size
    right, wrong = scale * (1.0 - mean), -scale * mean
    for e in range(place.size):
        q[place[e]] += right if correct[e] else wrong


@njit(cache=True)
def sum_by_image(
    q: NDArray[np.float64], low: NDArray[np.int32], high: NDArray[np.int32], n: int
) -> tuple[NDArray[np.float64], float]:
    """The sum of ``q`` at each image, ``(n,)``, and the sum of its squares."""
    sums = np.zeros(n)
    squares = 0.0
    for d in range(q.size):
        sums[low[d]] += q[d]
        sums[high[d]] += q[d]
        squares += q[d] * q[d]
    return sums, squares
