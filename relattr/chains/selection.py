"""The selection of chains by how well their patches rank images of a validation set."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order
from sklearn.exceptions import ConvergenceWarning

from relattr.pairs import Pairs
from relattr.random import generator
from relattr.ranksvm import RankSVM
from relattr.ranksvm.accuracy import count_correct

_COARSE_TOL = 1e-3  # duality gap of the fits: the order of most pairs is settled long before


def split_pairs(pairs: Pairs, share: float, seed: int, min_pairs: int = 30) -> tuple[Pairs, Pairs]:
    """Training pairs and validation pairs without a common image; a ``share`` of both, or slightly more, validates.

    Pairs with one image on either side are left out. To keep most pairs, the images are taken in the order of a
    breadth-first search through the graph of pairs, from a random image on. If that leaves no ordered training pair
    or fewer than ``min_pairs`` ordered validation pairs, a warning is issued, and all pairs are used for both.
    """
    images = pairs.images
    position = np.zeros(int(images.max(initial=-1)) + 1, np.int64)
    order = _search_order(pairs, images, generator(seed, "validation"))
    position[order] = np.arange(order.size)
    if pairs.order is not None:
        ratio = np.sqrt(share / (1 - share))
        cut = int(np.ceil(order.size * ratio / (1 + ratio)))
    else:
        ends = np.sort(position[np.stack([pairs.left, pairs.right])], axis=0)
        cuts = np.arange(order.size + 1)
        n_validation = np.searchsorted(np.sort(ends[1]), cuts)  # pairs with both images before the cut
        n_training = len(pairs) - np.searchsorted(np.sort(ends[0]), cuts)
        cut = int(np.argmax(n_validation >= share * (n_validation + n_training)))
    validation, training = pairs.among(order[:cut]), pairs.among(order[cut:])
    if not training.n_ordered or validation.n_ordered < min_pairs:
        warnings.warn(
            f"{pairs!r} cannot be split by image so that {min_pairs} ordered pairs are left for validation and some "
            "for training; chains are selected on their training pairs",
            UserWarning,
            stacklevel=2,
        )
        return pairs, pairs
    return training, validation


def _search_order(pairs: Pairs, images: NDArray[Any], rng: np.random.Generator) -> NDArray[np.int64]:
    """The images in the order of a breadth-first search, component by component, each from a random image on."""
    starts = rng.permutation(images.size)
    if pairs.order is not None:
        return images[starts].astype(np.int64)
    left, right = (np.searchsorted(images, side) for side in (pairs.left, pairs.right))
    graph = coo_array((np.ones(left.size, np.int8), (left, right)), shape=(images.size, images.size)).tocsr()
    seen = np.zeros(images.size, bool)
    parts = []
    for start in starts:
        if not seen[start]:
            parts.append(breadth_first_order(graph, start, directed=False, return_predecessors=False))
            seen[parts[-1]] = True
    return images[np.concatenate(parts)].astype(np.int64)


def validation_accuracy(x: NDArray[Any], training: Pairs, validation: Pairs, C: float) -> float:
    """The accuracy on validation pairs of a RankSVM on a chain's features ``(n, d)``; a tie counts as correct."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        strengths = RankSVM(C, tol=_COARSE_TOL).fit(x, training).predict(x)
    wrong, ordered = count_correct(-strengths, validation)
    return 1 - wrong / ordered


def most_accurate(accuracies: NDArray[Any], count: int) -> NDArray[np.int64]:
    """The indices of the ``count`` highest accuracies, best first; of equal ones the earlier."""
    return np.argsort(-accuracies, kind="stable")[:count]
