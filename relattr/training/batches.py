"""Which images form a batch: such that each goes through the network once, and every labelled pair among them counts.

Two ways, by how many pairs there are; both leave what is optimised as it was.

*Dense* (all pairs of OSR, a third of all pairs of Viral): an epoch deals the shuffled images into batches. Any two
images meet in a batch with the same probability, so the pairs of a batch, each weighted the same, are an unbiased
sample of all pairs; the sum over a batch is divided by the number of pairs a batch has on average.

*Sparse* (LFW-10: 500 pairs over some 620 images): hardly any of the pairs of a random batch would be labelled. An
epoch takes each pair exactly once: a batch begins with a random pair not yet taken, and grows along pairs that share
an image with it, until it has as many images as a batch holds; then all pairs among these images that were not yet
taken are taken. The epoch's sum is the sum over all pairs, in whatever order, divided by the mean number a batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.pairs import Pairs

DENSE = 1.0
"""Pairs an image, in a random batch, from which on pairs count as dense."""


class Batch(NamedTuple):
    """Indices of distinct ``images`` (b,), and the pairs among them: positions in it and labels -1, 0, +1."""

    images: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    label: NDArray[np.int8]


class PairBatches:
    """Deals pairs into batches of ``size`` images, epoch by epoch.

    Raises `BadInput` for no ordered pair and for a batch of fewer than two images.
    """

    def __init__(self, pairs: Pairs, size: int) -> None:
        if size < 2:
            raise BadInput(f"a batch needs at least two images; got {size}")
        if not pairs.n_ordered:
            raise BadInput(f"there is nothing to learn from {pairs!r}: at least one ordered pair (+1 or -1) is needed")
        self._items = pairs.images.astype(np.int64)
        n = self._items.size
        self.size = min(size, n)
        self.expected = len(pairs) * self.size * (self.size - 1) / (n * (n - 1))
        """Pairs in a random batch, on average."""
        self.dense = pairs.order is not None or self.expected >= DENSE * self.size or self.size == n
        order = pairs.order
        self._strengths: NDArray[np.float64] | None = None
        if order is not None:
            self._strengths = np.zeros(int(self._items.max()) + 1)
            self._strengths[order.items] = order.strengths
        else:
            self._pairs = pairs
            self._near = _Neighbours(pairs)

    @property
    def batches_per_epoch(self) -> int:
        """How many batches an epoch has; of sparse pairs about that many."""
        if self.dense:
            return max(1, self._items.size // self.size)
        return max(1, round(len(self._pairs) / self.expected_sparse))

    @property
    def expected_sparse(self) -> float:
        """Pairs a batch of sparse ones holds, about: one for each image after the first, at most."""
        return max(1.0, min(self.size - 1.0, len(self._pairs) / self._items.size * self.size))

    def epoch(self, rng: np.random.Generator) -> Iterator[tuple[Batch, float]]:
        """The batches of one epoch, each with the number its sum is divided by."""
        if not self.dense:
            made = list(self._grown(rng))
            weight = len(self._pairs) / len(made)
            yield from ((batch, weight) for batch in made)
            return
        shuffled = rng.permutation(self._items)
        for k in range(self.batches_per_epoch):  # the rest, too few for a batch, comes in other epochs
            images = shuffled[k * self.size : (k + 1) * self.size]
            yield self._all_among(images), self.expected

    def _all_among(self, images: NDArray[np.int64]) -> Batch:
        if self._strengths is None:
            return self._near.among(images)
        left, right = np.triu_indices(images.size, 1)
        values = self._strengths[images]
        return Batch(images, left, right, np.sign(values[left] - values[right]).astype(np.int8))

    def _grown(self, rng: np.random.Generator) -> Iterator[Batch]:
        left, right, label = (a.astype(np.int64) for a in self._pairs.arrays)
        taken = np.zeros(label.size, bool)
        touching = _touching(left, right)
        for start in rng.permutation(label.size):
            if taken[start]:
                continue
            place: dict[int, int] = {}
            border: list[int] = []

            def add(image: int, place: dict[int, int] = place, border: list[int] = border) -> None:
                if image not in place:
                    place[image] = len(place)
                    border.extend(e for e in touching[image] if not taken[e])

            add(int(left[start]))
            add(int(right[start]))
            while len(place) < self.size:
                if not border:  # the rest of the batch begins elsewhere
                    if len(place) + 2 > self.size:
                        break
                    free = np.flatnonzero(~taken & ~_inside(left, right, place))
                    if not free.size:
                        break
                    border.append(int(rng.choice(free)))
                edge = border.pop(int(rng.integers(len(border))))
                new = [v for v in (int(left[edge]), int(right[edge])) if v not in place]
                if len(place) + len(new) <= self.size:
                    for image in new:
                        add(image)
            edges = np.flatnonzero(~taken & _inside(left, right, place))
            taken[edges] = True
            at = np.full(int(self._items.max()) + 1, -1)
            at[list(place)] = list(place.values())
            yield Batch(np.array(list(place)), at[left[edges]], at[right[edges]], label[edges].astype(np.int8))


def _inside(left: NDArray[np.int64], right: NDArray[np.int64], place: dict[int, int]) -> NDArray[np.bool_]:
    """Which pairs have both images among these."""
    member = np.zeros(int(max(left.max(), right.max())) + 1, bool)
    member[list(place)] = True
    return member[left] & member[right]


def _touching(left: NDArray[np.int64], right: NDArray[np.int64]) -> list[list[int]]:
    """The pairs that each image is in."""
    found: list[list[int]] = [[] for _ in range(int(max(left.max(), right.max())) + 1)]
    for edge, (one, two) in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
        found[one].append(edge)
        found[two].append(edge)
    return found


class _Neighbours:
    """The pairs of each image, so that those among a batch's are found without looking at the others."""

    def __init__(self, pairs: Pairs) -> None:
        left, right, label = pairs.arrays
        self._order = np.argsort(left, kind="stable")
        self._right, self._label = right[self._order], label[self._order]
        n = int(max(left.max(), right.max())) + 1
        self._start = np.concatenate([[0], np.cumsum(np.bincount(left, minlength=n))])
        self._n = n

    def among(self, images: NDArray[np.int64]) -> Batch:
        at = np.full(self._n, -1, np.int64)
        at[images] = np.arange(images.size)
        rows = [slice(self._start[i], self._start[i + 1]) for i in images]
        right = np.concatenate([self._right[row] for row in rows])
        label = np.concatenate([self._label[row] for row in rows])
        left = np.repeat(np.arange(images.size), [row.stop - row.start for row in rows])
        keep = at[right] >= 0
        return Batch(images, left[keep], at[right[keep]], label[keep])
