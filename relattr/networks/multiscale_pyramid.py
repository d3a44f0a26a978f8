"""The multiscale pyramid of ViralNet-M: the image at full, half and quarter size (Dubey & Agarwal, MM 2017, §3.2).

AlexNet cannot process a quarter of 227 pixels, so the downscaled image is enlarged to the network's input size: a
view without fine detail. The crop itself is cut from the full image or from the downscaled one; the paper, which says
that the transformers "operate at" downsampled images, leaves that open.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn import functional

SCALES = (1.0, 0.5, 0.25)
"""Relative image resolution, and relative initial crop scale, of each transformer of ViralNet-M."""


CropSource = Literal["full", "downsampled"]
"""What a transformer crops: the image at full size, or downscaled to the transformer's scale."""


def downscaled_view(images: torch.Tensor, scale: float, size: int) -> torch.Tensor:
    """Downscale ``(n, c, h, w)`` to a side length of ``scale * size``, then enlarge to ``(n, c, size, size)``."""
    small = max(1, round(scale * size))
    return resize_square(resize_square(images, small), size)


def crop_source(images: torch.Tensor, scale: float, source: CropSource) -> torch.Tensor:
    """Return the images that this transformer crops: ``(n, c, h, h)`` unchanged, or ``scale`` times as large."""
    return images if source == "full" else resize_square(images, max(1, round(scale * images.shape[-1])))


def resize_square(images: torch.Tensor, size: int) -> torch.Tensor:
    """Resize to square images ``(n, c, size, size)``, bilinear, antialiased when downscaling."""
    side = images.shape[-1]
    if images.shape[-2:] == (size, size):
        return images
    return functional.interpolate(images, (size, size), mode="bilinear", align_corners=False, antialias=size < side)
