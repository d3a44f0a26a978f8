"""Cross-validation over a user's images: seven groups of images, and seven folds that each hold out three of them.

The folds are the lines of the Fano plane, the smallest projective plane: any two groups are held out together in
exactly one fold. Every labelled pair is therefore tested exactly once, with a model that has seen neither of its
images. With folds that hold out one group each, only pairs within a group could be tested: one in seven.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from relattr.random import derive_seed

from ._folder_split import group_images

N_GROUPS = 7
FOLDS = tuple(tuple(sorted({k, (k + 1) % N_GROUPS, (k + 3) % N_GROUPS})) for k in range(N_GROUPS))
"""The groups that each fold holds out."""
FOLD_NAMES = tuple(f"fold-{k + 1}" for k in range(N_GROUPS))


def draw_groups(
    names: Sequence[str], left: NDArray[np.int32], right: NDArray[np.int32], seed: int
) -> NDArray[np.int64]:
    """Draw the group of each image, ``(n,)`` in 0 to 6, by its name and the seed.

    ``left``, ``right`` are the compared images. A few images that are compared only with one another are in the same
    group (see `group_images`), so that the pairs of the other folds' training images lose fewer of them.
    """
    together, keys = group_images(names, left, right)
    drawn = np.array([derive_seed(seed, "folder", "fold", key) % N_GROUPS for key in keys], np.int64)
    return drawn[together]


def fold_of_pairs(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """The fold in which a pair is tested, ``(n_pairs,)``, by the groups of its two images.

    Two groups are held out together in one fold only. A pair within group k is tested in fold k, one of three that
    hold it out.
    """
    table = np.diag(np.arange(N_GROUPS))
    for fold, groups in enumerate(FOLDS):
        for a in groups:
            for b in groups:
                if a != b:
                    table[a, b] = fold
    return table[first, second]
