"""Patch features from one forward pass per patch: pool5 of AlexNet, the last feature map of other networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr.backbones.backbone import Backbone
from relattr.backbones.extraction import FeatureExtractor
from relattr.chains.patch_descriptor import crop_patches, l2_normalise
from relattr.images import Images

_BATCH = 64
"""Patches described at once, at most."""


class NetworkPatches:
    """Layer ``spatial`` of a backbone on each patch, resized to the network's input.

    Parameters
    ----------
    backbone : a name, or a `Backbone`.
    device : ``cpu``, ``cuda``, ...

    Raises what `FeatureExtractor` raises.
    """

    def __init__(self, backbone: str | Backbone, device: str = "cpu") -> None:
        self._extract = FeatureExtractor(
            backbone, "spatial", device=device, crop="resize", normalise="none", batch_size=_BATCH, precision="fp32"
        )
        self.dim = self._extract.dim
        self._side = self._extract.spec.preprocessing.input_size

    def read(self, images: Images, advance: Callable[[int], object]) -> Images:
        """The images themselves, which are decoded in `describe`."""
        advance(len(images))
        return images

    def describe(self, data: Images, indices: NDArray[np.integer[Any]], boxes: NDArray[Any]) -> NDArray[np.float32]:
        """Features by channel and position; see `PatchDescriptor.describe`."""
        features = np.empty((indices.size, boxes.shape[-2], self.dim), np.float32)
        for k, i in enumerate(indices):
            patches = crop_patches(data[int(i)], boxes if boxes.ndim == 2 else boxes[k], self._side)
            features[k] = self._extract(list(patches))
        return l2_normalise(features)
