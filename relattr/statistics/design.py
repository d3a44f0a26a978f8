"""Dependence structure of test sets: which images their scored pairs share.

A `Design` is built once for a group of test sets and used for every method evaluated on them. Test sets form a group if
their accuracies are averaged: the attributes of a dataset (LFW-10 has ten questions about the same pairs, OSR six about
the same images) or the splits of a protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relattr.errors import BadInput
from relattr.pairs import Pairs
from relattr.readonly import read_only
from relattr.statistics import pair_loops
from relattr.statistics.counts import count_strengths

IMPLIED_FROM = 200_000
"""Pairs implied by an order are enumerated only if there are fewer than this."""
_TABLE = 1 << 20
CROSS_VALIDATION_FACTOR = 2.0
"""Factor of the variance over images in cross-validation, where each image also decides models that others are tested
with; benchmarks/studies/cross_validation.md has the coverage of the intervals with and without it."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """Outcome of one fitted method on one test set of a `Design`.

    ``correct`` ``(n_ordered,)`` is a mask of the correct ordered pairs. It is None if the pairs are implied by an
    order; then it follows from ``strengths`` ``(n_images of the design,)``.
    """

    test: int
    n_ordered: int
    n_correct: int
    correct: NDArray[np.bool_] | None
    strengths: NDArray[np.float64] | None = None

    @property
    def accuracy(self) -> float:
        """In [0, 1]."""
        return self.n_correct / self.n_ordered


class Design:
    """The scored pairs of a group of test sets, with common indices of images.

    Parameters
    ----------
    tests : for each test set its pairs, and ``(n,)`` integers that identify its images: test sets share the images
        whose identifiers are equal. None means ``0, 1, ...``.
    cross_validated : whether each test set has the pairs of all folds of a cross-validation. Variances over images are
        then multiplied by `CROSS_VALIDATION_FACTOR`.

    Raises `BadInput` for a test set without an ordered pair.
    """

    def __init__(self, tests: Sequence[tuple[Pairs, ArrayLike | None]], *, cross_validated: bool = False) -> None:
        self.variance_factor = CROSS_VALIDATION_FACTOR if cross_validated else 1.0
        self.pairs = [pairs for pairs, _ in tests]
        self.n_ordered = [pairs.n_ordered for pairs in self.pairs]
        identities = []
        for k, (pairs, values) in enumerate(tests):
            if not pairs.n_ordered:
                raise BadInput(f"test set {k} has no ordered pair, so it has no accuracy")
            last = _last_image(pairs)
            ids = np.arange(last + 1) if values is None else np.asarray(values)
            if ids.ndim != 1 or ids.size <= last or not np.issubdtype(ids.dtype, np.integer):
                raise BadInput(f"test set {k}: expected an integer identifier for each of its {last + 1} images")
            identities.append(ids)
        self.implied = all(p.order is not None and len(p) >= IMPLIED_FROM for p in self.pairs)
        scored = [p.images if self.implied else _images_of(p) for p in self.pairs]
        used_ids = [ids[used] for ids, used in zip(identities, scored, strict=True)]
        identifiers = np.unique(np.concatenate(used_ids)) if tests else np.zeros(0, np.int64)
        self.n_images = int(identifiers.size)
        """Images that are in a scored pair."""
        self._index = []
        for ids in identities:  # image of the test set -> its index, -1 if in no scored pair
            index = np.clip(np.searchsorted(identifiers, ids), 0, max(0, identifiers.size - 1))
            self._index.append(np.where(identifiers[index] == ids, index, -1).astype(np.int32))

    @cached_property
    def edges(self) -> list[tuple[NDArray[np.int32], NDArray[np.int32]]]:
        """For each test set, the two images of each ordered pair, ``(n_ordered,)`` each."""
        edges = []
        for k, (pairs, index) in enumerate(zip(self.pairs, self._index, strict=True)):
            left, right, label = pairs.arrays
            if pairs.n_similar or not np.array_equal(index, np.arange(self.n_images)):
                # read-only like the arrays of `Pairs`, so that Numba compiles each loop for one type only
                left, right = map(read_only, pair_loops.renumber_pairs(left, right, label, index, self.n_ordered[k]))
            edges.append((left, right))
        return edges

    @cached_property
    def dyads(self) -> tuple[list[NDArray[np.int32]], NDArray[np.int32], NDArray[np.int32]]:
        """For each test set, the dyad of each ordered pair; and the two images of each dyad.

        A dyad is an unordered pair of images. It can have several pairs: of several attributes, or repeated ones.
        """
        n = self.n_images
        left, right = self.edges[0]
        if len(self.edges) > 1:
            left, right = (read_only(np.concatenate(side)) for side in zip(*self.edges, strict=True))
        if n * n <= max(_TABLE, 8 * left.size):
            dyad, first, second = pair_loops.index_dyads(left, right, n)
        else:  # few pairs of many images: sort instead of a table of all dyads
            keys = np.minimum(left, right).astype(np.int64) * n + np.maximum(left, right)
            unique, inverse = np.unique(keys, return_inverse=True)
            dyad = inverse.astype(np.int32)
            first, second = (unique // n).astype(np.int32), (unique % n).astype(np.int32)
        return list(np.split(dyad, np.cumsum(self.n_ordered)[:-1])), first, second

    @cached_property
    def truth(self) -> NDArray[np.float64]:
        """True strengths ``(n_tests, n_images)`` if pairs are implied by orders; NaN for images of other tests."""
        truth = np.full((len(self.pairs), self.n_images), np.nan)
        for k, pairs in enumerate(self.pairs):
            assert pairs.order is not None
            truth[k, self._index[k][pairs.order.items]] = pairs.order.strengths
        return truth

    def judge(
        self, test: int, *, strengths: NDArray[Any] | None = None, margins: NDArray[Any] | None = None
    ) -> Judgement:
        """Evaluate strengths ``(n_images of the test set,)`` or margins ``(n_pairs,)`` on a test set.

        Raises `BadInput` for a wrong shape or a value that is not finite.
        """
        pairs = self.pairs[test]
        if (strengths is None) == (margins is None):
            raise BadInput("judge takes either strengths or margins; give exactly one")
        if strengths is not None:
            values = np.asarray(strengths, np.float64)
            if values.ndim != 1 or values.size <= _last_image(pairs):
                raise BadInput(f"strengths have shape {values.shape}; the pairs refer to image {_last_image(pairs)}")
            if self.implied:
                count = count_strengths(values, pairs)
                reindexed = np.full(self.n_images, np.nan)
                reindexed[self._index[test][pairs.images]] = values[pairs.images]
                return Judgement(test, count.ordered, count.correct, None, reindexed)
            correct, n_correct, invalid = pair_loops.mark_correct(*pairs.arrays, values, self.n_ordered[test])
            if invalid >= 0:
                margin = values[pairs.left[invalid]] - values[pairs.right[invalid]]
                raise BadInput(f"the margin of pair {invalid} is {margin}; margins must be finite")
            return Judgement(test, correct.size, n_correct, correct)
        if self.implied:
            raise BadInput(f"{len(pairs):,} pairs implied by an order can only be judged by strengths, not by margins")
        values = np.asarray(margins)
        if values.shape != (len(pairs),):
            raise BadInput(f"margins have shape {values.shape}; expected ({len(pairs)},)")
        values, label = values[pairs.label != 0], pairs.label[pairs.label != 0]
        if not np.isfinite(values).all():
            raise BadInput(f"a margin is {values[~np.isfinite(values)][0]}; margins must be finite")
        # strict comparisons, so that a tie is an error
        correct = np.where(label > 0, values > 0, values < 0)
        return Judgement(test, correct.size, int(correct.sum()), correct)


def _last_image(pairs: Pairs) -> int:
    if pairs.order is not None:
        return int(pairs.order.items.max(initial=-1))
    return int(max(pairs.left.max(initial=-1), pairs.right.max(initial=-1)))


def _images_of(pairs: Pairs) -> NDArray[np.int64]:
    """Return the images that are in an ordered pair, in ascending order."""
    return np.flatnonzero(pair_loops.mark_images(*pairs.arrays, _last_image(pairs) + 1))
