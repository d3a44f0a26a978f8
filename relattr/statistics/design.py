"""Which images the scored pairs of one or several test sets share.

A `Design` is made once for some test sets and serves every method judged on them. Several test sets
belong together where one number is made of them: the attributes of a dataset (LFW-10 asks ten questions
about the same pairs, OSR six about the same images) or the splits of a protocol.
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
from relattr.statistics import pair_loops
from relattr.statistics.counts import count_strengths

IMPLIED_FROM = 200_000
"""Pairs implied by an order are made one by one below this number, and never from it on."""
_TABLE = 1 << 20


@dataclass(frozen=True, eq=False)
class Judgement:
    """One fitted method on one test set of a `Design`.

    ``correct`` ``(n_ordered,)`` tells for each ordered pair, in their order, whether it is right. Where the
    pairs are implied by an order it is None, and ``strengths`` ``(n_images of the design,)`` imply it.
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
    """The scored pairs of some test sets, over images numbered in common.

    Parameters
    ----------
    tests : for each test set its pairs, and ``(n,)`` integers that identify its images: two test sets
        share an image where they share its number. None stands for ``0, 1, ...``.

    Raises `BadInput` for a test set without an ordered pair.
    """

    def __init__(self, tests: Sequence[tuple[Pairs, ArrayLike | None]]) -> None:
        self.pairs = [pairs for pairs, _ in tests]
        self.n_ordered = [pairs.n_ordered for pairs in self.pairs]
        identities = []
        for k, (pairs, given) in enumerate(tests):
            if not pairs.n_ordered:
                raise BadInput(f"test set {k} has no ordered pair to be judged on")
            last = _last_image(pairs)
            ids = np.arange(last + 1) if given is None else np.asarray(given)
            if ids.ndim != 1 or ids.size <= last or not np.issubdtype(ids.dtype, np.integer):
                raise BadInput(f"test set {k} needs an integer for each of its {last + 1} images")
            identities.append(ids)
        self.implied = all(p.order is not None and len(p) >= IMPLIED_FROM for p in self.pairs)
        scored = [p.images if self.implied else _images_of(p) for p in self.pairs]
        used_ids = [ids[used] for ids, used in zip(identities, scored, strict=True)]
        everyone = np.unique(np.concatenate(used_ids)) if tests else np.zeros(0, np.int64)
        self.n_images = int(everyone.size)
        """Images that are in a scored pair."""
        self._number = []
        for ids in identities:  # image of the test set -> its number in the design, -1 where it is in no scored pair
            place = np.clip(np.searchsorted(everyone, ids), 0, max(0, everyone.size - 1))
            self._number.append(np.where(everyone[place] == ids, place, -1).astype(np.int32))

    @cached_property
    def edges(self) -> list[tuple[NDArray[np.int32], NDArray[np.int32]]]:
        """For each test set, the two images of each ordered pair, ``(n_ordered,)`` each."""
        made = []
        for k, (pairs, number) in enumerate(zip(self.pairs, self._number, strict=True)):
            left, right, label = pairs.arrays
            if pairs.n_similar or not np.array_equal(number, np.arange(self.n_images)):
                left, right = map(_frozen, pair_loops.renumber_pairs(left, right, label, number, self.n_ordered[k]))
            made.append((left, right))
        return made

    @cached_property
    def dyads(self) -> tuple[list[NDArray[np.int32]], NDArray[np.int32], NDArray[np.int32]]:
        """For each test set, which two-image set each ordered pair is; and the two images of each such set.

        The same two images may be asked about several times: in several attributes, or twice in one.
        """
        n = self.n_images
        left, right = self.edges[0]
        if len(self.edges) > 1:
            left, right = (_frozen(np.concatenate(side)) for side in zip(*self.edges, strict=True))
        if n * n <= max(_TABLE, 8 * left.size):
            place, low, high = pair_loops.index_dyads(left, right, n)
        else:  # few pairs of many images: sort instead
            keys = np.minimum(left, right).astype(np.int64) * n + np.maximum(left, right)
            known, where = np.unique(keys, return_inverse=True)
            place, low, high = where.astype(np.int32), (known // n).astype(np.int32), (known % n).astype(np.int32)
        return list(np.split(place, np.cumsum(self.n_ordered)[:-1])), low, high

    @cached_property
    def truth(self) -> NDArray[np.float64]:
        """``(n_tests, n_images)`` true strengths where the pairs are implied; NaN for images of other tests."""
        truth = np.full((len(self.pairs), self.n_images), np.nan)
        for k, pairs in enumerate(self.pairs):
            assert pairs.order is not None
            truth[k, self._number[k][pairs.order.items]] = pairs.order.strengths
        return truth

    def judge(
        self, test: int, *, strengths: NDArray[Any] | None = None, margins: NDArray[Any] | None = None
    ) -> Judgement:
        """Judge strengths ``(n_images of the test set,)`` or margins ``(n_pairs,)`` on a test set.

        Raises `BadInput` for a wrong shape or a value that is not finite.
        """
        pairs = self.pairs[test]
        if (strengths is None) == (margins is None):
            raise BadInput("judge needs strengths or margins, and not both")
        if strengths is not None:
            values = np.asarray(strengths, np.float64)
            if values.ndim != 1 or values.size <= _last_image(pairs):
                raise BadInput(f"strengths have shape {values.shape}; the pairs name image {_last_image(pairs)}")
            if self.implied:
                count = count_strengths(values, pairs)
                numbered = np.full(self.n_images, np.nan)
                numbered[self._number[test][pairs.images]] = values[pairs.images]
                return Judgement(test, count.ordered, count.correct, None, numbered)
            correct, hits, bad = pair_loops.mark_correct(*pairs.arrays, values, self.n_ordered[test])
            if bad >= 0:
                margin = values[pairs.left[bad]] - values[pairs.right[bad]]
                raise BadInput(f"the margin of pair {bad} is {margin}; margins must be finite")
            return Judgement(test, correct.size, hits, correct)
        if self.implied:
            raise BadInput(f"{len(pairs):,} pairs implied by an order can only be judged by strengths")
        given = np.asarray(margins)
        if given.shape != (len(pairs),):
            raise BadInput(f"margins have shape {given.shape} for {len(pairs)} pairs")
        given, label = given[pairs.label != 0], pairs.label[pairs.label != 0]
        if not np.isfinite(given).all():
            raise BadInput(f"a margin is {given[~np.isfinite(given)][0]}; margins must be finite")
        # compared as signs, so that a tie is an error
        correct = np.where(label > 0, given > 0, given < 0)
        return Judgement(test, correct.size, int(correct.sum()), correct)


def _frozen(array: NDArray[np.int32]) -> NDArray[np.int32]:
    """Read-only, as the arrays of `Pairs` are: a loop is compiled once for both."""
    array.setflags(write=False)
    return array


def _last_image(pairs: Pairs) -> int:
    if pairs.order is not None:
        return int(pairs.order.items.max(initial=-1))
    return int(max(pairs.left.max(initial=-1), pairs.right.max(initial=-1)))


def _images_of(pairs: Pairs) -> NDArray[np.int64]:
    """The images that are in an ordered pair, ascending."""
    return np.flatnonzero(pair_loops.mark_images(*pairs.arrays, _last_image(pairs) + 1))
