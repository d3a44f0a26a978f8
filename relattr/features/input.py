"""Images as the classic features take them: three channels, no side above a feature's largest."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from relattr.errors import BadInput

Pixels = npt.NDArray[np.uint8]


class ImageSequence(Protocol):
    """What images are taken from: uint8 arrays (H, W, 3), or (H, W) for grey, of any sizes."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Pixels: ...


def read_image(images: ImageSequence, index: int, maxsize: int | None, what: str) -> Pixels:
    """Image ``index`` with three channels and, where ``maxsize`` is given, no side above it.

    Raises `BadInput`, naming the feature (``what``) and the image, for one that is not uint8 (H, W, 3) or (H, W).
    """
    image = np.asarray(images[index])
    grey = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 1)
    if image.dtype != np.uint8 or not (grey or (image.ndim == 3 and image.shape[2] == 3)) or image.size == 0:
        raise BadInput(
            f"{what}: image {index} is {image.dtype} of shape {image.shape}; "
            "expected uint8 of shape (H, W, 3), or (H, W) for grey, with at least one pixel"
        )
    if grey:
        image = np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    return image if maxsize is None else shrink(image, maxsize, what)


def shrink(image: Pixels, maxsize: int, what: str = "features") -> Pixels:
    """The image scaled down so that its longer side is ``maxsize`` (the shorter rounded up), or as it is."""
    height, width = image.shape[:2]
    longer = max(height, width)
    if maxsize < 1:
        raise BadInput(f"{what}: maxsize is {maxsize}; it must be at least 1 px")
    if longer <= maxsize:
        return image
    from PIL import Image

    new_height, new_width = (-(-side * maxsize // longer) for side in (height, width))
    small = Image.fromarray(np.ascontiguousarray(image)).resize((new_width, new_height), Image.Resampling.BICUBIC)
    return np.asarray(small)
