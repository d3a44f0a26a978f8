"""Image input of the hand-crafted features: three channels, and an upper limit on the side length."""

from __future__ import annotations

import numpy as np

from relattr.errors import BadInput
from relattr.images.sequence import ImageSequence, Pixels


def read_image(images: ImageSequence, index: int, maxsize: int | None, feature: str) -> Pixels:
    """Return image ``index`` with three channels and, if ``maxsize`` is given, no side longer than that.

    Raises `BadInput`, naming the feature and the image, if it is not uint8 of shape (H, W, 3) or (H, W).
    """
    image = np.asarray(images[index])
    grey = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 1)
    if image.dtype != np.uint8 or not (grey or (image.ndim == 3 and image.shape[2] == 3)) or image.size == 0:
        raise BadInput(
            f"{feature}: image {index} is {image.dtype} of shape {image.shape}; "
            "expected uint8 of shape (H, W, 3), or (H, W) for greyscale, with at least one pixel"
        )
    if grey:
        image = np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    return image if maxsize is None else shrink(image, maxsize, feature)


def shrink(image: Pixels, maxsize: int, feature: str = "features") -> Pixels:
    """Downscale an image so that its longer side is ``maxsize`` px (the shorter is rounded up); never enlarge it."""
    height, width = image.shape[:2]
    longer = max(height, width)
    if maxsize < 1:
        raise BadInput(f"{feature}: maxsize is {maxsize}; it must be at least 1 px")
    if longer <= maxsize:
        return image
    from PIL import Image

    new_height, new_width = (-(-side * maxsize // longer) for side in (height, width))
    resized = Image.fromarray(np.ascontiguousarray(image)).resize((new_width, new_height), Image.Resampling.BICUBIC)
    return np.asarray(resized)
