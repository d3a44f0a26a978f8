"""The compiled loop that divides sparse pairs into batches; `relattr.training.batch_sampler` explains it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relattr.system.compiled import njit


@njit
def pairs_by_image(
    left: NDArray[np.int32], right: NDArray[np.int32], n_images: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs that contain each image: ``(n_images + 1,)`` offsets, and the indices of the pairs, ``(2 m,)``."""
    starts = np.zeros(n_images + 1, np.int64)
    for pair in range(left.size):
        starts[left[pair] + 1] += 1
        starts[right[pair] + 1] += 1
    for image in range(n_images):
        starts[image + 1] += starts[image]
    fill = starts[:-1].copy()
    pairs = np.empty(2 * left.size, np.int64)
    for pair in range(left.size):
        for image in (left[pair], right[pair]):
            pairs[fill[image]] = pair
            fill[image] += 1
    return starts, pairs


@njit
def sparse_epoch(
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    starts: NDArray[np.int64],
    pairs_of: NDArray[np.int64],
    order: NDArray[np.int64],
    size: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Divide all pairs into batches of at most ``size`` images.

    ``starts`` and ``pairs_of`` are the result of `pairs_by_image`; ``order`` is a random permutation of the pairs.
    Returns the images of all batches and the offset of each batch among them, then the same for the pairs.
    """
    n_pairs, n_images = left.size, starts.size - 1
    ends = starts[1:].copy()  # pairs_of[starts[i]:ends[i]] are the unused pairs of image i, and some used ones
    pairs_of = pairs_of.copy()
    used = np.zeros(n_pairs, np.bool_)
    position = np.full(n_images, -1, np.int64)
    images, pairs = np.empty(2 * n_pairs, np.int64), np.empty(n_pairs, np.int64)
    image_starts, pair_starts = np.zeros(n_pairs + 1, np.int64), np.zeros(n_pairs + 1, np.int64)
    frontier = np.empty(256, np.int64)
    n_batches = next_start = n_taken = n_placed = 0
    while n_taken < n_pairs:
        while used[order[next_start]]:
            next_start += 1
        look = next_start  # where the next unused pair is searched for
        first = n_placed
        n_frontier = 0
        while n_placed - first < size:
            pair = -1
            if n_frontier:
                k = int(rng.random() * n_frontier)
                pair = frontier[k]
                n_frontier -= 1
                frontier[k] = frontier[n_frontier]
            elif n_placed - first + 2 <= size:  # no connected pair is left: continue from another unused pair
                while look < n_pairs:
                    candidate = order[look]
                    look += 1
                    inside = position[left[candidate]] >= 0 and position[right[candidate]] >= 0
                    if not used[candidate] and not inside:
                        pair = candidate
                        break
            if pair < 0:
                break
            a, b = left[pair], right[pair]
            n_new = int(position[a] < 0) + int(position[b] < 0)
            if n_placed - first + n_new > size:
                continue
            for image in (a, b):
                if position[image] >= 0:
                    continue
                position[image] = n_placed - first
                images[n_placed] = image
                n_placed += 1
                kept = starts[image]
                for k in range(starts[image], ends[image]):  # forget the used pairs
                    if not used[pairs_of[k]]:
                        pairs_of[kept] = pairs_of[k]
                        kept += 1
                ends[image] = kept
                n_more = kept - starts[image]
                if n_frontier + n_more > frontier.size:
                    larger = np.empty(2 * (n_frontier + n_more), np.int64)
                    larger[:n_frontier] = frontier[:n_frontier]
                    frontier = larger
                frontier[n_frontier : n_frontier + n_more] = pairs_of[starts[image] : kept]
                n_frontier += n_more
        for k in range(first, n_placed):
            for e in range(starts[images[k]], ends[images[k]]):
                pair = pairs_of[e]
                if not used[pair] and position[left[pair]] >= 0 and position[right[pair]] >= 0:
                    used[pair] = True
                    pairs[n_taken] = pair
                    n_taken += 1
        n_batches += 1
        image_starts[n_batches], pair_starts[n_batches] = n_placed, n_taken
        for k in range(first, n_placed):
            position[images[k]] = -1
    return (
        images[:n_placed].copy(),
        image_starts[: n_batches + 1].copy(),
        pairs,
        pair_starts[: n_batches + 1].copy(),
    )
