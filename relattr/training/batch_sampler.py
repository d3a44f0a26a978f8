"""Batches of images for training on pairs: each image passes through the network once, and all its pairs count.

There are two strategies, chosen by the density of pairs; both optimise the mean loss over all pairs.

*Dense* (all pairs of OSR, a third of all pairs of Viral): an epoch splits the shuffled images into batches. Any two
images share a batch with the same probability, so the pairs of a batch, equally weighted, are an unbiased sample of
all pairs; the sum over a batch is divided by the expected number of pairs per batch.

*Sparse* (LFW-10: 500 pairs over some 620 images): hardly any pair of a random batch would be labelled. An epoch takes
each pair exactly once: a batch starts with a random unused pair and grows along unused pairs that share an image with
it, until it has its number of images; then all unused pairs among these images are taken. Where no such pair is left,
the batch continues from another random unused pair. The sum of an epoch is the sum over all pairs, divided by the mean
number of pairs per batch. An epoch is divided in one compiled pass over its pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.pairs import Pairs

Batching = Literal["pairs", "images"]
"""Whether a batch is a number of pairs (`relattr.training.shuffled_pairs`), or images and all pairs among them."""
DENSE_PAIRS_PER_IMAGE = 1.0
"""Expected labelled pairs per image of a random batch from which the dense strategy is used."""


class Batch(NamedTuple):
    """Indices of distinct ``images`` (b,), and the pairs among them: positions in ``images`` and labels -1, 0, +1."""

    images: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    label: NDArray[np.int8]


class PairBatchSampler:
    """Samples batches of ``size`` images and the pairs among them, epoch by epoch.

    Raises `BadInput` for pairs without an ordered one and for a batch of fewer than two images.
    """

    def __init__(self, pairs: Pairs, size: int) -> None:
        if size < 2:
            raise BadInput(f"a batch needs at least two images; got {size}")
        if not pairs.n_ordered:
            raise BadInput(f"{pairs!r} cannot be learned from: at least one ordered pair (+1 or -1) is needed")
        self._items = pairs.images.astype(np.int64)
        n = self._items.size
        self.size = min(size, n)
        self.expected = len(pairs) * self.size * (self.size - 1) / (n * (n - 1))
        """Expected number of pairs in a random batch."""
        order = pairs.order
        self.dense = order is not None or self.expected >= DENSE_PAIRS_PER_IMAGE * self.size or self.size == n
        self._strengths: NDArray[np.float64] | None = None
        if order is not None:
            self._strengths = np.zeros(int(self._items.max()) + 1)
            self._strengths[order.items] = order.strengths
        else:
            self._pairs = pairs
            self._adjacency: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
            if self.dense:
                self._index = _PairIndex(pairs)

    @property
    def batches_per_epoch(self) -> int:
        """Number of batches per epoch; approximate for sparse pairs."""
        if self.dense:
            return max(1, self._items.size // self.size)
        return max(1, round(len(self._pairs) / self.expected_sparse))

    @property
    def expected_sparse(self) -> float:
        """Approximate pairs per batch with sparse pairs: at most one for each image after the first."""
        return max(1.0, min(self.size - 1.0, len(self._pairs) / self._items.size * self.size))

    def epoch(self, rng: np.random.Generator) -> Iterator[tuple[Batch, float]]:
        """The batches of one epoch, each with the number its sum is divided by."""
        if not self.dense:
            yield from self._sparse_batches(rng)
            return
        shuffled = rng.permutation(self._items)
        for k in range(self.batches_per_epoch):  # the remaining images, fewer than a batch, are left to other epochs
            images = shuffled[k * self.size : (k + 1) * self.size]
            yield self._all_pairs_among(images), self.expected

    def _all_pairs_among(self, images: NDArray[np.int64]) -> Batch:
        if self._strengths is None:
            return self._index.batch(images)
        left, right = np.triu_indices(images.size, 1)
        values = self._strengths[images]
        return Batch(images, left, right, np.sign(values[left] - values[right]).astype(np.int8))

    def _sparse_batches(self, rng: np.random.Generator) -> Iterator[tuple[Batch, float]]:
        from relattr.training.batch_loops import pairs_by_image, sparse_epoch

        left, right, label = self._pairs.arrays
        if self._adjacency is None:
            self._adjacency = pairs_by_image(left, right, int(self._items[-1]) + 1)
        order = rng.permutation(label.size)
        images, image_starts, pairs, pair_starts = sparse_epoch(left, right, *self._adjacency, order, self.size, rng)
        weight = label.size / (pair_starts.size - 1)
        position = np.empty(int(self._items[-1]) + 1, np.int64)
        for k in range(pair_starts.size - 1):
            among, taken = images[image_starts[k] : image_starts[k + 1]], pairs[pair_starts[k] : pair_starts[k + 1]]
            position[among] = np.arange(among.size)
            yield Batch(among, position[left[taken]], position[right[taken]], label[taken]), weight


class _PairIndex:
    """Pairs sorted by their left image, so that those among the images of a batch are found without a full scan."""

    def __init__(self, pairs: Pairs) -> None:
        left, right, label = pairs.arrays
        order = np.argsort(left, kind="stable")
        self._right, self._label = right[order], label[order]
        self._n = int(max(left.max(), right.max())) + 1
        self._start = np.concatenate([[0], np.cumsum(np.bincount(left, minlength=self._n))])

    def batch(self, images: NDArray[np.int64]) -> Batch:
        """The pairs among ``images``."""
        position = np.full(self._n, -1, np.int64)
        position[images] = np.arange(images.size)
        rows = [slice(self._start[i], self._start[i + 1]) for i in images]
        right = np.concatenate([self._right[row] for row in rows])
        label = np.concatenate([self._label[row] for row in rows])
        left = np.repeat(np.arange(images.size), [row.stop - row.start for row in rows])
        among = position[right] >= 0
        return Batch(images, left[among], position[right[among]], label[among])
