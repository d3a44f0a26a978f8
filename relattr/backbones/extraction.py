"""Deep features: the output of a layer of a pretrained network for each image.

Features are computed in fp32 unless bf16 is requested: the precision never depends on the hardware.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from relattr.backbones.backbone import Backbone, weights_fingerprint
from relattr.backbones.inference import optimised_forward
from relattr.backbones.names import Preprocessing
from relattr.backbones.preprocess import CROPS, Crop, crop_views, n_views, normalise_pixels
from relattr.errors import BadInput
from relattr.images.sequence import ImageSequence
from relattr.system.malloc import retain_freed_memory

if TYPE_CHECKING:
    from relattr.images import Images

Precision = Literal["fp32", "bf16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
Normalise = Literal["none", "l2"]

BATCH = 64
"""Network inputs per batch; ten crops of an image are ten inputs."""


@dataclass(frozen=True)
class FeatureSpec:
    """Everything that the values of a deep feature depend on, except the images and the code."""

    backbone: str
    layer: str
    preprocessing: Preprocessing
    crop: Crop
    normalise: Normalise
    precision: Precision
    weights: str

    def key(self) -> str:
        """Return the specification as one string, a cache key."""
        preprocessing = " ".join(f"{k}={v}" for k, v in dataclasses.asdict(self.preprocessing).items())
        return (
            f"deep {self.backbone} {self.layer} weights={self.weights} crop={self.crop} "
            f"normalise={self.normalise} {self.precision} {preprocessing}"
        )


class FeatureExtractor:
    """A callable that extracts the output of one layer of a backbone from images.

    Parameters
    ----------
    backbone : its name, or a `Backbone`, which must not be used afterwards: its weights are converted in place.
    layer : name of the layer (see `relattr.backbones.layers`); by default the penultimate layer of the classifier.
    device : ``cpu``, ``cuda``, ...
    batch_size : network inputs per batch.
    precision : ``fp32``, or ``bf16`` for bfloat16 weights and activations (slow on a device without native support;
        see `relattr.backbones.inference.has_bf16`).
    crop : ``center``, ``resize`` or ``ten`` (the mean over ten crops); see `relattr.backbones.preprocess`.
    normalise : ``l2`` scales features to unit norm (zero vectors are kept), ``none`` does not.
    input_size, resize : sizes in px that replace those the weights were trained with.
    pretrained : False for randomly initialised weights.

    Raises `UnknownName` for a backbone or layer, `Blocked` if the weights are unavailable, `BadInput` for any other
    invalid argument.
    """

    def __init__(
        self,
        backbone: str | Backbone,
        layer: str | None = None,
        *,
        device: str = "cpu",
        batch_size: int = BATCH,
        precision: Precision = "fp32",
        crop: Crop = "center",
        normalise: Normalise = "l2",
        input_size: int | None = None,
        resize: int | None = None,
        pretrained: bool = True,
    ) -> None:
        for parameter, value, choices in (
            ("precision", precision, PRECISIONS),
            ("crop", crop, CROPS),
            ("normalise", normalise, get_args(Normalise)),
        ):
            if value not in choices:
                raise BadInput(f"{parameter} must be one of {', '.join(choices)}; got {value!r}")
        if batch_size < 1:
            raise BadInput(f"batch_size must be at least 1; got {batch_size}")
        network = Backbone.create(backbone, pretrained=pretrained) if isinstance(backbone, str) else backbone
        default = network.preprocessing
        size = input_size or default.input_size
        scaled = default.resize if input_size is None else max(size, round(default.resize * size / default.input_size))
        self.spec = FeatureSpec(
            backbone=network.name,
            layer=layer or network.default_layer,
            preprocessing=dataclasses.replace(default, input_size=size, resize=resize or scaled),
            crop=crop,
            normalise=normalise,
            precision=precision,
            weights=network.fingerprint,
        )
        self.device = torch.device(device)
        self.dim = network.feature_dim(self.spec.layer, size)
        self._images_per_batch = max(1, batch_size // n_views(1, crop))
        self._forward = optimised_forward(
            network,
            self.spec.layer,
            dtype=torch.bfloat16 if precision == "bf16" else torch.float32,
            device=self.device,
            batch_size=n_views(self._images_per_batch, crop),
            input_size=size,
        )

    def __call__(
        self, images: ImageSequence, *, progress: Callable[[int], object] | None = None
    ) -> NDArray[np.float32]:
        """Return the features of these images, ``(n, dim)`` float32; a row depends on its own image only.

        ``progress`` is called with the number of images in each completed batch.
        """
        features = np.empty((len(images), self.dim), dtype=np.float32)
        with torch.inference_mode(), retain_freed_memory(self.device.type == "cpu"):
            for start in range(0, len(images), self._images_per_batch):
                stop = min(start + self._images_per_batch, len(images))
                features[start:stop] = self._extract([images[i] for i in range(start, stop)])
                if progress is not None:
                    progress(stop - start)
        return features

    def _extract(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        preprocessing = self.spec.preprocessing
        pixels = crop_views(images, preprocessing, self.spec.crop).to(self.device, non_blocking=True)
        features = self._forward(normalise_pixels(pixels, preprocessing)).flatten(1)
        if self.spec.crop == "ten":
            features = features.unflatten(0, (len(images), 10)).mean(1)
        if self.spec.normalise == "l2":
            features = torch.nn.functional.normalize(features, dim=1)
        return features.cpu().numpy()


def deep_features(
    images: ImageSequence,
    backbone: str | Backbone,
    layer: str | None = None,
    *,
    device: str = "cpu",
    batch_size: int = BATCH,
    precision: Precision = "fp32",
    crop: Crop = "center",
    normalise: Normalise = "l2",
    input_size: int | None = None,
    resize: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> NDArray[np.float32]:
    """Extract features from each image, ``(n, d)`` float32; the arguments are those of `FeatureExtractor`.

    >>> deep_features(images, "alexnet", "fc6").shape  # doctest: +SKIP
    (2688, 4096)
    """
    extractor = FeatureExtractor(
        backbone,
        layer,
        device=device,
        batch_size=batch_size,
        precision=precision,
        crop=crop,
        normalise=normalise,
        input_size=input_size,
        resize=resize,
    )
    return extractor(images, progress=progress)


def cached_deep_features(
    images: Images,
    backbone: str,
    layer: str | None = None,
    *,
    device: str = "cpu",
    batch_size: int = BATCH,
    precision: Precision = "fp32",
    crop: Crop = "center",
    normalise: Normalise = "l2",
    input_size: int | None = None,
) -> NDArray[np.float32]:
    """Return `deep_features`, computed once for each image and cached on disk."""
    from relattr.features.cache import cached_rows
    from relattr.identity import code_digest

    weights = weights_fingerprint(backbone)
    extractor = _extractor(
        backbone,
        layer,
        weights,
        device=device,
        batch_size=batch_size,
        precision=precision,
        crop=crop,
        normalise=normalise,
        input_size=input_size,
    )
    key = f"{extractor.spec.key()} {code_digest('relattr.backbones.extraction')}"
    return cached_rows(images, key, extractor, what=f"{backbone} {extractor.spec.layer} features")


@lru_cache(maxsize=1)
def _extractor(backbone: str, layer: str | None, weights: str, **options: Any) -> FeatureExtractor:
    """Return the most recent extractor again: a cell extracts features of several image collections in turn.

    ``weights`` is the fingerprint of the backbone's weights: with others it is another extractor.
    """
    return FeatureExtractor(backbone, layer, **options)
