"""Histogram of CIE L*a*b* values, 30 dimensions.

Parikh & Grauman, "Relative Attributes", ICCV 2011, concatenate GIST with a histogram of 10 bins for each channel of
L*a*b*; in their released PubFig data each channel sums to 1/3. The bin edges are not published: here L* spans 0..100,
a* and b* span -100..100, and values outside fall into the outermost bins.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relattr.features.input import read_image
from relattr.images.sequence import ImageSequence, Pixels
from relattr.system.compiled import njit

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

BINS = 10
DIMENSIONS = 3 * BINS
LOWER, UPPER = np.array([0.0, -100.0, -100.0]), np.array([100.0, 100.0, 100.0])
_WHITE = np.array([0.95047, 1.0, 1.08883])  # X, Y and Z of D65, 2 degrees
_STEPS = 4096
_UNCERTAIN = 3e-4  # bins; more than twice the error of a position from the tables


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
        pixels = np.ascontiguousarray(read_image(images, index, None, "Lab histogram").reshape(-1, 3))
        counts = np.zeros(DIMENSIONS, np.int64)
        rest = pixels[_count_certain(pixels, *_tables(), counts)]
        if len(rest):
            counts += np.bincount(_bins(rest).ravel(), minlength=DIMENSIONS)
        histograms[index] = counts / pixels.size
        if progress is not None:
            progress(1)
    return histograms


def _bins(rgb: ArrayLike) -> Integers:
    """Return the three bins, from 0 to 29, of each colour (n, 3)."""
    position = (rgb_to_lab(rgb) - LOWER) / (UPPER - LOWER) * BINS
    return np.clip(position.astype(np.int64), 0, BINS - 1) + BINS * np.arange(3)


def _count_none(
    pixels: Pixels, linear: Floats, matrix: Floats, root: Floats, greys: Integers, counts: Integers
) -> Integers:
    """Leave every pixel to `_bins`."""
    return np.arange(len(pixels))


@njit(nogil=True, in_numpy=_count_none)
def _count_certain(
    pixels: Pixels, linear: Floats, matrix: Floats, root: Floats, greys: Integers, counts: Integers
) -> Integers:
    """Add the bins of the pixels to ``counts`` and return the indices of those that are too close to an edge to tell.

    Positions are computed in float32 from tables, see `_tables`, and are accurate to 1.1e-4 bins. Greys have a* and b*
    on an edge, and a table of their own.
    """
    scale = np.float32(len(root) - 2)
    uncertain = np.empty(len(pixels), np.int64)
    n = 0
    f = np.empty(3, np.float32)
    position = np.empty(3, np.float32)
    for i in range(len(pixels)):
        r, g, b = pixels[i, 0], pixels[i, 1], pixels[i, 2]
        if r == g and g == b:
            for c in range(3):
                counts[greys[r, c]] += 1
            continue
        red, green, blue = linear[r], linear[g], linear[b]
        for c in range(3):
            t = (matrix[c, 0] * red + matrix[c, 1] * green + matrix[c, 2] * blue) * scale
            step = np.int64(t)
            f[c] = root[step] + (t - np.float32(step)) * (root[step + 1] - root[step])
        position[0] = np.float32(11.6) * f[1] - np.float32(1.6)
        position[1] = np.float32(25) * (f[0] - f[1]) + np.float32(5)
        position[2] = np.float32(10) * (f[1] - f[2]) + np.float32(5)
        certain = True
        for c in range(3):
            fraction = position[c] - np.floor(position[c])
            certain &= _UNCERTAIN < fraction < 1 - _UNCERTAIN
        if certain:
            for c in range(3):
                counts[BINS * c + min(max(int(position[c]), 0), BINS - 1)] += 1
        else:
            uncertain[n] = i
            n += 1
    return uncertain[:n]


@lru_cache(maxsize=1)
def _tables() -> tuple[Floats, Floats, Floats, Integers]:
    """Return the tables of `_count_certain`.

    The linear intensity of each byte; the matrix from linear RGB to X, Y and Z divided by those of white; the cube root
    of CIE L*a*b*, linear for small values, at `_STEPS` equal steps from 0 to 1 and one beyond; the bins of each grey.
    """
    from skimage.color import rgb2xyz

    byte = np.arange(256)
    red = np.zeros((256, 3))
    red[:, 0] = byte / 255
    linear = rgb2xyz(red)[:, 0]
    matrix = rgb2xyz(np.eye(3)).T / _WHITE[:, None]
    t = np.arange(_STEPS + 2) / _STEPS
    root = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    greys = _bins(np.repeat(byte[:, None], 3, axis=1))
    return (linear / linear[-1]).astype(np.float32), matrix.astype(np.float32), root.astype(np.float32), greys
