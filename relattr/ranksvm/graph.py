"""Explicit pairs as a graph over the images, and the loss of the squared hinge summed over it.

A pair touches the features only through the scores ``s = X w`` of its two images, so every sum over
pairs is a sum over the edges of a graph, held compressed by image in both directions (Chapelle &
Keerthi, "Efficient algorithms for ranking with SVMs", 2010, write the same with a sparse matrix A).
The row of an image is summed by one thread in a fixed order, so no two threads meet and the number of
threads changes no digit.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Index = NDArray[Any]
_FAST = {"reassoc", "contract", "nsz"}
_CHUNKS = 16
_SERIAL = 1 << 18  # ends of pairs below which waiting for a second thread costs more than it saves


class HessianOperator(Protocol):
    """The second derivative of a loss at a point: a weighted graph Laplacian L over images."""

    def apply(self, t: Floats) -> Floats:
        """``L t`` for ``t`` ``(n,)``."""
        ...


class PairwiseLoss(Protocol):
    """The loss of a set of pairs as a function of the images' scores."""

    def evaluate(self, s: Floats) -> tuple[float, Floats]:
        """Value, and gradient ``(n,)`` by the scores ``s`` ``(n,)``."""
        ...

    def curvature(self, s: Floats) -> HessianOperator:
        """The second derivative at ``s``, the point last evaluated (of the squared hinge, the generalised one)."""
        ...


# ---------------------------------------------------------------------- building it


@njit(cache=True, nogil=True)
def _count(left: Index, right: Index, label: Index, counts: Index, start: int, stop: int) -> None:
    for e in range(start, stop):
        turn = (right[e] - left[e]) * (label[e] < 0)  # arithmetic, since a branch on the label is a coin toss
        similar = label[e] == 0
        counts[3 * (left[e] + turn) + 2 * similar] += 1
        counts[3 * (right[e] - turn) + 1 + similar] += 1


@njit(cache=True, nogil=True)
def _fill(left: Index, right: Index, label: Index, at: Index, flat: Index, start: int, stop: int) -> None:
    for e in range(start, stop):
        turn = (right[e] - left[e]) * (label[e] < 0)
        similar = label[e] == 0
        one, two = left[e] + turn, right[e] - turn
        a = 3 * one + 2 * similar
        b = 3 * two + 1 + similar
        flat[at[a]] = two
        at[a] += 1
        flat[at[b]] = one
        at[b] += 1


@njit(cache=True, nogil=True)
def _places(counts: Index) -> Index:
    """Turn counts by (chunk, segment) into the place where that chunk begins to write in that segment."""
    chunks, segments = counts.shape
    starts = np.empty(segments + 1, np.int64)
    total = 0
    for k in range(segments):
        starts[k] = total
        for c in range(chunks):
            here = counts[c, k]
            counts[c, k] = total
            total += here
    starts[segments] = total
    return starts


@njit(cache=True, nogil=True, parallel=True)
def _count_parallel(left: Index, right: Index, label: Index, counts: Index, step: int) -> None:
    for c in prange(counts.shape[0]):
        _count(left, right, label, counts[c], c * step, min(left.size, (c + 1) * step))


@njit(cache=True, nogil=True, parallel=True)
def _fill_parallel(left: Index, right: Index, label: Index, at: Index, flat: Index, step: int) -> None:
    for c in prange(at.shape[0]):
        _fill(left, right, label, at[c], flat, c * step, min(left.size, (c + 1) * step))


@njit(cache=True, nogil=True)
def _mark(left: Index, right: Index, label: Index, used: Index, start: int, stop: int) -> int:
    ordered = 0
    for e in range(start, stop):
        used[left[e]] = True
        used[right[e]] = True
        ordered += label[e] != 0
    return ordered


@njit(cache=True, nogil=True, parallel=True)
def _mark_parallel(left: Index, right: Index, label: Index, used: Index, step: int) -> int:
    ordered = np.zeros(used.shape[0], np.int64)
    for c in prange(used.shape[0]):
        ordered[c] = _mark(left, right, label, used[c], c * step, min(left.size, (c + 1) * step))
    return ordered.sum()


def scan_pairs(left: Index, right: Index, label: Index, n: int) -> tuple[NDArray[np.bool_], int]:
    """Which of ``n`` images occur in these pairs, and how many of the pairs are ordered."""
    chunks = 1 if 2 * label.size <= _SERIAL else 4
    used = np.zeros((chunks, n), np.bool_)
    if chunks == 1:
        ordered = _mark(left, right, label, used[0], 0, label.size)
    else:
        ordered = _mark_parallel(left, right, label, used, -(-label.size // chunks))
    return np.logical_or.reduce(used, axis=0), int(ordered)


class PairGraph:
    """The pairs over ``n`` images: ``flat`` lists neighbours, ``starts`` ``(3 n + 1,)`` where segments begin.

    Segment ``3 i`` holds the images that i beats, ``3 i + 1`` those that beat it, ``3 i + 2`` those
    similar to it, each in the order of the pairs, whichever side it is on.
    """

    def __init__(self, left: Index, right: Index, label: NDArray[np.int8], n: int) -> None:
        self.n = n
        self.serial = 2 * label.size <= _SERIAL
        self.flat = np.empty(2 * label.size, np.uint16 if n <= 1 << 16 else np.uint32)
        chunks = 1 if self.serial else 4
        counts = np.zeros((chunks, 3 * n), np.int64)
        step = -(-label.size // chunks)
        if self.serial:
            _count(left, right, label, counts[0], 0, label.size)
            self.starts = _places(counts)
            _fill(left, right, label, counts[0], self.flat, 0, label.size)
        else:
            _count_parallel(left, right, label, counts, step)
            self.starts = _places(counts)
            _fill_parallel(left, right, label, counts, self.flat, step)
        self.bounds = _balanced(np.diff(self.starts[::3]), 1 if self.serial else _CHUNKS)


def _balanced(degree: NDArray[np.int64], chunks: int) -> NDArray[np.int64]:
    """Bounds of chunks of consecutive images that have about the same number of neighbours."""
    ends = np.cumsum(degree + 1)
    inner = np.searchsorted(ends, np.arange(1, chunks) * (ends[-1] / chunks))
    return np.concatenate([[0], inner, [degree.size]]).astype(np.int64)


# ---------------------------------------------------------------------- squared hinge


@njit(cache=True, nogil=True, fastmath=_FAST)
def _hinge(
    s: Floats, c: float, c_similar: float, flat: Index, starts: Index, g: Floats, active: Index, start: int, stop: int
) -> float:
    """Value of these rows' pairs (similar ones are met twice), their gradients, how many are inside the margin."""
    ordered = 0.0
    similar = 0.0
    for i in range(start, stop):
        # max instead of a branch, which would be mispredicted for every third pair: six times as fast
        total = 0.0
        n_active = 0.0
        own = 1.0 - s[i]
        for k in range(starts[3 * i], starts[3 * i + 1]):
            slack = max(own + s[flat[k]], 0.0)
            ordered += slack * slack
            total -= slack
            n_active += 1.0 if slack > 0.0 else 0.0
        own = 1.0 + s[i]
        for k in range(starts[3 * i + 1], starts[3 * i + 2]):
            slack = max(own - s[flat[k]], 0.0)
            total += slack
            n_active += 1.0 if slack > 0.0 else 0.0
        apart = 0.0
        for k in range(starts[3 * i + 2], starts[3 * i + 3]):
            difference = s[i] - s[flat[k]]
            apart += difference
            similar += difference * difference
        g[i] = c * total + c_similar * apart
        active[i] = int(n_active)
    return 0.5 * c * ordered + 0.25 * c_similar * similar


@njit(cache=True, nogil=True, parallel=True)
def _hinge_parallel(
    s: Floats, c: float, c_similar: float, flat: Index, starts: Index, g: Floats, active: Index, bounds: Index
) -> float:
    parts = np.empty(bounds.size - 1)
    for k in prange(bounds.size - 1):
        parts[k] = _hinge(s, c, c_similar, flat, starts, g, active, bounds[k], bounds[k + 1])
    return parts.sum()


@njit(cache=True, nogil=True)
def _inside(s: Floats, flat: Index, starts: Index, near: Index, at: Index, start: int, stop: int) -> None:
    """List the neighbours inside the margin, without a branch: each is written, and kept or written over."""
    for i in range(start, stop):
        end = at[i]
        own = 1.0 - s[i]
        for k in range(starts[3 * i], starts[3 * i + 1]):
            j = flat[k]
            near[end] = j
            end += own + s[j] > 0.0
        own = 1.0 + s[i]
        for k in range(starts[3 * i + 1], starts[3 * i + 2]):
            j = flat[k]
            near[end] = j
            end += own - s[j] > 0.0


@njit(cache=True, nogil=True, parallel=True)
def _inside_parallel(s: Floats, flat: Index, starts: Index, near: Index, at: Index, bounds: Index) -> None:
    for k in prange(bounds.size - 1):
        _inside(s, flat, starts, near, at, bounds[k], bounds[k + 1])


@njit(cache=True, nogil=True, fastmath=_FAST)
def _product(
    t: Floats,
    c: float,
    c_similar: float,
    near: Index,
    at: Index,
    size: Index,
    flat: Index,
    starts: Index,
    out: Floats,
    start: int,
    stop: int,
) -> None:
    for i in range(start, stop):
        row = near[at[i] : at[i] + size[i]]
        even = row.size - row.size % 4
        a = b = e = f = 0.0  # four sums, so that an addition need not wait for the one before
        for k in range(0, even, 4):
            a += t[row[k]]
            b += t[row[k + 1]]
            e += t[row[k + 2]]
            f += t[row[k + 3]]
        for k in range(even, row.size):
            a += t[row[k]]
        total = (a + b) + (e + f)
        low, high = starts[3 * i + 2], starts[3 * i + 3]
        similar = 0.0
        for k in range(low, high):
            similar += t[flat[k]]
        out[i] = c * (size[i] * t[i] - total) + c_similar * ((high - low) * t[i] - similar)


@njit(cache=True, nogil=True, parallel=True)
def _product_parallel(
    t: Floats,
    c: float,
    c_similar: float,
    near: Index,
    at: Index,
    size: Index,
    flat: Index,
    starts: Index,
    out: Floats,
    bounds: Index,
) -> None:
    for k in prange(bounds.size - 1):
        _product(t, c, c_similar, near, at, size, flat, starts, out, bounds[k], bounds[k + 1])


class SquaredHingeLoss:
    """``C/2 sum max(0, 1 - (s_i - s_j))^2`` over pairs where i beats j, and ``C_similar/2 sum (s_i - s_j)^2``.

    The objective of Parikh & Grauman (ICCV 2011) as their released solver states it.
    """

    def __init__(self, graph: PairGraph, c: float, c_similar: float) -> None:
        self.graph, self.c, self.c_similar = graph, c, c_similar
        self._active = np.empty(graph.n, np.int64)
        self._near = np.empty(0, graph.flat.dtype)

    def evaluate(self, s: Floats) -> tuple[float, Floats]:
        """Value, and gradient ``(n,)`` by the scores ``s`` ``(n,)``."""
        graph, g = self.graph, np.empty(self.graph.n)
        given = s, self.c, self.c_similar, graph.flat, graph.starts, g, self._active
        return (_hinge(*given, 0, graph.n) if graph.serial else _hinge_parallel(*given, graph.bounds)), g

    def curvature(self, s: Floats) -> HessianOperator:
        """That of the pairs inside the margin at ``s``, the point last evaluated."""
        graph, size = self.graph, self._active.copy()
        # a spare place for each chunk, since what is written over may lie one past the end of a row
        at = np.cumsum(size) - size + np.repeat(np.arange(graph.bounds.size - 1), np.diff(graph.bounds))
        needed = int(size.sum()) + graph.bounds.size
        if self._near.size < needed:
            self._near = np.empty(needed, graph.flat.dtype)
        given = s, graph.flat, graph.starts, self._near, at
        if graph.serial:
            _inside(*given, 0, graph.n)
        else:
            _inside_parallel(*given, graph.bounds)
        return _HingeCurvature(self, at, size)


class _HingeCurvature:
    def __init__(self, loss: SquaredHingeLoss, at: Index, size: Index) -> None:
        self.loss, self.at, self.size = loss, at, size

    def apply(self, t: Floats) -> Floats:
        loss, graph, out = self.loss, self.loss.graph, np.empty(t.size)
        given = t, loss.c, loss.c_similar, loss._near, self.at, self.size, graph.flat, graph.starts, out
        if graph.serial:
            _product(*given, 0, graph.n)
        else:
            _product_parallel(*given, graph.bounds)
        return out
