"""The cheapest chains, one patch an image, by dynamic programming; and the diverse ones among them.

A chain costs the distances between the features of its consecutive patches, less what the patches gain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def cheapest_chains(
    patches: Sequence[NDArray[Any]], gains: Sequence[NDArray[Any]] | None = None, per_end: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The ``per_end`` cheapest chains into each patch of the last image (all, where there are fewer).

    ``patches`` holds for each image the features ``(n_patches, d)`` of its candidates, ``gains`` what each of them
    takes off the cost, ``(n_patches,)``.

    Returns paths ``(n_chains, n_images)``, a candidate of each image, and costs ``(n_chains,)`` ascending. The
    first is the cheapest chain of all; among the first ``per_end`` none is missing.
    """
    rows = [np.asarray(p, np.float32) for p in patches]
    cost = _start(rows[0], gains, per_end)
    back = []
    for k in range(1, len(rows)):
        reached = euclidean_distances(rows[k - 1], rows[k])  # (previous, next)
        if per_end == 1:
            reached += cost
            came = reached.argmin(0)[None]
            cost = np.take_along_axis(reached, came, 0).T
        else:
            all_ways = (reached[:, None, :] + cost[:, :, None]).reshape(-1, len(rows[k]))
            came = np.argpartition(all_ways, per_end - 1, axis=0)[:per_end]
            found = np.take_along_axis(all_ways, came, 0)
            came = np.take_along_axis(came, found.argsort(0, kind="stable"), 0)
            cost = np.take_along_axis(all_ways, came, 0).T  # (patches, per_end)
        back.append(came)
        if gains is not None:
            cost = cost - np.asarray(gains[k], cost.dtype)[:, None]
    ends = np.flatnonzero(np.isfinite(cost))
    ends = ends[cost.ravel()[ends].argsort(kind="stable")]
    return _traced(ends, back, per_end), cost.ravel()[ends].astype(np.float64)


def euclidean_distances(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float32]:
    """Euclidean distance of each row of ``a`` from each row of ``b``, ``(len(a), len(b))`` float32."""
    a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
    squared = a @ b.T
    squared *= -2
    squared += np.einsum("id,id->i", a, a)[:, None]
    squared += np.einsum("id,id->i", b, b)[None, :]
    return np.sqrt(np.maximum(squared, 0, out=squared), out=squared)


def suppress_overlapping(paths: NDArray[np.int64], overlap: NDArray[Any], limit: float, most: int) -> NDArray[np.int64]:
    """Which chains to keep, the first ones first, so that no two of them lie on the same parts of the images.

    Suppresses a chain whose mean overlap with one that is kept exceeds ``limit``; ``overlap`` ``(P, P)`` is that
    of each candidate with each other. Keeps at most ``most``.
    """
    left = np.arange(len(paths))
    kept: list[int] = []
    while left.size and len(kept) < most:
        first = left[0]
        kept.append(int(first))
        shared = overlap[paths[left], paths[first]].mean(1)
        shared[0] = np.inf
        left = left[shared <= limit]
    return np.array(kept, np.int64)


def _start(first: NDArray[np.float32], gains: Sequence[NDArray[Any]] | None, per_end: int) -> NDArray[np.float32]:
    cost = np.full((len(first), per_end), np.inf, np.float32)
    cost[:, 0] = 0.0
    if gains is not None:
        cost[:, 0] -= np.asarray(gains[0], np.float32)
    return cost


def _traced(ends: NDArray[np.int64], back: Sequence[NDArray[np.int64]], per_end: int) -> NDArray[np.int64]:
    """Paths ``(n_chains, n_images)`` that end in these states; a state is ``candidate * per_end + rank``."""
    paths = np.empty((ends.size, len(back) + 1), np.int64)
    patch, rank = np.divmod(ends, per_end)
    for k in range(len(back), 0, -1):
        paths[:, k] = patch
        patch, rank = np.divmod(back[k - 1][rank, patch], per_end)
    paths[:, 0] = patch
    return paths
