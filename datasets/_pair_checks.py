"""Checks of labelled pairs that several datasets share."""

from __future__ import annotations

from relattr.pairs import Pairs


def find_contradiction(pairs: Pairs) -> tuple[int, int] | None:
    """Find two pairs of the same images, in either order, whose labels disagree.

    Returns the position of the first pair that contradicts an earlier one, preceded by the position of that earlier
    pair; None if there is no contradiction.
    """
    seen: dict[tuple[int, int], tuple[int, int]] = {}
    for k, (left, right, label) in enumerate(zip(*(side.tolist() for side in pairs.arrays), strict=True)):
        images, label_in_order = ((left, right), label) if left < right else ((right, left), -label)
        first, first_label = seen.setdefault(images, (k, label_in_order))
        if first_label != label_in_order:
            return first, k
    return None
