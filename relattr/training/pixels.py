"""Images as one uint8 tensor on the training device, and the crops of them that a network is shown.

Singh & Lee (ECCV 2016): images of 256 x 256; in training a random 226 x 226 crop at an offset of 1 to 30 pixels,
mirrored half the time, stretched to the network's 227; in tests ten crops, at the offsets (0, 0), (0, 30), (30, 0),
(30, 30), (15, 15) and mirrored. Dubey & Agarwal (MM 2017) crop 90 % of the area for ViralNet-M, another crop for
each scale.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from relattr.backbones.names import Preprocessing
from relattr.backbones.preprocess import normalised, prepare

if TYPE_CHECKING:
    from relattr.images import Images

SIDE = 226 / 256
"""The side of a crop against that of the image (Singh & Lee)."""
SIDE_OF_SCALES = 0.9**0.5
"""The same for ViralNet-M: 90 % of the area (Dubey & Agarwal)."""
PAD = 1 / 256
"""Training crops keep so far from the upper and left border: their offsets begin at 1 of 30 pixels."""
_CHUNK = 256


def load(images: Images, side: int, device: str, progress: Callable[[int], object] | None = None) -> torch.Tensor:
    """All images squeezed to squares, ``(n, 3, side, side)`` uint8, channels last, on ``device``."""
    out = torch.empty((len(images), side, side, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    how = Preprocessing(input_size=side, resize=side)
    for start in range(0, len(images), _CHUNK):
        stop = min(start + _CHUNK, len(images))
        out[start:stop] = prepare([images[i] for i in range(start, stop)], how, "resize")
        if progress is not None:
            progress(stop - start)
    return out.to(device)


class Cropper:
    """Crops of images, as a network's normalised input.

    Parameters
    ----------
    how : mean and standard deviation of the network's input.
    size : pixels a side of what comes out.
    side : of a crop, against the side of the image.
    """

    def __init__(self, how: Preprocessing, size: int, side: float = SIDE) -> None:
        self.how, self.size, self.side = how, size, side

    def random(self, pixels: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """One random crop of each image ``(n, 3, h, h)`` uint8, mirrored or not: ``(n, 3, size, size)`` float."""
        offset = rng.uniform(min(PAD, 1 - self.side), 1 - self.side, (len(pixels), 2))
        return self._cut(pixels, offset, rng.random(len(pixels)) < 0.5)

    def fixed(self, pixels: torch.Tensor, views: int) -> list[torch.Tensor]:
        """The same crops of all images: 1 (the middle), 2 (mirrored too) or 10 (corners and middle, both ways)."""
        room = 1 - self.side
        corners = [(0.5, 0.5), (0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)] if views == 10 else [(0.5, 0.5)]
        mirrors = [False] if views == 1 else [False, True]
        n = len(pixels)
        return [
            self._cut(pixels, np.tile(np.array(corner) * room, (n, 1)), np.full(n, mirror))
            for corner in corners
            for mirror in mirrors
        ]

    def _cut(self, pixels: torch.Tensor, offset: NDArray[np.float64], mirror: NDArray[np.bool_]) -> torch.Tensor:
        """Crops at these offsets (x, y), each in [0, 1 - side]."""
        middle = 2 * (offset + self.side / 2) - 1  # of the crop, the image's borders being at -1 and 1
        theta = np.zeros((len(pixels), 2, 3), np.float32)
        theta[:, 0, 0] = np.where(mirror, -self.side, self.side)
        theta[:, 1, 1] = self.side
        theta[:, :, 2] = middle
        x = normalised(pixels, self.how)
        grid = functional.affine_grid(
            torch.from_numpy(theta).to(x.device), [len(x), 3, self.size, self.size], align_corners=False
        )
        cut = functional.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
        return cut.contiguous(memory_format=torch.channels_last)
