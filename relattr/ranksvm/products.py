"""Products with the features: ``X v`` and ``X' u``, the only places where the solver touches X.

The time of a product is that of reading X from memory. Kernels of our own read it in its own precision
and add in float64, at the speed of memory; they take several vectors in one pass, each row serving all
of them while it is in cache. They also spare a second pool of threads beside that of the pair kernels:
two pools that wait for each other on the same cores cost a factor of two. From some 24 vectors on
arithmetic, not memory, is the limit, and NumPy's BLAS multiplies, in the precision of X.

Every sum is taken in an order that does not depend on the number of threads, except inside BLAS.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from relattr.ranksvm.sketch import Sketch, make_sketch

Floats = NDArray[np.float64]
_FAST = {"reassoc", "contract", "nsz"}
_ROWS = 4  # rows of X read side by side, so that a vector in cache is read once for all of them
_BLOCK = 1024  # rows of X summed into one partial result of X' u
_SMALL = 1 << 20  # multiplications below which waiting for a second thread costs more than it saves
_MANY = 24  # vectors above which BLAS is faster: it copies all of X into its own layout first


@njit(cache=True, nogil=True, fastmath=_FAST)
def _four_scores(x: NDArray[Any], i: int, v: Floats, out: Floats) -> None:
    a = b = c = e = 0.0
    for j in range(x.shape[1]):
        y = v[j]
        a += x[i, j] * y
        b += x[i + 1, j] * y
        c += x[i + 2, j] * y
        e += x[i + 3, j] * y
    out[i] = a
    out[i + 1] = b
    out[i + 2] = c
    out[i + 3] = e


@njit(cache=True, nogil=True, fastmath=_FAST)
def _four_scores_of_two(x: NDArray[Any], i: int, v: Floats, w: Floats, out: Floats, other: Floats) -> None:
    a = b = c = e = 0.0
    p = q = r = s = 0.0
    for j in range(x.shape[1]):
        y, z = v[j], w[j]
        one, two = np.float64(x[i, j]), np.float64(x[i + 1, j])
        three, four = np.float64(x[i + 2, j]), np.float64(x[i + 3, j])
        a += one * y
        b += two * y
        c += three * y
        e += four * y
        p += one * z
        q += two * z
        r += three * z
        s += four * z
    out[i] = a
    out[i + 1] = b
    out[i + 2] = c
    out[i + 3] = e
    other[i] = p
    other[i + 1] = q
    other[i + 2] = r
    other[i + 3] = s


@njit(cache=True, nogil=True, fastmath=_FAST)
def _scores(x: NDArray[Any], v: Floats, out: Floats, start: int, stop: int) -> None:
    """``out[k, i] = x[i] . v[k]`` for these rows; ``start`` is a multiple of four."""
    count = v.shape[0]
    even = start + (stop - start) // _ROWS * _ROWS
    for i in range(start, even, _ROWS):
        for k in range(0, count - 1, 2):
            _four_scores_of_two(x, i, v[k], v[k + 1], out[k], out[k + 1])
        if count % 2:
            _four_scores(x, i, v[count - 1], out[count - 1])
    for i in range(even, stop):
        for k in range(count):
            total = 0.0
            for j in range(x.shape[1]):
                total += x[i, j] * v[k, j]
            out[k, i] = total


@njit(cache=True, nogil=True, parallel=True)
def _scores_parallel(x: NDArray[Any], v: Floats, out: Floats, step: int) -> None:
    n = x.shape[0]
    for block in prange((n + step - 1) // step):
        _scores(x, v, out, block * step, min(n, (block + 1) * step))


@njit(cache=True, nogil=True, fastmath=_FAST)
def _add_four(x: NDArray[Any], i: int, u: Floats, out: Floats) -> None:
    a, b, c, e = u[i], u[i + 1], u[i + 2], u[i + 3]
    for j in range(x.shape[1]):
        out[j] += x[i, j] * a + x[i + 1, j] * b + x[i + 2, j] * c + x[i + 3, j] * e


@njit(cache=True, nogil=True, fastmath=_FAST)
def _combination(x: NDArray[Any], u: Floats, out: Floats, start: int, stop: int) -> None:
    """``out[k] = sum of u[k, i] x[i]`` over these rows."""
    out[:] = 0.0
    count = u.shape[0]
    even = start + (stop - start) // _ROWS * _ROWS
    for i in range(start, even, _ROWS):
        for k in range(count):
            _add_four(x, i, u[k], out[k])
    for i in range(even, stop):
        for k in range(count):
            a = u[k, i]
            for j in range(x.shape[1]):
                out[k, j] += x[i, j] * a


@njit(cache=True, nogil=True, parallel=True)
def _combination_parallel(x: NDArray[Any], u: Floats, out: Floats, step: int) -> None:
    n, d = x.shape
    blocks = (n + step - 1) // step
    parts = np.empty((blocks, u.shape[0], d))
    for block in prange(blocks):
        _combination(x, u, parts[block], block * step, min(n, (block + 1) * step))
    out[:] = 0.0
    for block in range(blocks):
        for k in range(u.shape[0]):
            for j in range(d):
                out[k, j] += parts[block, k, j]


def matmat(x: NDArray[Any], v: Floats) -> Floats:
    """``V X'`` ``(k, n)`` in float64 for ``V`` ``(k, d)``; X ``(n, d)`` is C-contiguous float32 or float64."""
    out = np.empty((v.shape[0], x.shape[0]))
    if x.size * v.shape[0] < _SMALL:
        _scores(x, v, out, 0, x.shape[0])
    else:
        _scores_parallel(x, v, out, max(_ROWS, min(128, x.shape[0] // 16 // _ROWS * _ROWS)))
    return out


def rmatmat(x: NDArray[Any], u: Floats) -> Floats:
    """``U X`` ``(k, d)`` in float64 for ``U`` ``(k, n)``; X ``(n, d)`` is C-contiguous float32 or float64."""
    out = np.empty((u.shape[0], x.shape[1]))
    if x.size * u.shape[0] < _SMALL:
        _combination(x, u, out, 0, x.shape[0])
    else:
        _combination_parallel(x, u, out, max(_ROWS, min(_BLOCK, x.shape[0] // 8 // _ROWS * _ROWS)))
    return out


def matvec(x: NDArray[Any], v: Floats) -> Floats:
    """``X v`` ``(n,)`` in float64."""
    return matmat(x, v[None])[0]


def rmatvec(x: NDArray[Any], u: Floats) -> Floats:
    """``X' u`` ``(d,)`` in float64."""
    return rmatmat(x, u[None])[0]


class PrimalSpace:
    """The space of weight vectors ``w`` ``(d,)``: the scores of the images are ``X w``."""

    primal = True
    sketch: Sketch | None

    def __init__(self, x: NDArray[Any]) -> None:
        self.x = x
        self.size = x.shape[1]
        self.sketch = make_sketch(x)

    def matmat(self, vectors: list[Floats]) -> list[Floats]:
        """``X v`` of each."""
        if len(vectors) <= _MANY:
            return list(matmat(self.x, np.array(vectors)))
        return list(np.ascontiguousarray((self.x @ np.array(vectors, self.x.dtype).T).T, np.float64))

    exact_matmat = matmat

    def rmatmat(self, weights: list[Floats]) -> list[Floats]:
        """``X' u`` of each."""
        if len(weights) <= _MANY:
            return list(rmatmat(self.x, np.array(weights)))
        return list(np.ascontiguousarray((self.x.T @ np.array(weights, self.x.dtype).T).T, np.float64))

    def weights(self, point: Floats) -> Floats:
        return point


class GramSpace:
    """The space of ``a`` ``(n,)`` with ``w = X' a``, for fewer images than features: the scores are ``K a``.

    ``K = X X'`` of the centred features, in the precision of X: a shift of all images changes no difference
    of scores, and centring keeps the digits of K for what differs between images. The numbers of a point
    sum to zero, as the gradients do from which it is made, so ``X' a`` itself needs no centring.
    """

    primal = False
    sketch = None

    def __init__(self, x: NDArray[Any]) -> None:
        self.x = x
        self.size = x.shape[0]
        centred = x - (rmatvec(x, np.ones(self.size)) / self.size).astype(x.dtype)
        self.k = centred @ centred.T

    def matmat(self, vectors: list[Floats]) -> list[Floats]:
        """``K a`` of each, K as it is rounded."""
        if len(vectors) <= _MANY:
            return list(matmat(self.k, np.array(vectors)))
        return list(np.asarray(np.array(vectors, self.k.dtype) @ self.k, np.float64))

    def exact_matmat(self, vectors: list[Floats]) -> list[Floats]:
        """``X X' a`` of each in float64, less their means."""
        exact = matmat(self.x, rmatmat(self.x, np.array(vectors)))
        return list(exact - exact.mean(axis=1, keepdims=True))

    def rmatmat(self, weights: list[Floats]) -> list[Floats]:
        """``X' u`` is the point ``u`` itself in this space."""
        return weights

    def weights(self, point: Floats) -> Floats:
        return rmatvec(self.x, point)


Space = PrimalSpace | GramSpace


def choose_space(x: NDArray[Any], n_problems: int) -> Space:
    """The cheaper of the two spaces: K pays where it is smaller than X and shared by enough products."""
    n, d = x.shape
    if n < d and n <= 1024 * (1 + n_problems):
        return GramSpace(x)
    if n_problems > _MANY and x.dtype == np.float32:
        # BLAS will add in float32: without the mean, which cancels in every difference, it loses less
        x = x - (rmatvec(x, np.ones(n)) / n).astype(np.float32)
    return PrimalSpace(x)
