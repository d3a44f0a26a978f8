"""Preprocessing of images of any size for a network: antialiased resizing, cropping, normalisation.

Resizing is that of torchvision's transforms on a decoded image, on uint8; it equals Pillow's up to one grey level.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from relattr.backbones.names import Preprocessing
from relattr.errors import BadInput

Crop = Literal["center", "resize", "ten"]
CROPS: tuple[Crop, ...] = ("center", "resize", "ten")


def n_views(image_count: int, crop: Crop) -> int:
    """Return the number of network inputs for ``image_count`` images."""
    return image_count * (10 if crop == "ten" else 1)


def crop_views(images: Sequence[NDArray[np.uint8]], preprocessing: Preprocessing, crop: Crop) -> torch.Tensor:
    """Resize and crop images to network inputs, ``(n, 3, size, size)`` uint8, channels last in memory.

    ``crop``: ``center`` resizes the shorter side to ``preprocessing.resize`` and takes the central crop; ``resize``
    resizes the whole image to the square, ignoring its aspect ratio; ``ten`` takes the four corner crops and the
    central crop of each image, then the same of its mirror image. Raises `BadInput` for an image that is not
    ``(h, w, 3)`` uint8.
    """
    size = preprocessing.input_size
    out = torch.empty((n_views(len(images), crop), size, size, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    by_size: dict[tuple[int, ...], list[int]] = {}
    for index, image in enumerate(images):
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise BadInput(f"image {index} is {image.dtype} {image.shape}; expected uint8 (height, width, 3)")
        by_size.setdefault(image.shape, []).append(index)
    for (height, width, _), members in by_size.items():  # images of equal size are processed as one batch
        batch = torch.from_numpy(np.stack([images[i] for i in members])).permute(0, 3, 1, 2)
        if crop == "resize":
            out[members] = _resize(batch, size, size, preprocessing.bicubic)
            continue
        scale = preprocessing.resize / min(height, width)
        if height <= width:
            batch = _resize(batch, preprocessing.resize, int(scale * width + 1e-9), preprocessing.bicubic)
        else:
            batch = _resize(batch, int(scale * height + 1e-9), preprocessing.resize, preprocessing.bicubic)
        down, right = batch.shape[2] - size, batch.shape[3] - size
        middle = (round(down / 2), round(right / 2))
        if crop == "center":
            out[members] = batch[:, :, middle[0] : middle[0] + size, middle[1] : middle[1] + size]
            continue
        corners = [(0, 0), (0, right), (down, 0), (down, right), middle]
        rows = torch.tensor(members) * 10
        for first, mirrored in ((0, batch), (5, batch.flip(3))):
            for view, (top, left) in enumerate(corners):
                out[rows + first + view] = mirrored[:, :, top : top + size, left : left + size]
    return out


def normalise_pixels(pixels: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """Convert ``(n, 3, h, w)`` uint8 to the float32 input of the network, on the device of the pixels."""
    mean = torch.tensor(preprocessing.mean, device=pixels.device).view(1, 3, 1, 1)
    scale = torch.tensor(preprocessing.std, device=pixels.device).view(1, 3, 1, 1).reciprocal()
    x = pixels.float().mul_(scale / 255).sub_(mean * scale)
    return x.flip(1).contiguous(memory_format=torch.channels_last) if preprocessing.bgr else x


def _resize(batch: torch.Tensor, height: int, width: int, bicubic: bool) -> torch.Tensor:
    if batch.shape[2:] == (height, width):
        return batch
    mode = "bicubic" if bicubic else "bilinear"
    return functional.interpolate(batch, (height, width), mode=mode, align_corners=False, antialias=True)
