"""Deep features of fixed places: the same squares in every image, on a grid of positions and sizes.

They are computed in one of two ways. `MapPlaces` passes the whole image through a backbone once, up to a layer whose
map is fine enough to tell places apart, and takes means over the cells of a place: one forward pass for all places. The
receptive fields of the cells reach beyond the place, and the more so the smaller the image is: therefore it is shown at
twice the size the backbone was trained with. `CropPlaces` cuts every place out of the image and passes it through the
backbone by itself: one forward pass for each place, whose features then contain nothing of what surrounds it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from relattr.backbones.backbone import Backbone
from relattr.errors import BadInput

if TYPE_CHECKING:
    from relattr.images import Images

STRIDE = 16
"""Pixels per cell, approximately, of the map that places are cut out of, unless a layer is named."""
MIN_CELLS = 6
"""Least cells per side of that map, for backbones with small inputs."""
CROP_CELLS = 28
"""Cells per side of the image that places cut out of it are rounded to."""
_IMAGES_PER_BATCH = 8
_TOLERANCE = 0.75  # a map without padding is somewhat smaller: 13 cells of AlexNet where the stride suggests 14


class PlaceGrid(ABC):
    """A grid of square places: first the whole image, then size by size, row by row.

    Places of a size are evenly spaced from border to border, so that the mirror image of a place is a place.

    Parameters
    ----------
    sizes : sides of the places relative to the image, each in (0, 1); rounded to cells.
    cells : the image's side in cells.
    step : most cells between two neighbouring places.
    least : smallest side of a place in cells.

    Raises `BadInput` for a value out of range, and for a size of too few or too many cells.
    """

    def __init__(self, sizes: Sequence[float], cells: int, step: int, least: int = 1) -> None:
        if not sizes or not all(0 < size < 1 for size in sizes):
            raise BadInput(f"sizes of places must be in (0, 1), relative to the image; got {list(sizes)}")
        if step < 1:
            raise BadInput(f"step must be at least 1; got {step}")
        self.cells, self.step = cells, step
        self.windows = [round(size * cells) for size in sizes]
        for size, window in zip(sizes, self.windows, strict=True):
            if not least <= window < cells:
                raise BadInput(
                    f"a place of size {size:g} has {window} of {cells} cells per side; expected at least {least}, and "
                    "fewer than all"
                )

    def _starts(self, window: int) -> list[int]:
        """The first cell of each place of a size along one axis."""
        last = self.cells - window
        n_steps = -(-last // self.step)
        if last % 2 and n_steps % 2 == 0:  # the middle is between two cells
            n_steps += 1
        first_half = [round(k * last / n_steps) for k in range(n_steps // 2 + 1)]
        return sorted({*first_half, *(last - start for start in first_half)})

    @cached_property
    def squares(self) -> list[tuple[int, int, int]]:
        """First column, first row and side of each place, in cells."""
        squares = [(0, 0, self.cells)]
        for window in self.windows:
            starts = self._starts(window)
            squares += [(x, y, window) for y in starts for x in starts]
        return squares

    @property
    def boxes(self) -> NDArray[np.float32]:
        """The places ``(p, 4)``: x0, y0, x1, y1, the image being [0, 1]; the first is the whole image."""
        corners = [(x, y, x + side, y + side) for x, y, side in self.squares]
        return (np.array(corners) / self.cells).astype(np.float32)

    @property
    def size_of_place(self) -> NDArray[np.int64]:
        """The index of the size of each place, ``(p,)``; -1 for the whole image."""
        counts = [len(self._starts(window)) ** 2 for window in self.windows]
        return np.concatenate([[-1], np.repeat(np.arange(len(counts)), counts)])

    @property
    def mirrored(self) -> NDArray[np.int64]:
        """The index of the place, ``(p,)``, that each place is in the mirrored image."""
        index = {square: k for k, square in enumerate(self.squares)}
        return np.array([index[self.cells - x - side, y, side] for x, y, side in self.squares])

    @property
    @abstractmethod
    def dim(self) -> int:
        """Features of a place."""

    @abstractmethod
    def load(self, images: Images, *, device: str = "cpu") -> torch.Tensor:
        """Return what the features of all places are taken from; computed once per image, and cached on disk."""

    @abstractmethod
    def features(self, loaded: torch.Tensor, place: int) -> NDArray[np.float32]:
        """Return the features of one place, ``(n, dim)``, of unit norm, given the result of `load` for some images."""


class MapPlaces(PlaceGrid):
    """Places cut out of the feature map of the whole image; their features are means over their parts.

    Parameters
    ----------
    backbone : name of the backbone.
    sizes : sides of the places relative to the image, each in (0, 1).
    layer : layer whose map is used; by default the last one with about 16 pixels per cell, see `layer_of_stride`.
    input_size : side in pixels that whole images are resized to; by default twice that of the backbone.
    parts : the features of a place are means over parts x parts of it.
    step : most cells of the map between two neighbouring places.

    Raises `BadInput` for a value out of range, a layer without a square map, and a size of too few or too many cells.
    """

    def __init__(
        self,
        backbone: str,
        sizes: Sequence[float],
        *,
        layer: str | None = None,
        input_size: int | None = None,
        parts: int = 2,
        step: int = 1,
    ) -> None:
        if parts < 1:
            raise BadInput(f"parts must be at least 1; got {parts}")
        network = Backbone.create(backbone, pretrained=False)
        self.backbone, self.parts = backbone, parts
        self.input_size = input_size or 2 * network.input_size
        self.layer = layer or layer_of_stride(network, self.input_size)
        shape = network.feature_shape(self.layer, self.input_size)
        if len(shape) != 3 or shape[1] != shape[2]:
            raise BadInput(f"layer {self.layer} of {backbone} is not a square map: its output is {shape} per image")
        self.channels = shape[0]
        super().__init__(sizes, shape[1], step, least=parts)

    @property
    def dim(self) -> int:
        return self.channels * self.parts**2

    def load(self, images: Images, *, device: str = "cpu") -> torch.Tensor:
        """Return the feature maps ``(n, c, cells, cells)``."""
        from relattr.backbones.extraction import cached_deep_features

        rows = cached_deep_features(
            images,
            self.backbone,
            self.layer,
            device=device,
            crop="resize",
            normalise="none",
            input_size=self.input_size,
        )
        return torch.from_numpy(rows).view(len(images), self.channels, self.cells, self.cells)

    def features(self, loaded: torch.Tensor, place: int) -> NDArray[np.float32]:
        x, y, side = self.squares[place]
        means = functional.adaptive_avg_pool2d(loaded[:, :, y : y + side, x : x + side], self.parts)
        features: NDArray[np.float32] = functional.normalize(means.flatten(1), dim=1).numpy()
        return features


class CropPlaces(PlaceGrid):
    """Places cut out of the image; their features are the backbone's for the crop by itself.

    Parameters
    ----------
    backbone : name of the backbone.
    sizes : sides of the places relative to the image, each in (0, 1); rounded to 28ths.
    crop_size : side in pixels that a crop is resized to; by default half the backbone's input size.
    step : most 28ths of the image between two neighbouring places.

    Raises `BadInput` for a value out of range, and for a size of too few or too many cells.
    """

    def __init__(self, backbone: str, sizes: Sequence[float], *, crop_size: int | None = None, step: int = 1) -> None:
        network = Backbone.create(backbone, pretrained=False)
        self.backbone = backbone
        self.crop_size = crop_size or network.input_size // 2
        self._dim = network.feature_dim(network.default_layer, self.crop_size)
        super().__init__(sizes, CROP_CELLS, step)

    @property
    def dim(self) -> int:
        return self._dim

    def load(self, images: Images, *, device: str = "cpu") -> torch.Tensor:
        """Return the features ``(n, p - 1, dim)`` of all places but the whole image."""
        from relattr.backbones.extraction import FeatureExtractor
        from relattr.features.cache import cached_rows
        from relattr.identity import code_digest

        extractor = FeatureExtractor(self.backbone, device=device, crop="resize", input_size=self.crop_size)

        def compute(images: Images) -> NDArray[np.float32]:
            parts = []
            for start in range(0, len(images), _IMAGES_PER_BATCH):
                some = range(start, min(start + _IMAGES_PER_BATCH, len(images)))
                parts.append(extractor([crop for k in some for crop in self.crops(images[k])]).reshape(len(some), -1))
            return np.concatenate(parts)

        squares = self.squares[1:]
        key = f"places {squares} of {self.cells} {extractor.spec.key()} {code_digest(__name__)}"
        rows = cached_rows(images, key, compute, what=f"{self.backbone} features of {len(squares)} places")
        return torch.from_numpy(rows).view(len(images), len(squares), self.dim)

    def crops(self, image: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        """Cut all places but the whole image out of an image ``(h, w, 3)``."""
        height, width = image.shape[:2]
        corners = np.rint(self.boxes[1:].astype(np.float64) * (width, height, width, height)).astype(int)
        return [image[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)] for x0, y0, x1, y1 in corners.tolist()]

    def features(self, loaded: torch.Tensor, place: int) -> NDArray[np.float32]:
        features: NDArray[np.float32] = loaded[:, place - 1].contiguous().numpy()
        return features


def layer_of_stride(network: Backbone, input_size: int, stride: int = STRIDE) -> str:
    """Return the last layer of a network whose map has about one cell for ``stride`` pixels, or a finer one.

    The map has at least 6 x 6 cells. Layers are modules of the network and their direct parts, such as ``features.12``
    or ``layer3.1``. Raises `BadInput` if none has such a map.
    """
    least = max(MIN_CELLS, _TOLERANCE * input_size / stride)
    paths: list[str] = []
    handles = []
    for path, module in network.net.named_modules():
        if path and path.count(".") <= 1:

            def record(_: object, inputs: object, output: object, path: str = path) -> None:
                if isinstance(output, torch.Tensor) and output.ndim == 4 and min(output.shape[2:]) >= least:
                    paths.append(path)

            handles.append(module.register_forward_hook(record))
    try:
        network.dry_run(input_size)
    finally:
        for handle in handles:
            handle.remove()
    if not paths:
        raise BadInput(f"{network.name} has no map of {least:.0f} x {least:.0f} cells for images of {input_size} px")
    return paths[-1]
