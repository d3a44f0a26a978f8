"""Compiled inner loops of variances and the bootstrap. Each has a reference implementation in the tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relattr.system.compiled import njit, prange

LANES = 128
"""Replicates processed together along the Fenwick tree, which then fits into the L2 cache."""
PAIR_LANES = 256
"""Replicates processed together along the pairs, a byte each: a block of weights of 2,000 images is 512 KiB."""


@njit(fastmath={"contract", "reassoc", "nsz"})
def order_residuals(
    truth: NDArray[np.float64], strengths: NDArray[np.float64], scale: NDArray[np.float64], means: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Return the sums at each image, and the sum of squares, of the residuals of all pairs implied by orders.

    ``truth`` and ``strengths`` ``(k, n)`` have one row for each judgement, NaN for images that are not in it; a pair of
    different truth has the residual ``sum_k scale_k (correct_k - mean_k)``.
    """
    k, n = truth.shape
    sums = np.zeros(n)
    squares = 0.0
    row = np.empty(n)
    for i in range(n):
        row[:i] = 0.0
        for a in range(k):
            t, s, right, wrong = truth[a, i], strengths[a, i], scale[a] * (1.0 - means[a]), -scale[a] * means[a]
            for j in range(i):
                more, less = t > truth[a, j], t < truth[a, j]
                hit = (more & (s > strengths[a, j])) | (less & (s < strengths[a, j]))
                row[j] += right if hit else (wrong if (more | less) else 0.0)
        total = 0.0
        for j in range(i):
            total += row[j]
            squares += row[j] * row[j]
            sums[j] += row[j]
        sums[i] += total
    return sums, squares


@njit
def adjacency(
    left: NDArray[np.int32], right: NDArray[np.int32], correct: NDArray[np.bool_], n: int
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Return adjacency lists from left to right images, correct pairs first: ``(2n + 1,)`` offsets and the images."""
    starts = np.zeros(2 * n + 1, np.int64)
    for e in range(left.size):
        starts[2 * left[e] + (not correct[e]) + 1] += 1
    for i in range(2 * n):
        starts[i + 1] += starts[i]
    fill = starts[:-1].copy()
    images = np.empty(left.size, np.uint32)
    for e in range(left.size):
        slot = 2 * left[e] + (not correct[e])
        images[fill[slot]] = right[e]
        fill[slot] += 1
    return starts, images


@njit(parallel=True)
def weighted_pair_sums(
    starts: NDArray[np.int64], images: NDArray[np.uint32], weights: NDArray[np.uint64], most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the sums of ``w_i w_j`` over the correct pairs, and over all pairs, for each replicate.

    ``weights`` ``(blocks, n, words)`` pack eight replicates into a word, a byte each, at most ``most``. The weights of
    the neighbours of an image are summed first, eight replicates per addition, in bytes for as many neighbours as
    cannot overflow, then in 16-bit lanes; the sum is multiplied once by the weight of the image. Requires fewer than
    ``2**16 / most`` neighbours of each image. Integer sums, hence exact.
    """
    blocks, n, words = weights.shape
    few = 255 // most
    even_bytes = np.uint64(0x00FF00FF00FF00FF)
    eight = np.uint64(8)
    hits = np.zeros((blocks, 8 * words), np.int64)
    totals = np.zeros((blocks, 8 * words), np.int64)
    for b in prange(blocks):
        w = weights[b]
        bytes_ = np.zeros(words, np.uint64)
        sums = np.zeros((2, 2, words), np.uint64)  # of correct and wrong pairs; of even and odd bytes
        for i in range(n):
            for side in range(2):
                even, odd = sums[side, 0], sums[side, 1]
                even[:] = 0
                odd[:] = 0
                e, stop = starts[2 * i + side], starts[2 * i + side + 1]
                while e < stop:
                    until = min(stop, e + few)
                    bytes_[:] = 0
                    while e + 4 <= until:
                        w0, w1, w2, w3 = w[images[e]], w[images[e + 1]], w[images[e + 2]], w[images[e + 3]]
                        for r in range(words):
                            bytes_[r] += (w0[r] + w1[r]) + (w2[r] + w3[r])
                        e += 4
                    while e < until:
                        w0 = w[images[e]]
                        for r in range(words):
                            bytes_[r] += w0[r]
                        e += 1
                    for r in range(words):
                        even[r] += bytes_[r] & even_bytes
                        odd[r] += (bytes_[r] >> eight) & even_bytes
            for r in range(words):
                for q in range(8):
                    weight = np.int64((w[i, r] >> np.uint64(8 * q)) & np.uint64(0xFF))
                    shift, half = np.uint64(16 * (q // 2)), q % 2
                    right = np.int64((sums[0, half, r] >> shift) & np.uint64(0xFFFF))
                    wrong = np.int64((sums[1, half, r] >> shift) & np.uint64(0xFFFF))
                    hits[b, 8 * r + q] += weight * right
                    totals[b, 8 * r + q] += weight * (right + wrong)
    return hits.ravel(), totals.ravel()


@njit
def pack_weights(counts: NDArray[np.int16], lanes: int) -> NDArray[np.uint8]:
    """Pack weights ``(replicates, n)`` as bytes into zero-padded blocks of replicates, ``(blocks, n, lanes)``."""
    replicates, n = counts.shape
    blocks = (replicates + lanes - 1) // lanes
    packed = np.zeros((blocks, n, lanes), np.uint8)
    for i in range(0, n, 64):  # in tiles, so that reads and writes stay in cache
        for r in range(replicates):
            for k in range(i, min(n, i + 64)):
                packed[r // lanes, k, r % lanes] = counts[r, k]
    return packed


@njit
def count_draws(drawn: NDArray[np.integer], n: int) -> NDArray[np.int16]:
    """Count how often each of n images occurs in each row of ``drawn``: ``(replicates, n)``."""
    counts = np.zeros((drawn.shape[0], n), np.int16)
    for r in range(drawn.shape[0]):
        row = counts[r]
        for k in range(drawn.shape[1]):
            row[drawn[r, k]] += 1
    return counts


@njit(parallel=True)
def weighted_order_sums(
    groups: NDArray[np.int64], ranks: NDArray[np.int64], weights: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the sums of `weighted_pair_sums` for all pairs implied by an order, in O(n log n) for each replicate.

    Images are in ascending order of truth; ``groups`` are the offsets of runs of equal truth (and n); ``ranks``
    ``(n,)`` from 1 are those of the predicted strengths, equal for ties. A Fenwick tree over ranks contains the weights
    of the images of lower truth.
    """
    blocks, n, lanes = weights.shape
    hits = np.zeros((blocks, lanes), np.int64)
    totals = np.zeros((blocks, lanes), np.int64)
    for b in prange(blocks):
        w = weights[b]
        tree = np.zeros((n + 1, LANES), np.int32)
        below = np.zeros(LANES, np.int32)
        for g in range(groups.size - 1):
            for i in range(groups[g], groups[g + 1]):
                sums = np.zeros(LANES, np.int32)
                k = ranks[i] - 1
                while k > 0:
                    for r in range(LANES):
                        sums[r] += tree[k, r]
                    k -= k & -k
                for r in range(LANES):
                    hits[b, r] += np.int64(w[i, r]) * sums[r]
                    totals[b, r] += np.int64(w[i, r]) * below[r]
            for i in range(groups[g], groups[g + 1]):
                k = ranks[i]
                while k <= n:
                    for r in range(LANES):
                        tree[k, r] += w[i, r]
                    k += k & -k
                for r in range(LANES):
                    below[r] += w[i, r]
    return hits.ravel(), totals.ravel()
