"""Patch features from gradients: each patch resized to 64 x 64 px and described by 8 x 8 cells of HOG."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from relattr.chains.patch_descriptor import l2_normalise
from relattr.features.hog import CELL_CHANNELS, dense_hog
from relattr.images import Images

SIDE, CELL = 64, 8
"""Px of the resized patch, and of a cell."""

_PAD = 13  # with it the first cell is centred at the patch's pixel 3, and 8 of them, 8 px apart, fit


class HogPatches:
    """Templates of Felzenszwalb's 31-d HOG; a patch is described without its surroundings.

    ``threads`` images are described at once.
    """

    dim = (SIDE // CELL) ** 2 * CELL_CHANNELS

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads

    def read(self, images: Images, advance: Callable[[int], object]) -> Images:
        """The images themselves, which are decoded as they are described."""
        advance(len(images))
        return images

    def describe(self, held: Images, which: NDArray[np.integer[Any]], boxes: NDArray[Any]) -> NDArray[np.float32]:
        """See `PatchSource`."""
        out = np.empty((which.size, boxes.shape[-2], self.dim), np.float32)

        def one(k: int) -> None:
            out[k] = hog_templates(held[int(which[k])], boxes if boxes.ndim == 2 else boxes[k])

        if self.threads == 1:
            for k in range(which.size):
                one(k)
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(one, range(which.size)))
        return l2_normalise(out)


def hog_templates(image: NDArray[np.uint8], boxes: NDArray[Any]) -> NDArray[np.float32]:
    """HOG ``(k, dim)`` of the parts of an image ``(h, w, 3)`` uint8 in these boxes ``(k, 4)``."""
    height, width = image.shape[:2]
    picture = Image.fromarray(np.ascontiguousarray(image))
    corners = (np.asarray(boxes, np.float64) * (width, height, width, height)).clip(0, (width, height, width, height))
    patches = np.stack(
        [np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=tuple(c))) for c in corners.tolist()]
    )
    return dense_hog(patches, cell=CELL, stride=CELL, pad=_PAD).reshape(len(patches), -1)
