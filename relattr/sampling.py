"""A pseudo-random permutation of ``range(n)``, any part of which can be computed independently.

A Feistel network on the pairs ``(a, b)`` with ``a, b < ceil(sqrt(n))`` permutes the smallest square that contains
``range(n)``; cycle walking, which applies it until the value is in ``range(n)``, restricts it to that range (Black &
Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002). Sampling ten million distinct pairs out of 2.6 trillion
thus requires memory for ten million, and a smaller sample with the same seed is a prefix of a larger one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 6


def _mix(x: NDArray[np.uint64], key: np.uint64) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64, a bijective hash of 64-bit integers."""
    with np.errstate(over="ignore"):
        x = x + key
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def permuted(start: int, stop: int, n: int, seed: int) -> NDArray[np.int64]:
    """Elements ``start..stop-1`` of the pseudo-random permutation of ``range(n)`` with this seed.

    Returns ``(stop - start,)`` distinct integers in ``[0, n)``. Requires ``0 <= start <= stop <= n < 2**62``.
    """
    if not 0 <= start <= stop <= n < 2**62:
        raise ValueError(f"need 0 <= start <= stop <= n < 2**62, got start={start}, stop={stop}, n={n}")
    side = np.uint64(max(1, math.isqrt(n - 1) + 1 if n > 1 else 1))
    keys = np.random.SeedSequence(seed).generate_state(_ROUNDS, np.uint64)
    values = np.arange(start, stop, dtype=np.uint64)
    outside = np.arange(values.size)
    while outside.size:
        high, low = np.divmod(values[outside], side)
        for key in keys:
            high, low = low, (high + _mix(low, key) % side) % side
        walked = high * side + low
        values[outside] = walked
        outside = outside[walked >= n]
    return values.astype(np.int64)


def random_bits(index: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """One pseudo-random bit for each index, independent of the other indices in the call."""
    return (random_words(index, seed) & np.uint64(1)).astype(bool)


def random_words(index: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """A pseudo-random 64-bit word for each index, distinct for distinct indices and independent of the others."""
    key = np.random.SeedSequence([seed, 1]).generate_state(1, np.uint64)[0]
    return _mix(index.astype(np.uint64), key)
