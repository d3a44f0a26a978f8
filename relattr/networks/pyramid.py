"""What the transformers of several scales see: the image at full size, at half, at a quarter (Dubey & Agarwal, §3.2).

AlexNet cannot run on a quarter of 227 pixels, so the smaller image is stretched back to the size of the network's
input: a view without fine detail. The crop itself is cut from the full image.
"""

from __future__ import annotations

import torch
from torch.nn import functional

SCALES = (1.0, 0.5, 0.25)
"""Of ViralNet-M: the size of the image that each transformer sees, and of its first crop against the first's."""


def view(images: torch.Tensor, scale: float, size: int) -> torch.Tensor:
    """``(n, c, h, w)`` shrunk to ``scale`` of ``size`` pixels a side and stretched back to ``(n, c, size, size)``."""
    small = max(1, round(scale * size))
    return resized(resized(images, small), size)


def resized(images: torch.Tensor, size: int) -> torch.Tensor:
    """Square images ``(n, c, size, size)``, antialiased where they shrink."""
    side = images.shape[-1]
    if images.shape[-2:] == (size, size):
        return images
    return functional.interpolate(images, (size, size), mode="bilinear", align_corners=False, antialias=size < side)
