"""Sample pairs of scored images by the names of the images, so that adding an image changes few other pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relattr.random import derive_seed
from relattr.sampling import random_words

_DENSE = 4
"""A sample of more than one pair in so many is taken from a list of all pairs."""


def sample_pairs(identities: NDArray[np.int64], count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw ``count`` distinct pairs of the images with these identities ``(n,)``: the positions of both images.

    ``identities`` are distinct integers; only they, the seed and the count decide. In each round the images are put
    into a pseudo-random circular order, and each image is paired with the next one: an image that is added changes one
    pair of each round. A dense sample has the pairs with the smallest pseudo-random numbers of all. Requires
    ``0 <= count <= n(n-1)/2``.
    """
    n = identities.size
    if count * _DENSE > n * (n - 1) // 2:
        first, second = np.triu_indices(n, 1)
        words = random_words(identities[first] ^ identities[second], derive_seed(seed, "all pairs"))
        chosen = np.sort(np.argsort(words, kind="stable")[:count])
        return first[chosen], second[chosen]
    codes = np.empty(0, np.int64)
    n_rounds = 0
    while codes.size < count:
        parts = [codes]
        for _ in range(-(-(count - codes.size) // n)):
            order = np.argsort(random_words(identities, derive_seed(seed, "round", n_rounds)), kind="stable")
            after = np.roll(order, -1)
            parts.append(np.minimum(order, after) * n + np.maximum(order, after))
            n_rounds += 1
        drawn = np.concatenate(parts)
        _, position = np.unique(drawn, return_index=True)
        codes = drawn[np.sort(position)]
    return codes[:count] // n, codes[:count] % n
