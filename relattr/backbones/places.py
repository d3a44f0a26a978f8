"""Deep features of fixed places: the same squares in every image, on a grid of positions and sizes.

The whole image passes through a backbone once, up to a layer whose map is fine enough to tell places apart. A place is
a square of cells of this map, and its features are the means over its parts (2 x 2 by default), of unit norm. All
places and all sizes cost one forward pass, whose map is cached. The receptive fields of the cells reach beyond their
place, and the more so the smaller the image is: therefore it is shown at twice the size the backbone was trained with.
"""

from __future__ import annotations

from collections.abc import Sequence
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
_TOLERANCE = 0.75  # a map without padding is somewhat smaller: 13 cells of AlexNet where the stride suggests 14


class PlaceGrid:
    """A grid of square places in the feature map of a backbone: first the whole image, then size by size, row by row.

    Parameters
    ----------
    backbone : name of the backbone.
    sizes : sides of the places relative to the image, each in (0, 1); rounded to cells of the map.
    layer : layer whose map is used; by default the last one with about 16 pixels per cell, see `layer_of_stride`.
    input_size : side in pixels that whole images are resized to; by default twice that of the backbone.
    parts : the features of a place are means over parts x parts of it.
    step : most cells between two neighbouring places; they are evenly spaced, from border to border, so that the mirror
        image of a place is a place.

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
        if not sizes or not all(0 < size < 1 for size in sizes):
            raise BadInput(f"sizes of places must be in (0, 1), relative to the image; got {list(sizes)}")
        if parts < 1 or step < 1:
            raise BadInput(f"parts and step must be at least 1; got {parts} and {step}")
        network = Backbone.create(backbone, pretrained=False)
        self.backbone, self.parts, self.step = backbone, parts, step
        self.input_size = input_size or 2 * network.input_size
        self.layer = layer or layer_of_stride(network, self.input_size)
        shape = network.feature_shape(self.layer, self.input_size)
        if len(shape) != 3 or shape[1] != shape[2]:
            raise BadInput(f"layer {self.layer} of {backbone} is not a square map: its output is {shape} per image")
        self.channels, self.cells = shape[0], shape[1]
        self.windows = [round(size * self.cells) for size in sizes]
        for size, window in zip(sizes, self.windows, strict=True):
            if not parts <= window < self.cells:
                raise BadInput(
                    f"a place of size {size:g} has {window} of {self.cells} cells per side in layer {self.layer} of "
                    f"{backbone}; expected at least {parts}, and fewer than all"
                )

    def _starts(self, window: int) -> list[int]:
        """The first cell of each place of a size along one axis: evenly spaced, from border to border, symmetric."""
        last = self.cells - window
        n_steps = -(-last // self.step)
        first_half = [round(k * last / n_steps) for k in range(n_steps // 2 + 1)]
        return sorted({*first_half, *(last - start for start in first_half)})

    @property
    def _squares(self) -> list[tuple[int, int, int]]:
        """First column, first row and side of each place, in cells."""
        squares = [(0, 0, self.cells)]
        for window in self.windows:
            starts = self._starts(window)
            squares += [(x, y, window) for y in starts for x in starts]
        return squares

    @property
    def boxes(self) -> NDArray[np.float32]:
        """The places ``(p, 4)``: x0, y0, x1, y1, the image being [0, 1]; the first is the whole image."""
        corners = [(x, y, x + side, y + side) for x, y, side in self._squares]
        return (np.array(corners) / self.cells).astype(np.float32)

    @property
    def size_of_place(self) -> NDArray[np.int64]:
        """The index of the size of each place, ``(p,)``; -1 for the whole image."""
        counts = [len(self._starts(window)) ** 2 for window in self.windows]
        return np.concatenate([[-1], np.repeat(np.arange(len(counts)), counts)])

    @property
    def dim(self) -> int:
        """Features of a place."""
        return self.channels * self.parts**2

    def maps(self, images: Images, *, device: str = "cpu") -> torch.Tensor:
        """Return the feature maps ``(n, c, cells, cells)``, computed once per image and cached on disk."""
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

    def features(self, maps: torch.Tensor, place: int) -> NDArray[np.float32]:
        """Return the features of one place, ``(n, parts * parts * c)``, given the `maps` of some images."""
        x, y, side = self._squares[place]
        means = functional.adaptive_avg_pool2d(maps[:, :, y : y + side, x : x + side], self.parts)
        features: NDArray[np.float32] = functional.normalize(means.flatten(1), dim=1).numpy()
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
