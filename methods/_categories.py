"""Whether the categories of images decide the labels of their pairs, as on OSR."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr import Pairs


def categories_decide_labels(pairs: Pairs, categories: NDArray[np.integer[Any]]) -> bool:
    """Whether all pairs of the same two categories ``(n,)`` have the same label.

    False if an image in a pair has no category (-1), and if no two categories share more than one pair, because labels
    would then agree by themselves.
    """
    if (categories[pairs.images] < 0).any() or not len(pairs):
        return False
    order = pairs.order
    if order is not None:
        of_items = categories[order.items]
        n = int(of_items.max()) + 1
        lowest, highest = np.full(n, np.inf), np.full(n, -np.inf)
        np.minimum.at(lowest, of_items, order.strengths)
        np.maximum.at(highest, of_items, order.strengths)
        return bool((lowest[of_items] == highest[of_items]).all()) and len(pairs) > np.unique(of_items).size ** 2
    left, right = categories[pairs.left].astype(np.int64), categories[pairs.right].astype(np.int64)
    label = np.where(left <= right, pairs.label, -pairs.label)
    key = np.minimum(left, right) * (int(categories.max()) + 1) + np.maximum(left, right)
    kinds, inverse = np.unique(key, return_inverse=True)
    if label[left == right].any() or kinds.size == len(pairs):
        return False
    lowest, highest = np.full(kinds.size, 2), np.full(kinds.size, -2)
    np.minimum.at(lowest, inverse, label)
    np.maximum.at(highest, inverse, label)
    return bool((lowest == highest).all())
