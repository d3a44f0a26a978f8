"""Histogram of CIE L*a*b* values, 30 dimensions.

Parikh & Grauman, "Relative Attributes", ICCV 2011, concatenate GIST with a histogram of 10 bins for each channel of
L*a*b*; in their released PubFig data each channel sums to 1/3. The bin edges are not published: here L* spans 0..100,
a* and b* span -100..100, and values outside fall into the outermost bins.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relattr.features.input import read_image
from relattr.images.sequence import ImageSequence

BINS = 10
DIMENSIONS = 3 * BINS
LOWER, UPPER = np.array([0.0, -100.0, -100.0]), np.array([100.0, 100.0, 100.0])


def rgb_to_lab(rgb: ArrayLike) -> NDArray[np.float64]:
    """Convert sRGB colours ``(..., 3)`` from 0 to 255 to L* in 0..100, a* and b*; white point D65, 2 degrees."""
    from skimage.color import rgb2lab

    lab: NDArray[np.float64] = rgb2lab(np.asarray(rgb, np.float64) / 255)
    return lab


def lab_histogram(images: ImageSequence, progress: Callable[[int], object] | None = None) -> NDArray[np.float32]:
    """Return the L*a*b* histogram of each image, ``(n, 30)`` float32: L*, a* and b*, each summing to 1/3.

    ``progress`` is called with 1 after each image. Raises `BadInput`, naming the image, for invalid pixels.
    """
    histograms = np.empty((len(images), DIMENSIONS), np.float32)
    for index in range(len(images)):
        image = read_image(images, index, None, "Lab histogram")
        position = (rgb_to_lab(image.reshape(-1, 3)) - LOWER) / (UPPER - LOWER) * BINS
        bins = np.clip(position.astype(np.int64), 0, BINS - 1) + BINS * np.arange(3)
        histograms[index] = np.bincount(bins.ravel(), minlength=DIMENSIONS) / bins.size
        if progress is not None:
            progress(1)
    return histograms
