"""Labelled pairs of images, the representation of all comparisons.

A pair is ``(left, right, label)``: +1 if the left image has more of the attribute, -1 if the right one has, 0 if the
two are similar. `Pairs` holds three aligned, read-only arrays. If the pairs are all pairs of images with known
strengths (a class order, or one score per image), it stores only the strengths and computes the arrays on first use:
8,062 scored images have 32.5 million pairs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relattr.errors import BadInput
from relattr.random import derive_seed
from relattr.readonly import read_only
from relattr.sampling import permuted, random_bits

Ties = Literal["similar", "skip"]
_Arrays = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int8]]
_CHUNK = 1 << 16
"""Number of pairs computed at a time, small enough for the processor cache."""


@dataclass(frozen=True, eq=False)
class Order:
    """Image indices ``items`` ``(n,)`` and their ``strengths`` ``(n,)``, which define all n(n-1)/2 pairs.

    Images of equal strength form similar pairs. ``seed`` determines which image of a pair is on the left.
    """

    items: NDArray[np.int32]
    strengths: NDArray[np.float64]
    seed: int

    @property
    def n_pairs(self) -> int:
        n = self.items.size
        return n * (n - 1) // 2

    @property
    def n_similar(self) -> int:
        _, counts = np.unique(self.strengths, return_counts=True)
        return int((counts.astype(np.int64) * (counts - 1) // 2).sum())

    def pairs_at(self, index: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int8]]:
        """Left, right and label of the pairs at these positions among all n(n-1)/2."""
        first, second = _row_and_column(index)
        swap = random_bits(index, self.seed)
        left = np.where(swap, second, first)
        right = np.where(swap, first, second)
        label = np.sign(self.strengths[left] - self.strengths[right]).astype(np.int8)
        return self.items[left], self.items[right], label


class Pairs:
    """Immutable pairs: three aligned arrays, ``left`` and ``right`` (int32 image indices) and ``label`` (int8).

    Parameters
    ----------
    left, right : ``(n,)`` integers >= 0, indices into an `Images`.
    label : ``(n,)`` of +1 (left has more), -1 (right has more), 0 (similar).
    n_images : number of images; if given, every index must be smaller.

    Raises `BadInput` for arrays of unequal length or wrong type, any other label, an image paired with itself, or an
    index that is too large; the message names the first such pair.
    """

    __slots__ = ("_arrays", "_order")

    def __init__(self, left: ArrayLike, right: ArrayLike, label: ArrayLike, *, n_images: int | None = None) -> None:
        arrays: _Arrays = (_index(left, "left"), _index(right, "right"), _label(label))
        sizes = [array.size for array in arrays]
        if len(set(sizes)) != 1:
            raise BadInput(f"left, right and label must have the same length; got {', '.join(map(str, sizes))}")
        _check_none(arrays[0] == arrays[1], arrays, "pairs an image with itself")
        if n_images is not None:
            for side, values in zip(("left", "right"), arrays[:2], strict=True):
                _check_none(
                    values >= n_images, arrays, f"has a {side} index that is not below the number of images, {n_images}"
                )
        for a in arrays:
            a.flags.writeable = False
        self._arrays: _Arrays | None = arrays
        self._order: Order | None = None

    # ------------------------------------------------------------------ constructors

    @classmethod
    def all_of(cls, strengths: ArrayLike, *, items: ArrayLike | None = None, seed: int = 0) -> Pairs:
        """All pairs of images with these strengths ``(n,)``, stored as n numbers; equal strengths form similar pairs.

        ``items`` ``(n,)`` are the image indices (default ``0..n-1``); ``seed`` determines the side of each image.
        """
        try:
            values = np.array(strengths, dtype=np.float64) + 0.0  # copy, and turn -0.0 into 0.0, which has other bytes
        except (TypeError, ValueError) as error:
            raise BadInput(f"strengths must be (n,) numbers: {error}") from None
        names = np.arange(values.size, dtype=np.int32) if items is None else _index(items, "items")
        if values.ndim != 1 or values.size != names.size:
            raise BadInput(f"strengths must be (n,) like items; got shape {values.shape} for {names.size} items")
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            raise BadInput(f"strength {values[bad[0]]} of image {names[bad[0]]} is not a finite number")
        _check_distinct(names, "items")
        if seed < 0:
            raise BadInput(f"seed must be >= 0; got {seed}")
        return _from_order(Order(read_only(names), read_only(values), seed))

    @classmethod
    def from_scores(
        cls,
        scores: ArrayLike,
        *,
        count: int | None = None,
        seed: int = 0,
        ties: Ties = "similar",
        items: ArrayLike | None = None,
    ) -> Pairs:
        """All pairs of images with these scores ``(n,)``, or a random sample of ``count`` distinct pairs.

        ``ties="skip"`` leaves out pairs of equal scores. A sample with the same seed and a smaller count is a prefix of
        the larger one. Memory is proportional to the sample. Raises `BadInput` if there are fewer than ``count`` pairs.
        """
        all_pairs = cls.all_of(scores, items=items, seed=seed)
        order = all_pairs._order
        assert order is not None
        available = order.n_pairs - (order.n_similar if ties == "skip" else 0)
        if count is None:
            return all_pairs if ties == "similar" or not order.n_similar else all_pairs.ordered()
        if not 0 <= count <= available:
            raise BadInput(f"count must be between 0 and {available}, the number of such pairs; got {count}")
        sample: tuple[NDArray[Any], ...] = tuple(np.empty(count, t) for t in (np.int32, np.int32, np.int8))
        key, filled, position = derive_seed(seed, "pairs"), 0, 0
        while filled < count:
            chunk_size = count - filled if ties == "similar" else 2 * (count - filled) + 4096  # some are ties
            stop = min(position + min(_CHUNK, chunk_size), order.n_pairs)
            chunk = order.pairs_at(permuted(position, stop, order.n_pairs, key))
            position = stop
            if ties == "skip":
                keep = chunk[2] != 0
                chunk = chunk[0][keep], chunk[1][keep], chunk[2][keep]
            n_new = min(chunk[2].size, count - filled)
            for k in range(3):
                sample[k][filled : filled + n_new] = chunk[k][:n_new]
            filled += n_new
        return _unchecked(*sample)

    @classmethod
    def from_classes(
        cls, classes: ArrayLike, order: Sequence[float] | NDArray[Any], *, items: ArrayLike | None = None, seed: int = 0
    ) -> Pairs:
        """All pairs of images with classes ``(n,)`` (0-based), labelled by the rank ``(n_classes,)`` of each class.

        A larger rank is more of the attribute; equal ranks form similar pairs (Parikh & Grauman, ICCV 2011).
        """
        labels = np.asarray(classes)
        if labels.ndim != 1 or not (labels.size == 0 or np.issubdtype(labels.dtype, np.integer)):
            raise BadInput(f"classes must be (n,) integers; got {labels.dtype} of shape {labels.shape}")
        ranks = np.asarray(order, dtype=np.float64)
        n_classes = int(labels.max()) + 1 if labels.size else 0
        if ranks.ndim != 1 or ranks.size < n_classes:
            raise BadInput(f"the class order has {ranks.size} ranks, but the images have classes 0..{n_classes - 1}")
        if labels.size and labels.min() < 0:
            raise BadInput(f"class {labels.min()} is negative; classes are numbered from 0")
        return cls.all_of(ranks[labels.astype(np.int64)], items=items, seed=seed)

    @classmethod
    def from_votes(cls, left: ArrayLike, right: ArrayLike, votes: ArrayLike, *, n_images: int | None = None) -> Pairs:
        """Pairs labelled by majority vote; ``votes`` ``(n, 3)`` are the counts of left, right, similar.

        Ties go to the first in that order (Singh & Lee, ECCV 2016, on LFW-10).
        """
        counts = np.asarray(votes)
        if counts.ndim != 2 or counts.shape[1] != 3 or counts.dtype.kind not in "iuf":
            raise BadInput(
                f"votes must be numbers (n, 3): left, right, similar; got {counts.dtype} of shape {counts.shape}"
            )
        bad = np.flatnonzero(~np.isfinite(counts).all(1) | (counts < 0).any(1) | (counts.sum(1) <= 0))
        if bad.size:
            raise BadInput(f"votes of pair {bad[0]} are {counts[bad[0]].tolist()}; expected counts >= 0, at least one")
        return cls(left, right, np.array([1, -1, 0], np.int8)[counts.argmax(1)], n_images=n_images)

    @classmethod
    def concatenate(cls, parts: Sequence[Pairs]) -> Pairs:
        """The pairs of all parts, one after the other."""
        if not parts:
            return cls([], [], [])
        return cls(*(np.concatenate(side) for side in zip(*(p.arrays for p in parts), strict=True)))

    # ------------------------------------------------------------------ contents

    @property
    def order(self) -> Order | None:
        """The strengths that define these pairs, if they are all pairs of their images; otherwise None."""
        return self._order

    @property
    def arrays(self) -> _Arrays:
        """``left, right, label``; computed on first use if the pairs are defined by an `Order`."""
        if self._arrays is None:
            order = self._order
            assert order is not None
            left, right = np.empty(order.n_pairs, np.int32), np.empty(order.n_pairs, np.int32)
            label = np.empty(order.n_pairs, np.int8)
            for start in range(0, order.n_pairs, _CHUNK):
                stop = min(start + _CHUNK, order.n_pairs)
                part = order.pairs_at(np.arange(start, stop, dtype=np.int64))
                left[start:stop], right[start:stop], label[start:stop] = part
            self._arrays = read_only(left), read_only(right), read_only(label)
        return self._arrays

    @property
    def left(self) -> NDArray[np.int32]:
        return self.arrays[0]

    @property
    def right(self) -> NDArray[np.int32]:
        return self.arrays[1]

    @property
    def label(self) -> NDArray[np.int8]:
        return self.arrays[2]

    def __len__(self) -> int:
        return self._order.n_pairs if self._order is not None else self.arrays[0].size

    @property
    def n_similar(self) -> int:
        if self._order is not None:
            return self._order.n_similar
        return int(np.count_nonzero(self.label == 0))

    @property
    def n_ordered(self) -> int:
        return len(self) - self.n_similar

    @property
    def images(self) -> NDArray[np.int32]:
        """The indices of the images that occur in a pair, in ascending order."""
        if self._order is not None:
            return np.sort(self._order.items) if self._order.items.size > 1 else self._order.items[:0]
        left, right, _ = self.arrays
        n = int(max(left.max(initial=-1), right.max(initial=-1))) + 1
        if n > 4 * left.size + 1024:
            return np.unique(np.concatenate([left, right]))
        occurs = np.zeros(n, bool)  # faster than sorting: there may be ten million pairs of ten thousand images
        occurs[left] = occurs[right] = True
        return np.flatnonzero(occurs).astype(np.int32)

    # ------------------------------------------------------------------ derived pairs

    def take(self, which: NDArray[np.bool_] | NDArray[np.integer[Any]]) -> Pairs:
        """The pairs at these positions, or those where this mask is true."""
        return _unchecked(*(a[which] for a in self.arrays))

    def ordered(self) -> Pairs:
        """The pairs that are not similar."""
        return self.take(self.label != 0)

    def similar(self) -> Pairs:
        """The similar pairs."""
        return self.take(self.label == 0)

    def swapped(self) -> Pairs:
        """The same pairs with left and right swapped."""
        return _unchecked(self.right, self.left, -self.label)

    def random_sides(self, seed: int, identities: NDArray[np.int64] | None = None) -> Pairs:
        """The same pairs with random sides, so that labels do not depend on the side.

        The seed determines which of the two images is on the left, not whether to swap them, so applying this twice
        with the same seed is the same as applying it once. The side depends on the position of the pair; with
        ``identities``, distinct integers ``(n_images,)`` that identify the images, it depends on these two alone.
        """
        key = derive_seed(seed, "sides")
        if identities is not None:
            left, right = identities[self.left], identities[self.right]
            return self._swapped_where(random_bits(left ^ right, key) != (left < right))
        if self._order is not None:
            return _from_order(Order(self._order.items, self._order.strengths, key))
        smaller_left = random_bits(np.arange(len(self), dtype=np.int64), key)
        return self._swapped_where(smaller_left != (self.left < self.right))

    def _swapped_where(self, swap: NDArray[np.bool_]) -> Pairs:
        return _unchecked(
            np.where(swap, self.right, self.left),
            np.where(swap, self.left, self.right),
            np.where(swap, -self.label, self.label),
        )

    def among(self, images: ArrayLike) -> Pairs:
        """The pairs of which both images are in ``images``, with the same indices."""
        chosen = _index(images, "images")
        used = self.images if self._order is None else self._order.items
        mask = np.zeros(int(max(chosen.max(initial=-1), used.max(initial=-1))) + 1, bool)
        mask[chosen] = True
        if self._order is not None:
            inside = mask[self._order.items]
            items, strengths = read_only(self._order.items[inside]), read_only(self._order.strengths[inside])
            return _from_order(Order(items, strengths, self._order.seed))
        return self.take(mask[self.left] & mask[self.right])

    def renumbered(self, images: ArrayLike) -> Pairs:
        """The same pairs with new image indices: ``images[k]`` (distinct old indices) becomes ``k``.

        Raises `BadInput` if a pair has an image that is not in ``images``, or ``images`` has duplicates.
        """
        kept = _index(images, "images")
        _check_distinct(kept, "images")
        used = self.images if self._order is None else self._order.items
        new = np.full(int(max(kept.max(initial=-1), used.max(initial=-1))) + 1, -1, np.int32)
        new[kept] = np.arange(kept.size, dtype=np.int32)
        absent = used[new[used] < 0]
        if absent.size:
            raise BadInput(f"image {absent[0]} is in a pair but not one of the {kept.size} given images")
        if self._order is not None:
            return _from_order(Order(read_only(new[self._order.items]), self._order.strengths, self._order.seed))
        return _unchecked(new[self.left], new[self.right], self.label)

    def fingerprint(self) -> str:
        """SHA-256 of the pairs, or of the `Order` that defines them."""
        digest = hashlib.sha256()
        if self._order is not None:
            digest.update(b"order %d;" % self._order.seed)
            parts: Sequence[NDArray[Any]] = (self._order.items, self._order.strengths)
        else:
            parts = self.arrays
        for part in parts:
            digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()

    def __repr__(self) -> str:
        suffix = ", defined by an order" if self._order is not None else ""
        noun = "pair" if len(self) == 1 else "pairs"
        return f"Pairs({len(self):,} {noun}, {self.n_similar:,} similar{suffix})"


def _row_and_column(index: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The ``(i, j)`` with ``i > j`` at a position among all pairs, which is ``i(i-1)/2 + j``."""
    i = ((1.0 + np.sqrt(1.0 + 8.0 * index.astype(np.float64))) / 2.0).astype(np.int64)
    i -= i * (i - 1) // 2 > index  # the square root may be rounded up, but never down: that of a square number is exact
    return i, index - i * (i - 1) // 2


def _from_order(order: Order) -> Pairs:
    pairs = Pairs.__new__(Pairs)
    pairs._arrays, pairs._order = None, order
    return pairs


def _unchecked(left: NDArray[Any], right: NDArray[Any], label: NDArray[Any]) -> Pairs:
    pairs = Pairs.__new__(Pairs)
    pairs._order = None
    pairs._arrays = read_only(left), read_only(right), read_only(label)
    return pairs


def _index(values: ArrayLike, name: str) -> NDArray[np.int32]:
    array = np.asarray(values)
    if array.ndim != 1 or not (array.size == 0 or np.issubdtype(array.dtype, np.integer)):
        raise BadInput(f"{name} must be (n,) integers; got {array.dtype} of shape {array.shape}")
    bad = np.flatnonzero((array < 0) | (array > np.iinfo(np.int32).max))
    if bad.size:
        raise BadInput(
            f"{name}[{bad[0]}] is {array[bad[0]]}; expected an image index from 0 to {np.iinfo(np.int32).max}"
        )
    return array.astype(np.int32)


def _check_distinct(images: NDArray[np.int32], name: str) -> None:
    values, counts = np.unique(images, return_counts=True)
    if values.size != images.size:
        raise BadInput(f"{name} names image {values[counts > 1][0]} twice")


def _label(values: ArrayLike) -> NDArray[np.int8]:
    array = np.asarray(values)
    if array.ndim != 1:
        raise BadInput(f"label must be (n,); got shape {array.shape}")
    bad = np.flatnonzero(~np.isin(array, (-1, 0, 1)))
    if bad.size:
        raise BadInput(
            f"label[{bad[0]}] is {array[bad[0]]}; expected +1 (left has more), -1 (right has more) or 0 (similar)"
        )
    return array.astype(np.int8)


def _check_none(bad: NDArray[np.bool_], arrays: tuple[NDArray[Any], ...], problem: str) -> None:
    positions = np.flatnonzero(bad)
    if positions.size:
        k = positions[0]
        raise BadInput(f"pair {k} (left {arrays[0][k]}, right {arrays[1][k]}, label {arrays[2][k]}) {problem}")
