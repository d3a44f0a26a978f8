"""Approximated locality-constrained linear coding (LLC): a descriptor as a weighted sum of its nearest visual words.

Wang, Yang, Yu, Lv, Huang, Gong, "Locality-constrained Linear Coding for Image Classification", CVPR 2010,
section 4. For a descriptor ``x`` with nearest words ``B`` (k, d) the weights are

    argmin_w  |x - B' w|^2 + beta * tr(C) * |w|^2   subject to  sum(w) = 1,      C = (B - x)(B - x)'

that is, solve ``(C + beta tr(C) I) w = 1`` and scale ``w`` to sum to one. Weights may be negative. A descriptor that
equals all of its words gives them equal weights, the limit of the formula.

One compiled pass on one thread computes the distances to all words for a few descriptors at a time, selects the k
smallest, and solves the k x k system. The code of a descriptor does not depend on the rest of the batch.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from relattr.errors import BadInput
from relattr.system.compiled import njit

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int32]

_BLOCK = 4  # descriptors that share one pass over the words; their partial sums must fit into registers

# Squared distances between values up to this size fit into float32.
_LARGEST = 1e15


def encode_llc(
    descriptors: npt.ArrayLike, words: npt.ArrayLike, k: int = 3, beta: float = 0.03
) -> tuple[Codes, Floats]:
    """Encode descriptors (n, d) with a dictionary of visual words (m, d).

    Returns ``indices`` (n, k) int32, nearest word first (ties by index), and ``weights`` (n, k) float32, each row
    summing to one; all other entries of a code are 0. Distances are computed in float32, the k x k systems in float64.

    Raises `BadInput` for mismatched shapes, values that are not finite, k outside 1..m, or beta not above 0.
    """
    x = np.ascontiguousarray(descriptors, dtype=np.float32)
    b = np.ascontiguousarray(words, dtype=np.float32)
    if x.ndim != 2 or b.ndim != 2 or x.shape[1] != b.shape[1]:
        raise BadInput(f"LLC: descriptors {x.shape} and words {b.shape} must be (n, d) and (m, d)")
    if not 1 <= k <= len(b):
        raise BadInput(f"LLC: k is {k}; it must be from 1 to the number of words, {len(b)}")
    if not beta > 0:
        raise BadInput(f"LLC: beta is {beta}; it must be above 0, otherwise the system can be singular")
    for name, array in (("descriptors", x), ("words", b)):
        if not np.abs(array).max(initial=0.0) <= _LARGEST:
            raise BadInput(
                f"LLC: the {name} contain values that are not finite, or above {_LARGEST:g}; scale them down"
            )
    indices = np.empty((len(x), k), dtype=np.int32)
    weights = np.empty((len(x), k), dtype=np.float32)
    # Words are stored as columns, so that one instruction compares a descriptor with eight of them; dimensions are
    # padded with zeros to a multiple of four.
    transposed = np.zeros((-(-b.shape[1] // 4) * 4, len(b)), dtype=np.float32)
    transposed[: b.shape[1]] = b.T
    _encode(x, b, transposed, np.float64(beta), indices, weights)
    return indices, weights


@njit(nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _encode(x: Floats, words: Floats, transposed: Floats, beta: float, indices: Codes, weights: Floats) -> None:
    n, dimensions = x.shape
    n_words = len(words)
    k = indices.shape[1]
    padded = transposed.shape[0]
    half_norms = np.zeros(n_words, dtype=np.float32)
    for d in range(dimensions):
        for j in range(n_words):
            half_norms[j] += np.float32(0.5) * transposed[d, j] * transposed[d, j]
    rows = np.zeros((_BLOCK, padded), dtype=np.float32)
    distances = np.empty((_BLOCK, n_words), dtype=np.float32)
    smallest = np.empty(k, dtype=np.float32)
    offsets = np.empty((k, dimensions), dtype=np.float64)
    gram = np.empty((k, k), dtype=np.float64)
    solution = np.empty(k, dtype=np.float64)
    for start in range(0, n, _BLOCK):
        # The last block is padded with repeated rows, so that every row is computed by the same instructions.
        count = min(_BLOCK, n - start)
        for r in range(_BLOCK):
            rows[r, :dimensions] = x[start + min(r, count - 1)]
        _half_distances(rows, transposed, half_norms, distances)
        for r in range(count):
            i = start + r
            _nearest(distances[r], indices[i], smallest)
            for a in range(k):
                word = words[indices[i, a]]
                for d in range(dimensions):
                    offsets[a, d] = np.float64(word[d]) - np.float64(x[i, d])
            trace = 0.0
            for a in range(k):
                for b in range(a + 1):
                    dot = 0.0
                    for d in range(dimensions):
                        dot += offsets[a, d] * offsets[b, d]
                    gram[a, b] = dot
                trace += gram[a, a]
            if trace > 0.0:
                for a in range(k):
                    for b in range(a + 1):
                        gram[a, b] /= trace
            for a in range(k):
                gram[a, a] += beta
            _solve_ones(gram, solution)
            total = 0.0
            for a in range(k):
                total += solution[a]
            for a in range(k):
                weights[i, a] = solution[a] / total


@njit(nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _half_distances(rows: Floats, transposed: Floats, half_norms: Floats, out: Floats) -> None:
    """Compute ``out[r, j] = |word j|^2 / 2 - rows[r] . word j``: half the squared distance up to a constant."""
    n_words = len(half_norms)
    for r in range(0, len(rows), 2):
        for j in range(n_words):
            out[r, j] = half_norms[j]
            out[r + 1, j] = half_norms[j]
        for d in range(0, rows.shape[1], 4):
            p0, p1, p2, p3 = rows[r, d], rows[r, d + 1], rows[r, d + 2], rows[r, d + 3]
            q0, q1, q2, q3 = rows[r + 1, d], rows[r + 1, d + 1], rows[r + 1, d + 2], rows[r + 1, d + 3]
            w0, w1, w2, w3 = transposed[d], transposed[d + 1], transposed[d + 2], transposed[d + 3]
            for j in range(n_words):
                out[r, j] -= p0 * w0[j] + p1 * w1[j] + p2 * w2[j] + p3 * w3[j]
                out[r + 1, j] -= q0 * w0[j] + q1 * w1[j] + q2 * w2[j] + q3 * w3[j]


@njit(nogil=True)
def _nearest(distances: Floats, indices: Codes, smallest: Floats) -> None:
    """Find the indices of the k smallest distances, in ascending order, ties by index; ``smallest`` (k,) is scratch."""
    k = len(smallest)
    smallest[:] = np.float32(np.inf)
    worst = smallest[k - 1]
    for j in range(len(distances)):
        value = distances[j]
        if value < worst:
            place = k - 1
            while place > 0 and value < smallest[place - 1]:
                smallest[place] = smallest[place - 1]
                indices[place] = indices[place - 1]
                place -= 1
            smallest[place] = value
            indices[place] = j
            worst = smallest[k - 1]


@njit(nogil=True)
def _solve_ones(a: npt.NDArray[np.float64], x: npt.NDArray[np.float64]) -> None:
    """Solve ``a x = 1`` for a positive definite ``a``, given by its lower triangle, which is overwritten."""
    k = len(x)
    for i in range(k):  # Cholesky factorisation and forward substitution
        for j in range(i + 1):
            s = a[i, j]
            for m in range(j):
                s -= a[i, m] * a[j, m]
            a[i, j] = np.sqrt(s) if i == j else s / a[j, j]
        s = 1.0
        for m in range(i):
            s -= a[i, m] * x[m]
        x[i] = s / a[i, i]
    for i in range(k - 1, -1, -1):
        s = x[i]
        for m in range(i + 1, k):
            s -= a[m, i] * x[m]
        x[i] = s / a[i, i]
