"""Deep features: a layer of a pretrained network for each image."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from relattr.backbones.backbone import Backbone, weights_fingerprint
from relattr.backbones.inference import has_bf16, optimised_forward
from relattr.backbones.names import Preprocessing
from relattr.backbones.preprocess import CROPS, Crop, crop_views, n_views, normalise_pixels
from relattr.errors import BadInput
from relattr.system.malloc import retain_freed_memory

if TYPE_CHECKING:
    from relattr.images import Images

Precision = Literal["auto", "fp32", "bf16"]
Normalise = Literal["none", "l2"]

BATCH = 64
"""Network inputs at a time; ten crops of an image are ten."""


class ImageSequence(Protocol):
    """What images are taken from: uint8 arrays ``(height, width, 3)`` of any sizes."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class FeatureSpec:
    """Everything but the images and the code that decides the numbers of a deep feature."""

    backbone: str
    layer: str
    preprocessing: Preprocessing
    crop: Crop
    normalise: Normalise
    precision: Literal["fp32", "bf16"]
    weights: str

    def key(self) -> str:
        """All of it as one string, for caches."""
        how = " ".join(f"{k}={v}" for k, v in dataclasses.asdict(self.preprocessing).items())
        return (
            f"deep {self.backbone} {self.layer} weights={self.weights} crop={self.crop} "
            f"normalise={self.normalise} {self.precision} {how}"
        )


class FeatureExtractor:
    """A layer of a backbone as a function of images, set up once.

    Parameters
    ----------
    backbone : its name, or one that is built already (which is given up to the extractor).
    layer : its name (see `relattr.backbones.layers`); by default the one before the classifier's last.
    device : ``cpu``, ``cuda``, ...
    batch_size : network inputs at a time.
    precision : ``fp32``, ``bf16`` (weights and activations), or ``auto``: bf16 where the device has it.
    crop : ``center``, ``resize`` or ``ten`` (the mean over ten crops); see `relattr.backbones.preprocess`.
    normalise : ``l2`` scales each image's feature to length 1 (a feature of zeros stays), ``none`` does not.
    input_size, resize : pixels, in place of those that the backbone's weights were trained for.
    pretrained : fresh weights if false.

    Raises `UnknownName` for a backbone or layer, `Blocked` where the weights cannot be had, `BadInput` for the rest.
    """

    def __init__(
        self,
        backbone: str | Backbone,
        layer: str | None = None,
        *,
        device: str = "cpu",
        batch_size: int = BATCH,
        precision: Precision = "auto",
        crop: Crop = "center",
        normalise: Normalise = "l2",
        input_size: int | None = None,
        resize: int | None = None,
        pretrained: bool = True,
    ) -> None:
        for what, value, choices in (
            ("precision", precision, ("auto", "fp32", "bf16")),
            ("crop", crop, CROPS),
            ("normalise", normalise, ("none", "l2")),
        ):
            if value not in choices:
                raise BadInput(f"{what} must be one of {', '.join(choices)}; got {value!r}")
        if batch_size < 1:
            raise BadInput(f"batch_size must be at least 1; got {batch_size}")
        made = Backbone.create(backbone, pretrained=pretrained) if isinstance(backbone, str) else backbone
        how = made.preprocessing
        size = input_size or how.input_size
        shorter = resize or (how.resize if input_size is None else max(size, round(how.resize * size / how.input_size)))
        self.spec = FeatureSpec(
            backbone=made.name,
            layer=layer or made.default_layer,
            preprocessing=dataclasses.replace(how, input_size=size, resize=shorter),
            crop=crop,
            normalise=normalise,
            precision="bf16" if precision == "bf16" or (precision == "auto" and has_bf16(device)) else "fp32",
            weights=made.fingerprint,
        )
        self.device = torch.device(device)
        self.dim = made.feature_dim(self.spec.layer, size)
        self._images_a_batch = max(1, batch_size // n_views(1, crop))
        self._run = optimised_forward(
            made,
            self.spec.layer,
            dtype=torch.bfloat16 if self.spec.precision == "bf16" else torch.float32,
            device=self.device,
            batch_size=n_views(self._images_a_batch, crop),
            input_size=size,
        )

    def __call__(
        self, images: ImageSequence, *, progress: Callable[[int], object] | None = None
    ) -> NDArray[np.float32]:
        """The features of these images, ``(n, dim)`` float32; a row depends on its own image only.

        ``progress`` is called with the number of images just done.
        """
        out = np.empty((len(images), self.dim), dtype=np.float32)
        with torch.inference_mode(), retain_freed_memory(self.device.type == "cpu"):
            for start in range(0, len(images), self._images_a_batch):
                stop = min(start + self._images_a_batch, len(images))
                out[start:stop] = self._features([images[i] for i in range(start, stop)])
                if progress is not None:
                    progress(stop - start)
        return out

    def _features(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        how = self.spec.preprocessing
        pixels = crop_views(images, how, self.spec.crop).to(self.device, non_blocking=True)
        found = self._run(normalise_pixels(pixels, how)).flatten(1)
        if self.spec.crop == "ten":
            found = found.unflatten(0, (len(images), 10)).mean(1)
        if self.spec.normalise == "l2":
            found = torch.nn.functional.normalize(found, dim=1)
        return found.cpu().numpy()


def deep_features(
    images: ImageSequence,
    backbone: str | Backbone,
    layer: str | None = None,
    *,
    device: str = "cpu",
    batch_size: int = BATCH,
    precision: Precision = "auto",
    crop: Crop = "center",
    normalise: Normalise = "l2",
    input_size: int | None = None,
    resize: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> NDArray[np.float32]:
    """A layer of a backbone for each image, ``(n, d)`` float32; the arguments are those of `FeatureExtractor`.

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
    precision: Precision = "auto",
    crop: Crop = "center",
    normalise: Normalise = "l2",
) -> NDArray[np.float32]:
    """As `deep_features`, each image computed once and kept on disk."""
    from relattr.features.cache import cached_rows
    from relattr.identity import code_digest

    weights = weights_fingerprint(backbone)
    extractor = _extractor(backbone, layer, device, batch_size, precision, crop, normalise, weights)
    key = f"{extractor.spec.key()} {code_digest('relattr.backbones.extraction')}"
    return cached_rows(images, key, extractor, what=f"{backbone} {extractor.spec.layer} features")


@lru_cache(maxsize=1)
def _extractor(
    backbone: str,
    layer: str | None,
    device: str,
    batch_size: int,
    precision: Precision,
    crop: Crop,
    normalise: Normalise,
    weights: str,
) -> FeatureExtractor:
    """The last extractor, kept: a cell asks for the features of one image collection after another."""
    return FeatureExtractor(
        backbone, layer, device=device, batch_size=batch_size, precision=precision, crop=crop, normalise=normalise
    )
