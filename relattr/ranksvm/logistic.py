"""Logistic loss, on a graph of explicit pairs and on all pairs of images with scores.

Unlike the squared hinge it does not decompose into prefix sums, so all pairs of images with scores are enumerated, in
O(n^2) time and O(n) memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr.ranksvm.graph import HessianOperator, PairGraph
from relattr.ranksvm.order import SortedLevels
from relattr.system.compiled import njit, prange

Floats = NDArray[np.float64]
Index = NDArray[Any]
_FAST = {"reassoc", "contract", "nsz"}
_STEP = 64  # images per task of a thread when all pairs are enumerated
_SERIAL = 512  # images below which one thread is used for that


@njit(nogil=True)
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
    """Compute the loss of these rows (similar pairs occur twice), gradients, and second derivatives of each pair."""
    ordered = 0.0
    similar = 0.0
    for i in range(start, stop):
        total = 0.0
        for k in range(starts[3 * i], starts[3 * i + 1]):
            margin = s[i] - s[flat[k]]
            e = np.exp(-abs(margin))
            ordered += np.log1p(e) + max(-margin, 0.0)
            total -= (e if margin > 0 else 1.0) / (1.0 + e)
            weight[k] = c * e / ((1.0 + e) * (1.0 + e))
        for k in range(starts[3 * i + 1], starts[3 * i + 2]):
            margin = s[flat[k]] - s[i]
            e = np.exp(-abs(margin))
            total += (e if margin > 0 else 1.0) / (1.0 + e)
            weight[k] = c * e / ((1.0 + e) * (1.0 + e))
        differences = 0.0
        for k in range(starts[3 * i + 2], starts[3 * i + 3]):
            difference = s[i] - s[flat[k]]
            differences += difference
            similar += difference * difference
            weight[k] = c_similar
        g[i] = c * total + c_similar * differences
    return c * ordered + 0.25 * c_similar * similar


@njit(nogil=True, parallel=True)
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


@njit(nogil=True, fastmath=_FAST)
def _product(
    t: Floats, flat: Index, starts: Index, weight: NDArray[np.float32], out: Floats, start: int, stop: int
) -> None:
    for i in range(start, stop):
        total = 0.0
        for k in range(starts[3 * i], starts[3 * i + 3]):
            total += weight[k] * (t[i] - t[flat[k]])
        out[i] = total


@njit(nogil=True, parallel=True)
def _product_parallel(
    t: Floats, flat: Index, starts: Index, weight: NDArray[np.float32], out: Floats, bounds: Index
) -> None:
    for k in prange(bounds.size - 1):
        _product(t, flat, starts, weight, out, bounds[k], bounds[k + 1])


class LogisticLoss:
    """``C sum log(1 + exp(-(s_i - s_j)))`` over pairs with i above j, and ``C_similar/2 sum (s_i - s_j)^2``."""

    def __init__(self, graph: PairGraph, c: float, c_similar: float) -> None:
        self.graph, self.c, self.c_similar = graph, c, c_similar
        self._weight = np.empty(graph.flat.size, np.float32)

    def evaluate(self, s: Floats) -> tuple[float, Floats]:
        """Return the value, and the gradient ``(n,)`` with respect to the decision values ``s`` ``(n,)``."""
        graph, g = self.graph, np.empty(self.graph.n)
        arguments = s, self.c, self.c_similar, graph.flat, graph.starts, g, self._weight
        return (_logistic(*arguments, 0, graph.n) if graph.serial else _logistic_parallel(*arguments, graph.bounds)), g

    def curvature(self, s: Floats) -> HessianOperator:
        """Return the Hessian at ``s``, the last point evaluated; ordered pairs weigh ``C p (1 - p)``, in float32."""
        return _LogisticHessian(self)


class _LogisticHessian:
    def __init__(self, loss: LogisticLoss) -> None:
        self.loss = loss

    def apply(self, t: Floats) -> Floats:
        graph, out = self.loss.graph, np.empty(t.size)
        arguments = t, graph.flat, graph.starts, self.loss._weight, out
        if graph.serial:
            _product(*arguments, 0, graph.n)
        else:
            _product_parallel(*arguments, graph.bounds)
        return out


# ---------------------------------------------------------------------- all pairs of images with scores


@njit(nogil=True, fastmath=_FAST)
def _all(s: Floats, level: Index, size: Index, end: Index, g: Floats, value: Floats, start: int, stop: int) -> None:
    """Compute the gradient of each image, and the loss of its pairs with lower images; images are sorted by level."""
    for i in range(start, stop):
        total = 0.0
        gradient = 0.0
        last = end[level[i]]
        for j in range(last - size[level[i]]):
            margin = s[i] - s[j]
            e = np.exp(-abs(margin))
            total += np.log1p(e) + max(-margin, 0.0)
            gradient -= (e if margin > 0 else 1.0) / (1.0 + e)
        for j in range(last, s.size):
            margin = s[j] - s[i]
            e = np.exp(-abs(margin))
            gradient += (e if margin > 0 else 1.0) / (1.0 + e)
        g[i] = gradient
        value[i] = total


@njit(nogil=True, parallel=True)
def _all_parallel(s: Floats, level: Index, size: Index, end: Index, g: Floats, value: Floats, step: int) -> None:
    for block in prange((s.size + step - 1) // step):
        _all(s, level, size, end, g, value, block * step, min(s.size, (block + 1) * step))


@njit(nogil=True, fastmath=_FAST)
def _all_product(
    s: Floats, level: Index, size: Index, end: Index, t: Floats, out: Floats, start: int, stop: int
) -> None:
    for i in range(start, stop):
        total = 0.0
        last = end[level[i]]
        first = last - size[level[i]]
        for j in range(s.size):
            if j < first or j >= last:
                e = np.exp(-abs(s[i] - s[j]))
                total += e / ((1.0 + e) * (1.0 + e)) * (t[i] - t[j])
        out[i] = total


@njit(nogil=True, parallel=True)
def _all_product_parallel(s: Floats, level: Index, size: Index, end: Index, t: Floats, out: Floats, step: int) -> None:
    for block in prange((s.size + step - 1) // step):
        _all_product(s, level, size, end, t, out, block * step, min(s.size, (block + 1) * step))


class OrderLogisticLoss:
    """`LogisticLoss` for all pairs of images with scores."""

    def __init__(self, levels: SortedLevels, c: float, c_similar: float) -> None:
        self.levels, self.c, self.c_similar = levels, c, c_similar

    def evaluate(self, s: Floats) -> tuple[float, Floats]:
        """Return the value, and the gradient ``(n,)`` with respect to the decision values ``s`` ``(n,)``."""
        levels = self.levels
        local = s[levels.items]
        local -= local.mean()
        g, value = np.empty(local.size), np.empty(local.size)
        arguments = local, levels.level, levels.size, levels.end, g, value
        if local.size < _SERIAL:
            _all(*arguments, 0, local.size)
        else:
            _all_parallel(*arguments, _STEP)
        similar = self.c_similar * levels.deviations(local)
        return self.c * float(value.sum()) + 0.5 * float(local @ similar), levels.scatter(self.c * g + similar)

    def curvature(self, s: Floats) -> HessianOperator:
        """Return the Hessian at ``s``."""
        return _OrderLogisticHessian(self, s[self.levels.items])


class _OrderLogisticHessian:
    def __init__(self, loss: OrderLogisticLoss, s: Floats) -> None:
        self.loss, self.s = loss, s

    def apply(self, t: Floats) -> Floats:
        loss, levels = self.loss, self.loss.levels
        local = t[levels.items]
        out = np.empty(local.size)
        arguments = self.s, levels.level, levels.size, levels.end, local, out
        if local.size < _SERIAL:
            _all_product(*arguments, 0, local.size)
        else:
            _all_product_parallel(*arguments, _STEP)
        return levels.scatter(loss.c * out + loss.c_similar * levels.deviations(local))
