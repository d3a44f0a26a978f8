"""Batches of a fixed number of pairs, as Singh & Lee (ECCV 2016) train: 25 pairs a batch, shuffled in every epoch.

Both images of every pair pass through the network, so an image that is in two pairs of a batch does so twice, each time
with another random crop.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from relattr.errors import BadInput
from relattr.pairs import Pairs
from relattr.sampling import permuted
from relattr.training.batch_sampler import Batch


class ShuffledPairs:
    """Splits the shuffled pairs of each epoch into batches of ``size`` pairs; the last one may be smaller.

    No epoch is stored: the pairs of a batch are computed when it is needed, so that ten million pairs begin at once.
    Raises `BadInput` for pairs without an ordered one and for a batch without a pair.
    """

    def __init__(self, pairs: Pairs, size: int) -> None:
        if size < 1:
            raise BadInput(f"a batch needs at least one pair; got {size}")
        if not pairs.n_ordered:
            raise BadInput(f"{pairs!r} cannot be learned from: at least one ordered pair (+1 or -1) is needed")
        self._pairs = pairs
        self.size = min(size, len(pairs))

    @property
    def batches_per_epoch(self) -> int:
        """Number of batches in an epoch."""
        return -(-len(self._pairs) // self.size)

    def epoch(self, rng: np.random.Generator) -> Iterator[tuple[Batch, float]]:
        """The batches of one epoch, each with the number its sum is divided by: its number of pairs.

        The images of a batch are those on the left of its pairs, then those on the right.
        """
        n, key = len(self._pairs), int(rng.integers(2**62))
        for start in range(0, n, self.size):
            which = permuted(start, min(start + self.size, n), n, key)
            order = self._pairs.order
            if order is not None:
                left, right, label = order.pairs_at(which)
            else:
                left, right, label = self._pairs.left[which], self._pairs.right[which], self._pairs.label[which]
            position = np.arange(label.size)
            images = np.concatenate([left, right]).astype(np.int64)
            yield Batch(images, position, position + label.size, label), float(label.size)
