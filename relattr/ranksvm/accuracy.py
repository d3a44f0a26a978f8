"""Pairwise accuracy of predicted strengths, also for pairs implied by an order, without enumerating them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relattr.errors import BadInput
from relattr.pairs import Pairs
from relattr.system.compiled import njit


@njit(nogil=True)
def _concordant(level: NDArray[Any], score: NDArray[Any], n_scores: int, start: NDArray[Any]) -> int:
    # images sorted by level: the Fenwick tree contains all images of lower levels, indexed by score rank
    tree = np.zeros(n_scores + 1, np.int64)
    correct = 0
    for k in range(start.size - 1):
        for i in range(start[k], start[k + 1]):
            node = score[i]  # ranks start at 0: strictly lower scores are 0 .. score - 1
            while node > 0:
                correct += tree[node]
                node -= node & -node
        for i in range(start[k], start[k + 1]):
            node = score[i] + 1
            while node <= n_scores:
                tree[node] += 1
                node += node & -node
    return correct


def count_correct(strengths: ArrayLike, pairs: Pairs) -> tuple[int, int]:
    """Return the number of ordered pairs that strengths ``(n,)`` order correctly (ties do not count), and of all."""
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
    """Return the share of ordered pairs that are ordered correctly; raises `BadInput` if no pair is ordered."""
    correct, ordered = count_correct(strengths, pairs)
    if ordered == 0:
        raise BadInput(f"accuracy is defined on ordered pairs, but {pairs!r} contains none")
    return correct / ordered
