"""Local binary patterns (LBP) over a spatial pyramid, 1,239 dimensions.

Ojala, Pietikainen, Maenpaa, "Multiresolution Gray-Scale and Rotation Invariant Texture Classification with Local
Binary Patterns", PAMI 2002, with the parameters of Khosla's feature toolbox.

The pattern of a pixel has one bit for each of 8 neighbours on a circle of radius 1, starting at the right and going
anticlockwise; a bit is set if the neighbour is at least as bright as the pixel. The four diagonal neighbours lie
between pixels and are interpolated bilinearly. The 58 uniform patterns (at most two 0/1 transitions around the
circle) have a bin each, in ascending order of their binary code; all other patterns share bin 58. Border pixels have
no pattern. The patterns are scikit-image's, method ``nri_uniform``.

The feature concatenates 59-bin histograms of 1x1, 2x2 and 4x4 cells, cells in column-major order; each level is
divided by its sum and multiplied by 1, 4 and 32.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from relattr.features.input import read_image
from relattr.images.sequence import ImageSequence, Pixels

MAXSIZE = 500
PATTERNS = 59
LEVELS = ((1, 1.0), (2, 4.0), (4, 32.0))
"""Cells per side, and the sum of all histograms of the level."""
DIMENSIONS = PATTERNS * sum(g * g for g, _ in LEVELS)

# fmt: off
_BIN = np.array([
    0, 1, 29, 22, 16, 11, 7, 4, 2, 3, 30, 36, 23, 17, 12, 8, 5, 6, 31, 37, 42, 24, 18, 13, 9, 10, 32, 38, 43, 47,
    25, 19, 14, 15, 33, 39, 44, 48, 51, 26, 20, 21, 34, 40, 45, 49, 52, 54, 27, 28, 35, 41, 46, 50, 53, 55, 56, 57, 58,
], dtype=np.uint8)  # the bin, by binary code, of each of scikit-image's labels
# fmt: on


def lbp(images: ImageSequence, progress: Callable[[int], object] | None = None) -> NDArray[np.float32]:
    """Return the LBP feature of each image, ``(n, 1239)`` float32; a row depends on its own image only.

    ``progress`` is called with 1 after each image. Raises `BadInput`, naming the image, for invalid pixels.
    """
    features = np.empty((len(images), DIMENSIONS), np.float32)
    for index in range(len(images)):
        patterns = uniform_patterns(_to_grey(read_image(images, index, MAXSIZE, "LBP")))
        features[index] = np.concatenate([_histograms(patterns, cells, total) for cells, total in LEVELS])
        if progress is not None:
            progress(1)
    return features


def uniform_patterns(grey: Pixels) -> Pixels:
    """Return the pattern, 0..58, of each inner pixel of greyscale values ``(H, W)``: ``(H - 2, W - 2)``."""
    from skimage.feature import local_binary_pattern

    labels = local_binary_pattern(grey, 8, 1, method="nri_uniform")[1:-1, 1:-1]
    return _BIN[labels.astype(np.uint8)]


def _to_grey(image: Pixels) -> Pixels:
    """Return the rounded luma, padded to at least 3x3 pixels."""
    grey = np.floor(image @ np.array([0.2989, 0.5870, 0.1140]) + 0.5).astype(np.uint8)
    missing = [(0, max(0, 3 - side)) for side in grey.shape]
    return np.pad(grey, missing, mode="edge")


def _histograms(patterns: Pixels, cells: int, total: float) -> NDArray[np.floating]:
    rows, columns = (np.arange(side) * cells // side for side in patterns.shape)
    bins = (columns[None, :] * cells + rows[:, None]) * PATTERNS + patterns
    counts = np.bincount(bins.ravel(), minlength=cells * cells * PATTERNS)
    return counts * (total / patterns.size)
