"""Max pooling of codes over a spatial pyramid.

Lazebnik, Schmid, Ponce, "Beyond Bags of Features", CVPR 2006 (spatial pyramid); Yang, Yu, Gong, Huang, "Linear
Spatial Pyramid Matching", CVPR 2009 (max pooling instead of sum pooling).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from relattr.errors import BadInput
from relattr.system.compiled import njit

Floats = npt.NDArray[np.float32]


def max_pool(
    indices: npt.ArrayLike,
    weights: npt.ArrayLike,
    positions: npt.ArrayLike,
    size: tuple[int, int],
    n_words: int = 256,
    levels: Sequence[int] = (4, 2, 1),
) -> Floats:
    """Return, for every cell of every level and every word, the largest weight among the descriptors in the cell.

    The maximum is over dense codes: a descriptor that does not use a word has weight 0. A pooled value is therefore
    negative only if every descriptor of the cell gives that word a negative weight. A cell without descriptors is 0.

    Parameters
    ----------
    indices, weights : (n, k)
        The non-zero entries of n codes, as returned by ``llc.encode_llc`` (the indices of a row are distinct).
    positions : (n, 2)
        y and x of each descriptor in px, origin at the top left corner of the image.
    size : (height, width) of the image in px
        A cell of level ``g`` is ``height / g`` by ``width / g`` and includes its top and left border; a position
        outside the image belongs to the nearest cell.
    n_words : int
        Length of a code.
    levels : sequence of int
        Cells per side, in the order of concatenation.

    Returns float32 ``(n_words * sum(g * g),)``: levels in the order given, then cells in column-major order, then
    words. Not normalised.

    Raises `BadInput` for mismatched shapes, indices outside the dictionary, or an empty size or level.
    """
    index = np.ascontiguousarray(indices, dtype=np.int32)
    weight = np.ascontiguousarray(weights, dtype=np.float32)
    centres = np.asarray(positions, dtype=np.float64)
    if index.ndim != 2 or weight.shape != index.shape or centres.shape != (len(index), 2):
        raise BadInput(
            f"pyramid: indices {index.shape} and weights {weight.shape} must both be (n, k) and positions "
            f"{centres.shape} (n, 2)"
        )
    if index.size and (index.min() < 0 or index.max() >= n_words):
        raise BadInput(f"pyramid: indices run from {index.min()} to {index.max()}; the dictionary has {n_words} words")
    if min(size) < 1 or not len(levels) or min(levels) < 1:
        raise BadInput(f"pyramid: size {size} and levels {tuple(levels)} must all be at least 1, with some level")
    if not np.isfinite(centres).all():
        raise BadInput("pyramid: the positions contain NaN or infinity")
    blocks = []
    for g in levels:
        cell = np.clip(np.floor(centres * g / np.asarray(size, dtype=np.float64)), 0, g - 1).astype(np.int64)
        blocks.append(_pool(index, weight, cell[:, 1] * g + cell[:, 0], g * g, n_words).reshape(-1))
    return np.concatenate(blocks)


@njit(nogil=True)
def _pool(
    indices: npt.NDArray[np.int32], weights: Floats, cells: npt.NDArray[np.int64], n_cells: int, n_words: int
) -> Floats:
    pooled = np.full((n_cells, n_words), -np.inf, dtype=np.float32)
    users = np.zeros((n_cells, n_words), dtype=np.int32)
    members = np.zeros(n_cells, dtype=np.int32)
    for i in range(len(cells)):
        cell = cells[i]
        members[cell] += 1
        for j in range(indices.shape[1]):
            word = indices[i, j]
            users[cell, word] += 1
            pooled[cell, word] = max(pooled[cell, word], weights[i, j])
    for cell in range(n_cells):
        for word in range(n_words):
            if users[cell, word] == 0:
                pooled[cell, word] = 0
            elif users[cell, word] < members[cell]:  # some descriptor in the cell does not use the word: weight 0
                pooled[cell, word] = max(pooled[cell, word], np.float32(0))
    return pooled
