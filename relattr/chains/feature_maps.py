"""Patch features from one forward pass: means of a backbone's last feature map over parts of each patch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr.backbones.backbone import Backbone
from relattr.backbones.extraction import FeatureExtractor
from relattr.chains.patch_descriptor import l2_normalise
from relattr.errors import BadInput
from relattr.features.cache import cached_rows
from relattr.images import Images
from relattr.identity import code_digest

CHUNK_SIZE = 256
"""Images read at a time."""

MAX_CACHED_BYTES = 4 * 1024**3
"""Bytes of maps of one image collection, in single precision, up to which they are kept on disk."""


class FeatureMapPatches:
    """The map of a backbone before it is pooled to one place, averaged over ``cells x cells`` parts of a patch.

    Parameters
    ----------
    backbone : its name, or one that is built already.
    image_size : px a side of the square that the whole image is squeezed into.
    cells : parts a side of a patch.
    device : ``cpu``, ``cuda``, ...

    Raises `BadInput` for a network that has no such map of this input, and what `FeatureExtractor` raises.
    """

    def __init__(self, backbone: str | Backbone, image_size: int, cells: int, device: str = "cpu") -> None:
        made = Backbone.create(backbone) if isinstance(backbone, str) else backbone
        shape = made.feature_shape("conv", image_size)
        if len(shape) != 3:
            raise BadInput(f"{made.name} has no feature map of {image_size} px input: its layer gives {shape} an image")
        self.channels, self.height, self.width = shape
        self.cells = cells
        self.dim = cells * cells * self.channels
        self._fixed = made.fingerprint not in ("", "untrained")
        """Whether something names the network's weights, so that its maps can be told from another's."""
        self._extract = FeatureExtractor(
            made, "conv", device=device, crop="resize", normalise="none", input_size=image_size
        )

    def read(self, images: Images, advance: Callable[[int], object]) -> NDArray[np.float16]:
        """The maps ``(n, height * width, channels)``, in half precision.

        Where those of the whole collection are not too large they are kept on disk: all attributes and methods
        share the one pass of an image.
        """
        places = self.height * self.width
        kept = self._fixed and 4 * images.n_collection * places * self.channels <= MAX_CACHED_BYTES
        held = np.empty((len(images), places, self.channels), np.float16)
        for start in range(0, len(images), CHUNK_SIZE):
            part = images.subset(np.arange(start, min(start + CHUNK_SIZE, len(images))))
            found = self._cached(part) if kept else self._extract(part)
            held[start : start + len(part)] = found.reshape(len(part), self.channels, places).transpose(0, 2, 1)
            advance(len(part))
        return held

    def _cached(self, images: Images) -> NDArray[np.float32]:
        spec = self._extract.spec
        key = f"{spec.key()} {code_digest('relattr.backbones.extraction')}"
        return cached_rows(images, key, self._extract, what=f"{spec.backbone} maps")

    def describe(
        self, held: NDArray[np.float16], which: NDArray[np.integer[Any]], boxes: NDArray[Any]
    ) -> NDArray[np.float32]:
        """See `PatchSource`: the parts of a patch row by row, in each its channels."""
        shared = pool_weights(boxes, self.cells, self.height, self.width) if boxes.ndim == 2 else None
        out = np.empty((which.size, boxes.shape[-2], self.dim), np.float32)
        for k, i in enumerate(which):
            weights = pool_weights(boxes[k], self.cells, self.height, self.width) if shared is None else shared
            np.matmul(weights, held[i].astype(np.float32), out=out[k].reshape(-1, self.channels))
        return l2_normalise(out)


def pool_weights(boxes: NDArray[Any], cells: int, height: int, width: int) -> NDArray[np.float32]:
    """What each place of a map counts in the mean over each part of each box.

    Boxes ``(k, 4)`` to ``(k * cells * cells, height * width)``, rows of sum 1: the share of the part that lies on
    the place. The map's places tile the image.
    """
    across = _shares(boxes[:, 0], boxes[:, 2], cells, width)
    down = _shares(boxes[:, 1], boxes[:, 3], cells, height)
    return (down[:, :, None, :, None] * across[:, None, :, None, :]).reshape(-1, height * width)


def _shares(low: NDArray[Any], high: NDArray[Any], cells: int, places: int) -> NDArray[np.float32]:
    """Along one axis: the share ``(k, cells, places)`` of each part of ``[low, high]`` that lies on each place."""
    edges = (low[:, None] + (high - low)[:, None] * np.arange(cells + 1) / cells) * places
    first, last = edges[:, :-1, None], edges[:, 1:, None]
    at = np.arange(places)
    covered = (np.minimum(last, at + 1) - np.maximum(first, at)).clip(min=0)
    return (covered / (last - first)).astype(np.float32)
