"""HOG 2x2 (or 3x3) with LLC encoding and a spatial pyramid, 5,376 dimensions.

Dense descriptors of neighbouring HOG cells (``hog``), encoded as in ``encoded``.
"""

from __future__ import annotations

from collections.abc import Sequence

from relattr.features.encoded import EncodedFeature, Floats
from relattr.features.hog import CELL_CHANNELS, stacked_hog
from relattr.features.hog_grid import make_grid
from relattr.images.sequence import Pixels


class HOG2x2(EncodedFeature):
    """Encoded HOG 2x2; HOG 3x3 is ``HOG2x2(cells=3, pad=24)``.

    Parameters
    ----------
    cell, cells, step, pad: side length of a cell in px, cells per side of a descriptor, stride in px, and mirror
        padding on each side in px (see ``hog``).
    maxsize, n_words, k, beta, levels, max_images, per_image, max_descriptors: see ``EncodedFeature``.
    """

    label = "HOG features"

    def __init__(
        self,
        cell: int = 8,
        cells: int = 2,
        step: int = 6,
        pad: int = 20,
        maxsize: int = 400,
        n_words: int = 256,
        k: int = 3,
        beta: float = 0.03,
        levels: Sequence[int] = (4, 2, 1),
        max_images: int = 500,
        per_image: int = 2000,
        max_descriptors: int = 500_000,
    ) -> None:
        super().__init__(maxsize, n_words, k, beta, levels, max_images, per_image, max_descriptors)
        self.cell = cell
        self.cells = cells
        self.step = step
        self.pad = pad

    @property
    def width(self) -> int:
        return CELL_CHANNELS * self.cells**2

    def count(self, height: int, width: int) -> int:
        ny, nx = make_grid(height, width, self.cell, self.cells, self.step, self.pad).shape
        return ny * nx

    def descriptors(self, image: Pixels) -> tuple[Floats, Floats]:
        return stacked_hog(image, self.cell, self.cells, self.step, self.pad)
