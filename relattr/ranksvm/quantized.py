"""Features rounded to 8 bits, for the products with the Hessian.

A conjugate-gradient step is limited by reading the features. One byte instead of four for each makes it three to five
times as fast. A Newton step of an approximate Hessian is still a direction of descent; the solver computes gradients,
decision values and objective from the features themselves, so that the rounding costs steps, but no accuracy.

Each feature is rounded to one of 255 values, evenly spaced between its smallest and its largest. Its smallest value
is left out of the products: it shifts all decision values alike, which a graph Laplacian maps to zero, and weights
that sum to zero cancel it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr.system.compiled import njit, prange

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Bytes = NDArray[np.uint8]
_FAST = {"reassoc", "contract", "nsz"}
_BLOCK = 512  # rows whose weighted sum is accumulated in float32
_TOP = 254.0  # the largest rounded value


@njit(nogil=True)
def _extremes(x: NDArray[Any], low: NDArray[Any], high: NDArray[Any], start: int, stop: int) -> None:
    """Compute the smallest and largest value of each feature in rows start to stop, four rows at a time."""
    low[:] = x[start]
    high[:] = x[start]
    even = start + (stop - start) // 4 * 4
    for i in range(start, even, 4):
        for j in range(x.shape[1]):
            a, b, c, e = x[i, j], x[i + 1, j], x[i + 2, j], x[i + 3, j]
            low[j] = min(min(min(a, b), min(c, e)), low[j])
            high[j] = max(max(max(a, b), max(c, e)), high[j])
    for i in range(even, stop):
        for j in range(x.shape[1]):
            low[j] = min(x[i, j], low[j])
            high[j] = max(x[i, j], high[j])


@njit(nogil=True, parallel=True)
def _extremes_parallel(x: NDArray[Any], low: NDArray[Any], high: NDArray[Any], step: int) -> None:
    for block in prange(low.shape[0]):
        _extremes(x, low[block], high[block], block * step, min(x.shape[0], (block + 1) * step))


@njit(nogil=True, parallel=True, fastmath=_FAST)
def _round(x: NDArray[Any], shift: NDArray[Any], factor: NDArray[Any], out: Bytes) -> None:
    for i in prange(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] = np.uint8(np.int32((x[i, j] - shift[j]) * factor[j] + np.float32(0.5)))


@njit(nogil=True, fastmath=_FAST)
def _eight_scores(x: Bytes, i: int, v: Singles, out: Floats) -> None:
    a = b = c = e = np.float32(0.0)
    p = q = r = s = np.float32(0.0)
    for j in range(x.shape[1]):
        y = v[j]
        a += np.float32(x[i, j]) * y
        b += np.float32(x[i + 1, j]) * y
        c += np.float32(x[i + 2, j]) * y
        e += np.float32(x[i + 3, j]) * y
        p += np.float32(x[i + 4, j]) * y
        q += np.float32(x[i + 5, j]) * y
        r += np.float32(x[i + 6, j]) * y
        s += np.float32(x[i + 7, j]) * y
    out[i] = a
    out[i + 1] = b
    out[i + 2] = c
    out[i + 3] = e
    out[i + 4] = p
    out[i + 5] = q
    out[i + 6] = r
    out[i + 7] = s


@njit(nogil=True, fastmath=_FAST)
def _scores(x: Bytes, v: Singles, out: Floats, start: int, stop: int) -> None:
    even = start + (stop - start) // 8 * 8
    for i in range(start, even, 8):
        for k in range(v.shape[0]):
            _eight_scores(x, i, v[k], out[k])
    for i in range(even, stop):
        for k in range(v.shape[0]):
            total = np.float32(0.0)
            for j in range(x.shape[1]):
                total += np.float32(x[i, j]) * v[k, j]
            out[k, i] = total


@njit(nogil=True, parallel=True)
def _scores_parallel(x: Bytes, v: Singles, out: Floats, step: int) -> None:
    n = x.shape[0]
    for block in prange((n + step - 1) // step):
        _scores(x, v, out, block * step, min(n, (block + 1) * step))


@njit(nogil=True, fastmath=_FAST)
def _add_eight(x: Bytes, i: int, u: Singles, out: Singles) -> None:
    a, b, c, e = u[i], u[i + 1], u[i + 2], u[i + 3]
    p, q, r, s = u[i + 4], u[i + 5], u[i + 6], u[i + 7]
    for j in range(x.shape[1]):
        out[j] += (
            np.float32(x[i, j]) * a
            + np.float32(x[i + 1, j]) * b
            + np.float32(x[i + 2, j]) * c
            + np.float32(x[i + 3, j]) * e
            + np.float32(x[i + 4, j]) * p
            + np.float32(x[i + 5, j]) * q
            + np.float32(x[i + 6, j]) * r
            + np.float32(x[i + 7, j]) * s
        )


@njit(nogil=True, fastmath=_FAST)
def _combination(x: Bytes, u: Singles, out: Singles, start: int, stop: int) -> None:
    out[:] = np.float32(0.0)
    even = start + (stop - start) // 8 * 8
    for i in range(start, even, 8):
        for k in range(u.shape[0]):
            _add_eight(x, i, u[k], out[k])
    for i in range(even, stop):
        for k in range(u.shape[0]):
            for j in range(x.shape[1]):
                out[k, j] += np.float32(x[i, j]) * u[k, i]


@njit(nogil=True, parallel=True)
def _combination_parallel(x: Bytes, u: Singles, out: Floats, step: int) -> None:
    n, d = x.shape
    blocks = (n + step - 1) // step
    parts = np.empty((blocks, u.shape[0], d), np.float32)
    for block in prange(blocks):
        _combination(x, u, parts[block], block * step, min(n, (block + 1) * step))
    out[:] = 0.0
    for block in range(blocks):
        for k in range(u.shape[0]):
            for j in range(d):
                out[k, j] += parts[block, k, j]


class QuantizedFeatures:
    """The features ``(n, d)`` as bytes ``(n, d)``, and the ``steps`` ``(d,)`` between neighbouring values of each.

    A feature whose range is not finite, or too small to be divided, is left out.
    """

    def __init__(self, x: NDArray[Any]) -> None:
        n, d = x.shape
        step = -(-n // 16)
        low, high = np.empty((2, -(-n // step), d), x.dtype)
        _extremes_parallel(x, low, high, step)
        shift = low.min(0)
        steps = (high.max(0).astype(np.float64) - shift) / _TOP
        usable = np.isfinite(steps) & (steps > 8.0 * np.finfo(np.float32).tiny)
        self.steps = np.where(usable, steps, 0.0)
        factor = np.divide(1.0, steps, out=np.zeros(d), where=usable)
        self.bytes = np.empty((n, d), np.uint8)
        _round(x, shift, factor.astype(x.dtype), self.bytes)

    def matmat(self, v: Floats) -> Floats:
        """Return ``V X'`` ``(k, n)`` for ``V`` ``(k, d)``, but for a constant in each row."""
        scaled, units = _to_unit(v * self.steps)
        out = np.empty((v.shape[0], self.bytes.shape[0]))
        _scores_parallel(self.bytes, scaled, out, 128)
        return out * units

    def rmatmat(self, u: Floats) -> Floats:
        """Return ``U X`` ``(k, d)`` for ``U`` ``(k, n)`` whose rows sum to zero."""
        scaled, units = _to_unit(u)
        out = np.empty((u.shape[0], self.bytes.shape[1]))
        _combination_parallel(self.bytes, scaled, out, _BLOCK)
        return out * self.steps * units


def _to_unit(vectors: Floats) -> tuple[Singles, Floats]:
    """Return rows as float32 with a largest absolute value of 1, and the factors ``(k, 1)``: float32 may overflow."""
    units = np.abs(vectors).max(axis=1, keepdims=True)
    units[units == 0.0] = 1.0
    return (vectors / units).astype(np.float32), units
