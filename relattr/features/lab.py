"""CIE L*a*b* of sRGB colours, and Parikh & Grauman's colour histogram in it: 30 numbers an image.

Parikh & Grauman, "Relative Attributes", ICCV 2011, add to GIST a histogram of 10 bins for each channel of L*a*b*;
in their released PubFig data each channel sums to a third. Where their bins end is not known: here L* is 0..100,
and a* and b* are -100..100, with what lies outside in the outermost bins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relattr.features.input import ImageSequence, read_image

BINS = 10
DIMENSIONS = 3 * BINS
LOW, HIGH = np.array([0.0, -100.0, -100.0]), np.array([100.0, 100.0, 100.0])

_TO_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])  # daylight D65, seen at 2 degrees


def _linear(levels: NDArray[Any]) -> NDArray[np.float64]:
    """Light in 0..1 of sRGB levels from 0 to 255."""
    grey = levels.astype(np.float64) / 255
    found: NDArray[np.float64] = np.where(grey > 0.04045, ((grey + 0.055) / 1.055) ** 2.4, grey / 12.92)
    return found


_LINEAR = _linear(np.arange(256))  # powers are what an image of bytes would spend its time on


def rgb_to_lab(rgb: ArrayLike) -> NDArray[np.float64]:
    """L* in 0..100, a* and b* of sRGB colours ``(..., 3)`` from 0 to 255."""
    given = np.asarray(rgb)
    linear = _LINEAR[given] if given.dtype == np.uint8 else _linear(given)
    xyz = linear @ (_TO_XYZ.T / _WHITE)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def lab_histogram(images: ImageSequence, progress: Callable[[int], object] | None = None) -> NDArray[np.float32]:
    """The histogram of each image, ``(n, 30)`` float32: L*, a*, b*, each summing to a third.

    ``progress`` is called with 1 for each image done. Raises `BadInput`, naming it, for an image that is none.
    """
    out = np.empty((len(images), DIMENSIONS), np.float32)
    for index in range(len(images)):
        image = read_image(images, index, None, "Lab histogram")
        place = (rgb_to_lab(image.reshape(-1, 3)) - LOW) / (HIGH - LOW) * BINS
        bins = np.clip(place.astype(np.int64), 0, BINS - 1) + BINS * np.arange(3)
        out[index] = np.bincount(bins.ravel(), minlength=DIMENSIONS) / bins.size
        if progress is not None:
            progress(1)
    return out
