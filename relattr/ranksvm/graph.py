"""Explicit pairs as a graph over images, and the squared hinge loss on its edges.

A pair depends on the features only through the decision values ``s = X w`` of its two images, so sums over pairs are
sums over the edges of a graph, which is stored as compressed adjacency lists in both directions (Chapelle & Keerthi,
"Efficient algorithms for ranking with SVMs", 2010, write the same with a sparse matrix A). The list of an image is
summed by one thread in a fixed order, so there are no data races and results do not depend on the number of threads.

Arrays of the kernels, for n images and m pairs:

- ``left``, ``right``, ``label`` ``(m,)``: the pairs
- ``flat`` ``(2 m,)``, ``starts`` ``(3 n + 1,)``: the adjacency lists, see `PairGraph`
- ``counts``, ``at`` ``(chunks, 3 n)``: lengths of the segments of ``flat``, and the positions to write to next
- ``bounds`` ``(chunks + 1,)``: chunks of consecutive images, one per task of a parallel loop
- ``s``, ``t``, ``g``, ``out`` ``(n,)`` float64: decision values, a vector, the gradient, the product ``L t``
- ``active``, ``size`` ``(n,)``: the number of pairs of each image inside the margin; ``near`` holds their other images,
  those of image i from position ``at[i]`` on
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from relattr.system.compiled import njit, prange

Floats = NDArray[np.float64]
Index = NDArray[Any]
_FAST = {"reassoc", "contract", "nsz"}
_CHUNKS = 16
_SERIAL = 1 << 18  # adjacency entries below which starting a second thread costs more than it saves


class HessianOperator(Protocol):
    """Hessian of a loss with respect to the decision values at a point: a weighted graph Laplacian L over images."""

    def apply(self, t: Floats) -> Floats:
        """Return the Hessian-vector product ``L t`` for ``t`` ``(n,)``."""
        ...


class PairwiseLoss(Protocol):
    """Loss of a set of pairs as a function of the decision values of the images."""

    def evaluate(self, s: Floats) -> tuple[float, Floats]:
        """Return the value, and the gradient ``(n,)`` with respect to the decision values ``s`` ``(n,)``."""
        ...

    def curvature(self, s: Floats) -> HessianOperator:
        """Return the Hessian at ``s``, which must be the last point evaluated (generalised for the squared hinge)."""
        ...


# ---------------------------------------------------------------------- construction of the graph


@njit(nogil=True)
def _count(left: Index, right: Index, label: Index, counts: Index, start: int, stop: int) -> None:
    """Count the entries of each segment for pairs ``start`` to ``stop``; ``counts`` ``(3 n,)`` is one chunk's."""
    for e in range(start, stop):
        turn = (right[e] - left[e]) * (label[e] < 0)  # arithmetic, since a branch on the label is unpredictable
        similar = label[e] == 0
        counts[3 * (left[e] + turn) + 2 * similar] += 1
        counts[3 * (right[e] - turn) + 1 + similar] += 1


@njit(nogil=True)
def _fill(left: Index, right: Index, label: Index, at: Index, flat: Index, start: int, stop: int) -> None:
    """Write the entries of pairs ``start`` to ``stop`` into ``flat`` at positions ``at`` ``(3 n,)``, which advance."""
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


@njit(nogil=True)
def _offsets(counts: Index) -> Index:
    """Convert counts (chunk, segment) in place to the offset at which the chunk starts to write in the segment."""
    chunks, segments = counts.shape
    starts = np.empty(segments + 1, np.int64)
    total = 0
    for k in range(segments):
        starts[k] = total
        for c in range(chunks):
            count = counts[c, k]
            counts[c, k] = total
            total += count
    starts[segments] = total
    return starts


@njit(nogil=True, parallel=True)
def _count_parallel(left: Index, right: Index, label: Index, counts: Index, step: int) -> None:
    for c in prange(counts.shape[0]):
        _count(left, right, label, counts[c], c * step, min(left.size, (c + 1) * step))


@njit(nogil=True, parallel=True)
def _fill_parallel(left: Index, right: Index, label: Index, at: Index, flat: Index, step: int) -> None:
    for c in prange(at.shape[0]):
        _fill(left, right, label, at[c], flat, c * step, min(left.size, (c + 1) * step))


@njit(nogil=True)
def _mark(left: Index, right: Index, label: Index, used: Index, start: int, stop: int) -> int:
    """Mark the images of pairs ``start`` to ``stop`` in ``used`` ``(n,)``, and count the ordered pairs."""
    ordered = 0
    for e in range(start, stop):
        used[left[e]] = True
        used[right[e]] = True
        ordered += label[e] != 0
    return ordered


@njit(nogil=True, parallel=True)
def _mark_parallel(left: Index, right: Index, label: Index, used: Index, step: int) -> int:
    ordered = np.zeros(used.shape[0], np.int64)
    for c in prange(used.shape[0]):
        ordered[c] = _mark(left, right, label, used[c], c * step, min(left.size, (c + 1) * step))
    return ordered.sum()


def scan_pairs(left: Index, right: Index, label: Index, n: int) -> tuple[NDArray[np.bool_], int]:
    """Return a mask of the ``n`` images that occur in these pairs, and the number of ordered pairs."""
    chunks = 1 if 2 * label.size <= _SERIAL else 4
    used = np.zeros((chunks, n), np.bool_)
    if chunks == 1:
        ordered = _mark(left, right, label, used[0], 0, label.size)
    else:
        ordered = _mark_parallel(left, right, label, used, -(-label.size // chunks))
    return np.logical_or.reduce(used, axis=0), int(ordered)


class PairGraph:
    """Adjacency lists of pairs over ``n`` images: ``flat`` contains neighbours, ``starts`` ``(3 n + 1,)`` offsets.

    Segment ``3 i`` contains the images ranked below i, ``3 i + 1`` those ranked above it, ``3 i + 2`` those similar to
    it, each in the order of the pairs.
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
            self.starts = _offsets(counts)
            _fill(left, right, label, counts[0], self.flat, 0, label.size)
        else:
            _count_parallel(left, right, label, counts, step)
            self.starts = _offsets(counts)
            _fill_parallel(left, right, label, counts, self.flat, step)
        self.bounds = _balanced(np.diff(self.starts[::3]), 1 if self.serial else _CHUNKS)


def _balanced(degree: NDArray[np.int64], chunks: int) -> NDArray[np.int64]:
    """Return bounds of chunks of consecutive images with about the same total number of neighbours."""
    ends = np.cumsum(degree + 1)
    inner = np.searchsorted(ends, np.arange(1, chunks) * (ends[-1] / chunks))
    return np.concatenate([[0], inner, [degree.size]]).astype(np.int64)


# ---------------------------------------------------------------------- squared hinge


@njit(nogil=True, fastmath=_FAST)
def _hinge(
    s: Floats, c: float, c_similar: float, flat: Index, starts: Index, g: Floats, active: Index, start: int, stop: int
) -> float:
    """Compute the loss of images ``start`` to ``stop``, and their ``g`` and ``active``; similar pairs occur twice."""
    ordered = 0.0
    similar = 0.0
    for i in range(start, stop):
        # max instead of a branch, which would be mispredicted for every third pair: six times as fast
        total = 0.0
        n_active = 0.0
        offset = 1.0 - s[i]
        for k in range(starts[3 * i], starts[3 * i + 1]):
            slack = max(offset + s[flat[k]], 0.0)
            ordered += slack * slack
            total -= slack
            n_active += 1.0 if slack > 0.0 else 0.0
        offset = 1.0 + s[i]
        for k in range(starts[3 * i + 1], starts[3 * i + 2]):
            slack = max(offset - s[flat[k]], 0.0)
            total += slack
            n_active += 1.0 if slack > 0.0 else 0.0
        differences = 0.0
        for k in range(starts[3 * i + 2], starts[3 * i + 3]):
            difference = s[i] - s[flat[k]]
            differences += difference
            similar += difference * difference
        g[i] = c * total + c_similar * differences
        active[i] = int(n_active)
    return 0.5 * c * ordered + 0.25 * c_similar * similar


@njit(nogil=True, parallel=True)
def _hinge_parallel(
    s: Floats, c: float, c_similar: float, flat: Index, starts: Index, g: Floats, active: Index, bounds: Index
) -> float:
    parts = np.empty(bounds.size - 1)
    for k in prange(bounds.size - 1):
        parts[k] = _hinge(s, c, c_similar, flat, starts, g, active, bounds[k], bounds[k + 1])
    return parts.sum()


@njit(nogil=True)
def _active(s: Floats, flat: Index, starts: Index, near: Index, at: Index, start: int, stop: int) -> None:
    """Write the neighbours inside the margin to ``near``. Without branches: each is written, then kept or replaced."""
    for i in range(start, stop):
        end = at[i]
        offset = 1.0 - s[i]
        for k in range(starts[3 * i], starts[3 * i + 1]):
            j = flat[k]
            near[end] = j
            end += offset + s[j] > 0.0
        offset = 1.0 + s[i]
        for k in range(starts[3 * i + 1], starts[3 * i + 2]):
            j = flat[k]
            near[end] = j
            end += offset - s[j] > 0.0


@njit(nogil=True, parallel=True)
def _active_parallel(s: Floats, flat: Index, starts: Index, near: Index, at: Index, bounds: Index) -> None:
    for k in prange(bounds.size - 1):
        _active(s, flat, starts, near, at, bounds[k], bounds[k + 1])


@njit(nogil=True, fastmath=_FAST)
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
    """Compute ``out = L t`` for images ``start`` to ``stop``."""
    for i in range(start, stop):
        row = near[at[i] : at[i] + size[i]]
        even = row.size - row.size % 4
        a = b = e = f = 0.0  # four independent sums, so that additions overlap
        for k in range(0, even, 4):
            a += t[row[k]]
            b += t[row[k + 1]]
            e += t[row[k + 2]]
            f += t[row[k + 3]]
        for k in range(even, row.size):
            a += t[row[k]]
        total = (a + b) + (e + f)
        first, last = starts[3 * i + 2], starts[3 * i + 3]
        similar = 0.0
        for k in range(first, last):
            similar += t[flat[k]]
        out[i] = c * (size[i] * t[i] - total) + c_similar * ((last - first) * t[i] - similar)


@njit(nogil=True, parallel=True)
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
    """``C/2 sum max(0, 1 - (s_i - s_j))^2`` over pairs with i above j, and ``C_similar/2 sum (s_i - s_j)^2``.

    The loss of Parikh & Grauman (ICCV 2011) as in their released solver.
    """

    def __init__(self, graph: PairGraph, c: float, c_similar: float) -> None:
        self.graph, self.c, self.c_similar = graph, c, c_similar
        self._n_active = np.empty(graph.n, np.int64)
        self._near = np.empty(0, graph.flat.dtype)

    def evaluate(self, s: Floats) -> tuple[float, Floats]:
        """Return the value, and the gradient ``(n,)`` with respect to the decision values ``s`` ``(n,)``."""
        graph, g = self.graph, np.empty(self.graph.n)
        arguments = s, self.c, self.c_similar, graph.flat, graph.starts, g, self._n_active
        return (_hinge(*arguments, 0, graph.n) if graph.serial else _hinge_parallel(*arguments, graph.bounds)), g

    def curvature(self, s: Floats) -> HessianOperator:
        """Return the Hessian of the pairs inside the margin at ``s``, which must be the last point evaluated."""
        graph, size = self.graph, self._n_active.copy()
        # one spare element for each chunk, since an entry to be overwritten may be one past the end of a row
        at = np.cumsum(size) - size + np.repeat(np.arange(graph.bounds.size - 1), np.diff(graph.bounds))
        needed = int(size.sum()) + graph.bounds.size
        if self._near.size < needed:
            self._near = np.empty(needed, graph.flat.dtype)
        arguments = s, graph.flat, graph.starts, self._near, at
        if graph.serial:
            _active(*arguments, 0, graph.n)
        else:
            _active_parallel(*arguments, graph.bounds)
        return _SquaredHingeHessian(self, at, size)


class _SquaredHingeHessian:
    def __init__(self, loss: SquaredHingeLoss, at: Index, size: Index) -> None:
        self.loss, self.at, self.size = loss, at, size

    def apply(self, t: Floats) -> Floats:
        loss, graph, out = self.loss, self.loss.graph, np.empty(t.size)
        arguments = t, loss.c, loss.c_similar, loss._near, self.at, self.size, graph.flat, graph.starts, out
        if graph.serial:
            _product(*arguments, 0, graph.n)
        else:
            _product_parallel(*arguments, graph.bounds)
        return out
