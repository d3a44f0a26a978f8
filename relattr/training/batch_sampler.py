"""Batches of images for training on pairs: each image is passed through the network once, and all its pairs count.

There are two strategies, chosen by the density of pairs; both optimise the mean loss over all pairs.

*Dense* (all pairs of OSR, a third of all pairs of Viral): an epoch splits the shuffled images into batches. Any two
images share a batch with the same probability, so the pairs of a batch, equally weighted, are an unbiased sample of
all pairs; the sum over a batch is divided by the expected number of pairs per batch.

*Sparse* (LFW-10: 500 pairs over some 620 images): hardly any pair of a random batch would be labelled. An epoch takes
each pair exactly once: a batch starts with a random unused pair and grows along unused pairs that share an image with
it, until it has its number of images; then all unused pairs among these images are taken. The sum of an epoch is the
sum over all pairs, divided by the mean number of pairs per batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.pairs import Pairs

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
            batches = list(self._sparse_batches(rng))
            weight = len(self._pairs) / len(batches)
            yield from ((batch, weight) for batch in batches)
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

    def _sparse_batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        left, right, label = (a.astype(np.int64) for a in self._pairs.arrays)
        used = np.zeros(label.size, bool)
        pairs_of = _pairs_of_each_image(left, right)
        for start in rng.permutation(label.size):
            if used[start]:
                continue
            position: dict[int, int] = {}  # of each image in the batch
            frontier: list[int] = []  # unused pairs with at least one image in the batch

            def add(image: int, position: dict[int, int] = position, frontier: list[int] = frontier) -> None:
                if image not in position:
                    position[image] = len(position)
                    frontier.extend(pair for pair in pairs_of[image] if not used[pair])

            add(int(left[start]))
            add(int(right[start]))
            while len(position) < self.size:
                if not frontier:  # no connected pair is left: fill the batch from a random unused pair
                    if len(position) + 2 > self.size:
                        break
                    unused = np.flatnonzero(~used & ~_both_in(left, right, position))
                    if not unused.size:
                        break
                    frontier.append(int(rng.choice(unused)))
                pair = frontier.pop(int(rng.integers(len(frontier))))
                new = [image for image in (int(left[pair]), int(right[pair])) if image not in position]
                if len(position) + len(new) <= self.size:
                    for image in new:
                        add(image)
            taken = np.flatnonzero(~used & _both_in(left, right, position))
            used[taken] = True
            at = np.full(int(self._items.max()) + 1, -1)
            at[list(position)] = list(position.values())
            yield Batch(np.array(list(position)), at[left[taken]], at[right[taken]], label[taken].astype(np.int8))


def _both_in(left: NDArray[np.int64], right: NDArray[np.int64], images: dict[int, int]) -> NDArray[np.bool_]:
    """Mask of the pairs of which both images are among ``images``."""
    member = np.zeros(int(max(left.max(), right.max())) + 1, bool)
    member[list(images)] = True
    return member[left] & member[right]


def _pairs_of_each_image(left: NDArray[np.int64], right: NDArray[np.int64]) -> list[list[int]]:
    """The indices of the pairs that contain each image."""
    pairs_of: list[list[int]] = [[] for _ in range(int(max(left.max(), right.max())) + 1)]
    for pair, images in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
        for image in images:
            pairs_of[image].append(pair)
    return pairs_of


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
