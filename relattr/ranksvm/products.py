"""Products with the features, ``X v`` and ``X' u``: the solver uses X only through these.

A product is limited by memory bandwidth. The compiled kernels read X in its own precision and accumulate in float64, at
memory speed; for several vectors they make one pass over X, in which each row is used for all vectors while it is in
cache. They also avoid a second thread pool beside that of the pair kernels: two pools that wait for each other on the
same cores halve the speed. For more than 24 vectors the products are limited by arithmetic instead, and NumPy's BLAS
is used, in the precision of X.

The order of summation does not depend on the number of threads, except inside BLAS. Names follow SciPy's
``LinearOperator``: matvec is ``X v``, rmatvec ``X' u``, matmat and rmatmat the same for several vectors.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr.ranksvm.quantized import QuantizedFeatures
from relattr.ranksvm.sketch import Sketch, make_sketch
from relattr.system.compiled import njit, prange

Floats = NDArray[np.float64]
_FAST = {"reassoc", "contract", "nsz"}
_ROWS = 8  # rows of X processed together, so that a vector in cache is read once for all of them
_BLOCK = 1024  # rows of X summed into one partial result of X' u
_SMALL = 1 << 20  # multiplications below which starting a second thread costs more than it saves
_ROUNDED = 1 << 22  # elements of X below which rounding them takes longer than it saves
_MANY = 24  # vectors above which BLAS is faster, although it first copies X into its own layout


@njit(nogil=True, fastmath=_FAST)
def _eight_scores(x: NDArray[Any], i: int, v: Floats, out: Floats) -> None:
    a = b = c = e = 0.0
    p = q = r = s = 0.0
    for j in range(x.shape[1]):
        y = v[j]
        a += x[i, j] * y
        b += x[i + 1, j] * y
        c += x[i + 2, j] * y
        e += x[i + 3, j] * y
        p += x[i + 4, j] * y
        q += x[i + 5, j] * y
        r += x[i + 6, j] * y
        s += x[i + 7, j] * y
    out[i] = a
    out[i + 1] = b
    out[i + 2] = c
    out[i + 3] = e
    out[i + 4] = p
    out[i + 5] = q
    out[i + 6] = r
    out[i + 7] = s


@njit(nogil=True, fastmath=_FAST)
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


@njit(nogil=True, fastmath=_FAST)
def _scores(x: NDArray[Any], v: Floats, out: Floats, start: int, stop: int) -> None:
    """Compute ``out[k, i] = x[i] . v[k]`` for rows start to stop; ``start`` is a multiple of eight.

    The last eight rows may overlap those before: each row is summed in the same order, so that equal rows tie.
    """
    count = v.shape[0]
    if stop < _ROWS:
        for i in range(start, stop):
            for k in range(count):
                total = 0.0
                for j in range(x.shape[1]):
                    total += x[i, j] * v[k, j]
                out[k, i] = total
        return
    for first in range(start, stop, _ROWS):
        i = min(first, stop - _ROWS)
        for k in range(0, count - 1, 2):
            _four_scores_of_two(x, i, v[k], v[k + 1], out[k], out[k + 1])
            _four_scores_of_two(x, i + 4, v[k], v[k + 1], out[k], out[k + 1])
        if count % 2:
            _eight_scores(x, i, v[count - 1], out[count - 1])


@njit(nogil=True, parallel=True)
def _scores_parallel(x: NDArray[Any], v: Floats, out: Floats, step: int) -> None:
    n = x.shape[0]
    for block in prange((n + step - 1) // step):
        _scores(x, v, out, block * step, min(n, (block + 1) * step))


@njit(nogil=True, fastmath=_FAST)
def _add_eight(x: NDArray[Any], i: int, u: Floats, out: Floats) -> None:
    a, b, c, e = u[i], u[i + 1], u[i + 2], u[i + 3]
    p, q, r, s = u[i + 4], u[i + 5], u[i + 6], u[i + 7]
    for j in range(x.shape[1]):
        one = x[i, j] * a + x[i + 1, j] * b + x[i + 2, j] * c + x[i + 3, j] * e
        out[j] += one + x[i + 4, j] * p + x[i + 5, j] * q + x[i + 6, j] * r + x[i + 7, j] * s


@njit(nogil=True, fastmath=_FAST)
def _combination(x: NDArray[Any], u: Floats, out: Floats, start: int, stop: int) -> None:
    """Compute ``out[k] = sum of u[k, i] x[i]`` over rows start to stop."""
    out[:] = 0.0
    count = u.shape[0]
    even = start + (stop - start) // _ROWS * _ROWS
    for i in range(start, even, _ROWS):
        for k in range(count):
            _add_eight(x, i, u[k], out[k])
    for i in range(even, stop):
        for k in range(count):
            a = u[k, i]
            for j in range(x.shape[1]):
                out[k, j] += x[i, j] * a


@njit(nogil=True, parallel=True)
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
    """Return ``V X'`` ``(k, n)`` in float64 for ``V`` ``(k, d)``; X ``(n, d)`` is C-contiguous float32 or float64."""
    out = np.empty((v.shape[0], x.shape[0]))
    if x.size * v.shape[0] < _SMALL:
        _scores(x, v, out, 0, x.shape[0])
    else:
        _scores_parallel(x, v, out, max(_ROWS, min(128, x.shape[0] // 16 // _ROWS * _ROWS)))
    return out


def rmatmat(x: NDArray[Any], u: Floats) -> Floats:
    """Return ``U X`` ``(k, d)`` in float64 for ``U`` ``(k, n)``; X ``(n, d)`` is C-contiguous float32 or float64."""
    out = np.empty((u.shape[0], x.shape[1]))
    if x.size * u.shape[0] < _SMALL:
        _combination(x, u, out, 0, x.shape[0])
    else:
        _combination_parallel(x, u, out, max(_ROWS, min(_BLOCK, x.shape[0] // 8 // _ROWS * _ROWS)))
    return out


def matvec(x: NDArray[Any], v: Floats) -> Floats:
    """Return ``X v`` ``(n,)`` in float64."""
    return matmat(x, v[None])[0]


def rmatvec(x: NDArray[Any], u: Floats) -> Floats:
    """Return ``X' u`` ``(d,)`` in float64."""
    return rmatmat(x, u[None])[0]


class PrimalSpace:
    """Primal space of weight vectors ``w`` ``(d,)``, in which the decision values are ``X w``."""

    primal = True
    sketch: Sketch | None

    def __init__(self, x: NDArray[Any], *, rounded: bool = False) -> None:
        self.x = x
        self.size = x.shape[1]
        self.rounded = rounded
        self.sketch = make_sketch(x, coarse=rounded)

    @cached_property
    def quantized(self) -> QuantizedFeatures:
        return QuantizedFeatures(self.x)

    def matmat(self, vectors: list[Floats]) -> list[Floats]:
        """Return ``X v`` for each vector."""
        if len(vectors) <= _MANY:
            return list(matmat(self.x, np.array(vectors)))
        return list(np.ascontiguousarray((self.x @ np.array(vectors, self.x.dtype).T).T, np.float64))

    exact_matmat = matmat

    def rounded_matmat(self, vectors: list[Floats]) -> list[Floats]:
        """Return ``X v`` for each vector, with features of 8 bits, but for a constant."""
        return list(self.quantized.matmat(np.array(vectors)))

    def rounded_rmatmat(self, weights: list[Floats]) -> list[Floats]:
        """Return ``X' u`` for each vector, which sums to zero, with features of 8 bits."""
        return list(self.quantized.rmatmat(np.array(weights)))

    def rmatmat(self, weights: list[Floats]) -> list[Floats]:
        """Return ``X' u`` for each vector."""
        if len(weights) <= _MANY:
            return list(rmatmat(self.x, np.array(weights)))
        return list(np.ascontiguousarray((self.x.T @ np.array(weights, self.x.dtype).T).T, np.float64))

    def weights(self, point: Floats) -> Floats:
        return point


class FixedGramSpace:
    """Space of coefficients ``a`` ``(n,)`` for a Gram matrix ``k`` ``(n, n)``; the decision values are ``K a``.

    Without features only decision values can be computed.
    """

    primal = False
    sketch = None
    rounded = False

    def __init__(self, k: NDArray[Any]) -> None:
        self.k = k
        self.size = k.shape[0]

    def matmat(self, vectors: list[Floats]) -> list[Floats]:
        """Return ``K a`` for each vector, with K in its own precision."""
        if len(vectors) <= _MANY:
            return list(matmat(self.k, np.array(vectors)))
        return list(np.asarray(np.array(vectors, self.k.dtype) @ self.k, np.float64))

    exact_matmat = matmat

    def rmatmat(self, weights: list[Floats]) -> list[Floats]:
        """Return the vectors unchanged: ``X' u`` has the coefficients ``u`` in this space."""
        return weights

    rounded_matmat, rounded_rmatmat = matmat, rmatmat


class GramSpace(FixedGramSpace):
    """The same with ``w = X' a``, for fewer images than features.

    ``K = X X'`` is the Gram matrix of the centred features in the precision of X: a common shift does not change
    differences of decision values, and centring avoids a loss of precision. The coefficients sum to zero, as do the
    gradients they are combinations of, so ``X' a`` needs no centring.
    """

    def __init__(self, x: NDArray[Any]) -> None:
        n = x.shape[0]
        centred = x - (rmatvec(x, np.ones(n)) / n).astype(x.dtype)
        super().__init__(centred @ centred.T)
        self.x = x

    def exact_matmat(self, vectors: list[Floats]) -> list[Floats]:
        """Return ``X X' a`` for each vector in float64, centred."""
        exact = matmat(self.x, rmatmat(self.x, np.array(vectors)))
        return list(exact - exact.mean(axis=1, keepdims=True))

    def weights(self, point: Floats) -> Floats:
        return rmatvec(self.x, point)


Space = PrimalSpace | GramSpace


def choose_space(x: NDArray[Any], n_problems: int) -> Space:
    """Choose the cheaper space: K pays off if it is smaller than X and used for enough products."""
    n, d = x.shape
    if n < d and n <= 1024 * (1 + n_problems):
        return GramSpace(x)
    if n_problems > _MANY and x.dtype == np.float32:
        # BLAS accumulates in float32: centring, which changes no difference of scores, reduces rounding errors
        x = x - (rmatvec(x, np.ones(n)) / n).astype(np.float32)
    return PrimalSpace(x, rounded=n_problems <= _MANY and x.size >= _ROUNDED)
