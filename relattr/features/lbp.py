"""Local binary patterns over a spatial pyramid: texture, 1,239 numbers an image.

Ojala, Pietikainen, Maenpaa, "Multiresolution Gray-Scale and Rotation Invariant Texture Classification with Local
Binary Patterns", PAMI 2002, as in the feature toolbox of Khosla.

A pixel's pattern has a bit for each of 8 neighbours on a circle of radius 1, from the right on and anticlockwise: set
where the neighbour is at least as bright. The four on the diagonals lie between pixels and are interpolated
bilinearly (in integers, so that no rounding decides a tie). Patterns whose bits change at most twice around the
circle are the 58 uniform ones, numbered by their value; all others share number 58. The pixels at the border have
no pattern.

The numbers are histograms of 59 patterns in 1, 4 and 16 cells, cells column by column; each level is divided by its
sum and multiplied by 1, 4 and 32.
"""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np
from numpy.typing import NDArray

from relattr.features.input import ImageSequence, Pixels, read_image

MAXSIZE = 500
PATTERNS = 59
LEVELS = ((1, 1.0), (2, 4.0), (4, 32.0))
"""Cells a side, and what the level's histograms sum to."""
DIMENSIONS = PATTERNS * sum(g * g for g, _ in LEVELS)

# Shares of the four pixels around a point on a diagonal, of 2**16: the diagonal one, the two beside, the centre.
_ONE = 1 << 16
_DIAGONAL, _BESIDE = _ONE // 2, round((2**0.5 - 1) / 2 * _ONE)
_CENTRE = _ONE - _DIAGONAL - 2 * _BESIDE


def lbp(images: ImageSequence, progress: Callable[[int], object] | None = None) -> NDArray[np.float32]:
    """The texture of each image, ``(n, 1239)`` float32; a row depends on its own image only.

    ``progress`` is called with 1 for each image done. Raises `BadInput`, naming it, for an image that is none.
    """
    out = np.empty((len(images), DIMENSIONS), np.float32)
    for index in range(len(images)):
        found = uniform_patterns(_grey(read_image(images, index, MAXSIZE, "LBP")))
        out[index] = np.concatenate([_level(found, cells, total) for cells, total in LEVELS])
        if progress is not None:
            progress(1)
    return out


def uniform_patterns(grey: Pixels) -> Pixels:
    """The number, 0..58, of the pattern of each inner pixel of ``(H, W)`` grey values: ``(H - 2, W - 2)``."""
    out = np.empty((grey.shape[0] - 2, grey.shape[1] - 2), np.uint8)
    _patterns(np.ascontiguousarray(grey), _NUMBERS, out)
    return out


def _grey(image: Pixels) -> Pixels:
    """Luma of at least 3x3 pixels, rounded."""
    grey = np.floor(image @ np.array([0.2989, 0.5870, 0.1140]) + 0.5).astype(np.uint8)
    short = [(0, max(0, 3 - side)) for side in grey.shape]
    return np.pad(grey, short, mode="edge")


def _level(found: Pixels, cells: int, total: float) -> NDArray[np.floating]:
    rows, columns = (np.arange(side) * cells // side for side in found.shape)
    number = (columns[None, :] * cells + rows[:, None]) * PATTERNS + found
    counts = np.bincount(number.ravel(), minlength=cells * cells * PATTERNS)
    return counts * (total / found.size)


def _numbers() -> Pixels:
    """The number of each of the 256 patterns."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    uniform = (bits != np.roll(bits, 1, axis=1)).sum(1) <= 2
    return np.where(uniform, np.cumsum(uniform) - 1, PATTERNS - 1).astype(np.uint8)


_NUMBERS = _numbers()


@numba.njit(nogil=True, cache=True)
def _patterns(grey: Pixels, numbers: Pixels, out: Pixels) -> None:
    for y in range(out.shape[0]):
        above, here, below = grey[y], grey[y + 1], grey[y + 2]
        for x in range(out.shape[1]):
            centre = np.int32(here[x + 1])
            left, right, up, down = np.int32(here[x]), np.int32(here[x + 2]), above[x + 1], below[x + 1]
            least = (_ONE - _CENTRE) * centre
            code = np.int32(right >= centre)
            code |= np.int32(_DIAGONAL * np.int32(above[x + 2]) + _BESIDE * (right + up) >= least) << 1
            code |= np.int32(up >= centre) << 2
            code |= np.int32(_DIAGONAL * np.int32(above[x]) + _BESIDE * (left + up) >= least) << 3
            code |= np.int32(left >= centre) << 4
            code |= np.int32(_DIAGONAL * np.int32(below[x]) + _BESIDE * (left + down) >= least) << 5
            code |= np.int32(down >= centre) << 6
            code |= np.int32(_DIAGONAL * np.int32(below[x + 2]) + _BESIDE * (right + down) >= least) << 7
            out[y, x] = numbers[code]
