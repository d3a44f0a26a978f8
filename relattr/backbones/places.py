"""Deep features of crops at fixed places: the same squares in every image, on a grid of positions and sizes.

A crop is not passed through the network by itself. The whole image is enlarged so that the crop would have the
resolution that it is to be seen at, passes through the convolutional part once, and the features of a place are the
mean of the feature map over the place's cells. All places of one size cost one forward pass. Cells near the border of a
place see a little beyond it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from relattr.backbones.backbone import Backbone, weights_fingerprint
from relattr.backbones.inference import optimised_forward
from relattr.backbones.preprocess import crop_views, normalise_pixels
from relattr.errors import BadInput
from relattr.images.sequence import ImageSequence
from relattr.system.malloc import retain_freed_memory

if TYPE_CHECKING:
    from relattr.images import Images

BATCH = 16
"""Images per batch: those of the smallest places are large."""


@dataclass(frozen=True)
class GridSize:
    """The places of one size in a feature map.

    Parameters
    ----------
    input_size : side in pixels that whole images are resized to.
    cells : cells per side of their feature map.
    window : cells per side of a place.
    step : cells between two places.
    """

    input_size: int
    cells: int
    window: int
    step: int

    @property
    def starts(self) -> list[int]:
        """The first cell of each place along one axis; the last place ends at the border."""
        last = self.cells - self.window
        return sorted({*range(0, last + 1, self.step), last})

    @property
    def boxes(self) -> NDArray[np.float32]:
        """The places ``(p, 4)`` row by row: x0, y0, x1, y1, the image being [0, 1]."""
        corners = [(x, y, x + self.window, y + self.window) for y in self.starts for x in self.starts]
        return (np.array(corners) / self.cells).astype(np.float32)


class PlaceGrid:
    """A grid of places for a backbone: the whole image first, then the places of each size, row by row.

    Parameters
    ----------
    backbone : its name.
    sizes : side of the places relative to the image, each in (0, 1); rounded to cells of the feature map.
    resolution : side in pixels at which the network sees a place, and the whole image.
    step : cells of the feature map between two places.

    Raises `BadInput` for a size out of range or for a backbone whose map of an image this large is a single cell.
    """

    def __init__(self, backbone: str, sizes: Sequence[float], resolution: int, step: int = 1) -> None:
        if not sizes or not all(0 < size < 1 for size in sizes):
            raise BadInput(f"sizes of places must be in (0, 1), relative to the image; got {list(sizes)}")
        if resolution < 1 or step < 1:
            raise BadInput(f"resolution and step must be at least 1; got {resolution} and {step}")
        self.backbone, self.sizes, self.resolution, self.step = backbone, tuple(sizes), resolution, step
        network = Backbone.create(backbone, pretrained=False)
        window = _map_side(network, resolution)
        self.grids = []
        for size in self.sizes:
            input_size = round(resolution / size)
            cells = _map_side(network, input_size)
            if cells <= window:
                raise BadInput(
                    f"a place of size {size:g} is the whole feature map of {backbone}: {cells} x {cells} cells for an "
                    f"image of {input_size} px; choose smaller sizes or a higher resolution"
                )
            self.grids.append(GridSize(input_size, cells, window, step))

    @property
    def boxes(self) -> NDArray[np.float32]:
        """The places ``(p, 4)``: x0, y0, x1, y1, the image being [0, 1]; the first is the whole image."""
        return np.concatenate([np.array([[0, 0, 1, 1]], np.float32), *(grid.boxes for grid in self.grids)])

    def features(self, images: Images, *, device: str = "cpu") -> NDArray[np.float32]:
        """Return the features of each place, ``(n, p, d)``, of unit norm; computed once and cached on disk."""
        from relattr.features.cache import cached_rows
        from relattr.identity import code_digest

        key = (
            f"places {self.backbone} weights={weights_fingerprint(self.backbone)} sizes={self.sizes} "
            f"resolution={self.resolution} step={self.step} {code_digest('relattr.backbones.places')}"
        )
        rows = cached_rows(
            images,
            key,
            lambda part: _extractor(self.backbone, self.sizes, self.resolution, self.step, device)(part),
            what=f"{self.backbone} features of {len(self.boxes)} places",
        )
        return rows.reshape(len(images), len(self.boxes), -1)


class PlaceExtractor:
    """A callable that computes the features of all places of a grid, ``(n, p * d)``, without a cache."""

    def __init__(self, grid: PlaceGrid, device: str = "cpu") -> None:
        self.grid, self.device = grid, torch.device(device)
        whole = Backbone.create(grid.backbone)
        self.preprocessing = whole.preprocessing
        self._whole = self._forward(whole, grid.resolution)
        self._maps = [self._forward(Backbone.create(grid.backbone), one.input_size) for one in grid.grids]

    def __call__(self, images: ImageSequence) -> NDArray[np.float32]:
        parts = []
        with torch.inference_mode(), retain_freed_memory(self.device.type == "cpu"):
            for start in range(0, len(images), BATCH):
                batch = [images[i] for i in range(start, min(start + BATCH, len(images)))]
                places = [self._map(self._whole, batch, self.grid.resolution).mean((2, 3))[:, None]]
                for one, forward in zip(self.grid.grids, self._maps, strict=True):
                    places.append(window_means(self._map(forward, batch, one.input_size), one))
                parts.append(functional.normalize(torch.cat(places, 1), dim=2).flatten(1).cpu().numpy())
        return np.concatenate(parts)

    def _map(self, forward, batch: Sequence[NDArray[np.uint8]], size: int) -> torch.Tensor:  # type: ignore[no-untyped-def]
        preprocessing = dataclasses.replace(self.preprocessing, input_size=size, resize=size)
        pixels = crop_views(batch, preprocessing, "resize").to(self.device)
        features: torch.Tensor = forward(normalise_pixels(pixels, preprocessing))
        return features

    def _forward(self, network: Backbone, size: int):  # type: ignore[no-untyped-def]
        return optimised_forward(
            network, "conv", dtype=torch.float32, device=self.device, batch_size=BATCH, input_size=size
        )


def window_means(feature_map: torch.Tensor, grid: GridSize) -> torch.Tensor:
    """The mean of a feature map ``(n, c, cells, cells)`` over each place of one size, ``(n, p, c)``."""
    means = functional.avg_pool2d(feature_map, grid.window, stride=1)
    starts = torch.tensor(grid.starts, device=feature_map.device)
    return means[:, :, starts][:, :, :, starts].flatten(2).transpose(1, 2)


def _map_side(network: Backbone, input_size: int) -> int:
    shape = network.feature_shape("conv", input_size)
    if len(shape) != 3:
        raise BadInput(f"{network.name} has no feature map: its output is {shape} per image")
    return shape[1]


@lru_cache(maxsize=1)
def _extractor(backbone: str, sizes: tuple[float, ...], resolution: int, step: int, device: str) -> PlaceExtractor:
    """Return the most recent extractor again: a cell extracts features of several image collections in turn."""
    return PlaceExtractor(PlaceGrid(backbone, sizes, resolution, step), device)
