"""Squared hinge loss on all pairs of images with known strengths, without enumerating them.

Sort the images by their decision values s. Image i is inside the margin with the images j of lower true strength with
s_j > s_i - 1, which are contiguous in the sorted order except for their true strength. A sweep inserts images into a
Fenwick tree indexed by true strength, so that the sums over them are prefix sums: value, gradient and Hessian-vector
product of all n(n-1)/2 pairs take O(n log n) (Lee & Lin, "Large-scale linear RankSVM", Neural Computation 2014, with
order-statistic trees). Images of equal strength are similar pairs, whose sums have a closed form.

Arrays of the kernels, for n images:

- ``s``, ``t`` ``(n,)`` float64: decision values, and a vector to multiply
- ``ranked`` ``(n,)``: the images in ascending order of s
- ``level`` ``(n,)``: the rank of the true strength of each image, below ``n_levels``
- ``count``, ``total`` ``(n,)``: for each image, the number of images inside its margin, and the sum of s or t over them
- ``reach`` ``(n,)``: the number of images inserted into the tree before each step of a sweep
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relattr.pairs import Order
from relattr.ranksvm.graph import HessianOperator
from relattr.system.compiled import njit, prange

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_SERIAL = 2048  # images below which two threads for the two sweeps do not pay off


class SortedLevels:
    """Images ``items`` sorted by level, where levels ``0 .. n_levels - 1`` are the ranks of their true strengths."""

    def __init__(self, order: Order, n: int) -> None:
        _, level = np.unique(order.strengths, return_inverse=True)
        by_level = np.argsort(level, kind="stable")
        self.n = n
        self.items = order.items[by_level].astype(np.int64)
        self.level = level[by_level].astype(np.int64)
        self.size = np.bincount(self.level)
        self.end = np.cumsum(self.size)

    def deviations(self, s: Floats) -> Floats:
        """Return ``L s`` of the similar pairs: for each item, size of its level times deviation from the level mean."""
        mean = np.bincount(self.level, s) / self.size
        return self.size[self.level] * (s - mean[self.level])

    def scatter(self, values: Floats) -> Floats:
        """Scatter the values of the items into an array of all ``n`` images."""
        out = np.zeros(self.n)
        out[self.items] = values
        return out


# ---------------------------------------------------------------------- squared hinge


@njit(nogil=True)
def _sweep_hinge(s: Floats, ranked: Ints, level: Ints, n_levels: int, count: Ints, total: Floats, lower: bool) -> None:
    """Compute for each image the number of images inside its margin, and the sum of their decision values.

    If ``lower``, over images of lower level, sweeping down from the highest decision value; else over images of higher
    level, sweeping up.
    """
    n = s.size
    tree_count = np.zeros(n_levels + 1, np.int64)
    tree_total = np.zeros(n_levels + 1)
    inserted = 0
    for q in range(n):
        i = ranked[n - 1 - q] if lower else ranked[q]
        while inserted < n:
            j = ranked[n - 1 - inserted] if lower else ranked[inserted]
            slack = 1.0 - s[i] + s[j] if lower else 1.0 - s[j] + s[i]
            if slack <= 0.0:
                break
            node = level[j] + 1 if lower else n_levels - level[j]
            while node <= n_levels:
                tree_count[node] += 1
                tree_total[node] += s[j]
                node += node & -node
            inserted += 1
        node = level[i] if lower else n_levels - 1 - level[i]
        c = 0
        t = 0.0
        while node > 0:
            c += tree_count[node]
            t += tree_total[node]
            node -= node & -node
        count[i] = c
        total[i] = t


@njit(nogil=True, parallel=True)
def _hinge_sums(s: Floats, ranked: Ints, level: Ints, n_levels: int, count: Ints, total: Floats) -> None:
    for side in prange(2):
        _sweep_hinge(s, ranked, level, n_levels, count[side], total[side], side == 0)


@njit(nogil=True)
def _sweep_product(
    t: Floats, ranked: Ints, level: Ints, n_levels: int, reach: Ints, total: Floats, lower: bool
) -> None:
    """Compute the sums of ``t`` over the images inside the margin of each image."""
    n = t.size
    tree = np.zeros(n_levels + 1)
    inserted = 0
    for q in range(n):
        i = ranked[n - 1 - q] if lower else ranked[q]
        while inserted < reach[q]:
            j = ranked[n - 1 - inserted] if lower else ranked[inserted]
            node = level[j] + 1 if lower else n_levels - level[j]
            while node <= n_levels:
                tree[node] += t[j]
                node += node & -node
            inserted += 1
        node = level[i] if lower else n_levels - 1 - level[i]
        sum_ = 0.0
        while node > 0:
            sum_ += tree[node]
            node -= node & -node
        total[i] = sum_


@njit(nogil=True, parallel=True)
def _product_sums(t: Floats, ranked: Ints, level: Ints, n_levels: int, reach: Ints, total: Floats) -> None:
    for side in prange(2):
        _sweep_product(t, ranked, level, n_levels, reach[side], total[side], side == 0)


class OrderSquaredHingeLoss:
    """`relattr.ranksvm.graph.SquaredHingeLoss` for all pairs of images with known strengths."""

    def __init__(self, levels: SortedLevels, c: float, c_similar: float) -> None:
        self.levels, self.c, self.c_similar = levels, c, c_similar

    def _sums(self, s: Floats) -> tuple[Ints, Ints, Floats]:
        levels = self.levels
        ranked = np.argsort(s, kind="stable")
        count, total = np.empty((2, s.size), np.int64), np.empty((2, s.size))
        arguments = s, ranked, levels.level, levels.size.size
        if s.size < _SERIAL:
            _sweep_hinge(*arguments, count[0], total[0], True)
            _sweep_hinge(*arguments, count[1], total[1], False)
        else:
            _hinge_sums(*arguments, count, total)
        return ranked, count, total

    def evaluate(self, s: Floats) -> tuple[float, Floats]:
        """Return the value, and the gradient ``(n,)`` with respect to the decision values ``s`` ``(n,)``."""
        levels = self.levels
        local = s[levels.items]
        local -= local.mean()  # only differences matter, and centring reduces rounding errors
        _, count, total = self._sums(local)
        slack_below = count[0] * (1.0 - local) + total[0]
        slack_above = count[1] * (1.0 + local) - total[1]
        g = self.c * (slack_above - slack_below)
        # the square of a slack equals the slack minus the product of slack and margin
        value = 0.5 * (self.c * float(slack_below.sum()) + float(local @ g))
        similar = self.c_similar * levels.deviations(local)
        return value + 0.5 * float(local @ similar), levels.scatter(g + similar)

    def curvature(self, s: Floats) -> HessianOperator:
        """Return the Hessian of the pairs inside the margin at ``s``."""
        local = s[self.levels.items]
        local -= local.mean()
        ranked, count, _ = self._sums(local)
        up = local[ranked]
        down = up[::-1]
        # the same comparisons as in the sweep, so that rounding treats pairs on the margin alike
        reach = np.stack([_reach(down, True), _reach(up, False)])
        return _OrderSquaredHingeHessian(self, ranked, reach, count.sum(0))


@njit(nogil=True)
def _reach(s: Floats, lower: bool) -> Ints:
    """Return ``reach`` for decision values in the order of the sweep."""
    n = s.size
    out = np.empty(n, np.int64)
    inserted = 0
    for q in range(n):
        while inserted < n and (1.0 - s[q] + s[inserted] if lower else 1.0 - s[inserted] + s[q]) > 0.0:
            inserted += 1
        out[q] = inserted
    return out


class _OrderSquaredHingeHessian:
    def __init__(self, loss: OrderSquaredHingeLoss, ranked: Ints, reach: Ints, degree: Ints) -> None:
        self.loss, self.ranked, self.reach, self.degree = loss, ranked, reach, degree

    def apply(self, t: Floats) -> Floats:
        loss, levels = self.loss, self.loss.levels
        local = t[levels.items]
        total = np.empty((2, local.size))
        arguments = local, self.ranked, levels.level, levels.size.size
        if local.size < _SERIAL:
            _sweep_product(*arguments, self.reach[0], total[0], True)
            _sweep_product(*arguments, self.reach[1], total[1], False)
        else:
            _product_sums(*arguments, self.reach, total)
        product = loss.c * (self.degree * local - total[0] - total[1])
        return levels.scatter(product + loss.c_similar * levels.deviations(local))
