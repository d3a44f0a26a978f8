"""Patch features from one forward pass per image: a feature map of a backbone, average-pooled over each patch.

The receptive fields of the positions of a map reach beyond a patch, and those of the last map cover nearly the whole
image, so that patches are hard to tell apart. Therefore a layer with about 16 pixels per position is used, of an image
of twice the size that the backbone was trained with, as in `relattr.backbones.places.MapPlaces`; what a coarser map
costs is measured in ``benchmarks/studies/chain_features.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from relattr.backbones.backbone import Backbone
from relattr.backbones.extraction import FeatureExtractor
from relattr.chains.patch_descriptor import l2_normalise
from relattr.errors import BadInput
from relattr.features.cache import cached_rows
from relattr.identity import code_digest
from relattr.images import Images

CHUNK_SIZE = 256
"""Images read at once."""

STRIDE = 16
"""Pixels per position of the map, approximately, unless a layer is named."""
TOLERANCE = 0.75
"""Share of the positions that this stride gives and a map must have: without padding, a map is somewhat smaller."""

MAX_CACHED_BYTES = 4 * 1024**3
"""Largest total size, in bytes, of the feature maps of an image collection that are cached on disk."""


class FeatureMapPatches:
    """A feature map of a backbone, averaged over ``cells x cells`` parts of each patch.

    Parameters
    ----------
    backbone : a name, or a `Backbone`.
    image_size : side length in pixels of the square that the whole image is resized to; None: twice the input size of
        the backbone.
    cells : parts per side of a patch.
    layer : the layer whose map it is; None: see `fine_layer`.
    device : ``cpu``, ``cuda``, ...

    Raises `BadInput` for a network that does not take images of this size, for a layer without a feature map, and what
    `FeatureExtractor` raises.
    """

    def __init__(
        self,
        backbone: str | Backbone,
        image_size: int | None,
        cells: int,
        *,
        layer: str | None = None,
        device: str = "cpu",
    ) -> None:
        network = Backbone.create(backbone) if isinstance(backbone, str) else backbone
        size = image_size or 2 * network.input_size
        try:
            self.layer = layer or fine_layer(network, size)
            shape = network.feature_shape(self.layer, size)
        except (AssertionError, RuntimeError) as error:  # raised by the network, as by one for a single size of image
            raise BadInput(
                f"{network.name} does not take images of {size} x {size} px ({str(error).splitlines()[0]}); set "
                f"image_size, for example to {network.input_size}"
            ) from error
        if len(shape) != 3 or shape[1] != shape[2]:
            raise BadInput(
                f"layer {self.layer} of {network.name} is not a feature map at {size} px input: its output has shape "
                f"{shape}, expected (channels, n, n)"
            )
        self.channels, self.height, self.width = shape
        self.cells = cells
        self.dim = cells * cells * self.channels
        self._cacheable = network.fingerprint not in ("", "untrained")
        """Whether the weights have a fingerprint, so that cached maps can be identified."""
        self._extract = FeatureExtractor(
            network, self.layer, device=device, crop="resize", normalise="none", input_size=size, precision="fp32"
        )

    def read(self, images: Images, advance: Callable[[int], object]) -> NDArray[np.float16]:
        """The feature maps ``(n, height * width, channels)``, in half precision.

        Unless those of the whole collection are too large, they are cached on disk: all attributes and methods share
        one forward pass per image.
        """
        n_positions = self.height * self.width
        cached = self._cacheable and 4 * images.n_collection * n_positions * self.channels <= MAX_CACHED_BYTES
        maps = np.empty((len(images), n_positions, self.channels), np.float16)
        for start in range(0, len(images), CHUNK_SIZE):
            part = images.subset(np.arange(start, min(start + CHUNK_SIZE, len(images))))
            outputs = self._cached(part) if cached else self._extract(part)
            maps[start : start + len(part)] = outputs.reshape(len(part), self.channels, n_positions).transpose(0, 2, 1)
            advance(len(part))
        return maps

    def _cached(self, images: Images) -> NDArray[np.float32]:
        spec = self._extract.spec
        key = f"{spec.key()} {code_digest('relattr.backbones.extraction')}"
        return cached_rows(images, key, self._extract, what=f"{spec.backbone} maps")

    def describe(
        self, data: NDArray[np.float16], indices: NDArray[np.integer[Any]], boxes: NDArray[Any]
    ) -> NDArray[np.float32]:
        """Features by part (row by row) and channel; see `PatchDescriptor.describe`."""
        shared_weights = pool_weights(boxes, self.cells, self.height, self.width) if boxes.ndim == 2 else None
        features = np.empty((indices.size, boxes.shape[-2], self.dim), np.float32)
        for k, i in enumerate(indices):
            weights = shared_weights
            if weights is None:
                weights = pool_weights(boxes[k], self.cells, self.height, self.width)
            np.matmul(weights, data[i].astype(np.float32), out=features[k].reshape(-1, self.channels))
        return l2_normalise(features)


def fine_layer(network: Backbone, size: int) -> str:
    """The last layer, up to ``conv``, whose map of an image of this size has about 16 pixels per position, or fewer.

    Layers are ``conv``, modules of the network and their direct parts, such as ``features.12`` or ``layer3.1``. Raises
    `BadInput` if none has such a map, channels first.
    """
    least = TOLERANCE * size / STRIDE
    paths: list[str] = []

    def recorder(path: str) -> Callable[[Any, Any, Any], None]:
        def record(module: object, inputs: object, output: object) -> None:
            if isinstance(output, torch.Tensor) and output.ndim == 4:
                height, width = output.shape[2:]
                if height == width >= least:
                    paths.append(path)

        return record

    modules = [(path, module) for path, module in network.net.named_modules() if path and path.count(".") <= 1]
    handles = [module.register_forward_hook(recorder(path)) for path, module in modules]
    like = next(network.parameters(), torch.empty(0))
    try:
        with torch.no_grad():  # the pass ends at ``conv``: later layers are no features, or take one size of image only
            image = torch.zeros(1, 3, size, size, device=like.device, dtype=like.dtype)
            last = network.eval().conv_features(image)
    finally:
        for handle in handles:
            handle.remove()
    if last.shape[2] == last.shape[3] >= least:
        return "conv"
    if not paths:
        raise BadInput(
            f"{network.name} has no map of {least:.0f} x {least:.0f} positions or more for images of {size} px; name a "
            "layer, such as conv, its last map"
        )
    return paths[-1]


def pool_weights(boxes: NDArray[Any], cells: int, height: int, width: int) -> NDArray[np.float32]:
    """The average-pooling weights of the positions of a map, for each part of each box.

    Boxes ``(k, 4)`` to ``(k * cells * cells, height * width)``, rows of sum 1: the share of the part's area in each
    position. The map's positions tile the image.
    """
    across = _axis_weights(boxes[:, 0], boxes[:, 2], cells, width)
    down = _axis_weights(boxes[:, 1], boxes[:, 3], cells, height)
    return (down[:, :, None, :, None] * across[:, None, :, None, :]).reshape(-1, height * width)


def _axis_weights(lower: NDArray[Any], upper: NDArray[Any], cells: int, n_positions: int) -> NDArray[np.float32]:
    """Along one axis: the share of each part of ``[lower, upper]`` in each position, ``(k, cells, n_positions)``."""
    edges = (lower[:, None] + (upper - lower)[:, None] * np.arange(cells + 1) / cells) * n_positions
    first, last = edges[:, :-1, None], edges[:, 1:, None]
    positions = np.arange(n_positions)
    covered = (np.minimum(last, positions + 1) - np.maximum(first, positions)).clip(min=0)
    return (covered / (last - first)).astype(np.float32)
