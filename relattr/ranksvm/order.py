"""The loss of all pairs of scored images, without listing them.

Sort the images by their present scores s. Image i, met in that order, is inside the margin with the
images j of lower strength whose s_j > s_i - 1: a stretch of the sorted images, of which only those of
lower strength count. Sums over them are prefix sums over strengths in a Fenwick tree that the sweep
fills, so value, gradient and Hessian product of all n(n-1)/2 pairs take O(n log n) (Lee & Lin, "Large-
scale linear RankSVM", Neural Computation 2014, with order-statistic trees). Equal strengths are
similar pairs, whose sums have a closed form.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from relattr.pairs import Order
from relattr.ranksvm.graph import HessianOperator

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_SERIAL = 2048  # images below which the two sweeps are not worth two threads


class SortedLevels:
    """Images ``items`` with their strengths replaced by levels ``0 .. n_levels - 1``, sorted by level."""

    def __init__(self, order: Order, n: int) -> None:
        _, level = np.unique(order.strengths, return_inverse=True)
        by_level = np.argsort(level, kind="stable")
        self.n = n
        self.items = order.items[by_level].astype(np.int64)
        self.level = level[by_level].astype(np.int64)
        self.size = np.bincount(self.level)
        self.end = np.cumsum(self.size)

    def deviations(self, s: Floats) -> Floats:
        """Each image's size-of-level times its distance from the mean of its level: the similar pairs' ``L s``."""
        mean = np.bincount(self.level, s) / self.size
        return self.size[self.level] * (s - mean[self.level])

    def spread(self, values: Floats) -> Floats:
        """Values of the items, placed among all ``n`` images."""
        out = np.zeros(self.n)
        out[self.items] = values
        return out


# ---------------------------------------------------------------------- squared hinge


@njit(cache=True, nogil=True)
def _sweep_hinge(s: Floats, ranked: Ints, level: Ints, n_levels: int, count: Ints, total: Floats, weaker: bool) -> None:
    """How many opponents each image is inside the margin with, and the sum of their scores.

    ``weaker``: opponents of lower level, from the highest score down; else of higher level, upwards.
    """
    n = s.size
    tree_count = np.zeros(n_levels + 1, np.int64)
    tree_total = np.zeros(n_levels + 1)
    put = 0
    for q in range(n):
        i = ranked[n - 1 - q] if weaker else ranked[q]
        while put < n:
            j = ranked[n - 1 - put] if weaker else ranked[put]
            slack = 1.0 - s[i] + s[j] if weaker else 1.0 - s[j] + s[i]
            if slack <= 0.0:
                break
            at = level[j] + 1 if weaker else n_levels - level[j]
            while at <= n_levels:
                tree_count[at] += 1
                tree_total[at] += s[j]
                at += at & -at
            put += 1
        at = level[i] if weaker else n_levels - 1 - level[i]
        c = 0
        t = 0.0
        while at > 0:
            c += tree_count[at]
            t += tree_total[at]
            at -= at & -at
        count[i] = c
        total[i] = t


@njit(cache=True, nogil=True, parallel=True)
def _hinge_sums(s: Floats, ranked: Ints, level: Ints, n_levels: int, count: Ints, total: Floats) -> None:
    for side in prange(2):
        _sweep_hinge(s, ranked, level, n_levels, count[side], total[side], side == 0)


@njit(cache=True, nogil=True)
def _sweep_product(
    t: Floats, ranked: Ints, level: Ints, n_levels: int, reach: Ints, total: Floats, weaker: bool
) -> None:
    """Sums of ``t`` over the same opponents; ``reach`` says how far the sweep had come at each image."""
    n = t.size
    tree = np.zeros(n_levels + 1)
    put = 0
    for q in range(n):
        i = ranked[n - 1 - q] if weaker else ranked[q]
        while put < reach[q]:
            j = ranked[n - 1 - put] if weaker else ranked[put]
            at = level[j] + 1 if weaker else n_levels - level[j]
            while at <= n_levels:
                tree[at] += t[j]
                at += at & -at
            put += 1
        at = level[i] if weaker else n_levels - 1 - level[i]
        sum_ = 0.0
        while at > 0:
            sum_ += tree[at]
            at -= at & -at
        total[i] = sum_


@njit(cache=True, nogil=True, parallel=True)
def _product_sums(t: Floats, ranked: Ints, level: Ints, n_levels: int, reach: Ints, total: Floats) -> None:
    for side in prange(2):
        _sweep_product(t, ranked, level, n_levels, reach[side], total[side], side == 0)


class OrderSquaredHingeLoss:
    """`relattr.ranksvm.graph.HingeLoss` for all pairs of scored images."""

    def __init__(self, ladder: SortedLevels, c: float, c_similar: float) -> None:
        self.ladder, self.c, self.c_similar = ladder, c, c_similar

    def _sums(self, s: Floats) -> tuple[Ints, Ints, Floats]:
        ladder = self.ladder
        ranked = np.argsort(s, kind="stable")
        count, total = np.empty((2, s.size), np.int64), np.empty((2, s.size))
        given = s, ranked, ladder.level, ladder.size.size
        if s.size < _SERIAL:
            _sweep_hinge(*given, count[0], total[0], True)
            _sweep_hinge(*given, count[1], total[1], False)
        else:
            _hinge_sums(*given, count, total)
        return ranked, count, total

    def evaluate(self, s: Floats) -> tuple[float, Floats]:
        """Value, and gradient ``(n,)`` by the scores ``s`` ``(n,)``."""
        ladder = self.ladder
        own = s[ladder.items]
        own -= own.mean()  # only differences count, and sums of small numbers keep more digits
        _, count, total = self._sums(own)
        as_strong = count[0] * (1.0 - own) + total[0]
        as_weak = count[1] * (1.0 + own) - total[1]
        g = self.c * (as_weak - as_strong)
        # the square of a slack is the slack minus itself times the margin
        value = 0.5 * (self.c * float(as_strong.sum()) + float(own @ g))
        similar = self.c_similar * ladder.deviations(own)
        return value + 0.5 * float(own @ similar), ladder.spread(g + similar)

    def curvature(self, s: Floats) -> HessianOperator:
        """That of the pairs inside the margin at ``s``."""
        own = s[self.ladder.items]
        own -= own.mean()
        ranked, count, _ = self._sums(own)
        up = own[ranked]
        down = up[::-1]
        # the same comparisons as in the sweep, so that no pair on the margin falls between two roundings
        reach = np.stack([_reach(down, True), _reach(up, False)])
        return _OrderHingeCurvature(self, ranked, reach, count.sum(0))


@njit(cache=True, nogil=True)
def _reach(s: Floats, weaker: bool) -> Ints:
    n = s.size
    out = np.empty(n, np.int64)
    put = 0
    for q in range(n):
        while put < n and (1.0 - s[q] + s[put] if weaker else 1.0 - s[put] + s[q]) > 0.0:
            put += 1
        out[q] = put
    return out


class _OrderHingeCurvature:
    def __init__(self, loss: OrderSquaredHingeLoss, ranked: Ints, reach: Ints, degree: Ints) -> None:
        self.loss, self.ranked, self.reach, self.degree = loss, ranked, reach, degree

    def apply(self, t: Floats) -> Floats:
        loss, ladder = self.loss, self.loss.ladder
        own = t[ladder.items]
        total = np.empty((2, own.size))
        given = own, self.ranked, ladder.level, ladder.size.size
        if own.size < _SERIAL:
            _sweep_product(*given, self.reach[0], total[0], True)
            _sweep_product(*given, self.reach[1], total[1], False)
        else:
            _product_sums(*given, self.reach, total)
        product = loss.c * (self.degree * own - total[0] - total[1])
        return ladder.spread(product + loss.c_similar * ladder.deviations(own))
