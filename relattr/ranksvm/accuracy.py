"""Pairwise accuracy of strengths, also where the pairs are implied by an order and never listed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from relattr.errors import BadInput
from relattr.pairs import Pairs


@njit(cache=True, nogil=True)
def _concordant(level: NDArray[Any], score: NDArray[Any], n_scores: int, start: NDArray[Any]) -> int:
    # images sorted by level: those of lower levels are in the tree when a level asks how many score lower
    tree = np.zeros(n_scores + 1, np.int64)
    correct = 0
    for k in range(start.size - 1):
        for i in range(start[k], start[k + 1]):
            at = score[i]  # ranks from 0: strictly lower scores are 0 .. score - 1
            while at > 0:
                correct += tree[at]
                at -= at & -at
        for i in range(start[k], start[k + 1]):
            at = score[i] + 1
            while at <= n_scores:
                tree[at] += 1
                at += at & -at
    return correct


def count_correct(strengths: ArrayLike, pairs: Pairs) -> tuple[int, int]:
    """How many ordered pairs the strengths ``(n,)`` put right (a tie is wrong), and how many there are."""
    s = np.asarray(strengths)
    order = pairs.order
    if order is None:
        left, right, label = pairs.arrays
        margin = s[left] - s[right]
        return int(np.count_nonzero(margin * label > 0)), int(np.count_nonzero(label))
    by_level = np.argsort(order.strengths, kind="stable")
    _, size = np.unique(order.strengths, return_counts=True)
    values, score = np.unique(s[order.items[by_level]], return_inverse=True)
    start = np.concatenate([[0], np.cumsum(size)])
    return int(_concordant(order.strengths, score, values.size, start)), order.n_pairs - order.n_similar


def pairwise_accuracy(strengths: ArrayLike, pairs: Pairs) -> float:
    """Correct by ordered pairs; raises `BadInput` where no pair is ordered."""
    correct, ordered = count_correct(strengths, pairs)
    if ordered == 0:
        raise BadInput(f"accuracy counts ordered pairs; there is none in {pairs!r}")
    return correct / ordered
