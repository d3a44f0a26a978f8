"""Choose which of a user's images are held out for testing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relattr.sampling import permuted


def draw_held_out(
    n: int, left: NDArray[np.int32], right: NDArray[np.int32], share: float, seed: int
) -> NDArray[np.bool_]:
    """Draw the test images among ``n`` >= 4 images at random: about ``share`` of them, as a mask ``(n,)``.

    ``left``, ``right`` are the compared images. A pair whose images fall on different sides of the split is lost.
    Images that are compared only with one another (a connected component of the comparison graph) therefore stay
    together, unless the component is large (more than a tenth of the test images, and more than two images): disjoint
    pairs lose nothing.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_test = min(max(round(share * n), 1), n - 1)
    graph = coo_array((np.ones(left.size, np.int8), (left, right)), shape=(n, n))
    _, group = connected_components(graph, directed=False)
    too_large = np.bincount(group)[group] > max(2, n_test // 10)
    group[too_large] = group.max() + 1 + np.arange(np.count_nonzero(too_large))  # a group for each image
    _, group = np.unique(group, return_inverse=True)
    sizes = np.bincount(group)
    order = permuted(0, sizes.size, sizes.size, seed)
    chosen = order[np.cumsum(sizes[order]) <= n_test]
    if not chosen.size:  # few images: take the first group even if it has more than n_test
        chosen = order[:1]
    return np.isin(group, chosen)
