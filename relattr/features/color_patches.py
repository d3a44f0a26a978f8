"""Colour patches: histograms of 50 colour names in patches, through the pipeline of ``coded``, 5,376 numbers an image.

As in the feature toolbox of Khosla: patches of 8, 12 and 16 px a side, every 4 px, each described by the share of
each colour name in it (see ``color_names``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np
import numpy.typing as npt

from relattr.features.color_names import N_NAMES, Vocabulary, color_names
from relattr.features.encoded import EncodedFeature, Floats
from relattr.features.input import Pixels


class ColorPatches(EncodedFeature):
    """The feature.

    Parameters
    ----------
    vocabulary: which 50 colour names (see ``color_names``).
    sizes, step: px a side of the patches, and px between them.
    maxsize, n_words, k, beta, levels, max_images, per_image, max_descriptors: see ``EncodedFeature``.

    An image smaller than the largest patch is continued by its mirror until it is not.
    """

    what = "colour patches"

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
        """Patches of one size after the other, each size row by row."""
        height, width = image.shape[:2]
        names = color_names(image, self.vocabulary)
        smallest = max(self.sizes)
        short = [(0, max(0, smallest - side)) for side in (height, width)]
        names = np.pad(names, short, mode="symmetric")
        corners = self._corners(height, width)
        found = np.zeros((self.count(height, width), N_NAMES), np.float32)
        positions = np.empty((len(found), 2), np.float32)
        start = 0
        for size, (y, x) in zip(self.sizes, corners, strict=True):
            stop = start + len(y) * len(x)
            _histograms(names, y, x, size, found[start:stop])
            positions[start:stop] = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2) + size / 2
            start = stop
        return found, positions

    def _corners(self, height: int, width: int) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """For each size, y and x of the patches' top left corners."""
        smallest = max(self.sizes)
        sides = max(height, smallest), max(width, smallest)
        return [
            (np.arange(0, sides[0] - size + 1, self.step), np.arange(0, sides[1] - size + 1, self.step))
            for size in self.sizes
        ]


@numba.njit(nogil=True, cache=True)
def _histograms(names: Pixels, y: npt.NDArray[np.int64], x: npt.NDArray[np.int64], size: int, out: Floats) -> None:
    share = np.float32(1.0 / (size * size))
    for i in range(len(y)):
        for j in range(len(x)):
            row = out[i * len(x) + j]
            for dy in range(size):
                line = names[y[i] + dy]
                for dx in range(size):
                    row[line[x[j] + dx]] += share
