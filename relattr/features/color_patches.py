"""Colour patches: encoded histograms of 50 colour names in dense patches, 5,376 dimensions.

As in Khosla's feature toolbox: square patches of 8, 12 and 16 px with a stride of 4 px, each described by its
normalised histogram of colour names (see ``color_names``), and encoded as in ``encoded``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from relattr.features.color_names import N_NAMES, Vocabulary, color_names
from relattr.features.encoded import EncodedFeature, Floats
from relattr.images.sequence import Pixels
from relattr.system.compiled import njit


class ColorPatches(EncodedFeature):
    """Encoded colour patches.

    Parameters
    ----------
    vocabulary: the set of 50 colour names (see ``color_names``).
    sizes, step: side lengths of the patches in px, and the stride in px.
    maxsize, n_words, k, beta, levels, max_images, per_image, max_descriptors: see ``EncodedFeature``.

    An image smaller than the largest patch is padded to its size by mirroring.
    """

    label = "colour patches"

    def __init__(
        self,
        vocabulary: Vocabulary = "lattice",
        sizes: Sequence[int] = (8, 12, 16),
        step: int = 4,
        maxsize: int = 500,
        n_words: int = 256,
        k: int = 3,
        beta: float = 0.03,
        levels: Sequence[int] = (4, 2, 1),
        max_images: int = 500,
        per_image: int = 2000,
        max_descriptors: int = 500_000,
    ) -> None:
        super().__init__(maxsize, n_words, k, beta, levels, max_images, per_image, max_descriptors)
        self.vocabulary = vocabulary
        self.sizes = sizes
        self.step = step

    @property
    def width(self) -> int:
        return N_NAMES

    def count(self, height: int, width: int) -> int:
        return sum(len(y) * len(x) for y, x in self._corners(height, width))

    def descriptors(self, image: Pixels) -> tuple[Floats, Floats]:
        """Return the patches of one size after the other, each size row by row."""
        height, width = image.shape[:2]
        names = color_names(image, self.vocabulary)
        least = max(self.sizes)
        missing = [(0, max(0, least - side)) for side in (height, width)]
        names = np.pad(names, missing, mode="symmetric")
        corners = self._corners(height, width)
        histograms = np.empty((self.count(height, width), N_NAMES), np.float32)
        positions = np.empty((len(histograms), 2), np.float32)
        start = 0
        for size, (y, x) in zip(self.sizes, corners, strict=True):
            stop = start + len(y) * len(x)
            _histograms(names, y, x, size, histograms[start:stop])
            positions[start:stop] = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2) + size / 2
            start = stop
        return histograms, positions

    def _corners(self, height: int, width: int) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Return y and x of the top left corners of the patches of each size."""
        least = max(self.sizes)
        sides = max(height, least), max(width, least)
        return [
            (np.arange(0, sides[0] - size + 1, self.step), np.arange(0, sides[1] - size + 1, self.step))
            for size in self.sizes
        ]


@njit(nogil=True)
def _histograms(names: Pixels, y: npt.NDArray[np.int64], x: npt.NDArray[np.int64], size: int, out: Floats) -> None:
    """Compute the histogram of each patch, in rows of patches.

    A patch that overlaps its left neighbour is counted by the columns that leave and enter.
    """
    share = np.float32(1.0 / (size * size))
    counts = np.empty(N_NAMES, np.int32)
    for i in range(len(y)):
        left = right = 0  # columns that are counted
        counts[:] = 0
        for j in range(len(x)):
            if x[j] >= right:
                counts[:] = 0
                left = right = x[j]
            for dy in range(size):
                line = names[y[i] + dy]
                for column in range(left, x[j]):
                    counts[line[column]] -= 1
                for column in range(right, x[j] + size):
                    counts[line[column]] += 1
            left, right = x[j], x[j] + size
            row = out[i * len(x) + j]
            for name in range(N_NAMES):
                row[name] = np.float32(counts[name]) * share
