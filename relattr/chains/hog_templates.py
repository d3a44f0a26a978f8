"""HOG templates as patch features: each patch is resized to 64 x 64 px and described by 8 x 8 cells."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr.chains.patch_descriptor import crop_patches, l2_normalise
from relattr.features.hog import CELL_CHANNELS, dense_hog
from relattr.images import Images

PATCH_SIDE, CELL_SIDE = 64, 8
"""Side in px of the resized patch, and of a cell."""

_PAD = 13  # px: the first cell is then centred at pixel 3 of the patch, and 8 cells fit, 8 px apart


class HogPatches:
    """Templates of Felzenszwalb's 31-channel HOG, of each patch without its surroundings.

    ``threads`` images are processed in parallel.
    """

    dim = (PATCH_SIDE // CELL_SIDE) ** 2 * CELL_CHANNELS

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads

    def read(self, images: Images, advance: Callable[[int], object]) -> Images:
        """The images themselves, which are decoded in `describe`."""
        advance(len(images))
        return images

    def describe(self, data: Images, indices: NDArray[np.integer[Any]], boxes: NDArray[Any]) -> NDArray[np.float32]:
        """HOG templates; see `PatchDescriptor.describe`."""
        features = np.empty((indices.size, boxes.shape[-2], self.dim), np.float32)

        def describe_image(k: int) -> None:
            features[k] = hog_templates(data[int(indices[k])], boxes if boxes.ndim == 2 else boxes[k])

        if self.threads == 1:
            for k in range(indices.size):
                describe_image(k)
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(describe_image, range(indices.size)))
        return l2_normalise(features)


def hog_templates(image: NDArray[np.uint8], boxes: NDArray[Any]) -> NDArray[np.float32]:
    """HOG templates ``(k, dim)`` of the parts of an image ``(h, w, 3)`` uint8 in these boxes ``(k, 4)``."""
    patches = crop_patches(image, boxes, PATCH_SIDE)
    return dense_hog(patches, cell=CELL_SIDE, stride=CELL_SIDE, pad=_PAD).reshape(len(patches), -1)
