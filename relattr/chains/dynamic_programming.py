"""The cheapest chains, one patch per image, by dynamic programming, and a diverse selection of them.

The cost of a chain is the sum of the distances between the features of consecutive patches, minus the patches' gains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def cheapest_chains(
    patches: Sequence[NDArray[Any]], gains: Sequence[NDArray[Any]] | None = None, per_end: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The ``per_end`` cheapest chains into each patch of the last image (all, if there are fewer).

    ``patches`` are the features ``(n_patches, d)`` of each image's candidates, ``gains`` the amount ``(n_patches,)``
    that each of them subtracts from the cost.

    Returns paths ``(n_chains, n_images)``, one candidate per image, and costs ``(n_chains,)`` ascending. The first
    ``per_end`` paths are the cheapest of all possible chains.
    """
    rows = [np.asarray(p, np.float32) for p in patches]
    cost = _initial_cost(rows[0], gains, per_end)
    back_pointers = []
    for k in range(1, len(rows)):
        totals = euclidean_distances(rows[k - 1], rows[k])  # (previous, next)
        if per_end == 1:
            totals += cost
            previous = totals.argmin(0)[None]
            cost = np.take_along_axis(totals, previous, 0).T
        else:
            transitions = (totals[:, None, :] + cost[:, :, None]).reshape(-1, len(rows[k]))
            previous = np.argpartition(transitions, per_end - 1, axis=0)[:per_end]
            cheapest = np.take_along_axis(transitions, previous, 0)
            previous = np.take_along_axis(previous, cheapest.argsort(0, kind="stable"), 0)
            cost = np.take_along_axis(transitions, previous, 0).T  # (patches, per_end)
        back_pointers.append(previous)
        if gains is not None:
            cost = cost - np.asarray(gains[k], cost.dtype)[:, None]
    ends = np.flatnonzero(np.isfinite(cost))
    ends = ends[cost.ravel()[ends].argsort(kind="stable")]
    return _backtrack(ends, back_pointers, per_end), cost.ravel()[ends].astype(np.float64)


def euclidean_distances(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float32]:
    """Euclidean distance between each row of ``a`` and each row of ``b``, ``(len(a), len(b))`` float32."""
    a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
    squared = a @ b.T
    squared *= -2
    squared += np.einsum("id,id->i", a, a)[:, None]
    squared += np.einsum("id,id->i", b, b)[None, :]
    return np.sqrt(np.maximum(squared, 0, out=squared), out=squared)


def suppress_overlapping(
    paths: NDArray[np.int64], overlap: NDArray[Any], max_overlap: float, max_chains: int
) -> NDArray[np.int64]:
    """Greedy non-maximum suppression of chains. Returns the indices of at most ``max_chains``, best first.

    Suppresses a chain whose mean overlap with a better, selected one exceeds ``max_overlap``; ``overlap`` ``(P, P)`` is
    that of each candidate with each other.
    """
    remaining = np.arange(len(paths))
    selected: list[int] = []
    while remaining.size and len(selected) < max_chains:
        best = remaining[0]
        selected.append(int(best))
        mean_overlap = overlap[paths[remaining], paths[best]].mean(1)
        mean_overlap[0] = np.inf
        remaining = remaining[mean_overlap <= max_overlap]
    return np.array(selected, np.int64)


def _initial_cost(
    first: NDArray[np.float32], gains: Sequence[NDArray[Any]] | None, per_end: int
) -> NDArray[np.float32]:
    cost = np.full((len(first), per_end), np.inf, np.float32)
    cost[:, 0] = 0.0
    if gains is not None:
        cost[:, 0] -= np.asarray(gains[0], np.float32)
    return cost


def _backtrack(ends: NDArray[np.int64], back_pointers: Sequence[NDArray[np.int64]], per_end: int) -> NDArray[np.int64]:
    """Returns the paths ``(n_chains, n_images)`` that end in these states, each ``candidate * per_end + rank``."""
    paths = np.empty((ends.size, len(back_pointers) + 1), np.int64)
    patch, rank = np.divmod(ends, per_end)
    for k in range(len(back_pointers), 0, -1):
        paths[:, k] = patch
        patch, rank = np.divmod(back_pointers[k - 1][rank, patch], per_end)
    paths[:, 0] = patch
    return paths
