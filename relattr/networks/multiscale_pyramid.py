"""The multiscale pyramid of ViralNet-M: the image at full, half and quarter size (Dubey & Agarwal, MM 2017, §3.2).

AlexNet cannot process a quarter of 227 pixels, so the downscaled image is enlarged to the network's input size: a
view without fine detail. The crop itself is cut from the full image.
"""

from __future__ import annotations

import torch
from torch.nn import functional

SCALES = (1.0, 0.5, 0.25)
"""Image size seen by each transformer of ViralNet-M, and size of its initial crop, relative to the first one."""


def downscaled_view(images: torch.Tensor, scale: float, size: int) -> torch.Tensor:
    """Downscale ``(n, c, h, w)`` to ``scale`` times ``size`` pixels a side, then enlarge to ``(n, c, size, size)``."""
    small = max(1, round(scale * size))
    return resize_square(resize_square(images, small), size)


def resize_square(images: torch.Tensor, size: int) -> torch.Tensor:
    """Resize to square images ``(n, c, size, size)``, bilinear, antialiased when downscaling."""
    side = images.shape[-1]
    if images.shape[-2:] == (size, size):
        return images
    return functional.interpolate(images, (size, size), mode="bilinear", align_corners=False, antialias=size < side)
