"""The sampler of the spatial transformer: transformer parameters to crops, boxes and crop centres.

Singh & Lee (ECCV 2016) use three parameters per image, ``theta`` ``(n, 3)``: scale s and translation (tx, ty). The
crop's pixel at ``g``, both axes in [-1, 1], is sampled at ``s (g + t)`` of the image: the translation is scaled too,
so the centre of the crop is at ``s t``. Coordinates are corner-aligned. Outside the image all values are zero, which
is the mean colour.
"""

from __future__ import annotations

import torch
from torch import nn

from relattr.networks.sampling_grid import crop_grid


def sample_crops(images: torch.Tensor, theta: torch.Tensor, size: int) -> torch.Tensor:
    """Sample one crop of each image ``(n, c, h, w)`` bilinearly: ``(n, c, size, size)``, differentiable in ``theta``.

    A region smaller than the crop is enlarged; a larger one is sampled without antialiasing, as in the original.
    """
    grid = crop_grid(theta[:, :1].expand(-1, 2), crop_centres(theta), size, align_corners=True)
    return nn.functional.grid_sample(
        images, grid.to(images.dtype), mode="bilinear", padding_mode="zeros", align_corners=True
    )


def crop_centres(theta: torch.Tensor) -> torch.Tensor:
    """Centres ``(n, 2)`` of the crops, the image being [-1, 1] in x and y."""
    return theta[:, :1] * theta[:, 1:]


def centre_is_outside(theta: torch.Tensor) -> torch.Tensor:
    """Whether the centre of each crop lies outside the image, ``(n,)`` bool: ``|s tx| > 1`` or ``|s ty| > 1``."""
    return (crop_centres(theta).abs() > 1).any(1)


def crop_boxes(theta: torch.Tensor) -> torch.Tensor:
    """Boxes ``(n, 4)`` of the crops as x0, y0, x1, y1, the image being [0, 1]; they may extend beyond it."""
    centres = crop_centres(theta)
    half = theta[:, :1].abs().expand(-1, 2)
    return (torch.cat([centres - half, centres + half], 1) + 1) / 2
