"""Images as one uint8 tensor on the training device, and their random and fixed crops as network input.

Singh & Lee (ECCV 2016): images of 256 x 256; in training a random 226 x 226 crop at an offset of 1 to 30 pixels,
mirrored half the time, resized to the network's 227; in tests ten crops, at the offsets (0, 0), (0, 30), (30, 0),
(30, 30), (15, 15), each also mirrored. Dubey & Agarwal (MM 2017) crop 90 % of the area for ViralNet-M, a separate
crop for each scale.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from relattr.backbones.names import Preprocessing
from relattr.backbones.preprocess import crop_views, normalise_pixels
from relattr.networks.sampling_grid import crop_grid

if TYPE_CHECKING:
    from relattr.images import Images

CROP_SIDE = 226 / 256
"""Side of a crop relative to the image (Singh & Lee)."""
MULTISCALE_CROP_SIDE = 0.9**0.5
"""The same for ViralNet-M: 90 % of the area (Dubey & Agarwal)."""
MIN_OFFSET = 1 / 256
"""Smallest distance of a training crop from the upper and left border: offsets are 1 to 30 pixels."""
MAX_TRAINING_SIDE = 256
"""Largest side, in pixels, that images are resized to before they are cropped."""
_CHUNK = 256
_N_MEASURED = 64


def image_side(images: Images) -> int:
    """Side in pixels that images are resized to: the longest side of the first ones, at most `MAX_TRAINING_SIDE`."""
    return min(MAX_TRAINING_SIDE, max(max(images[i].shape[:2]) for i in range(min(len(images), _N_MEASURED))))


def load_pixels(
    images: Images, side: int, device: str, progress: Callable[[int], object] | None = None
) -> torch.Tensor:
    """Load all images, resized to squares: ``(n, 3, side, side)`` uint8, channels last, on ``device``.

    ``progress`` is called with the number of images just loaded.
    """
    pixels = torch.empty((len(images), side, side, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    preprocessing = Preprocessing(input_size=side, resize=side)
    for start in range(0, len(images), _CHUNK):
        stop = min(start + _CHUNK, len(images))
        pixels[start:stop] = crop_views([images[i] for i in range(start, stop)], preprocessing, "resize")
        if progress is not None:
            progress(stop - start)
    return pixels.to(device)


def resize_image(image: NDArray[np.uint8], side: int) -> torch.Tensor:
    """One image ``(h, w, 3)`` as in `load_pixels`: ``(3, side, side)`` uint8."""
    return crop_views([image], Preprocessing(input_size=side, resize=side), "resize")[0]


def sampled_size(size: int, input_size: int, native: int) -> int:
    """Side in pixels that a crop is sampled at for a network that resizes it to ``size``.

    Where that is less than its ``input_size``, the crop keeps its ``native`` resolution, so that it is downscaled once,
    with antialiasing.
    """
    return size if size >= input_size else max(size, native)


class Cropper:
    """Crops of images, normalised as network input.

    Parameters
    ----------
    preprocessing : gives mean and standard deviation of the network's input.
    size : side length of the resized crop in pixels.
    side : of a crop, relative to the side of the image, in (0, 1].
    """

    def __init__(self, preprocessing: Preprocessing, size: int, side: float = CROP_SIDE) -> None:
        self.preprocessing, self.size, self.side = preprocessing, size, side

    def random(self, pixels: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """One random crop of each image ``(n, 3, h, h)`` uint8, mirrored or not: ``(n, 3, size, size)`` float."""
        offset = rng.uniform(min(MIN_OFFSET, 1 - self.side), 1 - self.side, (len(pixels), 2))
        return self._crop(pixels, offset, rng.random(len(pixels)) < 0.5)

    def fixed(self, pixels: torch.Tensor, views: int) -> list[torch.Tensor]:
        """The same 1 (centre), 2 (centre, also mirrored) or 10 (centre and corners, also mirrored) crops of all images.

        Each of the list is ``(n, 3, size, size)`` float.
        """
        margin = 1 - self.side
        offsets = [(0.5, 0.5), (0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)] if views == 10 else [(0.5, 0.5)]
        mirrors = [False] if views == 1 else [False, True]
        n = len(pixels)
        return [
            self._crop(pixels, np.tile(np.array(offset) * margin, (n, 1)), np.full(n, mirror))
            for offset in offsets
            for mirror in mirrors
        ]

    def _crop(self, pixels: torch.Tensor, offset: NDArray[np.float64], mirror: NDArray[np.bool_]) -> torch.Tensor:
        """Crop at these offsets ``(n, 2)`` (x, y), each in [0, 1 - side]."""
        centre = 2 * (offset + self.side / 2) - 1  # the image's borders are at -1 and 1
        scale = np.stack([np.where(mirror, -self.side, self.side), np.full(len(mirror), self.side)], 1)
        x = normalise_pixels(pixels.contiguous(), self.preprocessing)
        scales, centres = (torch.from_numpy(part.astype(np.float32)).to(x.device) for part in (scale, centre))
        grid = crop_grid(scales, centres, self.size, align_corners=False)
        crops = functional.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
        # crops that are resized again stay as they were sampled: that is faster than on channels last
        is_resized = self.size != self.preprocessing.input_size
        return crops if is_resized else crops.contiguous(memory_format=torch.channels_last)
