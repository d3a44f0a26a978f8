"""Folds of images that keep most pairs: the graph of pairs is cut in few places.

If each image is in a few pairs (LFW-10: 500 pairs of some 620 images), random folds of images separate the two images
of most pairs: of five folds, a twenty-fifth of the pairs lies within each, and all other pairs of its images are lost.
Folds that follow the graph lose few pairs: images are numbered in the order of a depth-first walk along the pairs, and
each fold is a range of numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, depth_first_order

from relattr.pairs import Pairs
from relattr.random import generator


def split_along_graph(pairs: Pairs, folds: int, seed: int) -> list[tuple[Pairs, Pairs]]:
    """Return (training pairs, validation pairs) of each fold, with no image in both.

    The folds have equally many images, up to one. Those without an ordered pair on both sides are left out, so the
    list may be empty. The walk is random, determined by the seed; pairs defined by an `Order` have random folds.
    """
    images = pairs.images
    rng = generator(seed, "folds along the graph")
    order = rng.permutation(images.size) if pairs.order is not None else _walk(pairs, images, rng)
    fold_of = np.empty(images.size, np.int64)
    fold_of[order] = np.arange(images.size) * folds // max(1, images.size)
    parts = [(pairs.among(images[fold_of != k]), pairs.among(images[fold_of == k])) for k in range(folds)]
    return [(train, held_out) for train, held_out in parts if train.n_ordered and held_out.n_ordered]


def _walk(pairs: Pairs, images: NDArray[np.integer], rng: np.random.Generator) -> NDArray[np.int64]:
    """The positions ``(n,)`` of all images in a random depth-first order along the pairs."""
    n = images.size
    number = rng.permutation(n)  # the walk takes the neighbour with the lowest number first
    left, right = (number[np.searchsorted(images, side)] for side in (pairs.left, pairs.right))
    graph = coo_array((np.ones(left.size), (left, right)), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    _, first = np.unique(component, return_index=True)
    # one more node, connected to each component: a single walk from there reaches all images
    edges = np.concatenate([left, np.full(first.size, n)]), np.concatenate([right, first])
    connected = coo_array((np.ones(edges[0].size), edges), shape=(n + 1, n + 1)).tocsr()
    order = depth_first_order(connected, n, directed=False, return_predecessors=False)
    return np.argsort(number)[order[order < n]]
