"""Choose which of a user's images are held out for testing, by their names.

Whether an image is held out depends on its name, the seed and the share, and not on the other images: adding an image,
or sorting the rows of the file, moves no other image from one side to the other. The two exceptions are images that
are kept together because they are compared only with one another, and collections so small that a side would be empty.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from relattr.random import derive_seed

MAX_TOGETHER = 8
"""Images that are compared only with one another are kept together if they are at most so many."""
_MIN_IMAGES = 2
"""Each side gets at least so many images: the two of a pair."""


def draw_held_out(
    names: Sequence[str], left: NDArray[np.int32], right: NDArray[np.int32], share: float, seed: int
) -> NDArray[np.bool_]:
    """Draw the test images among at least 4 images: each with probability ``share``, as a mask ``(n,)``.

    ``left``, ``right`` are the compared images. A pair whose images fall on different sides of the split is lost.
    Images that are compared only with one another (a connected component of the comparison graph) therefore stay
    together, unless they are more than `MAX_TOGETHER`, or all images: disjoint pairs lose nothing. The name of the
    first of them decides.
    """
    group, keys = group_images(names, left, right)
    position = np.array([derive_seed(seed, "folder", "split", key) / 2**63 for key in keys])
    order = np.argsort(position, kind="stable")
    n_images = np.cumsum(np.bincount(group, minlength=len(keys))[order])  # held out with each group and those before it
    n_held_out = int(np.count_nonzero(position < share))
    # in a small collection a side may be empty by chance: move the boundary as little as possible
    possible = np.flatnonzero((n_images >= _MIN_IMAGES) & (n_images <= len(names) - _MIN_IMAGES)) + 1
    if possible.size and n_held_out not in possible:
        n_held_out = int(possible[np.abs(possible - n_held_out).argmin()])
    return np.isin(group, order[:n_held_out])


def group_images(
    names: Sequence[str], left: NDArray[np.int32], right: NDArray[np.int32]
) -> tuple[NDArray[np.int64], list[str]]:
    """The number of the group of each image, ``(n,)``, and the name that decides about each group.

    Up to `MAX_TOGETHER` images that are compared only with one another are a group; every other image is one alone.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(names)
    graph = coo_array((np.ones(left.size, np.int8), (left, right)), shape=(n, n))
    n_components, component = connected_components(graph, directed=False)
    together = (np.bincount(component) <= MAX_TOGETHER) & (n_components > 1)
    number: dict[object, int] = {}
    keys: list[str] = []
    group = np.empty(n, np.int64)
    normal = [unicodedata.normalize("NFC", name) for name in names]
    for k in sorted(range(n), key=normal.__getitem__):
        c = int(component[k])
        group[k] = number.setdefault(("component", c) if together[c] else ("image", k), len(number))
        if group[k] == len(keys):
            keys.append(normal[k])
    return group, keys
