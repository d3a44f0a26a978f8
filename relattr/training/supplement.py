"""Supplementary features of frozen networks: the second network of ViralNet-C, or several of them.

Dubey & Agarwal (MM 2017, Section 3.3) take a network trained on the categories of the images, or pretrained ones:
Places205-AlexNet and Hybrid-CNN for OSR, OpenFace for faces. The features are standardised with the mean and deviation
over the training images, so that one learning rate suits the whole score layer.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from relattr.backbones.backbone import Backbone
from relattr.backbones.loading import load_weights, read_state_dict
from relattr.networks.freezing import drop_unused_parameters
from relattr.networks.multiscale_pyramid import resize_square
from relattr.networks.scoring import Extractor
from relattr.system.paths import cache_dir
from relattr.training.cropping import Cropper, sampled_size
from relattr.training.streamed_pixels import Pixels, chunks, pixel_limit

_BATCH_SIZE = 128


class SupplementaryNetwork:
    """The standardised features of one frozen network.

    Parameters
    ----------
    extractor : the network, owned by this object from then on; see `freeze`.
    mean, std : of its features over the training images, ``(d,)`` each; 0 and 1 before they are fitted.
    size : side in pixels that it sees images in; by default the input size of its backbone.
    """

    def __init__(
        self,
        extractor: Extractor,
        mean: torch.Tensor | None = None,
        std: torch.Tensor | None = None,
        size: int | None = None,
    ) -> None:
        self.extractor = extractor.eval()
        self.size = size or extractor.backbone.input_size
        self.mean = torch.zeros(extractor.dim) if mean is None else mean
        self.std = torch.ones(extractor.dim) if std is None else std

    @property
    def dim(self) -> int:
        """Features per image."""
        return self.extractor.dim

    def raw(self, pixels: torch.Tensor) -> torch.Tensor:
        """The features ``(n, d)`` of whole images ``(n, 3, h, h)`` uint8, not standardised."""
        backbone = self.extractor.backbone
        sampled = sampled_size(self.size, backbone.input_size, pixels.shape[-1])
        cropper = Cropper(backbone.preprocessing, sampled, side=1.0)
        parts = []
        with torch.inference_mode():
            for part in pixels.split(_BATCH_SIZE):
                images = resize_square(cropper.fixed(part, 1)[0], self.size)
                parts.append(self.extractor(images.contiguous(memory_format=torch.channels_last)))
        return torch.cat(parts) if parts else torch.zeros(0, self.dim, device=pixels.device)

    def standardise(self, features: torch.Tensor) -> torch.Tensor:
        """Raw features ``(n, d)`` with mean 0 and deviation 1 over the training images."""
        return (features - self.mean.to(features)) / self.std.to(features)

    def fit_standardisation(self, features: torch.Tensor) -> None:
        """Take mean and deviation from the raw features ``(n, d)`` of the training images."""
        std = features.std(0)
        # a unit that is constant over the training images gives no scale: dividing by ~0 would blow up test images
        self.mean, self.std = features.mean(0), torch.where(std > 1e-6, std, 1.0)


class Supplement:
    """The features of one or several frozen networks, side by side.

    Parameters
    ----------
    networks : at least one.
    """

    def __init__(self, networks: Sequence[SupplementaryNetwork]) -> None:
        self.networks = tuple(networks)

    @property
    def dim(self) -> int:
        """Features per image."""
        return sum(network.dim for network in self.networks)

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """The standardised features ``(n, d)`` of whole images ``(n, 3, h, h)`` uint8."""
        return torch.cat([network.standardise(network.raw(pixels)) for network in self.networks], 1).clone()

    def fit(self, pixels: Pixels) -> torch.Tensor:
        """Fit the standardisation to the training images ``(n, 3, h, h)``, and return their features ``(n, d)``.

        Features that are too large for memory are in a temporary file in the cache folder.
        """
        columns = np.cumsum([0, *(network.dim for network in self.networks)])
        parts = [slice(a, b) for a, b in zip(columns[:-1].tolist(), columns[1:].tolist(), strict=True)]
        features = _storage(pixels, self.dim)
        for rows, chunk in chunks(pixels, _BATCH_SIZE):
            for network, part in zip(self.networks, parts, strict=True):
                features[rows, part] = network.raw(chunk).to(features.device)
        for network, part in zip(self.networks, parts, strict=True):
            network.fit_standardisation(features[:, part])
            for start in range(0, len(features), _BATCH_SIZE):
                rows = slice(start, start + _BATCH_SIZE)
                features[rows, part] = network.standardise(features[rows, part])
        return features


def freeze(extractor: Extractor) -> None:
    """Drop the parameters that do not affect the features, and freeze the rest."""
    size, device = extractor.backbone.input_size, next(p for p in extractor.parameters() if p.numel()).device
    drop_unused_parameters(extractor, lambda: extractor(torch.zeros(1, 3, size, size, device=device)))
    for parameter in extractor.parameters():
        parameter.requires_grad_(False)


def pretrained_extractor(backbone: str, weights: Path | None, standardise: bool) -> Extractor:
    """A pretrained network up to its features, with the weights of a file in place of its own if one is given.

    The file may be that of a network with another number of classes (205 scenes, 1,183 objects and scenes): the layers
    after the features are not read. Raises `BadInput` if the rest does not fit.
    """
    extractor = Extractor(Backbone.create(backbone, pretrained=weights is None), standardise=standardise)
    freeze(extractor)
    if weights is not None:
        net = extractor.backbone.net
        unused = {name: value for name, value in net.state_dict().items() if not value.numel()}
        load_weights(net, {**read_state_dict(weights), **unused}, weights)
    return extractor


def _storage(pixels: Pixels, dim: int) -> torch.Tensor:
    """An array ``(n, dim)`` float32: beside the pixels if it is small, otherwise in a temporary file."""
    n = pixels.shape[0]
    if 4 * n * dim <= pixel_limit() or not n:
        return torch.empty(n, dim, device=pixels.device)
    cache_dir().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=cache_dir()) as file:  # the mapping keeps the deleted file until it is closed
        return torch.from_numpy(np.memmap(file, np.float32, "w+", shape=(n, dim)))
