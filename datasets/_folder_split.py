"""Which of a user's images are held out for the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def held_out(n: int, left: NDArray[np.int32], right: NDArray[np.int32], share: float, seed: int) -> NDArray[np.bool_]:
    """Which of n >= 4 images are test images, ``(n,)``: about ``share`` of them, drawn by lot.

    ``left``, ``right`` are compared images. A pair with one image on either side of the split is lost, so
    images that are compared only among each other stay together, as long as they are few (at most a tenth of
    the test images, or two): disjoint pairs lose nothing.
    """
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    from relattr.sampling import permuted

    wanted = min(max(round(share * n), 1), n - 1)
    graph = coo_array((np.ones(left.size, np.int8), (left, right)), shape=(n, n))
    _, group = connected_components(graph, directed=False)
    apart = np.bincount(group)[group] > max(2, wanted // 10)
    group[apart] = group.max() + 1 + np.arange(np.count_nonzero(apart))
    _, group = np.unique(group, return_inverse=True)
    sizes = np.bincount(group)
    order = permuted(0, sizes.size, sizes.size, seed)
    taken = order[np.cumsum(sizes[order]) <= wanted]
    if not taken.size:  # a few images: the first group alone, even if it is more than wanted
        taken = order[:1]
    return np.isin(group, taken)
