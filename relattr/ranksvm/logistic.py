"""The logistic loss, over a graph of explicit pairs and over all pairs of scored images.

Unlike the squared hinge it has no sums by prefix, so all pairs of scored images are gone over one by
one, in O(n^2) time but O(n) memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from relattr.ranksvm.graph import HessianOperator, PairGraph
from relattr.ranksvm.order import SortedLevels

Floats = NDArray[np.float64]
Index = NDArray[Any]
_FAST = {"reassoc", "contract", "nsz"}
_STEP = 64  # images a thread takes at a time where all pairs are gone over
_SERIAL = 512  # images below which that is done by one thread


@njit(cache=True, nogil=True)
def _logistic(
    s: Floats,
    c: float,
    c_similar: float,
    flat: Index,
    starts: Index,
    g: Floats,
    weight: NDArray[np.float32],
    start: int,
    stop: int,
) -> float:
    """Value of these rows' pairs (similar ones are met twice), gradients, and the second derivative of each pair."""
    ordered = 0.0
    similar = 0.0
    for i in range(start, stop):
        total = 0.0
        for k in range(starts[3 * i], starts[3 * i + 1]):
            margin = s[i] - s[flat[k]]
            small = np.exp(-abs(margin))
            ordered += np.log1p(small) + max(-margin, 0.0)
            total -= (small if margin > 0 else 1.0) / (1.0 + small)
            weight[k] = c * small / ((1.0 + small) * (1.0 + small))
        for k in range(starts[3 * i + 1], starts[3 * i + 2]):
            margin = s[flat[k]] - s[i]
            small = np.exp(-abs(margin))
            total += (small if margin > 0 else 1.0) / (1.0 + small)
            weight[k] = c * small / ((1.0 + small) * (1.0 + small))
        apart = 0.0
        for k in range(starts[3 * i + 2], starts[3 * i + 3]):
            difference = s[i] - s[flat[k]]
            apart += difference
            similar += difference * difference
            weight[k] = c_similar
        g[i] = c * total + c_similar * apart
    return c * ordered + 0.25 * c_similar * similar


@njit(cache=True, nogil=True, parallel=True)
def _logistic_parallel(
    s: Floats,
    c: float,
    c_similar: float,
    flat: Index,
    starts: Index,
    g: Floats,
    weight: NDArray[np.float32],
    bounds: Index,
) -> float:
    parts = np.empty(bounds.size - 1)
    for k in prange(bounds.size - 1):
        parts[k] = _logistic(s, c, c_similar, flat, starts, g, weight, bounds[k], bounds[k + 1])
    return parts.sum()


@njit(cache=True, nogil=True, fastmath=_FAST)
def _product(
    t: Floats, flat: Index, starts: Index, weight: NDArray[np.float32], out: Floats, start: int, stop: int
) -> None:
    for i in range(start, stop):
        total = 0.0
        for k in range(starts[3 * i], starts[3 * i + 3]):
            total += weight[k] * (t[i] - t[flat[k]])
        out[i] = total


@njit(cache=True, nogil=True, parallel=True)
def _product_parallel(
    t: Floats, flat: Index, starts: Index, weight: NDArray[np.float32], out: Floats, bounds: Index
) -> None:
    for k in prange(bounds.size - 1):
        _product(t, flat, starts, weight, out, bounds[k], bounds[k + 1])


class LogisticLoss:
    """``C sum log(1 + exp(-(s_i - s_j)))`` over pairs where i beats j, and ``C_similar/2 sum (s_i - s_j)^2``."""

    def __init__(self, graph: PairGraph, c: float, c_similar: float) -> None:
        self.graph, self.c, self.c_similar = graph, c, c_similar
        self._weight = np.empty(graph.flat.size, np.float32)

    def evaluate(self, s: Floats) -> tuple[float, Floats]:
        """Value, and gradient ``(n,)`` by the scores ``s`` ``(n,)``."""
        graph, g = self.graph, np.empty(self.graph.n)
        given = s, self.c, self.c_similar, graph.flat, graph.starts, g, self._weight
        return (_logistic(*given, 0, graph.n) if graph.serial else _logistic_parallel(*given, graph.bounds)), g

    def curvature(self, s: Floats) -> HessianOperator:
        """That at ``s``, the point last evaluated: each ordered pair weighs ``C p (1 - p)``, held in float32."""
        return _LogisticCurvature(self)


class _LogisticCurvature:
    def __init__(self, loss: LogisticLoss) -> None:
        self.loss = loss

    def apply(self, t: Floats) -> Floats:
        graph, out = self.loss.graph, np.empty(t.size)
        given = t, graph.flat, graph.starts, self.loss._weight, out
        if graph.serial:
            _product(*given, 0, graph.n)
        else:
            _product_parallel(*given, graph.bounds)
        return out


# ---------------------------------------------------------------------- all pairs of scored images


@njit(cache=True, nogil=True, fastmath=_FAST)
def _all(s: Floats, level: Index, size: Index, end: Index, g: Floats, value: Floats, start: int, stop: int) -> None:
    """Per image its gradient, and the loss of its pairs with weaker images; images are sorted by level."""
    for i in range(start, stop):
        total = 0.0
        slope = 0.0
        last = end[level[i]]
        for j in range(last - size[level[i]]):
            margin = s[i] - s[j]
            small = np.exp(-abs(margin))
            total += np.log1p(small) + max(-margin, 0.0)
            slope -= (small if margin > 0 else 1.0) / (1.0 + small)
        for j in range(last, s.size):
            margin = s[j] - s[i]
            small = np.exp(-abs(margin))
            slope += (small if margin > 0 else 1.0) / (1.0 + small)
        g[i] = slope
        value[i] = total


@njit(cache=True, nogil=True, parallel=True)
def _all_parallel(s: Floats, level: Index, size: Index, end: Index, g: Floats, value: Floats, step: int) -> None:
    for block in prange((s.size + step - 1) // step):
        _all(s, level, size, end, g, value, block * step, min(s.size, (block + 1) * step))


@njit(cache=True, nogil=True, fastmath=_FAST)
def _all_product(
    s: Floats, level: Index, size: Index, end: Index, t: Floats, out: Floats, start: int, stop: int
) -> None:
    for i in range(start, stop):
        total = 0.0
        last = end[level[i]]
        first = last - size[level[i]]
        for j in range(s.size):
            if j < first or j >= last:
                small = np.exp(-abs(s[i] - s[j]))
                total += small / ((1.0 + small) * (1.0 + small)) * (t[i] - t[j])
        out[i] = total


@njit(cache=True, nogil=True, parallel=True)
def _all_product_parallel(s: Floats, level: Index, size: Index, end: Index, t: Floats, out: Floats, step: int) -> None:
    for block in prange((s.size + step - 1) // step):
        _all_product(s, level, size, end, t, out, block * step, min(s.size, (block + 1) * step))


class OrderLogisticLoss:
    """`LogisticLoss` for all pairs of scored images."""

    def __init__(self, ladder: SortedLevels, c: float, c_similar: float) -> None:
        self.ladder, self.c, self.c_similar = ladder, c, c_similar

    def evaluate(self, s: Floats) -> tuple[float, Floats]:
        """Value, and gradient ``(n,)`` by the scores ``s`` ``(n,)``."""
        ladder = self.ladder
        own = s[ladder.items]
        own -= own.mean()
        g, value = np.empty(own.size), np.empty(own.size)
        given = own, ladder.level, ladder.size, ladder.end, g, value
        if own.size < _SERIAL:
            _all(*given, 0, own.size)
        else:
            _all_parallel(*given, _STEP)
        similar = self.c_similar * ladder.deviations(own)
        return self.c * float(value.sum()) + 0.5 * float(own @ similar), ladder.spread(self.c * g + similar)

    def curvature(self, s: Floats) -> HessianOperator:
        """That at ``s``."""
        return _OrderLogisticCurvature(self, s[self.ladder.items])


class _OrderLogisticCurvature:
    def __init__(self, loss: OrderLogisticLoss, s: Floats) -> None:
        self.loss, self.s = loss, s

    def apply(self, t: Floats) -> Floats:
        loss, ladder = self.loss, self.loss.ladder
        own = t[ladder.items]
        out = np.empty(own.size)
        given = self.s, ladder.level, ladder.size, ladder.end, own, out
        if own.size < _SERIAL:
            _all_product(*given, 0, own.size)
        else:
            _all_product_parallel(*given, _STEP)
        return ladder.spread(loss.c * out + loss.c_similar * ladder.deviations(own))
